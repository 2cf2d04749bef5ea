#include "pool/scrub.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "net/conntrack.h"
#include "net/leftover.h"
#include "pool/network.h"

/* --- whose it is ------------------------------------------------------------------------------ */

static bool is_own(const struct scrub_own *own, int64_t pid)
{
	for (size_t i = 0; i < own->n; i++)
		if (own->pids[i] == pid)
			return true;
	return false;
}

/* One that ends meanwhile has none. */
static bool has_socket(int proc, const char *pid)
{
	char path[64], link[64];
	struct dirent *de;

	snprintf(path, sizeof(path), "%.20s/fd", pid);
	own_fd int fd = openat(proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return false;
	fd = -1;
	while ((de = readdir(d))) {
		ssize_t n = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);

		link[n > 0 ? n : 0] = '\0';
		if (str_starts(link, "socket:"))
			return true;
	}
	return false;
}

int64_t scrub_sharer(uint64_t netns, const struct scrub_own *own, struct err *e)
{
	own_dir DIR *d = opendir("/proc");
	struct dirent *de;
	struct stat st;
	char path[64];

	if (!d)
		return err_set(e, errno, "open /proc");
	while ((de = readdir(d))) {
		int64_t pid = strtoll(de->d_name, NULL, 10);

		if (pid <= 0 || is_own(own, pid))
			continue;
		snprintf(path, sizeof(path), "%.20s/ns/net", de->d_name);
		if (fstatat(dirfd(d), path, &st, 0) == 0 && st.st_ino == netns &&
		    has_socket(dirfd(d), de->d_name))
			return pid;
	}
	return 0;
}

const char *scrub_name(struct arena *a, int64_t pid)
{
	char path[64], name[64] = "";

	snprintf(path, sizeof(path), "/proc/%" PRIi64 "/comm", pid);
	(void)!file_peek(AT_FDCWD, path, name, sizeof(name)); /* or without a name */
	name[strcspn(name, "\n")] = '\0';
	for (char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	return arena_printf(a, "process %" PRIi64 " (%s)", pid, name);
}

/* --- what is done ----------------------------------------------------------------------------- */

static int sockets(struct err *e)
{
	struct leftover_sockets left;

	if (leftover_end_sockets(&left, e) < 0)
		return -e->code;
	if (left.owned)
		return err_msg(e, EPERM,
			       "the network namespace has %" PRIi64
			       " sockets that somebody else has open",
			       left.owned);
	return left.closed ? err_msg(e, EBUSY,
				     "%" PRIi64 " sockets of connections that have ended are left, "
				     "which this kernel does not end (TIME_WAIT: within a minute "
				     "they are gone)",
				     left.closed)
			   : 0;
}

static int connections(struct err *e)
{
	return conntrack_forget(NULL, 0, e);
}

static int neighbours(struct err *e)
{
	int r = pool_network_forget_neighbours();

	return r < 0 ? err_set(e, -r, "neighbours of the network namespace") : 0;
}

static int (*const doers[])(struct err *e) = {
	[SCRUB_SOCKETS] = sockets,
	[SCRUB_CONNECTIONS] = connections,
	[SCRUB_NEIGHBOURS] = neighbours,
	[SCRUB_ROUTES] = leftover_forget_routes,
	[SCRUB_METRICS] = leftover_forget_metrics,
};

int scrub(enum scrub what, int netns, struct err *e)
{
	own_fd int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (home < 0)
		return err_set(e, errno, "open own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter the network namespace");
	int r = doers[what](e);
	if (setns(home, CLONE_NEWNET) < 0) {
		log_error("come back from a sandbox's network namespace: %s", err_text(errno));
		_exit(1);
	}
	return r;
}
