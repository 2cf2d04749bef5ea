#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "annotation.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "container.h"
#include "delete.h"
#include "evidence.h"
#include "guard/seccomp.h"
#include "late.h"
#include "late_given.h"
#include "lease.h"
#include "reset.h"
#include "reuse.h"
#include "reuse_policy.h"
#include "run/hooks.h"
#include "run/notify.h"
#include "run/sync.h"
#include "status.h"
#include "store.h"
#include "touched.h"
#include "warden/warden.h"
#include "work.h"

struct start {
	const struct container_host *host;
	const struct container_start_opts *opts;
	struct arena *arena;
	int dir;
	int conn;     /* to the waiting process */
	bool started; /* the workload runs */
	struct brig_state state;
	struct oci_config config; /* as it was at create */
	struct cgroup *cgroup;
	struct notify notify;
	struct work work;
	struct late late;
	const char *key;  /* of who may say a second time that it starts it; NULL */
	bool told_before; /* that one has */
	bool over;        /* nothing is left to do */
	bool was_bound;   /* an earlier start had begun to */
	enum container_answer *answer;
	int pidfd;       /* to see the end while waiting for READY=1 */
	bool of_another; /* its program runs by an earlier start */
};

static int check_status(struct start *s, struct err *e)
{
	switch (status_of(s->dir, &s->state, s->cgroup)) {
	case STATUS_CREATED:
		return 0;
	case STATUS_PAUSED:
		return err_msg(e, EINVAL, "cannot start a paused container");
	case STATUS_RUNNING:
		return err_msg(e, EINVAL, "cannot start an already running container");
	case STATUS_STOPPED:
		return err_msg(e, EINVAL, "cannot start a container that has stopped");
	case STATUS_CREATING:
		break;
	}
	return err_msg(e, EBUSY, "cannot start a container that is being created");
}

static bool wants_ready(const void *ctx)
{
	return ((const struct start *)ctx)->notify.host;
}

static int listen_for_ready(void *ctx, struct err *e)
{
	struct start *s = ctx;

	s->pidfd = sys_pidfd_open((pid_t)s->state.pid, 0);
	if (s->pidfd < 0)
		return err_set(e, errno, "pidfd_open");
	return notify_listen(&s->notify, s->dir, e);
}

static int save_running(void *ctx, struct err *e)
{
	struct start *s = ctx;

	s->state.status = "running";
	if (s->state.reuse) {
		struct state_reuse *u = arena_new(s->arena, sizeof(*u));

		*u = *s->state.reuse;
		u->uses++;
		s->state.reuse = u;
	}
	s->state.started_ns = clock_monotonic_ns();
	int r = store_save(s->dir, &s->state, e);
	/* Only then: while the state says created, a start finds out here what became of it. */
	if (r == 0)
		(void)unlinkat(s->dir, STORE_START, 0);
	return r;
}

/* Its program runs: what was asked for has happened, only nobody has written it down. */
static int of_another(struct start *s, struct err *e)
{
	struct err ignored;

	s->of_another = true;
	(void)!save_running(s, &ignored);
	return err_msg(e, EALREADY, "cannot start an already running container");
}

static int connect_to_init(void *ctx, struct err *e)
{
	struct start *s = ctx;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(e, errno, "socket");
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" STORE_START, s->dir);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno != ECONNREFUSED)
			return err_set(e, errno, "start socket");
		/* Nobody listens: an earlier start got as far as execve and was killed then. */
		return of_another(s, e);
	}
	s->conn = take_fd(&fd);
	return 0;
}

/*
 * An earlier start had said go and was killed: ours was in the queue of a socket that execve
 * closed. A process that dies closes it, too, a moment before it has ended.
 */
static bool has_gone(const struct start *s, int r)
{
	enum { DYING_MS = 200 };

	if (r != -ECONNRESET && r != -EPIPE)
		return false;
	own_fd int fd = process_pidfd(s->state.pid, s->state.start_time);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	return fd >= 0 && poll(&p, 1, DYING_MS) == 0;
}

/*
 * A failed startContainer hook or execve: the process is gone, what it had goes too.  After
 * that (runtime.md, Lifecycle 9) the container is stopped; what it left can still be looked at.
 */
