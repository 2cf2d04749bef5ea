/* Which CPUs make a core, and which cores a sandbox gets: on trees of machines that are not here.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cpu/choose.h"
#include "cpu_tree.h"

/* Cores as "0,8 1,9", then doubts as "!CPU reason". */
static const char *cores(void)
{
	static char text[4096];
	own_arena struct arena a = {0};
	struct cpu_topology t;
	size_t n = 0;
	struct err e;

	text[0] = '\0';
	if (cpu_topology_read(&a, tree_root(), &t, &e) < 0)
		return e.msg[0] ? "!!" : "";
	for (size_t i = 0; i < t.n_cores; i++)
		for (size_t k = 0; k < t.cores[i].n; k++)
			n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%u",
					      k   ? ","
					      : i ? " "
						  : "",
					      t.cores[i].cpus[k]);
	for (size_t i = 0; i < t.n_doubts; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "!%u %s", t.doubts[i].cpu,
				      t.doubts[i].reason);
	return text;
}

/* The CPUs chosen for so many, "!" and the message, or "~" and it where it is only for now. */
static const char *pick(const char *allowed, const char *busy, unsigned int count)
{
	static char text[600];
	own_arena struct arena a = {0};
	struct cpu_set may, not_now, out;
	struct cpu_topology t;
	struct err e;
	struct choose_cores how = {
		.topology = &t, .allowed = &may, .busy = &not_now, .count = count};

	CHECK(str_cpulist(allowed, may.bits, CPU_BITS));
	CHECK(str_cpulist(busy, not_now.bits, CPU_BITS));
	CHECK(cpu_topology_read(&a, tree_root(), &t, &e) == 0);
	int r = choose_cores(&how, &out, &e);
	if (r < 0)
		snprintf(text, sizeof(text), "%s%s", r == -EBUSY ? "~" : "!", e.msg);
	else
		snprintf(text, sizeof(text), "%s", cpu_list(&a, &out));
	return text;
}

static const char *described(const char *cpus)
{
	static char text[256];
	own_arena struct arena a = {0};
	struct cpu_topology t;
	struct cpu_set set;
	struct err e;

	CHECK(str_cpulist(cpus, set.bits, CPU_BITS));
	CHECK(cpu_topology_read(&a, tree_root(), &t, &e) == 0);
	snprintf(text, sizeof(text), "%s", choose_describe(&a, &t, &set));
	return text;
}

static void test_two_sockets(void)
{
	own_arena struct arena a = {0};
	struct cpu_topology t;
	struct err e;

	tree_regular(2, 4, 2);
	CHECK_STR(cores(), "0,8 1,9 2,10 3,11 4,12 5,13 6,14 7,15");
	CHECK(cpu_topology_read(&a, tree_root(), &t, &e) == 0);
	CHECK(t.n_packages == 2 && t.threads == 2 && t.nodes.n == 2 && !t.n_doubts);
	CHECK(t.cores[3].node == 0 && t.cores[4].node == 1 && t.cores[4].package == 1);
	CHECK(cpu_node_distance(&t.nodes, 0, 1) == 21 && cpu_node_distance(&t.nodes, 1, 1) == 10);

	CHECK_STR(pick("0-15", "", 0), "3,11");
	CHECK_STR(pick("0-15", "", 1), "3,11");
	CHECK_STR(pick("0-15", "", 2), "3,11");
	CHECK_STR(pick("0-15", "", 3), "2-3,10-11"); /* rounded up to whole cores */
	CHECK_STR(pick("0-15", "", 8), "0-3,8-11");
	CHECK_STR(pick("0-15", "", 10), "0-3,7-11,15"); /* all of one, then the next */
	CHECK_STR(pick("0-15", "3", 2), "2,10");        /* half of it is somebody's */
	CHECK_STR(pick("0-15", "11", 2), "2,10");
	/* the place with the fewest free ones, so that the other one stays whole */
	CHECK_STR(pick("0-15", "4-6", 2), "7,15");
	CHECK_STR(pick("0-15", "4-6", 4), "2-3,10-11");
	CHECK_STR(pick("0-15", "0,1,4,5", 6), "2-3,7,10-11,15"); /* no place has three */
	CHECK_STR(pick("4-7,12-15", "", 2), "7,15");
	CHECK_STR(described("3,11"), "1 whole core of 2 threads, socket 0, node 0");
	CHECK_STR(described("2-3,7,10-11,15"), "3 whole cores of 2 threads, socket 0-1, node 0-1");

	CHECK_STR(pick("0-15", "0-7", 2),
		  "~no free core: 2 CPUs in whole cores are needed, 0 of 16 are free");
	CHECK_STR(pick("0-15", "0-6", 4),
		  "~no free core: 4 CPUs in whole cores are needed, 2 of 16 are free");
	CHECK_STR(pick("0-15", "", 17), "!no exclusive core: 17 CPUs in whole cores are needed, "
					"only 16 are allowed");
	CHECK_STR(pick("0-7", "", 1), "!no exclusive core: CPU 0 is half of one, its sibling 8 is "
				      "not among the CPUs allowed");
	CHECK_STR(pick("0-7,15", "", 2), "7,15");
	CHECK(strstr(pick("0-7,15", "", 4), "CPU 0 is half of one") != NULL);
}

