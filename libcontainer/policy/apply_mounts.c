#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "policy/mount_edit.h"

/* What becomes of a mount: it stays (changed), is cut, or -errno. */
enum fate { KEEP, CUT };

typedef int rewrite_fn(struct apply *x, struct mount_edit *m, struct err *e);

static int cut(struct apply *x, const struct mount_edit *m, const char *reason)
{
	apply_cut(x, m->field, m->m.type ? m->m.type : "bind", "(none)", reason);
	return CUT;
}

static void force(struct mount_edit *m, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		mount_edit_force(m, words[i]);
}

static const char *const quiet[] = {"nosuid", "nodev", "noexec"};

/* What brig makes itself cannot be covered. */
static bool is_over_minimal(const struct apply *x, const struct mount_edit *m)
{
	bool proc = str_eq(x->l->proc, "minimal") && apply_is_below(m->dest, "/proc") &&
		    !str_eq(m->dest, "/proc");
	bool sys = str_eq(x->l->sys, "minimal") && apply_is_below(m->dest, "/sys") &&
		   !str_eq(m->dest, "/sys");

	return proc || sys;
}

/* --- types -------------------------------------------------------------------------------- */

static int rewrite_bind(struct apply *x, struct mount_edit *m, struct err *e)
{
	bool device;

	if (apply_source(x, m, &device, e) < 0)
		return -e->code;
	if (is_over_minimal(x, m))
		return cut(x, m, "/proc and /sys have only what brig makes");
	mount_edit_force(m, "nosuid");
	if (!device)
		mount_edit_force(m, "nodev");
	if (m->recursive)
		mount_edit_force(m, "rnosuid");
	if (m->recursive && !device)
		mount_edit_force(m, "rnodev");
	mount_edit_unshare(m);
	mount_edit_end(x, m, "no set-user-ID programs, no devices from a volume");
	return KEEP;
}

static int rewrite_tmpfs(struct apply *x, struct mount_edit *m, struct err *e)
{
	bool dev = str_eq(m->dest, "/dev");

	(void)e;
	mount_edit_force(m, "nosuid");
	if (!dev)
		mount_edit_force(m, "nodev");
	if (!dev && apply_on(x->l->writable.noexec))
		mount_edit_force(m, "noexec");
	mount_edit_bound_tmpfs(x, m);
	mount_edit_drop_unmapped(x, m);
	mount_edit_unshare(m);
	mount_edit_end(x, m, "bounds of a tmpfs, no set-user-ID programs, no devices");
	return KEEP;
}

/* Masked paths and pid namespaces hide nothing at another place. */
static int rewrite_proc(struct apply *x, struct mount_edit *m, struct err *e)
{
	(void)e;
	if (str_eq(x->l->proc, "config"))
		return KEEP;
	if (!str_eq(m->dest, "/proc"))
		return cut(x, m, "procfs is at /proc only, where its files are masked");
	force(m, quiet, LEN(quiet));
	mount_edit_unshare(m);
	mount_edit_drop_unmapped(x, m);
	if (str_eq(x->l->proc, "minimal")) {
		mount_edit_drop(m, "hidepid=");
		mount_edit_drop(m, "subset=");
		mount_edit_drop(m, "gid=");
	}
	mount_edit_end(x, m, "procfs as the level has it");
	return KEEP;
}

static int rewrite_sysfs(struct apply *x, struct mount_edit *m, struct err *e)
{
	(void)e;
	if (str_eq(x->l->sys, "config"))
		return KEEP;
	if (str_eq(x->l->sys, "minimal"))
		return cut(x, m, "/sys has only what brig makes");
	if (!str_eq(m->dest, "/sys"))
		return cut(x, m, "sysfs is at /sys only, where its files are masked");
	force(m, quiet, LEN(quiet));
	mount_edit_force(m, "ro");
	mount_edit_unshare(m);
	mount_edit_end(x, m, "sysfs is read-only");
	return KEEP;
}

static int rewrite_cgroup(struct apply *x, struct mount_edit *m, struct err *e)
{
	(void)e;
	if (str_eq(x->l->sys, "config"))
		return KEEP;
	if (str_eq(x->l->sys, "minimal"))
		return cut(x, m, "/sys has only what brig makes");
	force(m, quiet, LEN(quiet));
	mount_edit_force(m, "ro");
	mount_edit_unshare(m);
	mount_edit_end(x, m, "cgroups are read-only");
	return KEEP;
}

static int rewrite_mqueue(struct apply *x, struct mount_edit *m, struct err *e)
{
	(void)e;
	force(m, quiet, LEN(quiet));
	mount_edit_unshare(m);
	mount_edit_end(x, m, "message queues are no programs");
	return KEEP;
}

