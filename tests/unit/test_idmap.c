/* Id maps: refusals, translation, and what the kernel made of them. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/own.h"
#include "check.h"
#include "ns/idmap.h"

static struct err e;

static int check_uids(const struct oci_id_mapping *m, size_t n)
{
	struct idmap map = {m, NULL, n, 0};

	e.msg[0] = '\0';
	return idmap_check(&map, &e);
}

static void test_refused(void)
{
	const struct {
		struct oci_id_mapping m[2];
		size_t n;
		const char *error;
	} rows[] = {
		{{{0, 0, 0}},                           1, "uidMappings[0]: size is 0"              },
		{{{0, UINT32_MAX, 2}},                  1, "uidMappings[0]: passes the last id"     },
		{{{UINT32_MAX - 1, 0, 2}},              1, "uidMappings[0]: passes the last id"     },
		{{{0, 100, 10}, {9, 200, 1}},           2, "uidMappings[1]: overlaps uidMappings[0]"},
		{{{0, 100, 10}, {20, 109, 1}},          2, "uidMappings[1]: overlaps uidMappings[0]"},
		{{{5, 0, UINT32_MAX - 5}, {0, 100, 6}}, 2, "uidMappings[1]: overlaps"               },
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		CHECK(check_uids(rows[i].m, rows[i].n) == -EINVAL);
		CHECK(strstr(e.msg, rows[i].error));
	}
}

static void test_accepted(void)
{
	static struct oci_id_mapping m[IDMAP_MAX_LINES + 1];
	const struct oci_id_mapping whole[] = {
		{0, 0, UINT32_MAX}
        };
	const struct oci_id_mapping touching[] = {
		{0,  100, 10},
                {10, 110, 5 },
                {15, 90,  10}
        };

	CHECK(check_uids(whole, 1) == 0);
	CHECK(check_uids(touching, LEN(touching)) == 0);
	CHECK(check_uids(NULL, 0) == 0);
	for (uint32_t i = 0; i < LEN(m); i++)
		m[i] = (struct oci_id_mapping){i, 1000 + i, 1};
	CHECK(check_uids(m, IDMAP_MAX_LINES) == 0);
	CHECK(check_uids(m, LEN(m)) == -EINVAL && strstr(e.msg, "more than 340 lines"));
}

static void test_translation(void)
{
	const struct oci_id_mapping u[] = {
		{0,  1000,   1 },
                {1,  100000, 10},
                {50, 7,      1 }
        };
	const struct oci_id_mapping g[] = {
		{3, 30, 2}
        };
	struct idmap map = {u, g, LEN(u), LEN(g)};
	uint32_t host = 99;

	CHECK(idmap_uid_to_host(&map, 0, &host) && host == 1000);
	CHECK(idmap_uid_to_host(&map, 1, &host) && host == 100000);
	CHECK(idmap_uid_to_host(&map, 10, &host) && host == 100009);
	CHECK(idmap_uid_to_host(&map, 50, &host) && host == 7);
	CHECK(!idmap_uid_to_host(&map, 11, &host) && !idmap_uid_to_host(&map, UINT32_MAX, &host));
	CHECK(idmap_gid_to_host(&map, 4, &host) && host == 31);
	CHECK(!idmap_gid_to_host(&map, 5, &host) && !idmap_gid_to_host(&map, 2, &host));
}

static ssize_t map_text(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, size - 1);
	text[n < 0 ? 0 : n] = '\0';
	return n;
}

/* A child in a new user namespace that waits to be killed. */
static pid_t waiting_child(void)
{
	int ready[2];
	char byte;

	if (pipe2(ready, O_CLOEXEC) < 0)
		return -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
		    write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	(void)close(ready[1]);
	if (pid > 0 && read(ready[0], &byte, 1) != 1)
		pid = -1;
	(void)close(ready[0]);
	return pid;
}

