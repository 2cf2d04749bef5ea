// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sandboxes with grants, secrets and watched calls: who ends grants is killed or stopped at any
 * instant, so are the verbs, and who watches what stands still.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { FEW = 3, SOME = 8, STOPPED_MAX_MS = 5000, MAX_WORDS = 40 };

static const struct way plain = {0};

#define SANDBOX "--id ID --rootfs b/rootfs --timeout 1m "
#define TIMED   "--grant filesystem:read:/srv~ttl=1m --grant memory:limit:32M~ttl=1m "
#define SECRETS "--env-fd 7 --secret token=8 "
#define SHORT   "--grant filesystem:read:/srv~ttl=30ms --grant filesystem:write:/data~ttl=31ms "
#define SLEEP   "-- /bin/sleep 100"
#define RUN_D   "run -d " TIMED SECRETS SANDBOX SLEEP
#define GRANT   "grant ID filesystem:read:/usr/share~ttl=1m"

/* In a word ~ is a space. */
static pid_t start_line(const struct way *w, const char *line, const char *id)
{
	char words[512], *save = NULL;
	const char *args[MAX_WORDS + 1] = {0};
	size_t n = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *p = strtok_r(words, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save)) {
		for (char *c = p; (c = strchr(c, '~'));)
			*c = ' ';
		args[n++] = strcmp(p, "ID") == 0 ? id : p;
	}
	return brig_start(w, args);
}

static int run_line(const struct way *w, const char *line, const char *id)
{
	return brig_wait(start_line(w, line, id));
}

static void nap_until(long max_us)
{
	struct timespec ts = {.tv_nsec = rand() % max_us * 1000};

	nanosleep(&ts, NULL);
}

static long ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static bool is_crash(int status)
{
	return status == STATUS_HANGS || status == 128 + SIGSEGV || status == 128 + SIGABRT;
}

