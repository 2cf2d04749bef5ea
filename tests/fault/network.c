// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Sandboxes with grants: who guards them is killed or stopped at any instant, what they need is not
 * there, there are more of them than addresses.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { ROUNDS = 3, CROWDS = 8, STOPPED_MAX_MS = 5000, SLOTS = 4, CROWD = 7, MAX_WORDS = 40 };

static const struct way plain = {0};

#define GRANTS "--net veth --egress api.example.org --egress CIDR:203.0.113.0/24:8000-8100 "
#define NET    "--id ID --rootfs b/rootfs " GRANTS
#define CUSTOM "custom"
#define LEVELS "standard high"
#define ALL    CUSTOM " " LEVELS

static pid_t start_line(const struct way *w, const char *line, const char *id)
{
	char words[512], *save = NULL;
	const char *args[MAX_WORDS + 1] = {0};
	size_t n = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *p = strtok_r(words, " ", &save); p && n < MAX_WORDS;
	     p = strtok_r(NULL, " ", &save))
		args[n++] = strcmp(p, "ID") == 0 ? id : p;
	return brig_start(w, args);
}

static int run_line(const struct way *w, const char *line, const char *id)
{
	return brig_wait(start_line(w, line, id));
}

static bool is_custom(void)
{
	return strcmp(level(), CUSTOM) == 0;
}

static void delete_it(const char *id, int round, char **why)
{
	if (BRIG(&plain, "delete", "--force", id) != 0)
		find(why, "round %d: delete --force: %s", round, output());
	left_drop_void_claims();
	find_left(why);
}

