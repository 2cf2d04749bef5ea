/* exec: one more process in a running container, the runtime's side.  The child's is join.c. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "evidence.h"
#include "process.h"
#include "run/launch.h"
#include "run/pidfile.h"
#include "run/spawn.h"
#include "run/sync.h"
#include "store.h"
#include "warden/warden.h"

enum { KILL_WAIT_MS = 2000 };

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
static bool is_born_last(const void *ctx)
{
	return exec_of(ctx)->born_last;
}
static bool wants_pid_file(const void *ctx)
{
	return exec_of(ctx)->opts->pid_file;
}
static bool wants_pidfd_socket(const void *ctx)
{
	return exec_of(ctx)->opts->pidfd_socket;
}
/* Always before it executes anything. */
static bool tells_pid_early(const void *ctx)
{
	return wants_pid_file(ctx) && !is_born_last(ctx);
}
static bool tells_pid_late(const void *ctx)
{
	return wants_pid_file(ctx) && is_born_last(ctx);
}
static bool sends_pidfd_early(const void *ctx)
{
	return wants_pidfd_socket(ctx) && !is_born_last(ctx);
}
static bool sends_pidfd_late(const void *ctx)
{
	return wants_pidfd_socket(ctx) && is_born_last(ctx);
}
static bool wants_placed(const void *ctx)
{
	return attaches(ctx) || tells_pid_early(ctx) || sends_pidfd_early(ctx);
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

	return exec_asks_warden(&x->seccomp) && !x->join.seccomp_early;
}

/*
 * Nobody has told its warden yet that anything runs: it would run without a limit of time.  What is
 * parked has its time for each use, from start on.
 */
static bool begins_time(const void *ctx)
{
	const struct exec *x = exec_of(ctx);

	return x->before_start && x->state.warden_pid && !x->state.reuse;
}

static int begin_time(void *ctx, struct err *e)
{
	return warden_tell_started(exec_of(ctx)->dir, e);
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

/* The namespaces that the joiner is born in. */
static uint64_t for_children(const struct exec *x)
{
	return (NS_FOR_CHILDREN) & ~(uint64_t)(x->born_last ? CLONE_NEWPID : 0);
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
		.target_ns = x->staged ? x->enter : x->enter & for_children(x),
		.staged = x->staged,
		.cgroup = x->attach ? -1 : cgroup_spawn_fd(x->cgroup),
		.sync = fds[1],
		.sync_peer = fds[0],
		.child = join_main,
		.ctx = &x->join,
	};
	secrets_hand_over(&x->secrets);
	int r = spawn(&s, &x->pid, &x->pidfd, e);
	secrets_end(&x->secrets);

	(void)close(fds[1]);
	own_close(&x->console_socket);
	return r;
}