static void end_child(pid_t pid)
{
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static void test_written(void)
{
	const struct oci_id_mapping u[] = {
		{0,  100000, 10},
                {10, 7,      1 }
        };
	const struct oci_id_mapping g[] = {
		{0, 200000, 5}
        };
	struct idmap map = {u, g, LEN(u), LEN(g)};
	pid_t pid = waiting_child();
	char text[256];

	CHECK(pid > 0 && idmap_write(&map, pid, true, &e) == 0);
	CHECK(map_text(pid, "uid_map", text, sizeof(text)) > 0 && strstr(text, "100000"));
	CHECK(strstr(text, "        10          7          1\n"));
	CHECK(map_text(pid, "gid_map", text, sizeof(text)) > 0 && strstr(text, "200000"));
	/* once only */
	CHECK(idmap_write(&map, pid, true, &e) == -EPERM && strstr(e.msg, "uid_map"));
	end_child(pid);
}

static void test_largest_map(void)
{
	static struct oci_id_mapping m[IDMAP_MAX_LINES];
	struct idmap map = {m, m, LEN(m), LEN(m)};

	for (uint32_t i = 0; i < LEN(m); i++)
		m[i] = (struct oci_id_mapping){i, 1000 + i, 1};
	pid_t pid = waiting_child();
	CHECK(pid > 0 && idmap_write(&map, pid, true, &e) == 0);
	end_child(pid);
	for (uint32_t i = 0; i < LEN(m); i++)
		m[i] = (struct oci_id_mapping){1000000000 + i, 2000000000 + i, 1};
	pid = waiting_child();
	CHECK(pid > 0 && idmap_write(&map, pid, true, &e) == -EINVAL);
	CHECK(strstr(e.msg, "does not fit"));
	end_child(pid);
}

static void unprivileged(void)
{
	const struct oci_id_mapping own[] = {
		{0, 1000, 1}
        };
	struct idmap map = {own, own, 1, 1};
	char text[64];

	checks_failed = 0;
	if (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0 ||
	    prctl(PR_SET_DUMPABLE, 1) < 0)
		_exit(99);
	pid_t pid = waiting_child();
	CHECK(pid > 0 && idmap_write(&map, pid, false, &e) == 0);
	CHECK(map_text(pid, "setgroups", text, sizeof(text)) > 0 && strncmp(text, "deny", 4) == 0);
	CHECK(map_text(pid, "uid_map", text, sizeof(text)) > 0);
	end_child(pid);
	/* several ids without a helper: the error says what is needed */
	const struct oci_id_mapping two[] = {
		{0, 1000,   1 },
                {1, 100000, 10}
        };
	struct idmap wide = {two, two, LEN(two), LEN(two)};
	setenv("PATH", "/nonexistent", 1);
	pid = waiting_child();
	CHECK(pid > 0 && idmap_write(&wide, pid, false, &e) == -ENOENT);
	CHECK(strstr(e.msg, "newuidmap"));
	end_child(pid);
	_exit(checks_failed);
}

static void test_unprivileged(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		unprivileged();
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

static void test_userns_for_mounts(void)
{
	const struct oci_id_mapping u[] = {
		{0, 100000, 10}
        };
	struct idmap map = {u, u, 1, 1};
	struct stat mine, other;

	own_fd int fd = idmap_userns(&map, &e);
	CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
	CHECK(fstat(fd, &other) == 0 && stat("/proc/self/ns/user", &mine) == 0);
	CHECK(mine.st_ino != other.st_ino);
	/* nothing is left behind */
	CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
	const struct oci_id_mapping bad[] = {
		{0, 1, 2},
                {1, 5, 1}
        };
	struct idmap overlapping = {bad, bad, 2, 2};
	CHECK(idmap_userns(&overlapping, &e) < 0);
	CHECK(waitpid(-1, NULL, __WALL | WNOHANG) == -1 && errno == ECHILD);
}

int main(void)
{
	test_refused();
	test_accepted();
	test_translation();
	if (geteuid() == 0) {
		test_written();
		test_largest_map();
		test_unprivileged();
		test_userns_for_mounts();
	}
	return check_done();
}
