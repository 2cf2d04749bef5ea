#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal.h"
#include "cgroup/stats.h"
#include "check.h"

/*
 * Real cgroups on the host's own hierarchies, in whatever layout it has.  Names are
 * brigtest-PID-*, and each test looks that nothing of them is left.
 */

static struct arena arena;
static struct cgroup_host host;

static bool ok(int r, const struct err *e)
{
	if (r < 0)
		fprintf(stderr, "  %s\n", e->msg);
	return r >= 0;
}

static const char *test_path(const char *tail)
{
	return arena_printf(&arena, "/brigtest-%d-%s", getpid(), tail);
}

static bool has(enum cg_ctrl c)
{
	for (size_t i = 0; i < host.n_mounts; i++) {
		char path[256], text[512];

		if (cg_ctrls(host.mounts[i].hierarchy, ",") & CG_BIT(c))
			return true;
		snprintf(path, sizeof(path), "%s/cgroup.controllers", host.mounts[i].mountpoint);
		if (host.layout == CGROUP_V2 && file_peek(AT_FDCWD, path, text, sizeof(text)) > 0 &&
		    cg_ctrls(text, " ") & CG_BIT(c))
			return true;
	}
	return false;
}

static const struct cgroup_plan *plan(const char *path, const struct oci_resources *res)
{
	struct oci_linux *l = arena_new(&arena, sizeof(*l));
	struct cgroup_request req = {.id = "brigtest", .linux_ = l};
	const struct cgroup_plan *p = NULL;
	struct err e;

	l->cgroups_path = path;
	l->resources = res;
	CHECK(ok(cgroup_plan_make(&arena, &host, &req, &p, &e), &e));
	return p;
}

static struct cgroup *make(const char *path, const struct oci_resources *res)
{
	struct cgroup *cg = NULL;
	struct err e;

	CHECK(ok(cgroup_create(&arena, plan(path, res), &cg, &e), &e));
	return cg;
}

static void nap_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Sleeps, but not for ever: a failed check must not leave a test that waits for it. */
static void sleep_a_while(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(20);
	for (;;)
		pause();
}

/* A process in the cgroup: cloned into cgroup2, and into v1's directories by itself. */
static pid_t sleeper(struct cgroup *cg)
{
	int fd = cgroup_spawn_fd(cg), there[2];
	bool enters = cgroup_enters(cg);
	struct clone_args args = {.exit_signal = SIGCHLD};
	struct err e;
	char c = 0;

	CHECK(!enters || ok(cgroup_enter_open(cg, &e), &e));
	if (pipe2(there, O_CLOEXEC) < 0)
		return -1;
	if (fd >= 0) {
		args.flags = CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)fd;
	}
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		c = enters && cgroup_enter(cg, &e) < 0 ? 'n' : 'y';
		(void)!write(there[1], &c, 1);
		sleep_a_while();
	}
	CHECK(pid > 0);
	close(there[1]);
	CHECK(read(there[0], &c, 1) == 1 && c == 'y');
	close(there[0]);
	if (pid > 0 && fd < 0 && !enters)
		CHECK(ok(cgroup_attach(cg, pid, &e), &e));
	return pid;
}

/* A directory of that path in any hierarchy, NULL: in none. */
static const char *somewhere(const char *path)
{
	struct stat st;

	for (size_t i = 0; i < host.n_mounts; i++) {
		const char *full = arena_printf(&arena, "%s%s", host.mounts[i].mountpoint, path);

		if (stat(full, &st) == 0)
			return full;
	}
	return NULL;
}

static bool gone(const char *path)
{
	const char *left = somewhere(path);

	if (left)
		fprintf(stderr, "  left: %s\n", left);
	return !left;
}

static void remove_parent(const char *path)
{
	for (size_t i = 0; i < host.n_mounts; i++) {
		char full[512];

		snprintf(full, sizeof(full), "%s%s", host.mounts[i].mountpoint, path);
		CHECK(rmdir(full) == 0 || errno == ENOENT);
	}
}

static size_t count(const struct cgroup *cg)
{
	struct err e;
	pid_t *pids;
	size_t n = 0;

	CHECK(ok(cgroup_pids(&arena, cg, &pids, &n, &e), &e));
	return n;
}

static struct cgroup *reopen(struct cgroup *cg)
{
	struct cgroup_record r = cgroup_get_record(&arena, cg);
	struct cgroup *again = NULL;
	struct err e;

