#include "plan_level.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "direct.h"
#include "guard/level_filter.h"
#include "io_device.h"
#include "plan.h"
#include "plan_audit.h"
#include "specs/policy_doc.h"

static bool is_on(const bool *b)
{
	return b && *b;
}

/* The document's user is the process's unless --user says it. */
static void take_user(struct arena *a, const struct policy_doc *doc, struct oci_config *c)
{
	struct oci_process *p = arena_new(a, sizeof(*p));

	if (!doc->run_as_user && !doc->run_as_group)
		return;
	*p = *c->process;
	if (doc->run_as_user)
		p->user.uid = p->user.gid = *doc->run_as_user;
	if (doc->run_as_group)
		p->user.gid = *doc->run_as_group;
	c->process = p;
}

static int read_document(struct arena *a, const struct container_direct *d, struct oci_config *c,
			 struct policy_wishes *out, struct err *e)
{
	struct policy_doc doc;

	if (policy_doc_load(a, d->policy_file, &doc, e) < 0 ||
	    policy_wishes_document(a, &doc, out, e) < 0)
		return -e->code;
	if (!d->user)
		take_user(a, &doc, c);
	return 0;
}

static void take_network(const struct container_network *n, struct policy_wishes *out)
{
	out->egress = n->egress;
	out->n_egress = n->n_egress;
	out->ingress = n->ingress;
	out->n_ingress = n->n_ingress;
}

int plan_level_make(struct arena *a, const struct plan_request *req, struct plan *p,
		    struct plan_level **out, struct err *e)
{
	const struct container_create_opts *o = req->opts;
	struct plan_level *l = arena_new(a, sizeof(*l));
	struct policy_wishes document, flags;
	struct policy_request r = {
		.flag_level = o->level ? o->level : req->host->level,
		.system_config = req->host->system_config,
		.levels_too = req->host->levels_too,
		.config = &p->config,
		.direct = o->direct,
	};
	struct policy_facts facts = {
		.rootless = !p->privileged,
		.nested = p->nested,
		.state_root = req->host->root,
		.preserve_fds = o->preserve_fds + plan_listen_fds(),
		.bundle = o->bundle,
	};

	*out = NULL;
	if (o->direct && direct_wishes(a, o->direct, &flags, e) < 0)
		return -e->code;
	if (!o->direct)
		flags = (struct policy_wishes){0};
	flags.grants = o->grants;
	flags.n_grants = o->n_grants;
	if (o->network)
		take_network(o->network, &flags);
	if (o->direct || o->n_grants || o->network)
		r.flags = &flags;
	if (o->direct && o->direct->policy_file) {
		if (read_document(a, o->direct, &p->config, &document, e) < 0)
			return err_wrap(e, "--policy %s", o->direct->policy_file);
		r.document = &document;
	}
	/* What of it is known tells who is to hear of a refusal. */
	p->policy = &l->policy;
	if (policy_resolve(a, &r, &l->policy, e) < 0)
		return -e->code;
	facts.audit_directory = plan_audit_directory(a, p);
	if (io_devices_find(a, &l->policy, &p->config, o->bundle, e) < 0)
		return -e->code;
	if (l->policy.custom)
		return policy_apply(a, &l->policy, &facts, &p->config, e);
	l->state_root = req->host->root;
	if (policy_facts_read(&facts, e) < 0 || plan_rootless_ids(a, l, &facts, p, e) < 0 ||
	    policy_apply(a, &l->policy, &facts, &p->config, e) < 0)
		return err_wrap(e, "level %s", l->policy.level.name);
	if (o->no_pivot)
		return err_msg(e, EINVAL, "level %s: --no-pivot is refused: chroot(2) can be left",
			       l->policy.level.name);
	*out = l;
	return 0;
}

bool plan_level_passes_fds(const struct plan_level *l)
{
	return is_on(l->policy.level.preserve_fds);
}

/* --- ids ---------------------------------------------------------------------------------- */

/* Ids above the range get single lines behind it, in the order they are asked for. */
struct id_lines {
	struct oci_id_mapping *m;
	size_t n;
	uint32_t extra;
	bool range; /* 0 .. 65535 are there already */
};

static bool has_id(const struct id_lines *l, uint32_t id)
{
	for (size_t i = 0; i < l->n; i++)
		if (id >= l->m[i].container_id && id - l->m[i].container_id < l->m[i].size)
			return true;
	return false;
}

