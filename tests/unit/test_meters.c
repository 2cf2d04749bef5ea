#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "cgroup/cgroup.h"
#include "cgroup/meters.h"
#include "check.h"

/* Recorded files of each layout in a directory, then a real cgroup of this host. */

static struct arena arena;

struct recorded {
	const char *file, *text;
};

static void record(const char *dir, const struct recorded *files, size_t n)
{
	CHECK(mkdir(dir, 0700) == 0);
	for (size_t i = 0; i < n; i++) {
		const char *path = arena_printf(&arena, "%s/%s", dir, files[i].file);
		own_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		CHECK(file_write_all(fd, files[i].text, strlen(files[i].text)) == 0);
	}
}

static void rewrite(const char *path, const char *text)
{
	own_fd int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	CHECK(file_write_all(fd, text, strlen(text)) == 0);
}

static const struct recorded cpuacct_files[] = {
	{"cpuacct.usage", "1234567890\n"						  },
	{"cpuacct.stat",  "user 100\nsystem 23\n"                                         },
	{"cpu.stat",
	 "nr_periods 9\nnr_throttled 4\nthrottled_time 77000\nnr_bursts 0\nburst_time 0\n"},
};
static const struct recorded memory_files[] = {
	{"memory.usage_in_bytes",       "4096000\n"                                    },
	{"memory.max_usage_in_bytes",   "8192000\n"                                    },
	{"memory.failcnt",              "3\n"					  },
	{"memory.memsw.failcnt",        "39\n"					 },
	{"memory.memsw.usage_in_bytes", "4097000\n"                                    },
	{"memory.oom_control",          "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"},
	{"memory.limit_in_bytes",       "9223372036854771712\n"                        },
};
static const struct recorded pids_files[] = {
	{"pids.current", "5\n"    },
	{"pids.peak",    "12\n"   },
	{"pids.max",     "64\n"   },
	{"pids.events",  "max 7\n"},
};
static const struct recorded blkio_files[] = {
	{"blkio.throttle.io_service_bytes_recursive",
	 "254:0 Read 100\n254:0 Write 20\n254:0 Sync 3\n254:0 Async 4\n254:0 Discard 5\n"
	 "254:0 Total 125\n8:0 Read 1\n8:0 Write 2\n8:0 Total 3\nTotal 128\n"                  },
	{"blkio.throttle.io_serviced_recursive",      "254:0 Read 6\n254:0 Write 7\nTotal 13\n"},
};

static struct cgroup *open_v1(const char *top)
{
	static const struct {
		const char *hierarchy;
		const struct recorded *files;
		size_t n;
	} rows[] = {
		{"cpu,cpuacct", cpuacct_files, LEN(cpuacct_files)},
		{"memory",      memory_files,  LEN(memory_files) },
		{"pids",        pids_files,    LEN(pids_files)   },
		{"blkio",       blkio_files,   LEN(blkio_files)  },
	};
	struct cgroup_dir dirs[LEN(rows)];
	struct cgroup *cg = NULL;
	struct err e = {0};

	for (size_t i = 0; i < LEN(rows); i++) {
		const char *dir = arena_printf(&arena, "%s/%s", top, rows[i].hierarchy);

		record(dir, rows[i].files, rows[i].n);
		dirs[i] = (struct cgroup_dir){.hierarchy = rows[i].hierarchy, .path = dir};
	}
	const struct cgroup_record r = {
		.layout = "v1", .manager = "cgroupfs", .dirs = dirs, .n_dirs = LEN(dirs)};

	CHECK(cgroup_open(&arena, &r, &cg, &e) == 0);
	return cg;
}

static void test_v1(const char *top)
{
	struct cgroup *cg = open_v1(top);
	struct cgroup_meters m;
	struct cgroup_usage u;

	cgroup_meters_open(cg, METERS_ALL, &m);
	cgroup_meters_read(&m, &u);
	CHECK(u.cpu_ns == 1234567890 && cgroup_meters_cpu_ns(&m) == 1234567890);
	CHECK(u.user_ns == 100 * INT64_C(10000000) && u.system_ns == 230000000);
	CHECK(u.throttled == 4 && u.throttled_ns == 77000);
	CHECK(u.memory == 4096000 && u.memory_peak == 8192000 && u.memory_limit == -1);
	CHECK(u.swap == 1000 && u.swap_peak == -1);
	CHECK(u.oom_kills == 2 && cgroup_meters_oom_kills(&m) == 2 && u.memory_hits == 42);
	CHECK(u.pids == 5 && u.pids_peak == 12 && u.pids_refused == 7 && u.pids_limit == 64);
	CHECK(u.read_bytes == 101 && u.write_bytes == 22 && u.reads == 6 && u.writes == 7);
	cgroup_meters_close(&m);
	/* Neither counter is to be believed when both say 0. */
	rewrite(arena_printf(&arena, "%s/memory/memory.failcnt", top), "0\n");
	rewrite(arena_printf(&arena, "%s/memory/memory.memsw.failcnt", top), "0\n");
	cgroup_meters_read(&m, &u);
	CHECK(u.memory_hits == -1);
	/* Only what was asked for. */
	cgroup_meters_open(cg, METERS_RESULT, &m);
	CHECK(m.fds[METER_PIDS] < 0 && m.fds[METER_MEMORY] < 0 && m.fds[METER_CPU] >= 0);
	cgroup_meters_read(&m, &u);
	CHECK(u.memory == -1 && u.pids == -1 && u.swap == -1 && u.memory_peak == 8192000);
	cgroup_meters_close(&m);
	cgroup_close(cg);
}

