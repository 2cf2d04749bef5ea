#include "policy/apply.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"

/* What an absent namespace means, and the kernel's name of one. */
static const struct kind {
	const char *type, *file;
	bool own; /* absent: a new one; else it would be the host's, which the config has to deny */
} kinds[] = {
	{"mount",   "mnt",    false},
        {"pid",     "pid",    false},
        {"network", "net",    false},
	{"ipc",     "ipc",    true },
        {"uts",     "uts",    true },
        {"cgroup",  "cgroup", true },
	{"user",    "user",   true },
};

static const struct oci_namespace *find(const struct oci_linux *l, const char *type)
{
	for (size_t i = 0; i < l->n_namespaces; i++)
		if (str_eq(l->namespaces[i].type, type))
			return &l->namespaces[i];
	return NULL;
}

/*
 * The host's is brig's own or that of the first process, which brig cannot look at when it is
 * rootless.  What cannot be looked at here cannot be joined either: the plan says so.
 */
static bool is_hosts(const char *path, const char *file)
{
	static const char *const procs[] = {"self", "1"};
	struct stat given, host;
	char name[64];

	if (stat(path, &given) < 0)
		return false;
	for (size_t i = 0; i < LEN(procs); i++) {
		snprintf(name, sizeof(name), "/proc/%s/ns/%s", procs[i], file);
		if (stat(name, &host) == 0 && host.st_dev == given.st_dev &&
		    host.st_ino == given.st_ino)
			return true;
	}
	return false;
}

static int check_path(struct apply *x, const struct kind *k, const struct oci_namespace *n,
		      struct err *e)
{
	const char *field = arena_printf(x->a, "linux.namespaces.%s", k->type);

	if (!apply_on(x->l->host_namespaces) && is_hosts(n->path, k->file))
		return apply_refuse(x, field, n->path, "the host's namespace", e);
	if (str_eq(k->type, "mount"))
		return apply_refuse(x, field, n->path,
				    "the root file system is made in a mount namespace of its own",
				    e);
	if (str_eq(k->type, "network") && !apply_on(x->l->network.join))
		return apply_refuse(x, field, n->path, "the level joins no network namespace", e);
	return 0;
}

/* A new one for what is absent and may be; the list has room for all kinds. */
static int check_absent(struct apply *x, const struct kind *k, struct oci_namespace *list,
			size_t *n, struct err *e)
{
	const char *field = arena_printf(x->a, "linux.namespaces.%s", k->type);
	bool user = str_eq(k->type, "user");

	if (user ? str_eq(x->l->ids, "config") : apply_on(x->l->host_namespaces))
		return 0;
	if (!k->own)
		return apply_refuse(x, field, "the host's (absent)",
				    "the sandbox needs one of its own or a path", e);
	list[(*n)++] = (struct oci_namespace){.type = k->type};
	apply_set(x, field, "own", "absent in config.json");
	return 0;
}

/* uid 0 of the host in the sandbox would make the user namespace worthless. */
static int check_mappings(struct apply *x, const char *field, const struct oci_id_mapping *m,
			  size_t n, struct err *e)
{
	if (x->f->rootless || x->f->nested || str_eq(x->l->ids, "config"))
		return 0;
	for (size_t i = 0; i < n; i++)
		if (m[i].host_id == 0 && m[i].size)
			return apply_refuse(x, arena_printf(x->a, "linux.%s[%zu]", field, i),
					    "hostID 0", "it is the host's root", e);
	return 0;
}

int apply_namespaces(struct apply *x, struct err *e)
{
	struct oci_linux *l = x->linux_;
	size_t n = l->n_namespaces;
	struct oci_namespace *list = arena_array(x->a, n + LEN(kinds), sizeof(*list));

	if (n)
		memcpy(list, l->namespaces, n * sizeof(*list));
	for (size_t i = 0; i < LEN(kinds); i++) {
		const struct oci_namespace *given = find(l, kinds[i].type);
		int r = 0;

		if (!given)
			r = check_absent(x, &kinds[i], list, &n, e);
		else if (given->path && *given->path)
			r = check_path(x, &kinds[i], given, e);
		if (r < 0)
			return r;
	}
	l->namespaces = list;
	l->n_namespaces = n;
	int r = check_mappings(x, "uidMappings", l->uid_mappings, l->n_uid_mappings, e);
	return r < 0 ? r : check_mappings(x, "gidMappings", l->gid_mappings, l->n_gid_mappings, e);
}
