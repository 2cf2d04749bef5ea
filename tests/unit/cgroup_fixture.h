#ifndef BRIG_TESTS_CGROUP_FIXTURE_H
#define BRIG_TESTS_CGROUP_FIXTURE_H

/*
 * Real cgroups on the host's own hierarchies, in whatever layout it has.  Names are
 * brigtest-PID-*, and each test looks that nothing of them is left.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cgroup/internal.h"
#include "check.h"

static struct arena arena;
static struct cgroup_host host;

static inline bool ok(int r, const struct err *e)
{
	if (r < 0)
		fprintf(stderr, "  %s\n", e->msg);
	return r >= 0;
}

static inline const char *test_path(const char *tail)
{
	return arena_printf(&arena, "/brigtest-%d-%s", getpid(), tail);
}

static inline bool has(enum cg_ctrl c)
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

static inline const struct cgroup_plan *plan(const char *path, const struct oci_resources *res)
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

static inline struct cgroup *make(const char *path, const struct oci_resources *res)
{
	struct cgroup *cg = NULL;
	struct err e;

	CHECK(ok(cgroup_create(&arena, plan(path, res), &cg, &e), &e));
	return cg;
}

static inline void nap_ms(long ms)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

/* Sleeps, but not for ever: a failed check must not leave a test that waits for it. */
static inline void sleep_a_while(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(20);
	for (;;)
		pause();
}

/* A process in the cgroup: cloned into cgroup2, and into v1's directories by itself. */
static inline pid_t sleeper(struct cgroup *cg)
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
static inline const char *somewhere(const char *path)
{
	struct stat st;

	for (size_t i = 0; i < host.n_mounts; i++) {
		const char *full = arena_printf(&arena, "%s%s", host.mounts[i].mountpoint, path);

		if (stat(full, &st) == 0)
			return full;
	}
	return NULL;
}

static inline bool gone(const char *path)
{
	const char *left = somewhere(path);

	if (left)
		fprintf(stderr, "  left: %s\n", left);
	return !left;
}

static inline void remove_parent(const char *path)
{
	for (size_t i = 0; i < host.n_mounts; i++) {
		char full[512];

		snprintf(full, sizeof(full), "%s%s", host.mounts[i].mountpoint, path);
		CHECK(rmdir(full) == 0 || errno == ENOENT);
	}
}

static inline size_t count(const struct cgroup *cg)
{
	struct err e;
	pid_t *pids;
	size_t n = 0;

	CHECK(ok(cgroup_pids(&arena, cg, &pids, &n, &e), &e));
	return n;
}

static inline struct cgroup *reopen(struct cgroup *cg)
{
	struct cgroup_record r = cgroup_get_record(&arena, cg);
	struct cgroup *again = NULL;
	struct err e;

	cgroup_close(cg);
	CHECK(ok(cgroup_open(&arena, &r, &again, &e), &e));
	return again;
}

/* False: it cannot be tested here, which has been told. */
static inline bool begin_cgroups(void)
{
	struct err e;

	if (geteuid() != 0) {
		printf("skipped: making cgroups needs root\n");
		return false;
	}
	CHECK(ok(cgroup_host_probe(&arena, &host, &e), &e));
	if (host.layout == CGROUP_NONE) {
		printf("skipped: no cgroup file system is mounted\n");
		return false;
	}
	printf("layout %s\n", cgroup_plan_record(plan(test_path("x"), NULL)).layout);
	return true;
}

#endif
