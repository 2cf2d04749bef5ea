/* CPU reservations: many processes at the same book. */
#include <signal.h>
#include <sys/wait.h>

#include "pin_fixture.h"

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
	begin_all();
	test_crowd();
	test_even();
	test_killed();
	test_race();
	test_turns();
	test_killed_exclusive();
	test_two_hundred();
	return end_all();
}
