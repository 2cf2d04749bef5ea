#include "watch.h"

#include "evidence.h"

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "fs/disk.h"
#include "resolver.h"
#include "taint.h"

/* --- what was there before ---------------------------------------------------------------- */

const struct state_baseline *watch_baseline(struct arena *a, const struct cgroup *cg,
					    const struct cgroup_record *r)
{
	struct state_baseline *b;
	struct cgroup_meters m;
	struct cgroup_usage u;
	bool kept = false;

	for (size_t i = 0; i < r->n_dirs; i++)
		kept = kept || r->dirs[i].kept;
	if (!kept)
		return NULL;
	cgroup_meters_open(cg, METERS_RESULT, &m);
	cgroup_meters_read(&m, &u);
	cgroup_meters_close(&m);
	b = arena_new(a, sizeof(*b));
#define KEEP(member) b->member = u.member;
	CGROUP_EACH_COUNTER(KEEP)
#undef KEEP
	return b;
}

static struct cgroup_usage usage_of(const struct state_baseline *b)
{
	struct cgroup_usage u;

	cgroup_usage_unknown(&u);
#define KEEP(member) u.member = b->member;
	CGROUP_EACH_COUNTER(KEEP)
#undef KEEP
	return u;
}

/* --- the descriptors ---------------------------------------------------------------------- */

void watch_open(struct watch *w, const struct cgroup *cg, uint32_t set, bool oom)
{
	struct cgroup_oom_watch o;
	struct err ignored;

	cgroup_meters_close(&w->meters); /* a smaller set may have been open for a warden */
	cgroup_meters_open(cg, set, &w->meters);
	if (!oom)
		return;
	/* The count is METER_OOM's. */
	if (cgroup_oom_open(cg, &o, &ignored) < 0)
		return;
	w->oom = take_fd(&o.fd);
	cgroup_oom_close(&o);
}

void watch_keep(struct watch *w, const struct cgroup *cg, uint32_t set, bool oom)
{
	bool fleeting = cgroup_is_fleeting(cg);

	watch_open(w, cg, fleeting ? set | METER_BIT(METER_LIFE) : set, oom);
	/* Best effort: what nobody saw in time is unknown. */
	if (fleeting)
		(void)cgroup_meters_keep(&w->meters);
}

void watch_close(struct watch *w)
{
	cgroup_meters_close(&w->meters);
	for (size_t i = 0; i < w->n_disks; i++)
		own_close(&w->disks[i]);
	w->n_disks = 0;
	own_close(&w->oom);
}

/* What is not told any more, for the cgroup may have gone, from who looked last. */
static void read_all(const struct watch *w, struct cgroup_usage *out)
{
	struct cgroup_usage kept;

	cgroup_meters_read(&w->meters, out);
	if (!cgroup_meters_kept(&w->meters, &kept))
		cgroup_usage_unknown(&kept);
	if (w->looked)
		cgroup_usage_join(&kept, &w->last);
	cgroup_usage_fill(out, &kept);
}

/* Only all of them together tell anything. */
static void add_disks(const struct watch *w, struct result_facts *out)
{
	uint64_t bytes = 0, inodes = 0, size = 0;
	bool bounded = true;
	struct fs_disk d;

	for (size_t i = 0; i < w->n_disks; i++) {
		if (!fs_disk_of(w->disks[i], &d))
			return;
		bytes += d.bytes;
		inodes += d.inodes;
		size += d.size;
		bounded = bounded && d.size;
	}
	if (!w->n_disks || bytes > INT64_MAX || inodes > INT64_MAX)
		return;
	out->disk_bytes = (int64_t)bytes;
	out->disk_inodes = (int64_t)inodes;
	out->disk_size = bounded && size <= INT64_MAX ? (int64_t)size : 0;
}

void watch_look(struct watch *w)
{
	struct cgroup_usage now;

	read_all(w, &now);
	w->last = now;
	w->looked = true;
}

void watch_usage(const struct watch *w, struct result_facts *out)
{
	read_all(w, &out->usage);
	watch_since(w->state->baseline, &out->usage);
	add_disks(w, out);
}

void watch_since(const struct state_baseline *b, struct cgroup_usage *io)
{
	if (!b)
		return;
	const struct cgroup_usage start = usage_of(b);

	cgroup_usage_since(io, &start);
}

void watch_network(struct arena *a, int dir, struct result_facts *out)
{
	struct brig_network *n = arena_new(a, sizeof(*n));
	struct err e;
	int r = resolver_network_read(a, dir, n, &e);

	if (r == 0)
		out->network = n;
	else if (r != -ENOENT)
		log_warn("%s: it is not believed", e.msg);
}

void watch_violations(struct arena *a, int dir, struct result_facts *out)
{
	struct err e;

	if (warden_violations_read(a, dir, &out->violations, &out->n_violations, &e) < 0)
		log_warn("%s: it is not believed", e.msg);
}

/* --- a warden's gauges -------------------------------------------------------------------- */

/* How a meter is numbered on its way; the layout goes with each. */
enum { KIND_OOM = CGROUP_METERS, KIND_V2 = 0x40, KIND_MASK = 0x3f };
_Static_assert(KIND_OOM <= KIND_MASK, "kinds have room");
_Static_assert(CGROUP_METERS + 1 <= WARDEN_METERS, "all fit into one message");

