/* exec: one more process in a running container, the runtime's side.  The child's is join.c. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "annotation.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "container.h"
#include "join.h"
#include "plan.h"
#include "policy/policy.h"
#include "process.h"
#include "run/foreground.h"
#include "run/launch.h"
#include "run/pidfile.h"
#include "run/spawn.h"
#include "run/sync.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"

struct exec {
	const struct container_host *host;
	const struct container_exec_opts *opts;
	struct arena *arena;
	int dir;
	struct brig_state state;
	struct oci_config config;
	struct cgroup *cgroup;
	struct ns_plan ns; /* of the container */
	struct oci_process spec;
	struct plan_process process;
	struct seccomp_program seccomp;
	struct policy *policy; /* NULL: custom */
	struct harden_plan harden;
	uint32_t host_uid;
	int warden;
	bool privileged, sealed_self, staged, attach, enter_cgroup, in_userns;
	uint64_t enter; /* CLONE_NEW... */
	int target;     /* pidfd of init */
	int console_socket, stub, sync, pidfd, master;
	pid_t pid;
	struct join join;
	struct foreground foreground;
};

/* --- the plan ----------------------------------------------------------------------------- */

static int load_policy(struct exec *x, struct err *e)
{
	struct policy *p = arena_new(x->arena, sizeof(*p));
	char *text;
	size_t len;

	if (file_read(x->arena, x->dir, STORE_POLICY, POLICY_MAX_BYTES, &text, &len, e) < 0 ||
	    policy_parse(x->arena, text, len, p, e) < 0)
		return err_wrap(e, STORE_POLICY);
	x->policy = p;
	return 0;
}

static int load(struct exec *x, struct err *e)
{
	char *text;
	size_t len;

	x->dir = store_open(x->host, x->opts->id, STORE_UNLOCKED, e);
	if (x->dir < 0)
		return x->dir;
	if (store_load(x->dir, x->arena, &x->state, e) < 0 ||
	    file_read(x->arena, x->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(x->arena, text, len, &x->config, e) < 0 ||
	    cgroup_open(x->arena, &x->state.cgroup, &x->cgroup, e) < 0 ||
	    ns_plan_make(x->config.linux_, &x->ns, e) < 0)
		return -e->code;
	if (!x->config.process)
		x->config.process = &plan_no_process;
	if (!str_eq(x->state.level, "custom") && load_policy(x, e) < 0)
		return -e->code;
	switch (status_of(x->dir, &x->state, x->cgroup)) {
	case STATUS_STOPPED:
	case STATUS_CREATING:
		return err_msg(e, ESRCH, "cannot exec in a stopped container");
	case STATUS_PAUSED:
		if (!x->opts->ignore_paused)
			return err_msg(e, EBUSY,
				       "cannot exec in a paused container (use --ignore-paused to "
				       "override)");
		break;
	case STATUS_CREATED:
	case STATUS_RUNNING:
		break;
	}
	return 0;
}

/* The recorded init, held by a descriptor before anything is decided by its pid. */
static int open_target(struct exec *x, struct err *e)
{
	x->target = sys_pidfd_open((pid_t)x->state.pid, 0);
	if (x->target < 0 || process_start_time((pid_t)x->state.pid) != x->state.start_time)
		return err_msg(e, ESRCH, "cannot exec in a stopped container");
	return 0;
}

static int read_process_file(struct exec *x, struct err *e)
{
	char *text;
	size_t len;
	const char *path = x->opts->process_file;
	int r = str_eq(path, "-")
			? file_read_fd(x->arena, 0, "standard input", OCI_MAX_BYTES, &text, &len, e)
			: file_read(x->arena, AT_FDCWD, path, OCI_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	return oci_process_parse(x->arena, text, len, &x->spec, e) < 0 ? err_wrap(e, "%s", path)
								       : 0;
}

static const char *const *append(struct arena *a, const char *const *list, size_t n,
				 const char *const *more, size_t *total)
{
	size_t m = 0;

	while (more && more[m])
		m++;
	const char **out = arena_array(a, n + m + 1, sizeof(char *));
	if (n)
		memcpy(out, list, n * sizeof(char *));
	if (m)
		memcpy(out + n, more, m * sizeof(char *));
	*total = n + m;
	return out;
}

static void append_groups(struct exec *x)
{
	const struct oci_user *u = &x->spec.user;
	size_t n = u->n_additional_gids + x->opts->n_groups;
	uint32_t *all = arena_array(x->arena, n + 1, sizeof(*all));

	if (u->n_additional_gids)
		memcpy(all, u->additional_gids, u->n_additional_gids * sizeof(*all));
	if (x->opts->n_groups)
		memcpy(all + u->n_additional_gids, x->opts->groups,
		       x->opts->n_groups * sizeof(*all));
	x->spec.user.additional_gids = all;
	x->spec.user.n_additional_gids = n;
}

/* The container's own process with what the command line says instead. */
static int process_of_flags(struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;
	struct oci_process *s = &x->spec;

	*s = *x->config.process;
	size_t n = 0;
	while (o->args && o->args[n])
		n++;
	if (n == 0)
		return err_msg(e, EINVAL, "process args cannot be empty");
	s->args = o->args;
	s->n_args = n;
	s->terminal = o->tty;
	s->console_size = NULL;
	if (o->cwd)
		s->cwd = o->cwd;
	if (s->cwd[0] != '/')
		return err_msg(e, EINVAL, "cwd %s: not an absolute path", s->cwd);
	if (o->apparmor)
		s->apparmor_profile = o->apparmor;
	if (o->process_label)
		s->selinux_label = o->process_label;
	if (o->no_new_privs)
		s->no_new_privileges = true;
	if (o->user && creds_parse_user(o->user, &s->user.uid, &s->user.gid, e) < 0)
		return err_wrap(e, "user");
	s->env = append(x->arena, s->env, s->n_env, o->env, &s->n_env);
	append_groups(x);
	return 0;
}

static int check_terminal(const struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;

	if (x->spec.terminal && o->detach && !o->console_socket)
		return err_msg(
			e, EINVAL,
			"cannot allocate tty if runc will detach without setting console socket");
	if (o->console_socket && !(x->spec.terminal && o->detach))
		return err_msg(e, EINVAL,
			       "cannot use console socket if runc will not detach or allocate tty");
	return 0;
}

/* Namespaces that differ from ours: setns to one's own user namespace is EINVAL. */
static uint64_t namespaces_to_enter(const struct exec *x)
{
	uint64_t ns = x->ns.make | x->ns.join;
	struct stat mine, theirs;
	char path[64];

	/* Entered last (docs/design.md). */
	if (x->state.late_userns)
		return ns & ~(uint64_t)CLONE_NEWUSER;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)x->state.pid);
	if (ns & CLONE_NEWUSER && stat(path, &theirs) == 0 &&
	    stat("/proc/self/ns/user", &mine) == 0 && mine.st_ino == theirs.st_ino &&
	    mine.st_dev == theirs.st_dev)
		ns &= ~(uint64_t)CLONE_NEWUSER;
	return ns;
}

