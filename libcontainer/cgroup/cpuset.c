/* cpusets: what the directory above leaves, and partitions of cgroup v2. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"

enum { LIST_MAX = 32 << 10 };

static const struct cg_dir *cpuset_dir(const struct cgroup_plan *p)
{
	for (size_t i = 0; i < p->n_dirs; i++)
		if (p->layout == CGROUP_V2 || p->dirs[i].ctrls & CG_BIT(CG_CPUSET))
			return &p->dirs[i];
	return NULL;
}

/*
 * The nearest directory above that has the file and something in it: parents that do not exist
 * yet, or on v1 were never given anything, get what those above them have.
 */
static const char *above(struct arena *a, const struct cg_dir *d, const char *file)
{
	char path[PATH_MAX], *text = arena_new(a, LIST_MAX);
	size_t len = strlen(d->path), top = strlen(d->mount);

	while (len > top) {
		while (len > top && d->path[--len] != '/')
			;
		if ((size_t)snprintf(path, sizeof(path), "%.*s/%s", (int)len, d->path, file) >=
		    sizeof(path))
			return NULL;
		if (file_peek(AT_FDCWD, path, text, LIST_MAX) > 0)
			return text;
	}
	return NULL;
}

void cgroup_plan_cpuset(struct arena *a, const struct cgroup_plan *p, struct cgroup_cpuset *out)
{
	const struct cg_dir *d = cpuset_dir(p);
	bool v2 = p->layout == CGROUP_V2;

	*out = (struct cgroup_cpuset){0};
	if (!d || !d->path || !d->mount)
		return;
	/* v1 checks a set against what is written above, v2 lets only what is effective there be.
	 */
	out->cpus = above(a, d, v2 ? "cpuset.cpus.effective" : "cpuset.cpus");
	out->mems = above(a, d, v2 ? "cpuset.mems.effective" : "cpuset.mems");
}

static const char partition_file[] = "cpuset.cpus.partition";

/* "root invalid (Parent is not a partition root)": the write succeeds, the answer is here. */
static int check_partition(const struct cg_dir *d, struct err *e)
{
	char text[256];
	ssize_t n = cg_peek(d, partition_file, text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)-n, "%s", partition_file);
	if (str_eq(text, "root"))
		return 0;
	return err_msg(e, EINVAL, "the kernel says: %s", text);
}

int cgroup_partition(struct cgroup *cg, struct err *e)
{
	const struct cg_dir *d = cg_find(cg, CG_CPUSET);
	struct err ignored;

	/*
	 * cpuset.cpu_exclusive of v1 would not keep processes of the root cgroup off, but make
	 * every other cgroup that is to have these CPUs, of whatever engine, fail with EINVAL.
	 */
	if (cg->layout != CGROUP_V2)
		return err_msg(e, EOPNOTSUPP, "cgroup v1 has no partitions");
	if (!d || !d->path)
		return err_msg(e, ENOENT, "there is no cpuset controller here");
	if (cg_poke(d, partition_file, "root", e) < 0)
		return -e->code;
	int r = check_partition(d, e);
	if (r < 0)
		(void)!cg_poke(d, partition_file, "member", &ignored);
	return r;
}

void cgroup_partition_end(struct cgroup *cg)
{
	const struct cg_dir *d = cg_find(cg, CG_CPUSET);
	struct err ignored;

	/* Gone, never one, or another kernel: there is nothing to end then. */
	if (cg->layout == CGROUP_V2 && d && d->path)
		(void)!cg_poke(d, partition_file, "member", &ignored);
}
