#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/own.h"
#include "cgroup/internal.h"

/*
 * A process that moves itself.  Writing another's pid to cgroup.procs takes the lock over all
 * fork and exit on the machine, whose writers wait for an RCU grace period: more than 1 ms for
 * each hierarchy.  A single thread that writes 0 to "tasks" is moved without it
 * (cgroup_procs_write_start, kernel/cgroup/cgroup.c).  cgroup2 needs neither: CLONE_INTO_CGROUP.
 */

bool cgroup_enters(const struct cgroup *cg)
{
	return cg->manager == CGROUP_CGROUPFS &&
	       (cg->layout == CGROUP_V1 || cg->layout == CGROUP_HYBRID);
}

int cgroup_enter_open(struct cgroup *cg, struct err *e)
{
	if (!cgroup_enters(cg))
		return 0;
	for (size_t i = 0; i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];

		if (!d->path || !d->hierarchy[0])
			continue;
		/* The kernel checks the rights of who opened it, not of who writes. */
		int fd = cg_open_file(d, "tasks", O_WRONLY);
		if (fd < 0)
			return err_set(e, -fd, "open %s/tasks", d->path);
		d->tasks = fd;
	}
	return 0;
}

int cgroup_enter(struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];

		if (d->tasks >= 0 && write(d->tasks, "0", 1) != 1)
			return err_set(e, errno, "enter cgroup %s", d->path);
	}
	return 0;
}
