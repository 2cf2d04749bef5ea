#include "work.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/rlimit.h"
#include "base/str.h"
#include "ns/idmap.h"
#include "policy/policy.h"
#include "store.h"

int work_open(struct work *w, const struct container_start_opts *o, struct err *e)
{
	*w = (struct work){.secrets = SECRETS_NONE};
	if (!o->process_file && o->env_fd)
		return err_msg(e, EINVAL, "--env-fd needs --process");
	if (o->env_fd && *o->env_fd == 0 && str_eq(o->process_file, "-"))
		return err_msg(e, EINVAL, "--env-fd 0 and --process -: both are standard input");
	for (size_t i = 0; str_eq(o->process_file, "-") && i < o->n_secrets; i++) {
		const char *fd = strchr(o->secrets[i], '=');

		if (fd && str_eq(fd, "=0"))
			return err_msg(e, EINVAL,
				       "--secret %.*s and --process -: both are standard "
				       "input",
				       (int)(fd - o->secrets[i]), o->secrets[i]);
	}
	return secrets_open(o->env_fd, o->secrets, o->n_secrets, 0, &w->secrets, e);
}

void work_end(struct work *w)
{
	secrets_end(&w->secrets);
}

/* --- what ----------------------------------------------------------------------------------- */

static int read_work(struct arena *a, const char *path, struct brig_work *out, struct err *e)
{
	char *text;
	size_t len;
	int r = str_eq(path, "-") ? file_read_fd(a, STDIN_FILENO, "standard input", WORK_MAX_BYTES,
						 &text, &len, e)
				  : file_read(a, AT_FDCWD, path, WORK_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	return work_parse(a, text, len, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

static bool has_name(const char *const *env, size_t n, const char *entry)
{
	size_t len = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < n; i++)
		if (strncmp(env[i], entry, len) == 0)
			return true;
	return false;
}

/* The work's over config.json's. */
static void join_env(struct arena *a, const struct brig_work *w, struct oci_process *io)
{
	const char **env = arena_array(a, io->n_env + w->n_env + 1, sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < io->n_env; i++)
		if (!has_name(w->env, w->n_env, io->env[i]))
			env[n++] = io->env[i];
	for (size_t i = 0; i < w->n_env; i++)
		env[n++] = w->env[i];
	io->env = env;
	io->n_env = n;
}

/* As a process of exec: what the level keeps out of an environment it keeps out here. */
static int judge(struct arena *a, const struct container_host *h, int dir, struct oci_process *io,
		 bool *passed_on, struct err *e)
{
	struct policy_facts f = {.state_root = h->root};
	struct policy p;
	char *text;
	size_t len;

	if (file_read(a, dir, STORE_POLICY, POLICY_MAX_BYTES, &text, &len, e) < 0 ||
	    policy_parse(a, text, len, &p, e) < 0)
		return err_wrap(e, STORE_POLICY);
	if (policy_facts_read(&f, e) < 0 || policy_apply_process(a, &p, &f, io, e) < 0)
		return err_wrap(e, "level %s", p.level.name);
	const struct level_limits *l = p.direct ? &p.level.direct : &p.level.engine;
	*passed_on = l->output && *l->output;
	return 0;
}

/* What the parked process has is the plan's, or its creator's: it gets less, or the same. */
static int make_limits(struct arena *a, const struct brig_work *asked, pid_t pid,
		       struct brig_work *out, enum container_answer *answer, struct err *e)
{
	const char **list = arena_array(a, asked->n_rlimits + 1, sizeof(*list));
	struct rlimit has;

	for (size_t i = 0; i < asked->n_rlimits; i++) {
		const struct oci_rlimit *l = &asked->rlimits[i];
		const struct word *w = word_find(rlimit_words, l->type);

		if (!w)
			return err_msg(e, EINVAL, "rlimits[%zu]: %.64s is none", i, l->type);
		if (l->soft > l->hard)
			return err_msg(e, EINVAL, "rlimits[%zu]: %s: soft is above hard", i,
				       l->type);
		if (prlimit(pid, (__rlimit_resource_t)w->value, NULL, &has) < 0)
			return err_set(e, errno, "rlimits[%zu]: %s", i, l->type);
		if (l->soft > has.rlim_cur || l->hard > has.rlim_max) {
			*answer = ANSWER_REFUSED;
			return err_msg(e, EPERM,
				       "rlimits[%zu]: %s: more than it has (%" PRIu64 ", %" PRIu64
				       "); start only makes limits tighter",
				       i, l->type, (uint64_t)has.rlim_cur, (uint64_t)has.rlim_max);
		}
		list[i] =
			arena_printf(a, "%d:%" PRIu64 ":%" PRIu64, (int)w->value, l->soft, l->hard);
	}
	out->limits = list;
	out->n_limits = asked->n_rlimits;
	return 0;
}

int work_make(struct arena *a, struct work *w, const struct container_host *h,
	      const struct container_start_opts *o, int dir, const struct brig_state *s,
	      const struct oci_config *config, enum container_answer *answer, struct err *e)
{
	struct oci_process p = *config->process;
	struct brig_work asked;

	w->uid = p.user.uid;
	w->gid = p.user.gid;
	if (!o->process_file)
		return secrets_read(a, &w->secrets, e);
	if (read_work(a, o->process_file, &asked, e) < 0)
		return -e->code;
	p.args = asked.args;
	p.n_args = asked.n_args;
	if (asked.cwd)
		p.cwd = asked.cwd;
	join_env(a, &asked, &p);
	if (judge(a, h, dir, &p, &w->passed_on, e) < 0 || process_check_standard(e) < 0 ||
	    secrets_read(a, &w->secrets, e) < 0)
		return -e->code;
	const char *const *env = w->secrets.n_vars ? secrets_env(a, &w->secrets, p.env) : p.env;
	size_t n = 0;
	while (env && env[n])
		n++;
	w->uid = p.user.uid;
	w->what = (struct brig_work){
		.args = p.args,
		.n_args = p.n_args,
		.env = env,
		.n_env = n,
		.cwd = p.cwd,
	};
	w->given = true;
	return make_limits(a, &asked, (pid_t)s->pid, &w->what, answer, e);
}

/* --- there ------------------------------------------------------------------------------------ */

static int sealed(const char *bytes, size_t len, struct err *e)
{
	own_fd int fd = memfd_create("brig-work", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	int r = fd < 0 ? -errno : file_write_all(fd, bytes, len);

	if (r == 0 &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		r = -errno;
	if (r < 0)
		return err_set(e, -r, "late work");
	return take_fd(&fd);
}

/* As create does: the program opens /dev/stdout as its own. */
static int own_pipes(struct arena *a, const struct brig_state *s, uint32_t uid, struct err *e)
{
	struct idmap map;
	struct stat st;
	uint32_t host;

	if (idmap_read(a, (pid_t)s->pid, &map, e) < 0)
		return -e->code;
	if (!idmap_uid_to_host(&map, uid, &host))
		return err_msg(e, EINVAL, "process: user: uid: %u is not mapped", uid);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != host &&
		    fchown(fd, host, (gid_t)-1) < 0)
			return err_set(e, errno, "own the pipe on descriptor %d", fd);
	return 0;
}

int work_send(struct arena *a, const struct work *w, const struct brig_state *s, int conn,
	      struct err *e)
{
	size_t len;

	if (!w->given)
		return sync_send_go(conn, NULL, 0, e);
	const char *bytes = work_pack(a, &w->what, &len);
	own_fd int fd = sealed(bytes, len, e);
	if (fd < 0)
		return fd;
	const int fds[] = {fd, STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO};
	int r = own_pipes(a, s, w->uid, e);
	return r < 0 ? r : sync_send_go(conn, fds, LEN(fds), e);
}

/* --- and in the parked process ---------------------------------------------------------------- */

static int read_sealed(struct arena *a, int fd, struct brig_work *out, struct err *e)
{
	enum { MOST = 8 << 20 };
	char *bytes;
	size_t len;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_set(e, errno, "late work");
	int r = file_read_fd(a, fd, "late work", MOST, &bytes, &len, e);
	return r < 0 ? r : work_unpack(a, bytes, len, out, e);
}

/* last: with a limit of output standard input alone, the others are its warden's. */
static int take_streams(int fds[SYNC_GO_FDS], int last, struct err *e)
{
	for (int fd = 0; fd <= last; fd++) {
		if (fds[fd + 1] < 0)
			return err_msg(e, EPROTO, "late work came without streams");
		if (dup2(fds[fd + 1], fd) < 0)
			return err_set(e, errno, "descriptor %d", fd);
	}
	return 0;
}

/* Last: with less it might not get so far.  It needs no right to lower its own. */
static int lower(const struct brig_work *w, struct err *e)
{
	for (size_t i = 0; i < w->n_limits; i++) {
		uint64_t soft, hard;
		int resource;

		if (sscanf(w->limits[i], "%d:%" SCNu64 ":%" SCNu64, &resource, &soft, &hard) != 3)
			return err_msg(e, EBADMSG, "late work: \"%.64s\" is no limit",
				       w->limits[i]);
		const struct rlimit l = {soft, hard};
		if (setrlimit((__rlimit_resource_t)resource, &l) < 0)
			return err_set(e, errno, "resource limit %d", resource);
	}
	return 0;
}

int work_take(struct process *p, struct plan_process *plan, int fds[SYNC_GO_FDS], struct err *e)
{
	bool passed_on = p->output && p->output[0] >= 0;
	struct brig_work w;
	int r = read_sealed(p->arena, fds[0], &w, e);

	if (r == 0)
		r = take_streams(fds, passed_on ? STDIN_FILENO : STDERR_FILENO, e);
	for (size_t i = 0; i < SYNC_GO_FDS; i++)
		own_close(&fds[i]);
	if (r < 0)
		return r;
	plan->args = w.args;
	plan->env = w.env;
	plan->cwd = w.cwd;
	p->plan = plan;
	/* What it had open for that is closed: it is in its root, as its user. */
	own_fd int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return err_set(e, errno, "open the container's root");
	p->root = root;
	r = process_cwd(p, e);
	p->root = -1;
	if (r == 0)
		r = process_find(p, e);
	return r < 0 ? r : lower(&w, e);
}
