#ifndef BRIG_CGROUP_METERS_H
#define BRIG_CGROUP_METERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "cgroup/cgroup.h"

/*
 * What a cgroup has used, read from descriptors that can be opened early and read late: also by a
 * process that may open nothing (a confined warden), and after the directory was removed by others
 * (ENODEV: what was read last holds then).
 */

/* -1: this layout or kernel does not tell, or the file could not be read.  Never guessed. */
struct cgroup_usage {
	int64_t cpu_ns, user_ns, system_ns;
	int64_t throttled_ns, throttled; /* by the quota; how many periods */
	int64_t memory, memory_peak, swap, swap_peak;
	int64_t oom_kills;   /* processes that were killed for memory */
	int64_t memory_hits; /* times the limit was met, by reclaim or a kill; v1: rarely told */
	int64_t pids, pids_peak, pids_refused;
	int64_t read_bytes, write_bytes, reads, writes;
	int64_t memory_limit, pids_limit; /* -1 also: none */
};
void cgroup_usage_unknown(struct cgroup_usage *out); /* all -1 */
/* What is unknown becomes what it was in last, but for what is of the moment. */
void cgroup_usage_fill(struct cgroup_usage *io, const struct cgroup_usage *last);
/* The same of two looks of which either may be the later one: what is counted only grows. */
void cgroup_usage_join(struct cgroup_usage *io, const struct cgroup_usage *other);

/*
 * A file each; which are there depends on the layout: where v2 tells several in one file only the
 * first has a descriptor.  v1 counts oom_kill, failcnt and refused forks of the cgroup itself, not
 * of sub-cgroups, and without cgroup2 beside it splits CPU time in clock ticks.
 */
enum cgroup_meter {
	METER_CPU,       /* v1 cpuacct.usage; v2 cpu.stat */
	METER_CPU_SPLIT, /* and the total; hybrid: cgroup2's cpu.stat; v1 cpuacct.stat */
	METER_THROTTLED, /* v1 cpu.stat */
	METER_MEMORY,    /* usage_in_bytes, memory.current */
	METER_MEMORY_PEAK,
	METER_MEMORY_HITS, /* v1 failcnt */
	METER_SWAP_HITS,   /* v1 memsw.failcnt: see hits_v1 */
	METER_OOM,         /* v1 memory.oom_control, v2 memory.events */
	METER_SWAP,
	METER_SWAP_PEAK,
	METER_PIDS,
	METER_PIDS_PEAK,
	METER_PIDS_REFUSED, /* pids.events */
	METER_IO_BYTES,     /* v1 throttle.io_service_bytes_recursive, v2 io.stat */
	METER_IO_COUNT,
	METER_MEMORY_LIMIT,
	METER_PIDS_LIMIT,
	METER_LIFE,   /* cgroup2's cgroup.events, also beside v1; told of by cgroup_meters_keep */
	METER_KEPT,   /* of a keeper: no file of the cgroup, what it has read last */
	METER_KEEPER, /* and a pipe that it holds */
	CGROUP_METERS
};
#define METER_BIT(m) (UINT32_C(1) << (m))
#define METERS_ALL   (METER_BIT(METER_LIFE) - 1)
/* What is worth keeping open for a result: no current values, no limits. */
#define METERS_RESULT                                                                              \
	(METERS_ALL & ~(METER_BIT(METER_MEMORY) | METER_BIT(METER_SWAP) | METER_BIT(METER_PIDS) |  \
			METER_BIT(METER_MEMORY_LIMIT) | METER_BIT(METER_PIDS_LIMIT)))

struct cgroup_meters {
	bool v2;
	int fds[CGROUP_METERS]; /* -1: not there */
};
#define CGROUP_METERS_NONE ((struct cgroup_meters){.fds = {[0 ... CGROUP_METERS - 1] = -1}})

/* Those of the set that the cgroup has; none at all is no error. */
void cgroup_meters_open(const struct cgroup *cg, uint32_t set, struct cgroup_meters *out);
void cgroup_meters_close(struct cgroup_meters *m);
/* Everything that is open, by pread(2) alone, which a confined reader must be allowed. */
void cgroup_meters_read(const struct cgroup_meters *m, struct cgroup_usage *out);
/* One value of it, quickly: METER_CPU and METER_OOM; -1: unknown. */
int64_t cgroup_meters_cpu_ns(const struct cgroup_meters *m);
int64_t cgroup_meters_pids_refused(const struct cgroup_meters *m);
int64_t cgroup_meters_oom_kills(const struct cgroup_meters *m);

/*
 * For a cgroup that may be gone when its sandbox is seen to end: a process of its own looks at
 * everything that is open, METER_LIFE among it, when a process was refused or killed for memory and
 * when the cgroup has become empty.  It ends then, or when nobody has METER_KEEPER any more. false:
 * it could not be started, there is none.
 */
bool cgroup_is_fleeting(const struct cgroup *cg);
bool cgroup_meters_keep(struct cgroup_meters *m);
/* What it saw last; false: there is none, or the cgroup is still populated.  After
 * cgroup_meters_read: what was populated then has told everything. */
bool cgroup_meters_kept(const struct cgroup_meters *m, struct cgroup_usage *out);

/*
 * For a cgroup that counted before the sandbox began (made by others, or used again): counters
 * lose what was counted at the start, and are unknown where they have become smaller (reset by
 * others); a peak that has not grown since is unknown.
 */
void cgroup_usage_since(struct cgroup_usage *io, const struct cgroup_usage *start);

/* The members of struct cgroup_usage that grow, or are peaks; struct state_baseline has the same.
 */
#define CGROUP_EACH_COUNTER(DO)                                                                    \
	DO(cpu_ns)                                                                                 \
	DO(user_ns)                                                                                \
	DO(system_ns)                                                                              \
	DO(throttled_ns)                                                                           \
	DO(throttled)                                                                              \
	DO(memory_peak)                                                                            \
	DO(swap_peak)                                                                              \
	DO(oom_kills)                                                                              \
	DO(memory_hits)                                                                            \
	DO(pids_peak)                                                                              \
	DO(pids_refused)                                                                           \
	DO(read_bytes)                                                                             \
	DO(write_bytes)                                                                            \
	DO(reads)                                                                                  \
	DO(writes)

#endif