static void kill_child(void *ctx)
{
	struct exec *x = ctx;

	(void)sys_pidfd_send_signal(x->pidfd, SIGKILL);
	/* A frozen one of cgroup v1 ends when it is thawed; nothing waits for that. */
	struct pollfd p = {.fd = x->pidfd, .events = POLLIN};
	while (poll(&p, 1, KILL_WAIT_MS) < 0 && errno == EINTR)
		;
	(void)waitpid(x->pid, NULL, WNOHANG);
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

/*
 * A message, or the end, of the child: a signal ends the wait for it.  Who traces the child may
 * have taken its end of the pair, which then does not tell of its end.
 */
static int await_word(struct exec *x, struct err *e)
{
	int r = foreground_await(&x->foreground, x->sync, x->pidfd, e);

	return r > 0 ? err_msg(e, ECONNRESET, "container process died while it was set up") : r;
}

static int await_console(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	int r = await_word(x, e);

	if (r == 0)
		r = sync_expect_fd(x->sync, SYNC_CONSOLE, &x->master, e);

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
	int r = await_word(x, e);

	if (r == 0)
		r = sync_expect_fd(x->sync, SYNC_LISTENER, &listener, e);

	if (r < 0)
		return r;
	r = seccomp_send_listener(x->arena, &x->seccomp, listener, x->pid,
				  oci_state_print(x->arena, &s, true, &len), e);
	return r < 0 ? r : sync_send(x->sync, SYNC_LISTENER_DONE, e);
}

static int await_ready(void *ctx, struct err *e)
{
	int r = await_word(ctx, e);

	return r < 0 ? r : sync_expect(exec_of(ctx)->sync, SYNC_READY, e);
}

static int await_born(void *ctx, struct err *e)
{
	int r = await_word(ctx, e);

	return r < 0 ? r : exec_await_born(ctx, e);
}

static int tell_go(void *ctx, struct err *e)
{
	return sync_send(exec_of(ctx)->sync, SYNC_GO, e);
}

static int before_exec(void *ctx, struct err *e)
{
	struct exec *x = ctx;

	return foreground_await(&x->foreground, x->sync, x->pidfd, e);
}

static int await_exec(void *ctx, struct err *e)
{
	struct exec *x = ctx;

	return sync_expect_exec_by(x->sync, x->process.args[0],
				   !x->join.seccomp_early || x->born_last, before_exec, x, e);
}

static bool is_audited(const void *ctx)
{
	return exec_of(ctx)->state.audit;
}

static int tell_audit(void *ctx, struct err *e)
{
	struct exec *x = ctx;
	struct json_out o;

	json_begin(&o, x->arena, 0);
	json_object(&o);
	evidence_argv(&o, x->state.audit->argv, x->process.args);
	json_end_object(&o);
	return evidence_note(&x->state, "ProcessStarted", "exec", json_done(&o, NULL), e);
}

static const struct step steps[] = {
	{"console socket",   has_console_socket, connect_console, NULL,       STEP_PLAIN},
	{"cpu affinity",     has_affinity,       affinity,        NULL,       STEP_NAMED},
	{"warden",           has_warden,         connect_warden,  NULL,       STEP_NAMED},
	{"audit",            is_audited,         tell_audit,      NULL,       STEP_PLAIN},
	{"prepare stub",     NULL,               prepare_stub,    NULL,       STEP_NAMED},
	{"begin time",       begins_time,        begin_time,      NULL,       STEP_NAMED},
	{"clone",            NULL,               clone_child,     kill_child, STEP_PLAIN},
	{"attach to cgroup", attaches,           attach,          NULL,       STEP_PLAIN},
	{"pid file",         tells_pid_early,    write_pid_file,  NULL,       STEP_PLAIN},
	{"pidfd socket",     sends_pidfd_early,  send_pidfd,      NULL,       STEP_PLAIN},
	{"tell placed",      wants_placed,       tell_placed,     NULL,       STEP_NAMED},
	{"await console",    wants_console_fd,   await_console,   NULL,       STEP_PLAIN},
	{"await ready",      NULL,               await_ready,     NULL,       STEP_PLAIN},
	{"listener",         has_listener,       serve_listener,  NULL,       STEP_PLAIN},
	{"await born",       is_born_last,       await_born,      NULL,       STEP_PLAIN},
	{"pid file",         tells_pid_late,     write_pid_file,  NULL,       STEP_PLAIN},
	{"pidfd socket",     sends_pidfd_late,   send_pidfd,      NULL,       STEP_PLAIN},
	{"tell go",          is_born_last,       tell_go,         NULL,       STEP_NAMED},
	{"await exec",       NULL,               await_exec,      NULL,       STEP_PLAIN},
};

/* --- the verb ----------------------------------------------------------------------------- */

static void prepare_join(struct exec *x)
{
	/* A level's notifications go to its warden, right before the execve. */
	bool early = x->seccomp.insns && (!x->process.no_new_privs ||
					  (x->seccomp.notify && !exec_asks_warden(&x->seccomp)));

	x->join = (struct join){
		.process = &x->process,
		.seccomp = &x->seccomp,
		.arena = x->arena,
		.seccomp_early = early,
		.sealed_self = x->sealed_self && !x->born_last,
		.born_last = x->born_last,
		.cgroup = x->enter_cgroup ? x->cgroup : NULL,
		.new_keyring = true,
		.await_placed = wants_placed(x),
		.entered = x->staged,
		.in_userns = x->in_userns,
		.target = x->target,
		.ns = x->enter & ~for_children(x),
		.console_socket_path = x->opts->console_socket,
		.foreground = x->opts->detach ? NULL : &x->foreground,
		.harden = x->policy ? &x->harden : NULL,
		.late_userns = x->state.late_userns,
		.meets_rules = !x->policy && !x->state.egress && x->ns.join & CLONE_NEWNET,
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
	int r = exec_plan(x, e);

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
	if (r < 0 && x->foreground.ended_by) {
		/* As it would end the program, had it run. */
		*code = 128 + x->foreground.ended_by;
		log_debug("%s", e->msg);
		return 0;
	}
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
		.secrets = SECRETS_NONE,
		.stub = -1,
		.sync = -1,
		.pidfd = -1,
		.master = -1,
		.warden = -1,
		.foreground = {.signals = -1, .tty = -1},
	};
	unsigned int preserved = o->preserve_fds + plan_listen_fds();
	int r = process_check_preserved(preserved, e);

	int keep[SECRET_KEEPS];

	*code = 0;
	if (r == 0)
		r = secrets_open(o->env_fd, NULL, 0, preserved, &x.secrets, e);
	if (r == 0 && o->env_fd && *o->env_fd == 0 && str_eq(o->process_file, "-"))
		r = err_msg(e, EINVAL, "--env-fd 0 and --process -: both are standard input");
	if (r < 0)
		return r;
	process_close_all_but(preserved, keep, secrets_keep(&x.secrets, log_fd(), keep));
	r = exec_process(&x, code, e);
	secrets_end(&x.secrets);
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
