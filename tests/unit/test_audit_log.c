/* A log is made, written, rotated; what it is not written to; writers beside each other. */
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>

#include <linux/filter.h>

#include "audit_fixture.h"

static mode_t mode_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_mode & 07777 : 0;
}

static void test_first(void)
{
	struct audit_position one = {0}, two = {0};
	const struct audit_record r = {.event = "SandboxCreated",
				       .id = "sbx",
				       .generation = 1,
				       .level = "high",
				       .data = "{\"pid\":1}"};
	struct audit_head h = {0}, again = {0};
	struct audit_fixture f;
	size_t len;

	audit_setup(&f);
	f.config.path = audit_beside(&f, "/deep/er/log");
	CHECK(audit_reopen(&f) == 0);
	CHECK(mode_of(audit_beside(&f, "/deep/er")) == 0700);
	audit_done(&f);

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0);
	CHECK(mode_of(f.path) == 0600 && mode_of(audit_beside(&f, ".lock")) == 0600);
	CHECK(audit_append(f.log, &r, &one, &f.e) == 0 && one.seq == 2 && strlen(one.hash) == 64);
	CHECK(audit_reopen(&f) == 0); /* nothing is written for an opening */
	CHECK(audit_append(f.log, &r, &two, &f.e) == 0 && two.seq == 3);
	const char *text = audit_text(&f, "", NULL);
	CHECK(str_starts(text, "{\"v\":1,\"seq\":1,\"ts\":\"20") && strstr(text, one.hash));
	CHECK(strstr(text, "\"ev\":\"LogOpened\",\"sev\":\"notice\",\"data\":{\"log\":\""));
	CHECK(strstr(text,
		     "\"format\":\"brig-audit/1\",\"epoch_records\":1000,\"epoch_seconds\":900"));
	CHECK(strstr(text,
		     arena_printf(&f.arena, "\"writer\":\"brig/0.1.0 pid=%d start=", getpid())));
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(s.records == 3 && !s.bad && !s.stray);

	CHECK(audit_head_read(&f.arena, f.path, &h, &f.e) == 0 && h.seq == 3);
	CHECK_STR(h.hash, two.hash);
	CHECK_STR(h.log, s.log);
	const char *json = audit_head_print(&f.arena, &h, &len);
	CHECK(audit_head_parse(&f.arena, json, len, &again, &f.e) == 0);
	CHECK_STR(audit_head_print(&f.arena, &again, NULL), json);
	CHECK(audit_head_parse(&f.arena, "{\"log\":\"x\"}", 11, &again, &f.e) == -EINVAL);
	audit_scribble(&f, "", O_APPEND, "half a line", 11); /* as while another writes */
	CHECK(audit_head_read(&f.arena, f.path, &h, &f.e) == 0 && h.seq == 3);
	audit_done(&f);
	CHECK(audit_head_read(&(struct arena){0}, "/nowhere/log", &h, &f.e) == -ENOENT);
}

static void test_events(void)
{
	struct audit_record r = {.event = "SandboxStarted", .severity = "loud"};
	struct audit_fixture f;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0);
	CHECK(audit_append(f.log, &r, NULL, &f.e) == -EINVAL && strstr(f.e.msg, "loud"));
	CHECK(audit_add(&f, "Nothing") == -EINVAL && audit_add(&f, NULL) == -EINVAL);
	CHECK(audit_add(&f, "LogOpened") == -EINVAL && audit_add(&f, "LogRepaired") == -EINVAL);
	r = (struct audit_record){.event = "SandboxStarted",
				  .severity = "critical",
				  .v = 9,
				  .seq = 99,
				  .ts = "then",
				  .prev = "x",
				  .mac = "y",
				  .epoch = &(uint64_t){3},
				  .id = "a\n{\"v\":1}\x1b\xff"};
	CHECK(audit_append(f.log, &r, NULL, &f.e) == 0);
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(s.records == 2 && !s.bad && !s.stray && !s.keyed);
	CHECK(strstr(audit_text(&f, "", NULL),
		     "\"critical\",\"id\":\"a\\n{\\\"v\\\":1}\\u001b\xef"));
	audit_done(&f);
}

/* --- Files that are not the log's alone --------------------------------------------------- */

static void must_refuse(struct audit_fixture *f, int code, const char *why)
{
	int r = audit_reopen(f);

	CHECK(r == -code && strstr(f->e.msg, why));
	if (r != -code || !strstr(f->e.msg, why))
		fprintf(stderr, "%d for %s: %s\n", r, why, r < 0 ? f->e.msg : "");
}

