#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "policy/mount_edit.h"

/* Mounts of every sandbox: /proc, /dev with terminals and shared memory, the writable places. */

static bool has_dest(struct apply *x, const struct mount_list *l, const char *dest)
{
	for (size_t i = 0; i < l->n; i++)
		if (str_eq(path_clean(x->a, l->v[i].destination), dest))
			return true;
	return false;
}

static void add(struct apply *x, struct mount_list *out, const char *dest, const char *type,
		const char *const *words, size_t n, const char *reason)
{
	struct oci_mount new = {.destination = dest, .type = type, .source = type};
	const char *field = arena_printf(x->a, "mounts %s", dest);
	struct mount_edit m;

	mount_edit_begin(x, field, &new, &m);
	for (size_t i = 0; i < n; i++)
		mount_edit_add(&m, words[i]);
	if (str_eq(type, "tmpfs"))
		mount_edit_bound_tmpfs(x, &m);
	m.words[m.n_words] = NULL;
	new.options = m.words;
	new.n_options = m.n_words;
	out->v[out->n++] = new;
	apply_set(x, field,
		  arena_printf(x->a, "%s: %s", type, apply_join(x->a, m.words, m.n_words, ",")),
		  reason);
}

static const char *const quiet[] = {"nosuid", "noexec", "nodev"};

void apply_own_first(struct apply *x, const struct mount_list *given, struct mount_list *out)
{
	static const char *const dev[] = {"nosuid", "noexec", "strictatime", "mode=755",
					  "size=65536k"};

	if (!str_eq(x->l->proc, "config") && !has_dest(x, given, "/proc"))
		add(x, out, "/proc", "proc", quiet, LEN(quiet), "absent in config.json");
	if (has_dest(x, given, "/dev"))
		return;
	add(x, out, "/dev", "tmpfs", dev, LEN(dev), "absent in config.json");
	apply_own_dev(x, given, out);
}

void apply_own_dev(struct apply *x, const struct mount_list *given, struct mount_list *out)
{
	static const char *const shm[] = {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"};
	const char *pts[] = {"nosuid",      "noexec",
			     "newinstance", "ptmxmode=0666",
			     "mode=0620",   arena_printf(x->a, "max=%d", APPLY_MAX_PTYS),
			     "gid=5"};
	/* Group 5 is tty wherever glibc looks for it. */
	size_t n_pts = LEN(pts) - !apply_maps_id(x, 5, true);

	if (!has_dest(x, given, "/dev/pts"))
		add(x, out, "/dev/pts", "devpts", pts, n_pts, "absent in config.json");
	if (!has_dest(x, given, "/dev/shm"))
		add(x, out, "/dev/shm", "tmpfs", shm, LEN(shm), "absent in config.json");
}

/* A mount of the config on it or above it wins. */
static bool is_covered(struct apply *x, const struct mount_list *given, const char *path)
{
	for (size_t i = 0; i < given->n; i++)
		if (apply_is_below(path, path_clean(x->a, given->v[i].destination)))
			return true;
	return false;
}

static bool is_kernels(const char *path)
{
	static const char *const kernels[] = {"/proc", "/sys", "/dev"};
	bool yes = str_eq(path, "/");

	for (size_t i = 0; i < LEN(kernels); i++)
		yes |= apply_is_below(path, kernels[i]);
	return yes;
}

struct place {
	const char *path;
	struct policy_bounds bounds;
};

/* Outer ones first, or they would hide the inner ones. */
static void insert(struct place *list, size_t n, const struct place *new)
{
	size_t at = 0;

	while (at < n && !apply_is_below(list[at].path, new->path))
		at++;
	memmove(&list[at + 1], &list[at], (n - at) * sizeof(*list));
	list[at] = *new;
}

static bool is_listed(const struct place *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i].path, path))
			return true;
	return false;
}

/* /run belongs to root as on any machine; the others are for everybody. */
static void add_writable(struct apply *x, struct mount_list *out, const struct place *p)
{
	const char *words[5] = {"nosuid", "nodev",
				str_eq(p->path, "/run") ? "mode=755" : "mode=1777"};
	size_t n = 3;

	if (p->bounds.noexec)
		words[n++] = "noexec";
	if (p->bounds.size)
		words[n++] = arena_printf(x->a, "size=%llu", (unsigned long long)p->bounds.size);
	add(x, out, p->path, "tmpfs", words, n, "writable at this level");
}

int apply_own_writable(struct apply *x, const struct mount_list *given, struct mount_list *out,
		       struct err *e)
{
	const struct level_writable *w = &x->l->writable;
	struct place *list = arena_array(x->a, w->n_paths + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < w->n_paths; i++) {
		struct place p = {.path = path_clean(x->a, w->paths[i])};

		if (is_kernels(p.path))
			return apply_refuse(x, "writable.paths", p.path,
					    "no place for a file system of the sandbox", e);
		if (is_listed(list, n, p.path) || is_covered(x, given, p.path) ||
		    !policy_writable(x->l, w->paths[i], &p.bounds))
			continue;
		insert(list, n++, &p);
	}
	for (size_t i = 0; i < n; i++)
		add_writable(x, out, &list[i]);
	return 0;
}

size_t apply_own_max(const struct apply *x)
{
	return 4 + x->l->writable.n_paths; /* /proc /dev /dev/pts /dev/shm */
}
