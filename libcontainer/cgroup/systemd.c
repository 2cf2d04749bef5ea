#include "cgroup/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/devices.h"
#include "cgroup/settings.h"
#include "cgroup/text.h"

#ifndef BRIG_LIBEXECDIR
#define BRIG_LIBEXECDIR "/usr/libexec/brig"
#endif

enum { MAX_ARGS = 64, PROC_MAX = 1 << 20 };

int cg_systemd_plan(struct arena *a, struct cgroup_plan *p, const struct cgroup_request *req,
		    struct err *e)
{
	const char *path = req->linux_ ? req->linux_->cgroups_path : NULL;

	struct cg_scope scope;
	int r = cg_systemd_names(a, path && path[0] ? path : NULL, req->id, req->rootless, &scope,
				 e);

	if (r < 0)
		return r;
	p->unit = scope.unit;
	p->slice = scope.slice;
	return 0;
}

/* Where the program was installed, else beside the running one (a build tree). */
static int find_helper(char *out, size_t size, struct err *e)
{
	ssize_t n;

	snprintf(out, size, "%s", BRIG_LIBEXECDIR "/brig-systemd");
	if (access(out, X_OK) == 0)
		return 0;
	n = readlink("/proc/self/exe", out, size - 1);
	if (n > 0) {
		out[n] = '\0';
		char *slash = strrchr(out, '/');

		if (slash && (size_t)(slash - out) + sizeof("/brig-systemd") <= size) {
			memcpy(slash, "/brig-systemd", sizeof("/brig-systemd"));
			if (access(out, X_OK) == 0)
				return 0;
		}
	}
	return err_msg(e, ENOENT,
		       "the systemd cgroup driver is not installed: " BRIG_LIBEXECDIR
		       "/brig-systemd");
}

static int spawn_helper(const char *path, char *const *argv, int err_fd, pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r)
		return r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDWR, 0);
	if (!r)
		r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_RDWR,
						     0);
	if (!r)
		r = posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	if (!r)
		r = posix_spawn(pid, path, &actions, NULL, argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return r;
}

