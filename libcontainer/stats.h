#ifndef BRIG_STATS_H
#define BRIG_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cgroup/meters.h"
#include "cgroup/survey.h"
#include "container.h"
#include "fs/disk.h"
#include "net/counters.h"

/*
 * `stats`: what sandboxes use and have used, and the host they share (docs/stats.md).  Numbers of
 * -1 and flags that are false are what could not be told; nothing is guessed.
 */

struct stats_disk {
	const char *path;
	bool known;
	struct fs_disk used;
};

struct stats_sandbox {
	const char *id;
	const char *level;  /* NULL: its state cannot be read */
	const char *status; /* NULL: the same */
	const char *error;  /* why its state cannot be read, NULL: it can */
	const char *created;
	/* How it ended, as result.json has it, or at a level why it was ended; NULL: not told. */
	const char *ended;
	const int32_t *exit_code, *signal; /* NULL: not known */
	bool tainted;
	int64_t pid; /* 0: it has ended */
	struct cgroup_usage usage;
	struct cgroup_pressure pressure[PRESSURES];
	bool has_network; /* a network namespace of its own with more than lo */
	struct net_counters network;
	uint64_t network_id; /* sandboxes of one pod share it */
	struct stats_disk *disks;
	size_t n_disks;
};

struct stats_host {
	int64_t cpus, memory, memory_available;
	struct cgroup_pressure pressure[PRESSURES];
};

/* Sums over what is known. */
struct stats_total {
	const char *word; /* of a group: a status or a level */
	uint64_t count;
};
struct stats_sums {
	uint64_t sandboxes, tainted;
	struct stats_total *by_status, *by_level; /* in the order in which they were met */
	size_t n_by_status, n_by_level;
	uint64_t cpu_ns, throttled_ns, memory, swap, oom_kills, pids;
	uint64_t read_bytes, write_bytes, rx_bytes, tx_bytes, disk_bytes;
};

struct stats {
	char time[64]; /* RFC 3339 */
	struct stats_sandbox *sandboxes;
	size_t n;
	bool all; /* the two below are there */
	struct stats_sums sums;
	struct stats_host host;
};

/* The named sandboxes, in their order; an unknown one is an error. */
int stats_of(const struct container_host *h, const char *const *ids, size_t n, struct arena *a,
	     struct stats *out, struct err *e) MUST_CHECK;
/* All below the state root, sorted by id: one that is half made or damaged is among them. */
int stats_all(const struct container_host *h, struct arena *a, struct stats *out,
	      struct err *e) MUST_CHECK;

/* One JSON object with v, one line; OpenMetrics 1.0 text.  Both in the arena. */
char *stats_json(struct arena *a, const struct stats *s, size_t *len);
char *stats_openmetrics(struct arena *a, const struct stats *s, size_t *len);

#endif
