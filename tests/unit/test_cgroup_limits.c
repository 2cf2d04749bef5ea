/* Real cgroups: limits as they stand in the kernel's files, and what a failed update leaves. */
#include "cgroup_fixture.h"

static void read_limit(struct cgroup *cg, enum cg_ctrl c, const char *file, const char *want)
{
	struct cg_dir *d = cg_find(cg, c);
	char text[256] = "";

	CHECK(d && cg_peek(d, file, text, sizeof(text)) >= 0);
	CHECK_STR(text, want);
}

static void test_limits_v1(void)
{
	const char *path = test_path("limits");
	int64_t mem = 64 << 20, memsw = 64 << 20, quota = 20000;
	uint64_t period = 50000, shares = 512, swappiness = 10;
	struct oci_memory m = {.limit = &mem, .swap = &memsw, .swappiness = &swappiness};
	struct oci_cpu c = {.shares = &shares, .quota = &quota, .period = &period, .cpus = "0"};
	struct oci_pids pids = {33};
	struct oci_resources r = {.memory = &m, .cpu = &c, .pids = &pids};
	struct cgroup *cg = make(path, &r);
	struct err e;

	if (!cg)
		return;
	read_limit(cg, CG_MEMORY, "memory.limit_in_bytes", "67108864");
	read_limit(cg, CG_MEMORY, "memory.memsw.limit_in_bytes", "67108864");
	read_limit(cg, CG_MEMORY, "memory.swappiness", "10");
	read_limit(cg, CG_CPU, "cpu.cfs_quota_us", "20000");
	read_limit(cg, CG_CPU, "cpu.cfs_period_us", "50000");
	read_limit(cg, CG_CPU, "cpu.shares", "512");
	read_limit(cg, CG_CPUSET, "cpuset.cpus", "0");
	read_limit(cg, CG_PIDS, "pids.max", "33");
	cg = reopen(cg);
	/* raising both, lowering both */
	mem = memsw = 128 << 20;
	pids.limit = -1;
	CHECK(ok(cgroup_update(&arena, cg, &r, &e), &e));
	read_limit(cg, CG_MEMORY, "memory.memsw.limit_in_bytes", "134217728");
	read_limit(cg, CG_PIDS, "pids.max", "max");
	mem = memsw = 32 << 20;
	period = 10000;
	quota = 5000;
	CHECK(ok(cgroup_update(&arena, cg, &r, &e), &e));
	read_limit(cg, CG_MEMORY, "memory.limit_in_bytes", "33554432");
	read_limit(cg, CG_CPU, "cpu.cfs_quota_us", "5000");
	/* the third fails: the first two are as before */
	mem = 48 << 20;
	memsw = 96 << 20;
	shares = 100;
	c.cpus = "4000";
	CHECK(cgroup_update(&arena, cg, &r, &e) < 0);
	read_limit(cg, CG_MEMORY, "memory.limit_in_bytes", "33554432");
	read_limit(cg, CG_MEMORY, "memory.memsw.limit_in_bytes", "33554432");
	read_limit(cg, CG_CPU, "cpu.shares", "512");
	read_limit(cg, CG_CPUSET, "cpuset.cpus", "0");
	/* unlimited takes memory+swap along */
	struct oci_memory free_m = {.limit = &(int64_t){-1}};
	struct oci_resources free_r = {.memory = &free_m};
	CHECK(ok(cgroup_update(&arena, cg, &free_r, &e), &e));
	read_limit(cg, CG_MEMORY, "memory.limit_in_bytes", "9223372036854771712");
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	CHECK(gone(path));
}

