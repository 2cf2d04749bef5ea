/* What is handed in by descriptor: which ones, how much, and who can see it afterwards. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "secret.h"

/* As a caller's: no CLOEXEC. */
static int with(const char *text, size_t len)
{
	int fd = memfd_create("secret", 0);

	CHECK(fd >= 0 && write(fd, text, len) == (ssize_t)len && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

static int open_env(int fd, struct secrets *s, struct err *e)
{
	const uint64_t n = (uint64_t)fd;

	return secrets_open(&n, NULL, 0, 0, s, e);
}

static void test_environment(void)
{
	static const char text[] = "A=fd\nB=1\n\nB=2=3\nX.y-z=\n";
	static const char *const before[] = {"A=config", "C=3", "AB=4", NULL};
	own_arena struct arena a = {0};
	struct secrets s;
	struct err e;
	int fd = with(text, strlen(text));

	CHECK(open_env(fd, &s, &e) == 0 && secrets_any(&s));
	CHECK(secrets_read(&a, &s, &e) == 0);
	CHECK(fcntl(fd, F_GETFD) < 0);
	const char *const *env = secrets_env(&a, &s, before);
	CHECK(str_eq(env[0], "C=3") && str_eq(env[1], "AB=4") && str_eq(env[2], "A=fd"));
	CHECK(str_eq(env[3], "B=2=3") && str_eq(env[4], "X.y-z=") && !env[5]);
	secrets_end(&s);
	CHECK(!s.memory);
}

/* With a NUL anywhere newlines are a part of values. */
static void test_nul(void)
{
	static const char text[] = "KEY=line 1\nline 2\n\0B=2";
	static const char *const none[] = {NULL};
	own_arena struct arena a = {0};
	struct secrets s;
	struct err e;

	CHECK(open_env(with(text, sizeof(text) - 1), &s, &e) == 0 && secrets_read(&a, &s, &e) == 0);
	const char *const *env = secrets_env(&a, &s, none);
	CHECK(str_eq(env[0], "KEY=line 1\nline 2\n") && str_eq(env[1], "B=2") && !env[2]);
	secrets_end(&s);
}

/* What is wrong is told by number, and nothing of the text. */
static void test_bad_text(void)
{
	static const char *const bad[] = {
		"KEY=a\nhush-1234\n", "=hush",    "1A=hush", "A B=hush", "-a=hush", ".a=hush",
		"\xc3\xa4=hush",      "A\t=hush",
	};

	for (size_t i = 0; i < LEN(bad); i++) {
		own_arena struct arena a = {0};
		struct secrets s;
		struct err e = {0};

		CHECK(open_env(with(bad[i], strlen(bad[i])), &s, &e) == 0);
		CHECK(secrets_read(&a, &s, &e) == -EINVAL && strstr(e.msg, "entry "));
		CHECK(!strstr(e.msg, "hush"));
		secrets_end(&s);
	}
}

static void test_files(void)
{
	own_arena struct arena a = {0};
	int one = with("first", 5), two = with("a\0b", 3);
	const char *list[] = {arena_printf(&a, "a=%d", one), arena_printf(&a, "B.c-_9=%d", two)};
	struct secrets s;
	struct err e;
	int keep[SECRET_KEEPS];

	CHECK(secrets_open(NULL, list, 2, 0, &s, &e) == 0);
	CHECK(secrets_keep(&s, 77, keep) == 4 && keep[0] == 77 && keep[1] == -1 && keep[3] == two);
	CHECK(secrets_read(&a, &s, &e) == 0);
	CHECK(str_eq(s.files[0].name, "a") && s.files[0].len == 5);
	CHECK(str_eq(s.files[1].name, "B.c-_9") && memcmp(s.files[1].data, "a\0b", 3) == 0);
	CHECK(fcntl(one, F_GETFD) < 0 && fcntl(two, F_GETFD) < 0);
	secrets_end(&s);
}

static void test_sizes(void)
{
	own_arena struct arena a = {0};
	char *much = arena_new(&a, SECRET_MAX_BYTES + 1);
	struct secrets s;
	struct err e;
	const char *list[2];

	memset(much, 'x', SECRET_MAX_BYTES + 1);
	memcpy(much, "A=", 2);
	list[0] = arena_printf(&a, "all=%d", with(much, SECRET_MAX_BYTES));
	CHECK(secrets_open(NULL, list, 1, 0, &s, &e) == 0 && secrets_read(&a, &s, &e) == 0);
	CHECK(s.files[0].len == SECRET_MAX_BYTES);
	secrets_end(&s);
	list[0] = arena_printf(&a, "all=%d", with(much, SECRET_MAX_BYTES));
	list[1] = arena_printf(&a, "more=%d", with("y", 1));
	CHECK(secrets_open(NULL, list, 2, 0, &s, &e) == 0 && secrets_read(&a, &s, &e) == -E2BIG);
	CHECK(strstr(e.msg, "more"));
	secrets_end(&s);
	list[0] = arena_printf(&a, "none=%d", with("", 0));
	CHECK(secrets_open(NULL, list, 1, 0, &s, &e) == 0 && secrets_read(&a, &s, &e) == -EINVAL);
	secrets_end(&s);
	CHECK(open_env(with(much, SECRET_MAX_BYTES), &s, &e) == 0 && secrets_read(&a, &s, &e) == 0);
	secrets_end(&s);
	CHECK(open_env(with(much, SECRET_MAX_BYTES + 1), &s, &e) == 0);
	CHECK(secrets_read(&a, &s, &e) == -E2BIG);
	secrets_end(&s);
	CHECK(open_env(with("", 0), &s, &e) == 0 && secrets_read(&a, &s, &e) == 0 && !s.n_vars);
	secrets_end(&s);
}

static void test_bad_descriptors(void)
{
	own_arena struct arena a = {0};
	int dir = open("/", O_RDONLY | O_DIRECTORY), path = open("/proc/self/stat", O_PATH);
	int out = open("/dev/null", O_WRONLY), own = open("/dev/null", O_RDONLY | O_CLOEXEC);
	const int bad[] = {1, 2, dir, path, out, own, 999};
	struct secrets s;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++) {
		const char *list = arena_printf(&a, "n=%d", bad[i]);

		CHECK(open_env(bad[i], &s, &e) < 0 && !secrets_any(&s));
		CHECK(secrets_open(NULL, &list, 1, 0, &s, &e) < 0 && !secrets_any(&s));
	}
	const uint64_t huge = UINT64_C(1) << 32;
	CHECK(secrets_open(&huge, NULL, 0, 0, &s, &e) == -EBADF);
	int fd = with("A=1", 3);
	const uint64_t n = (uint64_t)fd;
	CHECK(secrets_open(&n, NULL, 0, (unsigned int)fd, &s, &e) == -EBADF);
	CHECK(strstr(e.msg, "preserve-fds"));
	const char *list = arena_printf(&a, "n=%d", fd);
	CHECK(secrets_open(&n, &list, 1, 0, &s, &e) == -EINVAL);
}

static void test_bad_names(void)
{
	static const char *const bad[] = {
		"",      "=",     "a",  "=5",   ".=5",  "..=5",       "a/b=5",
		"a b=5", "a=b=5", "a=", "a=-1", "a=5x", "\xc3\xa4=5", "a=4294967295"};
	own_arena struct arena a = {0};
	char longest[SECRET_NAME_MAX + 8];
	struct secrets s;
	struct err e;

	for (size_t i = 0; i < LEN(bad); i++)
		CHECK(secrets_open(NULL, &bad[i], 1, 0, &s, &e) == -EINVAL);
	memset(longest, 'n', sizeof(longest));
	memcpy(longest + SECRET_NAME_MAX + 1, "=5", 3);
	const char *list[SECRET_FILES + 1] = {longest};
	CHECK(secrets_open(NULL, list, 1, 0, &s, &e) == -EINVAL);
	for (int i = 0; i <= SECRET_FILES; i++)
		list[i] = arena_printf(&a, "n%d=%d", i, with("x", 1));
	CHECK(secrets_open(NULL, list, SECRET_FILES + 1, 0, &s, &e) == -E2BIG);
	CHECK(secrets_open(NULL, list, SECRET_FILES, 0, &s, &e) == 0);
	CHECK(secrets_read(&a, &s, &e) == 0 && s.n == SECRET_FILES);
	secrets_end(&s);
	list[1] = arena_printf(&a, "n0=%d", with("x", 1));
	list[0] = arena_printf(&a, "n0=%d", with("x", 1));
	CHECK(secrets_open(NULL, list, 2, 0, &s, &e) == -EINVAL && strstr(e.msg, "twice"));
}

/* 0: it could be read; else the signal that ended it. */
static int fork_reads(const volatile char *at)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		/* No report of a sanitizer's. */
		(void)signal(SIGSEGV, SIG_DFL);
		(void)*at;
		_exit(0);
	}
	CHECK(pid > 0 && waitpid(pid, &status, 0) == pid);
	return status;
}

