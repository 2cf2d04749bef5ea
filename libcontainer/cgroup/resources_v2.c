#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/convert.h"
#include "cgroup/settings.h"
#include "cgroup/text.h"

/* oci_resources in the words of cgroup v2, with conversions of what was meant for v1. */

static int no_such(struct err *e, const char *what)
{
	return err_msg(e, ENOTSUP, "linux.resources.%s: cgroup v2 has nothing like it", what);
}

static void size_or_max(struct settings *s, unsigned int flags, const char *file, int64_t v)
{
	if (v < 0)
		settings_add(s, CG_MEMORY, flags, file, "max");
	else
		settings_addf(s, CG_MEMORY, flags, file, "%lld", (long long)v);
}

/* The limit in force, for an update that only names memory+swap. */
static int64_t current_limit(const struct cgroup *live)
{
	const struct cg_dir *d = live ? cg_find(live, CG_MEMORY) : NULL;
	char text[32];
	uint64_t v;

	if (!d || cg_peek(d, "memory.max", text, sizeof(text)) <= 0 || !cg_limit(text, &v))
		return 0;
	return v > INT64_MAX ? -1 : (int64_t)v;
}

static int memory(struct settings *s, const struct oci_memory *m, const struct cgroup *live,
		  struct err *e)
{
	int64_t limit = m->limit ? *m->limit : 0, memsw = m->swap ? *m->swap : 0, swap;
	bool set;

	if (m->disable_oom_killer && *m->disable_oom_killer)
		return no_such(e, "memory.disableOOMKiller");
	if (m->swappiness)
		return no_such(e, "memory.swappiness");
	if ((m->kernel && *m->kernel) || (m->kernel_tcp && *m->kernel_tcp))
		log_debug("limits of kernel memory are part of memory.max on cgroup v2: ignored");
	int r = cg_memsw_to_swap(limit || !memsw ? limit : current_limit(live), memsw, &swap, &set,
				 e);
	if (r < 0)
		return r;
	/* Without swap accounting "none" and "unlimited" are true already. */
	if (set)
		size_or_max(s, swap <= 0 ? SET_OPTIONAL : 0, "memory.swap.max", swap);
	if (limit)
		size_or_max(s, 0, "memory.max", limit);
	if (m->reservation && *m->reservation)
		size_or_max(s, 0, "memory.low", *m->reservation);
	return 0;
}

/* cpu.max is "QUOTA PERIOD"; a quota alone keeps the period, not so the other way round. */
static void cpu_max(struct settings *s, const struct oci_cpu *c, const struct cgroup *live)
{
	const struct cg_dir *d = live ? cg_find(live, CG_CPU) : NULL;
	int64_t quota = c->quota ? *c->quota : 0;
	uint64_t period = c->period ? *c->period : 0;
	char text[64] = "max";

	if (quota > 0)
		snprintf(text, sizeof(text), "%lld", (long long)quota);
	else if (!quota && d && cg_peek(d, "cpu.max", text, sizeof(text)) > 0)
		text[strcspn(text, " ")] = '\0';
	if (period)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.max", "%s %llu", text,
			      (unsigned long long)period);
	else if (quota)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.max", "%s", text);
}

static int cpu(struct settings *s, const struct oci_cpu *c, const struct cgroup *live,
	       struct err *e)
{
	bool idle = c->idle && *c->idle;