/* The joiner is visible inside before it has executed the stub; only a process that may ptrace
 * it could get at its /proc/PID/exe: non-dumpable stops all but CAP_SYS_PTRACE over the host. */
static bool may_be_traced(const struct exec *x)
{
	struct caps_plan caps;
	struct err ignored;

	if (x->in_userns || (x->state.late_userns && !(x->ns.join & CLONE_NEWPID)))
		return false;
	if (x->ns.join & CLONE_NEWPID) /* what the others in there may do is not known */
		return true;
	if (!x->config.process->capabilities)
		return false;
	return caps_plan_make(x->config.process->capabilities, &caps, &ignored) < 0 ||
	       caps.bounding & UINT64_C(1) << CAP_SYS_PTRACE;
}

/* What a level says about one more process: no more than the first one got. */
static int apply_policy(struct exec *x, struct err *e)
{
	struct policy_facts f = {
		.rootless = !x->privileged,
		.nested = plan_in_user_namespace(),
		.state_root = x->host->root,
		.preserve_fds = x->opts->preserve_fds + plan_listen_fds(),
	};

	if (policy_facts_read(&f, e) < 0 ||
	    policy_apply_process(x->arena, x->policy, &f, &x->spec, e) < 0)
		return err_wrap(e, "level %s", x->policy->level.name);
	return plan_level_harden(x->arena, x->policy, &x->config, x->ns.make, x->ns.join,
				 &x->harden, e);
}

/* Options that add rights are cut as the process document is: nothing is added past a level. */
static int add_caps(struct exec *x, struct err *e)
{
	const char *const *caps = x->opts->caps;

	if (!caps)
		return 0;
	struct oci_capabilities *c = arena_new(x->arena, sizeof(*c));
	if (x->spec.capabilities)
		*c = *x->spec.capabilities;
	c->bounding = append(x->arena, c->bounding, c->n_bounding, caps, &c->n_bounding);
	c->effective = append(x->arena, c->effective, c->n_effective, caps, &c->n_effective);
	c->permitted = append(x->arena, c->permitted, c->n_permitted, caps, &c->n_permitted);
	x->spec.capabilities = c;
	(void)e;
	return 0;
}

