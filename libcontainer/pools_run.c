/*
 * `pool run`: acquire, start, wait, release, in one process.
 *
 * Its lease may run out while it waits, and others may have its sandbox then, or another of the
 * same name.  So it holds on to the directory in which its lease was, and to one generation there:
 * what it waits for, ends and tells is that one's.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fds.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "control.h"
#include "pools_internal.h"
#include "process.h"
#include "result.h"
#include "result_target.h"
#include "specs/report.h"
#include "specs/result.h"
#include "specs/work.h"
#include "store.h"
#include "wait.h"

/* LOOK_MS: between two looks for signals; SPARE_MS: the lease holds longer than the work. */
enum {
	LOOK_MS = 250,
	SPARE_MS = 30000,
	TTL_MS = 3600000,
	BY_SIGNAL = 128,
	BY_TIME = 124,
	FAILED = 125
};
#define NS_PER_MS UINT64_C(1000000)

struct run {
	const struct container_pool_run *opts;
	const struct container_host *caller;
	struct container_host host; /* with the lease */
	struct arena *arena;
	const char *id;
	struct holder who;
	int dir; /* where its lease is, -1 */
	struct brig_result result;
	sigset_t blocked, before;
	int signal;   /* that ended it, 0 */
	bool in_vain; /* out of time */
	bool killed;  /* for one of these */
	int work;     /* a memory file, -1 */
};

/* --- what it runs --------------------------------------------------------------------------- */

static int work_of(struct run *x, const char **path, struct err *e)
{
	const struct container_pool_run *o = x->opts;
	struct brig_work w = {.args = o->args};
	size_t len;

	*path = o->process_file;
	if (*path)
		return 0;
	while (w.args[w.n_args])
		w.n_args++;
	const char *text = work_print(x->arena, &w, &len);
	x->work = memfd_create("work", MFD_CLOEXEC);
	if (x->work < 0 || file_write_all(x->work, text, len) < 0)
		return err_set(e, errno, "memfd_create");
	*path = arena_printf(x->arena, "/proc/self/fd/%d", x->work);
	return 0;
}

/* Where its lease is: whoever starts something there has it. */
static int hold(struct run *x, enum container_answer *answer, struct err *e)
{
	struct brig_lease l;

	x->dir = store_open(x->caller, x->id, STORE_UNLOCKED, e);
	if (x->dir < 0)
		return x->dir;
	if (lease_read(x->arena, x->dir, &l, e) < 0)
		return err_wrap(e, "container %s", x->id);
	if (lease_is_of(&l, x->who.token))
		return 0;
	*answer = ANSWER_NOT_ALLOWED;
	return err_msg(e, EKEYEXPIRED, "container %s: the lease has run out", x->id);
}

static int start(struct run *x, int *code, struct err *e)
{
	struct container_start_opts o = {.id = x->id, .env_fd = x->opts->env_fd};
	enum container_answer answer = ANSWER_FAILED;
	int r = hold(x, &answer, e);

	if (r == 0)
		r = work_of(x, &o.process_file, e);
	if (r == 0)
		r = container_start(&x->host, &o, &answer, e);
	own_close(&x->work);
	if (r < 0)
		*code = container_answer_code(answer, result_start_code(e));
	return r;
}

/* --- its end -------------------------------------------------------------------------------- */

static int pending(const struct run *x)
{
	sigset_t set;

	if (sigpending(&set) < 0)
		return 0;
	for (int sig = 1; sig < NSIG; sig++)
		if (sigismember(&set, sig) == 1 && sigismember(&x->blocked, sig) == 1)
			return sig;
	return 0;
}

/* What could not be done now is tried again at the next look, as long as it runs. */
static void end(struct run *x)
{
	struct err ignored;

	x->killed = control_kill_held(x->dir, x->id, &x->who, &ignored) == 0;
	if (!x->killed)
		log_debug("%s: %s", x->id, ignored.msg);
}

/* Of the time until the next look. */
static uint64_t look(struct run *x, uint64_t ms)
{
	const uint64_t *limit = x->opts->timeout_ms;

	if (!x->signal && !x->in_vain) {
		x->signal = pending(x);
		x->in_vain = limit && ms >= *limit;
	}
	if ((x->signal || x->in_vain) && !x->killed)
		end(x);
	return limit && !x->in_vain && *limit - ms < LOOK_MS ? *limit - ms : LOOK_MS;
}

static int await_end(struct run *x, struct waiting *w, struct err *e)
{
	const uint64_t since = clock_monotonic_ns();
	int r = -ETIMEDOUT;

	while (r == -ETIMEDOUT) {
		uint64_t now = clock_monotonic_ns();
		uint64_t ms = look(x, (now - since) / NS_PER_MS);

		r = waiting_await(w, now + ms * NS_PER_MS, &x->result, e);
	}
	return r;
}