static int add_id(struct id_lines *l, uint32_t id, struct err *e)
{
	if (has_id(l, id))
		return 0;
	if (id >= IDPOOL_RANGE && l->extra == IDPOOL_EXTRA)
		return err_msg(e, EINVAL, "process: user: more than %d ids above %d", IDPOOL_EXTRA,
			       IDPOOL_RANGE - 1);
	l->m[l->n++] =
		(struct oci_id_mapping){id, id < IDPOOL_RANGE ? id : IDPOOL_RANGE + l->extra++, 1};
	return 0;
}

static int id_lines(struct arena *a, bool range, const uint32_t *ids, size_t n,
		    struct id_lines *out, struct err *e)
{
	int r = 0;

	*out = (struct id_lines){.m = arena_array(a, n + 2, sizeof(*out->m)), .range = range};
	if (range)
		out->m[out->n++] = (struct oci_id_mapping){0, 0, IDPOOL_RANGE};
	else
		/* Root of the namespace always is: set-up's files belong to it. */
		r = add_id(out, 0, e);
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_id(out, ids[i], e);
	if (r == 0 && out->n > IDMAP_MAX_LINES)
		return err_msg(e, EINVAL, "process: user: more than %d ids to map",
			       IDMAP_MAX_LINES);
	return r;
}

static int pooled_map(struct arena *a, struct plan_level *l, const struct oci_user *u,
		      struct err *e)
{
	bool range = !str_eq(l->policy.level.ids, "needed");
	uint32_t *gids = arena_array(a, u->n_additional_gids + 1, sizeof(*gids));
	struct id_lines uids, groups;

	gids[0] = u->gid;
	if (u->n_additional_gids)
		memcpy(gids + 1, u->additional_gids, u->n_additional_gids * sizeof(*gids));
	if (id_lines(a, range, &u->uid, 1, &uids, e) < 0 ||
	    id_lines(a, range, gids, u->n_additional_gids + 1, &groups, e) < 0)
		return -e->code;
	l->idmap = (struct idmap){uids.m, groups.m, uids.n, groups.n};
	return 0;
}

