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

enum { MANY = 100 };

static const struct way plain = {0};

/* Kills the command within a time it usually takes; more often in the first half. */
static void kill_somewhere(const char *const *args, long max_us)
{
	pid_t pid = brig_start(&plain, args);
	long us = rand() % max_us;
	struct timespec ts = {.tv_nsec = us * 1000};

	nanosleep(&ts, NULL);
	kill(pid, SIGKILL);
	(void)brig_wait(pid);
}

#define KILL(max_us, ...) kill_somewhere((const char *const[]){__VA_ARGS__, NULL}, (max_us))

static void delete_it(const char *id, int i, char **why)
{
	if (BRIG(&plain, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", i, output());
	find_left(why);
}

static void killed_runs(void)
{
	char *why = strdup("");

	use_config("long", "flt-kill");
	for (int i = 0; i < MANY && !*why; i++) {
		KILL(12000, "run", "-b", "b", "flt-kill");
		if (BRIG(&plain, "delete", "--force", "flt-kill") != 0)
			find(&why, "round %d: delete --force: %s", i, output());
		left_drop_void_claims();
		delete_it("flt-kill", i, &why);
	}
	tell(why, "%s: brig run in the foreground killed %d times", level(), MANY);
	free(why);
}

/* What is done to a container that runs; it can be deleted and is not frozen for ever. */
static void killed_verb(const char *verb, const char *const *args, bool paused)
{
	char *why = strdup("");

	use_config("long", "flt-kill");
	for (int i = 0; i < MANY && !*why; i++) {
		if (BRIG(&plain, "run", "-d", "-b", "b", "flt-kill") != 0 ||
		    (paused && BRIG(&plain, "pause", "flt-kill") != 0))
			find(&why, "round %d: %s", i, output());
		kill_somewhere(args, 4000);
		/* Whether it had come so far or not, the state is true and it goes on. */
		if (BRIG(&plain, "state", "flt-kill") == 0 && strstr(output(), "\"paused\"") &&
		    BRIG(&plain, "resume", "flt-kill") != 0)
			find(&why, "round %d: resume: %s", i, output());
		if (strcmp(verb, "delete") != 0 && strcmp(verb, "kill") != 0 &&
		    BRIG(&plain, "exec", "flt-kill", "/bin/true") != 0)
			find(&why, "round %d: does not go on: %s", i, output());
		delete_it("flt-kill", i, &why);
	}
	tell(why, "%s: brig %s killed %d times", level(), verb, MANY);
	free(why);
}

#define KILLED(verb, paused, ...)                                                                  \
	killed_verb(verb, (const char *const[]){verb, __VA_ARGS__, NULL}, paused)

static void in_a_row(void)
{
	char *why = strdup("");

	use_config("true", "flt-row");
	for (int i = 0; i < MANY && !*why; i++)
		if (BRIG(&plain, "run", "-b", "b", "flt-row") != 0)
			find(&why, "round %d: %s", i, output());
	find_left(&why);
	tell(why, "%s: %d runs in a row", level(), MANY);
	free(why);
}

static void at_once(const char *verb, bool detached)
{
	char *why = strdup(""), ids[MANY][16];
	pid_t pids[MANY];
	int won = 0;

	use_config(detached ? "long" : "true", "flt-many");
	for (int i = 0; i < MANY; i++) {
		snprintf(ids[i], sizeof(ids[i]), "flt-%d", i);
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
		killed_runs();
		KILLED("pause", false, "flt-kill");
		KILLED("resume", true, "flt-kill");
		KILLED("update", false, "--pids-limit", "50", "flt-kill");
		KILLED("exec", false, "flt-kill", "/bin/true");
		KILLED("kill", false, "flt-kill", "KILL");
		KILLED("delete", false, "--force", "flt-kill");
		in_a_row();
		at_once("run", false);
		at_once("run", true);
	}
	return tell_done();
}
