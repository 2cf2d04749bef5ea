#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "pool/pool.h"

const int *pool_cgroups_open(struct arena *a, const struct cgroup_record *c)
{
	int *fds = arena_array(a, c->n_dirs + 1, sizeof(*fds));

	for (size_t i = 0; i < c->n_dirs; i++) {
		fds[i] = open(c->dirs[i].path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fds[i] < 0)
			fds[i] = -errno;
	}
	return fds;
}

void pool_cgroups_close(const int *fds, const struct cgroup_record *c)
{
	for (size_t i = 0; fds && i < c->n_dirs; i++)
		if (fds[i] >= 0)
			(void)close(fds[i]);
}
