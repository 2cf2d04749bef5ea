// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step of every table, for each way of starting and ending: made to fail once, killed once
 * before and once after it.
 *   fail         the verb fails with one line that has come from that step, and has undone all
 *   kill-before  the process dies: `delete --force` must then remove everything
 *   kill-after   the same, with the step done
 * After each the same id must be free for a new container.  The steps are not listed here: the
 * program names those it wants and those it does not (BRIG_FAULT_LIST).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

enum { MAX_STEPS = 240, NAME = 64, MAX_WORDS = 20 };

struct scenario {
	const char *name;
	const char *levels; /* at which it makes sense */
	const char *config;
	const char *prepare; /* command lines after each other: nothing happens to these */
	const char *act;     /* to these it does */
	const char *table;   /* only this table, NULL: all that are met */
	bool terminal;
	size_t processes; /* that are there whatever happened to the act */
};

#define SOCKETS  "--console-socket console.sock --pidfd-socket pidfd.sock --pid-file pid"
#define DIRECT   "--id ID --rootfs b/rootfs --timeout 1m"
#define CREATE   "create -b b ID"
#define CREATE_S "create -b b " SOCKETS " ID"
#define RUN      "run -b b ID"
#define RUN_D    "run -d -b b ID"
#define RUN_S    "run -d -b b " SOCKETS " ID"
#define EXEC     "exec ID /bin/true"
#define EXEC_S   "exec -d -t " SOCKETS " --process exec.json ID"
#define START    "start ID"
#define DELETE   "delete ID"
#define FORCE    "delete --force ID"
#define CUSTOM   "custom"
#define LEVELS   "standard high"

static const struct scenario scenarios[] = {
	{"create",              CUSTOM, "long",        NULL,              CREATE ";" START,                      NULL,    false, 0},
	{"create full",         CUSTOM, "full",        NULL,              CREATE_S ";" START,                    NULL,    false, 0},
	{"create joined",       CUSTOM, "joined",      NULL,              CREATE ";" START,                      NULL,    false, 0},
	{"run",		 CUSTOM, "short",       NULL,              RUN,                                   NULL,    false, 0},
	{"run full",            CUSTOM, "full",        NULL,              RUN_S,                                 NULL,    false, 0},
	{"run terminal",        CUSTOM, "terminal",    NULL,              RUN,                                   NULL,    true,  0},
	{"start",               CUSTOM, "hooks",       CREATE,            START,                                 "start", false, 0},
	{"exec",                CUSTOM, "long",        RUN_D,             EXEC,                                  NULL,    false, 1},
	{"exec terminal",       CUSTOM, "long",        RUN_D,             "exec -t ID /bin/true",                NULL,    true,  1},
	{"exec full",           CUSTOM, "full",        RUN_S,             EXEC_S,                                NULL,    false, 1},
	{"exec cgroup",         CUSTOM, "long",        RUN_D,             "exec --cgroup / ID /bin/true",        NULL,    false, 1},
	{"delete running",      CUSTOM, "hooks",       RUN_D,             FORCE,                                 NULL,    false, 0},
	{"delete created",      CUSTOM, "full",        CREATE_S,          DELETE,                                NULL,    false, 0},
	{"delete paused",       CUSTOM, "long",        RUN_D ";pause ID", FORCE,                                 NULL,    false, 0},
	{"create",              LEVELS, "long",        NULL,              CREATE ";" START,                      NULL,    false, 0},
	{"create full",         LEVELS, "levelfull",   NULL,              CREATE_S ";" START,                    NULL,    false, 0},
	{"create joined",       LEVELS, "leveljoined", NULL,              CREATE ";" START,                      NULL,    false, 0},
	{"run",		 LEVELS, "short",       NULL,              RUN,                                   NULL,    false, 0},
	{"run full",            LEVELS, "levelfull",   NULL,              RUN_S,                                 NULL,    false, 0},
	{"run terminal",        LEVELS, "terminal",    NULL,              RUN,                                   NULL,    true,  0},
	{"run direct",          LEVELS, "short",       NULL,              "run " DIRECT " -- /bin/sleep 0.3",    NULL,    false, 0},
	{"run direct detached", LEVELS, "short",       NULL,              "run -d " DIRECT " -- /bin/sleep 100", NULL,
	 false,														  0},
	{"start",               LEVELS, "levelhooks",  CREATE,            START,                                 "start", false, 0},
	{"exec",                LEVELS, "levelwall",   RUN_D,             EXEC,                                  NULL,    false, 2},
	{"exec full",           LEVELS, "levelfull",   RUN_S,             EXEC_S,                                NULL,    false, 2},
	{"delete running",      LEVELS, "levelhooks",  RUN_D,             FORCE,                                 NULL,    false, 0},
	{"delete created",      LEVELS, "levelfull",   CREATE_S,          DELETE,                                NULL,    false, 0},
	{"delete paused",       LEVELS, "levelwall",   RUN_D ";pause ID", FORCE,                                 NULL,    false, 0},
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

/* Here the process has told that it is ready: that it dies cannot be told from an execve. */
static const char *const may_succeed[] = {
	"child/ready",   "child/await start", "child/startContainer hooks",
	"child/execute", "join/ready",        "join/early filter",
	"join/user",     "join/find program", "join/execute"};
enum { N_MAY_SUCCEED = sizeof(may_succeed) / sizeof(may_succeed[0]) };

/* What these fail at leaves the container as it was, or stopped, to be looked at. */
static const char *const keeps[] = {"start/connect", "start/save running", "start/poststart hooks",
				    "child/await start"};
enum { N_KEEPS = sizeof(keeps) / sizeof(keeps[0]) };

/* Killed here, brig has not yet written down what it had claimed. */
static const char *const unrecorded[] = {"create/id range", "create/cpus", "create/first state",
					 "run/id range",    "run/cpus",    "run/first state"};
enum { N_UNRECORDED = sizeof(unrecorded) / sizeof(unrecorded[0]) };

static bool is_one_of(const char *name, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(name, list[i]) == 0)
			return true;
	return false;
}

