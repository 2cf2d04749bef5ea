#include "run/sysctl.h"

#include <errno.h>
#include <string.h>

#include "base/procfd.h"
#include "base/str.h"

enum space { SPACE_IPC, SPACE_NET, SPACE_UTS, SPACE_USER, SPACE_PID };

static const struct {
	const char *key; /* a trailing '/' marks everything below */
	enum space space;
	enum sysctl_when when;
} namespaced[] = {
	{"kernel/msgmax",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/msgmnb",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/msgmni",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/sem",             SPACE_IPC,  SYSCTL_LATE },
	{"kernel/shmall",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/shmmax",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/shmmni",          SPACE_IPC,  SYSCTL_LATE },
	{"kernel/shm_rmid_forced", SPACE_IPC,  SYSCTL_LATE },
	{"fs/mqueue/",             SPACE_IPC,  SYSCTL_LATE },
	{"net/",		   SPACE_NET,  SYSCTL_EARLY},
	{"kernel/domainname",      SPACE_UTS,  SYSCTL_EARLY},
	{"user/",		  SPACE_USER, SYSCTL_LATE },
	{"vm/memfd_noexec",        SPACE_PID,  SYSCTL_EARLY}, /* per pid namespace since 6.3 */
};

static bool in_scope(const struct sysctl_scope *s, enum space space)
{
	switch (space) {
	case SPACE_IPC:
		return s->ipc;
	case SPACE_NET:
		return s->net;
	case SPACE_UTS:
		return s->uts;
	case SPACE_USER:
		return s->user;
	case SPACE_PID:
		return s->pid;
	}
	return false;
}

static int refuse(enum space space, const char *key, struct err *e)
{
	if (space == SPACE_NET)
		return err_msg(e, EINVAL, "sysctl \"%.128s\" not allowed in host network namespace",
			       key);
	if (space == SPACE_IPC)
		return err_msg(e, EINVAL,
			       "sysctl \"%.128s\" is not allowed in the hosts ipc namespace", key);
	return err_msg(e, EINVAL, "sysctl \"%.128s\" is not in a separate kernel namespace", key);
}

/* The key as a path below /proc/sys. */
static char *to_path(struct arena *a, const char *key)
{
	char *path = arena_strndup(a, key, strlen(key));
	const char *first = strpbrk(key, "./");

	if (!first || *first == '/')
		return path; /* written with slashes: a '.' is a '.' */
	for (char *p = path; *p; p++) {
		if (*p == '.')
			*p = '/';
		else if (*p == '/')
			*p = '.';
	}
	return path;
}

static bool components_ok(const char *path)
{
	while (true) {
		size_t n = strcspn(path, "/");

		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && !memcmp(path, "..", 2)))
			return false;
		if (!path[n])
			return true;
		path += n + 1;
	}
}

static int plan_one(struct arena *a, const struct oci_map *m, const struct sysctl_scope *scope,
		    struct sysctl *out, struct err *e)
{
	char *path = to_path(a, m->key);

	if (!components_ok(path))
		return err_msg(e, EINVAL, "sysctl \"%.128s\" is not a valid name", m->key);
	if (str_eq(path, "kernel/hostname") && scope->uts)
		return err_msg(e, EINVAL,
			       "sysctl \"%.128s\" is not allowed as it conflicts with the OCI "
			       "\"hostname\" field: use hostname",
			       m->key);
	for (size_t i = 0; i < sizeof(namespaced) / sizeof(namespaced[0]); i++) {
		const char *known = namespaced[i].key;
		bool below = str_ends(known, "/");

		if (below ? !str_starts(path, known) : !str_eq(path, known))
			continue;
		if (!in_scope(scope, namespaced[i].space))
			return refuse(namespaced[i].space, m->key, e);
		out->key = m->key;
		out->path = arena_printf(a, "sys/%s", path);
		out->value = m->value;
		out->when = namespaced[i].when;
		return 0;
	}
	return err_msg(e, EINVAL, "sysctl \"%.128s\" is not in a separate kernel namespace",
		       m->key);
}

int sysctl_plan(struct arena *a, const struct oci_map *map, size_t n,
		const struct sysctl_scope *scope, const struct sysctl **out, struct err *e)
{
	struct sysctl *list = arena_array(a, n, sizeof(*list));

	for (size_t i = 0; i < n; i++) {
		int r = plan_one(a, &map[i], scope, &list[i], e);

		if (r < 0)
			return r;
	}
	*out = list;
	return 0;
}

int sysctl_write(const struct sysctl *s, size_t n, enum sysctl_when when, int proc, struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		if (s[i].when != when)
			continue;
		if (procfd_write(proc, s[i].path, s[i].value, e) < 0)
			return err_wrap(e, "sysctl \"%.128s\"", s[i].key);
	}
	return 0;
}
