/* CPU reservations: the file, shared and exclusive claims, and many processes at the same book. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cpu/book.h"
#include "cpu/choose.h"
#include "cpu/pin.h"
#include "cpu_tree.h"

static char top[] = "/tmp/brig-test-pin-XXXXXX";
static char book[64];
/* What claims are made with beside the arguments; tests change it. */
static struct pin_request given;

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
	given = (struct pin_request){.sysfs = tree_root()};
}

static void clear(void)
{
	struct err e;

	if (file_remove_tree(AT_FDCWD, top, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	begin();
}

/* The list given to sandbox n, "!" and the message when it is refused, "~" when only for now. */
static const char *claim_kind(enum pin_kind kind, unsigned int n, const char *allowed,
			      unsigned int count)
{
	static char text[600];
	own_arena struct arena a = {0};
	struct pin_request req = given;
	struct pin_choice choice;
	struct err e;

	req.kind = kind;
	req.directory = book;
	req.user = user(n);
	req.allowed = allowed;
	req.count = count;
	(void)mkdir(user(n), 0700);
	int r = pin_claim(&a, &req, &choice, &e);
	if (r < 0)
		snprintf(text, sizeof(text), "%s%s", r == -EBUSY ? "~" : "!", e.msg);
	else
		snprintf(text, sizeof(text), "%s", choice.cpus);
	return text;
}

static const char *claim(unsigned int n, const char *allowed, unsigned int count)
{
	return claim_kind(PIN_SHARED, n, allowed, count);
}

static const char *cores(unsigned int n, const char *allowed, unsigned int count)
{
	return claim_kind(PIN_EXCLUSIVE, n, allowed, count);
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
		"",
		"\n",
		"/a",
		"/a\n",
		"/a\n0",
		"a\n0\n",
		"/a\n\n",
		"/a\n1-x\n",
		"/a\n3-1\n",
		"/a\n0\n0\n",
		"/a\n9999\n",
		"/a\n0-8192\n",
		"/a\n-1\n",
		"/a\n0\n\n",
		"/a\n0\nexclusive",
		"/a\n0\nexclusive\n\n",
		"/a\n0\nexclusive\nx\n",
		"/a\n0\nexclusiv\n",
		"/a\n0\nshared\n",
		"/a\nexclusive\n",
		"/a\n\nexclusive\n",
	};
	char text[64];
	struct book_entry entry;

	for (size_t i = 0; i < LEN(bad); i++) {
		snprintf(text, sizeof(text), "%s", bad[i]);
		CHECK(!book_parse(text, strlen(text), &entry));
	}
	memcpy(text, "/a\0b\n0\n", 8);
	CHECK(!book_parse(text, 7, &entry));
	strcpy(text, "/run/brig/x\n1,4-6\n");
	CHECK(book_parse(text, strlen(text), &entry));
	CHECK_STR(entry.user, "/run/brig/x");
	CHECK(cpu_count(&entry.cpus) == 4 && cpu_has(&entry.cpus, 5) && !cpu_has(&entry.cpus, 3));
	CHECK(!entry.exclusive);
	own_arena struct arena a = {0};
	CHECK_STR(book_print(&a, &entry), "/run/brig/x\n1,4-6\n");
	strcpy(text, "/x\n7\nexclusive\n");
	CHECK(book_parse(text, strlen(text), &entry) && entry.exclusive);
	CHECK_STR(book_print(&a, &entry), "/x\n7\nexclusive\n");
}

/* Two threads a core: 0 with 4, 1 with 5 ... */
static void four_cores(const char *root, unsigned int cpu, struct cpu_set *out)
{
	CHECK_STR(root, "here");
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
	choose_shared(
		&(const struct choose_shared){&from, all, count, smt ? four_cores : NULL, "here"},
		&out);
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
	tree_regular(1, 4, 1);
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
	CHECK_STR(claim(6, "2,5,7", 1), "!cpuset \"2,5,7\": CPU 5 is not there: online are 0-3");
	CHECK_STR(claim(6, "4095", 1), "!cpuset \"4095\": CPU 4095 is not there: online are 0-3");
	given.sysfs = NULL;
	CHECK(claim(6, NULL, 1)[0] != '!'); /* the caller's own */
	given.sysfs = tree_root();
	struct err e;
	CHECK(pin_release("/nonexistent/cpus", user(0), &e) == 0);
}

static void test_bad_files(void)
{
	clear();
	tree_regular(1, 4, 1);
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
			&(struct pin_choice){0}, &(struct err){0}) == -EINVAL);
}

