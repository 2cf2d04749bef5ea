#include "outcome.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "status.h"
#include "store.h"
#include "taint.h"

/* How long others get: a warden for its last words, a parent for reaping, a brig for writing, the
 * waiting for reading. */
enum { WORDS_MS = 3000, REAPED_MS = 2000, WRITTEN_MS = 1000, READ_MS = 2000, STEP_MS = 2 };

static void pause_a_step(void)
{
	const struct timespec ts = {.tv_nsec = STEP_MS * 1000000};

	(void)nanosleep(&ts, NULL);
}

/* --- what is open ------------------------------------------------------------------------- */

void outcome_open(struct outcome *o, int dir, const struct brig_state *s, const struct cgroup *cg)
{
	pid_t pid = (pid_t)s->pid;

	*o = (struct outcome){
		.state = s,
		.dir = dir,
		.pidfd = pid > 0 ? sys_pidfd_open(pid, 0) : -1,
		.runner = s->runner_pid > 0 ? sys_pidfd_open((pid_t)s->runner_pid, 0) : -1,
		.watch = WATCH_NONE(s),
	};
	/* Somebody else has its number by now; checked behind the descriptor that keeps it. */
	if (o->pidfd >= 0 && process_birth(pid) != s->start_time)
		own_close(&o->pidfd);
	if (cg)
		watch_open(&o->watch, cg, WATCH_RESULT, false);
}

void outcome_close(struct outcome *o)
{
	own_close(&o->pidfd);
	own_close(&o->runner);
	watch_close(&o->watch);
}

int outcome_await(struct outcome *o, int ms, struct err *e)
{
	struct pollfd p = {.fd = o->pidfd, .events = POLLIN};
	const uint64_t until = clock_monotonic_ns() + (uint64_t)(ms < 0 ? 0 : ms) * 1000000;
	int left = ms, r;

	if (o->pidfd < 0)
		return 0;
	while ((r = poll(&p, 1, left)) < 0 && errno == EINTR) {
		uint64_t now = clock_monotonic_ns();

		if (ms >= 0)
			left = now < until ? (int)((until - now) / 1000000) : 0;
	}
	if (r < 0)
		return err_set(e, errno, "poll");
	if (r == 0)
		return err_msg(e, ETIMEDOUT, "container %s runs on", o->state->id);
	o->ended_ns = clock_monotonic_ns();
	watch_look(&o->watch);
	return 0;
}

/* --- what is known ------------------------------------------------------------------------ */

static bool runner_lives(const struct outcome *o)
{
	struct pollfd p = {.fd = o->runner, .events = POLLIN};

	return o->runner >= 0 && poll(&p, 1, 0) == 0;
}

static bool is_deleted(int dir)
{
	struct stat st;

	return fstat(dir, &st) < 0 || st.st_nlink == 0;
}

/* 0: there; -ENOENT. */
static int read_result(struct arena *a, int dir, struct brig_result *out)
{
	struct err e;
	int r = result_read(a, dir, out, &e);

	if (r < 0 && r != -ENOENT)
		log_warn("%s: it is not believed", e.msg);
	return r;
}

static bool may_have_started(int dir)
{
	return faccessat(dir, STORE_GO, F_OK, 0) == 0;
}

/* What became of it is not written yet. */
static bool is_starting(const struct outcome *o)
{
	return str_eq(o->state->status, "created") && may_have_started(o->dir) &&
	       store_is_locked(o->dir);
}

static int await_result(struct arena *a, const struct outcome *o, struct brig_result *out)
{
	int r = read_result(a, o->dir, out);

	for (int ms = 0; r == -ENOENT && ms < WRITTEN_MS && (runner_lives(o) || is_starting(o)) &&
			 !is_deleted(o->dir);
	     ms += STEP_MS) {
		pause_a_step();
		r = read_result(a, o->dir, out);
	}
	return r;
}

/* A warden writes down how it ended, and only then stops listening. */
static bool is_gone(struct arena *a, const struct outcome *o, struct warden_end *end)
{
	struct err e;

	if (warden_presence(o->dir) != WARDEN_GONE)
		return false;
	return warden_end_read(a, o->dir, end, &e) == 0 && !end->reason;
}

