// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Two commands at once on one id: one of them wins or both do, neither hangs nor crashes, what is
 * there afterwards is what some order of the two would have left, and can be deleted.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { ROUNDS = 100, FEW = 20, MAX_WORDS = 40, MAX_LINE = 1024 };

struct race {
	const char *name;
	const char *prepare;
	const char *a, *b; /* ID is the container */
	int min, max;      /* how many of the two may succeed */
	bool gone;         /* afterwards the id is free whoever won */
	bool level;        /* not at custom, where nobody watches */
};

#define LIMITED                                                                                    \
	"run -d --id ID --rootfs b/rootfs --timeout 1m --cpu-time 30s --max-output 1m --disk 16m " \
	"--memory 64m --pin cores -- /bin/sleep 100"

#define NET "run -d --id ID --rootfs b/rootfs --net veth --egress api.example.org -- /bin/sleep 100"

static const struct race races[] = {
	{"create, create",     NULL,                    "create -b b ID",             "create -b b ID",                    1, 1, false, false},
	{"run, run",           NULL,                    "run -d -b b ID",             "run -d -b b ID",                    1, 1, false, false},
	{"create, delete",     NULL,                    "create -b b ID",             "delete --force ID",                 1, 2, false, false},
	{"create, state",      NULL,                    "create -b b ID",             "list",                              2, 2, false, false},
	{"start, start",       "create -b b ID",        "start ID",                   "start ID",                          1, 1, false, false},
	{"start, delete",      "create -b b ID",        "start ID",                   "delete --force ID",                 1, 2, true,  false},
	{"start, kill",        "create -b b ID",        "start ID",                   "kill ID KILL",                      1, 2, false, false},
	{"delete, delete",     "run -d -b b ID",        "delete --force ID",          "delete --force ID",                 2, 2, true,
	 false															       },
	{"kill, delete",       "run -d -b b ID",        "kill ID KILL",               "delete --force ID",                 1, 2, true,  false},
	{"pause, delete",      "run -d -b b ID",        "pause ID",                   "delete --force ID",                 1, 2, true,  false},
	{"exec, delete",       "run -d -b b ID",        "exec -d ID /bin/true",       "delete --force ID",                 1, 2, true,
	 false															       },
	{"exec, kill",         "run -d -b b ID",        "exec -d ID /bin/true",       "kill ID KILL",                      1, 2, false,
	 false															       },
	{"exec, exec",         "run -d -b b ID",        "exec -d ID /bin/true",       "exec ID /bin/true",                 2, 2, false,
	 false															       },
	{"pause, kill",        "run -d -b b ID",        "pause ID",                   "kill ID KILL",                      1, 2, false, false},
	{"wait, delete",       "run -d -b b ID",        "wait ID",                    "delete --force ID",                 1, 2, true,  false},
	{"wait, kill",         "run -d -b b ID",        "wait ID",                    "kill ID KILL",                      1, 2, false, false},
	{"limits, waits",      LIMITED ";kill ID KILL", "wait ID",                    "wait ID",                           2, 2, false, true },
	{"stats, delete",      "run -d -b b ID",        "stats ID",                   "delete --force ID",                 1, 2, true,  false},
	{"stats, run",         NULL,                    "stats --all",                "run -d -b b ID",                    2, 2, false, false},
	{"update, delete",     "run -d -b b ID",        "update --pids-limit 50 ID",  "delete --force ID",                 1, 2,
	 true,															  false},
	{"limits, delete",     NULL,                    LIMITED,                      "delete --force ID",                 1, 2, false, true },
	{"limits, wait",       NULL,                    LIMITED,                      "wait --timeout 10ms ID",            1, 2, false, true },
	{"limits, kill",       LIMITED,                 "wait ID",                    "kill ID KILL",                      2, 2, false, true },
	{"run net, run",       NULL,                    NET,                          NET,                                 1, 1, false, false},
	{"run net, delete",    NULL,                    NET,                          "delete --force ID",                 1, 2, false, false},
	{"net delete, delete", NET,                     "delete --force ID",          "delete --force ID",                 2, 2, true,  false},
	{"grant, grant",       NET,                     "grant ID network:a.example", "grant ID network:b.example",        2, 2,
	 false,															 false},
	{"grant, revoke",      NET,                     "grant ID network:a.example", "revoke ID network:api.example.org", 2,
	 2,														      false, false},
	{"grant, delete",      NET,                     "grant ID network:a.example", "delete --force ID",                 1, 2, true,
	 false															       },
};
enum { N_RACES = sizeof(races) / sizeof(races[0]) };

static pid_t start(const char *line, const char *id)
{
	char words[MAX_LINE], *save = NULL;
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

/*
 * wait answers with how the container has ended: here always by a kill.  Where no warden is its
 * parent, one that comes after that cannot know, and says so.
 */
static int outcome(pid_t pid, const char *line)
{
	int status = brig_wait(pid);

	return status == 128 + SIGKILL && strncmp(line, "wait", 4) == 0 ? 0 : status;
}

static void prepare(const struct race *r, const char *id, char **why)
{
	char text[MAX_LINE], *save = NULL;

	snprintf(text, sizeof(text), "%s", r->prepare ? r->prepare : "");
	for (char *line = strtok_r(text, ";", &save); line; line = strtok_r(NULL, ";", &save))
		if (brig_wait(start(line, id)) != 0)
			find(why, "%s: %s", line, output());
}

static void round_of(const struct race *r, const char *id, int i, char **why)
{
	bool first = i % 2;

	prepare(r, id, why);
	pid_t a = start(first ? r->a : r->b, id);
	struct timespec ts = {.tv_nsec = rand() % 10 * 150000};
	nanosleep(&ts, NULL);
	pid_t b = start(first ? r->b : r->a, id);
	int of_a = outcome(a, first ? r->a : r->b), of_b = outcome(b, first ? r->b : r->a);
	int won = (of_a == 0) + (of_b == 0);

	if (won < r->min || won > r->max || is_crash(of_a) || is_crash(of_b))
		find(why, "round %d: status %d and %d: %s", i, of_a, of_b, output());
	/* A create or a start that won may come after the delete, where there was nothing yet. */
	if (r->gone && BRIG(&(struct way){0}, "state", id) == 0)
		find(why, "round %d: not deleted: %s", i, output());
	if (BRIG(&(struct way){0}, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", i, output());
}

/* Networks take longer. */
static int rounds_of(const struct race *r)
{
	bool has_net = strstr(r->a, "--net") || (r->prepare && strstr(r->prepare, "--net"));

	return rounds(has_net ? FEW : ROUNDS);
}

static void all_races(const char *only)
{
	for (size_t i = 0; i < N_RACES; i++) {
		char *why = strdup("");

		if ((only && strcmp(only, races[i].name) != 0) ||
		    (races[i].level && strcmp(level(), "custom") == 0)) {
			free(why);
			continue;
		}
		use_config("long", named("race"));
		for (int n = 0; n < rounds_of(&races[i]) && !*why; n++)
			round_of(&races[i], named("race"), n, &why);
		find_left(&why);
		tell(why, "%s: race of %s, %d times", level(), races[i].name, rounds_of(&races[i]));
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