static void give_up(void *ctx)
{
	struct start *s = ctx;
	struct err ignored;

	if (s->of_another)
		return;
	/* One that can be used again stays: reset makes its next generation. */
	if (s->started || s->state.reuse) {
		(void)!container_stop(&s->state, s->cgroup, &ignored);
		return;
	}
	(void)unlinkat(s->dir, STORE_GO, 0);
	(void)!container_destroy(s->host, s->dir, &s->state, &ignored);
}

/* --- what it is given and narrowed to ------------------------------------------------------- */

static bool is_reusable(const void *ctx)
{
	return ((const struct start *)ctx)->state.reuse;
}

/* It still waits, and somebody has begun to give it what it was to work on. */
static int check_unbound(void *ctx, struct err *e)
{
	struct start *s = ctx;

	if (!s->was_bound)
		return 0;
	*s->answer = ANSWER_BUSY;
	return err_msg(e, EBUSY, "an earlier start of it was cut short: reset makes it whole");
}

static bool is_bound(const void *ctx)
{
	const struct start *s = ctx;

	return (late_wanted(&s->late) || s->opts->n_grants || s->work.secrets.n) && !s->was_bound;
}

static int begin_binding(void *ctx, struct err *e)
{
	return late_begin(((const struct start *)ctx)->dir, e);
}

/* What its warden refuses has changed nothing; what it did not answer it may do later. */
static int narrow_times(void *ctx, struct err *e)
{
	struct start *s = ctx;
	int r = late_times(&s->late, s->dir, e);

	if (r < 0 && r != -ETIMEDOUT && r != -ECONNRESET)
		(void)unlinkat(s->dir, LATE_BOUND, 0);
	if (r == -EPERM)
		*s->answer = ANSWER_REFUSED;
	return r;
}

static int narrow(void *ctx, struct err *e)
{
	struct start *s = ctx;

	return late_narrow(s->arena, &s->late, s->cgroup, e);
}

static int narrow_egress(void *ctx, struct err *e)
{
	struct start *s = ctx;

	return late_egress(s->host, s->arena, &s->late, &s->state, s->dir, e);
}

static int put_in(void *ctx, struct err *e)
{
	struct start *s = ctx;

	return late_put(s->arena, &s->late, &s->state, &s->config, s->cgroup, e);
}

static bool is_audited(const void *ctx)
{
	return ((const struct start *)ctx)->state.audit;
}

/* What is given late create could not tell. */
static int tell_audit(void *ctx, struct err *e)
{
	const struct start *s = ctx;
	const char *data = NULL;
	struct json_out o;

	if (s->work.given || late_wanted(&s->late)) {
		json_begin(&o, s->arena, 0);
		json_object(&o);
		if (s->work.given)
			evidence_argv(&o, s->state.audit->argv, s->work.what.args);
		late_tell(&o, &s->late);
		json_end_object(&o);
		data = json_done(&o, NULL);
	}
	return evidence_note(&s->state, "SandboxStarted", "start", data, e);
}

static bool has_grants(const void *ctx)
{
	return ((const struct start *)ctx)->opts->n_grants;
}

static int give_grants(void *ctx, struct err *e)
{
	struct start *s = ctx;

	return late_grants(s->host, s->arena, s->dir, &s->state, s->opts, e);
}

static bool has_secrets(const void *ctx)
{
	return ((const struct start *)ctx)->work.secrets.n;
}

static int give_secrets(void *ctx, struct err *e)
{
	struct start *s = ctx;

	return late_secrets(s->arena, &s->state, &s->work, e);
}

/*
 * Who names a generation has had it verified: it is to be what that found.  Asked before anything
 * is done, and once more when all is done but the word: exec and kill wait for no lock.
 */
static int check_untouched(struct start *s, struct err *e)
{
	const uint64_t *expected = s->opts->expect_gen;
	const char *verb =
		expected && s->state.reuse ? touched_by(s->arena, s->dir, &s->state) : NULL;

	if (!verb)
		return 0;
	*s->answer = ANSWER_BUSY;
	return err_msg(e, ESTALE,
		       "generation %" PRIu64 " is not what it was made as: %s has changed it",
		       *expected, verb);
}

/* Who is killed before it has written "running" leaves a word that the program may have run. */
static int say_go(void *ctx, struct err *e)
{
	struct start *s = ctx;

	if (check_untouched(s, e) < 0 || late_key_write(s->dir, s->key, e) < 0)
		return -e->code;
	const int out[] = {STDOUT_FILENO, STDERR_FILENO};
	if (s->work.given && s->work.passed_on && warden_tell_output(s->dir, out, e) < 0)
		return -e->code;
	int r = work_send(s->arena, &s->work, &s->state, s->conn, e);
	return has_gone(s, r) ? of_another(s, e) : r;
}