static void test_smt4(void)
{
	tree_clear();
	tree_put("cpu/online", "0-15");
	for (unsigned int cpu = 0; cpu < 16; cpu++) {
		char list[16];

		snprintf(list, sizeof(list), "%u-%u", cpu / 4 * 4, cpu / 4 * 4 + 3);
		tree_cpu(cpu, list, 0, (int)(cpu / 4 * 4));
	}
	tree_put("node/online", "0");
	CHECK_STR(cores(), "0,1,2,3 4,5,6,7 8,9,10,11 12,13,14,15");
	CHECK_STR(pick("0-15", "", 1), "12-15");
	CHECK_STR(pick("0-15", "", 5), "8-15");
	CHECK_STR(pick("0-15", "9,14", 5), "0-7");
	CHECK(pick("0-15", "9,14,0", 5)[0] == '~');
	CHECK_STR(described("8-15"), "2 whole cores of 4 threads, socket 0, node 0");
	/* switched off: the kernel then lists those that are online */
	tree_put("cpu/online", "0,4-7,8,12-14");
	for (unsigned int cpu = 12; cpu < 15; cpu++)
		tree_cpu(cpu, "12-14", 0, 12);
	tree_cpu(0, "0", 0, 0);
	tree_cpu(8, "8", 0, 8);
	CHECK_STR(cores(), "0 4,5,6,7 8 12,13,14");
	CHECK_STR(pick("0-15", "", 1), "12-14");
	CHECK_STR(pick("0-11", "", 1), "8");
	/* and where it does not, the rest of the core is what there is */
	tree_cpu(8, "8-11", 0, 8);
	CHECK_STR(cores(), "0 4,5,6,7 8 12,13,14");
}

/* Three nodes in a row: the middle one is near to both. */
static void test_distances(void)
{
	tree_regular(3, 2, 1);
	tree_node(0, "0-1", "10 15 40");
	tree_node(1, "2-3", "15 10 20");
	tree_node(2, "4-5", "40 20 10");
	CHECK_STR(pick("0-5", "", 2), "0-1");
	CHECK_STR(pick("0-5", "0", 3), "1-3");
	CHECK_STR(pick("0-5", "0,2,4", 2), "1,3");
	CHECK_STR(pick("0-5", "2-3", 3), "0-1,5");
	CHECK_STR(pick("0-5", "1-3", 3), "0,4-5");
	/* distances that make no sense: any other node is as far as another */
	tree_node(0, "0-1", "10 15");
	tree_node(1, "2-3", "x");
	CHECK_STR(pick("0-5", "0", 3), "1-3");
	own_arena struct arena a = {0};
	struct cpu_set s = {0};
	struct cpu_nodes nodes;
	cpu_nodes_read(&a, tree_root(), &nodes);
	CHECK(cpu_node_distance(&nodes, 0, 1) == 20 && cpu_node_distance(&nodes, 2, 0) == 40);
	/* cpuset.mems: where there is memory, within what is allowed */
	cpu_add(&s, 1);
	CHECK_STR(cpu_mems(&a, &nodes, &s, NULL), "0");
	cpu_add(&s, 4);
	CHECK_STR(cpu_mems(&a, &nodes, &s, NULL), "0,2");
	CHECK_STR(cpu_mems(&a, &nodes, &s, "1-2"), "2");
	CHECK(!cpu_mems(&a, &nodes, &s, "1"));
	tree_put("node/has_memory", "1");
	cpu_nodes_read(&a, tree_root(), &nodes);
	CHECK(!cpu_mems(&a, &nodes, &s, NULL));
	tree_regular(1, 2, 1);
	cpu_nodes_read(&a, tree_root(), &nodes);
	CHECK(nodes.n == 1 && !cpu_mems(&a, &nodes, &s, NULL));
}

