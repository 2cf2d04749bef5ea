#include <stdio.h>
#include <string.h>

#include "cgroup/text.h"
#include "check.h"

/* The readers of kernel texts, without a kernel. */

static void test_self(void)
{
	char text[] = "12:pids:/a\nnonsense\n4:cpu,cpuacct:/slice:x:y\n1:name=systemd:/\n0::/u";
	char *p = text;
	struct cg_self l;

	CHECK(cg_self_next(&p, &l));
	CHECK_STR(l.hierarchy, "pids");
	CHECK_STR(l.path, "/a");
	CHECK(cg_self_next(&p, &l));
	CHECK_STR(l.hierarchy, "cpu,cpuacct");
	CHECK_STR(l.path, "/slice:x:y");
	CHECK(cg_self_next(&p, &l));
	CHECK_STR(l.hierarchy, "name=systemd");
	CHECK(cg_self_next(&p, &l));
	CHECK_STR(l.hierarchy, "");
	CHECK_STR(l.path, "/u");
	CHECK(!cg_self_next(&p, &l));
}

static void test_mountinfo(void)
{
	char text[] =
		"31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
		"32 31 0:29 /sub /mnt/a\\040b rw,nosuid shared:7 - cgroup cgroup rw,cpuacct,cpu\n"
		"33 31 0:30 / /u rw - cgroup2 none rw,nsdelegate\n";
	char *p = text;
	struct cg_mountinfo m;

	CHECK(cg_mountinfo_next(&p, &m));
	CHECK_STR(m.root, "/sub");
	CHECK_STR(m.mountpoint, "/mnt/a b");
	CHECK(!m.v2 && cg_options_have(m.options, "cpu,cpuacct"));
	CHECK(!cg_options_have(m.options, "cpuset") && !cg_options_have(m.options, "cpu,cpuset"));
	CHECK(cg_mountinfo_next(&p, &m));
	CHECK(m.v2);
	CHECK_STR(m.mountpoint, "/u");
	CHECK(!cg_mountinfo_next(&p, &m));
}

static void test_flat(void)
{
	char text[] = "low 0\noom 3\noom_kill 12\nmax 18446744073709551615\nbad x\nover "
		      "18446744073709551616\n";
	char *p = text;
	const char *key;
	uint64_t v;

	CHECK(cg_flat_get(text, "oom_kill", &v) && v == 12);
	CHECK(cg_flat_get(text, "oom", &v) && v == 3);
	CHECK(cg_flat_get(text, "max", &v) && v == UINT64_MAX);
	CHECK(!cg_flat_get(text, "bad", &v) && !cg_flat_get(text, "over", &v));
	CHECK(!cg_flat_get(text, "kill", &v));
	size_t n = 0;
	while (cg_flat_next(&p, &key, &v))
		n++;
	CHECK(n == 4);
}

static void test_psi(void)
{
	char text[] = "some avg10=0.12 avg60=1.00 avg300=12.34 total=567\n"
		      "full avg10=0.00 avg60=0.00 avg300=0.00 total=8\n";
	char only_some[] = "some avg10=0.12 avg60=1.00 avg300=12.34 total=567\n";
	char wrong[] = "some avg10=00.1 avg60=1.00 avg300=1.34 total=567\nfull avg10=1\n";
	struct cg_psi psi;

	CHECK(cg_psi_parse(text, &psi));
	CHECK_STR(psi.some.avg300, "12.34");
	CHECK(psi.some.total == 567 && psi.full.total == 8);
	CHECK(cg_psi_parse(only_some, &psi) && !psi.full.avg10);
	CHECK(!cg_psi_parse(wrong, &psi));
}

static void test_io(void)
{
	char stat[] =
		"8:0 rbytes=10 wbytes=20 cost.vrate=100.00 rios=3\nnodev a=1\n259:7 rbytes=5\n";
	char v1[] = "8:0 Read 10\n8:16 7\nTotal 17\n";
	struct cg_io_iter it = {.text = stat};
	struct cg_io io;

	CHECK(cg_io_stat_next(&it, &io) && io.major == 8 && io.value == 10);
	CHECK_STR(io.op, "rbytes");
	CHECK(cg_io_stat_next(&it, &io) && io.value == 20);
	CHECK(cg_io_stat_next(&it, &io) && io.value == 3);
	CHECK_STR(io.op, "rios");
	CHECK(cg_io_stat_next(&it, &io) && io.major == 259 && io.minor == 7 && io.value == 5);
	CHECK(!cg_io_stat_next(&it, &io));
	it = (struct cg_io_iter){.text = v1};
	CHECK(cg_blkio_next(&it, &io) && io.value == 10);
	CHECK_STR(io.op, "Read");
	CHECK(cg_blkio_next(&it, &io) && io.minor == 16 && io.value == 7);
	CHECK_STR(io.op, "");
	CHECK(!cg_blkio_next(&it, &io));
}

static void test_small(void)
{
	char pids[] = "1\n0\nx\n4294967295\n77\n", *p = pids;
	char lines[] = "8:0 rbps=1 wbps=max\n8:16 rbps=2\n";
	uint64_t v;
	int pid;

	CHECK(cg_pid_next(&p, &pid) && pid == 1);
	CHECK(cg_pid_next(&p, &pid) && pid == 77); /* 0: in no pid namespace of ours */
	CHECK(!cg_pid_next(&p, &pid));
	CHECK(cg_limit("max", &v) && v == UINT64_MAX);
	CHECK(cg_limit("7", &v) && v == 7 && !cg_limit("-1", &v));
	CHECK_STR(cg_line_of(lines, "8:16"), "rbps=2");
	char again[] = "8:0 1\n";
	CHECK(!cg_line_of(again, "8:1"));
}

int main(void)
{
	test_self();
	test_mountinfo();
	test_flat();
	test_psi();
	test_io();
	test_small();
	return check_done();
}
