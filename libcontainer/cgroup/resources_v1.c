#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "cgroup/settings.h"

/* oci_resources in the words of cgroup v1. */

static void memory(struct settings *s, const struct oci_memory *m)
{
	int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;
	const unsigned int retired = SET_OPTIONAL;

	/* Unlimited memory below an old limit of memory and swap is refused. */
	if (limit == -1 && swap == 0)
		swap = -1;
	/*
	 * memory <= memory+swap holds at each write: raising starts with the second (the first
	 * is EINVAL then), lowering with the first.
	 */
	if (limit)
		settings_addf(s, CG_MEMORY, SET_RETRY, "memory.limit_in_bytes", "%lld",
			      (long long)limit);
	if (swap)
		settings_addf(s, CG_MEMORY, SET_RETRY | (swap == -1 ? SET_OPTIONAL : 0),
			      "memory.memsw.limit_in_bytes", "%lld", (long long)swap);
	if (m->kernel && *m->kernel)
		settings_addf(s, CG_MEMORY, retired, "memory.kmem.limit_in_bytes", "%lld",
			      (long long)*m->kernel);
	if (m->kernel_tcp && *m->kernel_tcp)
		settings_addf(s, CG_MEMORY, retired, "memory.kmem.tcp.limit_in_bytes", "%lld",
			      (long long)*m->kernel_tcp);
	if (m->reservation && *m->reservation)
		settings_addf(s, CG_MEMORY, 0, "memory.soft_limit_in_bytes", "%lld",
			      (long long)*m->reservation);
	if (m->disable_oom_killer && *m->disable_oom_killer)
		settings_add(s, CG_MEMORY, SET_KEEP, "memory.oom_control", "1");
	if (m->swappiness)
		settings_addf(s, CG_MEMORY, 0, "memory.swappiness", "%llu",
			      (unsigned long long)*m->swappiness);
}

static void cpu(struct settings *s, const struct oci_cpu *c)
{
	bool idle = c->idle && *c->idle;

	if (c->idle)
		settings_addf(s, CG_CPU, idle ? 0 : SET_OPTIONAL, "cpu.idle", "%lld",
			      (long long)*c->idle);
	/* An idle group has the least share of all, and refuses another. */
	if (c->shares && *c->shares && !idle)
		settings_addf(s, CG_CPU, 0, "cpu.shares", "%llu", (unsigned long long)*c->shares);
	/* Each is checked against the others as they are at that moment: EINVAL comes later again.
	 */
	if (c->realtime_period && *c->realtime_period)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.rt_period_us", "%llu",
			      (unsigned long long)*c->realtime_period);
	if (c->realtime_runtime && *c->realtime_runtime)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.rt_runtime_us", "%lld",
			      (long long)*c->realtime_runtime);
	if (c->period && *c->period)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.cfs_period_us", "%llu",
			      (unsigned long long)*c->period);
	if (c->burst)
		settings_addf(s, CG_CPU, SET_RETRY | (*c->burst ? 0 : SET_OPTIONAL),
			      "cpu.cfs_burst_us", "%llu", (unsigned long long)*c->burst);
	if (c->quota && *c->quota)
		settings_addf(s, CG_CPU, SET_RETRY, "cpu.cfs_quota_us", "%lld",
			      (long long)*c->quota);
	if (c->cpus && c->cpus[0])
		settings_add(s, CG_CPUSET, 0, "cpuset.cpus", c->cpus);
	if (c->mems && c->mems[0])
		settings_add(s, CG_CPUSET, 0, "cpuset.mems", c->mems);
}

static void throttle(struct settings *s, const char *file, const struct oci_throttle_device *v,
		     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *line =
			arena_printf(s->a, "%lld:%lld %llu", (long long)v[i].major,
				     (long long)v[i].minor, (unsigned long long)v[i].rate);

		settings_add_line(s, CG_IO, file, "0", line);
	}
}