static long ms_since(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

/* --- who guards --------------------------------------------------------------------------- */

static const char *const guards[][2] = {
	{"brig-resolver", NULL           },
	{"brig-warden",   NULL           },
	{"brig-resolver", "brig-warden"  },
	{"brig-warden",   "brig-resolver"},
};
enum { N_GUARDS = sizeof(guards) / sizeof(guards[0]) };
/* In which order they are stopped does not matter. */
enum { N_STOPPED = 3 };

/* How many of them were there. */
static int signal_guards(const char *const names[2], int sig)
{
	int n = 0;

	for (int i = 0; i < 2 && names[i]; i++) {
		pid_t pid = process_named(names[i]);

		n += pid && kill(pid, sig) == 0;
	}
	return n;
}

static const char *names_of(const char *const names[2])
{
	static char text[64];

	snprintf(text, sizeof(text), "%s%s%s", names[0], names[1] ? " and " : "",
		 names[1] ? names[1] : "");
	return text;
}

/* What runs while the guards are killed. */
static const struct moment {
	const char *name;
	const char *config;
	const char *prepare; /* one line, to its end */
	const char *act;
	long max_us; /* the instant is within these */
} moments[] = {
	{"run",    "short",  NULL,                              "run " NET "-- /bin/sleep 0.1",    120000},
	{"run -d", "short",  NULL,                              "run -d " NET "-- /bin/sleep 100", 60000 },
	{"create", "grants", NULL,                              "create -b b ID",                  60000 },
	{"start",  "grants", "create -b b ID",                  "start ID",                        10000 },
	{"exec",   "short",  "run -d " NET "-- /bin/sleep 100", "exec ID /bin/true",               20000 },
	{"grant",  "short",  "run -d " NET "-- /bin/sleep 100", "grant ID network:a.example",      10000 },
	{"delete", "short",  "run -d " NET "-- /bin/sleep 100", "delete --force ID",               20000 },
};
enum { N_MOMENTS = sizeof(moments) / sizeof(moments[0]) };

/* At a level nothing runs unguarded: the others end by themselves. */
static void kill_at(const struct moment *m, const char *const names[2], int round, char **why)
{
	const char *id = named("guard");
	struct timespec ts = {.tv_nsec = rand() % m->max_us * 1000};

	if (m->prepare && run_line(&plain, m->prepare, id) != 0)
		find(why, "round %d: %s: %s", round, m->prepare, output());
	pid_t pid = start_line(&plain, m->act, id);
	nanosleep(&ts, NULL);
	int killed = signal_guards(names, SIGKILL);
	int status = brig_wait(pid);
	if (status == STATUS_HANGS || status == 128 + SIGSEGV || status == 128 + SIGABRT)
		find(why, "round %d: status %d: %s", round, status, output());
	if (killed && !is_custom())
		find_processes(why, 0);
	delete_it(id, round, why);
}

static void killed_guards(const struct moment *m, size_t g)
{
	char *why = strdup("");

	use_config(m->config, named("guard"));
	for (int i = 0; i < ROUNDS && !*why; i++)
		kill_at(m, guards[g], i, &why);
	tell(why, "%s: %s killed in %s, %d times", level(), names_of(guards[g]), m->name, ROUNDS);
	free(why);
}

/* --- stopped ------------------------------------------------------------------------------ */

/* What comes after they were stopped; none may wait for them for ever. */
/* With & in front: beside the others. */
static const char *const after_stop[] = {
	"delete --force ID",
	"kill ID KILL;delete --force ID",
	"&grant ID network:a.example;&grant ID network:b.example;delete --force ID",
	"exec ID /bin/true;stats ID;state ID;delete --force ID",
};
enum { N_AFTER_STOP = sizeof(after_stop) / sizeof(after_stop[0]) };

static void stopped_guards(size_t g, const char *lines)
{
	const char *id = named("stop");
	char *why = strdup(""), text[256], *save = NULL;
	struct timespec from;
	pid_t beside[4];
	size_t n_beside = 0;

	if (run_line(&plain, "run -d " NET "-- /bin/sleep 100", id) != 0)
		find(&why, "%s", output());
	if (!signal_guards(guards[g], SIGSTOP))
		find(&why, "nobody to stop");
	snprintf(text, sizeof(text), "%s", lines);
	for (char *line = strtok_r(text, ";", &save); line; line = strtok_r(NULL, ";", &save)) {
		if (*line == '&') {
			beside[n_beside++] =
				start_line(&(struct way){.no_output = true}, line + 1, id);
			nap_ms(20);
			continue;
		}
		clock_gettime(CLOCK_MONOTONIC, &from);
		int status = run_line(&plain, line, id);
		if (status == STATUS_HANGS || ms_since(&from) > STOPPED_MAX_MS)
			find(&why, "%s: %ld ms", line, ms_since(&from));
		if (strncmp(line, "delete", 6) == 0 && status != 0)
			find(&why, "%s: %s", line, output());
	}
	for (size_t i = 0; i < n_beside; i++)
		(void)brig_wait(beside[i]);
	find_left(&why);
	delete_it(id, 0, &why);
	tell(why, "%s: %s stopped, then %s", level(), names_of(guards[g]), lines);
	free(why);
}

/* Who waits for the end of the program does not wait for its name service. */
static void stopped_in_foreground(void)
{
	const char *id = named("stop");
	char *why = strdup("");
	struct timespec from;
	pid_t pid = start_line(&plain, "run " NET "-- /bin/sleep 0.5", id);

	for (int i = 0; i < 1000 && !process_named("sleep"); i++)
		nap_ms(1);
	if (!signal_guards(guards[0], SIGSTOP))
		find(&why, "nobody to stop");
	clock_gettime(CLOCK_MONOTONIC, &from);
	int status = brig_wait(pid);
	if (status != 0 || ms_since(&from) > STOPPED_MAX_MS)
		find(&why, "status %d after %ld ms: %s", status, ms_since(&from), output());
	find_left(&why);
	delete_it(id, 0, &why);
	tell(why, "%s: brig-resolver stopped under a run in the foreground", level());
	free(why);
}

/* --- what is not there -------------------------------------------------------------------- */

/* A network namespace as network plug-ins make it, by path. */
static void make_pod(char **why)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int file = open("podnet", O_RDONLY | O_CREAT | O_CLOEXEC, 0600);

	if (here < 0 || file < 0 || unshare(CLONE_NEWNET) < 0 ||
	    mount("/proc/self/ns/net", "podnet", NULL, MS_BIND, NULL) < 0 ||
	    setns(here, CLONE_NEWNET) < 0)
		find(why, "network namespace: %s", strerror(errno));
	close(file);
	close(here);
	left_baseline();
}

static void remove_pod(char **why)
{
	if (umount2("podnet", MNT_DETACH) < 0)
		find(why, "umount podnet: %s", strerror(errno));
	left_baseline();
}

/* In there, as elsewhere: no half of a table. */
static void find_in_pod(char **why)
{
	int here = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int pod = open("podnet", O_RDONLY | O_CLOEXEC);

	if (here < 0 || pod < 0 || setns(pod, CLONE_NEWNET) < 0)
		find(why, "enter podnet: %s", strerror(errno));
	find_net_left(why);
	if (setns(here, CLONE_NEWNET) < 0)
		find(why, "leave podnet: %s", strerror(errno));
	close(pod);
	close(here);
}