static void test_refused(void)
{
	static const char *const paths[] = {"log", "", "./log", "/", "/tmp/"};
	struct audit_fixture f;

	audit_setup(&f);
	for (size_t i = 0; i < LEN(paths); i++) {
		f.config.path = paths[i];
		must_refuse(&f, EINVAL, "not an absolute path of a file");
	}
	f.config.path = f.path;
	CHECK(chmod(f.dir, 0770) == 0);
	must_refuse(&f, EPERM, "its directory can be written by others");
	CHECK(chmod(f.dir, 0700) == 0);
	f.config.path = audit_beside(&f, "-link/log");
	CHECK(symlink(f.dir, audit_beside(&f, "-link")) == 0);
	must_refuse(&f, ENOTDIR, "its directory"); /* O_DIRECTORY sees the link itself */
	f.config.path = f.path;

	CHECK(symlink("/etc/passwd", f.path) == 0);
	must_refuse(&f, EPERM, "log is a symbolic link");
	CHECK(unlink(f.path) == 0 && symlink("log2", f.path) == 0);
	must_refuse(&f, EPERM, "log is a symbolic link");
	CHECK(unlink(f.path) == 0 && mkdir(f.path, 0700) == 0);
	must_refuse(&f, EPERM, "log is no regular file");
	CHECK(rmdir(f.path) == 0 && mkfifo(f.path, 0600) == 0);
	must_refuse(&f, EPERM, "log is no regular file");
	CHECK(unlink(f.path) == 0 && audit_reopen(&f) == 0 && chmod(f.path, 0620) == 0);
	CHECK(audit_add(&f, "SandboxExited") == -EPERM);
	must_refuse(&f, EPERM, "log can be written by others");
	CHECK(chmod(f.path, 0600) == 0 && link(f.path, audit_beside(&f, "2")) == 0);
	must_refuse(&f, EPERM, "log has other names (hard links)");
	CHECK(unlink(audit_beside(&f, "2")) == 0 && audit_reopen(&f) == 0);
	CHECK(chmod(audit_beside(&f, ".lock"), 0666) == 0);
	must_refuse(&f, EPERM, "log.lock can be written by others");
	CHECK(chmod(audit_beside(&f, ".lock"), 0600) == 0 && audit_reopen(&f) == 0);
	if (geteuid() == 0) {
		CHECK(chown(f.path, 1234, 0) == 0);
		must_refuse(&f, EPERM, "log belongs to another user");
		CHECK(chown(f.path, 0, 0) == 0 && chown(f.dir, 1234, 0) == 0);
		must_refuse(&f, EPERM, "its directory belongs to another user");
		CHECK(chown(f.dir, 0, 0) == 0 && audit_reopen(&f) == 0);
	}
	audit_done(&f);
}

/* --- Rotation --------------------------------------------------------------------------- */

static const char *numbered(struct audit_fixture *f, uint64_t n)
{
	return arena_printf(&f->arena, ".%llu", (unsigned long long)n);
}

static void test_rotation(void)
{
	struct audit_fixture f, g;

	audit_setup(&f);
	f.config.max_bytes = 2000;
	CHECK(audit_reopen(&f) == 0);
	g = f; /* another writer, whose file is rotated away under it */
	g.log = NULL;
	CHECK(audit_reopen(&g) == 0);
	for (int i = 0; i < 20; i++)
		CHECK(audit_add(&f, "SandboxStarted") == 0 && audit_add(&g, "SandboxExited") == 0);
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(s.files > 4 && !s.bad && !s.stray && !s.repairs && s.records == 40 + s.files);
	uint64_t files = s.files;

	/* no rotation: the name is taken; a confined process; no bound */
	for (uint64_t n = s.seq; n < s.seq + 10; n++)
		audit_scribble(&f, numbered(&f, n), O_CREAT, "x", 1);
	for (int i = 0; i < 9; i++)
		CHECK(audit_add(&f, "SandboxStarted") == 0);
	for (uint64_t n = s.seq; n < s.seq + 10; n++) {
		CHECK_STR(audit_text(&f, numbered(&f, n), NULL), "x");
		CHECK(unlink(audit_beside(&f, numbered(&f, n))) == 0);
	}
	s = audit_look(&f, NULL);
	CHECK(s.files == files && !s.bad && access(audit_beside(&f, ".new"), F_OK) < 0);
	CHECK(mkdir(audit_beside(&f, ".new"), 0700) == 0 && audit_add(&f, "SandboxExited") == 0);
	CHECK(audit_look(&f, NULL).files == files && rmdir(audit_beside(&f, ".new")) == 0);
	CHECK(audit_confine(g.log) >= 0);
	CHECK(audit_add(&g, "SandboxExited") == 0 && audit_look(&f, NULL).files == files);
	CHECK(audit_add(&f, "SandboxExited") == 0 && audit_look(&f, NULL).files == files + 1);
	CHECK(audit_add(&g, "SandboxExited") == 0);
	s = audit_look(&f, NULL);
	CHECK(!s.bad && !s.stray && !s.repairs);
	audit_close(g.log);
	audit_done(&f);
}

