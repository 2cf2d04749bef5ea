#include "guard/creds.h"

#include <ctype.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* (uid_t)-1 means "leave it" to the set*id calls: it would keep the id of the runtime. */
static const uint32_t NO_ID = UINT32_MAX;

int creds_plan_make(struct arena *a, const struct oci_user *u, struct creds_plan *out,
		    struct err *e)
{
	*out = (struct creds_plan){.uid = u->uid, .gid = u->gid};
	if (u->username)
		return err_msg(e, EINVAL,
			       "process: user: username \"%.64s\" is for Windows: give uid and gid",
			       u->username);
	if (u->uid == NO_ID || u->gid == NO_ID)
		return err_msg(e, EINVAL, "process: user: %s: %u is not a valid id",
			       u->uid == NO_ID ? "uid" : "gid", NO_ID);
	if (u->n_additional_gids > NGROUPS_MAX)
		return err_msg(e, EINVAL, "process: user: additionalGids: more than %d",
			       NGROUPS_MAX);
	for (size_t i = 0; i < u->n_additional_gids; i++)
		if (u->additional_gids[i] == NO_ID)
			return err_msg(e, EINVAL,
				       "process: user: additionalGids[%zu]: %u is not a valid id",
				       i, NO_ID);
	if (u->umask && *u->umask > 0777)
		return err_msg(e, EINVAL, "process: user: umask: 0%o is above 0777", *u->umask);
	if (u->umask) {
		out->has_umask = true;
		out->umask = *u->umask;
	}
	out->n_groups = u->n_additional_gids;
	if (out->n_groups) {
		uint32_t *groups = arena_array(a, out->n_groups, sizeof(*groups));

		memcpy(groups, u->additional_gids, out->n_groups * sizeof(*groups));
		out->groups = groups;
	}
	return 0;
}

/* One id of digits at *s; moves past it. */
static bool one_id(const char **s, uint32_t *id)
{
	uint64_t n = 0;
	const char *p = *s;

	if (!isdigit((unsigned char)*p))
		return false;
	for (; isdigit((unsigned char)*p); p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n >= NO_ID)
			return false;
	}
	*id = (uint32_t)n;
	*s = p;
	return true;
}

int creds_parse_user(const char *text, uint32_t *uid, uint32_t *gid, struct err *e)
{
	uint32_t u = *uid, g = *gid;
	const char *s = text;
	bool fits = *s == ':' || one_id(&s, &u);

	if (fits && *s == ':') {
		s++;
		fits = one_id(&s, &g);
	}
	if (!fits || *s)
		return err_msg(e, EINVAL, "invalid user \"%.64s\": want UID, UID:GID or :GID",
			       text);
	*uid = u;
	*gid = g;
	return 0;
}

static bool may_setgid(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1U << CAP_SETGID;
}

static int apply_groups(const struct creds_plan *p, struct err *e)
{
	if (p->keep_groups && !p->n_groups)
		return 0;
	if (setgroups(p->n_groups, p->groups) == 0)
		return 0;
	int code = errno;

	/*
	 * EPERM in spite of CAP_SETGID: the user namespace denies setgroups (user_namespaces(7)),
	 * and the groups cannot be left.  Without the capability they must be none.
	 */
	if (code == EPERM && !p->n_groups && (may_setgid() || getgroups(0, NULL) == 0))
		return 0;
	if (code == EPERM && may_setgid())
		return err_set(e, code,
			       "set additional groups in a namespace that denies setgroups");
	return err_set(e, code, "set %zu additional groups", p->n_groups);
}

int creds_apply(const struct creds_plan *p, struct err *e)
{
	int r;

	/* Never the caller's: 022 is what the peers give. */
	umask(p->has_umask ? (mode_t)p->umask : 022);
	r = apply_groups(p, e);
	if (r < 0)
		return r;
	/* EINVAL: an id that the user namespace does not map. */
	if (setresgid(p->gid, p->gid, p->gid) < 0)
		return err_set(e, errno, "set gid %u%s", p->gid,
			       errno == EINVAL ? " (not mapped)" : "");
	if (setresuid(p->uid, p->uid, p->uid) < 0)
		return err_set(e, errno, "set uid %u%s", p->uid,
			       errno == EINVAL ? " (not mapped)" : "");
	return 0;
}