/* Runs brig-systemd; what it says on standard error is the message, one line. */
static int run_helper(char *const *argv, struct err *e)
{
	char path[PATH_MAX], said[400];
	int pipe_fds[2], status, r = find_helper(path, sizeof(path), e);
	size_t used = 0;
	pid_t pid;

	if (r < 0)
		return r;
	if (pipe2(pipe_fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	own_fd int in = pipe_fds[0], out = pipe_fds[1];
	r = spawn_helper(path, argv, out, &pid);
	own_close(&out);
	if (r)
		return err_set(e, r, "run %s", path);
	while (used < sizeof(said) - 1) {
		ssize_t n = read(in, said + used, sizeof(said) - 1 - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	said[used] = '\0';
	said[strcspn(said, "\n")] = '\0';
	while ((r = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	if (r == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_msg(e, EIO, "systemd: %s", said[0] ? said : "the driver ended without a word");
}

struct args {
	struct arena *a;
	char *v[MAX_ARGS];
	size_t n;
};

/* More than fit are left out: all limits are written to the files as well. */
static void arg(struct args *l, const char *s)
{
	if (l->n + 1 < MAX_ARGS)
		l->v[l->n++] = arena_strdup(l->a, s);
}

static void begin(struct args *l, struct arena *a, bool user, const char *verb, const char *unit)
{
	*l = (struct args){.a = a};
	arg(l, "brig-systemd");
	arg(l, user ? "--user" : "--system");
	arg(l, verb);
	arg(l, unit);
}

static void add_properties(struct args *l, struct arena *a, const struct oci_resources *r, bool v2)
{
	size_t n;
	const char **props = cg_systemd_properties(a, r, v2, &n);

	for (size_t i = 0; i < n; i++)
		arg(l, props[i]);
}

/* Where systemd put the process: name=systemd on v1 and hybrid, cgroup2 on v2. */
static int find_scope(struct cgroup *cg, pid_t pid, const char **out, struct err *e)
{
	const char *want = cg->layout == CGROUP_V2 ? "" : "name=systemd";
	struct cg_self line;
	char name[32], *text;

	snprintf(name, sizeof(name), "/proc/%d/cgroup", pid);
	int r = file_read(cg->a, AT_FDCWD, name, PROC_MAX, &text, NULL, e);
	if (r < 0)
		return r;
	while (cg_self_next(&text, &line)) {
		if (strcmp(line.hierarchy, want) != 0)
			continue;
		if (!str_ends(line.path, cg->unit))
			break;
		*out = line.path;
		return 0;
	}
	return err_msg(e, ENOENT, "process %d is not in the scope %s", pid, cg->unit);
}

static void place_dirs(struct cgroup *cg, const char *scope)
{
	const struct cgroup_host *h = cg->plan->host;

	cg->dirs = arena_array(cg->a, h->n_mounts + 1, sizeof(*cg->dirs));
	for (size_t i = 0; i < h->n_mounts; i++)
		cg->dirs[i] = (struct cg_dir){
			.hierarchy = h->mounts[i].hierarchy,
			.mount = h->mounts[i].mountpoint,
			.path = arena_printf(cg->a, "%s%s", h->mounts[i].mountpoint, scope),
			.ctrls = cg_ctrls(h->mounts[i].hierarchy, ","),
			.fd = -1,
			.tasks = -1,
		};
	cg->n_dirs = h->n_mounts;
}

/*
 * systemd makes directories only in the hierarchies that it manages: the others are made and
 * joined here, as every manager of v1 has to.
 */
static int join_v1(struct cgroup *cg, pid_t pid, struct err *e)
{
	for (size_t i = 0; i < cg->n_dirs; i++) {
		int r = cg_make(&cg->dirs[i], e);

		if (r >= 0 && cg->dirs[i].ctrls & CG_BIT(CG_CPUSET))
			r = cg_cpuset_inherit(&cg->dirs[i], e);
		if (r < 0)
			return r;
	}
	return cgroup_attach(cg, pid, e);
}

static int finish(struct cgroup *cg, pid_t pid, struct err *e)
{
	const struct cgroup_plan *p = cg->plan;
	const char *scope = NULL;
	int r = find_scope(cg, pid, &scope, e);

	if (r < 0)
		return r;
	place_dirs(cg, scope);
	if (cg->layout != CGROUP_V2)
		r = join_v1(cg, pid, e);
	else
		r = cg_enable_controllers(&cg->dirs[0], p->needed, 0, e);
	if (r >= 0)
		r = settings_apply(cg, p->settings, NULL, e);
	if (r < 0)
		return r;
	if (cg->layout != CGROUP_V2)
		return 0;
	int fd = cg_dirfd(&cg->dirs[0]);
	if (fd < 0)
		return err_set(e, -fd, "open %s", cg->dirs[0].path);
	if (p->n_dev_rules)
		r = cg_devices_attach(fd, p->dev_rules, p->n_dev_rules, false, e);
	if (r >= 0 && p->delegate)
		r = cg_delegate(&cg->dirs[0], p->delegate_uid, e);
	return r;
}

int cg_systemd_start(struct cgroup *cg, pid_t pid, struct err *e)
{
	const struct cgroup_plan *p = cg->plan;
	char number[16];
	struct args l;

	snprintf(number, sizeof(number), "%d", pid);
	begin(&l, cg->a, cg->rootless, "start-scope", cg->unit);
	arg(&l, p->slice);
	arg(&l, number);
	add_properties(&l, cg->a, p->resources, cg->layout == CGROUP_V2);
	int r = run_helper(l.v, e);
	if (r < 0) {
		/* A unit of that name may be another's: it is not ours to stop. */
		cg->owned = false;
		return err_wrap(e, "unable to apply cgroup configuration");
	}
	/* On failure the caller kills pid and destroys: stopped before that, the unit would wait
	 * for a first process of a pid namespace, which SIGTERM does not end. */
	return finish(cg, pid, e);
}

/* Which manager runs the unit: root's scopes are the system's. */
static bool is_user(void)
{
	return geteuid() != 0;
}

int cg_systemd_stop(const struct cgroup *cg, struct err *e)
{
	struct args l;

	begin(&l, cg->a, cg->rootless || is_user(), "stop-unit", cg->unit);
	return run_helper(l.v, e);
}

int cg_systemd_attach(const struct cgroup *cg, const char *sub, pid_t pid, struct err *e)
{
	char number[16];
	struct args l;

	snprintf(number, sizeof(number), "%d", pid);
	begin(&l, cg->a, cg->rootless || is_user(), "attach", cg->unit);
	arg(&l, arena_printf(cg->a, "/%s", sub));
	arg(&l, number);
	return run_helper(l.v, e);
}

int cg_systemd_set(struct cgroup *cg, struct arena *a, const struct oci_resources *r, struct err *e)
{
	struct args l;

	begin(&l, cg->a, cg->rootless || is_user(), "set-properties", cg->unit);
	size_t fixed = l.n;
	add_properties(&l, a, r, cg->layout == CGROUP_V2);
	return l.n == fixed ? 0 : run_helper(l.v, e);
}