static int await(struct run *x, int *code, struct err *e)
{
	struct waiting w = WAITING_NONE;
	int r = waiting_begin(&w, x->arena, x->dir, x->id, &x->who.generation, 0, e);

	if (r == 0)
		r = await_end(x, &w, e);
	waiting_end(&w);
	if (r == -ESTALE) {
		*code = container_answer_code(ANSWER_NOT_ALLOWED, 0);
		return err_wrap(e, "the lease has run out");
	}
	return r;
}

static int code_of(const struct run *x)
{
	if (!x->killed)
		return x->result.code;
	return x->signal ? BY_SIGNAL + x->signal : BY_TIME;
}

static void tell(const struct run *x, const struct result_target *to)
{
	struct err why;

	if (x->opts->result && x->result.v && result_target_write(to, &x->result, &why) < 0)
		log_warn("%s", why.msg);
}

static int tend(const struct run *x, struct err *e)
{
	own_arena struct arena a = {0};
	struct pool_member *members = NULL;
	struct pools p;
	size_t n = 0;

	if (pools_open(&p, x->caller, x->opts->acquire.pool, &a, false, e) < 0)
		return -e->code;
	int r = pools_load(&p, e);
	if (r == 0)
		r = pools_members(&p, &members, &n, e);
	for (size_t i = 0; r == 0 && i < n; i++)
		if (str_eq(members[i].id, x->id))
			r = pools_tend(&p, &members[i], e);
	pools_close(&p);
	return r;
}

/*
 * Nobody waits for it, least of all who reads our output to its end.  When it is killed the next
 * acquire or ensure does the same.
 */
static void tend_behind(const struct run *x)
{
	int keep[] = {log_fd()};
	struct err e;

	if (fork() != 0)
		return;
	(void)setsid();
	(void)sigprocmask(SIG_SETMASK, &x->before, NULL);
	if (fds_null_streams(-1) < 0)
		_exit(1);
	process_close_all_but(0, keep, LEN(keep));
	_exit(tend(x, &e) < 0);
}

/* What becomes of the sandbox is the pool's business: the program's end is told. */
static void release(struct run *x)
{
	bool behind = x->opts->behind;
	enum container_answer answer;
	struct brig_report report;
	struct err why;
	int r = container_lease_release(&x->host, x->id, behind, x->arena, &report, &answer, &why);

	if (r == 0 && behind)
		tend_behind(x);

	if (r < 0 && answer != ANSWER_REFUSED && !lease_refused(&why))
		log_warn("%s: %s", x->id, why.msg);
	else if (r < 0)
		log_debug("%s: %s", x->id, why.msg);
}

static int use(struct run *x, int *code, const struct result_target *to, struct err *e)
{
	int r = start(x, code, e);

	if (r == 0)
		r = await(x, code, e);
	if (r == 0) {
		*code = code_of(x);
		tell(x, to);
	}
	release(x);
	return r;
}

/* --- all of it ------------------------------------------------------------------------------ */

/* From here on who asks us to end has to wait until the sandbox is given back. */
static void hold_signals(struct run *x)
{
	static const int which[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

	sigemptyset(&x->blocked);
	for (size_t i = 0; i < LEN(which); i++)
		sigaddset(&x->blocked, which[i]);
	(void)sigprocmask(SIG_BLOCK, &x->blocked, &x->before);
}

static uint64_t ttl_of(const struct container_pool_run *q)
{
	if (q->acquire.lease.ttl_ms)
		return q->acquire.lease.ttl_ms;
	return q->timeout_ms && *q->timeout_ms < LEASE_TTL_MAX_MS - SPARE_MS
		       ? *q->timeout_ms + SPARE_MS
		       : TTL_MS;
}

static int run(const struct container_host *h, struct run *x, int *code,
	       const struct result_target *to, struct err *e)
{
	struct container_acquire q = x->opts->acquire;
	struct container_lease l;
	enum container_answer answer;

	q.lease.ttl_ms = ttl_of(x->opts);
	int r = container_lease_acquire(h, &q, x->arena, &l, &answer, e);
	if (r < 0) {
		*code = container_answer_code(answer, *code);
		return r;
	}
	hold_signals(x);
	x->id = l.id;
	x->who = (struct holder){.token = l.token, .generation = l.generation};
	x->caller = h;
	x->host = *h;
	x->host.lease = l.token;
	x->host.lease_given = true;
	r = use(x, code, to, e);
	own_close(&x->dir);
	(void)sigprocmask(SIG_SETMASK, &x->before, NULL);
	return r;
}

int container_pool_run(const struct container_host *h, const struct container_pool_run *q,
		       struct arena *a, int *code, struct err *e)
{
	struct run x = {.opts = q, .arena = a, .dir = -1, .work = -1};
	struct result_target to = RESULT_TARGET_NONE;

	*code = FAILED;
	if (q->result && result_target_open(q->result, false, &to, e) < 0)
		return -e->code;
	int r = run(h, &x, code, &to, e);
	result_target_close(&to);
	return r;
}