/* --- Locks ------------------------------------------------------------------------------ */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool ended_well(pid_t pid)
{
	int status;

	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
	       WEXITSTATUS(status) == 0;
}

static void test_lock_wait(void)
{
	struct audit_fixture f;
	int64_t begin;

	audit_setup(&f);
	f.config.wait_ms = 50;
	CHECK(audit_reopen(&f) == 0);
	own_fd int other = open(audit_beside(&f, ".lock"), O_RDWR | O_CLOEXEC);
	CHECK(flock(other, LOCK_EX) == 0);
	begin = now_ms();
	CHECK(audit_add(&f, "SandboxExited") == -EAGAIN && strstr(f.e.msg, "50 milliseconds"));
	CHECK(now_ms() - begin >= 50 && now_ms() - begin < 5000);
	CHECK(audit_reopen(&f) == 0); /* nothing is to be made: no lock */
	CHECK(flock(other, LOCK_UN) == 0 && audit_add(&f, "SandboxExited") == 0);
	audit_done(&f);
}

/* A child shares the parent's descriptors, but must not share its lock. */
static void test_fork(void)
{
	enum { EACH = 300 };
	struct audit_fixture f;
	pid_t children[4];

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0);
	for (size_t c = 0; c < LEN(children); c++) {
		children[c] = fork();
		if (children[c] > 0)
			continue;
		if (c == 0 && audit_confine(f.log) < 0)
			_exit(2);
		for (int i = 0; i < EACH; i++)
			if (audit_add(&f, "SandboxStarted") < 0)
				_exit(1);
		_exit(0);
	}
	for (int i = 0; i < EACH; i++)
		CHECK(audit_add(&f, "SandboxExited") == 0);
	for (size_t c = 0; c < LEN(children); c++)
		CHECK(ended_well(children[c]));
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(!s.bad && !s.stray && !s.repairs && s.records == 1 + EACH * 5);
	audit_done(&f);
}

/* What audit.h says that a confined writer needs; sigaltstack is the sanitizers' before an exit. */
static const int promised[] = {
	SYS_openat,   SYS_fstat,       SYS_newfstatat,    SYS_flock,           SYS_pread64,
	SYS_pwrite64, SYS_write,       SYS_fdatasync,     SYS_renameat,        SYS_renameat2,
	SYS_unlinkat, SYS_close,       SYS_clock_gettime, SYS_clock_nanosleep, SYS_brk,
	SYS_mmap,     SYS_munmap,      SYS_mremap,        SYS_madvise,         SYS_exit_group,
	SYS_futex,    SYS_sigaltstack,
};

/* As the warden keeps to directories; a kernel without Landlock has nothing to keep. */
static void keep_to(int dir)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs =
							  (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	const struct landlock_path_beneath_attr here = {
		.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
		.parent_fd = dir,
	};
	int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules < 0)
		return;
	if (syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &here, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, rules, 0) < 0)
		_exit(9);
	close(rules);
}

