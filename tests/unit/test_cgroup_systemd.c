#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal.h"
#include "check.h"

/* A scope of a running systemd; brig-systemd is looked for beside this program too. */

static struct arena arena;

static bool ok(int r, const struct err *e)
{
	if (r < 0)
		fprintf(stderr, "  %s\n", e->msg);
	return r >= 0;
}

static pid_t sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	return pid;
}

static void read_limit(struct cgroup *cg, enum cg_ctrl c, const char *file, const char *want)
{
	struct cg_dir *d = cg_find(cg, c);
	char text[256] = "";

	CHECK(d && cg_peek(d, file, text, sizeof(text)) >= 0);
	CHECK_STR(text, want);
}

static int helper_there(void)
{
	char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);

	path[n > 0 ? n : 0] = '\0';
	char *slash = strrchr(path, '/');
	if (slash)
		strcpy(slash, "/brig-systemd");
	return access(path, X_OK) == 0 || access("/usr/libexec/brig/brig-systemd", X_OK) == 0;
}

static void test_scope(const struct cgroup_host *host, bool rootless)
{
	int64_t mem = 64 << 20;
	struct oci_memory m = {.limit = &mem};
	struct oci_cpu c = {.shares = &(uint64_t){2048},
			    .quota = &(int64_t){25500},
			    .period = &(uint64_t){50000},
			    .cpus = "0"};
	struct oci_pids pids = {33};
	struct oci_resources r = {.memory = &m, .cpu = &c, .pids = &pids};
	char name[64];
	snprintf(name, sizeof(name), ":brigtest:%d", getpid());
	struct oci_linux l = {.cgroups_path = name, .resources = &r};
	struct cgroup_request req = {
		.id = "x", .manager = CGROUP_SYSTEMD, .rootless = rootless, .linux_ = &l};
	const struct cgroup_plan *p;
	struct cgroup *cg, *again;
	struct err e;
	int status;

	CHECK(ok(cgroup_plan_make(&arena, host, &req, &p, &e), &e));
	CHECK(cgroup_plan_needs_attach(p));
	CHECK(ok(cgroup_create(&arena, p, &cg, &e), &e));
	pid_t pid = sleeper();
	CHECK(cgroup_spawn_fd(cg) == -1);
	if (!ok(cgroup_attach(cg, pid, &e), &e)) {
		CHECK(false);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		return;
	}
	struct cgroup_record rec = cgroup_get_record(&arena, cg);
	printf("%s in %s\n", rec.unit, rec.dirs[0].path);
	/* the name is taken */
	struct cgroup *twin;
	pid_t other = sleeper();
	CHECK(ok(cgroup_create(&arena, p, &twin, &e), &e));
	CHECK(cgroup_attach(twin, other, &e) < 0 && strstr(e.msg, "systemd: "));
	kill(other, SIGKILL);
	waitpid(other, &status, 0);
	cgroup_close(cg);
	CHECK(ok(cgroup_open(&arena, &rec, &again, &e), &e));
	pid_t *list;
	size_t n;
	CHECK(ok(cgroup_pids(&arena, again, &list, &n, &e), &e) && n == 1 && list[0] == pid);
	read_limit(again, CG_MEMORY, "memory.max", "67108864");
	read_limit(again, CG_PIDS, "pids.max", "33");
	read_limit(again, CG_CPU, "cpu.max", "25500 50000");
	read_limit(again, CG_CPU, "cpu.weight", "174");
	read_limit(again, CG_CPUSET, "cpuset.cpus", "0");
	mem = 96 << 20;
	CHECK(ok(cgroup_update(&arena, again, &r, &e), &e));
	read_limit(again, CG_MEMORY, "memory.max", "100663296");
	CHECK(ok(cgroup_destroy(again, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
	CHECK(access(rec.dirs[0].path, F_OK) < 0 && errno == ENOENT);
	CHECK(ok(cgroup_destroy(again, &e), &e));
	cgroup_close(again);
	/* the unit is gone: its name can be used at once */
	pid = sleeper();
	CHECK(ok(cgroup_create(&arena, p, &cg, &e), &e));
	CHECK(ok(cgroup_attach(cg, pid, &e), &e));
	CHECK(ok(cgroup_destroy(cg, &e), &e));
	CHECK(waitpid(pid, &status, 0) == pid);
	cgroup_close(cg);
}

int main(void)
{
	struct cgroup_host host;
	struct err e;

	if (access("/run/systemd/system", F_OK) < 0) {
		printf("skipped: systemd does not run here\n");
		return 0;
	}
	if (!helper_there()) {
		printf("skipped: brig-systemd is not built\n");
		return 0;
	}
	CHECK(ok(cgroup_host_probe(&arena, &host, &e), &e));
	if (host.layout != CGROUP_V2) {
		printf("skipped: written for cgroup v2\n");
		return 0;
	}
	test_scope(&host, geteuid() != 0);
	arena_free(&arena);
	return check_done();
}
