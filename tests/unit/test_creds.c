/* Numeric users, and the ids of a child after the plan is applied. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "guard/creds.h"

static void parse(void)
{
	static const struct {
		const char *text;
		int code;
		uint32_t uid, gid;
	} rows[] = {
		{"1",		       0,       1,          8},
		{"1:2",                     0,       1,          2},
		{"0",		       0,       0,          8},
		{"0:0",                     0,       0,          0},
		{":1",                      0,       7,          1},
		{"4294967294",              0,       4294967294, 8},
		{"007",                     0,       7,          8},
		{"",			-EINVAL, 7,          8},
		{":",		       -EINVAL, 7,          8},
		{"1:",                      -EINVAL, 7,          8},
		{"-1",                      -EINVAL, 7,          8},
		{"+1",                      -EINVAL, 7,          8},
		{"4294967295",              -EINVAL, 7,          8},
		{"4294967296",              -EINVAL, 7,          8},
		{"1:4294967295",            -EINVAL, 7,          8},
		{"99999999999999999999999", -EINVAL, 7,          8},
		{"1x",                      -EINVAL, 7,          8},
		{"1:2x",                    -EINVAL, 7,          8},
		{"1:2:3",                   -EINVAL, 7,          8},
		{" 1",                      -EINVAL, 7,          8},
		{"1 ",                      -EINVAL, 7,          8},
		{"root",                    -EINVAL, 7,          8},
		{"0x10",                    -EINVAL, 7,          8},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint32_t uid = 7, gid = 8;
		struct err e;

		CHECK(creds_parse_user(rows[i].text, &uid, &gid, &e) == rows[i].code);
		CHECK(uid == rows[i].uid && gid == rows[i].gid);
	}
}

static void plan(void)
{
	struct arena a = {0};
	const uint32_t groups[] = {5, 6}, bad[] = {5, UINT32_MAX};
	const uint32_t mask = 0777, too_big = 01000;
	struct oci_user u = {.uid = 1,
			     .gid = 2,
			     .umask = &mask,
			     .additional_gids = groups,
			     .n_additional_gids = 2};
	struct creds_plan p;
	struct err e;

	CHECK(creds_plan_make(&a, &u, &p, &e) == 0);
	CHECK(p.uid == 1 && p.gid == 2 && p.has_umask && p.umask == 0777 && !p.keep_groups);
	CHECK(p.n_groups == 2 && p.groups[1] == 6);
	u.umask = &too_big;
	CHECK(creds_plan_make(&a, &u, &p, &e) == -EINVAL);
	CHECK_STR(e.msg, "process: user: umask: 01000 is above 0777");
	u.umask = NULL;
	u.additional_gids = bad;
	CHECK(creds_plan_make(&a, &u, &p, &e) == -EINVAL);
	CHECK(strstr(e.msg, "additionalGids[1]") != NULL);
	u.n_additional_gids = 0;
	u.uid = UINT32_MAX;
	CHECK(creds_plan_make(&a, &u, &p, &e) == -EINVAL);
	u.uid = 0;
	u.username = "ContainerAdministrator";
	CHECK(creds_plan_make(&a, &u, &p, &e) == -EINVAL);
	arena_free(&a);
}

static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

static void applied(void)
{
	const uint32_t groups[] = {5, 6};
	struct creds_plan p = {.uid = 1000,
			       .gid = 100,
			       .groups = groups,
			       .n_groups = 2,
			       .has_umask = true,
			       .umask = 027};
	uid_t r, ef, s;
	gid_t got[8];
	struct err e;

	CHECK(creds_apply(&p, &e) == 0);
	CHECK(getresuid(&r, &ef, &s) == 0 && r == 1000 && ef == 1000 && s == 1000);
	CHECK(getresgid(&r, &ef, &s) == 0 && r == 100 && ef == 100 && s == 100);
	CHECK(getgroups(8, got) == 2 && got[0] == 5 && got[1] == 6);
	CHECK(umask(0) == 027);
	/* Not back, and not on: no capability is left. */
	p.uid = 0;
	CHECK(creds_apply(&p, &e) == -EPERM);
}

static void groups_are_dropped(void)
{
	const gid_t some[] = {5, 6};
	struct creds_plan p = {.uid = 1000, .gid = 100}, keep = {.keep_groups = true};
	struct err e;

	CHECK(setgroups(2, some) == 0);
	CHECK(creds_apply(&keep, &e) == 0 && getgroups(0, NULL) == 2);
	CHECK(creds_apply(&p, &e) == 0 && getgroups(0, NULL) == 0);
}

static void unprivileged_keeps_no_groups(void)
{
	const gid_t some[] = {5};
	struct creds_plan p = {.uid = 1000, .gid = 1000};
	struct err e;

	CHECK(setgroups(1, some) == 0 && setresgid(1000, 1000, 1000) == 0);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(creds_apply(&p, &e) == -EPERM && strstr(e.msg, "groups") != NULL);
}

static void poke(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void denied_setgroups(void)
{
	const uint32_t group = 0;
	struct creds_plan p = {.groups = &group, .n_groups = 1};
	struct err e;

	CHECK(setresgid(1000, 1000, 1000) == 0 && setresuid(1000, 1000, 1000) == 0);
	/* The change of user made /proc/self root's. */
	CHECK(prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0);
	if (unshare(CLONE_NEWUSER) < 0) {
		printf("# no user namespace: %s\n", err_text(errno));
		return;
	}
	poke("/proc/self/setgroups", "deny");
	poke("/proc/self/uid_map", "0 1000 1");
	poke("/proc/self/gid_map", "0 1000 1");
	CHECK(creds_apply(&p, &e) == -EPERM && strstr(e.msg, "denies setgroups") != NULL);
	p.n_groups = 0;
	CHECK(creds_apply(&p, &e) == 0 && getuid() == 0 && getgid() == 0);
	p.uid = 5;
	CHECK(creds_apply(&p, &e) == -EINVAL && strstr(e.msg, "set uid 5 (not mapped)") != NULL);
}

int main(void)
{
	parse();
	plan();
	if (geteuid() != 0) {
		printf("# not root: what needs privilege was left out\n");
		return check_done();
	}
	CHECK(child_of(applied) == 0);
	CHECK(child_of(groups_are_dropped) == 0);
	CHECK(child_of(unprivileged_keeps_no_groups) == 0);
	CHECK(child_of(denied_setgroups) == 0);
	return check_done();
}