static struct cgroup *open_v2(const char *dir)
{
	const struct cgroup_dir d = {.hierarchy = "", .path = dir};
	const struct cgroup_record r = {
		.layout = "v2", .manager = "cgroupfs", .dirs = &d, .n_dirs = 1};
	struct cgroup *cg = NULL;
	struct err e = {0};

	CHECK(cgroup_open(&arena, &r, &cg, &e) == 0);
	return cg;
}

static void test_v2(const char *top)
{
	static const struct recorded files[] = {
		{"cpu.stat",
		 "usage_usec 5000\nuser_usec 3000\nsystem_usec 2000\nnice_usec 0\nnr_periods 3\n"
		 "nr_throttled 2\nthrottled_usec 41\n"							    },
		{"memory.current",      "100\n"								   },
		{"memory.peak",         "300\n"								   },
		{"memory.max",          "max\n"								   },
		{"memory.events",       "low 0\nhigh 0\nmax 9\noom 2\noom_kill 1\noom_group_kill 1\n"             },
		{"memory.swap.current", "11\n"								    },
		{"memory.swap.peak",    "12\n"								    },
		{"pids.current",        "1\n"								     },
		{"pids.peak",           "2\n"								     },
		{"pids.max",            "max\n"								   },
		{"pids.events",         "max 0\n"								 },
		{"io.stat",             "8:0 rbytes=4096 wbytes=1 rios=2 wios=3 dbytes=0 dios=0\n253:1 \n"
			    "8:16 rbytes=4 wbytes=10 rios=20 wios=30 dbytes=9 dios=9\n"},
	};
	const char *dir = arena_printf(&arena, "%s/v2", top);
	struct cgroup_meters m;
	struct cgroup_usage u;

	record(dir, files, LEN(files));
	struct cgroup *cg = open_v2(dir);
	cgroup_meters_open(cg, METERS_ALL, &m);
	cgroup_meters_read(&m, &u);
	CHECK(u.cpu_ns == 5000000 && u.user_ns == 3000000 && u.system_ns == 2000000);
	CHECK(cgroup_meters_cpu_ns(&m) == 5000000 && u.throttled == 2 && u.throttled_ns == 41000);
	CHECK(u.memory == 100 && u.memory_peak == 300 && u.memory_limit == -1);
	CHECK(u.swap == 11 && u.swap_peak == 12 && u.oom_kills == 1 && u.memory_hits == 9);
	CHECK(cgroup_meters_oom_kills(&m) == 1);
	CHECK(u.pids == 1 && u.pids_peak == 2 && u.pids_limit == -1 && u.pids_refused == 0);
	CHECK(u.read_bytes == 4100 && u.write_bytes == 11 && u.reads == 22 && u.writes == 33);
	cgroup_meters_close(&m);
	cgroup_close(cg);
}

/* The root of a cgroup2 that passes nothing on: cpu.stat without a quota and nothing else. */
static void test_absent(const char *top)
{
	static const struct recorded files[] = {
		{"cpu.stat",       "usage_usec 1\nuser_usec x\nsystem_usec 99999999999999999999\n"},
		{"io.stat",        ""							     },
		{"pids.current",   "garbage\n"						    },
		{"memory.current", "18446744073709551615\n"                                       },
	};
	const char *dir = arena_printf(&arena, "%s/bare", top);
	struct cgroup_usage u, none;
	struct cgroup_meters m;

	record(dir, files, LEN(files));
	struct cgroup *cg = open_v2(dir);
	cgroup_meters_open(cg, METERS_ALL, &m);
	cgroup_meters_read(&m, &u);
	cgroup_usage_unknown(&none);
	none.cpu_ns = 1000;
	none.read_bytes = none.write_bytes = none.reads = none.writes = 0;
	CHECK(memcmp(&u, &none, sizeof(u)) == 0);
	CHECK(cgroup_meters_oom_kills(&m) == -1);
	cgroup_meters_close(&m);
	cgroup_close(cg);
	m = CGROUP_METERS_NONE;
	cgroup_meters_read(&m, &u);
	cgroup_usage_unknown(&none);
	CHECK(memcmp(&u, &none, sizeof(u)) == 0 && cgroup_meters_cpu_ns(&m) == -1);
}