static void device_weight(struct settings *s, const char *file, const struct oci_weight_device *w,
			  uint16_t weight)
{
	const char *line = arena_printf(s->a, "%lld:%lld %u", (long long)w->major,
					(long long)w->minor, weight);

	settings_add_line(s, CG_IO, file, "0", line);
}

static void block_io(struct settings *s, const struct oci_block_io *b)
{
	/* CFQ's files until 5.0, BFQ's since. */
	if (b->weight && *b->weight) {
		settings_addf(s, CG_IO, SET_ELSE, "blkio.weight", "%u", *b->weight);
		settings_addf(s, CG_IO, 0, "blkio.bfq.weight", "%u", *b->weight);
	}
	if (b->leaf_weight && *b->leaf_weight)
		settings_addf(s, CG_IO, 0, "blkio.leaf_weight", "%u", *b->leaf_weight);
	for (size_t i = 0; i < b->n_weight_device; i++) {
		const struct oci_weight_device *w = &b->weight_device[i];

		if (w->weight && *w->weight) {
			device_weight(s, "blkio.weight_device", w, *w->weight);
			s->v[s->n - 1].flags |= SET_ELSE;
			device_weight(s, "blkio.bfq.weight_device", w, *w->weight);
		}
		if (w->leaf_weight && *w->leaf_weight)
			device_weight(s, "blkio.leaf_weight_device", w, *w->leaf_weight);
	}
	throttle(s, "blkio.throttle.read_bps_device", b->read_bps, b->n_read_bps);
	throttle(s, "blkio.throttle.write_bps_device", b->write_bps, b->n_write_bps);
	throttle(s, "blkio.throttle.read_iops_device", b->read_iops, b->n_read_iops);
	throttle(s, "blkio.throttle.write_iops_device", b->write_iops, b->n_write_iops);
}

static void huge_pages(struct settings *s, const struct oci_hugepage_limit *h)
{
	const char *file = arena_printf(s->a, "hugetlb.%s.limit_in_bytes", h->page_size);
	const char *rsvd = arena_printf(s->a, "hugetlb.%s.rsvd.limit_in_bytes", h->page_size);

	settings_addf(s, CG_HUGETLB, 0, file, "%llu", (unsigned long long)h->limit);
	settings_addf(s, CG_HUGETLB, SET_OPTIONAL, rsvd, "%llu", (unsigned long long)h->limit);
}

static void network(struct settings *s, const struct oci_network *n)
{
	if (n->class_id)
		settings_addf(s, CG_NET_CLS, 0, "net_cls.classid", "%u", *n->class_id);
	for (size_t i = 0; i < n->n_priorities; i++)
		settings_add_line(s, CG_NET_PRIO, "net_prio.ifpriomap", "0",
				  arena_printf(s->a, "%s %u", n->priorities[i].name,
					       n->priorities[i].priority));
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

int settings_v1(struct settings *s, const struct oci_resources *r, const struct cgroup *live,
		struct err *e)
{
	int x = settings_check(r, e);

	if (x < 0)
		return x;
	if (r->n_unified)
		return err_msg(e, EINVAL,
			       "invalid configuration: linux.resources.unified needs cgroup v2");
	if (r->memory)
		memory(s, r->memory);
	if (r->cpu)
		cpu(s, r->cpu);
	if (r->pids && (r->pids->limit || live)) {
		/* 0 is what an absent limit reads as; in an update it was given, and means few. */
		if (r->pids->limit < 0)
			settings_add(s, CG_PIDS, 0, "pids.max", "max");
		else
			settings_addf(s, CG_PIDS, 0, "pids.max", "%lld",
				      r->pids->limit ? (long long)r->pids->limit : 1);
	}
	if (r->block_io)
		block_io(s, r->block_io);
	for (size_t i = 0; i < r->n_hugepage_limits; i++)
		huge_pages(s, &r->hugepage_limits[i]);
	if (r->network)
		network(s, r->network);
	for (size_t i = 0; i < r->n_rdma; i++)
		rdma(s, &r->rdma[i]);
	return 0;
}