static void delete_it(const char *id, int round, char **why)
{
	if (BRIG(&plain, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", round, output());
	left_drop_void_claims();
	find_left(why);
}

/* --- who ends grants ---------------------------------------------------------------------- */

static const struct moment {
	const char *name, *config;
	const char *prepare, *act;
	long max_us;
	bool goes_on; /* when act has failed nothing was given that must end */
} moments[] = {
	{"run",             "short",   NULL,                    "run " TIMED SANDBOX "-- /bin/sleep 0.1",  100000, false},
	{"run -d",          "short",   NULL,                    RUN_D,                                     60000,  false},
	{"create",          "granted", NULL,                    "create -b b ID",                          60000,  false},
	{"start",           "granted", "create -b b ID",        "start ID",                                10000,  false},
	{"exec",            "short",   RUN_D,                   "exec ID /bin/true",                       20000,  false},
	{"grant",           "short",   RUN_D,                   GRANT,                                     10000,  false},
	{"the first grant", "short",   "run -d " SANDBOX SLEEP, GRANT,                                     15000,  true },
	{"revoke --strict", "short",   RUN_D,                   "revoke --strict ID filesystem:read:/srv", 10000,
	 false													  },
	{"their end",       "short",   NULL,                    "run " SHORT SANDBOX "-- /bin/sleep 0.1",  100000, false},
	{"delete",          "short",   RUN_D,                   "delete --force ID",                       20000,  false},
};
enum { N_MOMENTS = sizeof(moments) / sizeof(moments[0]) };

static bool signal_expiry(int sig)
{
	pid_t pid = process_named("brig-expiry");

	return pid && kill(pid, sig) == 0;
}

/* What it would have ended must not go on without it. */
static void killed_expiry(const struct moment *m)
{
	const char *id = named("expiry");
	char *why = strdup("");

	use_config(m->config, id);
	for (int i = 0; i < FEW && !*why; i++) {
		if (m->prepare && run_line(&plain, m->prepare, id) != 0)
			find(&why, "round %d: %s: %s", i, m->prepare, output());
		pid_t pid = start_line(&plain, m->act, id);
		nap_until(m->max_us);
		bool killed = signal_expiry(SIGKILL);
		int status = brig_wait(pid);
		if (is_crash(status))
			find(&why, "round %d: status %d: %s", i, status, output());
		if (killed && !(m->goes_on && status))
			find_processes(&why, 0);
		delete_it(id, i, &why);
	}
	tell(why, "%s: brig-expiry killed in %s, %d times", level(), m->name, FEW);
	free(why);
}

/* Nobody waits for it for ever, and it is no more there than anything else. */
static const char *const after_stop[] = {
	"delete --force ID",
	"kill ID KILL;delete --force ID",
	GRANT ";revoke ID filesystem:read:/srv;delete --force ID",
};
enum { N_AFTER_STOP = sizeof(after_stop) / sizeof(after_stop[0]) };

static void stopped_once(const char *start, long max_us, const char *lines, char **why)
{
	const char *id = named("stop");
	char text[256], *save = NULL;
	struct timespec from;

	if (run_line(&plain, start, id) != 0)
		find(why, "%s", output());
	nap_until(max_us);
	if (!signal_expiry(SIGSTOP))
		find(why, "nobody to stop");
	snprintf(text, sizeof(text), "%s", lines);
	for (char *line = strtok_r(text, ";", &save); line; line = strtok_r(NULL, ";", &save)) {
		clock_gettime(CLOCK_MONOTONIC, &from);
		int status = run_line(&plain, line, id);
		if (status == STATUS_HANGS || ms_since(&from) > STOPPED_MAX_MS)
			find(why, "%s: %ld ms", line, ms_since(&from));
		if (strncmp(line, "delete", 6) == 0 && status != 0)
			find(why, "%s: %s", line, output());
	}
	find_left(why);
	delete_it(id, 0, why);
	/* So that the next one is not about this. */
	if (signal_expiry(SIGKILL))
		find_processes(why, 0);
}

static void stopped_expiry(void)
{
	for (size_t i = 0; i < N_AFTER_STOP; i++) {
		char *why = strdup("");

		use_config("short", named("stop"));
		stopped_once(RUN_D, 1, after_stop[i], &why);
		tell(why, "%s: brig-expiry stopped, then %s", level(), after_stop[i]);
		free(why);
	}
	/* While it works: it may hold the lock of the sandbox, or of the log. */
	char *why = strdup("");
	for (int i = 0; i < FEW && !*why; i++)
		stopped_once("run -d " SHORT SANDBOX SLEEP, 40000, after_stop[0], &why);
	tell(why, "%s: brig-expiry stopped at work, %d times", level(), FEW);
	free(why);
}

/* --- the verbs ---------------------------------------------------------------------------- */

static const struct verb {
	const char *name;
	const char *line;
	bool stays; /* the sandbox goes on, and is not frozen for ever */
	bool dies;  /* nothing of it outlives brig */
	long max_us;
} verbs[] = {
	{"grant",              GRANT,						      true,  false, 8000 },
	{"revoke",             "revoke ID filesystem:read:/srv",                           true,  false, 8000 },
	{"revoke --strict",    "revoke --strict ID filesystem:read:/srv",                  true,  false, 8000 },
	{"taint",              "taint --reason seen ID",                                   true,  false, 4000 },
	{"exec --env-fd",      "exec --env-fd 7 ID /bin/true",                             true,  false, 15000},
	{"run with grants",    "run " TIMED SECRETS SANDBOX SLEEP,                         false, true,  60000},
	{"run -d with grants", RUN_D,						      false, false, 60000},
	{"policy learn",       "policy learn -o learned --id ID --rootfs b/rootfs " SLEEP, false, true,
	 60000												},
};
enum { N_VERBS = sizeof(verbs) / sizeof(verbs[0]) };

/* It goes on by itself, or by who knows that it was killed: resume. */
static void goes_on(const char *id, int round, char **why)
{
	if (BRIG(&plain, "state", id) == 0 && strstr(output(), "\"paused\"") &&
	    BRIG(&plain, "resume", id) != 0)
		find(why, "round %d: resume: %s", round, output());
	if (BRIG(&plain, "exec", id, "/bin/true") != 0)
		find(why, "round %d: does not go on: %s", round, output());
	if (run_line(&plain, GRANT, id) != 0)
		find(why, "round %d: grant: %s", round, output());
}

static void killed_verb(const struct verb *v)
{
	const char *id = named("verb");
	char *why = strdup("");

	use_config("short", id);
	for (int i = 0; i < SOME && !*why; i++) {
		if (v->stays && run_line(&plain, RUN_D, id) != 0)
			find(&why, "round %d: %s", i, output());
		pid_t pid = start_line(&plain, v->line, id);
		nap_until(v->max_us);
		kill(pid, SIGKILL);
		(void)brig_wait(pid);
		if (v->dies)
			find_processes(&why, 0);
		if (v->stays)
			goes_on(id, i, &why);
		delete_it(id, i, &why);
	}
	tell(why, "%s: brig %s killed %d times", level(), v->name, SOME);
	free(why);
}

/* --- who watches what stands still -------------------------------------------------------- */

#define DENIED "-- /bin/sh -c while~:;do~mount~-t~tmpfs~none~/tmp;done"

/* In quarantine a sandbox is frozen: what kills it has to let it go first. */
static void frozen(const char *how, bool detached, const char *victim)
{
	const char *id = named("frozen");
	char *why = strdup(""), freezing[64];

	snprintf(freezing, sizeof(freezing), "freezing-%s", level());
	const struct way w = {.level = freezing};
	use_config("short", id);
	for (int i = 0; i < FEW && !*why; i++) {
		pid_t pid = start_line(&w,
				       detached ? "run -d --audit syscalls " SANDBOX DENIED
						: "run --audit syscalls " SANDBOX DENIED,
				       id);
		if (i > 0)
			nap_until(200000);
		else
			for (int n = 0; n < 2000; n++, nap_ms(2))
				if (BRIG(&(struct way){0}, "state", id) == 0 &&
				    strstr(output(), "\"paused\""))
					break;
		if (i == 0 && !strstr(output(), "\"paused\""))
			find(&why, "is not frozen: %s", output());
		if (victim && process_named(victim))
			kill(process_named(victim), SIGKILL);
		else if (!detached)
			kill(pid, SIGKILL);
		if (detached || !victim)
			(void)brig_wait(pid);
		delete_it(id, i, &why);
		if (!detached && victim)
			(void)brig_wait(pid);
	}
	tell(why, "%s: in quarantine %s, %d times", level(), how, FEW);
	free(why);
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;

	left_baseline();
	srand((unsigned int)getpid() ^ (unsigned int)time(NULL));
	while (next_level()) {
		if (strcmp(level(), "custom") == 0) {
			tell("", "custom: grants # skip only levels have them");
			continue;
		}
		for (size_t i = 0; i < N_MOMENTS && (!only || strcmp(only, "expiry") == 0); i++)
			killed_expiry(&moments[i]);
		if (!only || strcmp(only, "stopped") == 0)
			stopped_expiry();
		for (size_t i = 0; i < N_VERBS && (!only || strcmp(only, "verbs") == 0); i++)
			killed_verb(&verbs[i]);
		if (!only || strcmp(only, "frozen") == 0) {
			frozen("brig is killed", false, NULL);
			frozen("its warden is killed", true, "brig-warden");
			frozen("it is deleted", true, NULL);
		}
	}
	return tell_done();
}
