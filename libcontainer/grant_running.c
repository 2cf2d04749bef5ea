/* grant and revoke of places and limits on a running sandbox. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/cgroup.h"
#include "fs/tree.h"
#include "grant_expiry.h"
#include "grant_held.h"
#include "grant_internal.h"
#include "plan.h"
#include "policy/policy.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"

enum { NO_SIZE = 64 << 20, NO_INODES = 32768 };
#define NS_PER_MS UINT64_C(1000000)

struct giving {
	struct change *c;
	const struct brig_grant *grant;
	struct grants held;
	struct grant_held *row;
	bool again; /* the same is in force: its time begins anew */
};

/* --- what can be granted to whom ---------------------------------------------------------- */

static int check_sandbox(const struct giving *g, struct err *e)
{
	const struct brig_state *s = &g->c->state;
	bool place = g->grant->kind == GRANT_READ || g->grant->kind == GRANT_WRITE;

	if (g->grant->kind == GRANT_EXEC_DENY || g->grant->kind == GRANT_EXEC_ALLOW)
		return err_msg(e, EOPNOTSUPP,
			       "%s: what may be executed is decided at the start: a Landlock "
			       "ruleset is not changed while it runs",
			       g->grant->text);
	if (str_eq(s->level, "custom"))
		return err_msg(e, EOPNOTSUPP,
			       "container %s runs at level custom: only network can be granted to "
			       "it",
			       g->c->id);
	if (place && !s->late_userns)
		return err_msg(e, EOPNOTSUPP,
			       "container %s is a plain user's: only root can mount something into "
			       "a running sandbox",
			       g->c->id);
	/* Who would take it back in time, and who sees that nobody does any more. */
	if (g->grant->ttl_ms && warden_presence(g->c->dir) != WARDEN_LISTENS)
		return err_msg(
			e, EOPNOTSUPP,
			"%s: container %s has no warden, so that a grant with a time is not "
			"sure to end: start it with a time limit (--timeout), at level high, "
			"or with a grant that has a time",
			g->grant->text, g->c->id);
	return 0;
}

/* --- places ------------------------------------------------------------------------------- */