static void take(void *ctx, const uint8_t *kinds, const int *fds, size_t n)
{
	struct watch *w = ctx;

	for (size_t i = 0; i < n; i++) {
		unsigned int kind = kinds[i] & KIND_MASK;

		w->meters.v2 = w->meters.v2 || kinds[i] & KIND_V2;
		if (kind < CGROUP_METERS)
			w->meters.fds[kind] = fds[i];
		else if (kind == KIND_OOM)
			w->oom = fds[i];
		else
			(void)close(fds[i]);
	}
}

static int64_t since(int64_t now, int64_t start)
{
	return now < start || start < 0 ? -1 : now - start;
}

static int64_t cpu_ns(void *ctx)
{
	const struct watch *w = ctx;
	const struct state_baseline *b = w->state->baseline;

	return since(cgroup_meters_cpu_ns(&w->meters), b ? b->cpu_ns : 0);
}

static int64_t oom_kills(void *ctx)
{
	const struct watch *w = ctx;
	const struct state_baseline *b = w->state->baseline;

	int64_t now = cgroup_meters_oom_kills(&w->meters);

	if (now < 0 && w->looked)
		now = w->last.oom_kills;
	return since(now, b ? b->oom_kills : 0);
}

static int64_t pids_refused(void *ctx)
{
	const struct watch *w = ctx;
	const struct state_baseline *b = w->state->baseline;
	int64_t now = cgroup_meters_pids_refused(&w->meters);

	if (now < 0 && w->looked)
		now = w->last.pids_refused;
	return since(now, b ? b->pids_refused : 0);
}

static int pids_fd(void *ctx)
{
	const struct cgroup_meters *m = &((const struct watch *)ctx)->meters;

	/* v1 counts without waking anybody (pids_event, kernel/cgroup/pids.c). */
	return m->v2 ? m->fds[METER_PIDS_REFUSED] : -1;
}

static int oom_fd(void *ctx)
{
	return ((const struct watch *)ctx)->oom;
}

static void oom_drained(void *ctx)
{
	char buf[1024];

	(void)!read(((const struct watch *)ctx)->oom, buf, sizeof(buf));
}

static void look(void *ctx)
{
	watch_look(ctx);
}

static void take_disks(void *ctx, const int *fds, size_t n)
{
	struct watch *w = ctx;

	for (size_t i = 0; i < n; i++)
		if (w->n_disks < WARDEN_DISKS)
			w->disks[w->n_disks++] = fds[i];
		else
			(void)close(fds[i]);
}

/* In the detached warden, confined. */
static void finish(void *ctx, int dir, const struct warden_end *end, const struct exit_info *x)
{
	own_arena struct arena a = {0};
	const struct watch *w = ctx;
	struct result_facts f;
	struct brig_result r;
	struct err unstarted, ignored;

	watch_facts(w->state, &f);
	if (!end->started_ns)
		f.failed = result_unstarted(&unstarted);
	f.end = *end;
	f.exit = *x;
	f.started_ns = end->started_ns;
	f.ended_ns = end->ended_ns;
	watch_usage(w, &f);
	watch_network(&a, dir, &f);
	watch_violations(&a, dir, &f);
	result_compose(&a, &f, &r);
	taint_of_result(&a, dir, &r, NULL);
	/* First: where there is a result, who deletes takes it as told. */
	if (w->evidence)
		evidence_exited(w->evidence, &r);
	/* The directory may be gone, or full: the next verb tells what it can. */
	(void)!result_write(dir, &r, &ignored);
}

struct warden_gauges watch_gauges(struct watch *w, bool writes)
{
	return (struct warden_gauges){
		.ctx = w,
		.take = take,
		.cpu_ns = cpu_ns,
		.oom_kills = oom_kills,
		.pids_refused = pids_refused,
		.pids_fd = pids_fd,
		.oom_fd = oom_fd,
		.oom_drained = oom_drained,
		.look = look,
		.disks = take_disks,
		.finish = writes ? finish : NULL,
	};
}

int watch_send(struct watch *w, struct warden_detached *to, struct err *e)
{
	uint8_t kinds[WARDEN_METERS], v2 = w->meters.v2 ? KIND_V2 : 0;
	int fds[WARDEN_METERS];
	size_t n = 0;

	for (unsigned int i = 0; i <= CGROUP_METERS; i++) {
		int fd = i < CGROUP_METERS ? w->meters.fds[i] : w->oom;

		if (fd < 0)
			continue;
		kinds[n] = (uint8_t)(i | v2);
		fds[n++] = fd;
	}
	int r = warden_detached_meters(to, kinds, fds, n, e);
	watch_close(w);
	return r;
}

void watch_facts(const struct brig_state *s, struct result_facts *out)
{
	*out = (struct result_facts){
		.id = s->id,
		.level = s->level,
		.digest = s->digest,
		.generation = s->reuse ? s->reuse->generation : 0,
		.ctx = {s->ctx_request, s->ctx_principal},
		.oom_ends_all = s->oom_ends_all,
		.filter_kills = s->filter_kills,
		.started_ns = s->started_ns,
		.clock_offset_ns = clock_offset_ns(),
	};
	cgroup_usage_unknown(&out->usage);
	out->disk_bytes = out->disk_inodes = -1;
}