static bool in_table(const char *step, const char *table)
{
	size_t n = strlen(table);

	return strncmp(step, table, n) == 0 && step[n] == '/';
}

static int run_line(const struct way *w, char *line, const char *id)
{
	const char *args[MAX_WORDS + 1] = {0};
	char *save = NULL;
	size_t n = 0;

	for (char *p = strtok_r(line, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save))
		args[n++] = strcmp(p, "ID") == 0 ? id : p;
	return brig(w, args);
}

/* Status of the first that does not succeed. */
static int run_lines(const struct way *w, const char *lines, const char *id)
{
	char text[512], *save = NULL;
	int status = 0;

	snprintf(text, sizeof(text), "%s", lines ? lines : "");
	for (char *line = strtok_r(text, ";", &save); line && status == 0;
	     line = strtok_r(NULL, ";", &save))
		status = run_line(w, line, id);
	return status;
}

static void prepare(const struct scenario *s, const char *id, char **why)
{
	use_config(s->config, id);
	sockets_open();
	if (run_lines(&(struct way){0}, s->prepare, id) != 0)
		find(why, "preparation: %s", output());
}

static int act(const struct scenario *s, const struct way *w, const char *id)
{
	return run_lines(w, s->act, id);
}

static void check_failure(const struct scenario *s, const struct way *w, int status, char **why)
{
	const char *said = output(), *end = strchr(said, '\n');
	bool late = strcmp(w->step, "child/await start") == 0;

	if (late && status == 0)
		return;
	if (status == 0)
		find(why, "status 0");
	if (!end || end[1])
		find(why, "not one line: %s", said);
	if (!late && !strstr(said, w->step))
		find(why, "the step is not named in: %s", said);
	/* What an exec or a delete was about is still there. */
	if (!s->prepare && !in_table(w->step, "delete") && !is_one_of(w->step, keeps, N_KEEPS))
		find_left(why);
}

static void expect_status(const char *id, const char *status, bool yes, char **why)
{
	char line[64];

	if (BRIG(&(struct way){0}, "state", id) != 0) {
		if (yes)
			find(why, "state: %s", output());
		return;
	}
	snprintf(line, sizeof(line), "\"status\": \"%s\"", status);
	if (!strstr(output(), line) == yes)
		find(why, "%s %s: %s", yes ? "not" : "still", status, output());
}

