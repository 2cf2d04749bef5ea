#include "status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "store.h"

static const char *const names[] = {
	[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
	[STATUS_PAUSED] = "paused",     [STATUS_STOPPED] = "stopped",
};

const char *status_name(enum status s)
{
	return names[s];
}

static uint64_t start_time_at(int dirfd, const char *stat, bool zombies, char *state)
{
	enum { STATE = 3, START = 22 };
	char text[1024];

	if (file_peek(dirfd, stat, text, sizeof(text)) < 0)
		return 0;
	/* The command in parentheses may hold anything; the last ')' ends it. */
	char *p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'X' || (p[2] == 'Z' && !zombies))
		return 0;
	p += 2;
	*state = *p;
	for (int field = STATE; field < START; field++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	return strtoull(p, NULL, 10);
}

static uint64_t start_time(pid_t pid, bool zombies)
{
	char path[64], state;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	return pid > 0 ? start_time_at(AT_FDCWD, path, zombies, &state) : 0;
}

uint64_t process_start_time(pid_t pid)
{
	return start_time(pid, false);
}

uint64_t process_birth(pid_t pid)
{
	return start_time(pid, true);
}

int process_pidfd(int64_t pid, uint64_t start_time)
{
	own_fd int fd = pid > 0 && start_time ? sys_pidfd_open((pid_t)pid, 0) : -1;

	return fd >= 0 && process_start_time((pid_t)pid) == start_time ? take_fd(&fd) : -1;
}

int process_open(pid_t pid, uint64_t start_time, char *state)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	if (pid <= 0 || !start_time)
		return -ESRCH;
	own_fd int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd >= 0 && start_time_at(fd, "stat", false, state) == start_time ? take_fd(&fd)
										: -ESRCH;
}

enum status status_from(int dir, const struct brig_state *s, bool alive, bool frozen)
{
	if (str_eq(s->status, "creating"))
		return store_is_locked(dir) ? STATUS_CREATING : STATUS_STOPPED;
	if (!alive)
		return STATUS_STOPPED;
	if (frozen)
		return STATUS_PAUSED;
	return str_eq(s->status, "created") ? STATUS_CREATED : STATUS_RUNNING;
}

enum status status_of(int dir, const struct brig_state *s, const struct cgroup *cg)
{
	bool alive =
		s->pid > 0 && s->start_time && process_start_time((pid_t)s->pid) == s->start_time;

	return status_from(dir, s, alive, alive && cg && cgroup_is_frozen(cg) == 1);
}