/* In an engine's user namespace: every id of it as it is; files need no mapping then. */
static const struct oci_id_mapping *idmap_identity(struct arena *a, const struct oci_id_mapping *m,
						   size_t n)
{
	struct oci_id_mapping *out = arena_array(a, n, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = (struct oci_id_mapping){m[i].container_id, m[i].container_id, m[i].size};
	return out;
}

static int identity_map(struct arena *a, struct plan_level *l, struct err *e)
{
	struct idmap all;
	int r = idmap_read(a, getpid(), &all, e);

	if (r < 0)
		return r;
	l->idmap = (struct idmap){idmap_identity(a, all.uids, all.n_uids),
				  idmap_identity(a, all.gids, all.n_gids), all.n_uids, all.n_gids};
	return 0;
}

static const char *drop_join(struct ns_plan *ns, uint64_t flag)
{
	const char *path = NULL;
	size_t n = 0;

	for (size_t i = 0; i < ns->n_joins; i++)
		if (ns->joins[i].flag == flag)
			path = ns->joins[i].path;
		else
			ns->joins[n++] = ns->joins[i];
	ns->n_joins = n;
	ns->join &= ~flag;
	return path;
}

static struct idpool_config pool_of(const struct admin *admin)
{
	return (struct idpool_config){
		.directory = admin->ids.directory ? admin->ids.directory : "/run/brig-ids",
		.first = admin->ids.first,
		.count = admin->ids.count,
		.quarantine = admin->ids.quarantine,
	};
}

/*
 * A pod's ids are for who shares its namespaces, and for the sandbox's own container, whose id
 * is the key: an annotation alone, which anybody may set, gets nobody into them.
 */
static void check_pod(struct plan_level *l, const struct plan *p)
{
	if (!(p->ns.join & (CLONE_NEWNET | CLONE_NEWIPC)) && !str_eq(l->policy.pod, p->id))
		l->policy.pod = NULL;
}

int plan_level_userns(struct arena *a, struct plan_level *l, struct plan *p, struct err *e)
{
	const struct oci_linux *c = p->config.linux_;
	bool given = c && (c->n_uid_mappings || c->n_gid_mappings);

	if (!((p->ns.make | p->ns.join) & CLONE_NEWUSER))
		return err_msg(e, EINVAL, "level %s: linux: namespaces: no user namespace",
			       l->policy.level.name);
	if (!p->privileged)
		return 0;
	l->late = true;
	l->userns_path = drop_join(&p->ns, CLONE_NEWUSER);
	p->ns.make &= ~(uint64_t)CLONE_NEWUSER;
	if (given) {
		l->idmap = (struct idmap){c->uid_mappings, c->gid_mappings, c->n_uid_mappings,
					  c->n_gid_mappings};
		return idmap_check(&l->idmap, e) < 0 ? err_wrap(e, "linux") : 0;
	}
	if (l->userns_path)
		return err_msg(e, EINVAL,
			       "linux: namespaces: a user namespace by path needs uidMappings and "
			       "gidMappings at level %s",
			       l->policy.level.name);
	if (p->nested)
		return identity_map(a, l, e);
	l->pooled = l->map_mounts = true;
	check_pod(l, p);
	l->pool = pool_of(&l->policy.admin);
	return pooled_map(a, l, &p->config.process->user, e);
}

struct idmap plan_level_shift(struct arena *a, const struct idmap *m, uint32_t base)
{
	struct oci_id_mapping *uids = arena_array(a, m->n_uids, sizeof(*uids));
	struct oci_id_mapping *gids = arena_array(a, m->n_gids, sizeof(*gids));

	for (size_t i = 0; i < m->n_uids; i++) {
		uids[i] = m->uids[i];
		uids[i].host_id += base;
	}
	for (size_t i = 0; i < m->n_gids; i++) {
		gids[i] = m->gids[i];
		gids[i].host_id += base;
	}
	return (struct idmap){uids, gids, m->n_uids, m->n_gids};
}

/* --- hardening ---------------------------------------------------------------------------- */

static enum harden_want want(const char *word)
{
	return str_eq(word, "required")      ? WANT_REQUIRED
	       : str_eq(word, "best-effort") ? WANT_BEST_EFFORT
					     : WANT_OFF;
}

static bool is_writable_mount(const struct oci_mount *m)
{
	static const char *const kernels[] = {"proc", "sysfs", "cgroup", "cgroup2"};

	for (size_t i = 0; i < LEN(kernels); i++)
		if (str_eq(m->type, kernels[i]))
			return false;
	return !oci_mount_is_readonly(m);
}

/* Where the rewritten config mounts something that is not read-only. */
static const char *const *writable_paths(struct arena *a, const struct oci_config *c)
{
	const char **out = arena_array(a, c->n_mounts + 2, sizeof(*out));
	size_t n = 0;

	if (c->root && !c->root->readonly)
		out[n++] = "/";
	for (size_t i = 0; i < c->n_mounts; i++)
		if (is_writable_mount(&c->mounts[i]))
			out[n++] = c->mounts[i].destination;
	return out;
}

static bool grants(const struct oci_process *p, const char *cap)
{
	const struct oci_capabilities *c = p ? p->capabilities : NULL;

	for (size_t i = 0; c && i < c->n_bounding; i++)
		if (str_eq(c->bounding[i], cap))
			return true;
	return false;
}

static bool sets_sysctl(const struct oci_linux *c, const char *key)
{
	for (size_t i = 0; c && i < c->n_sysctl; i++)
		if (str_eq(c->sysctl[i].key, key))
			return true;
	return false;
}

/*
 * CAP_NET_BIND_SERVICE counts in the network namespace's user namespace, which is outside: what
 * gives root of the sandbox its ports back is the sysctl.  A joined namespace needs it as a new
 * one does (an engine's network, a pod's); what config.json says of it stays.
 */
static bool opens_low_ports(const struct level *l, const struct oci_config *c, uint64_t namespaces)
{
	return namespaces & CLONE_NEWNET && !is_on(l->host_namespaces) &&
	       grants(c->process, "CAP_NET_BIND_SERVICE") &&
	       !sets_sysctl(c->linux_, "net.ipv4.ip_unprivileged_port_start");
}

/* Where execvp of the first process looks; its own environment may say otherwise later. */
static struct harden_exec exec_of(struct arena *a, const struct policy_exec *x,
				  const struct oci_process *p)
{
	const char **allow = arena_array(a, x->n_allow + 1, sizeof(*allow));
	struct harden_exec out = {.limited = x->limited, .allow = allow, .cwd = "/"};

	if (x->n_allow)
		memcpy(allow, x->allow, x->n_allow * sizeof(*allow));
	if (!p || !p->n_args)
		return out;
	out.program = p->args[0];
	out.cwd = p->cwd;
	for (size_t i = 0; i < p->n_env; i++)
		if (str_starts(p->env[i], "PATH="))
			out.path = p->env[i] + strlen("PATH=");
	return out;
}

int plan_level_harden(struct arena *a, const struct policy *policy, const struct oci_config *config,
		      uint64_t make, uint64_t join, struct harden_plan *out, struct err *e)
{
	const struct level *l = &policy->level;
	bool own_net = make & CLONE_NEWNET;

	(void)e;
	*out = (struct harden_plan){
		.landlock = want(l->landlock),
		.writable = writable_paths(a, config),
		.scope = join & CLONE_NEWNET && is_on(l->lock_securebits),
		.mdwe = str_eq(l->mdwe, "on") ||
			(str_eq(l->mdwe, "language") && l->seccomp.language &&
			 level_filter_language_bears_mdwe(l->seccomp.language)),
		.speculation = is_on(l->speculation),
		.core_scheduling = is_on(l->core_scheduling),
		.memfd_noexec = is_on(l->memfd_noexec) && make & CLONE_NEWPID,
		.nested_userns_closed = true,
		.securebits = is_on(l->lock_securebits),
		.core_one = true,
		.net_sysctls = own_net,
		.ipv6_off = own_net && l->network.ipv6 && !*l->network.ipv6,
		.exec = exec_of(a, &policy->exec, config->process),
		.low_ports = opens_low_ports(l, config, make | join),
	};
	out->exec.writable = out->writable;
	return 0;
}

/* --- the machine as the sandbox may see it ------------------------------------------------ */

static unsigned int cpus_of_quota(const struct oci_cpu *c)
{
	uint64_t period = c && c->period && *c->period ? *c->period : 100000;

	if (!c || !c->quota || *c->quota <= 0)
		return 0;
	return (unsigned int)(((uint64_t)*c->quota + period - 1) / period);
}

static struct fs_machine *machine_of(struct arena *a, const struct plan *p)
{
	struct fs_machine *m = arena_new(a, sizeof(*m));
	const struct oci_resources *r = p->config.linux_ ? p->config.linux_->resources : NULL;

	if (r && r->cpu) {
		m->cpus = r->cpu->cpus;
		m->n_cpus = cpus_of_quota(r->cpu);
	}
	if (r && r->memory && r->memory->limit && *r->memory->limit > 0)
		m->memory = (uint64_t)*r->memory->limit;
	return m;
}

/* What is wished for only, and missing here: told by `policy explain`, never silently. */
static void record_gaps(struct arena *a, struct plan_level *l, const struct harden_host *host)
{
	const struct harden_gap *g;

	for (size_t i = 0; (g = harden_missing(&l->harden, host, i)); i++) {
		const struct policy_decision d = {
			.field = g->mechanism,
			.value = "not in force",
			.by = BY_HOST,
			.asked = "best effort",
			.outcome = OUTCOME_RECORDED,
			.reason = g->reason,
		};

		policy_note(a, &l->policy, &d);
	}
}

static int check_filters(const struct level_seccomp *s, struct err *e)
{
	return str_eq(s->policy, "none") ? 0
					 : level_filter_possible(str_eq(s->violation, "notify"), e);
}

/* Root has the bounding set by execve, others what is ambient: files give nothing (no_new_privs).
 */
bool plan_level_may_change_user(const struct plan *p)
{
	const struct oci_process *s = p->config.process;
	const struct oci_capabilities *c = s->capabilities;
	const char *const *caps = !c ? NULL : s->user.uid ? c->ambient : c->bounding;
	size_t n = !c ? 0 : s->user.uid ? c->n_ambient : c->n_bounding;

	for (size_t i = 0; i < n; i++)
		if (str_eq(caps[i], "CAP_SETUID") || str_eq(caps[i], "CAP_SETGID"))
			return true;
	return false;
}

static uint64_t or_none(const uint64_t *limit)
{
	return limit ? *limit : 0;
}

/* v1 kills one process that is out of memory and lets the rest run on; v2 can end all itself. */
static bool memory_is_v1(const struct cgroup_host *h)
{
	for (size_t i = 0; i < h->n_mounts; i++)
		/* Controllers may be mounted together; "name=" is a hierarchy without any. */
		if (!str_starts(h->mounts[i].hierarchy, "name=") &&
		    strstr(h->mounts[i].hierarchy, "memory"))
			return true;
	return false;
}

static struct warden_plan warden_of(const struct plan_level *l, const struct plan *p)
{
	const struct level *lv = &l->policy.level;
	const struct level_limits *m = l->policy.direct ? &lv->direct : &lv->engine;
	const struct oci_resources *r = p->config.linux_ ? p->config.linux_->resources : NULL;
	bool limited = r && r->memory && r->memory->limit && *r->memory->limit > 0;
	bool counted = limited || (r && r->pids && r->pids->limit > 0);
	bool v1 = memory_is_v1(&p->cgroup_host);
	/* systemd removes a scope, with what it has counted, as soon as it is empty. */
	bool fleeting = p->manager == MANAGER_SYSTEMD;

	return (struct warden_plan){
		.wall_ms = or_none(m->wall),
		.cpu_ms = or_none(m->cpu_time),
		.grace_ms = or_none(m->grace),
		.output = or_none(m->output),
		.notify = str_eq(lv->seccomp.violation, "notify"),
		.oom = limited && (v1 || fleeting),
		.oom_group = limited && !v1,
		.counts = counted && fleeting,
	};
}

static void plan_pin(struct arena *a, struct plan_level *l, const struct plan *p)
{
	const char *word = l->policy.level.cpu.pin;
	const struct oci_resources *r = p->config.linux_ ? p->config.linux_->resources : NULL;
	const struct oci_cpu *c = r ? r->cpu : NULL;

	l->pins = str_eq(word, "cpus") || str_eq(word, "cores");
	l->pin = (struct pin_request){
		.kind = str_eq(word, "cores") ? PIN_EXCLUSIVE : PIN_SHARED,
		.directory = plan_pin_directory(a, &l->policy.admin, p->rootless, l->state_root),
		.allowed = c && c->cpus && *c->cpus ? c->cpus : NULL,
		.count = cpus_of_quota(c),
		.exclusive_max = l->policy.admin.cpu_exclusive_max,
	};
}

int plan_level_finish(struct arena *a, struct plan_level *l, struct plan *p, struct err *e)
{
	const struct level *lv = &l->policy.level;
	struct harden_host host;

	if (plan_level_harden(a, &l->policy, &p->config, p->ns.make, p->ns.join, &l->harden, e) < 0)
		return -e->code;
	harden_probe(&host);
	if (inroot_possible(e) < 0 || check_filters(&lv->seccomp, e) < 0 ||
	    harden_check(&l->harden, &host, e) < 0)
		return err_wrap(e, "level %s", lv->name);
	record_gaps(a, l, &host);
	l->harden.memfd_noexec &= host.memfd_noexec;
	if (p->egress && p->egress->policy->ipv6)
		l->harden.ipv6_off = false;
	l->egress_deny = str_eq(lv->network.egress, "deny");
	plan_pin(a, l, p);
	p->watch.warden = warden_of(l, p);
	const struct warden_plan *w = &p->watch.warden;
	if (w->output && p->process.terminal)
		return err_msg(e, EINVAL,
			       "limit of output: not with a terminal, whose bytes the warden does "
			       "not see");
	p->watch.wanted = w->wall_ms || w->cpu_ms || w->output || w->notify || w->oom ||
			  w->counts || plan_egress_watched(p->egress) ||
			  policy_has_timed(&l->policy);
	if (str_eq(lv->proc, "minimal"))
		l->machine = machine_of(a, p);
	return 0;
}

int plan_level_seccomp(struct arena *a, const struct plan *p, bool notify,
		       struct seccomp_program *io, struct err *e)
{
	const struct plan_level *l = p->level;
	const struct level_seccomp *s = &l->policy.level.seccomp;
	const struct level_filter *f;

	if (str_eq(s->policy, "none"))
		return 0;
	f = level_filter_find(s->policy, s->language, true, notify);
	if (!f)
		return err_msg(e, EINVAL, "level %s: no seccomp policy \"%s\" for language \"%s\"",
			       l->policy.level.name, s->policy, s->language ? s->language : "");
	return level_filter_stack(a, f, io, e) < 0 ? err_wrap(e, "level %s", l->policy.level.name)
						   : 0;
}
