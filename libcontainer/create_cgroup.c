/* create and run: the sandbox's cgroup, until its process is there. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "create.h"
#include "store.h"

/* Not where it was made anew since: its delete leaves that alone (cgroup_open). */
static bool is_same(const struct cgroup_dir *found, const struct cgroup_dir *its)
{
	struct stat st;

	return str_eq(found->path, its->path) &&
	       (!its->inode || stat(its->path, &st) < 0 || st.st_ino == its->inode);
}

static bool is_shared(const struct cgroup_record *found, const struct cgroup_record *its)
{
	for (size_t i = 0; its->owned && i < found->n_dirs; i++)
		for (size_t j = 0; found->dirs[i].kept && j < its->n_dirs; j++)
			if (is_same(&found->dirs[i], &its->dirs[j]))
				return true;
	return false;
}

static bool is_anothers(const struct create *c, int root, const char *id)
{
	own_arena struct arena a = {0};
	struct brig_state s;
	struct err ignored;
	own_fd int dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	return dir >= 0 && store_load(dir, &a, &s, &ignored) == 0 &&
	       is_shared(&c->state.cgroup, &s.cgroup);
}

int create_check_others(const struct create *c, struct err *e)
{
	bool kept = false;
	struct dirent *de;

	for (size_t i = 0; i < c->state.cgroup.n_dirs; i++)
		kept |= c->state.cgroup.dirs[i].kept;
	own_dir DIR *d = kept ? opendir(c->host->root) : NULL;
	while (d && (de = readdir(d))) {
		struct err ignored;

		if (store_check_id(de->d_name, &ignored) < 0 || str_eq(de->d_name, c->id) ||
		    !is_anothers(c, dirfd(d), de->d_name))
			continue;
		return err_msg(e, EBUSY,
			       "container's cgroup is that of container %s, whose delete would end "
			       "what is in it",
			       de->d_name);
	}
	return 0;
}

void create_drop_cgroup(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (cgroup_destroy(c->cgroup, &e) < 0) {
		log_warn("%s", e.msg);
		c->leaves_something = true;
	}
	cgroup_close(c->cgroup);
	c->cgroup = NULL;
}

int create_cgroup(void *ctx, struct err *e)
{
	struct create *c = ctx;

	int r = cgroup_create(c->arena, c->plan.cgroup, &c->cgroup, e);

	if (r < 0)
		return c->plan.level ? plan_level_cgroup_error(&c->plan, e) : r;
	r = c->plan.cgroup_attach ? 0 : store_claim(c->dir, e);
	if (r == 0)
		r = cgroup_enter_open(c->cgroup, e);
	if (r < 0) {
		create_drop_cgroup(c);
		return r;
	}
	/* What could not be made (rootless) must not be taken for ours when others make it. */
	if (!c->plan.cgroup_attach) {
		c->state.cgroup = cgroup_get_record(c->arena, c->cgroup);
		c->state.baseline = watch_baseline(c->arena, c->cgroup, &c->state.cgroup);
	}
	if (c->plan.rootless && !c->plan.cgroup_attach && !c->state.cgroup.owned &&
	    !c->state.private_pid_ns)
		log_warn("Creating a rootless container with no cgroup and no private pid "
			 "namespace. Such configuration is strongly discouraged: its processes "
			 "cannot all be found to kill them");
	return 0;
}

/* What others have counted and charged there is not ours to reset. */
int create_check_fresh(void *ctx, struct err *e)
{
	const struct create *c = ctx;
	bool fresh = c->state.cgroup.owned && !c->state.baseline;

	for (size_t i = 0; i < c->state.cgroup.n_dirs; i++)
		fresh = fresh && !c->state.cgroup.dirs[i].kept;
	return fresh ? 0
		     : err_msg(e, EOPNOTSUPP,
			       "it cannot be reused: its cgroup was there before, or is not "
			       "brig's");
}
