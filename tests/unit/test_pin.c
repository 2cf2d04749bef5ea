/* CPU reservations: the file, the choice, and many processes at the same bookkeeping. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "cpu/pin.h"

static char top[] = "/tmp/brig-test-pin-XXXXXX";
static char book[64];

static const char *user(unsigned int n)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/state-%u", top, n);
	return path;
}

static void begin(void)
{
	struct err e;

	if (file_mkdirs(top, 0700, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	snprintf(book, sizeof(book), "%s/cpus", top);
}

static void clear(void)
{
	struct err e;

	if (file_remove_tree(AT_FDCWD, top, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	begin();
}

/* The list given to sandbox n, "!" and the message when it is refused. */
static const char *claim(unsigned int n, const char *allowed, unsigned int count)
{
	static char text[600];
	own_arena struct arena a = {0};
	const char *cpus;
	struct err e;
	struct pin_request req = {
		.directory = book, .user = user(n), .allowed = allowed, .count = count};

	(void)mkdir(user(n), 0700);
	if (pin_claim(&a, &req, &cpus, &e) < 0)
		snprintf(text, sizeof(text), "!%s", e.msg);
	else
		snprintf(text, sizeof(text), "%s", cpus);
	return text;
}

static int release(unsigned int n)
{
	struct err e;

	return pin_release(book, user(n), &e);
}

static size_t files(void)
{
	own_dir DIR *d = opendir(book);
	size_t n = 0;

	for (struct dirent *de; d && (de = readdir(d));)
		n += de->d_name[0] != '.' && strcmp(de->d_name, "lock") != 0;
	return n;
}

