/* What can be asked about containers without changing anything: state, list, ps. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "grant_held.h"
#include "outcome.h"
#include "reuse.h"
#include "reuse_policy.h"
#include "status.h"
#include "store.h"
#include "taint.h"
#include "warden/warden.h"

/* From the file alone: getpwuid would load name service libraries for one word. */
static const char *user_name(struct arena *a, uint32_t uid)
{
	struct passwd *p;

	if (uid == 0)
		return "root";
	own_file FILE *f = fopen("/etc/passwd", "re");
	while (f && (p = fgetpwent(f)))
		if (p->pw_uid == uid)
			return arena_strdup(a, p->pw_name);
	return arena_printf(a, "#%u", uid);
}

/*
 * A warden writes down how its sandbox ended, and only then stops listening: one that does
 * neither any more has been killed.
 */
static bool lost_warden(struct arena *a, int dir, const struct brig_state *s,
			struct warden_end *end)
{
	struct err ignored;

	if (!s->warden_pid || end->reason)
		return false;
	enum warden_presence p = warden_presence(dir);
	if (p != WARDEN_GONE && p != WARDEN_NONE)
		return false;
	return warden_end_read(a, dir, end, &ignored) == 0 && !end->reason;
}

/* What wait would print, without waiting for anybody. */
static void load_end(struct arena *a, int dir, const struct brig_state *s, const struct cgroup *cg,
		     struct taint *t, struct container_info *out)
{
	struct outcome o;
	struct brig_result r;
	int32_t *code = arena_new(a, sizeof(*code));

	outcome_open(&o, dir, s, cg);
	outcome_tell(a, &o, false, &r);
	outcome_close(&o);
	*code = r.code;
	out->ended = r.status;
	out->code = r.unknown && str_eq(r.status, "unknown") ? NULL : code;
	taint_of_result(a, dir, &r, t);
}

/* Retired is also who may not be used again from some time on. */
static const struct state_reuse *load_reuse(struct arena *a, int dir, const struct brig_state *s,
					    bool parked)
{
	struct state_reuse *u = arena_new(a, sizeof(*u));

	if (!s->reuse)
		return NULL;
	*u = *s->reuse;
	u->retired = reuse_retired(a, u, true);
	parked = parked && faccessat(dir, STORE_GO, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	if (!u->retired && parked && !u->journal)
		u->retired = reuse_idle(a, u);
	return u;
}

static void load_level(struct arena *a, int dir, const struct brig_state *s,
		       struct container_info *out)
{
	struct warden_end end;
	struct err ignored;

	out->level = s->level;
	out->digest = s->digest;
	out->reuse = load_reuse(a, dir, s, str_eq(out->status, "created"));
	if (warden_end_read(a, dir, &end, &ignored) == 0)
		out->ended = lost_warden(a, dir, s, &end) ? "warden-lost" : end.reason;
}

/* ended: also how, which list does not tell. */
static int load_info(struct arena *a, int dir, bool ended, struct container_info *out,
		     struct err *e)
{
	struct brig_state s;
	struct brig_result r;
	struct cgroup *cg = NULL;
	struct taint t;
	struct err ignored;

	if (store_load(dir, a, &s, e) < 0)
		return -e->code;
	/* A cgroup that cannot be looked at does not hide the container. */
	if (cgroup_open(a, &s.cgroup, &cg, &ignored) < 0)
		cg = NULL;
	enum status st = status_of(dir, &s, cg);
	*out = (struct container_info){
		.oci_version = s.oci_version,
		.id = s.id,
		.status = status_name(st),
		.pid = st == STATUS_STOPPED ? 0 : s.pid,
		.bundle = s.bundle,
		.rootfs = s.rootfs,
		.created = s.created,
		.owner = user_name(a, s.owner),
		.warden_pid = st == STATUS_STOPPED ? 0 : s.warden_pid,
		.net = s.net,
		.egress = s.egress,
		.netns_below = s.netns_below,
		.resolver_pid = st == STATUS_STOPPED ? 0 : s.resolver_pid,
		.annotations = s.annotations,
		.n_annotations = s.n_annotations,
	};
	if (!str_eq(s.level, "custom"))
		load_level(a, dir, &s, out);
	taint_of(a, dir, &t);
	if (ended && out->level && st == STATUS_STOPPED)
		load_end(a, dir, &s, cg, &t, out);
	else if (st == STATUS_STOPPED && result_read(a, dir, &r, &ignored) == 0)
		taint_of_result(a, dir, &r, &t);
	out->taint = t.rows;
	out->n_taint = t.n;
	if (ended && st != STATUS_STOPPED)
		grants_show(a, dir, &s, &out->grants, &out->n_grants);
	cgroup_close(cg);
	return 0;
}

int container_state(const struct container_host *h, const char *id, struct arena *a,
		    struct container_info *out, struct err *e)
{
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	int r = load_info(a, dir, true, out, e);
	if (r == -ENOENT)
		return err_msg(e, ENOENT, "container %s has no state: its making was cut short",
			       id);
	return r;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct container_info *)a)->id,
		      ((const struct container_info *)b)->id);
}

static void add_info(struct arena *a, struct container_info **list, size_t *n, size_t *room,
		     const struct container_info *one)
{
	if (*n == *room) {
		size_t more = *room ? *room * 2 : 64;
		struct container_info *bigger = arena_array(a, more, sizeof(*bigger));

		if (*n)
			memcpy(bigger, *list, *n * sizeof(*bigger));
		*list = bigger;
		*room = more;
	}
	(*list)[(*n)++] = *one;
}

int container_list(const struct container_host *h, struct arena *a, struct container_info **out,
		   size_t *n, struct err *e)
{
	struct container_info *list = NULL;
	size_t room = 0;
	struct dirent *de;

	*out = NULL;
	*n = 0;
	own_dir DIR *d = opendir(h->root);
	if (!d && errno == ENOENT && !h->root_given)
		return 0;
	if (!d)
		return err_set(e, errno, "state root %s", h->root);
	while ((de = readdir(d))) {
		struct container_info one;
		struct err why;

		if (store_check_id(de->d_name, &why) < 0)
			continue;
		own_fd int dir = openat(dirfd(d), de->d_name,
					O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
		if (dir < 0)
			continue;
		if (load_info(a, dir, false, &one, &why) < 0) {
			log_warn("container %s: %s", de->d_name, why.msg);
			continue;
		}
		add_info(a, &list, n, &room, &one);
	}
	if (*n)
		qsort(list, *n, sizeof(*list), by_id);
	*out = list;
	return 0;
}

int container_pids(const struct container_host *h, const char *id, struct arena *a, pid_t **out,
		   size_t *n, struct err *e)
{
	struct brig_state s;
	struct cgroup *cg;
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	if (store_load(dir, a, &s, e) < 0 || cgroup_open(a, &s.cgroup, &cg, e) < 0)
		return -e->code;
	int r = cgroup_pids(a, cg, out, n, e);
	cgroup_close(cg);
	return r;
}