static void confine(void)
{
	enum { N = LEN(promised) };
	struct sock_filter filter[N + 3] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	const struct sock_fprog prog = {.len = LEN(filter), .filter = filter};

	for (int i = 0; i < N; i++)
		filter[1 + i] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)promised[i], (__u8)(N - i), 0);
	filter[N + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	filter[N + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		_exit(3);
}

static void write_confined(struct audit_fixture *f, const char *lock)
{
	int dir = audit_confine(f->log);

	for (int fd = 3; fd < 64; fd++)
		if (fd != dir)
			close(fd);
	keep_to(dir);
	confine();
	for (int i = 0; i < 3; i++)
		if (audit_add(f, "SecurityNever") != -EINVAL || audit_add(f, "SandboxTainted") < 0)
			_exit(4);
	/* a torn line, a file gone: as everywhere */
	int fd = openat(dir, "log", O_WRONLY | O_APPEND);
	if (write(fd, "torn", 4) != 4 || close(fd) < 0 || audit_add(f, "SandboxExited") < 0)
		_exit(5);
	if (renameat(dir, "log", dir, "log.7") < 0 || audit_add(f, "SandboxExited") < 0)
		_exit(6);
	if (unlinkat(dir, lock, 0) < 0 || audit_add(f, "SandboxExited") < 0)
		_exit(7);
	if (unlinkat(dir, "log", 0) < 0 || audit_add(f, "SandboxExited") != -EPERM)
		_exit(8);
	_exit(0);
}

static void test_confined(void)
{
	char hex[SHA256_HEX];

	for (int keyed = 0; keyed < 2; keyed++) {
		struct audit_fixture f;
		pid_t pid;

		audit_setup(&f);
		f.config.sync = AUDIT_SYNC_SECURITY;
		CHECK(audit_reopen(&f) == 0);
		if (keyed)
			CHECK(audit_key_make(f.log, hex, &f.e) == 0);
		else
			CHECK(audit_add(&f, "SandboxStarted") == 0);
		pid = fork();
		if (pid == 0)
			write_confined(&f, "log.lock");
		CHECK(ended_well(pid));
		CHECK(audit_add(&f, "SandboxExited") == 0);
		struct audit_seen s = audit_look(&f, keyed ? hex : NULL);
		CHECK(!s.bad && s.stray == 1);
		audit_done(&f);
	}
}

/* --- No room ---------------------------------------------------------------------------- */

/* The kernel writes what fits and then no more: a short write, then EFBIG. */
static void test_file_limit(void)
{
	struct rlimit old, low;
	struct audit_fixture f;
	struct stat st;

	audit_setup(&f);
	CHECK(audit_reopen(&f) == 0 && stat(f.path, &st) == 0);
	CHECK(getrlimit(RLIMIT_FSIZE, &old) == 0);
	low = old;
	low.rlim_cur = (rlim_t)st.st_size + 100;
	signal(SIGXFSZ, SIG_IGN);
	CHECK(setrlimit(RLIMIT_FSIZE, &low) == 0);
	CHECK(audit_add(&f, "SandboxStarted") == -ENOSPC);
	CHECK(audit_add(&f, "SandboxStarted") == -EFBIG);
	CHECK(setrlimit(RLIMIT_FSIZE, &old) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(!s.bad && s.stray == 1 && s.repairs == 1 && s.records == 3);
	CHECK(str_starts(s.data ? s.data : "", "{\"bytes\":100,"));
	audit_done(&f);
}

/* A small file system that is filled, emptied, made read only. */
static void on_small(void)
{
	enum { LOGGED = 40 };
	static char fill[300000];
	struct audit_fixture f;
	int failed = 0;

	audit_setup(&f);
	CHECK(mount("small", f.dir, "tmpfs", 0, "size=256k,mode=700") == 0);
	f.config.max_bytes = 8000;
	CHECK(audit_reopen(&f) == 0);
	own_fd int other = open(audit_beside(&f, "-fill"), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
	while (write(other, fill, sizeof(fill)) > 0)
		continue;
	CHECK(errno == ENOSPC);
	for (int i = 0; i < LOGGED; i++)
		failed += audit_add(&f, "SandboxStarted") < 0;
	CHECK(failed > 0 && f.e.code == ENOSPC);
	CHECK(ftruncate(other, 0) == 0);
	CHECK(audit_add(&f, "SandboxExited") == 0);
	struct audit_seen s = audit_look(&f, NULL);
	CHECK(!s.bad && s.stray <= 1 && s.stray == s.repairs);

	CHECK(mount(NULL, f.dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0 && errno == EBUSY);
	audit_close(f.log);
	f.log = NULL;
	own_close(&other);
	CHECK(mount(NULL, f.dir, NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHECK(audit_reopen(&f) == -EROFS && strstr(f.e.msg, "read-only file system"));
	struct audit_head h;
	CHECK(audit_head_read(&f.arena, f.path, &h, &f.e) == 0 && h.seq == s.seq);
	CHECK(umount2(f.dir, MNT_DETACH) == 0);
	audit_done(&f);
}

static void test_full(void)
{
	if (geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		puts("a full disk: skipped, no mount namespace");
		return;
	}
	on_small();
}

int main(void)
{
	test_first();
	test_events();
	test_refused();
	test_rotation();
	test_lock_wait();
	test_fork();
	test_confined();
	test_file_limit();
	test_full();
	return check_done();
}