	cgroup_close(cg);
	CHECK(ok(cgroup_open(&arena, &r, &again, &e), &e));
	return again;
}

static void test_life(void)
{
	const char *path = test_path("life");
	struct cgroup *cg = make(path, NULL);
	struct err e;
	int status;

	if (!cg)
		return;
	CHECK(!cgroup_plan_needs_attach(plan(path, NULL))); /* only systemd's are moved */
	CHECK(cgroup_enters(cg) == (host.layout != CGROUP_V2));
	pid_t pid = sleeper(cg);
	CHECK(count(cg) == 1);
	cg = reopen(cg);
	CHECK(count(cg) == 1);
	/* a second container may not move in */
	struct cgroup *other;
	CHECK(cgroup_create(&arena, plan(path, NULL), &other, &e) == -EBUSY);
	CHECK(strstr(e.msg, "container's cgroup is not empty"));
	CHECK(count(cg) == 1);
	CHECK(cgroup_is_frozen(cg) == 0);
	CHECK(ok(cgroup_freeze(cg, true, &e), &e));
	CHECK(cgroup_is_frozen(cg) == 1);
	CHECK(ok(cgroup_freeze(cg, false, &e), &e));
	CHECK(cgroup_is_frozen(cg) == 0);
	CHECK(ok(cgroup_signal(cg, SIGTERM, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGTERM);
	CHECK(count(cg) == 0);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	CHECK(ok(cgroup_destroy(cg, &e), &e)); /* gone already is success */
	cgroup_close(cg);
	CHECK(gone(path));
}

/* Sub-cgroups, a frozen one among them, with processes that nobody has killed. */
static void test_destroy_busy(void)
{
	const char *path = test_path("busy");
	struct cgroup *cg = make(path, NULL);
	pid_t pids[3];
	struct err e;

	if (!cg)
		return;
	for (int i = 0; i < 3; i++)
		pids[i] = sleeper(cg);
	for (size_t i = 0; i < cg->n_dirs; i++) {
		CHECK(mkdir(arena_printf(&arena, "%s/a", cg->dirs[i].path), 0755) == 0);
		CHECK(mkdir(arena_printf(&arena, "%s/a/b", cg->dirs[i].path), 0755) == 0);
		if (cg->dirs[i].ctrls & CG_BIT(CG_CPUSET))
			continue;
		const char *procs = arena_printf(&arena, "%s/a/b/cgroup.procs", cg->dirs[i].path);
		CHECK(ok(file_poke(AT_FDCWD, procs, arena_printf(&arena, "%d", pids[2]), &e), &e));
	}
	CHECK(count(cg) == 3);
	struct cg_dir *f = cg_find(cg, CG_FREEZER);
	const char *file = host.layout == CGROUP_V2 ? "a/b/cgroup.freeze" : "a/b/freezer.state";
	CHECK(ok(cg_poke(f, file, host.layout == CGROUP_V2 ? "1" : "FROZEN", &e), &e));
	cg = reopen(cg);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	for (int i = 0; i < 3; i++) {
		int status;

		CHECK(waitpid(pids[i], &status, 0) == pids[i] && WIFSIGNALED(status) &&
		      WTERMSIG(status) == SIGKILL);
	}
	CHECK(gone(path));
}

static void test_kill_paused(void)
{
	const char *path = test_path("paused");
	struct cgroup *cg = make(path, NULL);
	struct err e;
	int status;

	if (!cg)
		return;
	pid_t pid = sleeper(cg);
	CHECK(ok(cgroup_freeze(cg, true, &e), &e));
	CHECK(ok(cgroup_signal(cg, SIGKILL, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	CHECK(gone(path));
}

static void test_shared_parent(void)
{
	const char *parent = test_path("parent");
	const char *one = arena_printf(&arena, "%s/x/one", parent);
	const char *two = arena_printf(&arena, "%s/x/two", parent);
	struct cgroup *a = make(one, NULL), *b = make(two, NULL);
	struct cg_dir *d = a ? cg_primary(a) : NULL;
	struct err e;

	if (!a || !b)
		return;
	/* an empty directory that is there already is used */
	struct cgroup *again = make(one, NULL);
	CHECK(again != NULL);
	/* a frozen one is refused */
	if (d && has(CG_FREEZER) | (host.layout == CGROUP_V2)) {
		struct cgroup *no;

		CHECK(ok(cgroup_freeze(a, true, &e), &e));
		CHECK(cgroup_create(&arena, plan(one, NULL), &no, &e) == -EBUSY);
		CHECK(strstr(e.msg, "container's cgroup unexpectedly frozen"));
	}
	CHECK(ok(cgroup_destroy(a, &e), &e));
	CHECK(gone(one));
	CHECK(somewhere(two));
	CHECK(ok(cgroup_destroy(b, &e), &e));
	cgroup_close(a);
	cgroup_close(b);
	cgroup_close(again);
	remove_parent(arena_printf(&arena, "%s/x", parent));
	remove_parent(parent);
	CHECK(gone(parent));
}

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

static void test_refused(void)
{
	struct oci_map map = {"memory.max", "1"};
	struct oci_resources uni = {.unified = &map, .n_unified = 1};
	struct oci_linux l = {.resources = &uni};
	struct cgroup_request req = {.id = "brigtest", .linux_ = &l};
	const char *const bad[] = {"../x", "/a/../b", "/a//b", "/", "a\nb", "/a/."};
	const struct cgroup_plan *p;
	struct err e;

	if (host.layout != CGROUP_V2) {
		CHECK(cgroup_plan_make(&arena, &host, &req, &p, &e) == -EINVAL);
		CHECK(strstr(e.msg, "invalid configuration"));
	}
	l.resources = NULL;
	for (size_t i = 0; i < LEN(bad); i++) {
		l.cgroups_path = bad[i];
		CHECK(cgroup_plan_make(&arena, &host, &req, &p, &e) == -EINVAL);
	}
	/* a failed create leaves nothing */
	struct oci_cpu c = {.cpus = "4000"};
	struct oci_resources r = {.cpu = &c};
	const char *path = test_path("bad");
	struct cgroup *cg;
	if (has(CG_CPUSET))
		CHECK(cgroup_create(&arena, plan(arena_printf(&arena, "%s/c", path), &r), &cg, &e) <
		      0);
	CHECK(gone(path));
}

static void test_sub(void)
{
	const char *path = test_path("sub");
	struct cgroup *cg = make(path, NULL);
	const char *const out[] = {"../out"}, *const missing[] = {"nosuch"};
	const char *const ctrl[] = {"nosuch:/x"}, *const sub[] = {"in"};
	struct err e;
	int status;

	if (!cg)
		return;
	pid_t pid = sleeper(cg);
	CHECK(cgroup_attach_sub(cg, out, 1, pid, &e) < 0 && strstr(e.msg, "bad sub cgroup path"));
	CHECK(cgroup_attach_sub(cg, missing, 1, pid, &e) == -ENOENT);
	CHECK(strstr(e.msg, " adding pid ") && strstr(e.msg, "o such file or directory"));
	if (host.layout != CGROUP_V2)
		CHECK(cgroup_attach_sub(cg, ctrl, 1, pid, &e) < 0 &&
		      strstr(e.msg, "unknown controller "));
	for (size_t i = 0; i < cg->n_dirs; i++) {
		CHECK(mkdir(arena_printf(&arena, "%s/in", cg->dirs[i].path), 0755) == 0);
		if (cg->dirs[i].ctrls & CG_BIT(CG_CPUSET)) {
			cg->dirs[i].path = arena_printf(&arena, "%s/in", cg->dirs[i].path);
			cg->dirs[i].mount = "/sys/fs/cgroup/cpuset";
			CHECK(ok(cg_cpuset_inherit(&cg->dirs[i], &e), &e));
			*strrchr((char *)(size_t)cg->dirs[i].path, '/') = '\0';
		}
	}
	CHECK(ok(cgroup_attach_sub(cg, sub, 1, pid, &e), &e));
	CHECK(count(cg) == 1);
	CHECK(ok(cgroup_signal(cg, SIGKILL, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	CHECK(gone(path));
}

/* What the device rules let a process in the cgroup do. */
static void test_devices(void)
{
	struct oci_device_cgroup rules[] = {
		{.allow = false,          .access = "rwm"},
		{ .allow = true,
		 .type = "c",
		 .major = &(int64_t){1},
		 .minor = &(int64_t){11},
		 .access = "r"},
	};
	struct oci_resources r = {.devices = rules, .n_devices = LEN(rules)};
	const char *path = test_path("dev");
	struct cgroup *cg = make(path, &r);
	struct err e;
	int status, ready[2];

	if (!cg || pipe2(ready, O_CLOEXEC) < 0)
		return;
	const char *node = arena_printf(&arena, "/tmp/brigtest-%d-node", getpid());
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		int bad = 0;

		(void)!read(ready[0], &c, 1);
		bad |= open("/dev/null", O_RDWR) < 0;
		bad |= (mknod(node, S_IFCHR | 0600, makedev(1, 11)) < 0) << 1;
		bad |= (open(node, O_RDONLY) < 0) << 2;
		bad |= (open(node, O_RDWR) >= 0 || errno != EPERM) << 3;
		unlink(node);
		bad |= (mknod(node, S_IFBLK | 0600, makedev(254, 0)) < 0) << 4;
		bad |= (open(node, O_RDONLY) >= 0 || errno != EPERM) << 5;
		unlink(node);
		_exit(bad);
	}
	CHECK(ok(cgroup_attach(cg, pid, &e), &e));
	CHECK(write(ready[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status));
	if (WEXITSTATUS(status))
		fprintf(stderr, "  device checks failed: %#x\n", WEXITSTATUS(status));
	CHECK(WEXITSTATUS(status) == 0);
	close(ready[0]);
	close(ready[1]);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	CHECK(gone(path));
}

/* Privileged: everything is allowed, also where a stricter cgroup was left behind. */
static void test_devices_replaced(void)
{
	struct oci_device_cgroup all = {.allow = true, .access = "rwm"};
	struct oci_resources r = {.devices = &all, .n_devices = 1};
	const char *path = test_path("devall");
	const char *node = arena_printf(&arena, "/tmp/brigtest-%d-all", getpid());
	struct cgroup *strict = make(path, NULL);
	struct cgroup *cg = make(path, &r);
	struct err e;
	int status, ready[2];

	if (!strict || !cg || pipe2(ready, O_CLOEXEC) < 0)
		return;
	pid_t pid = fork();
	if (pid == 0) {
		char c;
		int bad = 0;

		(void)!read(ready[0], &c, 1);
		bad |= mknod(node, S_IFCHR | 0600, makedev(1, 11)) < 0;
		bad |= (open(node, O_RDONLY) < 0) << 1;
		unlink(node);
		_exit(bad);
	}
	CHECK(ok(cgroup_attach(cg, pid, &e), &e));
	CHECK(write(ready[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	close(ready[0]);
	close(ready[1]);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	cgroup_close(strict);
	CHECK(gone(path));
}

static void test_stats(void)
{
	struct oci_pids pids = {44};
	struct oci_resources r = {.pids = &pids};
	const char *path = test_path("stats");
	struct cgroup *cg = make(path, has(CG_PIDS) ? &r : NULL);
	struct err e;
	char *json = NULL;
	int status;

	if (!cg)
		return;
	pid_t pid = sleeper(cg);
	CHECK(ok(cgroup_stats_json(&arena, cg, &json, &e), &e));
	CHECK(json && json[0] == '{' && strstr(json, "\"cpu\":{\"usage\":{"));
	if (has(CG_PIDS))
		CHECK(strstr(json, "\"pids\":{\"current\":1,\"limit\":44}"));
	if (has(CG_MEMORY))
		CHECK(strstr(json, "\"memory\":{\"cache\":"));
	if (getenv("BRIG_TEST_SHOW"))
		printf("%s\n", json);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid);
	/* gone: still an object */
	CHECK(ok(cgroup_stats_json(&arena, cg, &json, &e), &e));
	CHECK(json[0] == '{' && json[strlen(json) - 1] == '}');
	cgroup_close(cg);
	CHECK(gone(path));
}

static void test_oom(void)
{
	int64_t limit = 16 << 20;
	struct oci_memory m = {.limit = &limit, .swap = &limit};
	struct oci_resources r = {.memory = &m};
	const char *path = test_path("oom");
	struct cgroup *cg = make(path, &r);
	struct cgroup_oom_watch w;
	struct err e;
	int status, go[2], n = 0;

	if (!cg || pipe2(go, O_CLOEXEC) < 0)
		return;
	CHECK(ok(cgroup_oom_open(cg, &w, &e), &e));
	CHECK(cgroup_oom_read(&w) == 0);
	pid_t pid = fork();
	if (pid == 0) {
		char c;

		(void)!read(go[0], &c, 1);
		for (size_t i = 0; i < 64; i++) {
			char *p = malloc(1 << 20);

			memset(p, 1 + (int)i, 1 << 20);
			*(volatile char *)p = 1;
		}
		_exit(0);
	}
	CHECK(ok(cgroup_attach(cg, pid, &e), &e));
	CHECK(write(go[1], "x", 1) == 1);
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) &&
	      WTERMSIG(status) == SIGKILL);
	for (int i = 0; i < 100 && n == 0; i++, nap_ms(10))
		n = cgroup_oom_read(&w);
	CHECK(n == 1);
	CHECK(cgroup_oom_read(&w) == 0);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	CHECK(cgroup_oom_read(&w) == -1);
	cgroup_oom_close(&w);
	cgroup_close(cg);
	close(go[0]);
	close(go[1]);
	CHECK(gone(path));
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
	/* below the usage */
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
	/* a parent with processes of its own cannot pass controllers on */
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
	/* a leaf that passes controllers on cannot take processes */
	CHECK(ok(cg_poke(cg_unified(cg), "cgroup.subtree_control", "+pids", &e), &e));
	CHECK(cgroup_create(&arena, plan(path, NULL), &no, &e) == -EBUSY);
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	cgroup_close(up);
	remove_parent(test_path("limits2"));
	CHECK(gone(test_path("limits2")) && gone(test_path("inner")));
}

/* Who may not make cgroups runs without, unless limits or a path are asked for. */
static int as_nobody(void)
{
	struct oci_pids pids = {33};
	struct oci_resources r = {.pids = &pids};
	struct oci_linux l = {0};
	struct cgroup_request req = {.id = "brigtest-nobody", .rootless = true, .linux_ = &l};
	const struct cgroup_plan *p;
	struct cgroup *cg;
	struct err e;

	CHECK(ok(cgroup_plan_make(&arena, &host, &req, &p, &e), &e));
	CHECK(ok(cgroup_create(&arena, p, &cg, &e), &e));
	CHECK_STR(cgroup_get_record(&arena, cg).layout, "none");
	CHECK(cgroup_get_record(&arena, cg).n_dirs == 0);
	CHECK(cgroup_spawn_fd(cg) == -1);
	CHECK(ok(cgroup_attach(cg, getpid(), &e), &e));
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	cgroup_close(cg);
	l.cgroups_path = "/brigtest-nobody";
	CHECK(ok(cgroup_plan_make(&arena, &host, &req, &p, &e), &e));
	CHECK(cgroup_create(&arena, p, &cg, &e) == -EACCES);
	CHECK(strstr(e.msg, "unable to apply cgroup configuration") &&
	      strstr(e.msg, "permission denied"));
	l.cgroups_path = NULL;
	l.resources = &r;
	if (!has(CG_PIDS))
		return checks_failed;
	CHECK(ok(cgroup_plan_make(&arena, &host, &req, &p, &e), &e));
	CHECK(cgroup_create(&arena, p, &cg, &e) == -EACCES);
	if (host.layout == CGROUP_V2)
		CHECK(strstr(e.msg, "rootless needs no limits + no cgrouppath when no permission "
				    "is granted for cgroups"));
	else
		CHECK(strstr(e.msg, "cannot set pids limit: container could not join or create "
				    "cgroup"));
	return checks_failed;
}

static void test_nobody(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		checks_failed = 0;
		if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
			_exit(99);
		_exit(as_nobody());
	}
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
	struct err e;

	if (geteuid() != 0) {
		printf("skipped: making cgroups needs root\n");
		return 0;
	}
	CHECK(ok(cgroup_host_probe(&arena, &host, &e), &e));
	if (host.layout == CGROUP_NONE) {
		printf("skipped: no cgroup file system is mounted\n");
		return 0;
	}
	printf("layout %s\n", cgroup_plan_record(plan(test_path("x"), NULL)).layout);
	test_life();
	test_destroy_busy();
	test_kill_paused();
	test_shared_parent();
	test_refused();
	test_sub();
	test_devices();
	if (host.layout != CGROUP_V2 && has(CG_MEMORY) && has(CG_CPU) && has(CG_CPUSET) &&
	    has(CG_PIDS))
		test_limits_v1();
	test_devices_replaced();
	test_nobody();
	test_stats();
	if (has(CG_MEMORY))
		test_oom();
	if (host.layout == CGROUP_V2 && has(CG_MEMORY) && has(CG_CPU) && has(CG_CPUSET) &&
	    has(CG_PIDS))
		test_limits_v2();
	arena_free(&arena);
	return check_done();
}