static void check_act(const struct scenario *s, const struct way *w, const char *id, int status,
		      char **why)
{
	bool fails = strcmp(w->kind, "fail") == 0;

	if (status == STATUS_HANGS)
		find(why, "hangs");
	if (fails)
		check_failure(s, w, status, why);
	else if (status == 0 && !is_one_of(w->step, may_succeed, N_MAY_SUCCEED))
		find(why, "status 0");
	if (s->processes)
		find_processes(why, s->processes);
	if (in_table(w->step, "start")) {
		/* A start that was killed has not happened, or happened: never half. */
		if (!fails)
			(void)!BRIG(&(struct way){0}, "start", id);
		expect_status(id, "running", !fails, why);
	}
}

static void one(const struct scenario *s, const char *step, const char *kind)
{
	static int n;
	char id[32];
	char *why = strdup("");
	struct way w = {.step = step, .kind = kind, .terminal = s->terminal};

	snprintf(id, sizeof(id), "flt-%d", ++n);
	prepare(s, id, &why);
	check_act(s, &w, id, act(s, &w, id), &why);
	sockets_close();
	if (BRIG(&(struct way){0}, "delete", "--force", id) != 0)
		find(&why, "delete --force: %s", output());
	if (strcmp(kind, "fail") != 0 && is_one_of(step, unrecorded, N_UNRECORDED))
		left_drop_void_claims();
	find_left(&why);
	use_config("true", id);
	if (BRIG(&(struct way){0}, "run", "-b", "b", id) != 0)
		find(&why, "the same id again: %s", output());
	tell(why, "%s: %s: %s %s", level(), s->name, step, kind);
	free(why);
}

/* --- names -------------------------------------------------------------------------------- */

struct names {
	char v[MAX_STEPS][NAME];
	size_t n;
};

static bool has(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i], name) == 0)
			return true;
	return false;
}

static void add(struct names *l, const char *name)
{
	if (l->n < MAX_STEPS && !has(l, name))
		snprintf(l->v[l->n++], NAME, "%s", name);
}

/* The names that an undisturbed act meets; unwanted ones go to *all with the others. */
static void list_steps(const struct scenario *s, struct names *met, struct names *all)
{
	char line[NAME], *why = strdup("");
	FILE *f = fopen("list", "we+");

	if (!f)
		exit(1);
	prepare(s, "flt-list", &why);
	int status = act(s, &(struct way){.list = "list", .terminal = s->terminal}, "flt-list");
	if (status != 0)
		find(&why, "status %d: %s", status, output());
	sockets_close();
	if (BRIG(&(struct way){0}, "delete", "--force", "flt-list") != 0)
		find(&why, "delete --force: %s", output());
	find_left(&why);
	while (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		add(all, line + (line[0] == '-'));
		if (line[0] != '-' && (!s->table || in_table(line, s->table)))
			add(met, line);
	}
	fclose(f);
	if (!met->n)
		find(&why, "no step is named");
	tell(why, "%s: %s: undisturbed", level(), s->name);
	free(why);
}

static void at_level(const char *only, struct names *all, struct names *tried)
{
	static const char *const kinds[] = {"fail", "kill-before", "kill-after"};

	for (size_t i = 0; i < N_SCENARIOS; i++) {
		struct names met = {0};

		if ((only && strcmp(only, scenarios[i].name) != 0) ||
		    !strstr(scenarios[i].levels, level()))
			continue;
		list_steps(&scenarios[i], &met, all);
		for (size_t j = 0; j < met.n; j++) {
			add(tried, met.v[j]);
			for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
				one(&scenarios[i], met.v[j], kinds[k]);
		}
	}
}

int main(int argc, char **argv)
{
	static struct names all, tried;

	left_baseline();
	while (next_level())
		at_level(argc > 1 ? argv[1] : NULL, &all, &tried);
	for (size_t i = 0; i < all.n; i++)
		if (!has(&tried, all.v[i]))
			tell("", "%s # skip no scenario here wants it", all.v[i]);
	return tell_done();
}
