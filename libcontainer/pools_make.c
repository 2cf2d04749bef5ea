/*
 * One more member.
 *
 *	step      what a killed maker leaves     what the next caller does
 *	reserve   a reservation nobody holds     takes it away; the number is not used again
 *	create    half a sandbox                 deletes it
 *	settle    a member, a reservation        takes the reservation away
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "pools_internal.h"
#include "reuse.h"
#include "specs/report.h"

/* --- apart ---------------------------------------------------------------------------------- */

/* What the child has to say. */
struct words {
	bool said;
	int r;
	enum container_answer answer;
	struct err e;
	size_t len; /* of the report's text */
	char report[REPORT_MAX_BYTES];
};

static _Noreturn void child(const struct pools_errand *what, pid_t parent, struct words *w)
{
	struct arena a = {0};
	struct brig_report report = {0};
	size_t len = 0;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent)
		_exit(1);
	/* A terminal's signals are for our caller, who knows what to leave behind. */
	(void)setsid();
	w->r = what->run(what->ctx, &a, &report, &w->answer, &w->e);
	const char *text = report.v ? report_print(&a, &report, &len) : NULL;
	if (text && len < sizeof(w->report)) {
		memcpy(w->report, text, len);
		w->len = len;
	}
	w->said = true;
	_exit(0);
}

static int hear(struct words *w, struct arena *a, struct brig_report *report,
		enum container_answer *answer, struct err *e)
{
	struct err ignored;

	*answer = w->said ? w->answer : ANSWER_FAILED;
	if (!w->said)
		return err_msg(e, EINTR, "it was cut short: its process was killed");
	if (report && w->len &&
	    report_parse(a, arena_strndup(a, w->report, w->len), w->len, report, &ignored) < 0)
		*report = (struct brig_report){0};
	if (w->r < 0)
		*e = w->e;
	return w->r;
}

int pools_apart(const struct pools_errand *what, struct arena *a, struct brig_report *report,
		enum container_answer *answer, struct err *e)
{
	struct words *w =
		mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t self = getpid();

	*answer = ANSWER_FAILED;
	if (report)
		*report = (struct brig_report){0};
	if (w == MAP_FAILED)
		return err_set(e, errno, "mmap");
	pid_t pid = fork();
	if (pid == 0)
		child(what, self, w);
	int r = pid < 0 ? err_set(e, errno, "fork") : 0;
	while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	if (r == 0)
		r = hear(w, a, report, answer, e);
	(void)munmap(w, sizeof(*w));
	return r;
}

/* --- reset ---------------------------------------------------------------------------------- */

struct reset_errand {
	const struct container_host *host;
	struct container_reset_opts opts;
};

static int run_reset(void *ctx, struct arena *a, struct brig_report *report,
		     enum container_answer *answer, struct err *e)
{
	const struct reset_errand *x = ctx;

	return container_reset(x->host, &x->opts, a, report, answer, e);
}

int pools_reset(const struct container_host *h, const struct pools_turn *t, struct arena *a,
		struct brig_report *report, enum container_answer *answer, struct err *e)
{
	struct reset_errand x = {.host = h};

	x.opts.id = t->id;
	x.opts.expect_gen = t->expect_gen;
	x.opts.kill = true;
	x.opts.keep_evidence = t->evidence;
	return pools_apart(&(struct pools_errand){run_reset, &x}, a, report, answer, e);
}

/* --- create --------------------------------------------------------------------------------- */

struct make {
	struct pools *p;
	uint64_t serial;
	int reservation; /* -1: none */
	bool made;
};

static const char *member_id(const struct make *m)
{
	return arena_printf(m->p->arena, "%s-%" PRIu64, m->p->pool.name, m->serial);
}

/* Its first generation gets nothing of ours either. */
static int run_create(void *ctx, struct arena *a, struct brig_report *report,
		      enum container_answer *answer, struct err *e)
{
	const struct make *m = ctx;
	const struct brig_pool *pool = &m->p->pool;
	struct reuse_streams streams = {0};
	const struct container_create_opts o = pools_member_opts(a, pool, member_id(m));

	(void)report;
	*answer = ANSWER_FAILED;
	if (pools_give_nothing(e) < 0)
		return -e->code;
	if (reuse_streams_away(&streams, e) < 0)
		return -e->code;
	int r = container_create(&m->p->own, &o, e);
	return r < 0 ? err_wrap(e, "create %s", o.id) : 0;
}

static bool is_free_id(const struct pools *p, uint64_t serial)
{
	const char *path = arena_printf(p->arena, "%s/%s-%" PRIu64, p->host->root, p->name, serial);

	return faccessat(AT_FDCWD, path, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
}

/* Under the pool's lock: of many makers at once none goes beyond max. */
static int reserve_locked(struct make *m, struct err *e)
{
	struct pools *p = m->p;
	struct pool_member *members;
	size_t n;

	if (pools_load(p, e) < 0 || pools_members(p, &members, &n, e) < 0)
		return -e->code;
	if (p->pool.draining || n + pools_unborn(p) >= p->pool.max)
		return 0;
	do
		m->serial = ++p->pool.serial;
	while (!is_free_id(p, m->serial));
	m->reservation = pools_reserve(p, m->serial, e);
	return m->reservation < 0 ? -e->code : pools_save(p, e);
}

static int reserve(void *ctx, struct err *e)
{
	struct make *m = ctx;
	int r = pools_lock(m->p, e);

	if (r == 0)
		r = reserve_locked(m, e);
	pools_unlock(m->p);
	if (r < 0 && m->reservation >= 0)
		pools_unreserve(m->p, m->serial, &m->reservation);
	return r;
}

static void give_up(void *ctx)
{
	struct make *m = ctx;

	if (m->reservation >= 0)
		pools_unreserve(m->p, m->serial, &m->reservation);
}

static int create(void *ctx, struct err *e)
{
	struct make *m = ctx;
	enum container_answer ignored;

	if (m->reservation < 0)
		return 0;
	return pools_apart(&(struct pools_errand){run_create, m}, m->p->arena, NULL, &ignored, e);
}

static int settle(void *ctx, struct err *e)
{
	const struct pool_counters one = {.created = 1};
	struct make *m = ctx;
	struct pool_member made = {.serial = m->serial};
	struct err ignored;

	(void)e;
	if (m->reservation < 0)
		return 0;
	made.id = member_id(m);
	pools_unreserve(m->p, m->serial, &m->reservation);
	pools_count(m->p, &one);
	m->made = true;
	/* As after a reset; an ensure or a drain that comes later does it. */
	if (pools_leave(m->p, &made, &ignored) < 0)
		log_debug("%s", ignored.msg);
	return 0;
}

static const struct step steps[] = {
	{"reserve", NULL, reserve, give_up, STEP_PLAIN},
	{"create",  NULL, create,  NULL,    STEP_PLAIN},
	{"settle",  NULL, settle,  NULL,    STEP_PLAIN},
};

int pools_make(struct pools *p, struct err *e)
{
	struct make m = {.p = p, .reservation = -1};
	int r = steps_run("pool make", steps, LEN(steps), &m, e);

	return r < 0 ? r : m.made;
}
