// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kill -9 at any instant, not only between steps; many starts, one after the other and at once.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { MANY = 100, SOME = 50, FEW = 20, MAX_WORDS = 40 };

static const struct way plain = {0};

/* Kills the command at some instant of this time. */
static void kill_somewhere(const char *const *args, long max_us)
{
	pid_t pid = brig_start(&plain, args);
	long us = rand() % max_us;
	struct timespec ts = {.tv_nsec = us * 1000};

	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	(void)brig_wait(pid);
}

static void delete_it(const char *id, int i, char **why)
{
	if (BRIG(&plain, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", i, output());
	find_left(why);
}

/* A way of running that is killed. */
struct killed_run {
	const char *name;
	const char *levels;
	const char *words; /* ID is the container */
	bool dies;         /* nothing of it outlives brig */
	int rounds;
};

#define ALL     "custom standard high"
#define LEVELS  "standard high"
#define SANDBOX "--id ID --rootfs b/rootfs --timeout 1m "
#define LIMITS                                                                                     \
	"--cpu-time 30s --grace 1s --max-output 1m --fsize 1m --disk 16m --inodes 1000 "           \
	"--memory 64m --pin cores "
#define NET   "--id ID --rootfs b/rootfs --net veth --egress api.example.org "
#define SLEEP "-- /bin/sleep 100"

static const struct killed_run killed_runs[] = {
	{"run in the foreground",         ALL,        "run -b b ID",                  false, MANY},
	{"run -d",			ALL,        "run -d -b b ID",               false, SOME},
	{"run with a wall clock",         LEVELS,     "run " SANDBOX SLEEP,           true,  MANY},
	{"run as root with a wall clock", "standard", "run --user 0 " SANDBOX SLEEP,  true,  MANY},
	{"run with all limits",           LEVELS,     "run " LIMITS SANDBOX SLEEP,    true,  SOME},
	{"run with grants",               "custom",   "run " NET SLEEP,               false, FEW },
	{"run with grants",               LEVELS,     "run --timeout 1m " NET SLEEP,  true,  FEW },
	{"run -d with grants",            ALL,        "run -d " NET SLEEP,            false, FEW },
	{"run -d with all limits",        LEVELS,     "run -d " LIMITS SANDBOX SLEEP, false, SOME},
};
enum { N_KILLED_RUNS = sizeof(killed_runs) / sizeof(killed_runs[0]) };

static void killed_run(const struct killed_run *r)
{
	char *why = strdup(""), words[512], *save = NULL;
	const char *args[MAX_WORDS + 1] = {0}, *id = named("kill");
	size_t n = 0;

	snprintf(words, sizeof(words), "%s", r->words);
	for (char *p = strtok_r(words, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save))
		args[n++] = strcmp(p, "ID") == 0 ? id : p;
	use_config("long", id);
	for (int i = 0; i < rounds(r->rounds) && !*why; i++) {
		kill_somewhere(args, i % 2 ? 12000 : strstr(r->words, "--net") ? 80000 : 40000);
		if (r->dies)
			find_processes(&why, 0);
		if (BRIG(&plain, "delete", "--force", id) != 0)
			find(&why, "round %d: delete --force: %s", i, output());
		left_drop_void_claims();
		delete_it(id, i, &why);
	}
	tell(why, "%s: brig %s killed %d times", level(), r->name, rounds(r->rounds));
	free(why);
}

static void all_killed_runs(void)
{
	for (size_t i = 0; i < N_KILLED_RUNS; i++)
		if (strstr(killed_runs[i].levels, level()))
			killed_run(&killed_runs[i]);
}

/* What is done to a container that runs; it can be deleted and is not frozen for ever. */
static void killed_verb(const char *verb, const char *const *args, bool paused)
{
	char *why = strdup("");

	use_config("long", named("kill"));
	for (int i = 0; i < rounds(MANY) && !*why; i++) {
		if (BRIG(&plain, "run", "-d", "-b", "b", named("kill")) != 0 ||
		    (paused && BRIG(&plain, "pause", named("kill")) != 0))
			find(&why, "round %d: %s", i, output());
		kill_somewhere(args, 4000);
		/* Whether it had come so far or not, the state is true and it goes on. */
		if (BRIG(&plain, "state", named("kill")) == 0 && strstr(output(), "\"paused\"") &&
		    BRIG(&plain, "resume", named("kill")) != 0)
			find(&why, "round %d: resume: %s", i, output());
		if (strcmp(verb, "delete") != 0 && strcmp(verb, "kill") != 0 &&
		    BRIG(&plain, "exec", named("kill"), "/bin/true") != 0)
			find(&why, "round %d: does not go on: %s", i, output());
		delete_it(named("kill"), i, &why);
	}
	tell(why, "%s: brig %s killed %d times", level(), verb, rounds(MANY));
	free(why);
}

#define KILLED(verb, paused, ...)                                                                  \
	killed_verb(verb, (const char *const[]){verb, __VA_ARGS__, NULL}, paused)

static void in_a_row(void)
{
	char *why = strdup("");

	use_config("true", named("row"));
	for (int i = 0; i < MANY && !*why; i++)
		if (BRIG(&plain, "run", "-b", "b", named("row")) != 0)
			find(&why, "round %d: %s", i, output());
	find_left(&why);
	tell(why, "%s: %d runs in a row", level(), MANY);
	free(why);
}

static void at_once(const char *verb, bool detached)
{
	char *why = strdup(""), ids[MANY][64];
	pid_t pids[MANY];
	int won = 0;

	use_config(detached ? "long" : "true", named("many"));
	for (int i = 0; i < MANY; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s%d", id_prefix(), i);
		pids[i] = brig_start(&plain, (const char *const[]){verb, "-b", "b", ids[i],
								   detached ? "-d" : NULL, NULL});
	}
	for (int i = 0; i < MANY; i++)
		won += brig_wait(pids[i]) == 0;
	if (won != MANY)
		find(&why, "%d of %d: %s", won, MANY, output());
	for (int i = 0; i < MANY && detached; i++)
		pids[i] = brig_start(&plain,
				     (const char *const[]){"delete", "--force", ids[i], NULL});
	won = 0;
	for (int i = 0; i < MANY && detached; i++)
		won += brig_wait(pids[i]) == 0;
	if (detached && won != MANY)
		find(&why, "deleted %d of %d: %s", won, MANY, output());
	find_left(&why);
	tell(why, "%s: %d at once: %s%s", level(), MANY, verb, detached ? " -d, then delete" : "");
	free(why);
}

int main(void)
{
	left_baseline();
	srand((unsigned int)getpid());
	while (next_level()) {
		all_killed_runs();
		KILLED("pause", false, named("kill"));
		KILLED("resume", true, named("kill"));
		KILLED("update", false, "--pids-limit", "50", named("kill"));
		KILLED("wait", false, named("kill"));
		KILLED("stats", false, named("kill"));
		KILLED("exec", false, named("kill"), "/bin/true");
		KILLED("kill", false, named("kill"), "KILL");
		KILLED("delete", false, "--force", named("kill"));
		in_a_row();
		at_once("run", false);
		at_once("run", true);
	}
	return tell_done();
}