/* Two sockets without NUMA: still rather one socket than both. */
static void test_sockets_of_one_node(void)
{
	tree_regular(2, 2, 1);
	tree_put("node/online", "0");
	CHECK_STR(pick("0-3", "0", 2), "2-3");
	CHECK_STR(pick("0-3", "0,2", 2), "1,3");
	tree_regular(2, 2, 1);
	tree_put("node/online", "%s", "rubbish");
	CHECK_STR(pick("0-3", "3", 2), "0-1");
	CHECK_STR(described("0-1"), "2 whole cores of 1 thread, socket 0");
}

static void test_hybrid(void)
{
	/* four fast cores with two threads each, four slow ones with one */
	tree_regular(1, 4, 2);
	for (unsigned int cpu = 8; cpu < 12; cpu++) {
		char self[4];

		snprintf(self, sizeof(self), "%u", cpu);
		tree_cpu(cpu, self, 0, (int)cpu);
	}
	tree_put("cpu/online", "0-11");
	tree_put("../cpu_atom/cpus", "8-11");
	CHECK_STR(cores(), "0,4 1,5 2,6 3,7 8 9 10 11");
	CHECK_STR(pick("0-11", "", 2), "3,7");
	CHECK_STR(pick("0-11", "", 3), "2-3,6-7");
	CHECK_STR(pick("0-11", "1-3", 3), "9-11"); /* one kind rather than both */
	CHECK_STR(pick("0-11", "1-3,8", 4), "0,4,10-11");
	CHECK_STR(pick("0-11", "", 9), "0-7,11");
	CHECK_STR(pick("8-11", "", 1), "11");
	/* arm: cpu_capacity says it */
	tree_regular(1, 4, 1);
	tree_put("cpu/cpu0/cpu_capacity", "1024");
	tree_put("cpu/cpu1/cpu_capacity", "1024");
	tree_put("cpu/cpu2/cpu_capacity", "446");
	tree_put("cpu/cpu3/cpu_capacity", "446");
	CHECK_STR(pick("0-3", "", 1), "1");
	CHECK_STR(pick("0-3", "1", 2), "2-3");
	CHECK_STR(pick("0-3", "", 3), "0-1,3");
}

static void test_liars(void)
{
	/* 0 calls 1 its sibling, 1 does not know */
	tree_regular(1, 4, 1);
	tree_cpu(0, "0-1", 0, 0);
	CHECK_STR(cores(), "2 3!0 it and CPU 1 disagree who their siblings are!1 it and CPU 0 "
			   "disagree who their siblings are");
	CHECK_STR(pick("0-3", "", 2), "2-3");
	CHECK_STR(pick("0-3", "", 3),
		  "!no exclusive core: CPU 0 may be half of one: it and CPU 1 disagree who their "
		  "siblings are");
	CHECK_STR(pick("2-3", "", 3), "!no exclusive core: 3 CPUs in whole cores are needed, only "
				      "2 are allowed");
	/* a doubt of one is one of its siblings */
	tree_regular(1, 2, 2);
	tree_cpu(1, "1,3,0", 0, 1);
	CHECK(strstr(cores(), "!0 ") && strstr(cores(), "!1 ") && strstr(cores(), "!2 ") &&
	      strstr(cores(), "!3 "));
	/* siblings in two sockets, or with two core numbers */
	tree_regular(1, 2, 2);
	tree_cpu(2, "0,2", 1, 0);
	CHECK(strstr(cores(), "1,3!0 its sibling CPU 2 says to be of another core!2"));
	tree_cpu(2, "0,2", 0, 5);
	CHECK(strstr(cores(), "1,3!0 its sibling CPU 2 says"));
	/* core numbers all 0 and nobody has a sibling: halves shown as cores */
	tree_regular(1, 2, 1);
	tree_cpu(1, "1", 0, 0);
	CHECK_STR(cores(), "!0 it has the core number 0 of CPU 1, no sibling of it!1 it has the "
			   "core number 0 of CPU 0, no sibling of it");
	CHECK(strstr(pick("0-1", "", 1), "!no exclusive core: CPU 0 may be half of one: it has"));
	/* a socket each, as QEMU does it: cores */
	tree_cpu(1, "1", 1, 0);
	CHECK_STR(cores(), "0 1");
	/* all say the same: one core of four threads */
	tree_regular(1, 4, 1);
	for (unsigned int cpu = 0; cpu < 4; cpu++)
		tree_cpu(cpu, "0-3", 0, 0);
	CHECK_STR(cores(), "0,1,2,3");
	/* its own list without itself */
	tree_regular(1, 2, 1);
	tree_cpu(1, "0", 0, 1);
	CHECK(strstr(cores(), "!1 its list of siblings lacks itself") != NULL);
}

