#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "cgroup/survey.h"
#include "check.h"
#include "fs/disk.h"
#include "net/counters.h"
#include "specs/json.h"
#include "stats.h"
#include "stats_sums.h"

/* What stats reads and how it is printed; the verb as a whole is tests/integration/stats.bats. */

static struct arena arena;

static struct net_counters counters(const char *text)
{
	struct net_counters c;

	net_counters_parse(arena_strdup(&arena, text), &c);
	return c;
}

static void test_network(void)
{
	static const char head[] =
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets\n";
	struct net_counters c = counters(arena_printf(
		&arena,
		"%s    lo:   99    9    0    0    0     0          0         0       99       9    "
		"0\n"
		"  eth0: 2960215020   68805    1    2    3     4          5         6  3601783   "
		"49307    0    0    0     0       0          0\n"
		"veth123456789ab:7 1 0 0 0 0 0 0 8 2 0 0 0 0 0 0\n",
		head));

	CHECK(c.devices == 2 && c.rx_bytes == 2960215027 && c.rx_packets == 68806);
	CHECK(c.tx_bytes == 3601791 && c.tx_packets == 49309);
	CHECK(counters(head).devices == 0 && counters("").devices == 0);
	CHECK(counters("eth0: 1 2 3\n").devices == 0);
	CHECK(counters("eth0: 1 2 3 4 5 6 7 8 9 x\n").devices == 0);
	CHECK(counters("eth0: 1 2 3 4 5 6 7 8 9 -1\n").devices == 0);
	CHECK(counters("  eth0:1 2 3 4 5 6 7 8 9 10").tx_packets == 10);
}

static void test_pressure(void)
{
	struct cgroup_pressure p;
	char text[] = "some avg10=12.34 avg60=6.18 avg300=3.86 total=6093594807\n"
		      "full avg10=0.07 avg60=0.00 avg300=0.00 total=5\n";
	char only_some[] = "some avg10=100.00 avg60=0.00 avg300=0.00 total=0";
	char bad[] = "some avg10=-1 avg60=0.00 avg300=0.00 total=0";

	cgroup_pressure_parse(text, &p);
	CHECK(p.some.avg10 == 1234 && p.some.total_us == 6093594807);
	CHECK(p.full.avg10 == 7 && p.full.total_us == 5);
	cgroup_pressure_parse(only_some, &p);
	CHECK(p.some.avg10 == 10000 && p.full.avg10 == -1 && p.full.total_us == -1);
	cgroup_pressure_parse(bad, &p);
	CHECK(p.some.avg10 == -1 && p.full.avg10 == -1);
}