/* More devices than the buffer takes: half a sum would be a wrong number. */
static void test_too_long(const char *top)
{
	char text[40000] = "";
	size_t n = 0;

	while (n < sizeof(text) - 100)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "8:%zu rbytes=1 wbytes=1\n", n);
	const struct recorded file = {"io.stat", text};
	const char *dir = arena_printf(&arena, "%s/long", top);
	struct cgroup_meters m;
	struct cgroup_usage u;

	record(dir, &file, 1);
	struct cgroup *cg = open_v2(dir);
	cgroup_meters_open(cg, METERS_ALL, &m);
	cgroup_meters_read(&m, &u);
	CHECK(u.read_bytes == -1 && u.writes == -1);
	cgroup_meters_close(&m);
	cgroup_close(cg);
}

static void test_since(void)
{
	struct cgroup_usage now, start;

	cgroup_usage_unknown(&now);
	cgroup_usage_unknown(&start);
	now.cpu_ns = 100;
	start.cpu_ns = 40;
	now.oom_kills = 3; /* unknown at the start: unknown since */
	now.reads = 5;
	start.reads = 6; /* reset meanwhile */
	now.memory_peak = start.memory_peak = 7;
	now.pids_peak = 9;
	start.pids_peak = 8;
	now.memory = 55;
	start.memory = 44;
	cgroup_usage_since(&now, &start);
	CHECK(now.cpu_ns == 60 && now.oom_kills == -1 && now.reads == -1);
	CHECK(now.memory_peak == -1 && now.pids_peak == 9 && now.memory == 55);
	CHECK(now.writes == -1 && now.swap_peak == -1);
}

static void test_join(void)
{
	struct cgroup_usage a, b;

	cgroup_usage_unknown(&a);
	cgroup_usage_unknown(&b);
	a.cpu_ns = 100;
	b.cpu_ns = 40; /* an earlier look */
	b.oom_kills = 3;
	b.memory = 55;
	a.pids_limit = 7;
	b.pids_limit = 9;
	cgroup_usage_join(&a, &b);
	CHECK(a.cpu_ns == 100 && a.oom_kills == 3 && a.memory == -1 && a.pids_limit == 7);
	cgroup_usage_fill(&b, &a);
	CHECK(b.cpu_ns == 40 && b.pids_limit == 9);
}

