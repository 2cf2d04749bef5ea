#include "status.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/str.h"
#include "store.h"

static const char *const names[] = {
	[STATUS_CREATING] = "creating", [STATUS_CREATED] = "created", [STATUS_RUNNING] = "running",
	[STATUS_PAUSED] = "paused",     [STATUS_STOPPED] = "stopped",
};

const char *status_name(enum status s)
{
	return names[s];
}

uint64_t process_start_time(pid_t pid)
{
	enum { STATE = 3, START = 22 };
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	/* The command in parentheses may hold anything; the last ')' ends it. */
	char *p = strrchr(text, ')');
	if (!p || p[1] != ' ' || p[2] == 'Z' || p[2] == 'X')
		return 0;
	p += 2;
	for (int field = STATE; field < START; field++) {
		p = strchr(p, ' ');
		if (!p)
			return 0;
		p++;
	}
	return strtoull(p, NULL, 10);
}

enum status status_of(int dir, const struct brig_state *s, const struct cgroup *cg)
{
	bool alive =
		s->pid > 0 && s->start_time && process_start_time((pid_t)s->pid) == s->start_time;

	if (str_eq(s->status, "creating"))
		return store_is_locked(dir) ? STATUS_CREATING : STATUS_STOPPED;
	if (!alive)
		return STATUS_STOPPED;
	if (cg && cgroup_is_frozen(cg) == 1)
		return STATUS_PAUSED;
	return str_eq(s->status, "created") ? STATUS_CREATED : STATUS_RUNNING;
}
