#include "base/step.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

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
static bool fault(const char *table, const char *step, const char *kind)
{
	const char *at = getenv("BRIG_FAULT_STEP"), *how = getenv("BRIG_FAULT_KIND");
	char name[128];

	snprintf(name, sizeof(name), "%s/%s", table, step);
	return at && how && strcmp(at, name) == 0 && strcmp(how, kind) == 0;
}
static int run_one(const char *table, const struct step *s, void *ctx, struct err *e)
{
	if (fault(table, s->name, "kill-before"))
		kill(getpid(), SIGKILL);
	if (fault(table, s->name, "fail"))
		return err_msg(e, EIO, "made to fail");
	int r = s->run(ctx, e);
	if (r >= 0 && fault(table, s->name, "kill-after"))
		kill(getpid(), SIGKILL);
	return r;
}
#else
static int run_one(const char *table, const struct step *s, void *ctx, struct err *e)
{
	(void)table;
	return s->run(ctx, e);
}
#endif

int steps_run(const char *table, const struct step *steps, size_t n, void *ctx, struct err *e)
{
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
