#ifndef BRIG_CPU_NUMA_H
#define BRIG_CPU_NUMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "cpu/set.h"

/* NUMA nodes: which CPUs are near which memory (ROOT/node, see topology.h for ROOT). */
struct cpu_node {
	uint32_t id;
	struct cpu_set cpus;
	bool has_memory;
	const uint32_t *distance; /* to each of the nodes, in their order; NULL: not told */
};
struct cpu_nodes {
	struct cpu_node *v; /* ascending by id */
	size_t n;           /* 0: the host has none, or does not tell */
};
void cpu_nodes_read(struct arena *a, const char *root, struct cpu_nodes *out);
/* Index of the node of a CPU, -1: in none. */
int cpu_node_of(const struct cpu_nodes *nodes, unsigned int cpu);
/* 10: itself; where it is not told 20 for another. */
uint32_t cpu_node_distance(const struct cpu_nodes *nodes, size_t from, size_t to);
/*
 * The nodes that have memory and CPUs of s, as cpuset.mems takes them, within the list allowed
 * (NULL: no bound).  NULL where there is no choice: one node, or none of them may be used.
 */
const char *cpu_mems(struct arena *a, const struct cpu_nodes *nodes, const struct cpu_set *s,
		     const char *allowed);

#endif