static struct exit_info exit_of(const struct outcome *o, bool patient)
{
	if (o->pidfd >= 0)
		return exit_info_of(o->pidfd, (pid_t)o->state->pid, patient ? REAPED_MS : 0);
	return (struct exit_info){
		.unknown = o->state->runner_pid
				   ? "the brig that ran it was killed, and somebody else reaped it"
				   : "it was reaped before anybody asked",
	};
}

/*
 * A warden writes "ended" with the time as soon as it has seen the end, and its result when it has
 * learned how that was: for who knows it, the first is enough.
 */
static void await_words(const struct outcome *o)
{
	for (int ms = 0; ms < WORDS_MS; ms += STEP_MS) {
		own_arena struct arena a = {0};
		struct warden_end end;
		struct err ignored;

		if (warden_end_read(&a, o->dir, &end, &ignored) < 0 || end.ended_ns)
			return;
		if (warden_presence(o->dir) != WARDEN_LISTENS)
			return;
		pause_a_step();
	}
}

/* Started meanwhile, perhaps; where that was deleted before we looked, nobody can tell. */
static bool never_started(struct arena *a, const struct outcome *o)
{
	struct brig_state now;
	struct err ignored;

	if (store_load(o->dir, a, &now, &ignored) < 0)
		return false;
	return str_eq(now.status, "creating") ||
	       (str_eq(now.status, "created") && !may_have_started(o->dir));
}

static void compose(struct arena *a, const struct outcome *o, const struct exit_info *x,
		    struct brig_result *out)
{
	struct err unstarted, e;
	struct result_facts f;

	watch_facts(o->state, &f);
	f.ended_ns = o->ended_ns;
	f.exit = *x;
	watch_usage(&o->watch, &f);
	watch_network(a, o->dir, &f);
	watch_violations(a, o->dir, &f);
	if (warden_end_read(a, o->dir, &f.end, &e) < 0)
		log_warn("%s: it is not believed", e.msg);
	else if (!f.end.reason)
		f.warden_gone = is_gone(a, o, &f.end);
	if (f.end.started_ns && (!f.started_ns || f.end.started_ns < f.started_ns))
		f.started_ns = f.end.started_ns;
	if (f.end.ended_ns)
		f.ended_ns = f.end.ended_ns;
	if (never_started(a, o))
		f.failed = result_unstarted(&unstarted);
	result_compose(a, &f, out);
}

void outcome_tell(struct arena *a, const struct outcome *o, bool patient, struct brig_result *out)
{
	struct exit_info x = exit_of(o, false);
	struct result_facts f;

	if (patient && o->state->warden_pid && x.known)
		await_words(o);
	else if (patient && o->state->warden_pid)
		warden_await_end(o->dir, WORDS_MS);
	int r = patient ? await_result(a, o, out) : read_result(a, o->dir, out);
	if (!x.known && patient && (r < 0 || out->unknown))
		x = exit_of(o, true);
	if (r < 0) {
		compose(a, o, &x, out);
	} else {
		watch_facts(o->state, &f);
		f.exit = x;
		result_learn(a, &f, out);
	}
	/* Somebody may have tainted it since, or taken that back. */
	taint_of_result(a, o->dir, out, NULL);
}

bool outcome_is_settled(const struct outcome *o)
{
	enum warden_presence p = warden_presence(o->dir);

	return (p == WARDEN_GONE || p == WARDEN_NONE) && !runner_lives(o);
}

/* --- who waits ---------------------------------------------------------------------------- */

static const char waiters[] = "waiters";

int outcome_join(int dir, struct err *e)
{
	own_fd int fd = openat(dir, waiters, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0)
		return err_set(e, errno, "open %s", waiters);
	if (flock(fd, LOCK_SH) < 0)
		return err_set(e, errno, "lock %s", waiters);
	return take_fd(&fd);
}

bool outcome_awaited(int dir)
{
	return faccessat(dir, waiters, F_OK, 0) == 0;
}

void outcome_let_go(int dir)
{
	own_fd int fd = openat(dir, waiters, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	for (int ms = 0; fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0 && ms < READ_MS; ms += STEP_MS)
		pause_a_step();
}
