#include "base/step.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"

static bool is_wanted(const struct step *s, const void *ctx)
{
	return !s->wanted || s->wanted(ctx);
}

void steps_undo(const struct step *steps, size_t n, void *ctx)
{
	while (n-- > 0)
		if (steps[n].undo && is_wanted(&steps[n], ctx))
			steps[n].undo(ctx);
}

static long microseconds(const struct timespec *from)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - from->tv_sec) * 1000000L + (now.tv_nsec - from->tv_nsec) / 1000;
}

#ifdef BRIG_FAULT
/* All names at once, before a step closes what this is written to or leaves the root it is in. */
static void list(const char *table, const struct step *steps, size_t n, const void *ctx)
{
	const char *path = getenv("BRIG_FAULT_LIST");
	own_fd int fd = path ? open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : -1;

	for (size_t i = 0; fd >= 0 && i < n; i++)
		dprintf(fd, "%s%s/%s\n", is_wanted(&steps[i], ctx) ? "" : "-", table,
			steps[i].name);
}

static bool fault(const char *table, const char *step, const char *kind)
{
	const char *at = getenv("BRIG_FAULT_STEP"), *how = getenv("BRIG_FAULT_KIND");
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", table, step);
	return at && how && strcmp(at, name) == 0 && strcmp(how, kind) == 0;
}

/* The first process of a pid namespace does not get its own signals: it just stops here. */
static void die(void)
{
	kill(getpid(), SIGKILL);
	_exit(128 + SIGKILL);
}

static int run_one(const char *table, const struct step *s, void *ctx, struct err *e)
{
	if (fault(table, s->name, "kill-before"))
		die();
	if (fault(table, s->name, "fail"))
		return err_msg(e, EIO, "%s/%s made to fail", table, s->name);
	if (fault(table, s->name, "skip"))
		return 0;
	int r = s->run(ctx, e);
	if (r >= 0 && fault(table, s->name, "kill-after"))
		die();
	return r;
}
#else
static void list(const char *table, const struct step *steps, size_t n, const void *ctx)
{
	(void)table, (void)steps, (void)n, (void)ctx;
}

static int run_one(const char *table, const struct step *s, void *ctx, struct err *e)
{
	(void)table;
	return s->run(ctx, e);
}
#endif

int steps_run(const char *table, const struct step *steps, size_t n, void *ctx, struct err *e)
{
	list(table, steps, n, ctx);
	for (size_t i = 0; i < n; i++) {
		struct timespec from = {0};

		if (!is_wanted(&steps[i], ctx))
			continue;
		if (log_wants(LOG_LEVEL_DEBUG))
			clock_gettime(CLOCK_MONOTONIC, &from);
		if (run_one(table, &steps[i], ctx, e) >= 0) {
			log_debug("%s: %s: %ld us", table, steps[i].name, microseconds(&from));
			continue;
		}
		log_debug("%s: %s: failed: %s", table, steps[i].name, e->msg);
		if (steps[i].error == STEP_NAMED)
			err_wrap(e, "%s", steps[i].name);
		steps_undo(steps, i, ctx);
		return -e->code;
	}
	return 0;
}