/* The id that a process of the container has on the host, from the map of its first process. */
static int find_host_uid(struct exec *x, struct err *e)
{
	struct idmap map;
	uint32_t ignored;
	int r = idmap_read(x->arena, (pid_t)x->state.pid, &map, e);

	if (r < 0)
		return r;
	if (!idmap_uid_to_host(&map, x->process.creds.uid, &x->host_uid))
		return err_msg(e, EINVAL, "user: uid %u is not mapped", x->process.creds.uid);
	if (!idmap_gid_to_host(&map, x->process.creds.gid, &ignored))
		return err_msg(e, EINVAL, "user: gid %u is not mapped", x->process.creds.gid);
	for (size_t i = 0; i < x->process.creds.n_groups; i++)
		if (!idmap_gid_to_host(&map, x->process.creds.groups[i], &ignored))
			return err_msg(e, EINVAL, "user: additional gid %u is not mapped",
				       x->process.creds.groups[i]);
	return 0;
}

/*
 * How the container is entered.  A re-execution comes before anything is read that can be read
 * only once (--process /dev/stdin).
 */
static int plan_entry(struct exec *x, struct err *e)
{
	x->privileged = plan_is_privileged();
	x->enter = namespaces_to_enter(x);
	x->in_userns = x->enter & CLONE_NEWUSER;
	if (seccomp_restore(x->arena, x->dir, STORE_SECCOMP, &x->seccomp, e) < 0)
		return -e->code;
	x->sealed_self = may_be_traced(x) || !plan_stub_passes(&x->seccomp);
	return x->sealed_self ? launch_reexec_sealed(e) : 0;
}

static int plan(struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;
	int r = o->process_file ? read_process_file(x, e) : process_of_flags(x, e);

	if (r == 0)
		r = check_terminal(x, e);
	if (r < 0)
		return r;
	if (x->policy &&
	    (process_check_standard(e) < 0 || add_caps(x, e) < 0 || apply_policy(x, e) < 0))
		return -e->code;
	struct plan_process_request req = {
		.spec = &x->spec,
		.has_userns = x->in_userns,
		.rootless = !x->privileged,
		.preserve_fds = o->preserve_fds,
	};
	if (plan_process_make(x->arena, &req, &x->process, e) < 0)
		return err_wrap(e, "process");
	if (x->state.late_userns && find_host_uid(x, e) < 0)
		return -e->code;
	if (!x->policy)
		annotation_creds(&x->config, &x->process.creds);
	for (size_t i = 0; !x->policy && o->caps && o->caps[i]; i++)
		if (caps_plan_add(&x->process.caps, o->caps[i], e) < 0)
			return -e->code;
	/* In a user namespace: what belongs to the host cannot be entered again. */
	x->staged = !x->privileged || plan_in_user_namespace();
	x->enter_cgroup = !o->cgroups && cgroup_enters(x->cgroup);
	x->attach = o->cgroups || (!x->enter_cgroup && cgroup_spawn_fd(x->cgroup) < 0);
	return x->enter_cgroup ? cgroup_enter_open(x->cgroup, e) : 0;
}

/* --- steps -------------------------------------------------------------------------------- */

static const struct exec *exec_of(const void *ctx)
{
	return ctx;
}
static bool has_console_socket(const void *ctx)
{
	return exec_of(ctx)->opts->console_socket;
}
static bool has_affinity(const void *ctx)
{
	return exec_of(ctx)->spec.exec_cpu_affinity;
}
static bool attaches(const void *ctx)
{
	return exec_of(ctx)->attach;
}
static bool wants_pid_file(const void *ctx)
{
	return exec_of(ctx)->opts->pid_file;
}
static bool wants_pidfd_socket(const void *ctx)
{
	return exec_of(ctx)->opts->pidfd_socket;
}
static bool wants_placed(const void *ctx)
{
	return attaches(ctx) || wants_pid_file(ctx) || wants_pidfd_socket(ctx);
}
static bool wants_console_fd(const void *ctx)
{
	return exec_of(ctx)->spec.terminal && !exec_of(ctx)->opts->console_socket;
}
static bool has_listener(const void *ctx)
{
	return exec_of(ctx)->seccomp.notify && exec_of(ctx)->join.seccomp_early;
}
static bool has_warden(const void *ctx)
{
	const struct exec *x = exec_of(ctx);

	return x->policy && x->seccomp.notify && !x->join.seccomp_early;
}

