#ifndef BRIG_TEST_CPU_TREE_H
#define BRIG_TEST_CPU_TREE_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "check.h"

/*
 * /sys/devices/system of machines that are not here, as files: as much of it as brig reads.
 * tree_root() is what stands for /sys/devices/system.
 */
static char tree_top[] = "/tmp/brig-test-tree-XXXXXX";

static inline const char *tree_root(void)
{
	static char path[64];

	snprintf(path, sizeof(path), "%s/devices/system", tree_top);
	return path;
}

/* PATH below the root, TEXT by format: tree_put("cpu/online", "0-%u", 7) */
static inline void __attribute__((format(printf, 2, 3)))
tree_put(const char *path, const char *fmt, ...)
{
	char full[256], text[256];
	struct err e;
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(text, sizeof(text) - 1, fmt, ap);
	va_end(ap);
	memcpy(text + n, "\n", 2);
	snprintf(full, sizeof(full), "%s/%s", tree_root(), path);
	char *slash = strrchr(full, '/');
	*slash = '\0';
	CHECK(file_mkdirs(full, 0700, &e) == 0);
	*slash = '/';
	FILE *f = fopen(full, "we");
	CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static inline void tree_clear(void)
{
	struct err e;
	char *made = tree_top + strlen(tree_top) - 6;

	if (strcmp(made, "XXXXXX") == 0)
		CHECK(mkdtemp(tree_top) != NULL);
	else
		CHECK(file_remove_tree(AT_FDCWD, tree_root(), &e) == 0);
	CHECK(file_mkdirs(tree_root(), 0700, &e) == 0);
}

static inline void tree_remove(void)
{
	struct err e;

	CHECK(file_remove_tree(AT_FDCWD, tree_top, &e) == 0);
}

static inline void tree_cpu(unsigned int cpu, const char *siblings, int package, int core)
{
	char path[64];
	const struct {
		const char *file;
		int value;
	} ids[] = {
		{"physical_package_id", package},
		{"core_id",             core   },
		{"die_id",              0      },
		{"cluster_id",          -1     },
	};

	snprintf(path, sizeof(path), "cpu/cpu%u/topology/thread_siblings_list", cpu);
	tree_put(path, "%s", siblings);
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
		snprintf(path, sizeof(path), "cpu/cpu%u/topology/%s", cpu, ids[i].file);
		tree_put(path, "%d", ids[i].value);
	}
}

static inline void tree_node(unsigned int node, const char *cpus, const char *distance)
{
	char path[64];

	snprintf(path, sizeof(path), "node/node%u/cpulist", node);
	tree_put(path, "%s", cpus);
	snprintf(path, sizeof(path), "node/node%u/distance", node);
	tree_put(path, "%s", distance);
}

/*
 * Sockets with so many cores of so many threads each, numbered as x86 does it: first the first
 * thread of every core.  One NUMA node a socket, 10 to itself and 21 to the others.
 */
static inline void tree_regular(unsigned int sockets, unsigned int cores, unsigned int threads)
{
	unsigned int all = sockets * cores;

	tree_clear();
	tree_put("cpu/online", "0-%u", all * threads - 1);
	tree_put("cpu/smt/active", "%d", threads > 1);
	for (unsigned int cpu = 0; cpu < all * threads; cpu++) {
		unsigned int core = cpu % all;
		char list[64] = "";

		for (unsigned int t = 0; t < threads; t++)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%u",
				 t ? "," : "", core + t * all);
		tree_cpu(cpu, list, (int)(core / cores), (int)(core % cores));
	}
	if (sockets == 1)
		tree_put("node/online", "0");
	else
		tree_put("node/online", "0-%u", sockets - 1);
	for (unsigned int s = 0; s < sockets; s++) {
		char cpus[128] = "", distance[64] = "";

		for (unsigned int t = 0; t < threads; t++)
			snprintf(cpus + strlen(cpus), sizeof(cpus) - strlen(cpus), "%s%u-%u",
				 t ? "," : "", s * cores + t * all, (s + 1) * cores - 1 + t * all);
		for (unsigned int to = 0; to < sockets; to++)
			snprintf(distance + strlen(distance), sizeof(distance) - strlen(distance),
				 "%s%d", to ? " " : "", to == s ? 10 : 21);
		tree_node(s, cpus, distance);
	}
}

#endif
