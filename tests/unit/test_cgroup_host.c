/* Real cgroups: their life, who shares one, devices, counters. */
#include <sys/sysmacros.h>

#include "cgroup/stats.h"
#include "cgroup_fixture.h"

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
	/* The second one found the directories: they are for the first to remove. */
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	CHECK(access(strict->dirs[0].path, F_OK) == 0);
	CHECK(ok(cgroup_destroy(strict, &e), &e));
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
	if (!begin_cgroups())
		return 0;
	test_life();
	test_destroy_busy();
	test_kill_paused();
	test_shared_parent();
	test_refused();
	test_sub();
	test_devices();
	test_devices_replaced();
	test_nobody();
	test_stats();
	if (has(CG_MEMORY))
		test_oom();
	arena_free(&arena);
	return check_done();
}
