#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "cgroup/settings.h"

/* Making the directories of a plan, and handles on them. */

static const struct word layout_words[] = {
	{"none",   CGROUP_NONE  },
        {"v1",     CGROUP_V1    },
        {"hybrid", CGROUP_HYBRID},
	{"v2",     CGROUP_V2    },
        {NULL,     0            },
};
static const struct word manager_words[] = {
	{"cgroupfs", CGROUP_CGROUPFS},
	{"systemd",  CGROUP_SYSTEMD },
	{"disabled", CGROUP_DISABLED},
	{NULL,       0              },
};

/* What the kernel says to who may not make cgroups, or sees them read-only. */
static bool is_permission(int code)
{
	return code == EACCES || code == EPERM || code == EROFS;
}

static struct cgroup *new_handle(struct arena *a, const struct cgroup_plan *p)
{
	struct cgroup *cg = arena_new(a, sizeof(*cg));

	*cg = (struct cgroup){.a = a,
			      .layout = p->layout,
			      .manager = p->manager,
			      .unit = p->unit,
			      .owned = true,
			      .rootless = p->rootless,
			      .n_dirs = p->n_dirs,
			      .plan = p};
	cg->dirs = arena_array(a, p->n_dirs + 1, sizeof(*cg->dirs));
	if (p->n_dirs)
		memcpy(cg->dirs, p->dirs, p->n_dirs * sizeof(*cg->dirs));
	return cg;
}

void cg_unmake_all(struct cgroup *cg)
{
	for (size_t i = 0; i < cg->n_dirs; i++)
		if (cg->dirs[i].path)
			cg_unmake(&cg->dirs[i]);
}

/*
 * Moving a process needs write access to cgroup.procs of the nearest common ancestor too
 * (cgroups(7), delegation): better known now than when clone3 fails.
 */
static bool may_enter(const struct cg_dir *d, const char *own_path)
{
	size_t root = strlen(d->mount), same = 0;
	const char *rel = d->path + root;
	char path[PATH_MAX];

	for (size_t i = 0;; i++) {
		bool end_a = rel[i] == '\0' || rel[i] == '/';
		bool end_b = own_path[i] == '\0' || own_path[i] == '/';

		if (end_a && end_b)
			same = i;
		if (rel[i] != own_path[i] || !rel[i])
			break;
	}
	snprintf(path, sizeof(path), "%.*s/cgroup.procs", (int)(root + same), d->path);
	return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

/* Rootless: a directory of that name may be there already and be somebody else's. */
static int check_mine(const struct cgroup *cg, const struct cg_dir *d, struct err *e)
{
	char path[PATH_MAX];

	if (!cg->rootless || d->is_new)
		return 0;
	snprintf(path, sizeof(path), "%s/cgroup.procs", d->path);
	if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0)
		return err_set(e, errno, "open %s", path);
	return 0;
}

static int make_v2(struct cgroup *cg, struct err *e)
{
	/* For statistics, where the kernel lets us: memory, pids, cpu and io of each container. */
	static const uint32_t wanted =
		CG_BIT(CG_CPU) | CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS) | CG_BIT(CG_IO);
	const struct cgroup_plan *p = cg->plan;
	struct cg_dir *d = &cg->dirs[0];

	int r = cg_make(d, e);
	if (r >= 0)
		r = check_mine(cg, d, e);
	if (r < 0)
		return r;
	r = cg_dirfd(d);
	if (r < 0)
		return err_set(e, -r, "open %s", d->path);
	if (p->rootless && !may_enter(d, p->host->mounts[0].own_path))
		return err_set(e, EACCES, "move a process to %s", d->path);
	return cg_enable_controllers(d, p->needed, wanted, e);
}

static int make_v1(struct cgroup *cg, struct err *e)
{
	for (size_t i = 0; i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];
		int r = cg_make(d, e);

		if (r >= 0)
			r = check_mine(cg, d, e);
		if (r >= 0 && d->ctrls & CG_BIT(CG_CPUSET))
			r = cg_cpuset_inherit(d, e);
		if (r >= 0)
			continue;
		if (!cg->rootless || cg->plan->path_given || !is_permission(e->code))
			return r;
		log_debug("no cgroup in %s: %s", d->mount, e->msg);
		cg_unmake(d);
		d->path = NULL;
	}
	return 0;
}

