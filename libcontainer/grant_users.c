/*
 * Who has something of a mount that was taken away: descriptors, working and root directories,
 * programs and mappings.  By the kernel's own links in /proc/PID, which are looked at and not
 * opened.  What is on its way through a socket is nobody's and not seen.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "grant_internal.h"

static bool is_on(int dir, const char *link, uint64_t mount)
{
	struct statx x;

	return statx(dir, link, AT_NO_AUTOMOUNT | AT_STATX_DONT_SYNC, STATX_MNT_ID, &x) == 0 &&
	       x.stx_mask & STATX_MNT_ID && x.stx_mnt_id == mount;
}

static int open_dir(int at, const char *name)
{
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Any of the links of a directory: fd, map_files. */
static bool any_on(int at, const char *name, uint64_t mount)
{
	int fd = open_dir(at, name);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool found = false;

	if (!d)
		own_close(&fd);
	for (struct dirent *x; d && !found && (x = readdir(d));)
		if (x->d_name[0] != '.')
			found = is_on(dirfd(d), x->d_name, mount);
	return found;
}

static bool thread_uses(int tasks, const char *tid, uint64_t mount)
{
	own_fd int task = open_dir(tasks, tid);

	return task >= 0 && (is_on(task, "cwd", mount) || is_on(task, "root", mount) ||
			     any_on(task, "fd", mount));
}

/* Threads may have files and directories of their own (unshare(2)). */
static bool uses(int proc, uint64_t mount)
{
	int fd = open_dir(proc, "task");
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	bool found = is_on(proc, "exe", mount) || any_on(proc, "map_files", mount);

	if (!d)
		own_close(&fd);
	for (struct dirent *x; d && !found && (x = readdir(d));)
		if (x->d_name[0] != '.')
			found = thread_uses(dirfd(d), x->d_name, mount);
	return found;
}

int grant_users(struct arena *a, const struct cgroup *cg, uint64_t mount, bool kill, size_t *n,
		struct err *e)
{
	pid_t *pids;
	size_t n_pids;
	char path[64];

	*n = 0;
	if (cgroup_pids(a, cg, &pids, &n_pids, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n_pids; i++) {
		own_fd int pidfd = sys_pidfd_open(pids[i], 0);

		snprintf(path, sizeof(path), "/proc/%d", (int)pids[i]);
		own_fd int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (pidfd < 0 || proc < 0 || !uses(proc, mount))
			continue;
		++*n;
		if (kill && sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
			return err_set(e, errno, "kill process %d", (int)pids[i]);
	}
	return 0;
}