static void test_forks(void)
{
	own_arena struct arena a = {0};
	struct secrets s;
	struct err e;

	CHECK(open_env(with("A=1", 3), &s, &e) == 0 && secrets_read(&a, &s, &e) == 0);
	CHECK(fork_reads(s.memory) != 0);
	secrets_hand_over(&s);
	CHECK(fork_reads(s.memory) == 0);
	secrets_end(&s);
	secrets_end(&s);
}

/* Standard input stays open, as something that has an end. */
static void test_standard_input(void)
{
	own_arena struct arena a = {0};
	struct secrets s;
	struct err e;
	struct stat st, null;
	int fd = with("A=1", 3), old = dup(0);

	CHECK(dup2(fd, 0) == 0 && open_env(0, &s, &e) == 0 && secrets_read(&a, &s, &e) == 0);
	CHECK(s.n_vars == 1 && fstat(0, &st) == 0 && stat("/dev/null", &null) == 0);
	CHECK(st.st_rdev == null.st_rdev);
	secrets_end(&s);
	CHECK(fcntl(0, F_GETFD) >= 0);
	(void)dup2(old, 0);
}

int main(void)
{
	test_environment();
	test_nul();
	test_bad_text();
	test_files();
	test_sizes();
	test_bad_descriptors();
	test_bad_names();
	test_forks();
	test_standard_input();
	return check_done();
}
