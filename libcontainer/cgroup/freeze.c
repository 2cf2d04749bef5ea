#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"
#include "cgroup/tree.h"

enum { FREEZE_MS = 10000, THAW_EVERY = 50, MAX_NAP_US = 10000 };

static void nap(unsigned int us)
{
	struct timespec ts = {.tv_nsec = (long)us * 1000};

	(void)nanosleep(&ts, NULL); /* cut short by a signal: the callers look again */
}

/*
 * v1: FREEZING means that some task could not be stopped yet; writing FROZEN again makes the
 * kernel try those (freezer-subsystem.rst).  A task that waits for a frozen one (vfork) never
 * stops: thawing now and then lets it go on.
 */
static int freeze_v1(const struct cg_dir *d, struct err *e)
{
	int64_t until = clock_monotonic_ms() + FREEZE_MS;
	unsigned int us = 50;
	char state[32];

	for (unsigned int try = 1;; try++) {
		int r = cg_poke(d, "freezer.state", "FROZEN", e);

		if (r < 0)
			return r;
		if (cg_peek(d, "freezer.state", state, sizeof(state)) < 0)
			return err_set(e, ENODEV, "read %s/freezer.state", d->path);
		if (strcmp(state, "FROZEN") == 0)
			return 0;
		if (clock_monotonic_ms() > until)
			break;
		if (try % THAW_EVERY == 0) {
			r = cg_poke(d, "freezer.state", "THAWED", e);
			if (r < 0)
				return r;
		}
		nap(us);
		us = us * 2 > MAX_NAP_US ? MAX_NAP_US : us * 2;
	}
	return err_msg(e, ETIMEDOUT, "unable to freeze %s", d->path);
}

/* Waits until cgroup.events says frozen WANT; the kernel wakes poll at each change. */
static int await_frozen(const struct cg_dir *d, uint64_t want, struct err *e)
{
	own_fd int fd = cg_open_file(d, "cgroup.events", O_RDONLY);
	int64_t until = clock_monotonic_ms() + FREEZE_MS;

	if (fd < 0)
		return err_set(e, -fd, "open %s/cgroup.events", d->path);
	for (;;) {
		char text[256];
		uint64_t frozen;
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		if (n < 0)
			return err_set(e, errno, "read %s/cgroup.events", d->path);
		text[n] = '\0';
		/* Before 5.2 there is no such line, and no cgroup.freeze either. */
		if (!cg_flat_get(text, "frozen", &frozen) || frozen == want)
			return 0;
		int64_t left = until - clock_monotonic_ms();
		struct pollfd p = {.fd = fd, .events = POLLPRI};
		if (left <= 0)
			return err_msg(e, ETIMEDOUT, "unable to %s %s", want ? "freeze" : "thaw",
				       d->path);
		(void)poll(&p, 1, (int)left); /* time and state are looked at again */
	}
}

/* Where the freezer of this layout is: a v1 freezer wins, cgroup2 beside it freezes as well. */
static struct cg_dir *freezer(const struct cgroup *cg, bool *v1)
{
	struct cg_dir *d = cg->layout == CGROUP_V2 ? NULL : cg_find(cg, CG_FREEZER);

	*v1 = d != NULL;
	return d ? d : cg_unified(cg);
}

int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *e)
{
	struct err lost;
	bool v1;
	struct cg_dir *d = freezer(cg, &v1);
	int r;

	if (!d)
		return err_msg(e, ENOTSUP, "container has no cgroup with a freezer");
	if (v1) {
		if (!freeze)
			return cg_poke(d, "freezer.state", "THAWED", e);
		r = freeze_v1(d, e);
		if (r < 0)
			(void)!cg_poke(d, "freezer.state", "THAWED", &lost);
		return r;
	}
	r = cg_poke(d, "cgroup.freeze", freeze ? "1" : "0", e);
	if (r < 0)
		return r;
	/* A frozen ancestor keeps "frozen 1" after a thaw: not ours to wait for. */
	if (!freeze)
		return 0;
	r = await_frozen(d, 1, e);
	if (r < 0)
		(void)!cg_poke(d, "cgroup.freeze", "0", &lost);
	return r;
}

int cgroup_freezer_open(const struct cgroup *cg, bool *v1, struct err *e)
{
	const struct cg_dir *d = freezer(cg, v1);

	if (!d)
		return err_msg(e, ENOTSUP, "container has no cgroup with a freezer");
	int fd = cg_open_file(d, *v1 ? "freezer.state" : "cgroup.freeze", O_RDWR);
	return fd < 0 ? err_set(e, -fd, "open the freezer of %s", d->path) : fd;
}

int cgroup_is_frozen(const struct cgroup *cg)
{
	char text[32];
	bool v1;
	const struct cg_dir *d = freezer(cg, &v1);

	if (!d)
		return 0;
	/* What was asked of this cgroup itself, as an engine's pause counts, not an ancestor's. */
	ssize_t n = cg_peek(d, v1 ? "freezer.self_freezing" : "cgroup.freeze", text, sizeof(text));
	if (n == -ENOENT || n == -ENODEV)
		return 0;
	return n < 0 ? (int)n : strcmp(text, "1") == 0;
}

bool cg_effectively_frozen(const struct cgroup *cg)
{
	char text[256];
	uint64_t frozen;
	bool v1;
	const struct cg_dir *d = freezer(cg, &v1);

	if (!d)
		return false;
	if (v1)
		return cg_peek(d, "freezer.state", text, sizeof(text)) > 0 &&
		       strcmp(text, "THAWED") != 0;
	/* The file tells at once; cgroup.events of an empty cgroup follows its ancestors. */
	if (cg_peek(d, "cgroup.freeze", text, sizeof(text)) > 0 && strcmp(text, "1") == 0)
		return true;
	return cg_peek(d, "cgroup.events", text, sizeof(text)) > 0 &&
	       cg_flat_get(text, "frozen", &frozen) && frozen;
}

static int thaw_one(int fd, void *ctx)
{
	struct err lost;

	(void)ctx;
	/* One of the two is there; both failing means there is nothing to thaw. */
	if (file_poke(fd, "freezer.state", "THAWED", &lost) < 0)
		(void)!file_poke(fd, "cgroup.freeze", "0", &lost);
	return 0;
}

void cg_thaw_tree(int fd)
{
	(void)!cg_tree_walk(fd, CG_PARENT_FIRST, thaw_one, NULL);
}
