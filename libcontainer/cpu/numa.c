#include "cpu/numa.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "cpu/topology.h"

/* NODES_SHIFT is 10 at most: node numbers fit a CPU set. */
enum { LIST = 32 << 10, SELF = 10, OTHER = 20 };

static bool read_list(struct arena *a, const char *path, struct cpu_set *out)
{
	char *text = arena_new(a, LIST);

	memset(out, 0, sizeof(*out));
	return file_peek(AT_FDCWD, path, text, LIST) > 0 && str_cpulist(text, out->bits, CPU_BITS);
}

/* "10 21 31": as many numbers as nodes are online, or it is none. */
static const uint32_t *read_distances(struct arena *a, const char *path, size_t n)
{
	uint32_t *out = arena_array(a, n, sizeof(*out));
	char *text = arena_new(a, LIST), *word, *rest = text;
	size_t i = 0;

	if (file_peek(AT_FDCWD, path, text, LIST) <= 0)
		return NULL;
	while ((word = strsep(&rest, " ")))
		if (*word && (i == n || !str_u32(word, &out[i++])))
			return NULL;
	return i == n ? out : NULL;
}

void cpu_nodes_read(struct arena *a, const char *root, struct cpu_nodes *out)
{
	own_arena struct arena scratch = {0};
	struct cpu_set online, memory;

	*out = (struct cpu_nodes){0};
	root = arena_printf(&scratch, "%s/node", root ? root : CPU_SYSFS);
	if (!read_list(&scratch, arena_printf(&scratch, "%s/online", root), &online))
		return;
	size_t n = cpu_count(&online);
	struct cpu_node *v = arena_array(a, n, sizeof(*v));
	out->v = v;
	if (n == 1) {
		out->n = 1;
		*v = (struct cpu_node){.id = cpu_next(&online, 0), .has_memory = true};
		memset(&v->cpus, 0xff, sizeof(v->cpus)); /* without reading four more files */
		return;
	}
	bool told = read_list(&scratch, arena_printf(&scratch, "%s/has_memory", root), &memory);
	for (unsigned int id = cpu_next(&online, 0); id < CPU_BITS;
	     id = cpu_next(&online, id + 1)) {
		const char *dir = arena_printf(&scratch, "%s/node%u", root, id);
		struct cpu_node *node = &v[out->n++];

		node->id = id;
		node->has_memory = !told || cpu_has(&memory, id);
		if (!read_list(&scratch, arena_printf(&scratch, "%s/cpulist", dir), &node->cpus))
			memset(&node->cpus, 0, sizeof(node->cpus)); /* memory only, or not told */
		node->distance = read_distances(a, arena_printf(&scratch, "%s/distance", dir), n);
	}
}

int cpu_node_of(const struct cpu_nodes *nodes, unsigned int cpu)
{
	for (size_t i = 0; i < nodes->n; i++)
		if (cpu_has(&nodes->v[i].cpus, cpu))
			return (int)i;
	return -1;
}

uint32_t cpu_node_distance(const struct cpu_nodes *nodes, size_t from, size_t to)
{
	if (from == to)
		return SELF;
	return nodes->v[from].distance ? nodes->v[from].distance[to] : OTHER;
}

const char *cpu_mems(struct arena *a, const struct cpu_nodes *nodes, const struct cpu_set *s,
		     const char *allowed)
{
	struct cpu_set mems = {0}, bound;

	if (nodes->n < 2)
		return NULL;
	for (size_t i = 0; i < nodes->n; i++)
		if (nodes->v[i].has_memory && cpu_overlap(&nodes->v[i].cpus, s))
			cpu_add(&mems, nodes->v[i].id);
	if (allowed && str_cpulist(allowed, bound.bits, CPU_BITS))
		cpu_keep(&mems, &bound);
	return cpu_count(&mems) ? cpu_list(a, &mems) : NULL;
}