/* nodev on a devpts would make its terminals useless. */
static int rewrite_devpts(struct apply *x, struct mount_edit *m, struct err *e)
{
	(void)e;
	mount_edit_force(m, "nosuid");
	mount_edit_force(m, "noexec");
	mount_edit_add(m, "newinstance");
	if (!mount_edit_value(m, "ptmxmode="))
		mount_edit_add(m, "ptmxmode=0666");
	mount_edit_bound(x, m, "max=", APPLY_MAX_PTYS);
	mount_edit_drop_unmapped(x, m);
	mount_edit_unshare(m);
	mount_edit_end(x, m, "terminals of its own, a bounded number");
	return KEEP;
}

static const struct {
	const char *type;
	rewrite_fn *rewrite;
} types[] = {
	{"tmpfs",   rewrite_tmpfs },
        {"proc",    rewrite_proc  },
        {"sysfs",   rewrite_sysfs },
	{"cgroup",  rewrite_cgroup},
        {"cgroup2", rewrite_cgroup},
        {"mqueue",  rewrite_mqueue},
	{"devpts",  rewrite_devpts},
};

/* --- places ------------------------------------------------------------------------------- */

/* Mount points that belong to one type; anything else there would fool who reads it. */
static const struct {
	const char *dest, *type;
} reserved[] = {
	{"/dev",     "tmpfs" },
	{"/dev/pts", "devpts"},
	{"/proc",    "proc"  },
	{"/sys",     "sysfs" },
};

static int check_place(struct apply *x, const struct mount_edit *m, struct err *e)
{
	const char *type = m->bind ? "bind" : m->m.type ? m->m.type : "(no type)";

	if (str_eq(m->dest, "/"))
		return apply_refuse(x, m->field, type, "the root is root.path", e);
	if (mount_edit_has(m, "remount"))
		return apply_refuse(x, m->field, "remount",
				    "it would take back what was set for that mount", e);
	for (size_t i = 0; i < LEN(reserved); i++) {
		bool own = !m->bind && str_eq(type, reserved[i].type);

		if (str_eq(m->dest, reserved[i].dest) && !own)
			return apply_refuse(
				x, m->field, type,
				arena_printf(x->a, "only a %s of the sandbox's own may be there",
					     reserved[i].type),
				e);
	}
	return 0;
}

static int rewrite(struct apply *x, struct mount_edit *m, struct err *e)
{
	int r = check_place(x, m, e);

	if (r < 0)
		return r;
	if (m->bind)
		return rewrite_bind(x, m, e);
	if (is_over_minimal(x, m))
		return cut(x, m, "/proc and /sys have only what brig makes");
	for (size_t i = 0; i < LEN(types); i++)
		if (str_eq(m->m.type, types[i].type))
			return types[i].rewrite(x, m, e);
	return apply_refuse(x, m->field, m->m.type ? m->m.type : "(no type)",
			    "a file system of that type is the host's to mount", e);
}

/* --- list --------------------------------------------------------------------------------- */

static int rewrite_all(struct apply *x, struct mount_list *out, struct err *e)
{
	for (size_t i = 0; i < x->c->n_mounts; i++) {
		const struct oci_mount *m = &x->c->mounts[i];
		struct mount_edit edit;

		mount_edit_begin(x,
				 arena_printf(x->a, "mounts[%zu] %s", i,
					      m->destination ? m->destination : "(no destination)"),
				 m, &edit);
		int r = rewrite(x, &edit, e);
		if (r < 0)
			return r;
		if (r == KEEP)
			out->v[out->n++] = edit.m;
	}
	return 0;
}

/*
 * brig's own come first: what the config mounts below them lands on them.  What is missing of
 * /dev follows the config's /dev.
 */
int apply_mounts(struct apply *x, struct err *e)
{
	size_t most = x->c->n_mounts + apply_own_max(x);
	struct mount_list kept = {arena_array(x->a, most, sizeof(*kept.v)), 0};
	struct mount_list all = {arena_array(x->a, most, sizeof(*all.v)), 0};

	if (rewrite_all(x, &kept, e) < 0)
		return -e->code;
	apply_own_first(x, &kept, &all);
	if (apply_own_writable(x, &kept, &all, e) < 0)
		return -e->code;
	bool dev = true;
	for (size_t i = 0; i < kept.n; i++) {
		all.v[all.n++] = kept.v[i];
		if (dev && str_eq(path_clean(x->a, kept.v[i].destination), "/dev")) {
			apply_own_dev(x, &kept, &all);
			dev = false;
		}
	}
	x->c->mounts = all.v;
	x->c->n_mounts = all.n;
	return 0;
}