static int connect_console(void *ctx, struct err *e)
{
	struct exec *x = ctx;

	x->console_socket = unix_connect(x->opts->console_socket, e);
	return x->console_socket < 0 ? err_wrap(e, "console socket") : 0;
}

static int connect_warden(void *ctx, struct err *e)
{
	struct exec *x = ctx;

	x->warden = warden_connect(x->dir, e);
	x->join.warden = x->warden;
	return x->warden < 0 ? x->warden : 0;
}

static int affinity(void *ctx, struct err *e)
{
	return attrs_affinity_initial(exec_of(ctx)->process.attrs, e);
}

static int prepare_stub(void *ctx, struct err *e)
{
	struct exec *x = ctx;

	x->stub = exec_image_prepare(e);
	return x->stub < 0 ? x->stub : 0;
}

static int clone_child(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	int fds[2];

	if (sync_pair(fds, e) < 0)
		return -e->code;
	x->sync = fds[0];
	x->join.sync = fds[1];
	x->join.stub = x->stub;
	x->join.console_socket = x->console_socket;
	struct spawn s = {
		.target = x->target,
		/* A stage enters all; otherwise only what takes effect at birth is entered here. */
		.target_ns = x->staged ? x->enter : x->enter & (NS_FOR_CHILDREN),
		.staged = x->staged,
		.cgroup = x->attach ? -1 : cgroup_spawn_fd(x->cgroup),
		.sync = fds[1],
		.sync_peer = fds[0],
		.child = join_main,
		.ctx = &x->join,
	};
	int r = spawn(&s, &x->pid, &x->pidfd, e);

	(void)close(fds[1]);
	own_close(&x->console_socket);
	return r;
}

static void kill_child(void *ctx)
{
	struct exec *x = ctx;

	(void)sys_pidfd_send_signal(x->pidfd, SIGKILL);
	while (waitpid(x->pid, NULL, 0) < 0 && errno == EINTR)
		;
}

static int attach(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	size_t n = 0;

	while (x->opts->cgroups && x->opts->cgroups[n])
		n++;
	return n ? cgroup_attach_sub(x->cgroup, x->opts->cgroups, n, x->pid, e)
		 : cgroup_attach_beside(x->cgroup, (pid_t)x->state.pid, x->pid, e);
}

static int write_pid_file(void *ctx, struct err *e)
{
	return pidfile_write(exec_of(ctx)->opts->pid_file, exec_of(ctx)->pid, e);
}

static int send_pidfd(void *ctx, struct err *e)
{
	return pidfd_send(exec_of(ctx)->opts->pidfd_socket, exec_of(ctx)->pidfd, e);
}

static int tell_placed(void *ctx, struct err *e)
{
	return sync_send(exec_of(ctx)->sync, SYNC_PLACED, e);
}

static int await_console(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	int r = sync_expect_fd(x->sync, SYNC_CONSOLE, &x->master, e);

	return r < 0 ? r
		     : foreground_console(&x->foreground, x->master, x->spec.console_size != NULL,
					  e);
}

static int serve_listener(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	own_fd int listener = -1;
	struct oci_state s = {
		.oci_version = x->state.oci_version,
		.id = x->state.id,
		.status = "running",
		.pid = x->state.pid,
		.bundle = x->state.bundle,
		.annotations = x->state.annotations,
		.n_annotations = x->state.n_annotations,
	};
	size_t len;
	int r = sync_expect_fd(x->sync, SYNC_LISTENER, &listener, e);

	if (r < 0)
		return r;
	r = seccomp_send_listener(x->arena, &x->seccomp, listener, x->pid,
				  oci_state_print(x->arena, &s, true, &len), e);
	return r < 0 ? r : sync_send(x->sync, SYNC_LISTENER_DONE, e);
}

static int await_ready(void *ctx, struct err *e)
{
	return sync_expect(exec_of(ctx)->sync, SYNC_READY, e);
}

static int await_exec(void *ctx, struct err *e)
{
	const struct exec *x = ctx;

	return sync_expect_exec(x->sync, x->process.args[0], e);
}