/* As the sandbox's other bind mounts (fs/bind.c): by its ids where those are brig's choice. */
static int map_ids(const struct change *c, int tree, struct err *e)
{
	struct err ignored;

	if (!c->state.ids_directory)
		return 0;
	own_fd int ns = open(arena_printf(c->arena, "/proc/%d/ns/user", (int)c->state.pid),
			     O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_set(e, errno, "user namespace of the sandbox");
	int r = tree_set(tree, NULL, 0, ns, true, &ignored);
	/* A file system that cannot be mapped: its files are seen as nobody's. */
	if (r == -EINVAL || r == -EPERM)
		return 0;
	if (r < 0)
		*e = ignored;
	return r;
}

static int read_tree(const struct giving *g, bool *directory, struct err *e)
{
	static const struct fs_attrs attrs = {.set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID |
						     MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC};
	const struct change *c = g->c;
	struct admin admin = {0};
	struct policy_host_path path;
	struct policy_facts facts = {.state_root = c->host->root};

	if (policy_admin_load(c->arena, c->host->system_config, &admin, e) < 0)
		return -e->code;
	if (c->state.audit)
		facts.audit_directory = arena_strndup(
			c->arena, c->state.audit->path,
			(size_t)(strrchr(c->state.audit->path, '/') - c->state.audit->path));
	if (policy_host_open(c->arena, &admin, &facts, g->grant->path, false, &path, e) < 0)
		return -e->code;
	own_fd int source = path.fd;
	own_fd int tree = tree_clone(source, "", false, e);
	if (tree < 0)
		return tree;
	if (tree_set(tree, &attrs, MS_PRIVATE, -1, true, e) < 0 || map_ids(c, tree, e) < 0)
		return -e->code;
	*directory = path.directory;
	return take_fd(&tree);
}

static int load_level(const struct change *c, struct policy *out, struct err *e)
{
	char *text;
	size_t len;

	if (file_read(c->arena, c->dir, STORE_POLICY, POLICY_MAX_BYTES, &text, &len, e) < 0 ||
	    policy_parse(c->arena, text, len, out, e) < 0)
		return err_wrap(e, STORE_POLICY);
	return 0;
}

/* A tmpfs of its own within what the level gives each of them. */
static int write_tree(const struct giving *g, struct err *e)
{
	struct policy p;

	if (load_level(g->c, &p, e) < 0)
		return -e->code;
	const struct level_writable *w = &p.level.writable;
	uint64_t size = g->grant->size;
	if (w->size && size > *w->size)
		return err_msg(e, ERANGE, "%s: level %s gives a writable place %llu bytes at most",
			       g->grant->text, p.level.name, (unsigned long long)*w->size);
	if (!size)
		size = w->size ? *w->size : NO_SIZE;
	const struct fs_data data[] = {
		{"size",                     arena_printf(g->c->arena, "%llu", (unsigned long long)size)},
		{"nr_inodes",
		 arena_printf(g->c->arena,                         "%llu",
                 (unsigned long long)(w->inodes ? *w->inodes : NO_INODES))},
		{"mode",   "1777"},
	};
	return tree_new("tmpfs", "tmpfs", data, LEN(data),
			MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, e);
}

static bool is_taken(const struct grants *g, const char *place)
{
	for (size_t i = 0; i < g->n; i++)
		if (str_eq(g->rows[i].place, place))
			return true;
	return false;
}

/* /run/grants/NAME, where NAME is the last part of its path; then NAME-2 ... */
static const char *choose_place(const struct giving *g)
{
	const char *name = strrchr(g->grant->path, '/') + 1;
	const char *place = arena_printf(g->c->arena, GRANT_AREA "/%s", *name ? name : "root");

	for (unsigned int i = 2; is_taken(&g->held, place); i++)
		place = arena_printf(g->c->arena, GRANT_AREA "/%s-%u", name, i);
	return place;
}

/* Written down before it is there: whoever is killed between leaves something that is known. */
static int give_place(struct giving *g, struct err *e)
{
	struct grant_target target;
	bool directory = true;
	own_fd int tree =
		g->grant->kind == GRANT_READ ? read_tree(g, &directory, e) : write_tree(g, e);

	if (tree < 0)
		return tree;
	g->row->place = choose_place(g);
	if (grants_save(g->c->arena, g->c->dir, &g->held, e) < 0 ||
	    grant_target_open(&g->c->state, &target, e) < 0)
		return -e->code;
	const struct grant_attach attach = {
		.tree = tree,
		.directory = directory,
		.name = g->row->place + strlen(GRANT_AREA "/"),
		.area = g->held.area,
	};
	int r = grant_attach(&target, &attach, &g->held.area, &g->row->mount_id, e);
	grant_target_close(&target);
	return r;
}

/* --- limits ------------------------------------------------------------------------------- */

/* Beyond what it was started with only as far as brig.json says. */
static int check_ceiling(const struct giving *g, int64_t value, int64_t started, struct err *e)
{
	const struct change *c = g->c;
	bool memory = g->grant->kind == GRANT_MEMORY;
	struct brig_grant cpus;
	struct admin admin = {0};
	int64_t most = started;

	if (started < 0 || value <= started)
		return 0;
	if (policy_admin_load(c->arena, c->host->system_config, &admin, e) < 0)
		return -e->code;
	if (memory && admin.grants.memory && *admin.grants.memory > most)
		most = *admin.grants.memory;
	if (!memory && admin.grants.cpus) {
		if (grant_parse(c->arena, arena_printf(c->arena, "cpu:limit:%s", admin.grants.cpus),
				&cpus, e) < 0)
			return err_wrap(e, "grants: cpus");
		if ((int64_t)cpus.millis > most)
			most = (int64_t)cpus.millis;
	}
	return value <= most ? 0
			     : err_msg(e, ERANGE,
				       "%s: more than it was started with, and beyond grants.%s of "
				       "brig.json",
				       g->grant->text, memory ? "memory" : "cpus");
}

/* One of a kind holds: a further one takes the place of it, and goes back to what was before. */
static void replace_limit(struct giving *g)
{
	struct brig_grant other;
	struct err ignored;

	for (size_t i = 0; i < g->held.n; i++) {
		struct grant_held *h = &g->held.rows[i];

		if (h == g->row || grant_parse(g->c->arena, h->text, &other, &ignored) < 0 ||
		    other.kind != g->grant->kind || !h->before)
			continue;
		g->row->before = h->before;
		grants_drop(&g->held, i);
		g->row--; /* it is behind */
		return;
	}
}

static int give_limit(struct giving *g, struct err *e)
{
	const struct change *c = g->c;
	bool memory = g->grant->kind == GRANT_MEMORY;
	int64_t value = memory ? (int64_t)g->grant->size : (int64_t)g->grant->millis;
	struct oci_config config;

	if (grant_config(c->arena, c->dir, &config, e) < 0)
		return -e->code;
	int64_t started = memory ? grant_started_memory(&config) : grant_started_millis(&config);
	if (check_ceiling(g, value, started, e) < 0)
		return -e->code;
	g->row->before = started;
	replace_limit(g);
	if (grants_save(c->arena, c->dir, &g->held, e) < 0)
		return -e->code;
	return grant_set_limit(c->arena, &c->state, &config, g->grant->kind, value, e);
}

/* --- its end ------------------------------------------------------------------------------ */

static int start_expiry(struct giving *g, struct err *e)
{
	struct change *c = g->c;
	struct expiry x;
	int r;

	if (g->held.expiry_pid) {
		r = grants_save(c->arena, c->dir, &g->held, e);
		return r < 0 ? r : expiry_tell(&g->held, e);
	}
	if (expiry_start(c->dir, &c->state, &x, e) < 0)
		return -e->code;
	g->held.expiry_pid = x.pid;
	g->held.expiry_start_time = process_start_time(x.pid);
	r = warden_tell_helper(c->dir, x.pidfd, e);
	if (r == 0)
		r = grants_save(c->arena, c->dir, &g->held, e);
	if (r < 0) {
		expiry_kill(&x);
		g->held.expiry_pid = 0;
		g->held.expiry_start_time = 0;
	}
	own_close(&x.pidfd);
	return r;
}

/* --- grant -------------------------------------------------------------------------------- */

static struct grant_held *find_same(const struct giving *g)
{
	struct brig_grant other;
	struct err ignored;

	for (size_t i = 0; i < g->held.n; i++)
		if (grant_parse(g->c->arena, g->held.rows[i].text, &other, &ignored) == 0 &&
		    str_eq(other.target, g->grant->target))
			return &g->held.rows[i];
	return NULL;
}

static int find_row(struct giving *g, struct err *e)
{
	g->row = find_same(g);
	g->again = g->row;
	if (!g->row && g->held.n == GRANTS_MAX)
		return err_msg(e, EOPNOTSUPP, "%d grants are in force already", GRANTS_MAX);
	if (!g->row) {
		g->row = &g->held.rows[g->held.n++];
		*g->row = (struct grant_held){.before = -1};
	}
	g->row->text = g->grant->text;
	g->row->ends_ns = g->grant->ttl_ms ? grant_now_ns() + g->grant->ttl_ms * NS_PER_MS : 0;
	return 0;
}

/* What failed half way is taken back and forgotten. */
static void undo(struct giving *g)
{
	struct change *c = g->c;
	size_t i = (size_t)(g->row - g->held.rows);
	struct grant_target target;
	struct err ignored;

	if (grant_target_open(&c->state, &target, &ignored) == 0)
		(void)!grant_take_back(c->arena, c->dir, &c->state, &target, &g->held, i, &ignored);
	grant_target_close(&target);
	grants_drop(&g->held, i);
	(void)!grants_save(c->arena, c->dir, &g->held, &ignored);
}

int grant_running_give(struct change *c, const struct brig_grant *grant, const char **place,
		       struct err *e)
{
	struct giving g = {.c = c, .grant = grant};
	bool limit = grant->kind == GRANT_MEMORY || grant->kind == GRANT_CPU;
	int r = check_sandbox(&g, e);

	if (r == 0)
		r = grants_load(c->arena, c->dir, &g.held, e);
	if (r == 0)
		r = find_row(&g, e);
	if (r < 0)
		return r;
	/* First: were we killed in between, it would end all the same. */
	if (g.row->ends_ns)
		r = start_expiry(&g, e);
	if (r == 0 && !g.again)
		r = limit ? give_limit(&g, e) : give_place(&g, e);
	if (r == 0)
		r = grants_save(c->arena, c->dir, &g.held, e);
	/* What is there now is in its file; one that has no end any more is not waited for. */
	if (r == 0 && g.held.expiry_pid)
		r = expiry_tell(&g.held, e);
	if (r == 0)
		r = grant_note(&c->state, "CapabilityGranted", "cli", grant->text, NULL, e);
	if (r < 0)
		undo(&g);
	else
		*place = g.row->place;
	return r;
}

/* --- revoke ------------------------------------------------------------------------------- */

/* One that moves it about cannot when it is frozen. */
static int take_mount(struct change *c, struct cgroup *cg, const struct grants *g, size_t i,
		      bool *freezes, struct err *e)
{
	struct grant_target target;

	if (grant_target_open(&c->state, &target, e) < 0)
		return -e->code;
	int r = *freezes ? cgroup_freeze(cg, true, e) : 0;
	if (r == 0)
		r = grant_take_back(c->arena, c->dir, &c->state, &target, g, i, e);
	if (r == -EAGAIN && !*freezes && cgroup_is_frozen(cg) != 1) {
		*freezes = true;
		r = cgroup_freeze(cg, true, e);
		if (r == 0)
			r = grant_take_back(c->arena, c->dir, &c->state, &target, g, i, e);
	}
	grant_target_close(&target);
	return r;
}

/* Taking away and looking who has something of it yet, between which nothing may happen. */
static int take_place(struct change *c, const struct grants *g, size_t i, bool strict,
		      struct container_revoked *out, struct err *e)
{
	uint64_t mount = g->rows[i].mount_id;
	struct cgroup *cg;

	if (cgroup_open(c->arena, &c->state.cgroup, &cg, e) < 0)
		return -e->code;
	bool freezes = strict && cgroup_is_frozen(cg) != 1;
	int r = take_mount(c, cg, g, i, &freezes, e);
	if (r == 0 && mount)
		r = grant_users(c->arena, cg, mount, strict, &out->users, e);
	struct err ignored;
	if (freezes && cgroup_freeze(cg, false, r < 0 ? &ignored : e) < 0 && r == 0)
		r = -e->code;
	out->killed = strict && out->users;
	cgroup_close(cg);
	return r;
}

static int take_row(struct change *c, struct grants *g, size_t i, bool strict,
		    struct container_revoked *out, struct err *e)
{
	const char *text = g->rows[i].text;
	struct grant_target none = GRANT_TARGET_NONE;
	int r = g->rows[i].place ? take_place(c, g, i, strict, out, e)
				 : grant_take_back(c->arena, c->dir, &c->state, &none, g, i, e);

	if (r < 0)
		return r;
	grants_drop(g, i);
	if (grants_save(c->arena, c->dir, g, e) < 0)
		return -e->code;
	return grant_note(&c->state, "CapabilityRevoked", "cli", text, NULL, e);
}

int grant_running_take(struct change *c, const char *what, bool strict,
		       struct container_revoked *out, struct err *e)
{
	struct brig_grant grant;
	struct grants g;

	if (grant_parse(c->arena, what, &grant, e) < 0) {
		e->code = EINVAL;
		return -e->code;
	}
	if (grants_load(c->arena, c->dir, &g, e) < 0)
		return -e->code;
	for (size_t i = 0; i < g.n; i++)
		if (grant_parse(c->arena, g.rows[i].text, &grant, e) == 0 &&
		    grant_is_meant(&grant, what))
			return take_row(c, &g, i, strict, out, e);
	return err_msg(e, ENOENT, "%.200s: nothing like it is granted to container %s", what,
		       c->id);
}
