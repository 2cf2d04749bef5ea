#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/text.h"
#include "cgroup/tree.h"

enum { PROCS_MAX = 64 << 20, KILL_ROUNDS = 100 };

struct pid_list {
	struct arena *a;
	pid_t *v;
	size_t n, cap;
};

static void add_pid(struct pid_list *l, pid_t pid)
{
	if (l->n == l->cap) {
		size_t cap = l->cap ? l->cap * 2 : 32;
		pid_t *more = arena_array(l->a, cap, sizeof(*more));

		if (l->n)
			memcpy(more, l->v, l->n * sizeof(*more));
		l->v = more;
		l->cap = cap;
	}
	l->v[l->n++] = pid;
}

static int read_procs(int fd, void *ctx)
{
	struct pid_list *l = ctx;
	struct err lost;
	char *text;
	int pid;

	int r = file_read(l->a, fd, "cgroup.procs", PROCS_MAX, &text, NULL, &lost);
	/* A threaded cgroup (EOPNOTSUPP): its processes are listed by the domain above. */
	if (r == -EOPNOTSUPP || r == -ENODEV || r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	while (cg_pid_next(&text, &pid))
		add_pid(l, pid);
	return 0;
}

int cg_tree_pids(struct arena *a, int fd, pid_t **out, size_t *n)
{
	struct pid_list l = {.a = a};
	int r = cg_tree_walk(fd, CG_PARENT_FIRST, read_procs, &l);

	*out = l.v;
	*n = l.n;
	return r;
}

int cgroup_pids(struct arena *a, const struct cgroup *cg, pid_t **out, size_t *n, struct err *e)
{
	const struct cg_dir *d = cg_primary(cg);

	*out = NULL;
	*n = 0;
	if (!d)
		return 0;
	own_fd int fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && (errno == ENOENT || errno == ENODEV))
		return 0;
	if (fd < 0)
		return err_set(e, errno, "open %s", d->path);
	int r = cg_tree_pids(a, fd, out, n);
	return r < 0 ? err_set(e, -r, "list processes of %s", d->path) : 0;
}

static int signal_pids(const pid_t *pids, size_t n, int sig, struct err *e)
{
	pid_t self = getpid();

	for (size_t i = 0; i < n; i++) {
		if (pids[i] <= 0 || pids[i] == self)
			continue;
		if (kill(pids[i], sig) < 0 && errno != ESRCH)
			return err_set(e, errno, "send signal %d to process %d", sig, pids[i]);
	}
	return 0;
}

/* True when the calling process is in the cgroup2 directory or below: cgroup.kill would hit it. */
static bool self_inside(const struct cg_dir *d)
{
	own_arena struct arena scratch = {0};
	struct cg_self line;
	struct err lost;
	char *text;

	if (file_read(&scratch, AT_FDCWD, "/proc/self/cgroup", 1 << 20, &text, NULL, &lost) < 0)
		return true;
	while (cg_self_next(&text, &line)) {
		size_t n = strlen(line.path), all = strlen(d->path);

		if (line.hierarchy[0])
			continue;
		/* The mount point is not known from a record: look for any ending that fits. */
		for (size_t len = 1; len <= n; len++) {
			if (line.path[len] != '/' && line.path[len])
				continue;
			if (len < all && strncmp(d->path + all - len, line.path, len) == 0)
				return true;
		}
	}
	return false;
}

static bool listed(const pid_t *v, size_t n, pid_t pid)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == pid)
			return true;
	return false;
}

/* Without cgroup.kill: held still, a fork bomb cannot outrun the list. */
static int kill_by_list(struct cgroup *cg, struct err *e)
{
	pid_t *before = NULL;
	size_t n_before = 0;
	own_arena struct arena scratch = {0};

	for (int round = 0; round < KILL_ROUNDS; round++) {
		struct err lost;
		bool fresh = false;
		pid_t *pids;
		size_t n;

		int r = cgroup_pids(&scratch, cg, &pids, &n, e);
		if (r < 0 || !n)
			return r;
		for (size_t i = 0; i < n; i++)
			fresh |= pids[i] != getpid() && !listed(before, n_before, pids[i]);
		if (!fresh)
			return 0; /* all have their signal and are about to die */
		if (cgroup_freeze(cg, true, &lost) == 0)
			r = cgroup_pids(&scratch, cg, &pids, &n, e);
		if (r >= 0)
			r = signal_pids(pids, n, SIGKILL, e);
		/* A frozen task dies only when thawed, on v1. */
		(void)!cgroup_freeze(cg, false, &lost);
		if (r < 0)
			return r;
		before = pids;
		n_before = n;
	}
	return err_msg(e, EAGAIN, "processes of the cgroup appear faster than they can be killed");
}

static bool kill_at_once(const struct cgroup *cg)
{
	const struct cg_dir *d = cg_unified(cg);
	struct err lost;

	if (!d || self_inside(d))
		return false;
	return cg_poke(d, "cgroup.kill", "1", &lost) == 0;
}

int cgroup_signal(const struct cgroup *cg, int sig, struct err *e)
{
	own_arena struct arena scratch = {0};
	struct cgroup copy = *cg;
	pid_t *pids;
	size_t n;

	if (cg->unclaimed)
		return 0;
	if (sig == SIGKILL && kill_at_once(cg) && cg->layout == CGROUP_V2)
		return 0;
	int r = cgroup_pids(&scratch, cg, &pids, &n, e);
	if (r < 0 || !n)
		return r;
	/* Hybrid: what cgroup.kill has hit may still be listed; a second signal does no harm. */
	return sig == SIGKILL ? kill_by_list(&copy, e) : signal_pids(pids, n, sig, e);
}

size_t cgroup_endings(const struct cgroup *cg, bool asks, struct cgroup_ending out[CGROUP_ENDINGS])
{
	const struct {
		const struct cg_dir *dir;
		const char *file, *text;
		bool thaws;
	} all[CGROUP_ENDINGS] = {
		{cg_unified(cg), "cgroup.kill",  "1",                          false   },
		{cg_find(cg,     CG_FREEZER),    "freezer.state",              "THAWED", true},
		{asks ? cg_unified(cg) : NULL,              "cgroup.freeze", "0", true     },
	};
	size_t n = 0;

	for (size_t i = 0; i < CGROUP_ENDINGS; i++) {
		int fd = all[i].dir ? cg_open_file(all[i].dir, all[i].file, O_WRONLY) : -1;

		if (fd >= 0)
			out[n++] = (struct cgroup_ending){fd, all[i].text, all[i].thaws};
	}
	return n;
}