static const struct missing {
	const char *mechanism, *remedy;
	bool veth; /* only that needs it */
} missing[] = {
	{"nf_tables", "modprobe nf_tables", false},
	{"libmnl",    "libmnl0",            false},
	{"veth",      "modprobe veth",      true },
	{"batch",     "nf_tables: ",        false}, /* it fails in the middle */
};
enum { N_MISSING = sizeof(missing) / sizeof(missing[0]) };

static void starts_not(const struct missing *m, const char *config, const char *name,
		       const char *line)
{
	bool pod = strcmp(config, "pod") == 0;
	const char *id = named("lacks");
	char *why = strdup("");
	const struct way w = {.hide = m->mechanism};

	use_config(config, id);
	if (pod)
		make_pod(&why);
	int status = run_line(&w, line, id);
	const char *said = output(), *end = strchr(said, '\n');

	if (status == 0 || status == STATUS_HANGS)
		find(&why, "status %d", status);
	if (!end || end[1])
		find(&why, "not one line: %s", said);
	if (!strstr(said, m->remedy))
		find(&why, "no word of \"%s\": %s", m->remedy, said);
	find_left(&why);
	if (pod)
		find_in_pod(&why);
	if (run_line(&plain, line, id) != 0)
		find(&why, "when it is there: %s", output());
	delete_it(id, 0, &why);
	if (pod)
		remove_pod(&why);
	tell(why, "%s: %s without %s", level(), name, m->mechanism);
	free(why);
}

/* --- more than addresses ------------------------------------------------------------------ */

/* Whoever comes first has one; the others are told why they have none. */
static void crowd_once(int round, char **why)
{
	char ids[CROWD][64];
	pid_t pids[CROWD];
	int won = 0;

	for (int i = 0; i < CROWD; i++) {
		snprintf(ids[i], sizeof(ids[i]), "%s%d", id_prefix(), i);
		pids[i] = start_line(&plain, "run -d " NET "-- /bin/sleep 100", ids[i]);
	}
	for (int i = 0; i < CROWD; i++)
		won += brig_wait(pids[i]) == 0;
	if (won != SLOTS || !strstr(output(), "none of the 4 slots"))
		find(why, "round %d: %d have started: %s", round, won, output());
	for (int i = 0; i < CROWD; i++)
		pids[i] = start_line(&plain, "delete --force ID", ids[i]);
	won = 0;
	for (int i = 0; i < CROWD; i++)
		won += brig_wait(pids[i]) == 0;
	if (won != CROWD)
		find(why, "round %d: %d were deleted: %s", round, won, output());
}

/* Only once it is looked for what is left: slots must be had again before the kernel is done. */
static void crowd(void)
{
	char *why = strdup("");

	for (int i = 0; i < rounds(CROWDS) && !*why; i++)
		crowd_once(i, &why);
	find_left(&why);
	tell(why, "%s: %d sandboxes at once for %d addresses, %d times", level(), CROWD, SLOTS,
	     rounds(CROWDS));
	free(why);
}

/* --- all ---------------------------------------------------------------------------------- */

static void guards_at_level(void)
{
	for (size_t g = 0; g < N_GUARDS; g++) {
		/* Nobody watches at custom. */
		if (is_custom() && (guards[g][1] || strcmp(guards[g][0], "brig-resolver") != 0))
			continue;
		for (size_t m = 0; m < N_MOMENTS; m++)
			killed_guards(&moments[m], g);
		for (size_t i = 0; i < N_AFTER_STOP && g < N_STOPPED; i++)
			stopped_guards(g, after_stop[i]);
	}
	stopped_in_foreground();
}

static void missing_at_level(void)
{
	for (size_t i = 0; i < N_MISSING; i++) {
		starts_not(&missing[i], "grants", "run", "run " NET "-- /bin/true");
		starts_not(&missing[i], "grants", "run -d", "run -d " NET "-- /bin/sleep 100");
		if (missing[i].veth)
			continue;
		starts_not(&missing[i], "grants", "create", "create -b b ID");
		starts_not(&missing[i], "pod", "create of a pod", "create -b b ID");
	}
}

int main(int argc, char **argv)
{
	const char *only = argc > 1 ? argv[1] : NULL;

	left_baseline();
	srand((unsigned int)getpid() ^ (unsigned int)time(NULL));
	while (next_level()) {
		if (!only || strcmp(only, "missing") == 0)
			missing_at_level();
		if (!only || strcmp(only, "crowd") == 0)
			crowd();
		if (!only || strcmp(only, "guards") == 0)
			guards_at_level();
	}
	return tell_done();
}
