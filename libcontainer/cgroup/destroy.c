#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "cgroup/internal.h"
#include "cgroup/tree.h"

enum { DESTROY_MS = 10000, UNCLAIMED_MS = 1000, MAX_NAP_MS = 100 };

/* 1 gone (or, where it was there before brig, empty), 0 still there (busy), -errno. */
static int try_rmdir(const struct cg_dir *d)
{
	if (d->kept) {
		int r = cg_populated(d);

		return r == -ENOENT ? 1 : r < 0 ? r : !r;
	}
	if (rmdir(d->path) == 0 || errno == ENOENT || errno == ENODEV)
		return 1;
	return errno == EBUSY || errno == ENOTEMPTY ? 0 : -errno;
}

static bool all_gone(const struct cgroup *cg, const struct cg_dir **left, int *error)
{
	bool gone = true;

	*error = 0;
	for (size_t i = 0; i < cg->n_dirs; i++) {
		const struct cg_dir *d = &cg->dirs[i];
		int r = d->path ? try_rmdir(d) : 1;

		if (r == 1)
			continue;
		gone = false;
		*left = d;
		if (r < 0)
			*error = r;
	}
	return gone;
}

static void clear_one(const struct cg_dir *d)
{
	own_fd int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (!d->hierarchy[0] || d->ctrls & CG_BIT(CG_FREEZER))
		cg_thaw_tree(fd);
	cg_tree_prune(fd);
}

/* Kills and removes until nothing is left; dying tasks keep a cgroup busy for a while. */
static int insist(struct cgroup *cg, const struct cg_dir *left, struct err *e)
{
	int64_t until = clock_monotonic_ms() + DESTROY_MS;
	int error;

	for (long ms = 1;; ms = ms * 2 > MAX_NAP_MS ? MAX_NAP_MS : ms * 2) {
		int r = cgroup_signal(cg, SIGKILL, e);

		if (r < 0)
			log_debug("kill what is left in %s: %s", left->path, e->msg);
		for (size_t i = 0; i < cg->n_dirs; i++)
			if (cg->dirs[i].path)
				clear_one(&cg->dirs[i]);
		if (all_gone(cg, &left, &error))
			return 0;
		if (error < 0)
			return err_set(e, -error, "remove %s", left->path);
		if (clock_monotonic_ms() > until)
			return err_set(e, EBUSY, "remove %s", left->path);
		struct timespec ts = {.tv_nsec = ms * 1000000};
		(void)nanosleep(&ts, NULL); /* cut short: the loop looks again */
	}
}

static int remove_dirs(struct cgroup *cg, struct err *e)
{
	const struct cg_dir *left = NULL;
	int error;

	if (all_gone(cg, &left, &error))
		return 0;
	if (error < 0)
		return err_set(e, -error, "remove %s", left->path);
	return insist(cg, left, e);
}

/*
 * systemd learns from cgroup.events that a unit is empty, and misses it when the directory is
 * removed at once (the kernel notifies later, from a work queue): a unit that is being stopped
 * would then wait for its timeout.  So the processes end first, and systemd removes the rest.
 */
static int stop_unit(struct cgroup *cg, struct err *e)
{
	const struct cg_dir *d = cg_primary(cg);
	int64_t until = clock_monotonic_ms() + DESTROY_MS;
	struct timespec ts = {.tv_nsec = 1000000};
	struct err lost;

	while (d && cg_populated(d) > 0 && clock_monotonic_ms() < until) {
		if (cgroup_signal(cg, SIGKILL, &lost) < 0)
			log_debug("kill what is left in %s: %s", d->path, lost.msg);
		clear_one(d);
		(void)nanosleep(&ts, NULL); /* cut short: the loop looks again */
	}
	return cg_systemd_stop(cg, e);
}

/* A maker that was killed has its child's end in here for a moment, nothing else of it. */
static int remove_empty(const struct cgroup *cg)
{
	int64_t until = clock_monotonic_ms() + UNCLAIMED_MS;
	const struct timespec ts = {.tv_nsec = 10000000};
	const struct cg_dir *left = NULL;
	int error;

	while (!all_gone(cg, &left, &error)) {
		if (error < 0 || clock_monotonic_ms() > until) {
			log_warn("%s stays: what is in it is not known to be the container's",
				 left->path);
			break;
		}
		(void)nanosleep(&ts, NULL); /* cut short: the loop looks again */
	}
	return 0;
}

int cgroup_destroy(struct cgroup *cg, struct err *e)
{
	struct err late;

	if (!cg->owned)
		return 0;
	/* A unit's scope goes with its last process. */
	if (cg->unclaimed)
		return remove_empty(cg);
	int r = cg->unit ? stop_unit(cg, e) : 0;
	int x = remove_dirs(cg, r < 0 ? &late : e);
	return r < 0 ? r : x;
}
