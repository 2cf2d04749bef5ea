#ifndef BRIG_CPU_TOPOLOGY_H
#define BRIG_CPU_TOPOLOGY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpu/numa.h"
#include "cpu/set.h"

/*
 * Which CPUs are threads of one core, and where the cores are: sockets, NUMA nodes, fast and
 * slow ones.  Read from a root such as /sys/devices/system, so that recorded trees can be
 * looked at; NULL is that one.
 *
 * Exclusive cores stand or fall with it, and not every machine tells the truth: a hypervisor
 * may show threads of one core as cores, or leave topology out.  Who cannot be believed is no
 * core of its own but a CPU with a doubt.
 */
#define CPU_SYSFS "/sys/devices/system"

/* Whether more than one thread of a core is in use. */
bool cpu_smt_active(const char *root);
/* The threads of the core of cpu, itself among them; alone where the host does not tell. */
void cpu_siblings(const char *root, unsigned int cpu, struct cpu_set *out);
/* What is online; where that is not told: what the caller may run on. */
int cpu_online(const char *root, struct cpu_set *out, struct err *e) MUST_CHECK;

struct cpu_core {
	const uint32_t *cpus; /* its threads, ascending */
	size_t n;
	int32_t package; /* -1: not told */
	int32_t node;    /* id of the NUMA node, -1: not told */
	uint32_t speed;  /* cpu_capacity, or 512 for the slow and 1024 for the fast cores of a
			    hybrid x86; 0: all alike, as far as is told */
};

struct cpu_topology {
	struct cpu_set online;
	struct cpu_core *cores; /* ascending by their first CPU */
	size_t n_cores;
	/* CPUs whose core cannot be told, ascending by number, and why. */
	struct cpu_doubt {
		uint32_t cpu;
		const char *reason;
	} * doubts;
	size_t n_doubts;
	struct cpu_nodes nodes;
	size_t n_packages; /* 0: not told */
	size_t threads;    /* of the core that has most */
};
/* An error only where not even the CPUs that are online can be found out. */
int cpu_topology_read(struct arena *a, const char *root, struct cpu_topology *out,
		      struct err *e) MUST_CHECK;

#endif