static void put_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", book, name);
	own_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static void test_parse(void)
{
	static const char *const bad[] = {
		"",           "\n",           "/a",        "/a\n",      "/a\n0",
		"a\n0\n",     "/a\n\n",       "/a\n1-x\n", "/a\n3-1\n", "/a\n0\n0\n",
		"/a\n9999\n", "/a\n0-8192\n", "/a\n-1\n",  "/a\n0\n\n",
	};
	char text[64];
	struct pin_entry entry;

	for (size_t i = 0; i < LEN(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		CHECK(!pin_entry_parse(text, strlen(text), &entry));
	}
	memcpy(text, "/a\0b\n0\n", 8);
	CHECK(!pin_entry_parse(text, 7, &entry));
	strcpy(text, "/run/brig/x\n1,4-6\n");
	CHECK(pin_entry_parse(text, strlen(text), &entry));
	CHECK_STR(entry.user, "/run/brig/x");
	CHECK(cpu_count(&entry.cpus) == 4 && cpu_has(&entry.cpus, 5) && !cpu_has(&entry.cpus, 3));
	own_arena struct arena a = {0};
	CHECK_STR(cpu_list(&a, &entry.cpus), "1,4-6");
	cpu_add(&entry.cpus, CPU_BITS - 1);
	CHECK_STR(cpu_list(&a, &entry.cpus), "1,4-6,8191");
}

/* Two threads a core: 0 with 4, 1 with 5 ... */
static void four_cores(unsigned int cpu, struct cpu_set *out)
{
	memset(out, 0, sizeof(*out));
	cpu_add(out, cpu % 4);
	cpu_add(out, cpu % 4 + 4);
}

static const char *chosen(const char *allowed, const uint16_t *uses, unsigned int count, bool smt)
{
	static char text[64];
	own_arena struct arena a = {0};
	uint16_t all[CPU_BITS] = {0};
	struct cpu_set from, out;

	memcpy(all, uses, 8 * sizeof(*uses));
	CHECK(str_cpulist(allowed, from.bits, CPU_BITS));
	pin_choose(&from, all, count, smt ? four_cores : NULL, &out);
	snprintf(text, sizeof(text), "%s", cpu_list(&a, &out));
	return text;
}

static void test_choice(void)
{
	static const uint16_t idle[8] = {0}, some[8] = {2, 0, 1, 0, 0, 1, 0, 3};

	CHECK_STR(chosen("0-7", idle, 0, true), "0");
	CHECK_STR(chosen("0-7", idle, 2, true), "0-1");
	CHECK_STR(chosen("0-7", idle, 6, true), "0-5");
	CHECK_STR(chosen("0,4-6", idle, 2, true), "0,5"); /* not 4, the other half of 0 */
	CHECK_STR(chosen("0,4-6", idle, 2, false), "0,4");
	CHECK_STR(chosen("0-7", some, 1, false), "1");
	CHECK_STR(chosen("0-7", some, 1, true), "1"); /* 5 is used once, 6 has 2 beside it ... */
	CHECK_STR(chosen("0-7", some, 4, false), "1,3-4,6");
	CHECK_STR(chosen("2,7", some, 9, true), "2,7");
	CHECK_STR(chosen("8190-8191", idle, 1, true), "8190");
}

static void test_claims(void)
{
	clear();
	CHECK_STR(claim(0, "0-3", 2), "0-1");
	CHECK_STR(claim(1, "0-3", 2), "2-3");
	CHECK_STR(claim(2, "0-3", 1), "0");
	CHECK_STR(claim(3, "0-3", 3), "1-3");
	CHECK_STR(claim(3, "1-3", 1), "1"); /* its own first claim does not count */
	CHECK(files() == 4);
	CHECK(release(2) == 0 && release(2) == 0 && files() == 3);
	CHECK_STR(claim(4, "0-3", 1), "0");
	/* whose state directory is gone has left */
	CHECK(rmdir(user(0)) == 0 && rmdir(user(1)) == 0);
	CHECK_STR(claim(5, "0-3", 2), "2-3");
	CHECK(files() == 3);
	CHECK(claim(6, "x", 1)[0] == '!' && claim(6, "", 1)[0] == '!');
	CHECK(claim(6, NULL, 1)[0] != '!'); /* the caller's own */
	struct err e;
	CHECK(pin_release("/nonexistent/cpus", user(0), &e) == 0);
}

static void test_bad_files(void)
{
	clear();
	CHECK_STR(claim(0, "0-1", 1), "0");
	put_file("rubbish", "not a reservation");
	put_file("empty", "");
	put_file("left.tmp", "/");
	CHECK_STR(claim(1, "0-1", 1), "1");
	CHECK(files() == 4); /* what could be somebody's stays, the half-written one does not */
	CHECK(chmod(book, 0777) == 0);
	CHECK(strstr(claim(2, "0-1", 1), "may be written by others") != NULL);
	CHECK(chmod(book, 0700) == 0);
	CHECK(pin_claim(&(struct arena){0},
			&(const struct pin_request){.directory = book, .user = "relative"},
			&(const char *){NULL}, &(struct err){0}) == -EINVAL);
}

enum { PROCESSES = 12, ROUNDS = 25 };

/* Each child claims, lets go and claims again: none fails, and one file for each is left. */
static void test_crowd(void)
{
	clear();
	for (unsigned int n = 0; n < PROCESSES; n++)
		if (fork() == 0) {
			bool good = true;

			for (int i = 0; i < ROUNDS; i++)
				good = claim(n, "0-1", 1)[0] != '!' &&
				       (i + 1 == ROUNDS || release(n) == 0) && good;
			_exit(!good);
		}
	for (int status; wait(&status) > 0;)
		CHECK(status == 0);
	CHECK(files() == PROCESSES);
}

/* A sum nobody may get wrong: all claim at once from nothing and keep what they have. */
static void test_even(void)
{
	size_t n[2] = {0};
	int pipes[2];
	char cpu;

	clear();
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			_exit(write(pipes[1], claim(i, "0-1", 1), 1) != 1);
	for (int status; wait(&status) > 0;)
		CHECK(status == 0);
	(void)close(pipes[1]);
	while (read(pipes[0], &cpu, 1) == 1)
		if (cpu == '0' || cpu == '1')
			n[cpu - '0']++;
	(void)close(pipes[0]);
	CHECK(n[0] == PROCESSES / 2 && n[1] == PROCESSES / 2);
}

/* Killed anywhere in between: the next one neither waits nor stumbles. */
static void test_killed(void)
{
	clear();
	for (unsigned int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				(void)claim(1, "0-3", 2);
				(void)release(1);
			}
		(void)usleep(1000 + 137 * i);
		CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
		CHECK(claim(2, "0-3", 1)[0] != '!');
	}
	CHECK(rmdir(user(1)) == 0);
	CHECK_STR(claim(2, "0-3", 1), "0");
	CHECK(files() == 1);
}

int main(void)
{
	struct err e;

	if (!mkdtemp(top))
		return 1;
	begin();
	test_parse();
	test_choice();
	test_claims();
	test_bad_files();
	test_crowd();
	test_even();
	test_killed();
	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	return check_done();
}
