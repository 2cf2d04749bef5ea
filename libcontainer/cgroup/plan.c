#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/devices.h"
#include "cgroup/internal.h"
#include "cgroup/settings.h"

/* All decisions of this room; nothing here touches the host. */

static int check_path(const char *path, struct err *e)
{
	const char *p = path + (path[0] == '/');

	for (const char *c = path; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return err_msg(e, EINVAL, "linux.cgroupsPath: control character in \"%s\"",
				       path);
	for (;; p++) {
		size_t n = strcspn(p, "/");

		if (n == 0)
			return err_msg(e, EINVAL, "linux.cgroupsPath: empty name in \"%s\"", path);
		if ((n == 2 && p[0] == '.' && p[1] == '.') || (n == 1 && p[0] == '.'))
			return err_msg(e, EINVAL, "linux.cgroupsPath: \"%s\" has a \"%.*s\" part",
				       path, (int)n, p);
		p += n;
		if (!*p)
			return 0;
	}
}

/*
 * Where a container without cgroupsPath goes.  A plain user on v2: beside the cgroup that brig is
 * in, because the user's own systemd, if any, may make directories there (app.slice), and in
 * brig's own, which has processes, controllers could not be passed on.  On v1 they can: in it.
 */
static const char *default_path(struct arena *a, const struct cgroup_plan *p,
				const struct cgroup_mount *m, const char *id)
{
	const char *own = m->own_path, *slash = own ? strrchr(own, '/') : NULL;

	if (!p->rootless || !slash || !slash[1] || str_starts(own, "/.."))
		return id;
	if (p->layout != CGROUP_V2)
		return arena_printf(a, "%s/%s", own + 1, id);
	if (slash == own)
		return id;
	return arena_printf(a, "%.*s/%s", (int)(slash - own - 1), own + 1, id);
}

static int plan_dirs(struct arena *a, struct cgroup_plan *p, const char *given, const char *id,
		     struct err *e)
{
	if (given) {
		int r = check_path(given, e);

		if (r < 0)
			return r;
	}
	p->dirs = arena_array(a, p->host->n_mounts + 1, sizeof(*p->dirs));
	struct cgroup_dir *list = arena_array(a, p->host->n_mounts + 1, sizeof(*list));
	for (size_t i = 0; i < p->host->n_mounts; i++) {
		const struct cgroup_mount *m = &p->host->mounts[i];
		const char *rel = given ? given + (given[0] == '/') : default_path(a, p, m, id);
		const char *path = arena_printf(a, "%s/%s", m->mountpoint, rel);

		p->dirs[i] = (struct cg_dir){.hierarchy = m->hierarchy,
					     .mount = m->mountpoint,
					     .path = path,
					     .ctrls = cg_ctrls(m->hierarchy, ","),
					     .fd = -1,
					     .tasks = -1};
		list[i] = (struct cgroup_dir){m->hierarchy, path};
	}
	p->n_dirs = p->host->n_mounts;
	p->record_dirs = list;
	return 0;
}

static bool has_ctrl(const struct cgroup_plan *p, enum cg_ctrl c)
{
	for (size_t i = 0; i < p->host->n_mounts; i++)
		if (cg_ctrls(p->host->mounts[i].hierarchy, ",") & CG_BIT(c))
			return true;
	return false;
}

/* v1: a limit whose controller is nowhere is a mistake of the user. */
static int check_mounted(const struct cgroup_plan *p, struct err *e)
{
	struct cg_names names;
	uint32_t missing = 0;

	for (unsigned int c = 0; c < CG_N_CTRL; c++)
		if (p->needed & CG_BIT(c) && !has_ctrl(p, c))
			missing |= CG_BIT(c);
	return missing ? err_msg(e, ENOENT, "%s: controller is not mounted",
				 cg_ctrl_names(&names, missing, false))
		       : 0;
}

/*
 * Buffers of TCP and UDP are part of memory.max on v2.  v1 counts them by themselves, and only
 * where they have a limit: without one, what a process sends to itself is memory that nobody
 * counts.
 */
static void limit_sockets_v1(struct settings *s, const struct oci_memory *m)
{
	enum { SHARE = 20 };

	if (m && m->limit && *m->limit > 0 && !(m->kernel_tcp && *m->kernel_tcp))
		settings_addf(s, CG_MEMORY, SET_OPTIONAL, "memory.kmem.tcp.limit_in_bytes", "%lld",
			      (long long)(*m->limit / SHARE));
}

static int plan_resources(struct arena *a, struct cgroup_plan *p, struct err *e)
{
	static const struct oci_resources nothing;
	const struct oci_resources *r = p->resources ? p->resources : &nothing;
	struct settings *s = arena_new(a, sizeof(*s));
	bool v2 = p->layout == CGROUP_V2;
	int x;

	s->a = a;
	x = v2 ? settings_v2(s, r, NULL, e) : settings_v1(s, r, NULL, e);
	if (x < 0)
		return x;
	/* v1 has nothing like it: there the rest of the sandbox runs on. */
	if (v2 && p->required && settings_ctrls(s) & CG_BIT(CG_MEMORY))
		settings_add(s, CG_MEMORY, SET_OPTIONAL, "memory.oom.group", "1");
	if (!v2 && p->required)
		limit_sockets_v1(s, r->memory);
	p->settings = s;
	p->needed = settings_ctrls(s);
	/* Also without a limit of each: a later update may set one. */
	if (p->required)
		p->needed |= CG_BIT(CG_MEMORY) | CG_BIT(CG_PIDS) | CG_BIT(CG_CPU);
	p->limits = s->n > 0;
	if (!v2 && p->manager == CGROUP_CGROUPFS) {
		x = check_mounted(p, e);
		if (x < 0)
			return x;
	}
	/* Who may not make cgroups may not load programs nor write devices.* either. */
	if (p->rootless)
		return 0;
	x = cg_devices_plan(a, r, &p->dev_rules, &p->n_dev_rules, e);
	if (x >= 0 && !v2 && (has_ctrl(p, CG_DEVICES) || r->n_devices))
		cg_devices_v1(s, p->dev_rules, p->n_dev_rules);
	return x;
}

static int plan_nothing(struct cgroup_plan *p, struct err *e)
{
	static const struct settings none;
	struct settings s = {0};
	own_arena struct arena scratch = {0};

	p->settings = &none;
	if (p->required)
		return err_msg(e, ENOENT, "cgroups are required, but %s",
			       p->manager == CGROUP_DISABLED ? "--cgroup-manager is disabled"
							     : "no cgroup file system is mounted");
	if (p->manager == CGROUP_DISABLED || !p->resources)
		return 0;
	s.a = &scratch;
	int r = settings_v1(&s, p->resources, NULL, e);
	if (r >= 0 && s.n)
		r = err_msg(e, ENOENT,
			    "limits are asked for, but no cgroup file system is mounted");
	return r;
}

int cgroup_plan_make(struct arena *a, const struct cgroup_host *host,
		     const struct cgroup_request *req, const struct cgroup_plan **out,
		     struct err *e)
{
	struct cgroup_plan *p = arena_new(a, sizeof(*p));
	const char *path = req->linux_ ? req->linux_->cgroups_path : NULL;
	int r;

	if (path && !path[0])
		path = NULL;
	*p = (struct cgroup_plan){.layout = host->layout,
				  .manager = req->manager,
				  .rootless = req->rootless,
				  .required = req->required,
				  .path_given = path != NULL,
				  .own_namespace = req->own_namespace,
				  .delegate = req->delegate && req->own_namespace,
				  .delegate_uid = req->delegate_uid,
				  .host = host,
				  .resources = req->linux_ ? req->linux_->resources : NULL};
	if (p->manager == CGROUP_DISABLED || p->layout == CGROUP_NONE)
		r = plan_nothing(p, e);
	else if (p->manager == CGROUP_SYSTEMD)
		r = cg_systemd_plan(a, p, req, e);
	else
		r = plan_dirs(a, p, path, req->id, e);
	if (r >= 0 && !p->settings)
		r = plan_resources(a, p, e);
	if (r < 0)
		return r;
	*out = p;
	return 0;
}

bool cgroup_plan_needs_attach(const struct cgroup_plan *p)
{
	if (p->manager == CGROUP_DISABLED || p->layout == CGROUP_NONE)
		return false;
	return p->manager == CGROUP_SYSTEMD;
}

enum cgroup_layout cgroup_plan_layout(const struct cgroup_plan *p)
{
	return p->manager == CGROUP_DISABLED ? CGROUP_NONE : p->layout;
}

size_t cgroup_plan_views(struct arena *a, const struct cgroup_plan *p, struct cgroup_view **out)
{
	size_t n = 0;

	*out = arena_array(a, p->host->n_mounts + 1, sizeof(**out));
	if (cgroup_plan_layout(p) == CGROUP_NONE)
		return 0;
	for (size_t i = 0; i < p->host->n_mounts; i++) {
		const struct cgroup_mount *m = &p->host->mounts[i];
		/* systemd's directories are known when the unit runs. */
		const char *source = i < p->n_dirs ? p->dirs[i].path : NULL;
		const char *name = strrchr(m->mountpoint, '/');
		const char *mount = p->rootless || !source ? m->mountpoint : NULL;

		if (p->layout == CGROUP_V2)
			(*out)[n++] = (struct cgroup_view){"", source, "", mount};
		/* cgroup2 beside v1 has no place in a mount of type cgroup. */
		else if (m->hierarchy[0])
			(*out)[n++] = (struct cgroup_view){name ? name + 1 : m->mountpoint, source,
							   m->hierarchy, mount};
	}
	return n;
}
