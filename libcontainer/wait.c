/* wait: until a container has ended, and how that was. */
#include "wait.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "evidence.h"
#include "result.h"
#include "status.h"
#include "store.h"

enum { NS_PER_MS = 1000000 };

/* A deadline on CLOCK_MONOTONIC; 0: none. */
static int ms_left(uint64_t until)
{
	enum { LONGEST = 1 << 30 };
	uint64_t now = clock_monotonic_ns();

	if (!until)
		return -1;
	if (until <= now)
		return 0;
	uint64_t ms = (until - now + NS_PER_MS - 1) / NS_PER_MS;
	return ms > LONGEST ? LONGEST : (int)ms;
}

/* While it is being made there is nothing yet that could be waited for. */
static int load_made(struct arena *a, int dir, const char *id, uint64_t until,
		     struct brig_state *out, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 10000000};
	struct stat st;

	for (;;) {
		bool busy = store_is_locked(dir);
		int r = store_load(dir, a, out, e);

		if (fstat(dir, &st) < 0 || st.st_nlink == 0)
			return err_msg(e, ENOENT, "container does not exist: %s", id);
		if (r < 0 && r != -ENOENT)
			return r;
		if (r == 0 && (out->pid || !str_eq(out->status, "creating")))
			return 0;
		if (!busy)
			return r < 0 ? err_msg(e, ENOENT,
					       "container %s has no state: its making was cut "
					       "short",
					       id)
				     : 0;
		if (ms_left(until) == 0)
			return err_msg(e, ETIMEDOUT, "container %s is being made", id);
		(void)nanosleep(&pause, NULL);
	}
}

/* Whether somebody writes the result who is not there yet: a warden, a run in the foreground. */
static bool has_writer(const struct brig_state *s)
{
	return (s->warden_pid &&
		process_start_time((pid_t)s->warden_pid) == s->warden_start_time) ||
	       (s->runner_pid && kill((pid_t)s->runner_pid, 0) == 0);
}

/* Behind the lock: it may have been reset since it was looked at. */
static bool is_still(struct arena *a, int dir, const struct brig_state *s)
{
	struct brig_state now;
	struct err ignored;

	return store_load(dir, a, &now, &ignored) == 0 && now.pid == s->pid &&
	       now.start_time == s->start_time && !(now.reuse && now.reuse->journal) &&
	       faccessat(dir, STORE_RESULT, F_OK, 0) < 0;
}

/*
 * For who asks next, when the traces are gone: unless somebody works on it, who does the same.
 * Who writes the result has told the audit log of it.
 */
static void keep(struct arena *a, int dir, const struct brig_state *s, const struct brig_result *r)
{
	struct err why;

	if (faccessat(dir, STORE_RESULT, F_OK, 0) == 0 || (s->audit && has_writer(s)) ||
	    flock(dir, LOCK_EX | LOCK_NB) < 0)
		return;
	if (is_still(a, dir, s)) {
		evidence_tell_exit(s, r);
		if (result_write(dir, r, &why) < 0)
			log_debug("%s", why.msg);
	}
	store_unlock(dir);
}

/* --- of one generation ---------------------------------------------------------------------- */

static bool is_another(const struct waiting *w, const struct brig_state *now)
{
	return w->generation && now->reuse &&
	       (now->reuse->generation != w->generation || str_eq(now->reuse->journal, "destroy"));
}

/*
 * Whether what lies there may be another generation's.  Its number is raised before anything of the
 * next one is written, so asked behind a look this says whose that was.
 */
static bool has_moved(const struct waiting *w)
{
	own_arena struct arena a = {0};
	struct brig_state now;
	struct err ignored;

	return store_load(w->dir, &a, &now, &ignored) == 0 && is_another(w, &now);
}

/* A reset keeps the result of the generation before; first where it is before it is renamed. */
static int recall(const struct waiting *w, struct brig_result *out, struct err *e)
{
	const char *kept = arena_printf(w->arena, STORE_RESULT_OF, w->generation);
	const char *const names[] = {STORE_RESULT, kept};
	struct err ignored;

	for (size_t i = 0; i < LEN(names); i++)
		if (result_read_at(w->arena, w->dir, names[i], out, &ignored) == 0 &&
		    out->generation == w->generation)
			return 0;
	*out = (struct brig_result){0};
	return err_msg(e, ESTALE,
		       "container %s was reset: how generation %" PRIu64 " ended is not on record",
		       w->state.id, w->generation);
}

int waiting_begin(struct waiting *w, struct arena *a, int dir, const char *id,
		  const uint64_t *generation, uint64_t until, struct err *e)
{
	struct cgroup *cg = NULL;
	struct err ignored;

	*w = WAITING_NONE;
	w->arena = a;
	w->dir = dir;
	w->joined = outcome_join(dir, e);
	if (w->joined < 0 || load_made(a, dir, id, until, &w->state, e) < 0)
		return -e->code;
	if (w->state.reuse)
		w->generation = generation ? *generation : w->state.reuse->generation;
	w->moved = is_another(w, &w->state);
	if (w->moved)
		return 0;
	/* A cgroup that cannot be looked at leaves the rest to be told. */
	if (cgroup_open(a, &w->state.cgroup, &cg, &ignored) < 0)
		cg = NULL;
	outcome_open(&w->outcome, dir, &w->state, cg);
	cgroup_close(cg);
	return 0;
}

int waiting_await(struct waiting *w, uint64_t until, struct brig_result *out, struct err *e)
{
	int r = 0;

	if (w->moved)
		return recall(w, out, e);
	/* poll(2) counts no more than some weeks at a time. */
	do
		r = outcome_await(&w->outcome, ms_left(until), e);
	while (r == -ETIMEDOUT && ms_left(until) > 0);
	if (r < 0)
		return r;
	/* Also before: the last words of another generation's warden are long in coming. */
	if (has_moved(w))
		return recall(w, out, e);
	outcome_tell(w->arena, &w->outcome, true, out);
	if (has_moved(w))
		return recall(w, out, e);
	if (outcome_is_settled(&w->outcome))
		keep(w->arena, w->dir, &w->state, out);
	return 0;
}

void waiting_end(struct waiting *w)
{
	outcome_close(&w->outcome);
	own_close(&w->joined);
}

/* --- by its id -------------------------------------------------------------------------------- */

static uint64_t deadline(const uint64_t *ms)
{
	const uint64_t longest = UINT64_C(1) << 40; /* some decades, and no overflow */

	if (!ms)
		return 0;
	return clock_monotonic_ns() + (*ms < longest ? *ms : longest) * NS_PER_MS;
}

int container_wait(const struct container_host *h, const char *id, const uint64_t *ms,
		   struct arena *a, struct brig_result *out, struct err *e)
{
	const uint64_t until = deadline(ms);
	struct waiting w = WAITING_NONE;
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	int r = waiting_begin(&w, a, dir, id, NULL, until, e);
	if (r == 0)
		r = waiting_await(&w, until, out, e);
	waiting_end(&w);
	return r;
}