	if ((c->realtime_period && *c->realtime_period) ||
	    (c->realtime_runtime && *c->realtime_runtime))
		return no_such(e, "cpu.realtimeRuntime");
	if (c->idle)
		settings_addf(s, CG_CPU, idle ? 0 : SET_OPTIONAL, "cpu.idle", "%lld",
			      (long long)*c->idle);
	/* An idle group has the least weight of all, and refuses another. */
	if (c->shares && *c->shares && !idle)
		settings_addf(s, CG_CPU, 0, "cpu.weight", "%llu",
			      (unsigned long long)cg_shares_to_weight(*c->shares));
	/* burst <= quota is checked at each write: what is refused first comes again. */
	if (c->burst)
		settings_addf(s, CG_CPU, SET_RETRY | (*c->burst ? 0 : SET_OPTIONAL),
			      "cpu.max.burst", "%llu", (unsigned long long)*c->burst);
	cpu_max(s, c, live);
	if (c->cpus && c->cpus[0])
		settings_add(s, CG_CPUSET, 0, "cpuset.cpus", c->cpus);
	if (c->mems && c->mems[0])
		settings_add(s, CG_CPUSET, 0, "cpuset.mems", c->mems);
	return 0;
}

static void throttle(struct settings *s, const char *key, const struct oci_throttle_device *v,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *unset = arena_printf(s->a, "%s=max", key);
		const char *line =
			arena_printf(s->a, "%lld:%lld %s=%llu", (long long)v[i].major,
				     (long long)v[i].minor, key, (unsigned long long)v[i].rate);

		/* On v1 a rate of 0 takes the limit away. */
		if (!v[i].rate)
			line = arena_printf(s->a, "%lld:%lld %s", (long long)v[i].major,
					    (long long)v[i].minor, unset);
		settings_add_line(s, CG_IO, "io.max", unset, line);
	}
}

static int block_io(struct settings *s, const struct oci_block_io *b, struct err *e)
{
	if (b->leaf_weight && *b->leaf_weight)
		return no_such(e, "blockIO.leafWeight");
	/* BFQ, where it is there, uses v1's scale. */
	if (b->weight && *b->weight) {
		settings_addf(s, CG_IO, SET_ELSE, "io.bfq.weight", "%u", *b->weight);
		settings_addf(s, CG_IO, 0, "io.weight", "default %llu",
			      (unsigned long long)cg_blkio_to_io_weight(*b->weight));
	}
	for (size_t i = 0; i < b->n_weight_device; i++) {
		const struct oci_weight_device *w = &b->weight_device[i];
		const char *dev =
			arena_printf(s->a, "%lld:%lld", (long long)w->major, (long long)w->minor);

		if (w->leaf_weight && *w->leaf_weight)
			return no_such(e, "blockIO.weightDevice.leafWeight");
		if (!w->weight || !*w->weight)
			continue;
		settings_add_line(s, CG_IO, "io.bfq.weight", "default",
				  arena_printf(s->a, "%s %u", dev, *w->weight));
		s->v[s->n - 1].flags |= SET_ELSE;
		settings_add_line(
			s, CG_IO, "io.weight", "default",
			arena_printf(s->a, "%s %llu", dev,
				     (unsigned long long)cg_blkio_to_io_weight(*w->weight)));
	}
	throttle(s, "rbps", b->read_bps, b->n_read_bps);
	throttle(s, "wbps", b->write_bps, b->n_write_bps);
	throttle(s, "riops", b->read_iops, b->n_read_iops);
	throttle(s, "wiops", b->write_iops, b->n_write_iops);
	return 0;
}

static void huge_pages(struct settings *s, const struct oci_hugepage_limit *h)
{
	const char *file = arena_printf(s->a, "hugetlb.%s.max", h->page_size);
	const char *rsvd = arena_printf(s->a, "hugetlb.%s.rsvd.max", h->page_size);

	settings_addf(s, CG_HUGETLB, 0, file, "%llu", (unsigned long long)h->limit);
	settings_addf(s, CG_HUGETLB, SET_OPTIONAL, rsvd, "%llu", (unsigned long long)h->limit);
}

