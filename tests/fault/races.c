// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two commands at once on one id: one of them wins or both do, neither hangs nor crashes, what is
 * there afterwards is what some order of the two would have left, and can be deleted.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { ROUNDS = 100, MAX_WORDS = 8 };

struct race {
	const char *name;
	const char *prepare;
	const char *a, *b; /* ID is the container */
	int min, max;      /* how many of the two may succeed */
	bool gone;         /* afterwards the id is free whoever won */
};

static const struct race races[] = {
	{"create, create", NULL,             "create -b b ID",       "create -b b ID",    1, 1, false},
	{"run, run",       NULL,             "run -d -b b ID",       "run -d -b b ID",    1, 1, false},
	{"create, delete", NULL,             "create -b b ID",       "delete --force ID", 1, 2, false},
	{"create, state",  NULL,             "create -b b ID",       "list",              2, 2, false},
	{"start, start",   "create -b b ID", "start ID",             "start ID",          1, 1, false},
	{"start, delete",  "create -b b ID", "start ID",             "delete --force ID", 1, 2, true },
	{"start, kill",    "create -b b ID", "start ID",             "kill ID KILL",      1, 2, false},
	{"delete, delete", "run -d -b b ID", "delete --force ID",    "delete --force ID", 2, 2, true },
	{"kill, delete",   "run -d -b b ID", "kill ID KILL",         "delete --force ID", 1, 2, true },
	{"pause, delete",  "run -d -b b ID", "pause ID",             "delete --force ID", 1, 2, true },
	{"exec, delete",   "run -d -b b ID", "exec -d ID /bin/true", "delete --force ID", 1, 2, true },
	{"exec, kill",     "run -d -b b ID", "exec -d ID /bin/true", "kill ID KILL",      1, 2, false},
	{"exec, exec",     "run -d -b b ID", "exec -d ID /bin/true", "exec ID /bin/true", 2, 2, false},
	{"pause, kill",    "run -d -b b ID", "pause ID",             "kill ID KILL",      1, 2, false},
};
enum { N_RACES = sizeof(races) / sizeof(races[0]) };

static pid_t start(const char *line, const char *id)
{
	char words[128], *save = NULL;
	const char *args[MAX_WORDS + 1] = {0};
	size_t n = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *p = strtok_r(words, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save))
		args[n++] = strcmp(p, "ID") == 0 ? id : p;
	return brig_start(&(struct way){0}, args);
}

/* 255 is how exec says that it failed itself. */
static bool is_crash(int status)
{
	return status >= 128 && status != 255;
}

static void round_of(const struct race *r, const char *id, int i, char **why)
{
	bool first = i % 2;

	if (r->prepare && brig_wait(start(r->prepare, id)) != 0)
		find(why, "%s: %s", r->prepare, output());
	pid_t a = start(first ? r->a : r->b, id);
	struct timespec ts = {.tv_nsec = rand() % 10 * 150000};
	nanosleep(&ts, NULL);
	pid_t b = start(first ? r->b : r->a, id);
	int of_a = brig_wait(a), of_b = brig_wait(b), won = (of_a == 0) + (of_b == 0);
	if (won < r->min || won > r->max || is_crash(of_a) || is_crash(of_b))
		find(why, "round %d: status %d and %d: %s", i, of_a, of_b, output());
	/* A create or a start that won may come after the delete, where there was nothing yet. */
	if (r->gone && BRIG(&(struct way){0}, "state", id) == 0)
		find(why, "round %d: not deleted: %s", i, output());
	if (BRIG(&(struct way){0}, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", i, output());
}

static void all_races(const char *only)
{
	for (size_t i = 0; i < N_RACES; i++) {
		char *why = strdup("");

		if (only && strcmp(only, races[i].name) != 0)
			continue;
		use_config("long", "flt-race");
		for (int n = 0; n < ROUNDS && !*why; n++)
			round_of(&races[i], "flt-race", n, &why);
		find_left(&why);
		tell(why, "%s: race of %s, %d times", level(), races[i].name, ROUNDS);
		free(why);
	}
}

int main(int argc, char **argv)
{
	left_baseline();
	srand((unsigned int)getpid());
	while (next_level())
		all_races(argc > 1 ? argv[1] : NULL);
	return tell_done();
}
