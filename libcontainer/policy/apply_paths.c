#include "policy/apply.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"

/* --- root, masked and read-only paths ----------------------------------------------------- */

/* What of /proc and /sys tells about the host or acts on it (what engines mask, and more). */
static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/key-users",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/dev/block",
	"/sys/devices/virtual/powercap",
	"/sys/devices/virtual/tpm",
	"/sys/firmware",
	"/sys/fs/selinux",
	"/sys/kernel/debug",
	"/sys/kernel/security",
	"/sys/kernel/tracing",
};

static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static bool has_path(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], path))
			return true;
	return false;
}

static void unite(struct apply *x, const char *field, const char *const *own, size_t n_own,
		  const char *const **list, size_t *n)
{
	const char **all = arena_array(x->a, *n + n_own + 1, sizeof(*all));
	size_t used = *n;

	if (used)
		memcpy(all, *list, used * sizeof(*all));
	for (size_t i = 0; i < n_own; i++)
		if (!has_path(*list, *n, own[i]))
			all[used++] = own[i];
	if (used > *n)
		apply_set(x, field, apply_join(x->a, all + *n, used - *n, " "),
			  "not in config.json's list");
	*list = all;
	*n = used;
}

static void apply_propagation(struct apply *x)
{
	const char *word = x->linux_->rootfs_propagation;

	if (!str_eq(word, "shared") && !str_eq(word, "rshared"))
		return;
	apply_cut(x, "linux.rootfsPropagation", word, "private",
		  "mounts of the sandbox would appear on the host");
	x->linux_->rootfs_propagation = "private";
}

int apply_root(struct apply *x, struct err *e)
{
	struct oci_linux *l = x->linux_;
	struct oci_root *root = arena_new(x->a, sizeof(*root));

	if (apply_source_root(x, e) < 0)
		return -e->code;
	if (x->c->root && !x->c->root->readonly && apply_on(x->l->root.readonly)) {
		*root = *x->c->root;
		root->readonly = true;
		x->c->root = root;
		apply_cut(x, "root.readonly", "false", "true",
			  "written is what the level or a mount makes writable");
	}
	apply_propagation(x);
	if (!str_eq(x->l->proc, "masked"))
		return 0;
	unite(x, "linux.maskedPaths", masked, LEN(masked), &l->masked_paths, &l->n_masked_paths);
	unite(x, "linux.readonlyPaths", readonly, LEN(readonly), &l->readonly_paths,
	      &l->n_readonly_paths);
	return 0;
}

/* --- sysctls ------------------------------------------------------------------------------ */

/* sysctl(8): if the first separator is a slash, dots and slashes have changed places. */
static char *dotted(struct arena *a, const char *key)
{
	char *name = arena_strndup(a, key, strlen(key));
	const char *first = strpbrk(key, "./");

	if (!first || *first == '.')
		return name;
	for (char *p = name; *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return name;
}

static bool may_set(const struct apply *x, const char *key)
{
	const char *name = dotted(x->a, key);

	for (size_t i = 0; i < x->l->n_sysctls; i++)
		if (fnmatch(x->l->sysctls[i], name, 0) == 0)
			return true;
	return false;
}

int apply_sysctls(struct apply *x, struct err *e)
{
	struct oci_linux *l = x->linux_;
	struct oci_map *list = arena_array(x->a, l->n_sysctl, sizeof(*list));
	size_t n = 0;

	(void)e; /* cut only */
	for (size_t i = 0; i < l->n_sysctl; i++) {
		if (may_set(x, l->sysctl[i].key))
			list[n++] = l->sysctl[i];
		else
			apply_cut(x, arena_printf(x->a, "linux.sysctl.%s", l->sysctl[i].key),
				  l->sysctl[i].value, "(none)", "not in the level's list");
	}
	l->sysctl = list;
	l->n_sysctl = n;
	return 0;
}

/* --- devices ------------------------------------------------------------------------------ */

static bool is_default(const struct apply *x, const struct oci_device *d)
{
	return (str_eq(d->type, "c") || str_eq(d->type, "u")) && d->major && d->minor && d->path &&
	       apply_is_default_device(*d->major, *d->minor) &&
	       apply_is_below(path_clean(x->a, d->path), "/dev");
}

static int check_devices(struct apply *x, struct err *e)
{
	struct oci_linux *l = x->linux_;

	for (size_t i = 0; i < l->n_devices; i++) {
		const struct oci_device *d = &l->devices[i];
		const char *path = d->path ? d->path : "(no path)";

		if (!is_default(x, d))
			return apply_refuse(x, arena_printf(x->a, "linux.devices[%zu]", i), path,
					    "a device of the host beyond the default ones", e);
	}
	return 0;
}

/* resctrl groups, memory policy and personality only order what the sandbox has already. */
int apply_devices(struct apply *x, struct err *e)
{
	struct oci_linux *l = x->linux_;

	if (apply_on(x->l->devices))
		return 0;
	if (l->n_net_devices)
		return apply_refuse(x, "linux.netDevices", l->net_devices[0].host_name,
				    "a network device of the host", e);
	return check_devices(x, e);
}

/* --- seccomp ------------------------------------------------------------------------------ */

static void drop_flag(struct apply *x, struct oci_seccomp *s, const char *flag)
{
	const char **flags = arena_array(x->a, s->n_flags + 1, sizeof(*flags));
	size_t n = 0;

	for (size_t i = 0; i < s->n_flags; i++)
		if (!str_eq(s->flags[i], flag))
			flags[n++] = s->flags[i];
	if (n < s->n_flags)
		apply_cut(x, "linux.seccomp.flags", flag, "(none)",
			  "the level controls speculation");
	s->flags = flags;
	s->n_flags = n;
}

/* The config's filter is loaded in addition to the level's. */
int apply_seccomp(struct apply *x, struct err *e)
{
	struct oci_seccomp *s = arena_new(x->a, sizeof(*s));

	if (!x->linux_->seccomp) {
		apply_exec_filter(x);
		return 0;
	}
	*s = *x->linux_->seccomp;
	/* seccomp(2): EBUSY, one listener for a task. */
	if (s->listener_path && str_eq(x->l->seccomp.violation, "notify"))
		return apply_refuse(x, "linux.seccomp.listenerPath", s->listener_path,
				    "the warden is the listener", e);
	if (apply_on(x->l->speculation))
		drop_flag(x, s, "SECCOMP_FILTER_FLAG_SPEC_ALLOW");
	x->linux_->seccomp = s;
	apply_exec_filter(x);
	return 0;
}