static void rdma(struct settings *s, const struct oci_rdma *d)
{
	char handles[32] = "", objects[32] = "";

	if (d->hca_handles)
		snprintf(handles, sizeof(handles), " hca_handle=%u", *d->hca_handles);
	if (d->hca_objects)
		snprintf(objects, sizeof(objects), " hca_object=%u", *d->hca_objects);
	if (handles[0] || objects[0])
		settings_add_line(s, CG_RDMA, "rdma.max", "hca_handle=max hca_object=max",
				  arena_printf(s->a, "%s%s%s", d->device, handles, objects));
}

/* Files with a line per device: what after the device takes the line away. */
static const struct {
	const char *file, *unset;
} by_line[] = {
	{"io.max",        "rbps=max wbps=max riops=max wiops=max"},
	{"io.weight",     "default"                              },
	{"io.bfq.weight", "default"                              },
	{"io.latency",    "target=0"                             },
	{"rdma.max",      "hca_handle=max hca_object=max"        },
};

static void unified_value(struct settings *s, enum cg_ctrl c, const char *file, const char *value)
{
	const char *unset = NULL;

	for (size_t i = 0; i < LEN(by_line); i++)
		if (strcmp(by_line[i].file, file) == 0)
			unset = by_line[i].unset;
	if (!unset) {
		settings_add(s, c, 0, file, value);
		return;
	}
	for (size_t n; *value; value += n + (value[n] == '\n')) {
		n = strcspn(value, "\n");
		if (n)
			settings_add_line(s, c, file, unset, arena_strndup(s->a, value, n));
	}
}

static int unified(struct settings *s, const struct oci_map *m, struct err *e)
{
	/* These are brig's own business: they move or end processes. */
	static const char *const refused[] = {"cgroup.procs", "cgroup.threads", "cgroup.kill",
					      "cgroup.freeze", "cgroup.type"};
	const char *dot = strchr(m->key, '.');

	if (strchr(m->key, '/'))
		return err_msg(e, EINVAL,
			       "unified resource \"%s\" must be a file name (no slashes)", m->key);
	if (!dot || dot == m->key)
		return err_msg(e, EINVAL,
			       "unified resource \"%s\" must be in the form CONTROLLER.PARAMETER",
			       m->key);
	for (size_t i = 0; i < LEN(refused); i++)
		if (strcmp(m->key, refused[i]) == 0)
			return err_msg(e, EINVAL, "unified resource \"%s\" can't be set", m->key);
	const char *name = arena_strndup(s->a, m->key, (size_t)(dot - m->key));
	uint32_t mask = cg_ctrls(name, " ");
	/* A controller that is unknown here is left to the kernel: its file is there or not. */
	enum cg_ctrl c = mask ? (enum cg_ctrl)__builtin_ctz(mask) : CG_CORE;
	unified_value(s, c, m->key, m->value);
	return 0;
}

int settings_v2(struct settings *s, const struct oci_resources *r, const struct cgroup *live,
		struct err *e)
{
	int x = settings_check(r, e);

	if (x >= 0 && r->memory)
		x = memory(s, r->memory, live, e);
	if (x >= 0 && r->cpu)
		x = cpu(s, r->cpu, live, e);
	if (x >= 0 && r->pids && (r->pids->limit || live)) {
		if (r->pids->limit < 0)
			settings_add(s, CG_PIDS, 0, "pids.max", "max");
		else
			settings_addf(s, CG_PIDS, 0, "pids.max", "%lld",
				      r->pids->limit ? (long long)r->pids->limit : 1);
	}
	if (x >= 0 && r->block_io)
		x = block_io(s, r->block_io, e);
	for (size_t i = 0; x >= 0 && i < r->n_hugepage_limits; i++)
		huge_pages(s, &r->hugepage_limits[i]);
	if (x >= 0 && r->network && (r->network->class_id || r->network->n_priorities))
		x = no_such(e, "network");
	for (size_t i = 0; x >= 0 && i < r->n_rdma; i++)
		rdma(s, &r->rdma[i]);
	for (size_t i = 0; x >= 0 && i < r->n_unified; i++)
		x = unified(s, &r->unified[i], e);
	return x;
}