static int64_t ns(clockid_t clock)
{
	struct timespec ts;

	(void)clock_gettime(clock, &ts);
	return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

/* Joins, uses 50 ms and 24 MiB, and dies of memory if the cgroup allows only 16. */
static void eat(struct cgroup *cg)
{
	enum { BYTES = 24 << 20 };
	int64_t until = ns(CLOCK_PROCESS_CPUTIME_ID) + 50000000;
	struct err e;

	if (cgroup_enters(cg) ? cgroup_enter(cg, &e) < 0 : cgroup_attach(cg, getpid(), &e) < 0)
		_exit(1);
	while (ns(CLOCK_PROCESS_CPUTIME_ID) < until)
		;
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		_exit(2);
	for (size_t i = 0; i < BYTES; i += 4096)
		*(volatile char *)(p + i) = 1;
	_exit(3);
}

static void check_real(struct cgroup *cg, struct cgroup_meters *m)
{
	struct cgroup_usage u, start;
	int status = 0;

	cgroup_meters_read(m, &start);
	pid_t child = fork();
	if (child == 0)
		eat(cg);
	CHECK(waitpid(child, &status, 0) == child);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	cgroup_meters_read(m, &u);
	CHECK(u.oom_kills == start.oom_kills + 1 && cgroup_meters_oom_kills(m) == u.oom_kills);
	CHECK(u.cpu_ns >= start.cpu_ns + 50000000 && cgroup_meters_cpu_ns(m) >= u.cpu_ns);
	CHECK(u.user_ns >= 0 && u.user_ns + u.system_ns <= u.cpu_ns + 20000000);
	CHECK(u.memory_limit == 16 << 20 && u.memory_hits != 0 && u.pids_limit == 8);
	CHECK(u.memory_peak > 15 << 20 && u.memory_peak <= 16 << 20);
	CHECK(u.pids == 0 && u.pids_refused == 0 && (u.pids_peak == 1 || u.pids_peak == -1));
}

static struct cgroup *make_real(void)
{
	const struct oci_memory memory = {.limit = &(int64_t){16 << 20},
					  .swap = &(int64_t){16 << 20}};
	const struct oci_resources resources = {.memory = &memory,
						.pids = &(struct oci_pids){.limit = 8}};
	const struct oci_linux lin = {
		.cgroups_path = arena_printf(&arena, "/sta-meters-%d", getpid()),
		.resources = &resources,
	};
	const struct cgroup_request req = {.id = "sta-meters", .linux_ = &lin};
	const struct cgroup_plan *plan;
	static struct cgroup_host host;
	struct cgroup *cg = NULL;
	struct err e = {0};

	if (cgroup_host_probe(&arena, &host, &e) < 0 ||
	    cgroup_plan_make(&arena, &host, &req, &plan, &e) < 0 ||
	    cgroup_create(&arena, plan, &cg, &e) < 0) {
		printf("skip: no cgroup can be made here: %s\n", e.msg);
		return NULL;
	}
	CHECK(!cgroup_enters(cg) || cgroup_enter_open(cg, &e) == 0);
	CHECK(!cgroup_is_fleeting(cg));
	return cg;
}

static void test_real(void)
{
	struct cgroup *cg = make_real();
	struct cgroup_meters m;
	struct cgroup_usage u;
	struct err e = {0};

	if (!cg)
		return;
	cgroup_meters_open(cg, METERS_ALL, &m);
	check_real(cg, &m);
	/* Nobody knows when it is empty. */
	CHECK(m.fds[METER_LIFE] < 0 && !cgroup_meters_keep(&m) && !cgroup_meters_kept(&m, &u));
	CHECK(cgroup_destroy(cg, &e) == 0);
	/* The directories are gone, the descriptors are not. */
	cgroup_meters_read(&m, &u);
	CHECK(u.cpu_ns == -1 && u.oom_kills == -1 && u.memory == -1 && u.pids_peak == -1);
	cgroup_meters_close(&m);
	cgroup_close(cg);
}

/* Joins, and eats when it is told to. */
static pid_t guest(struct cgroup *cg, int told[2])
{
	struct err e;
	char c;

	CHECK(pipe2(told, O_CLOEXEC) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		(void)close(told[1]);
		if (read(told[0], &c, 1) == 1)
			eat(cg);
		_exit(4);
	}
	(void)close(told[0]);
	CHECK(cgroup_attach(cg, pid, &e) == 0);
	return pid;
}

/* What was counted until the last process has left is known when all of it has gone. */
static void check_keeper(struct cgroup *cg, struct cgroup_meters *m)
{
	struct cgroup_usage u, kept;
	struct err e = {0};
	int told[2], status = 0;
	pid_t pid = guest(cg, told);

	CHECK(cgroup_meters_keep(m));
	CHECK(!cgroup_meters_keep(m)); /* one is enough */
	CHECK(!cgroup_meters_kept(m, &kept));
	CHECK(write(told[1], "", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	CHECK(cgroup_destroy(cg, &e) == 0);
	(void)close(told[1]);
	cgroup_meters_read(m, &u);
	CHECK(u.cpu_ns == -1 && u.oom_kills == -1);
	CHECK(cgroup_meters_kept(m, &kept));
	cgroup_usage_fill(&u, &kept);
	CHECK(u.oom_kills == 1 && u.cpu_ns >= 50000000 && u.memory_peak > 15 << 20);
	CHECK(u.memory_limit == 16 << 20 && u.pids_limit == 8 && u.pids_refused == 0);
	CHECK(u.memory == -1 && u.pids == -1); /* of the moment */
	/* It has ended. */
	CHECK(waitpid(-1, &status, 0) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* It does not outlive those that could ask it, whatever becomes of the cgroup. */
static void check_left_keeper(struct cgroup *cg, struct cgroup_meters *m)
{
	struct err e = {0};
	int told[2], status = 0;
	pid_t pid = guest(cg, told);

	CHECK(cgroup_meters_keep(m));
	cgroup_meters_close(m);
	pid_t keeper = waitpid(-1, &status, 0);
	CHECK(keeper > 0 && keeper != pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	(void)close(told[1]);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 4);
	CHECK(cgroup_destroy(cg, &e) == 0);
}

static void test_keeper(void (*check)(struct cgroup *cg, struct cgroup_meters *m))
{
	struct cgroup *cg = make_real();
	struct cgroup_meters m;

	if (!cg)
		return;
	cgroup_meters_open(cg, METERS_ALL | METER_BIT(METER_LIFE), &m);
	if (m.fds[METER_LIFE] >= 0)
		check(cg, &m);
	else
		printf("skip: no cgroup2 here\n");
	cgroup_meters_close(&m);
	cgroup_close(cg);
}

int main(void)
{
	char top[] = "/tmp/brig-meters-XXXXXX";
	struct err e;

	CHECK(mkdtemp(top));
	test_v1(top);
	test_v2(top);
	test_absent(top);
	test_too_long(top);
	test_since();
	test_join();
	test_real();
	test_keeper(check_keeper);
	test_keeper(check_left_keeper);
	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	arena_free(&arena);
	return check_done();
}