/* --- exclusive ------------------------------------------------------------------------------- */

static const uint32_t *max_of(uint32_t n)
{
	static uint32_t max;

	max = n;
	return &max;
}

static void test_exclusive(void)
{
	clear();
	tree_regular(1, 4, 2); /* 0,4 1,5 2,6 3,7 */
	CHECK_STR(cores(0, "0-7", 1), "3,7");
	/* nobody shares them, and nobody's shared ones are given out */
	CHECK_STR(claim(1, "0-7", 8), "0-2,4-6");
	CHECK_STR(claim(1, "0-7", 1), "0");
	CHECK_STR(claim(2, "3,7", 1), "~no free CPU: all of 3,7 are given out exclusively");
	CHECK_STR(cores(3, "0-7", 3), "1-2,5-6");
	CHECK_STR(cores(4, "0-7", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 8 are free");
	CHECK_STR(claim(4, "0-7", 2), "0,4");
	/* one's own does not stand in one's way, and what is refused leaves it */
	CHECK_STR(cores(3, "0-7", 1), "2,6");
	CHECK_STR(cores(3, "0-7", 9), "!no exclusive core: 9 CPUs in whole cores are needed, only "
				      "8 are allowed");
	CHECK_STR(cores(5, "0-7", 2), "1,5");
	CHECK(files() == 5);
	CHECK(release(5) == 0 && release(3) == 0);
	CHECK_STR(cores(5, "0-7", 4), "1-2,5-6");
	/* half a core that is allowed is none */
	CHECK(strstr(cores(6, "0-3", 1), "!no exclusive core: CPU 0 is half of one") != NULL);
	CHECK(release(5) == 0 && release(0) == 0 && release(1) == 0 && release(4) == 0);
	CHECK(files() == 0);
	/* one whose other thread came online later is not given to others */
	tree_put("cpu/online", "0-6");
	tree_cpu(3, "3", 0, 3);
	CHECK_STR(cores(0, "3", 1), "3");
	tree_regular(1, 4, 2);
	CHECK_STR(claim(1, "3,7", 1), "~no free CPU: all of 3,7 are given out exclusively");
	CHECK_STR(cores(1, "3,7", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free");
}

static void test_max(void)
{
	struct pin_counts counts;
	struct err e;

	clear();
	tree_regular(2, 2, 2);                      /* 0,4 1,5 | 2,6 3,7 */
	CHECK_STR(cores(0, "0-7", 6), "0-1,3-5,7"); /* all but one core */
	CHECK_STR(
		cores(1, "0-7", 1),
		"~no exclusive core: past cpu.exclusive_max, which is 6 CPUs (all of the host but "
		"one core): 6 are given out, 2 more are needed");
	CHECK_STR(
		cores(2, "0-7", 8),
		"!no exclusive core: past cpu.exclusive_max, which is 6 CPUs (all of the host but "
		"one core): 6 are given out, 8 more are needed");
	CHECK_STR(cores(2, "0-7", 6),
		  "~no free core: 6 CPUs in whole cores are needed, 2 of 8 are free");
	given.exclusive_max = max_of(8);
	CHECK_STR(cores(1, "0-7", 1), "2,6");
	CHECK(release(0) == 0 && release(1) == 0);
	given.exclusive_max = max_of(3);
	CHECK_STR(cores(0, "0-7", 1), "1,5");
	CHECK_STR(cores(1, "0-7", 1),
		  "~no exclusive core: past cpu.exclusive_max, which is 3 CPUs: 2 are given out, 2 "
		  "more are needed");
	CHECK_STR(cores(1, "0-7", 3),
		  "!no exclusive core: past cpu.exclusive_max, which is 3 CPUs: 2 are given out, 4 "
		  "more are needed");
	given.exclusive_max = max_of(0);
	CHECK(cores(0, "0-7", 1)[0] == '!');
	/* a machine of one core keeps it */
	clear();
	tree_regular(1, 1, 2);
	CHECK(strstr(cores(0, "0-1", 1), "!no exclusive core: past cpu.exclusive_max, which is 0"));
	tree_regular(1, 2, 1);
	CHECK_STR(cores(0, "0-1", 1), "1");
	CHECK_STR(claim(1, "0-1", 1), "0");
	CHECK(pin_count(book, &counts, &e) == 0 && counts.sandboxes == 2 &&
	      counts.exclusive_sandboxes == 1 && counts.exclusive_cpus == 1);
	CHECK(pin_count("/nonexistent/x", &counts, &e) == 0 && counts.sandboxes == 0);
}

/* --- what only the joiner knows ----------------------------------------------------------------
 */

static unsigned int asked;

/* Sandbox 1 is dead. */
static bool one_is_dead(void *ctx, const char *who)
{
	(void)ctx;
	asked++;
	return str_ends(who, "/state-1");
}

static void test_dead(void)
{
	clear();
	tree_regular(1, 4, 1);
	given.host.is_dead = one_is_dead;
	asked = 0;
	CHECK_STR(cores(0, "0-3", 1), "3");
	CHECK_STR(cores(1, "0-3", 2), "1-2");
	CHECK_STR(claim(2, "0-3", 1), "0");
	CHECK(asked == 0 && files() == 3); /* nothing was refused so far */
	CHECK_STR(claim(3, "1-2", 1), "1");
	CHECK(asked > 0 && files() == 3);
	asked = 0;
	CHECK_STR(cores(4, "0-3", 2),
		  "~no free core: 2 CPUs in whole cores are needed, 1 of 4 are free");
	CHECK(asked == 3);
	CHECK(release(1) == 0); /* its delete, later: gone already */
	/* past the maximum is refused too */
	given.exclusive_max = max_of(2);
	CHECK_STR(cores(1, "0-3", 1), "2");
	CHECK(release(3) == 0);
	CHECK_STR(cores(4, "0-1", 1), "1");
	CHECK(files() == 3);
}

static struct {
	const char *cpus, *mems;
} parent;

static void tell_parent(void *ctx, struct arena *a, const char **cpus, const char **mems)
{
	(void)ctx;
	(void)a;
	*cpus = parent.cpus;
	*mems = parent.mems;
}

static void test_parent(void)
{
	clear();
	tree_regular(2, 2, 1);
	given.host.above = tell_parent;
	parent.cpus = "2-3";
	CHECK_STR(claim(0, "0-3", 4), "2-3");
	CHECK_STR(claim(1, "0-1", 1), "!cpuset \"0-1\": the cgroup above it only has CPUs 2-3");
	CHECK_STR(cores(1, "0-3", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free");
	CHECK(release(0) == 0);
	CHECK_STR(cores(1, "0-3", 1), "3");
	/* a partition: its CPUs are not above any more, and come back */
	parent.cpus = "2";
	CHECK_STR(cores(2, "0-3", 2),
		  "~no free core: 2 CPUs in whole cores are needed, 1 of 2 are free");
	CHECK_STR(claim(3, "0-3", 2), "2");
	CHECK_STR(claim(4, "3", 1), "~no free CPU: all of 3 are given out exclusively");
}

static void test_mems(void)
{
	own_arena struct arena a = {0};
	struct pin_choice choice;
	struct pin_request req;
	struct err e;

	clear();
	tree_regular(2, 2, 1);
	given.host.above = tell_parent;
	parent.cpus = NULL;
	CHECK_STR(claim(0, "3", 1), "3");
	req = given;
	req.directory = book;
	req.user = user(5);
	req.kind = PIN_EXCLUSIVE;
	req.allowed = "0-3";
	CHECK(mkdir(user(5), 0700) == 0);
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.cpus, "2"); /* 3 is shared: the place with fewer free ones */
	CHECK_STR(choice.mems, "1");
	CHECK_STR(choice.why, "no quota: exclusive, 1 whole core of 1 thread, socket 1, node 1");
	req.kind = PIN_SHARED;
	req.count = 3;
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.cpus, "0-2");
	CHECK_STR(choice.mems, "0-1");
	CHECK_STR(choice.why, "quota of 3 CPUs: shared, the least used of 0-3");
	parent.mems = "0";
	CHECK(pin_claim(&a, &req, &choice, &e) == 0);
	CHECK_STR(choice.mems, "0");
	parent.mems = NULL;
}

static void test_no_topology(void)
{
	clear();
	tree_clear();
	tree_put("cpu/online", "0-1");
	CHECK_STR(cores(0, "0-1", 1), "!no exclusive core: CPU 0 may be half of one: this host "
				      "does not tell its siblings");
	CHECK_STR(claim(0, "0-1", 1), "0"); /* shared ones need none */
	CHECK(files() == 1);
}

/* --- waiting -----------------------------------------------------------------------------------
 */

static long ms_since(const struct timespec *from)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static bool at_once(void *ctx)
{
	(void)ctx;
	return true;
}

enum { SOON = 300 };

static void sleep_soon(void)
{
	const struct timespec pause = {.tv_nsec = SOON * 1000000L};

	(void)nanosleep(&pause, NULL);
}

static void test_wait_in_vain(void)
{
	struct timespec start;

	clear();
	tree_regular(1, 3, 1);
	CHECK_STR(cores(0, "0-1", 2), "0-1");
	given.wait_ms = SOON;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK_STR(cores(1, "0-1", 1),
		  "~no free core: 1 CPU in whole cores is needed, 0 of 2 are free (waited for it)");
	CHECK(ms_since(&start) >= SOON && ms_since(&start) < SOON + 1000);
	/* what cannot be is not waited for */
	given.wait_ms = 60000;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK(cores(1, "0-1", 3)[0] == '!' && claim(1, "7", 1)[0] == '!');
	given.host.interrupted = at_once;
	CHECK_STR(cores(1, "0-1", 1), "!interrupted while waiting for CPUs");
	CHECK(ms_since(&start) < 1000);
}

static void test_wait(void)
{
	struct timespec start;
	int status;

	clear();
	tree_regular(1, 2, 1);
	CHECK_STR(cores(0, "0-1", 1), "1");
	/* a release ends the wait, and while it lasts others come through */
	pid_t pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(claim(2, "0-1", 1)[0] != '0' || release(0) != 0);
	}
	given.wait_ms = 60000;
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	CHECK_STR(cores(1, "0-1", 1), "1");
	CHECK(ms_since(&start) >= SOON && ms_since(&start) < SOON + 500);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* and so does the end of the state directory, a little later */
	pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(rmdir(user(1)) != 0);
	}
	CHECK_STR(cores(3, "0-1", 1), "1");
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	/* shared ones wait as well */
	pid = fork();
	if (pid == 0) {
		sleep_soon();
		_exit(release(3) != 0);
	}
	CHECK_STR(claim(4, "1", 1), "1");
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
}

/* --- many --------------------------------------------------------------------------------------
 */

enum { PROCESSES = 12, ROUNDS = 25 };

/* Each child claims, lets go and claims again: none fails, and one file for each is left. */
static void test_crowd(void)
{
	clear();
	tree_regular(1, 4, 1);
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
	tree_regular(1, 4, 1);
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
	tree_regular(1, 4, 1);
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

/* Of claims at the same time as many win as there are cores, each another one. */
static void test_race(void)
{
	enum { CORES = 4 };
	unsigned int n[CORES + 1] = {0};
	int pipes[2];
	char cpu;

	clear();
	tree_regular(1, CORES + 1, 1);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (fork() == 0)
			_exit(write(pipes[1], cores(i, "0-4", 1), 1) != 1);
	for (int status; wait(&status) > 0;)
		CHECK(status == 0);
	(void)close(pipes[1]);
	unsigned int refused = 0;
	while (read(pipes[0], &cpu, 1) == 1)
		if (cpu >= '0' && cpu <= '0' + CORES)
			n[cpu - '0']++;
		else
			refused += cpu == '~';
	(void)close(pipes[0]);
	CHECK(n[1] == 1 && n[2] == 1 && n[3] == 1 && n[4] == 1 && n[0] == 0);
	CHECK(refused == PROCESSES - CORES && files() == CORES);
}

/* And with a wait each has its turn: never two on one core. */
static void test_turns(void)
{
	char path[128];

	clear();
	tree_regular(1, 2, 1);
	given.wait_ms = 60000;
	snprintf(path, sizeof(path), "%s/mine", top);
	for (unsigned int i = 0; i < PROCESSES; i++)
		if (fork() == 0) {
			const struct timespec pause = {.tv_nsec = 3000000};
			bool good = cores(i, "0-1", 1)[0] == '1' && mkdir(path, 0700) == 0;

			(void)nanosleep(&pause, NULL);
			_exit(!(rmdir(path) == 0 && release(i) == 0 && good));
		}
	for (int status; wait(&status) > 0;)
		CHECK(status == 0);
	CHECK(files() == 0);
}

/* Killed anywhere: what it had is its state directory's, and goes with that. */
static void test_killed_exclusive(void)
{
	clear();
	tree_regular(1, 3, 1);
	for (unsigned int i = 0; i < 40; i++) {
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				(void)cores(1, "0-2", 1);
				(void)release(1);
			}
		(void)usleep(1000 + 137 * i);
		CHECK(kill(pid, SIGKILL) == 0 && waitpid(pid, NULL, 0) == pid);
		const char *got = cores(2, "0-2", 1);
		CHECK(got[0] == '1' || got[0] == '2');
	}
	CHECK(rmdir(user(1)) == 0);
	CHECK_STR(cores(2, "0-2", 2), "1-2");
	CHECK(files() == 1);
}

static void test_two_hundred(void)
{
	enum { SANDBOXES = 200 };
	struct timespec start;

	clear();
	tree_regular(2, 64, 2);
	CHECK(clock_gettime(CLOCK_MONOTONIC, &start) == 0);
	for (unsigned int i = 0; i < SANDBOXES; i++) {
		const char *got = i % 2 ? claim(i, "0-255", 1) : cores(i, "0-255", 1);

		CHECK(got[0] != '!' && (got[0] != '~' || !(i % 2)));
	}
	CHECK(ms_since(&start) < 10000);
	/* half of the first wishes for cores come true before shared ones are everywhere */
	struct pin_counts counts;
	struct err e;
	CHECK(pin_count(book, &counts, &e) == 0 && counts.sandboxes == files() &&
	      counts.exclusive_cpus == counts.exclusive_sandboxes * 2);
	CHECK(counts.exclusive_sandboxes > 20);
	for (unsigned int i = 0; i < SANDBOXES; i++)
		CHECK(release(i) == 0);
	CHECK(files() == 0);
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
	test_exclusive();
	test_max();
	test_dead();
	test_parent();
	test_mems();
	test_no_topology();
	test_wait_in_vain();
	test_wait();
	test_crowd();
	test_even();
	test_killed();
	test_race();
	test_turns();
	test_killed_exclusive();
	test_two_hundred();
	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	tree_remove();
	return check_done();
}