static void below_usage(struct cgroup *cg)
{
	struct err e;
	pid_t pid = sleeper(cg);
	struct oci_memory low = {.limit = &(int64_t){4096}, .check_before_update = &(bool){true}};
	struct oci_resources r3 = {.memory = &low};
	int status;
	CHECK(ok(cg_poke(cg_unified(cg), "memory.max", "67108864", &e), &e));
	char usage[32] = "";
	CHECK(cg_peek(cg_unified(cg), "memory.current", usage, sizeof(usage)) > 0);
	if (atol(usage) >= 4096) {
		CHECK(cgroup_update(&arena, cg, &r3, &e) < 0);
		CHECK(strstr(e.msg, "rejecting memory limit"));
	}
	CHECK(ok(cgroup_signal(cg, SIGKILL, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid);
}

/* A parent with processes of its own cannot pass controllers on. */
static void test_inner_v2(void)
{
	struct oci_memory m = {.limit = &(int64_t){48 << 20}};
	struct oci_pids pids = {33};
	struct cgroup *no;
	struct err e;
	int status;
	struct cgroup *up = make(test_path("inner"), NULL);
	pid_t in = up ? sleeper(up) : 0;
	struct oci_resources r4 = {.pids = &pids}, r5 = {.memory = &m};
	CHECK(cgroup_create(&arena, plan(test_path("inner/c"), &r4), &no, &e) == -EBUSY);
	CHECK(strstr(e.msg, "holds processes of its own") && strstr(e.msg, "-inner"));
	char passed_on[64] = "";
	CHECK(up && cg_peek(cg_unified(up), "cgroup.subtree_control", passed_on, 64) == 0);
	CHECK(cgroup_create(&arena, plan(test_path("inner/d"), &r5), &no, &e) == -EBUSY);
	CHECK(strstr(e.msg, "holds processes of its own") && strstr(e.msg, "-inner"));
	if (in > 0) {
		CHECK(ok(cgroup_destroy(up, &e), &e));
		CHECK(waitpid(in, &status, 0) == in);
	}
	cgroup_close(up);
	CHECK(gone(test_path("inner")));
}

/* cgroup v2 limits: where these controllers are cgroup2's. */
static void test_limits_v2(void)
{
	const char *path = test_path("limits2/c");
	int64_t mem = 64 << 20, memsw = 96 << 20, quota = 20000, reservation = 32 << 20;
	uint64_t period = 50000, shares = 2048;
	struct oci_map unified[] = {
		{"memory.oom.group", "1"},
                {"cgroup.max.depth", "7"}
        };
	struct oci_memory m = {.limit = &mem, .swap = &memsw, .reservation = &reservation};
	struct oci_cpu c = {.shares = &shares, .quota = &quota, .period = &period, .cpus = "0"};
	struct oci_pids pids = {33};
	struct oci_resources r = {.memory = &m,
				  .cpu = &c,
				  .pids = &pids,
				  .unified = unified,
				  .n_unified = LEN(unified)};
	struct cgroup *cg = make(path, &r), *no;
	struct err e;

	if (!cg)
		return;
	read_limit(cg, CG_MEMORY, "memory.max", "67108864");
	read_limit(cg, CG_MEMORY, "memory.swap.max", "33554432");
	read_limit(cg, CG_MEMORY, "memory.low", "33554432");
	read_limit(cg, CG_MEMORY, "memory.oom.group", "1");
	read_limit(cg, CG_CORE, "cgroup.max.depth", "7");
	read_limit(cg, CG_CPU, "cpu.max", "20000 50000");
	read_limit(cg, CG_CPU, "cpu.weight", "174");
	read_limit(cg, CG_CPUSET, "cpuset.cpus", "0");
	read_limit(cg, CG_PIDS, "pids.max", "33");
	cg = reopen(cg);
	/* only the period, only memory+swap: the rest stays */
	struct oci_cpu only_period = {.period = &(uint64_t){100000}};
	struct oci_memory only_swap = {.swap = &(int64_t){128 << 20}};
	struct oci_resources r2 = {.cpu = &only_period, .memory = &only_swap};
	CHECK(ok(cgroup_update(&arena, cg, &r2, &e), &e));
	read_limit(cg, CG_CPU, "cpu.max", "20000 100000");
	read_limit(cg, CG_MEMORY, "memory.swap.max", "67108864");
	/* set back */
	mem = memsw = 48 << 20;
	c.cpus = "4000";
	r.n_unified = 0;
	CHECK(cgroup_update(&arena, cg, &r, &e) < 0);
	read_limit(cg, CG_MEMORY, "memory.max", "67108864");
	read_limit(cg, CG_MEMORY, "memory.swap.max", "67108864");
	read_limit(cg, CG_CPUSET, "cpuset.cpus", "0");
	below_usage(cg);
	/* a leaf that passes controllers on cannot take processes */
	CHECK(ok(cg_poke(cg_unified(cg), "cgroup.subtree_control", "+pids", &e), &e));
	CHECK(cgroup_create(&arena, plan(path, NULL), &no, &e) == -EBUSY);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	remove_parent(test_path("limits2"));
	CHECK(gone(test_path("limits2")));
}

int main(void)
{
	if (!begin_cgroups())
		return 0;
	if (has(CG_MEMORY) && has(CG_CPU) && has(CG_CPUSET) && has(CG_PIDS)) {
		if (host.layout != CGROUP_V2) {
			test_limits_v1();
		} else {
			test_limits_v2();
			test_inner_v2();
		}
	}
	arena_free(&arena);
	return check_done();
}
