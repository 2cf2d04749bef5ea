/* Rows of the host: mounts in its state directory, and the processes that brig has beside it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "pool/row.h"

enum { MOST = 8 << 20, STATUS_MOST = 64 << 10 };

/* --- mounts --------------------------------------------------------------------------------- */

/* As the kernel has it: what leads to it may be a link. */
static const char *own_path(struct pool_row *l)
{
	char link[64], *path = arena_new(l->a, PATH_MAX);

	snprintf(link, sizeof(link), "/proc/self/fd/%d", l->s->dir);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	return n > 0 ? path : NULL;
}

/* Anywhere in the line: the root of a bind mount, its place, a directory of an overlay. */
static const char *names(const char *line, const char *dir)
{
	size_t len = strlen(dir);

	for (const char *p = line; (p = strstr(p, dir)); p++)
		if (!p[len] || strchr("/ ,:", p[len]))
			return p;
	return NULL;
}

/* Mounts of the host's namespace that have to do with its state directory. */
int64_t pool_count_mounts(struct pool_row *l)
{
	const char *dir = own_path(l);
	struct err ignored;
	char *text, *line, *rest;
	int64_t n = 0;

	if (!dir ||
	    file_read(l->a, AT_FDCWD, "/proc/self/mountinfo", MOST, &text, NULL, &ignored) < 0)
		return -1;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		str_unescape(line);
		const char *p = names(line, dir);

		if (p && !n++)
			l->detail = arena_strdup(l->a, p);
	}
	return n;
}

/* --- processes ------------------------------------------------------------------------------ */

/* Fields 3 and 22 of proc(5)'s stat, behind the name, in which anything may stand. */
static uint64_t birth_of(const char *stat, char *state)
{
	enum { STARTED = 22 };
	const char *p = strrchr(stat, ')');

	*state = p && p[1] ? p[2] : '\0';
	for (int field = 2; p && field < STARTED; field++) {
		p = strchr(p, ' ');
		p = p ? p + 1 : NULL;
	}
	return p ? strtoull(p, NULL, 10) : 0;
}

/*
 * Its number may have gone to another, so it has to be as old as the state says; that it is
 * confined is what the kernel says of it, not what it says.
 */
static int64_t lost(struct pool_row *l, int64_t pid, uint64_t started, const char *name)
{
	struct err ignored;
	char stat[1024], state, path[64], *text;

	if (!pid)
		return 0;
	snprintf(path, sizeof(path), "/proc/%" PRIi64, pid);
	own_fd int proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	l->detail = "it is gone";
	if (proc < 0 || file_peek(proc, "stat", stat, sizeof(stat)) < 0 ||
	    birth_of(stat, &state) != started || state == 'Z' || state == 'X')
		return 1;
	if (file_read(l->a, proc, "status", STATUS_MOST, &text, NULL, &ignored) < 0)
		return 1;
	l->detail = "it is not confined";
	if (!strstr(text, "\nSeccomp:\t2\n") ||
	    !str_starts(text, arena_printf(l->a, "Name:\t%s\n", name)))
		return 1;
	l->detail = NULL;
	return 0;
}

int64_t pool_lost_warden(struct pool_row *l)
{
	const struct brig_state *st = l->s->state;

	return lost(l, st->warden_pid, st->warden_start_time, "brig-warden");
}

int64_t pool_lost_resolver(struct pool_row *l)
{
	const struct brig_state *st = l->s->state;

	return lost(l, st->resolver_pid, st->resolver_start_time, "brig-resolver");
}