static const struct step steps[] = {
	{"console socket",   has_console_socket, connect_console, NULL,       STEP_PLAIN},
	{"cpu affinity",     has_affinity,       affinity,        NULL,       STEP_NAMED},
	{"warden",           has_warden,         connect_warden,  NULL,       STEP_NAMED},
	{"prepare stub",     NULL,               prepare_stub,    NULL,       STEP_NAMED},
	{"clone",            NULL,               clone_child,     kill_child, STEP_PLAIN},
	{"attach to cgroup", attaches,           attach,          NULL,       STEP_PLAIN},
	{"pid file",         wants_pid_file,     write_pid_file,  NULL,       STEP_PLAIN},
	{"pidfd socket",     wants_pidfd_socket, send_pidfd,      NULL,       STEP_PLAIN},
	{"tell placed",      wants_placed,       tell_placed,     NULL,       STEP_NAMED},
	{"await console",    wants_console_fd,   await_console,   NULL,       STEP_PLAIN},
	{"await ready",      NULL,               await_ready,     NULL,       STEP_PLAIN},
	{"listener",         has_listener,       serve_listener,  NULL,       STEP_PLAIN},
	{"await exec",       NULL,               await_exec,      NULL,       STEP_PLAIN},
};

/* --- the verb ----------------------------------------------------------------------------- */

static void prepare_join(struct exec *x)
{
	/* A level's notifications go to its warden, right before the execve. */
	bool level_notify = x->policy && str_eq(x->policy->level.seccomp.violation, "notify");
	bool early = x->seccomp.insns &&
		     (!x->process.no_new_privs || (x->seccomp.notify && !level_notify));

	x->join = (struct join){
		.process = &x->process,
		.seccomp = &x->seccomp,
		.arena = x->arena,
		.seccomp_early = early,
		.sealed_self = x->sealed_self,
		.cgroup = x->enter_cgroup ? x->cgroup : NULL,
		.new_keyring = true,
		.await_placed = wants_placed(x),
		.entered = x->staged,
		.in_userns = x->in_userns,
		.target = x->target,
		.ns = x->enter & ~(uint64_t)(NS_FOR_CHILDREN),
		.console_socket_path = x->opts->console_socket,
		.foreground = x->opts->detach ? NULL : &x->foreground,
		.harden = x->policy ? &x->harden : NULL,
		.late_userns = x->state.late_userns,
		.host_uid = x->host_uid,
		.init = x->ns.make & CLONE_NEWPID ? 1 : 0,
		.warden = -1,
	};
}

static int wait_for_end(struct exec *x, int *code, struct err *e)
{
	int status = 0;
	int r = foreground_wait(&x->foreground, x->pid, x->pidfd, x->master, &status, e);

	if (r == 0)
		*code = foreground_exit_code(status);
	return r;
}

static int exec_process(struct exec *x, int *code, struct err *e)
{
	int r = load(x, e);

	if (r == 0)
		r = open_target(x, e);
	if (r == 0)
		r = plan_entry(x, e);
	if (r == 0)
		r = plan(x, e);
	if (r < 0)
		return r;
	prepare_join(x);
	/* Not before: over a re-execution what it blocks would become the caller's mask. */
	if (!x->opts->detach) {
		r = foreground_begin(&x->foreground, e);
		if (r < 0)
			return r;
	}
	/* Before it is cloned: a joiner must not be dumpable for an instant (CVE-2016-9962). */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	r = steps_run("exec", steps, LEN(steps), x, e);
	return r < 0 || x->opts->detach ? r : wait_for_end(x, code, e);
}

int container_exec(const struct container_host *h, const struct container_exec_opts *o, int *code,
		   struct err *e)
{
	own_arena struct arena a = {0};
	struct exec x = {
		.host = h,
		.opts = o,
		.arena = &a,
		.dir = -1,
		.target = -1,
		.console_socket = -1,
		.stub = -1,
		.sync = -1,
		.pidfd = -1,
		.master = -1,
		.warden = -1,
		.foreground = {.signals = -1, .tty = -1},
	};
	unsigned int preserved = o->preserve_fds + plan_listen_fds();
	int r = process_check_preserved(preserved, e);

	*code = 0;
	if (r < 0)
		return r;
	process_close_all_but(preserved, (int[]){log_fd()}, 1);
	r = exec_process(&x, code, e);
	foreground_end(&x.foreground);
	cgroup_close(x.cgroup);
	own_close(&x.dir);
	own_close(&x.target);
	own_close(&x.console_socket);
	own_close(&x.stub);
	own_close(&x.warden);
	own_close(&x.sync);
	own_close(&x.pidfd);
	own_close(&x.master);
	return r;
}
