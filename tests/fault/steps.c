// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Every step of every table, for each way of starting and ending:
 *   fail         the verb fails with one line that has come from that step, and has undone all
 *   kill-after   the process dies when the step is done: what may not outlive it is gone at once,
 *                and `delete --force` must then remove everything
 *   kill-before  the same before the first step of a table.  Before any other is after the one
 *                before it: between two there is nothing
 * After each the same id must be free for a new container.  The steps are not listed here: the
 * program names those it wants and those it does not (BRIG_FAULT_LIST).
 *
 * A step that an earlier scenario of the level has been through gets one of fail and kill-after,
 * by turns, every second one neither, and the next of the three at the next level.  A long run
 * (FAULT_PERCENT=100) leaves none out.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault.h"

enum { MAX_STEPS = 240, NAME = 64, MAX_WORDS = 40, MAX_LINE = 1024 };

struct scenario {
	const char *name;
	const char *levels; /* at which it makes sense */
	const char *config;
	const char *prepare; /* command lines after each other: nothing happens to these */
	const char *act;     /* to these it does */
	const char *table;   /* only this table, NULL: all that are met */
	bool terminal;
	size_t processes;  /* that are there whatever happened to the act */
	bool dies;         /* nothing of it outlives a brig that is killed */
	const char *again; /* then this succeeds, whatever happened to the act; NULL: nothing */
};

#define SOCKETS  "--console-socket console.sock --pidfd-socket pidfd.sock --pid-file pid"
#define SANDBOX  "--id ID --rootfs b/rootfs --timeout 1m "
#define CREATE   "create -b b ID"
#define CREATE_S "create -b b " SOCKETS " ID"
#define RUN      "run -b b ID"
#define RUN_D    "run -d -b b ID"
#define RUN_S    "run -d -b b " SOCKETS " ID"
#define DIRECT   "run " SANDBOX "-- /bin/sleep 0.3"
#define TIED     "run --user 0 " SANDBOX "-- /bin/sleep 0.3"
#define LIMITS   "--cpu-time 30s --grace 1s --max-output 1m --fsize 1m --disk 16m --inodes 1000 "
#define LIMITED                                                                                    \
	"run --pin cores --result result.json " LIMITS "--memory 64m " SANDBOX "-- /bin/sleep 0.3"
#define LIMITED_D "run -d --pin cores " LIMITS "--memory 64m " SANDBOX "-- /bin/sleep 100"
#define GRANTS    "--net veth --egress api.example.org --egress CIDR:203.0.113.0/24:8000-8100 "
#define CONNECTED "--id ID --rootfs b/rootfs " GRANTS
#define NET_C     "run " CONNECTED "-- /bin/sleep 0.3"
#define NET_CD    "run -d " CONNECTED "-- /bin/sleep 100"
#define NET       "run " GRANTS SANDBOX "-- /bin/sleep 0.3"
#define PASTA     "run --net pasta --egress api.example.org " SANDBOX "-- /bin/sleep 0.3"
#define NET_D     "run -d " GRANTS SANDBOX "-- /bin/sleep 100"
#define SECRETS   "--env-fd 7 --secret token=8 "
#define GRANTED                                                                                    \
	"--grant filesystem:read:/srv~ttl=1m --grant filesystem:write:/data:1M "                   \
	"--grant memory:limit:32M~ttl=1m --grant exec:deny --audit syscalls " SECRETS
#define GIVEN    "run " GRANTED SANDBOX "-- /bin/sleep 0.3"
#define GIVEN_D  "run -d " GRANTED SANDBOX "-- /bin/sleep 100"
#define CREATE_G "create " SECRETS "-b b ID"
#define EXEC_G   "exec --env-fd 7 ID /bin/true"
#define STARTED  CREATE ";" START
#define WAIT     ";&wait ID"
#define EXEC     "exec ID /bin/true"
#define EXEC_C   "exec --cgroup / ID /bin/true"
#define EXEC_S   "exec -d -t " SOCKETS " --process exec.json ID"
#define LEARN    "policy learn -o learned --id ID --rootfs b/rootfs -- /bin/sleep 0.3"
#define START    "start ID"
#define DELETE   "delete ID"
#define FORCE    "delete --force ID"
#define CREATE_R "create --reuse -b b ID"
#define LATE                                                                                       \
	"start --grant filesystem:read:/srv~ttl=1m --grant filesystem:write:/data:1M "             \
	"--process work.json " SECRETS "ID"