static void test_missing(void)
{
	tree_regular(1, 4, 1);
	char path[128];

	snprintf(path, sizeof(path), "%s/cpu/cpu2/topology/thread_siblings_list", tree_root());
	CHECK(unlink(path) == 0);
	CHECK_STR(cores(), "0 1 3!2 this host does not tell its siblings");
	tree_put("cpu/cpu2/topology/core_cpus_list", "2"); /* the name since 5.3 */
	CHECK_STR(cores(), "0 1 2 3");
	tree_put("cpu/cpu2/topology/core_cpus_list", "rubbish");
	CHECK(strstr(cores(), "!2 this host does not tell") != NULL);
	/* siblings alone do: no numbers of cores and sockets, no nodes */
	tree_clear();
	tree_put("cpu/online", "0-1");
	tree_put("cpu/cpu0/topology/thread_siblings_list", "0-1");
	tree_put("cpu/cpu1/topology/thread_siblings_list", "0-1");
	CHECK_STR(cores(), "0,1");
	CHECK_STR(described("0-1"), "1 whole core of 2 threads");
	/* nothing at all: what the caller may run on, and no core of it */
	tree_clear();
	CHECK(cores()[0] == '!' && strstr(cores(), "this host does not tell its siblings"));
	/* and CPUs above what any kernel has */
	tree_put("cpu/online", "0-9000");
	CHECK(cores()[0] == '!' && cores()[1] != '!');
}

/* Each CPU of this machine is in one core, or in doubt. */
static void test_here(void)
{
	own_arena struct arena a = {0};
	struct cpu_set seen = {0};
	struct cpu_topology t;
	struct err e;
	size_t n = 0;

	CHECK(cpu_topology_read(&a, NULL, &t, &e) == 0);
	for (size_t i = 0; i < t.n_cores; i++)
		for (size_t k = 0; k < t.cores[i].n; k++, n++)
			cpu_add(&seen, t.cores[i].cpus[k]);
	for (size_t i = 0; i < t.n_doubts; i++, n++)
		cpu_add(&seen, t.doubts[i].cpu);
	CHECK(cpu_same(&seen, &t.online) && n == cpu_count(&t.online));
	CHECK((long)n == sysconf(_SC_NPROCESSORS_ONLN));
}

static void test_sets(void)
{
	own_arena struct arena a = {0};
	struct cpu_set x, y;

	CHECK(str_cpulist("0,63-64,127,8191", x.bits, CPU_BITS));
	CHECK_STR(cpu_list(&a, &x), "0,63-64,127,8191");
	CHECK(cpu_next(&x, 0) == 0 && cpu_next(&x, 1) == 63 && cpu_next(&x, 65) == 127 &&
	      cpu_next(&x, 128) == 8191 && cpu_next(&x, 8192) == CPU_BITS);
	CHECK(str_cpulist("64-200", y.bits, CPU_BITS));
	CHECK(cpu_overlap(&x, &y));
	cpu_take_out(&y, &x);
	CHECK(!cpu_overlap(&x, &y) && cpu_count(&y) == 135);
	cpu_unite(&y, &x);
	CHECK(cpu_count(&y) == 140);
	cpu_keep(&y, &x);
	CHECK(cpu_same(&x, &y));
}

int main(void)
{
	test_sets();
	test_two_sockets();
	test_smt4();
	test_distances();
	test_sockets_of_one_node();
	test_hybrid();
	test_liars();
	test_missing();
	test_here();
	tree_remove();
	return check_done();
}
