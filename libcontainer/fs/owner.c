#include "fs/owner.h"

#include <errno.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

#include "base/log.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/tree.h"

bool fs_owner_uid(const struct fs_owner *o, uint32_t inside, uint32_t *host)
{
	*host = inside;
	return !o || idmap_uid_to_host(o->map, inside, host);
}

bool fs_owner_gid(const struct fs_owner *o, uint32_t inside, uint32_t *host)
{
	*host = inside;
	return !o || idmap_gid_to_host(o->map, inside, host);
}

static const char *number(struct arena *a, uint32_t id)
{
	return arena_printf(a, "%u", id);
}

/* The kernel reads 010 as octal: numbers that both sides understand alike only. */
static bool plain_id(const char *value, uint32_t *id)
{
	return value && !(value[0] == '0' && value[1]) && str_u32(value, id);
}

/*
 * Linux up to at least 6.12 reads ids of devpts as signed: EINVAL from 2^31 on (match_int in
 * fs/devpts/inode.c; 6.18 takes them).
 */
static bool devpts_reads(uint32_t host)
{
	return host <= INT32_MAX;
}

/*
 * One option in its new form; false: left out.  A group that is not mapped is left out (engines
 * give devpts gid=5, a small map lacks it), and so is what devpts cannot read; another user than
 * asked for would be a surprise.
 */
static int translate(struct arena *a, const struct fs_owner *o, const struct fs_mount *m,
		     struct fs_data *d, bool *keep, struct err *e)
{
	bool user = str_eq(d->key, "uid");
	uint32_t id, host;

	*keep = true;
	if (!user && !str_eq(d->key, "gid"))
		return 0;
	if (!plain_id(d->value, &id))
		return err_msg(e, EINVAL, "option \"%s=%s\": not an id", d->key,
			       d->value ? d->value : "");
	bool pts = str_eq(m->type, "devpts");
	bool mapped = user ? fs_owner_uid(o, id, &host) : fs_owner_gid(o, id, &host);

	if (mapped && (!pts || devpts_reads(host))) {
		d->value = number(a, host);
		return 0;
	}
	if (user && !pts)
		return err_msg(e, EINVAL,
			       "option \"uid=%u\": the sandbox's user namespace has no such id",
			       id);
	log_debug("mounts[%zu]: option %s=%u left out: %s", m->index, d->key, id,
		  mapped ? "devpts cannot read the host's id" : "no such id in the sandbox");
	*keep = false;
	return 0;
}

/* A tmpfs that names nobody belongs to the sandbox's 0. */
static void add_defaults(struct arena *a, const struct fs_owner *o, struct fs_options *opt)
{
	uint32_t host;

	if (!fs_options_data(opt, "uid") && fs_owner_uid(o, 0, &host))
		opt->data[opt->n_data++] = (struct fs_data){"uid", number(a, host)};
	if (!fs_options_data(opt, "gid") && fs_owner_gid(o, 0, &host))
		opt->data[opt->n_data++] = (struct fs_data){"gid", number(a, host)};
}

static int translate_mount(struct arena *a, const struct fs_owner *o, struct fs_mount *m,
			   struct err *e)
{
	struct fs_options *opt = &m->opt;
	const struct fs_data *old = opt->data;
	size_t n = opt->n_data;

	opt->data = arena_array(a, n + 2, sizeof(*opt->data));
	opt->n_data = 0;
	for (size_t i = 0; i < n; i++) {
		struct fs_data d = old[i];
		bool keep;
		int r = translate(a, o, m, &d, &keep, e);

		if (r < 0)
			return r;
		if (keep)
			opt->data[opt->n_data++] = d;
	}
	if (m->kind == FS_MOUNT_NEW && str_eq(m->type, "tmpfs"))
		add_defaults(a, o, opt);
	if (m->long_data)
		m->long_data = fs_data_join(a, opt->data, opt->n_data);
	return 0;
}

int fs_owner_mounts(struct arena *a, const struct fs_plan *p, const struct fs_owner *owner,
		    const struct fs_mount **out, struct err *e)
{
	*out = p->mounts;
	if (!owner)
		return 0;
	struct fs_mount *m = arena_array(a, p->n_mounts + 1, sizeof(*m));
	for (size_t i = 0; i < p->n_mounts; i++) {
		m[i] = p->mounts[i];
		if ((m[i].kind == FS_MOUNT_NEW || m[i].kind == FS_MOUNT_REMOUNT) &&
		    translate_mount(a, owner, &m[i], e) < 0)
			return err_wrap(e, "mounts[%zu]: %s on \"%s\"", i,
					m[i].type ? m[i].type : "remount", m[i].dest);
	}
	*out = m;
	return 0;
}

static struct __user_cap_header_struct caps_header(void)
{
	return (struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3};
}

/*
 * setfsuid(2) away from 0 takes the capabilities over files out of the effective set, and clears
 * the parent-death signal and the dumpable flag (commit_creds in the kernel).
 */
static int set_ids(const struct fs_act *act, unsigned int uid, unsigned int gid, struct err *e)
{
	struct __user_cap_header_struct header = caps_header();

	(void)setfsgid(gid); /* neither says whether it worked: asked again */
	(void)setfsuid(uid);
	if ((unsigned int)setfsuid((uid_t)-1) != uid || (unsigned int)setfsgid((gid_t)-1) != gid)
		return err_msg(e, EPERM, "cannot act as user %u of the host", uid);
	if (syscall(SYS_capset, &header, act->caps) < 0)
		return err_set(e, errno, "capset");
	if (prctl(PR_SET_PDEATHSIG, act->death_signal, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	return 0;
}

int fs_act_begin(struct fs_act *act, const struct fs_owner *o, struct err *e)
{
	struct __user_cap_header_struct header = caps_header();
	uint32_t uid, gid;

	*act = (struct fs_act){.active = false};
	if (!o || !fs_owner_uid(o, 0, &uid) || !fs_owner_gid(o, 0, &gid))
		return 0;
	act->uid = (unsigned int)setfsuid((uid_t)-1);
	act->gid = (unsigned int)setfsgid((gid_t)-1);
	act->dumpable = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_GET_PDEATHSIG, &act->death_signal, 0, 0, 0) < 0 ||
	    syscall(SYS_capget, &header, act->caps) < 0)
		return err_set(e, errno, "read credentials");
	act->active = true;
	return set_ids(act, uid, gid, e);
}

int fs_act_end(struct fs_act *act, struct err *e)
{
	if (!act->active)
		return 0;
	act->active = false;
	int r = set_ids(act, act->uid, act->gid, e);
	/* 2 (core dumps for root only) cannot be set by hand and is as closed as 0. */
	if (r == 0 && act->dumpable == 1 && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	return r;
}
