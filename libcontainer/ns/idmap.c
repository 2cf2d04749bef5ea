#include "ns/idmap.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/own.h"

/* The kernel takes less than a page in one write, and only one write (user_namespaces(7)). */
enum { MAP_TEXT_MAX = 4096 };

static bool overlap(uint32_t a, uint32_t b, uint32_t size_a, uint32_t size_b)
{
	return (uint64_t)a < (uint64_t)b + size_b && (uint64_t)b < (uint64_t)a + size_a;
}

static int check_lines(const char *what, const struct oci_id_mapping *m, size_t n, struct err *e)
{
	if (n > IDMAP_MAX_LINES)
		return err_msg(e, EINVAL, "%s: more than %d lines", what, IDMAP_MAX_LINES);
	for (size_t i = 0; i < n; i++) {
		if (!m[i].size)
			return err_msg(e, EINVAL, "%s[%zu]: size is 0", what, i);
		/* The last id, -1, means "no id". */
		if ((uint64_t)m[i].container_id + m[i].size > UINT32_MAX ||
		    (uint64_t)m[i].host_id + m[i].size > UINT32_MAX)
			return err_msg(e, EINVAL, "%s[%zu]: passes the last id", what, i);
		for (size_t k = 0; k < i; k++)
			if (overlap(m[i].container_id, m[k].container_id, m[i].size, m[k].size) ||
			    overlap(m[i].host_id, m[k].host_id, m[i].size, m[k].size))
				return err_msg(e, EINVAL, "%s[%zu]: overlaps %s[%zu]", what, i,
					       what, k);
	}
	return 0;
}

int idmap_check(const struct idmap *m, struct err *e)
{
	int r = check_lines("uidMappings", m->uids, m->n_uids, e);

	return r < 0 ? r : check_lines("gidMappings", m->gids, m->n_gids, e);
}

static bool to_host(const struct oci_id_mapping *m, size_t n, uint32_t inside, uint32_t *host)
{
	for (size_t i = 0; i < n; i++)
		if (inside >= m[i].container_id && inside - m[i].container_id < m[i].size) {
			*host = m[i].host_id + (inside - m[i].container_id);
			return true;
		}
	return false;
}

bool idmap_uid_to_host(const struct idmap *m, uint32_t inside, uint32_t *host)
{
	return to_host(m->uids, m->n_uids, inside, host);
}

bool idmap_gid_to_host(const struct idmap *m, uint32_t inside, uint32_t *host)
{
	return to_host(m->gids, m->n_gids, inside, host);
}

static int write_map(pid_t pid, const char *file, const struct oci_id_mapping *m, size_t n,
		     struct err *e)
{
	char path[64], text[MAP_TEXT_MAX];
	size_t used = 0;

	for (size_t i = 0; i < n; i++) {
		int len = snprintf(text + used, sizeof(text) - used, "%u %u %u\n",
				   m[i].container_id, m[i].host_id, m[i].size);

		if (len < 0 || (size_t)len >= sizeof(text) - used)
			return err_msg(e, EINVAL,
				       "%s: does not fit in the %d bytes the kernel takes", file,
				       MAP_TEXT_MAX - 1);
		used += (size_t)len;
	}
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return used ? file_poke(AT_FDCWD, path, text, e) : 0;
}

static bool is_own_id(const struct oci_id_mapping *m, size_t n, uint32_t id)
{
	return n == 0 || (n == 1 && m[0].size == 1 && m[0].host_id == id);
}

enum { IDMAP_ARGS = 2 + 3 * IDMAP_MAX_LINES + 1, IDMAP_DIGITS = 12 };

/* newuidmap PID inside outside size ...: set-user-id, so found by PATH and given nothing else. */
static int run_helper(const char *tool, pid_t pid, const struct oci_id_mapping *m, size_t n,
		      struct err *e)
{
	static char *const env[] = {NULL};
	own_free char(*words)[IDMAP_DIGITS] = calloc(IDMAP_ARGS, sizeof(*words));
	own_free char **argv = calloc(IDMAP_ARGS, sizeof(*argv));
	own_free char *name = strdup(tool);
	size_t k = 0, w = 0;
	int status;
	pid_t child;

	if (!words || !argv || !name)
		return err_set(e, ENOMEM, "run %s", tool);
	argv[k++] = name;
	snprintf(words[w], sizeof(*words), "%d", (int)pid);
	argv[k++] = words[w++];
	for (size_t i = 0; i < n; i++) {
		const uint32_t values[] = {m[i].container_id, m[i].host_id, m[i].size};

		for (size_t v = 0; v < LEN(values); v++) {
			snprintf(words[w], sizeof(*words), "%u", values[v]);
			argv[k++] = words[w++];
		}
	}
	int code = posix_spawnp(&child, tool, NULL, NULL, argv, env);
	if (code)
		return err_set(e, code, "run %s (needed for a map of more than one id)", tool);
	while (waitpid(child, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "wait for %s", tool);
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		return err_msg(
			e, EPERM, "%s failed with status %d: are the ids in /etc/sub%cid?", tool,
			WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status), tool[3]);
	return 0;
}