static int await_exec(void *ctx, struct err *e)
{
	struct start *s = ctx;
	const char *path = s->work.given ? s->work.what.args[0] : s->config.process->args[0];
	int r = sync_expect_exec(s->conn, path, true, e);

	s->started = r == 0;
	return has_gone(s, r) ? of_another(s, e) : r;
}

static bool has_poststart(const void *ctx)
{
	const struct start *s = ctx;

	return s->config.hooks && s->config.hooks->n_poststart;
}

static int poststart(void *ctx, struct err *e)
{
	struct start *s = ctx;
	const struct oci_hooks *h = s->config.hooks;

	struct hook_output output = HOOK_OUTPUT_KEPT;
	/* Paths of the host that at a level no annotation may name. */
	int r = str_eq(s->state.level, "custom") ? annotation_hook_output(&s->config, &output, e)
						 : 0;

	if (r == 0)
		r = hooks_run("poststart", h->poststart, h->n_poststart,
			      container_hook_state(s->arena, &s->state, "running"), &output, e);
	hook_output_close(&output);
	return r;
}

static const struct step steps[] = {
	{"notify socket",   wants_ready,   listen_for_ready, NULL,    STEP_PLAIN},
	{"begin binding",   is_bound,      begin_binding,    NULL,    STEP_NAMED},
	{"narrow times",    is_bound,      narrow_times,     NULL,    STEP_NAMED},
	{"connect",         NULL,          connect_to_init,  give_up, STEP_PLAIN},
	{"check unbound",   is_reusable,   check_unbound,    NULL,    STEP_PLAIN},
	{"narrow",          is_bound,      narrow,           NULL,    STEP_NAMED},
	{"narrow egress",   is_bound,      narrow_egress,    NULL,    STEP_NAMED},
	{"put in",          is_bound,      put_in,           NULL,    STEP_NAMED},
	{"audit",           is_audited,    tell_audit,       NULL,    STEP_PLAIN},
	{"grants",          has_grants,    give_grants,      NULL,    STEP_NAMED},
	{"secrets",         has_secrets,   give_secrets,     NULL,    STEP_NAMED},
	{"say go",          NULL,          say_go,           NULL,    STEP_NAMED},
	{"await exec",      NULL,          await_exec,       NULL,    STEP_PLAIN},
	{"save running",    NULL,          save_running,     NULL,    STEP_NAMED},
	{"poststart hooks", has_poststart, poststart,        NULL,    STEP_PLAIN},
};

