// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * The audit log on a file system that gets full, record by record, one that goes away.  Where the
 * log is required (high) nothing is done that cannot be written down, elsewhere it is said; what is
 * there can be removed at every level.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "fault.h"

enum { MAX_FILES = 2, MAX_PAGES = 4, MAX_RUNS = 40 };

static const struct way plain = {0};

static bool is_required(void)
{
	return strcmp(level(), "high") == 0;
}

/* With a warden, where there can be one. */
static const char *config(void)
{
	return strcmp(level(), "custom") == 0 ? "long" : "levelwall";
}

static void mount_log(const char *options, char **why)
{
	(void)mkdir("log", 0700);
	if (mount("tmpfs", "log", "tmpfs", 0, options) < 0)
		find(why, "mount tmpfs %s: %s", options, strerror(errno));
	left_baseline();
}

static void remount_log(unsigned long flags, const char *options, char **why)
{
	if (mount(NULL, "log", NULL, MS_REMOUNT | flags, options) < 0)
		find(why, "remount %s: %s", options, strerror(errno));
	left_baseline();
}

static void unmount_log(char **why)
{
	if (umount2("log", MNT_DETACH) < 0)
		find(why, "umount: %s", strerror(errno));
	left_baseline();
}

/* Of a verb that must be told, or not: whether it went as the level has it. */
static void expect(const char *verb, int status, char **why)
{
	if (is_required() && (status == 0 || !strstr(output(), "audit")))
		find(why, "%s goes on without the log: %d: %s", verb, status, output());
	if (!is_required() && status != 0)
		find(why, "%s does not go on: %d: %s", verb, status, output());
	if (status == STATUS_HANGS)
		find(why, "%s hangs", verb);
}

static void delete_it(const char *id, char **why)
{
	if (BRIG(&plain, "delete", "--force", id) != 0)
		find(why, "delete --force: %s", output());
	find_left(why);
}

/* Runs until the log is full, at each of the records of a run, and then with room again. */
static void full(const char *options)
{
	const char *id = named("log");
	char *why = strdup("");
	int runs = 0, failed = 0, status;

	use_config(config(), id);
	mount_log(options, &why);
	left_log_full(true);
	for (; runs < MAX_RUNS && failed < 3 && !*why; runs++) {
		status = BRIG(&plain, "run", "-d", "-b", "b", id);
		if (status == 0)
			status = BRIG(&plain, "exec", id, "/bin/true");
		if (status != 0 && !is_required())
			find(&why, "run %d: %d: %s", runs, status, output());
		if (status != 0 && !strstr(output(), "o space left on device") &&
		    !strstr(output(), "audit"))
			find(&why, "run %d: the error does not say why: %s", runs, output());
		failed += status != 0;
		if (!is_required() && strstr(output(), "o space left on device"))
			failed++;
		delete_it(id, &why);
	}
	if (!failed)
		find(&why, "it was never full");
	remount_log(0, "size=1m,nr_inodes=100", &why);
	if (BRIG(&plain, "run", "-d", "-b", "b", id) != 0)
		find(&why, "with room again: %s", output());
	delete_it(id, &why);
	unmount_log(&why);
	left_log_full(false);
	tell(why, "%s: audit log with %s: full", level(), options);
	free(why);
}

/* For who comes by the path: the log is there, nobody can write it. */
static void cover(char **why)
{
	if (mount("tmpfs", "log", "tmpfs", MS_RDONLY, NULL) < 0)
		find(why, "cover: %s", strerror(errno));
	left_baseline();
}

static void uncover(char **why)
{
	if (umount2("log", MNT_DETACH) < 0)
		find(why, "uncover: %s", strerror(errno));
	left_baseline();
}

/* While a sandbox waits or runs: nothing begins, all ends. */
static void goes_away(void)
{
	const char *id = named("log");
	char *why = strdup("");

	use_config(config(), id);
	mount_log("mode=700", &why);
	if (BRIG(&plain, "create", "-b", "b", id) != 0)
		find(&why, "create: %s", output());
	cover(&why);
	expect("start", BRIG(&plain, "start", id), &why);
	uncover(&why);
	delete_it(id, &why);
	if (BRIG(&plain, "run", "-d", "-b", "b", id) != 0)
		find(&why, "run: %s", output());
	cover(&why);
	expect("exec", BRIG(&plain, "exec", id, "/bin/true"), &why);
	use_config("true", named("log2"));
	expect("run", BRIG(&plain, "run", "-b", "b", named("log2")), &why);
	if (BRIG(&plain, "pause", id) != 0)
		find(&why, "pause: %s", output());
	expect("resume", BRIG(&plain, "resume", id), &why);
	/* Its end is not in the log then: only this must go at every level. */
	left_log_full(true);
	delete_it(id, &why);
	uncover(&why);
	delete_it(id, &why);
	unmount_log(&why);
	left_log_full(false);
	tell(why, "%s: audit log that goes away", level());
	free(why);
}

int main(void)
{
	char options[64];

	left_baseline();
	while (next_level()) {
		for (int i = 1; i <= MAX_FILES; i++) {
			snprintf(options, sizeof(options), "mode=700,nr_inodes=%d", i);
			full(options);
		}
		for (int i = 2; i <= MAX_PAGES; i++) {
			snprintf(options, sizeof(options), "mode=700,size=%dk", i * 4);
			full(options);
		}
		goes_away();
	}
	return tell_done();
}
