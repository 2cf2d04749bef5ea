// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A state directory on a file system that is full, after each possible number of files and of
 * pages, and on one that is read-only.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "fault.h"

enum { MAX_FILES = 12, MAX_PAGES = 12 };

static const struct way plain = {0};

static void mount_state(const char *options, unsigned long flags, char **why)
{
	if (mount("tmpfs", "state", "tmpfs", flags, options) < 0)
		find(why, "mount tmpfs %s: %s", options, strerror(errno));
	left_baseline();
}

static void unmount_state(char **why)
{
	find_left(why);
	if (umount2("state", MNT_DETACH) < 0)
		find(why, "umount: %s", strerror(errno));
	left_baseline();
}

/* Whichever verb does not get its space says so and leaves nothing that cannot be deleted. */
static void full(const char *options)
{
	char *why = strdup("");
	bool created, started = false;

	mount_state(options, 0, &why);
	use_config("levelhooks", named("full"));
	created = BRIG(&plain, "create", "-b", "b", named("full")) == 0;
	if (created)
		started = BRIG(&plain, "start", named("full")) == 0;
	if ((!created || !started) && !strstr(output(), "o space left on device"))
		find(&why, "the error does not say why: %s", output());
	/* A start that failed must not leave a running program; at high there is a warden beside
	 * it. */
	find_processes(&why, !started ? 0 : strcmp(level(), "high") == 0 ? 2 : 1);
	if (!created)
		find_left(&why);
	if (BRIG(&plain, "delete", "--force", named("full")) != 0)
		find(&why, "delete --force: %s", output());
	unmount_state(&why);
	tell(why, "%s: state directory with %s: %s", level(), options,
	     started   ? "started"
	     : created ? "created"
		       : "refused");
	free(why);
}

static void make_writable(char **why)
{
	if (mount(NULL, "state", NULL, MS_REMOUNT, NULL) < 0)
		find(why, "remount: %s", strerror(errno));
	left_baseline();
}

/*
 * For who comes by the path.  The file system itself cannot be: a warden has a file open for
 * what it may have to write, and the kernel says EBUSY then.
 */
static void cover_read_only(char **why)
{
	if (mount("state", "state", NULL, MS_BIND, NULL) < 0 ||
	    mount(NULL, "state", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL) < 0)
		find(why, "read-only bind mount: %s", strerror(errno));
	left_baseline();
}

static void uncover(char **why)
{
	if (umount2("state", MNT_DETACH) < 0)
		find(why, "umount: %s", strerror(errno));
	left_baseline();
}

static void read_only(void)
{
	char *why = strdup("");

	mount_state("mode=700", MS_RDONLY, &why);
	use_config("long", named("ro"));
	if (BRIG(&plain, "create", "-b", "b", named("ro")) == 0 ||
	    !strstr(output(), "ead-only file system"))
		find(&why, "create: %s", output());
	find_left(&why);
	make_writable(&why);
	if (BRIG(&plain, "create", "-b", "b", named("ro")) != 0)
		find(&why, "create: %s", output());
	cover_read_only(&why);
	if (BRIG(&plain, "start", named("ro")) == 0 || !strstr(output(), "ead-only file system"))
		find(&why, "start: %s", output());
	find_processes(&why, 0);
	if (BRIG(&plain, "delete", "--force", named("ro")) == 0 ||
	    !strstr(output(), "ead-only file system"))
		find(&why, "delete: %s", output());
	find_processes(&why, 0);
	uncover(&why);
	if (BRIG(&plain, "delete", "--force", named("ro")) != 0)
		find(&why, "delete --force: %s", output());
	unmount_state(&why);
	tell(why, "%s: state directory that is or becomes read-only", level());
	free(why);
}

int main(void)
{
	char options[64];

	left_baseline();
	while (next_level()) {
		for (int i = 1; i <= MAX_FILES; i++) {
			snprintf(options, sizeof(options), "nr_inodes=%d", i);
			full(options);
		}
		for (int i = 1; i <= MAX_PAGES; i++) {
			snprintf(options, sizeof(options), "size=%dk", i * 4);
			full(options);
		}
		read_only();
	}
	return tell_done();
}