static bool has_begun(const struct start *s)
{
	return str_eq(s->state.status, "running") ||
	       faccessat(s->dir, STORE_GO, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* One that says created may have been left before its program went: that is tried. */
static int check_key(struct start *s, const char *key, enum container_answer *answer, struct err *e)
{
	enum late_key seen = late_key_seen(s->dir, key);

	s->key = key;
	if (!key || !has_begun(s))
		return 0;
	*answer = ANSWER_BUSY;
	if (seen != LATE_KEY_SAME)
		return err_msg(e, EBUSY, "somebody else has started this generation");
	s->told_before = true;
	s->over = str_eq(s->state.status, "running");
	*answer = ANSWER_FAILED;
	return 0;
}

static bool asks_late(const struct container_start_opts *o)
{
	return o->process_file || o->n_inputs || o->memory || o->pids || o->cpus || o->n_egress ||
	       o->wall_ms || o->cpu_ms || o->idempotency_key || o->n_secrets || o->n_grants;
}

/* Of one that can be used again: nothing runs in a generation that is not what it should be. */
static int check_reuse(struct start *s, const struct container_start_opts *o,
		       enum container_answer *answer, struct err *e)
{
	const struct state_reuse *u = s->state.reuse;
	struct brig_report report = {0};

	*answer = ANSWER_BUSY;
	if (o->expect_gen && (!u || *o->expect_gen != u->generation))
		return err_msg(e, ESTALE, "generation %" PRIu64 " was expected, it is %" PRIu64,
			       *o->expect_gen, u ? u->generation : 1);
	if (u && u->journal)
		return err_msg(
			e, EBUSY,
			"cannot start a container whose reset was cut short: reset makes it whole, "
			"delete removes it");
	*answer = ANSWER_FAILED;
	if (lease_check(s->host, s->dir, &s->state, LEASE_TO_USE, answer, e) < 0)
		return -e->code;
	if (u && check_key(s, o->idempotency_key, answer, e) < 0)
		return -e->code;
	if (s->over)
		return 0;
	/* One that was told before may run by now, and then it is no matter. */
	if (!s->told_before && check_untouched(s, e) < 0)
		return -e->code;
	*answer = ANSWER_REFUSED;
	const char *why = u ? reuse_retired(s->arena, u, false) : NULL;
	if (u && !why && str_eq(s->state.status, "created"))
		why = reuse_idle(s->arena, u);
	if (why)
		return err_msg(e, EKEYREJECTED, "it is not to be used again: %s", why);
	if (u)
		reset_taint(s->arena, s->dir, NULL, &report);
	if (report.n_taint)
		return err_msg(e, EKEYREJECTED, "cannot start a container that is tainted (%s)",
			       report.taint[0]);
	/* Without a level nobody would judge it. */
	if (asks_late(o) && !u)
		return err_msg(e, EOPNOTSUPP,
			       "--process, --in, --secret, --grant, limits and --idempotency-key "
			       "are for containers of create --reuse");
	*answer = ANSWER_FAILED;
	return 0;
}

static int load(struct start *s, struct err *e)
{
	char *text;
	size_t len;

	if (file_read(s->arena, s->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(s->arena, text, len, &s->config, e) < 0)
		return -e->code;
	return cgroup_open(s->arena, &s->state.cgroup, &s->cgroup, e);
}

static int run(struct start *s, const struct container_start_opts *o, struct err *e)
{
	int r = check_status(s, e);

	/* It runs, or has run: what was asked for has happened. */
	if (r < 0 && s->told_before)
		return 0;
	if (r == 0 && !s->config.process)
		r = err_msg(e, EINVAL, "config.json: process: missing, there is nothing to start");
	if (r == 0)
		r = work_make(s->arena, &s->work, s->host, o, s->dir, &s->state, &s->config,
			      s->answer, e);
	if (r == 0)
		r = late_plan(s->arena, &s->late, o, &s->config, s->dir, s->answer, e);
	if (r == 0)
		r = late_egress_plan(s->arena, &s->late, o, &s->state, s->dir, s->answer, e);
	s->was_bound =
		s->state.reuse && faccessat(s->dir, LATE_BOUND, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	return r < 0 ? r : steps_run("start", steps, LEN(steps), s, e);
}

static int start_locked(struct start *s, const struct container_start_opts *o, struct err *e)
{
	/* Where a reset was cut short there may be no config.json. */
	if (store_load(s->dir, s->arena, &s->state, e) < 0 || check_reuse(s, o, s->answer, e) < 0)
		return -e->code;
	if (s->over)
		return 0;
	int r = load(s, e);
	if (r == 0)
		r = run(s, o, e);
	cgroup_close(s->cgroup);
	return s->told_before && r == -EALREADY ? 0 : r;
}

int container_start(const struct container_host *h, const struct container_start_opts *o,
		    enum container_answer *answer, struct err *e)
{
	own_arena struct arena a = {0};
	struct start s = {
		.host = h,
		.opts = o,
		.arena = &a,
		.conn = -1,
		.pidfd = -1,
		.answer = answer,
		.notify = {.host = notify_host(), .sock = -1}
        };

	*answer = ANSWER_FAILED;
	/* Before anything is open that is ours. */
	int r = late_given_check(&a, o, e);
	if (r == 0)
		r = work_open(&s.work, o, e);
	if (r == 0)
		r = late_open(&a, &s.late, o, e);
	if (r == 0)
		r = late_key_check(o->idempotency_key, e);
	s.dir = r < 0 ? -1 : store_open(h, o->id, STORE_LOCKED, e);
	if (s.dir >= 0)
		r = start_locked(&s, o, e);
	else if (r == 0)
		r = s.dir;
	work_end(&s.work);
	late_end(&s.late);
	own_close(&s.conn);
	/* Others may work on it meanwhile. */
	own_close(&s.dir);
	if (r == 0 && s.notify.sock >= 0)
		notify_wait(&s.notify, (pid_t)s.state.pid, s.pidfd);
	notify_close(&s.notify);
	own_close(&s.pidfd);
	return r;
}
