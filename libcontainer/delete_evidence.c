/* delete --keep-evidence: while there is something left to look at. */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "cgroup/cgroup.h"
#include "delete.h"
#include "layers_open.h"
#include "outcome.h"
#include "quarantine.h"
#include "store.h"
#include "taint.h"
#include "warden/warden.h"

enum { KILL_WAIT_MS = 10000, WRITTEN_MS = 1000 };

static int keep(struct arena *a, int to, const char *where, int dir, const struct brig_state *s,
		struct err *e)
{
	/* Its warden still has them, until destroy ends it. */
	struct layers *l = layers_if_kept(a, dir, s);
	const struct quarantine q = {
		.layers = l,
		.arena = a,
		.where = where,
		.to = to,
		.dir = dir,
		.state = s,
		.generation = s->reuse ? s->reuse->generation : 1,
	};
	const char *path;

	int r = quarantine_keep(&q, &path, e);
	if (l)
		layers_close(l);
	return r;
}

/* What its warden is about to write says more than what can be told without it. */
static void await_result(int dir, const struct brig_state *s)
{
	const struct timespec pause = {.tv_nsec = 2000000};

	for (int ms = 0; s->warden_pid && ms < WRITTEN_MS; ms += 2) {
		if (faccessat(dir, STORE_RESULT, F_OK, 0) == 0 ||
		    warden_presence(dir) != WARDEN_LISTENS)
			return;
		(void)nanosleep(&pause, NULL);
	}
}

/* Taint that only its result knows counts, too: at standard the kernel ends it for a call. */
int delete_keep_evidence(struct arena *a, int to, const char *where, int dir,
			 const struct brig_state *s, struct err *e)
{
	struct brig_result r = {0};
	struct cgroup *cg = NULL;
	struct outcome o;
	struct taint t = {0};

	if (cgroup_open(a, &s->cgroup, &cg, e) < 0)
		return -e->code;
	outcome_open(&o, dir, s, cg);
	int w = container_stop(s, cg, e);
	if (w == 0)
		w = outcome_await(&o, KILL_WAIT_MS, e);
	if (w == 0) {
		await_result(dir, s);
		outcome_tell(a, &o, true, &r);
		taint_of_result(a, dir, &r, &t);
	}
	outcome_close(&o);
	cgroup_close(cg);
	if (w < 0 || !t.n)
		return w;
	/* An audited one's is written by who tells the log of it: destroy. */
	if (!s->audit && faccessat(dir, STORE_RESULT, F_OK, 0) < 0 && result_write(dir, &r, e) < 0)
		return -e->code;
	return keep(a, to, where, dir, s, e);
}
