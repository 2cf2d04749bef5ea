#ifndef BRIG_CGROUP_STATS_H
#define BRIG_CGROUP_STATS_H

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"

/*
 * What `events` prints in "data": one JSON object (one line, in the arena) in runc's shape:
 * cpu{usage{total,percpu,kernel,user},throttling{...},psi}, cpuset, memory{cache,usage,swap,
 * kernel,kernelTCP,raw,psi}, pids{current,limit}, blkio{...,psi}, hugetlb{}, intel_rdt,
 * network_interfaces. Files that the layout lacks are left out of the object, never guessed.
 */
int cgroup_stats_json(struct arena *a, const struct cgroup *cg, char **out,
		      struct err *e) MUST_CHECK;

/*
 * Watches for OOM kills: a descriptor that becomes readable when one may have happened (v1:
 * eventfd on memory.oom_control, v2: inotify on memory.events, and on cgroup.events).
 * cgroup_oom_read drains it and returns the number of OOM kills since the last call, 0 if none, -1
 * when the cgroup is gone.
 */
struct cgroup_oom_watch {
	int fd;
	int wd;
	uint64_t seen;
	int events; /* memory.events or memory.oom_control, kept open */
};
int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom_watch *w, struct err *e) MUST_CHECK;
int cgroup_oom_read(struct cgroup_oom_watch *w);
void cgroup_oom_close(struct cgroup_oom_watch *w);

#endif