static int deny_setgroups(pid_t pid, struct err *e)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/setgroups", (int)pid);
	return file_poke(AT_FDCWD, path, "deny", e);
}

static int write_unprivileged(const struct idmap *m, pid_t pid, struct err *e)
{
	int r;

	if (is_own_id(m->uids, m->n_uids, geteuid()))
		r = write_map(pid, "uid_map", m->uids, m->n_uids, e);
	else
		r = run_helper("newuidmap", pid, m->uids, m->n_uids, e);
	if (r < 0)
		return r;
	if (!is_own_id(m->gids, m->n_gids, getegid()))
		return run_helper("newgidmap", pid, m->gids, m->n_gids, e);
	r = deny_setgroups(pid, e);
	return r < 0 ? r : write_map(pid, "gid_map", m->gids, m->n_gids, e);
}

int idmap_write(const struct idmap *m, pid_t pid, bool privileged, struct err *e)
{
	if (!privileged)
		return write_unprivileged(m, pid, e);
	int r = write_map(pid, "uid_map", m->uids, m->n_uids, e);
	return r < 0 ? r : write_map(pid, "gid_map", m->gids, m->n_gids, e);
}

static int read_lines(struct arena *a, pid_t pid, const char *file,
		      const struct oci_id_mapping **out, size_t *n, struct err *e)
{
	struct oci_id_mapping *m = arena_array(a, IDMAP_MAX_LINES, sizeof(*m));
	char path[64], *text, *save = NULL;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int r = file_read(a, AT_FDCWD, path, IDMAP_MAX_LINES * 48, &text, NULL, e);
	*n = 0;
	for (char *line = r < 0 ? NULL : strtok_r(text, "\n", &save); line && *n < IDMAP_MAX_LINES;
	     line = strtok_r(NULL, "\n", &save)) {
		struct oci_id_mapping *row = &m[(*n)++];

		if (sscanf(line, "%u %u %u", &row->container_id, &row->host_id, &row->size) != 3)
			return err_msg(e, EINVAL, "%s: not an id map", path);
	}
	*out = m;
	return r < 0 ? r : 0;
}

int idmap_read(struct arena *a, pid_t pid, struct idmap *out, struct err *e)
{
	int r = read_lines(a, pid, "uid_map", &out->uids, &out->n_uids, e);

	return r < 0 ? r : read_lines(a, pid, "gid_map", &out->gids, &out->n_gids, e);
}

/*
 * The holder shares the caller's memory (a copy of the page tables would cost more than the
 * rest), so it does nothing but wait on a stack of its own.
 */
static int hold(void *arg)
{
	const pid_t *maker = arg;

	/* A maker that was killed before this will send no signal any more. */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != *maker)
		_exit(1);
	for (;;)
		pause();
}

static int open_userns(const struct idmap *m, pid_t pid, struct err *e)
{
	char path[64];
	int r = idmap_write(m, pid, true, e);

	if (r < 0)
		return r;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : err_set(e, errno, "open %s", path);
}

static int no_userns(int code, struct err *e)
{
	/* clone(2): EUSERS until Linux 4.8 */
	if (code == ENOSPC || code == EUSERS)
		return err_msg(e, code,
			       "no user namespace can be made: user.max_user_namespaces is 0 or "
			       "reached, raise it with sysctl");
	if (code == EINVAL)
		return err_msg(e, code,
			       "no user namespace can be made: the kernel has none, one with "
			       "CONFIG_USER_NS is needed");
	return err_set(e, code, "make a user namespace for an id mapping");
}

int idmap_userns(const struct idmap *m, struct err *e)
{
	char stack[8192] __attribute__((aligned(16)));
	/* No exit signal: the caller's SIGCHLD handling is not its business. */
	bool hidden = fault_hides("userns");
	pid_t self = getpid();
	pid_t pid =
		hidden ? -1 : clone(hold, stack + sizeof(stack), CLONE_VM | CLONE_NEWUSER, &self);

	if (pid < 0)
		return no_userns(hidden ? ENOSPC : errno, e);
	int fd = open_userns(m, pid, e);
	(void)kill(pid, SIGKILL); /* cannot fail: our child, not reaped yet */
	while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	return fd;
}