static int make_dirs(struct cgroup *cg, struct err *e)
{
	const struct cgroup_plan *p = cg->plan;
	int r = cg->layout == CGROUP_V2 ? make_v2(cg, e) : make_v1(cg, e);

	if (r >= 0)
		return 0;
	if (cg->layout == CGROUP_V2 && cg->rootless && is_permission(e->code)) {
		if (!p->path_given && !p->limits && !p->required) {
			log_debug("no cgroup: %s", e->msg);
			cg_unmake_all(cg);
			cgroup_close(cg);
			cg->dirs[0].path = NULL;
			return 0;
		}
		if (!p->required)
			err_wrap(e, "rootless needs no limits + no cgrouppath when no permission "
				    "is granted for cgroups");
	}
	return err_wrap(e, "unable to apply cgroup configuration");
}

static int check_dirs(struct cgroup *cg, struct err *e)
{
	bool fresh = true;

	for (size_t i = 0; i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];

		if (!d->path)
			continue;
		int r = cg_check_usable(cg, d, e);
		if (r < 0)
			return r;
		/* A new directory right below the mount point cannot be frozen. */
		fresh &= d->is_new && !strchr(d->path + strlen(d->mount) + 1, '/');
	}
	if (!fresh && cg_effectively_frozen(cg))
		return err_msg(e, EBUSY, "container's cgroup unexpectedly frozen");
	return 0;
}

/* Rootless on v1 a hierarchy where nothing may be made is passed over, but not at a level. */
static int check_required(const struct cgroup *cg, struct err *e)
{
	uint32_t missing = cg->plan->required && cg->layout != CGROUP_V2 ? cg->plan->needed : 0;
	struct cg_names names;

	for (size_t i = 0; i < cg->n_dirs; i++)
		if (cg->dirs[i].path)
			missing &= ~cg->dirs[i].ctrls;
	return missing ? err_msg(e, EACCES, "no right to make one of %s",
				 cg_ctrl_names(&names, missing, false))
		       : 0;
}

static int set_up(struct cgroup *cg, struct err *e)
{
	const struct cgroup_plan *p = cg->plan;
	struct cg_dir *u = cg_unified(cg);

	int r = make_dirs(cg, e);
	if (r >= 0)
		r = check_required(cg, e);
	if (r >= 0)
		r = check_dirs(cg, e);
	if (r >= 0)
		r = settings_apply(cg, p->settings, NULL, e);
	if (r >= 0 && p->n_dev_rules && u && u->path && cg->layout == CGROUP_V2)
		r = cg_devices_attach(cg_dirfd(u), p->dev_rules, p->n_dev_rules, !u->is_new, e);
	if (r < 0 || !p->delegate || cg->layout != CGROUP_V2 || !u || !u->path)
		return r;
	r = cg_delegate(u, p->delegate_uid, e);
	if (r != -EPERM || !cg->rootless)
		return r;
	/* A plain user cannot give files away to a subordinate id. */
	log_debug("cgroup not delegated: %s", e->msg);
	return 0;
}

/* Nothing that brig has a directory in: the container runs where brig does. */
static void drop_missing(struct cgroup *cg)
{
	size_t n = 0;

	for (size_t i = 0; i < cg->n_dirs; i++)
		if (cg->dirs[i].path)
			cg->dirs[n++] = cg->dirs[i];
	cg->n_dirs = n;
	if (!n) {
		cg->layout = CGROUP_NONE;
		cg->owned = false;
	}
}

int cg_make_all(struct cgroup *cg, struct err *e)
{
	int r = set_up(cg, e);

	if (r < 0) {
		cg_unmake_all(cg);
		return r;
	}
	drop_missing(cg);
	for (size_t i = 0; i < cg->n_dirs; i++)
		cg->dirs[i].kept = !cg->dirs[i].is_new;
	return 0;
}

int cgroup_check_vacant(struct arena *a, const struct cgroup_plan *p, struct err *e)
{
	struct cgroup *cg = new_handle(a, p);
	const struct cg_dir *d = p->manager == CGROUP_CGROUPFS ? cg_primary(cg) : NULL;
	int r = d && access(d->path, F_OK) == 0 ? cg_populated(d) : 0;

	if (r < 0 && r != -ENOENT)
		return err_set(e, -r, "look for processes in %s", d->path);
	return r > 0 ? err_msg(e, EBUSY, "container's cgroup is not empty: %s", d->path) : 0;
}

int cgroup_create(struct arena *a, const struct cgroup_plan *p, struct cgroup **out, struct err *e)
{
	struct cgroup *cg = new_handle(a, p);

	if (p->manager == CGROUP_DISABLED || p->layout == CGROUP_NONE) {
		cg->n_dirs = 0;
		cg->layout = CGROUP_NONE;
		cg->owned = false;
	} else if (p->manager == CGROUP_CGROUPFS) {
		int r = cg_make_all(cg, e);

		if (r < 0) {
			cgroup_close(cg);
			return r;
		}
	} else {
		cg->n_dirs = 0; /* where the unit's are is known when it runs */
	}
	*out = cg;
	return 0;
}