/* A root whose owner wants stats to look elsewhere. */
static void test_disk(void)
{
	char top[] = "/tmp/brig-stats-XXXXXX";
	struct fs_disk d;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("skip: no private mounts here\n");
		return;
	}
	CHECK(mkdtemp(top) && mount("t", top, "tmpfs", 0, "size=1m,nr_inodes=64") == 0);
	own_fd int root = open(top, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(mkdirat(root, "proc", 0700) == 0 && mkdirat(root, "vol", 0700) == 0);
	CHECK(mount("p", arena_printf(&arena, "%s/proc", top), "proc", 0, NULL) == 0);
	CHECK(mount("v", arena_printf(&arena, "%s/vol", top), "tmpfs", 0, "size=2m,nr_inodes=10") ==
	      0);
	CHECK(symlinkat("/vol", root, "link") == 0);
	own_fd int f = openat(root, "vol/file", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(posix_fallocate(f, 0, 8192) == 0);
	CHECK(fs_disk_usage(root, "/vol", &d));
	CHECK(d.bytes == 8192 && d.size == 2 << 20 && d.inodes == 2 && d.inodes_max == 10);
	CHECK(fs_disk_usage(root, "/../../vol", &d) && d.size == 2 << 20);
	CHECK(!fs_disk_usage(root, "/link", &d));
	CHECK(!fs_disk_usage(root, "/proc/self/root", &d));
	CHECK(!fs_disk_usage(root, "/proc", &d));
	CHECK(!fs_disk_usage(root, "/none", &d) && !fs_disk_usage(-1, "/vol", &d));
	CHECK(umount2(top, MNT_DETACH) == 0 && rmdir(top) == 0);
}

static struct stats_disk disks[] = {
	{"/a\"b\\c\nd\xff", true,  {4096, 8192, 3, 0}},
	{"/gone",           false, {0}               },
};

static struct stats_sandbox sandboxes[3];

static void fill(struct stats *s)
{
	for (size_t i = 0; i < LEN(sandboxes); i++) {
		cgroup_usage_unknown(&sandboxes[i].usage);
		for (int k = 0; k < PRESSURES; k++)
			sandboxes[i].pressure[k] = (struct cgroup_pressure){
				{-1, -1},
                                {-1, -1}
                        };
	}
	sandboxes[0].id = "a";
	sandboxes[0].status = "running";
	sandboxes[0].level = "high";
	sandboxes[0].pid = 7;
	sandboxes[0].usage.cpu_ns = 1000000001;
	sandboxes[0].usage.memory = 100;
	sandboxes[0].usage.oom_kills = 0;
	sandboxes[0].pressure[PRESSURE_IO].some = (struct cgroup_stall){1234, 5000000};
	sandboxes[0].has_network = true;
	sandboxes[0].network = (struct net_counters){1, UINT64_MAX, 2, 3, 4};
	sandboxes[0].network_id = 9;
	sandboxes[0].disks = disks;
	sandboxes[0].n_disks = LEN(disks);
	sandboxes[1] = sandboxes[0];
	sandboxes[1].id = "b";
	sandboxes[1].network.tx_bytes = 100;
	sandboxes[1].n_disks = 0;
	sandboxes[1].tainted = true;
	sandboxes[1].ended = "syscall";
	sandboxes[2].id = "c";
	sandboxes[2].error = "cut \"short\"";
	*s = (struct stats){
		.time = "2026-01-01T00:00:00.000Z",
		.sandboxes = sandboxes,
		.n = LEN(sandboxes),
		.all = true,
		.host = {.cpus = 2, .memory = 1000, .memory_available = -1}
        };
	stats_sum(&arena, s);
}

static void test_sums(const struct stats *s)
{
	const struct stats_sums *t = &s->sums;

	CHECK(t->sandboxes == 3 && t->tainted == 1 && t->cpu_ns == 2000000002 && t->memory == 200);
	CHECK(t->tx_bytes == 3 && t->rx_bytes == UINT64_MAX); /* one pod's: once */
	CHECK(t->disk_bytes == 4096 && t->swap == 0);
	CHECK(t->n_by_status == 2 && t->by_status[0].count == 2 && t->by_status[1].count == 1);
	CHECK_STR(t->by_status[1].word, "unknown");
	CHECK(t->n_by_level == 2 && t->by_level[0].count == 2);
}

static void test_openmetrics(const struct stats *s)
{
	size_t len;
	const char *text = stats_openmetrics(&arena, s, &len);

	CHECK(strlen(text) == len && strcmp(text + len - 6, "# EOF\n") == 0);
	CHECK(strstr(text, "\nbrig_sandbox_cpu_seconds_total{id=\"a\"} 1.000000001\n"));
	CHECK(strstr(text, "\nbrig_sandbox_info{id=\"b\",level=\"high\",status=\"running\","
			   "ended=\"syscall\"} 1\n"));
	CHECK(strstr(text, "\nbrig_sandbox_info{id=\"c\",level=\"unknown\",status=\"unknown\","
			   "ended=\"\"} 1\n"));
	CHECK(strstr(text,
		     "\nbrig_sandbox_disk_bytes{id=\"a\",path=\"/a\\\"b\\\\c\\nd\xef\xbf\xbd\"} "
		     "4096\n"));
	CHECK(!strstr(text, "/gone"));
	/* No bound is no sample, and no sample is no family. */
	CHECK(!strstr(text, "brig_sandbox_disk_inodes_limit") && !strstr(text, "pids"));
	CHECK(strstr(text, "\nbrig_sandbox_network_bytes_total{id=\"a\",direction=\"receive\"} "
			   "18446744073709551615\n"));
	CHECK(strstr(text, "\nbrig_sandbox_stall_ratio{id=\"a\",resource=\"io\",stalled=\"some\"} "
			   "0.1234\n"));
	CHECK(strstr(text, "_stall_seconds_total{id=\"a\",resource=\"io\",stalled=\"some\"} "
			   "5.000000\n"));
	CHECK(strstr(text, "\nbrig_sandboxes{status=\"running\",level=\"high\"} 2\n"));
	CHECK(strstr(text, "\nbrig_host_cpus 2\n") && !strstr(text, "memory_available"));
}

static void test_json(const struct stats *s)
{
	static const struct json_type any = {.size = 1};
	size_t len;
	const char *text = stats_json(&arena, s, &len);
	char nothing[1];
	struct err e;

	CHECK(json_read(&arena, &any, text, len, len, nothing, &e) == 0);
	CHECK(strncmp(text, "{\"v\":1,\"time\":", 14) == 0 && !strchr(text, '\n'));
	CHECK(strstr(text, "\"pressure\":{\"some\":{\"avg10\":12.34,\"totalUs\":5000000}}"));
	CHECK(strstr(text, "{\"id\":\"c\",\"error\":\"cut \\\"short\\\"\",\"tainted\":false}"));
	CHECK(strstr(text, "\"oomKills\":0") && !strstr(text, "-1") && !strstr(text, "/gone"));
	CHECK(strstr(text, "\"byStatus\":{\"running\":2,\"unknown\":1}"));
	CHECK(strstr(text, "\"host\":{\"cpus\":2,\"memory\":1000,\"pressure\""));
}

static void test_nothing(void)
{
	struct stats s = {.time = "x"};

	CHECK_STR(stats_openmetrics(&arena, &s, NULL), "# EOF\n");
	CHECK_STR(stats_json(&arena, &s, NULL), "{\"v\":1,\"time\":\"x\",\"sandboxes\":[]}");
}

int main(void)
{
	struct stats s;

	test_network();
	test_pressure();
	test_disk();
	fill(&s);
	test_sums(&s);
	test_openmetrics(&s);
	test_json(&s);
	test_nothing();
	arena_free(&arena);
	return check_done();
}