#define LATE_O  "start --process work.json ID"
#define RESET   "reset ID"
#define RESET_K "reset --kill ID"
#define CUSTOM  "custom"
#define LEVELS  "standard high"

/* Of each verb first the one with the most steps: the others get less of what is the same. */
static const struct scenario scenarios[] = {
	{"create full",         CUSTOM,     "full",        NULL,                          CREATE_S ";" START,     NULL,     false, 0, false, NULL   },
	{"create",              CUSTOM,     "long",        NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"create joined",       CUSTOM,     "joined",      NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"run full",            CUSTOM,     "full",        NULL,                          RUN_S,                  NULL,     false, 0, false, NULL   },
	{"run",		 CUSTOM,     "short",       NULL,                          RUN,                    NULL,     false, 0, false, NULL   },
	{"run terminal",        CUSTOM,     "terminal",    NULL,                          RUN,                    NULL,     true,  0, false, NULL   },
	{"run net",             CUSTOM,     "short",       NULL,                          NET_C,                  NULL,     false, 0, false, NULL   },
	{"create net",          CUSTOM,     "grants",      NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"delete net",          CUSTOM,     "short",       NET_CD,                        FORCE,                  NULL,     false, 0, false, NULL   },
	{"start",               CUSTOM,     "hooks",       CREATE,                        START,                  "start",  false, 0, false, NULL   },
	{"exec full",           CUSTOM,     "full",        RUN_S,                         EXEC_S,                 NULL,     false, 1, false, NULL   },
	{"exec",                CUSTOM,     "long",        RUN_D,                         EXEC,                   NULL,     false, 1, false, NULL   },
	{"exec terminal",       CUSTOM,     "long",        RUN_D,                         "exec -t ID /bin/true", NULL,     true,  1, false,
	 NULL																       },
	{"exec last",           CUSTOM,     "tracer",      RUN_D,                         EXEC,                   NULL,     false, 1, false, NULL   },
	{"exec last terminal",  CUSTOM,     "tracer",      RUN_D,                         "exec -t ID /bin/true", NULL,     true,  1,
	 false,															      NULL   },
	{"exec cgroup",         CUSTOM,     "long",        RUN_D,                         EXEC_C,                 NULL,     false, 1, false, NULL   },
	{"delete running",      CUSTOM,     "hooks",       RUN_D,                         FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete created",      CUSTOM,     "full",        CREATE_S,                      DELETE,                 NULL,     false, 0, false, NULL   },
	{"delete paused",       CUSTOM,     "long",        RUN_D ";pause ID",             FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete awaited",      CUSTOM,     "long",        RUN_D WAIT,                    FORCE,                  NULL,     false, 0, false, NULL   },
	{"create full",         LEVELS,     "levelfull",   NULL,                          CREATE_S ";" START,     NULL,     false, 0, false, NULL   },
	{"create",              LEVELS,     "long",        NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"create joined",       LEVELS,     "leveljoined", NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"create output",       LEVELS,     "leveloutput", NULL,                          STARTED,                NULL,     false, 0, false, NULL   },
	{"run full",            LEVELS,     "levelfull",   NULL,                          RUN_S,                  NULL,     false, 0, false, NULL   },
	{"run",		 LEVELS,     "short",       NULL,                          RUN,                    NULL,     false, 0, false, NULL   },
	{"run terminal",        LEVELS,     "terminal",    NULL,                          RUN,                    NULL,     true,  0, false, NULL   },
	{"run tied",            "standard", "short",       NULL,                          TIED,                   NULL,     false, 0, true,  NULL   },
	{"run direct",          LEVELS,     "short",       NULL,                          DIRECT,                 NULL,     false, 0, true,  NULL   },
	{"run limits",          LEVELS,     "short",       NULL,                          LIMITED,                NULL,     false, 0, true,  NULL   },
	{"run limits detached", LEVELS,     "short",       NULL,                          LIMITED_D,              NULL,     false, 0, false, NULL   },
	{"run net",             LEVELS,     "short",       NULL,                          NET,                    NULL,     false, 0, true,  NULL   },
	{"run net detached",    LEVELS,     "short",       NULL,                          NET_D,                  NULL,     false, 0, false, NULL   },
	{"run pasta",           LEVELS,     "short",       NULL,                          PASTA,                  NULL,     false, 0, true,  NULL   },
	{"create net full",     LEVELS,     "grantsfull",  NULL,                          CREATE_S ";" START,     NULL,     false, 0, false,
	 NULL																       },
	{"delete net",          LEVELS,     "short",       NET_D,                         FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete net created",  LEVELS,     "grants",      CREATE,                        DELETE,                 NULL,     false, 0, false, NULL   },
	{"start",               LEVELS,     "levelhooks",  CREATE,                        START,                  "start",  false, 0, false, NULL   },
	{"run grants",          LEVELS,     "short",       NULL,                          GIVEN,                  NULL,     false, 0, true,  NULL   },
	{"run grants detached", LEVELS,     "short",       NULL,                          GIVEN_D,                NULL,     false, 0, false, NULL   },
	{"create grants",       LEVELS,     "granted",     NULL,                          CREATE_G ";" START,     NULL,     false, 0, false, NULL   },
	{"exec grants",         LEVELS,     "granted",     CREATE_G ";" START,            EXEC_G,                 NULL,     false, 3, false, NULL   },
	{"delete grants",       LEVELS,     "short",       GIVEN_D,                       FORCE,                  NULL,     false, 0, false, NULL   },
	{"learn",               LEVELS,     "short",       NULL,                          LEARN,                  NULL,     false, 0, true,  NULL   },
	{"exec full",           LEVELS,     "levelfull",   RUN_S,                         EXEC_S,                 NULL,     false, 2, false, NULL   },
	{"exec",                LEVELS,     "levelwall",   RUN_D,                         EXEC,                   NULL,     false, 2, false, NULL   },
	{"exec limits",         LEVELS,     "short",       LIMITED_D,                     EXEC,                   NULL,     false, 2, false, NULL   },
	{"delete limits",       LEVELS,     "short",       LIMITED_D,                     FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete running",      LEVELS,     "levelhooks",  RUN_D,                         FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete created",      LEVELS,     "levelfull",   CREATE_S,                      DELETE,                 NULL,     false, 0, false, NULL   },
	{"delete paused",       LEVELS,     "levelwall",   RUN_D ";pause ID",             FORCE,                  NULL,     false, 0, false,
	 NULL																       },
	{"delete awaited",      LEVELS,     "levelwall",   RUN_D WAIT,                    FORCE,                  NULL,     false, 0, false, NULL   },
	{"delete output",       LEVELS,     "leveloutput", STARTED WAIT,                  FORCE,                  NULL,     false, 0, false, NULL   },
	{"create reuse",        LEVELS,     "levelhooks",  NULL,                          CREATE_R ";" START,     "create", false, 0, false,
	 NULL																       },
	{"reset",               LEVELS,     "levelhooks",  CREATE_R ";" START,            RESET_K,                NULL,     false, 2, false, RESET  },
	{"reset ended",         LEVELS,     "short",       CREATE_R ";" START ";wait ID", RESET,                  NULL,     false, 2,
	 false,															      RESET  },
	{"reset parked",        LEVELS,     "levelwall",   CREATE_R,                      RESET,                  NULL,     false, 2, false, RESET  },
	{"reset deleted",       LEVELS,     "long",        CREATE_R ";" START,            RESET_K,                NULL,     false, 2, false, NULL   },
	{"reset given",         LEVELS,     "levelwall",   CREATE_R ";" LATE,             RESET_K,                NULL,     false, 3, false,
	 RESET																      },
	{"reset output",        LEVELS,     "leveloutput", CREATE_R ";" LATE_O,           RESET_K,                NULL,     false, 2, false,
	 RESET																      },
	{"start given",         LEVELS,     "levelwall",   CREATE_R,                      LATE,                   "start",  false, 0, false, RESET_K},
};
enum { N_SCENARIOS = sizeof(scenarios) / sizeof(scenarios[0]) };

/*
 * After execute there is nobody to kill.  Before it the filter of an exec may forbid to send: that
 * it dies there cannot be told from an execve.
 */
static const char *const may_succeed[] = {"child/execute", "join/ready",        "join/early filter",
					  "join/user",     "join/find program", "join/execute"};
enum { N_MAY_SUCCEED = sizeof(may_succeed) / sizeof(may_succeed[0]) };

/* What these fail at leaves the container as it was, or stopped, to be looked at. */
static const char *const keeps[] = {"start/connect", "start/audit", "start/save running",
				    "start/poststart hooks", "child/await start"};
enum { N_KEEPS = sizeof(keeps) / sizeof(keeps[0]) };

/* Killed here, brig has not yet written down what it had claimed. */
static const char *const unrecorded[] = {"create/id range",
					 "create/cpus",
					 "create/load netlink",
					 "create/address slot",
					 "create/first state",
					 "run/id range",
					 "run/cpus",
					 "run/load netlink",
					 "run/address slot",
					 "run/first state"};
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

/* Until somebody holds the lock of who waits, so that delete finds him. */
static bool await_waiter(const char *id)
{
	char path[128], inode[32], text[4096];
	struct stat st;

	snprintf(path, sizeof(path), "state/%s/waiters", id);
	for (int i = 0; i < 2000; i++, nap_ms(1)) {
		int fd = stat(path, &st) < 0 ? -1 : open("/proc/locks", O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

		if (fd >= 0)
			close(fd);
		text[n > 0 ? n : 0] = '\0';
		snprintf(inode, sizeof(inode), ":%lu ", (unsigned long)st.st_ino);
		if (strstr(text, inode))
			return true;
	}
	return false;
}

/* In a word ~ is a space. */
static const char *word(char *w)
{
	for (char *p = w; (p = strchr(p, '~'));)
		*p = ' ';
	return w;
}

/* A line with & in front runs beside the others, until the container has been deleted. */
static pid_t beside;

static int run_line(const struct way *w, char *line, const char *id)
{
	const char *args[MAX_WORDS + 1] = {0};
	char *save = NULL;
	size_t n = 0;

	for (char *p = strtok_r(line, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save))
		args[n++] = strcmp(p, "ID") == 0 ? id : word(p);
	if (line[0] != '&')
		return brig(w, args);
	args[0]++;
	beside = brig_start(&(struct way){.no_output = true}, args);
	return await_waiter(id) ? 0 : 1;
}

/* Status of the first that does not succeed. */
static int run_lines(const struct way *w, const char *lines, const char *id)
{
	char text[MAX_LINE], *save = NULL;
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

/* reset also prints what it knows, a line of JSON. */
static bool is_one_line(const char *end)
{
	return end && (!end[1] || strncmp(end + 1, "{\"v\":", 5) == 0);
}

static void check_failure(const struct scenario *s, const struct way *w, int status, char **why)
{
	const char *said = output(), *end = strchr(said, '\n');
	bool late = strcmp(w->step, "child/await start") == 0;

	if (late && status == 0)
		return;
	if (status == 0)
		find(why, "status 0");
	if (!is_one_line(end))
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
	if (s->dies && !fails)
		find_processes(why, 0);
	if (fails)
		check_failure(s, w, status, why);
	else if (status == 0 && !is_one_of(w->step, may_succeed, N_MAY_SUCCEED))
		find(why, "status 0");
	if (s->processes)
		find_processes(why, s->processes);
	/* Where something was given late the next start may refuse: reset makes it whole. */
	if (in_table(w->step, "start") && !s->again) {
		/* A start that was killed has not happened, or happened: never half. */
		if (!fails)
			(void)!BRIG(&(struct way){0}, "start", id);
		expect_status(id, "running", !fails, why);
	}
}

/* Who waits gets an answer, whatever happened to who deletes. */
static void check_beside(char **why)
{
	if (beside && brig_wait(beside) == STATUS_HANGS)
		find(why, "what waits for the end hangs");
	beside = 0;
}

static void one(const struct scenario *s, const char *step, const char *kind)
{
	static int n;
	char id[64];
	char *why = strdup("");
	struct way w = {.step = step, .kind = kind, .terminal = s->terminal};

	snprintf(id, sizeof(id), "%s%d", id_prefix(), ++n);
	prepare(s, id, &why);
	int status = act(s, &w, id);
	char *said = strdup(output());
	check_act(s, &w, id, status, &why);
	if (s->again && run_lines(&(struct way){0}, s->again, id) != 0)
		find(&why, "%s: %s\nbefore it: %d: %s", s->again, output(), status, said);
	free(said);
	sockets_close();
	if (BRIG(&(struct way){0}, "delete", "--force", id) != 0)
		find(&why, "delete --force: %s", output());
	check_beside(&why);
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
	prepare(s, named("list"), &why);
	int status = act(s, &(struct way){.list = "list", .terminal = s->terminal}, named("list"));
	if (status != 0)
		find(&why, "status %d: %s", status, output());
	sockets_close();
	if (BRIG(&(struct way){0}, "delete", "--force", named("list")) != 0)
		find(&why, "delete --force: %s", output());
	check_beside(&why);
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

static bool opens_table(const struct names *met, size_t i)
{
	size_t n = strcspn(met->v[i], "/");

	for (size_t j = 0; j < i; j++)
		if (strncmp(met->v[j], met->v[i], n + 1) == 0)
			return false;
	return true;
}

/* tests/fault/run has looked. */
static bool can_be(const struct scenario *s)
{
	return !strstr(s->name, "pasta") || getenv("HAS_PASTA");
}

/* turn: whose it is, where the step is not new. */
static void try_step(const struct scenario *s, const struct names *met, size_t i,
		     const struct names *seen, size_t turn)
{
	bool is_new = !has(seen, met->v[i]);
	size_t turns = rounds(100) >= 100 ? 2 : 4;

	if (is_new || turn % turns == 0)
		one(s, met->v[i], "fail");
	if (is_new || turn % turns == 1)
		one(s, met->v[i], "kill-after");
	if (is_new && opens_table(met, i))
		one(s, met->v[i], "kill-before");
}

/* A generation that reset has made waits for a start: what comes behind that does not happen. */
static bool is_reached(const struct scenario *s, const char *step)
{
	static const char *const behind[] = {"child/await start", "child/late work",
					     "child/startContainer hooks", "child/execute"};

	return !strstr(s->act, "reset") ||
	       !is_one_of(step, behind, sizeof(behind) / sizeof(behind[0]));
}

static void at_level(const char *only, struct names *all, struct names *tried)
{
	struct names seen = {0};
	size_t turn = strcmp(level(), "high") == 0;

	for (size_t i = 0; i < N_SCENARIOS; i++) {
		struct names met = {0};

		if (!can_be(&scenarios[i])) {
			tell("", "%s: %s # skip no pasta, or no /dev/net/tun", level(),
			     scenarios[i].name);
			continue;
		}
		if ((only && strcmp(only, scenarios[i].name) != 0) ||
		    !strstr(scenarios[i].levels, level()))
			continue;
		list_steps(&scenarios[i], &met, all);
		for (size_t j = 0; j < met.n; j++)
			if (is_reached(&scenarios[i], met.v[j]))
				try_step(&scenarios[i], &met, j, &seen, i + j + turn);
		for (size_t j = 0; j < met.n; j++) {
			add(tried, met.v[j]);
			add(&seen, met.v[j]);
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