void cgroup_close(struct cgroup *cg)
{
	for (size_t i = 0; cg && i < cg->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[i];

		own_close(&d->fd);
		own_close(&d->tasks);
	}
}

/* Gone, or another of that path, which somebody has made since. */
static bool is_lost(const struct cgroup_dir *d)
{
	struct stat st;

	if (stat(d->path, &st) < 0)
		return errno == ENOENT || errno == ENODEV;
	return d->inode && st.st_ino != d->inode;
}

int cgroup_open(struct arena *a, const struct cgroup_record *r, struct cgroup **out, struct err *e)
{
	const struct word *layout = word_find(layout_words, r->layout ? r->layout : "none");
	const struct word *manager = word_find(manager_words, r->manager ? r->manager : "cgroupfs");

	if (!layout || !manager)
		return err_msg(e, EINVAL, "unknown cgroup layout or manager in the state file");
	struct cgroup *cg = arena_new(a, sizeof(*cg));
	*cg = (struct cgroup){.a = a,
			      .layout = (enum cgroup_layout)layout->value,
			      .manager = (enum cgroup_manager)manager->value,
			      .unit = arena_strdup(a, r->unit),
			      .owned = r->owned,
			      .unclaimed = r->unclaimed};
	cg->dirs = arena_array(a, r->n_dirs + 1, sizeof(*cg->dirs));
	for (size_t i = 0; i < r->n_dirs; i++) {
		struct cg_dir *d = &cg->dirs[cg->n_dirs];
		const char *hierarchy = r->dirs[i].hierarchy ? r->dirs[i].hierarchy : "";

		if (!r->dirs[i].path || r->dirs[i].path[0] != '/')
			return err_msg(e, EINVAL, "bad cgroup path in the state file");
		/* Below user@UID.service is what the user's own systemd manages. */
		cg->rootless |= strstr(r->dirs[i].path, "/user@") != NULL;
		if (is_lost(&r->dirs[i]))
			continue;
		*d = (struct cg_dir){.hierarchy = arena_strdup(a, hierarchy),
				     .path = arena_strdup(a, r->dirs[i].path),
				     .kept = r->dirs[i].kept,
				     .ctrls = cg_ctrls(hierarchy, ","),
				     .fd = -1,
				     .tasks = -1};
		cg->n_dirs++;
	}
	*out = cg;
	return 0;
}

static struct cgroup_record make_record(struct arena *a, enum cgroup_layout layout,
					enum cgroup_manager manager, const char *unit,
					const struct cg_dir *dirs, size_t n)
{
	struct cgroup_dir *list = arena_array(a, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		struct stat st;

		list[i] = (struct cgroup_dir){
			.hierarchy = dirs[i].hierarchy,
			.path = dirs[i].path,
			.kept = dirs[i].kept,
			.inode = stat(dirs[i].path, &st) == 0 ? st.st_ino : 0,
		};
	}
	return (struct cgroup_record){.layout = word_name(layout_words, layout),
				      .manager = word_name(manager_words, manager),
				      .unit = unit,
				      .owned = layout != CGROUP_NONE,
				      .dirs = list,
				      .n_dirs = n};
}

struct cgroup_record cgroup_get_record(struct arena *a, const struct cgroup *cg)
{
	struct cgroup_record r =
		make_record(a, cg->layout, cg->manager, cg->unit, cg->dirs, cg->n_dirs);

	r.owned = cg->owned;
	return r;
}

struct cgroup_record cgroup_plan_record(const struct cgroup_plan *p)
{
	bool none = p->manager == CGROUP_DISABLED || p->layout == CGROUP_NONE;
	struct cgroup_record r = {
		.layout = word_name(layout_words, none ? CGROUP_NONE : p->layout),
		.manager = word_name(manager_words, p->manager),
		.unit = p->unit,
		.owned = !none,
		.dirs = p->record_dirs,
		.n_dirs = none || p->manager == CGROUP_SYSTEMD ? 0 : p->n_dirs,
	};

	return r;
}

struct cgroup_record cgroup_found_record(struct arena *a, const struct cgroup_record *r)
{
	struct cgroup_dir *dirs = arena_array(a, r->n_dirs + 1, sizeof(*dirs));
	struct cgroup_record found = *r;

	for (size_t i = 0; i < r->n_dirs; i++) {
		dirs[i] = r->dirs[i];
		dirs[i].kept = access(dirs[i].path, F_OK) == 0;
	}
	found.dirs = dirs;
	return found;
}
