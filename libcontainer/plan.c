#include "plan.h"
#include "plan_audit.h"
#include "plan_violations.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "annotation.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "direct.h"
#include "plan_given.h"
#include "plan_seccomp.h"
#include "reuse.h"
#include "run/notify.h"
#include "run/spawn.h"
#include "store.h"

bool plan_is_privileged(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	return syscall(SYS_capget, &h, d) == 0 && d[0].effective & 1U << CAP_SYS_ADMIN;
}

bool plan_in_user_namespace(void)
{
	char map[256];

	if (file_peek(AT_FDCWD, "/proc/self/uid_map", map, sizeof(map)) < 0)
		return false;
	const char *p = map;
	uint64_t want[] = {0, 0, 4294967295};
	for (size_t i = 0; i < 3; i++) {
		char *end;

		if (strtoull(p, &end, 10) != want[i] || end == p)
			return true;
		p = end;
	}
	return false;
}

/* uid 0 in a user namespace that does not map the host's root is rootless too. */
static bool is_rootless(const struct container_host *h, bool nested)
{
	if (h->rootless != ROOTLESS_AUTO)
		return h->rootless == ROOTLESS_TRUE;
	return nested || geteuid() != 0;
}

/*
 * Whether sources of mounts can be opened here.  root in a user namespace may still be in the
 * mount namespace of the host: what it clones from there the kernel refuses.
 */
static bool owns_mount_namespace(void)
{
	own_fd int ns = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	own_fd int owner = ns < 0 ? -1 : ioctl(ns, NS_GET_USERNS);

	return owner >= 0;
}

static const char *const no_args[] = {"(none)", NULL};

const struct oci_process plan_no_process = {.args = no_args, .n_args = 1, .cwd = "/"};

/* --- reading ------------------------------------------------------------------------------ */

static int read_config(struct arena *a, const struct container_create_opts *o, struct plan *p,
		       struct err *e)
{
	if (o->direct)
		return direct_config(a, o->direct, &p->config, e);

	const char *path =
		o->config_path ? o->config_path : arena_printf(a, "%s/config.json", o->bundle);
	char *text;

	if (file_read(a, AT_FDCWD, path, OCI_MAX_BYTES, &text, &p->config_len, e) < 0) {
		if (e->code == ENOENT && !o->config_path)
			return err_msg(e, ENOENT,
				       "JSON specification file config.json not found in %s",
				       o->bundle);
		return -e->code;
	}
	p->config_text = text;
	if (oci_config_parse(a, text, p->config_len, &p->config, e) < 0)
		return err_wrap(e, "config.json");
	if (!p->config.root)
		return err_msg(e, EINVAL, "config.json: root: missing");
	if (!p->config.process && p->run)
		return err_msg(e, EINVAL, "config.json: process: missing");
	p->no_program = !p->config.process;
	if (p->no_program)
		p->config.process = &plan_no_process;
	return 0;
}

/* --- namespaces --------------------------------------------------------------------------- */

/* A user namespace without mappings: everything that is mapped here when brig may map it, else
 * the caller's own id as root; in direct mode, where nothing else runs, as the program's user. */
static void default_idmap(struct arena *a, struct plan *p)
{
	struct oci_id_mapping *m = arena_array(a, 2, sizeof(*m));
	const struct oci_user *u = &p->config.process->user;

	m[0] = p->privileged ? (struct oci_id_mapping){0, 0, 4294967295U}
			     : (struct oci_id_mapping){p->direct ? u->uid : 0, geteuid(), 1};
	m[1] = p->privileged ? (struct oci_id_mapping){0, 0, 4294967295U}
			     : (struct oci_id_mapping){p->direct ? u->gid : 0, getegid(), 1};
	p->idmap = (struct idmap){.uids = &m[0], .gids = &m[1], .n_uids = 1, .n_gids = 1};
}

const struct idmap *plan_idmap(const struct plan *p)
{
	if (p->level && p->level->late)
		return &p->level->idmap;
	return p->has_idmap ? &p->idmap : NULL;
}

static int plan_namespaces(struct arena *a, struct plan *p, struct err *e)
{
	const struct oci_linux *l = p->config.linux_;

	if (ns_plan_make(l, &p->ns, e) < 0)
		return -e->code;
	if (p->level && plan_level_userns(a, p->level, p, e) < 0)
		return -e->code;
	bool late = p->level && p->level->late;
	p->has_idmap = p->ns.make & CLONE_NEWUSER;
	if (late) {
		/* level->idmap */
	} else if (l && (l->n_uid_mappings || l->n_gid_mappings)) {
		if (!((p->ns.make | p->ns.join) & CLONE_NEWUSER))
			return err_msg(e, EINVAL,
				       "linux: uidMappings and gidMappings need a user namespace");
		p->idmap = (struct idmap){l->uid_mappings, l->gid_mappings, l->n_uid_mappings,
					  l->n_gid_mappings};
	} else if (p->has_idmap) {
		default_idmap(a, p);
	}
	if (p->has_idmap && idmap_check(&p->idmap, e) < 0)
		return err_wrap(e, "linux");
	if (!(p->ns.make & CLONE_NEWUSER) && !p->privileged && !(p->ns.join & CLONE_NEWUSER))
		return err_msg(
			e, EPERM,
			"rootless container requires a user namespace (brig spec --rootless)");
	if (!((p->ns.make | p->ns.join) & CLONE_NEWNS))
		return err_msg(e, EINVAL, "linux: namespaces: a mount namespace is required");
	if (l && l->time_offsets && !(p->ns.make & CLONE_NEWTIME))
		return err_msg(e, EINVAL, "linux: timeOffsets: a new time namespace is required");
	if (l && l->n_net_devices && !((p->ns.make | p->ns.join) & CLONE_NEWNET))
		return err_msg(e, EINVAL, "linux: netDevices: a network namespace is required");
	if ((p->config.hostname || p->config.domainname) &&
	    !((p->ns.make | p->ns.join) & CLONE_NEWUTS))
		return err_msg(e, EINVAL, "%s: a uts namespace is required",
			       p->config.hostname ? "hostname" : "domainname");
	p->staged = spawn_needs_stage(p->ns.make, &p->ns, p->privileged && !p->nested);
	return 0;
}

/* --- the process -------------------------------------------------------------------------- */

unsigned int plan_listen_fds(void)
{
	const char *fds = getenv("LISTEN_FDS"), *pid = getenv("LISTEN_PID");
	uint32_t n, whose;

	if (!fds || !str_u32(fds, &n) || n > 1024)
		return 0;
	/* sd_listen_fds(3): left over from somebody else's start. */
	if (pid && (!str_u32(pid, &whose) || whose != (uint32_t)getpid()))
		return 0;
	return n;
}

/* runc: LISTEN_FDS of the caller are preserved and announced, as if systemd had passed them. */
static const char *const *process_env(struct arena *a, const struct oci_process *spec,
				      unsigned int *preserve)
{
	unsigned int n = plan_listen_fds();

	if (n == 0)
		return spec->env ? spec->env : arena_new(a, sizeof(char *));
	const char **env = arena_array(a, spec->n_env + 3, sizeof(char *));
	if (spec->n_env)
		memcpy(env, spec->env, spec->n_env * sizeof(char *));
	env[spec->n_env] = arena_printf(a, "LISTEN_FDS=%u", n);
	env[spec->n_env + 1] = "LISTEN_PID=1";
	*preserve += n;
	return env;
}

int plan_process_make(struct arena *a, const struct plan_process_request *req,
		      struct plan_process *out, struct err *e)
{
	const struct oci_process *s = req->spec;
	uint64_t ns = req->ns ? req->ns->make | req->ns->join : 0;
	struct attrs_request attrs = {
		.process = s,
		.linux_ = req->linux_,
		.own_ipc_ns = ns & CLONE_NEWIPC,
		.own_net_ns = ns & CLONE_NEWNET,
		.own_uts_ns = ns & CLONE_NEWUTS,
		.own_user_ns = req->has_userns,
		.own_pid_ns = ns & CLONE_NEWPID,
		.joins_net_ns = req->ns && req->ns->join & CLONE_NEWNET,
		.rootless = req->rootless,
	};

	if (s->n_args == 0)
		return err_msg(e, EINVAL, "args: empty");
	*out = (struct plan_process){
		.spec = s,
		.args = s->args,
		.cwd = s->cwd,
		.terminal = s->terminal,
		.no_new_privs = s->no_new_privileges,
		.apparmor =
			s->apparmor_profile && *s->apparmor_profile ? s->apparmor_profile : NULL,
		.selinux = s->selinux_label && *s->selinux_label ? s->selinux_label : NULL,
		.preserve_fds = req->preserve_fds,
	};
	out->env = process_env(a, s, &out->preserve_fds);
	if (caps_plan_make(s->capabilities, &out->caps, e) < 0)
		return err_wrap(e, "capabilities");
	if (creds_plan_make(a, &s->user, &out->creds, e) < 0)
		return err_wrap(e, "user");
	return attrs_plan_make(a, &attrs, &out->attrs, e);
}

static int plan_process(struct arena *a, const struct plan_request *req, struct plan *p,
			struct err *e)
{
	const struct container_create_opts *o = req->opts;
	struct plan_process_request r = {
		.spec = p->config.process,
		.linux_ = p->config.linux_,
		.ns = &p->ns,
		.has_userns = (p->ns.make | p->ns.join) & CLONE_NEWUSER,
		.rootless = p->rootless,
		.preserve_fds = o->preserve_fds,
	};
	bool detached = !req->run || o->detach;

	if (plan_process_make(a, &r, &p->process, e) < 0)
		return err_wrap(e, "process");
	if (!p->level)
		annotation_creds(&p->config, &p->process.creds);
	const struct idmap *map = plan_idmap(p);
	uint32_t ignored;
	if (map && !idmap_uid_to_host(map, p->process.creds.uid, &ignored))
		return err_msg(e, EINVAL, "process: user: uid: %u is not mapped",
			       p->process.creds.uid);
	if (map && !idmap_gid_to_host(map, p->process.creds.gid, &ignored))
		return err_msg(e, EINVAL, "process: user: gid: %u is not mapped",
			       p->process.creds.gid);
	if (p->process.terminal && detached && !o->console_socket)
		return err_msg(
			e, EINVAL,
			"cannot allocate tty if runc will detach without setting console socket");
	if (o->console_socket && !(p->process.terminal && detached))
		return err_msg(e, EINVAL,
			       "cannot use console socket if runc will not detach or allocate tty");
	return 0;
}

/* --- seccomp ------------------------------------------------------------------------------ */

static bool allows_all(const struct seccomp_program *s, const struct word *calls)
{
	for (; calls->name; calls++)
		if (!seccomp_allows(s, calls->value))
			return false;
	return true;
}

/* Of whatever size, as malloc asks for it: levels answer to the flags. */
static bool allows_memory(const struct seccomp_program *s)
{
	const uint64_t args[SECCOMP_ARGS] = {
		[1] = 1 << 20,
		[2] = PROT_READ | PROT_WRITE,
		[3] = MAP_PRIVATE | MAP_ANONYMOUS,
		[4] = UINT32_MAX, /* -1, an int */
	};

	return seccomp_allows_call(s, SYS_mmap, args);
}

/* Its own calls; with a listener for the warden also those that make it, which come behind the
 * filter then. */
bool plan_stub_passes(const struct seccomp_program *s)
{
	static const struct word its[] = {
		{"execveat", SYS_execveat},
		{"fcntl",    SYS_fcntl   },
		{"write",    SYS_write   },
		{NULL,       0           },
	};
	static const struct word making[] = {
		{"pwrite64", SYS_pwrite64},
		{"brk",      SYS_brk     },
		{"munmap",   SYS_munmap  },
		{NULL,       0           },
	};

	return allows_all(s, its) &&
	       (!s->notify || s->listener_path || (allows_all(s, making) && allows_memory(s)));
}

bool plan_birth_passes(const struct seccomp_program *s)
{
	static const struct word its[] = {
		{"read",       SYS_read      },
		{"setsid",     SYS_setsid    },
		{"execve",     SYS_execve    },
		{"exit_group", SYS_exit_group},
		{NULL,         0             },
	};

	static const uint64_t birth[SECCOMP_ARGS] = {CLONE_PARENT | SIGCHLD};
	static const uint64_t terminal[SECCOMP_ARGS] = {0, TIOCSCTTY};

	return plan_stub_passes(s) && allows_all(s, its) &&
	       seccomp_allows_call(s, SYS_clone, birth) &&
	       seccomp_allows_call(s, SYS_ioctl, terminal);
}

/*
 * Who starts it in the foreground is its warden, and waits for the start: between the filter and
 * the program nobody answers a call.
 */
static int check_unanswered(const struct seccomp_program *s, struct err *e)
{
	static const struct word calls[] = {
		{"sendmsg, by which the warden gets its listener", SYS_sendmsg   },
		{"execve, by which the program starts",            SYS_execve    },
		{"exit_group, should that fail",                   SYS_exit_group},
		{NULL,					     0             },
	};

	for (const struct word *c = calls; c->name; c++)
		if (!seccomp_allows(s, c->value))
			return err_msg(e, EINVAL, "seccomp: the filter has to allow %s", c->name);
	return 0;
}

static int plan_seccomp(struct arena *a, const struct container_create_opts *o, struct plan *p,
			struct err *e)
{
	const struct oci_linux *l = p->config.linux_;

	if (l && l->seccomp && seccomp_compile(a, l->seccomp, &p->seccomp, e) < 0)
		return err_wrap(e, "linux: seccomp");
	struct plan_profile *profiles = arena_array(a, o->n_seccomp + 1, sizeof(*profiles));
	for (size_t i = 0; i < o->n_seccomp; i++)
		if (plan_seccomp_file(a, o->seccomp[i], &p->seccomp, &profiles[i], e) < 0)
			return -e->code;
	p->profiles = profiles;
	p->n_profiles = o->n_seccomp;
	p->seccomp_early = p->seccomp.insns && (!p->process.no_new_privs || p->seccomp.notify);
	p->decides = p->seccomp;
	/* What is asked about and what is answered: the same but for that. */
	if (p->level &&
	    (plan_level_seccomp(a, p, p->watch.warden.notify, &p->seccomp, e) < 0 ||
	     (p->watch.warden.notify && plan_level_seccomp(a, p, false, &p->decides, e) < 0)))
		return -e->code;
	/* The observer is told of what is denied, too. */
	if (p->watch.warden.denied && !o->observer && plan_audit_filter(a, p, e) < 0)
		return -e->code;
	if (p->seccomp.notify && !p->seccomp_early && check_unanswered(&p->seccomp, e) < 0)
		return -e->code;
	return o->observer ? plan_observe(a, *o->observer, p, e) : 0;
}

/*
 * sd_notify: the caller's socket is not handed in, the container has one of its own
 * (run/notify.h).  As runc, a directory is bound, because the socket comes with start.
 */
static void plan_notify(struct arena *a, const struct container_host *h, struct plan *p)
{
	static const char *const options[] = {"bind", "nosuid", "noexec", "nodev", "ro", NULL};
	size_t n = p->config.n_mounts, n_env = 0;

	p->notify_host = notify_host();
	/* The caller's service manager is one more door outwards, as its descriptors are. */
	if (p->notify_host && p->level && !plan_level_passes_fds(p->level)) {
		const struct policy_decision d = {
			.field = "NOTIFY_SOCKET",
			.value = "(none)",
			.by = BY_LEVEL,
			.asked = p->notify_host,
			.outcome = OUTCOME_CUT,
			.reason = "the level hands in nothing of the caller's",
		};

		policy_note(a, &p->level->policy, &d);
		p->notify_host = NULL;
	}
	if (!p->notify_host)
		return;
	struct oci_mount *mounts = arena_array(a, n + 1, sizeof(*mounts));
	if (n)
		memcpy(mounts, p->config.mounts, n * sizeof(*mounts));
	mounts[n] = (struct oci_mount){
		.destination = NOTIFY_DIR,
		.type = "bind",
		.source = arena_printf(a, "%s/%s/" NOTIFY_STATE, h->root, p->id),
		.options = options,
		.n_options = LEN(options) - 1,
	};
	p->config.mounts = mounts;
	p->config.n_mounts = n + 1;
	while (p->process.env[n_env])
		n_env++;
	const char **env = arena_array(a, n_env + 2, sizeof(char *));
	if (n_env)
		memcpy(env, p->process.env, n_env * sizeof(char *));
	env[n_env] = "NOTIFY_SOCKET=" NOTIFY_SOCKET;
	p->process.env = env;
}

/*
 * The sandbox's own /etc/resolv.conf, in place of the engine's; written by create.  What the
 * program reads there is the resolver's address alone.
 */
static void plan_resolv_conf(struct arena *a, const struct container_host *h, struct plan *p)
{
	static const char *const options[] = {"bind", "ro", "nosuid", "noexec", "nodev", NULL};
	size_t n = p->config.n_mounts;

	if (!p->egress || !p->egress->resolv_conf)
		return;
	struct oci_mount *mounts = arena_array(a, n + 1, sizeof(*mounts));
	if (n)
		memcpy(mounts, p->config.mounts, n * sizeof(*mounts));
	size_t at = n;
	for (size_t i = 0; i < n; i++)
		if (str_eq(mounts[i].destination, "/etc/resolv.conf"))
			at = i;
	mounts[at] = (struct oci_mount){
		.destination = "/etc/resolv.conf",
		.type = "bind",
		.source = arena_printf(a, "%s/%s/" STORE_RESOLV, h->root, p->id),
		.options = options,
		.n_options = LEN(options) - 1,
	};
	p->config.mounts = mounts;
	p->config.n_mounts = n + (at == n);
}

/* --- all ---------------------------------------------------------------------------------- */

static struct cgroup_request cgroup_request(const struct plan *p)
{
	static const enum cgroup_manager managers[] = {
		[MANAGER_CGROUPFS] = CGROUP_CGROUPFS,
		[MANAGER_SYSTEMD] = CGROUP_SYSTEMD,
		[MANAGER_DISABLED] = CGROUP_DISABLED,
	};
	struct cgroup_request r = {
		.id = p->id,
		.manager = managers[p->manager],
		.rootless = p->rootless,
		.required = p->level,
		.own_namespace = p->ns.make & CLONE_NEWCGROUP,
		.linux_ = p->config.linux_,
	};

	for (size_t i = 0; r.own_namespace && i < p->config.n_mounts; i++) {
		const struct oci_mount *m = &p->config.mounts[i];
		bool rw = str_eq(m->destination, "/sys/fs/cgroup") &&
			  str_starts(m->type ? m->type : "", "cgroup") && !oci_mount_is_readonly(m);

		if (rw && p->has_idmap)
			r.delegate =
				idmap_uid_to_host(&p->idmap, p->process.creds.uid, &r.delegate_uid);
	}
	return r;
}

static int plan_cgroup(struct arena *a, struct plan *p, struct err *e)
{
	struct cgroup_request r = cgroup_request(p);

	if (cgroup_plan_make(a, &p->cgroup_host, &r, &p->cgroup, e) < 0)
		return p->level ? plan_level_cgroup_error(p, e) : -e->code;
	p->cgroup_record = cgroup_plan_record(p->cgroup);
	p->cgroup_attach = cgroup_plan_needs_attach(p->cgroup);
	return 0;
}

int plan_cgroup_with_cpus(struct arena *a, struct plan *p, const char *cpus, const char *mems,
			  struct err *e)
{
	struct oci_linux *l = arena_new(a, sizeof(*l));
	struct oci_resources *r = arena_new(a, sizeof(*r));
	struct oci_cpu *cpu = arena_new(a, sizeof(*cpu));

	*l = *p->config.linux_;
	if (l->resources)
		*r = *l->resources;
	if (r->cpu)
		*cpu = *r->cpu;
	cpu->cpus = cpus;
	if (mems && !(cpu->mems && *cpu->mems))
		cpu->mems = mems;
	r->cpu = cpu;
	l->resources = r;
	p->config.linux_ = l;
	return plan_cgroup(a, p, e);
}

/*
 * `create` alone is an engine's, which reaps what it asked for.  What a script leaves behind is
 * reaped by whoever reaps orphans, before anybody has asked how it ended: its warden has to be its
 * parent.
 */
static bool is_left_behind(const struct plan_request *req, const struct plan *p)
{
	return p->watch.detached && (req->run || reuse_wanted(req->opts, &p->config));
}

/* Only where the warden can be around it (plan_warden). */
static bool has_no_parent(const struct plan_request *req, const struct plan *p)
{
	return p->level && is_left_behind(req, p) && p->privileged && p->ns.make & CLONE_NEWPID;
}

static void plan_warden(struct arena *a, const struct plan_request *req, struct plan *p)
{
	struct plan_watch *w = &p->watch;

	w->encloses = w->detached && p->privileged && p->ns.make & CLONE_NEWPID;
	w->warden.reaps = w->encloses && is_left_behind(req, p);
	w->warden.tied = !w->detached && p->privileged && p->ns.make & CLONE_NEWPID &&
			 plan_level_may_change_user(p);
	/* It takes a process that is born in the warden's namespace, or the tie's. */
	p->staged = p->staged || w->encloses || w->warden.tied;
	if (p->level && w->detached && !w->encloses) {
		const struct policy_decision d = {
			.field = "warden",
			.value = "not around the sandbox",
			.by = BY_HOST,
			.outcome = OUTCOME_RECORDED,
			.reason = p->privileged
					  ? "the pid namespace is another's: a killed warden "
					    "leaves the sandbox without a wall clock"
					  : "brig has no rights on this host: a killed warden "
					    "leaves the sandbox without a wall clock",
		};

		policy_note(a, &p->level->policy, &d);
	}
}

static int plan_fs(struct arena *a, struct plan *p, struct err *e)
{
	struct cgroup_view *views = NULL;
	struct fs_request r = {
		.config = &p->config,
		.bundle = p->bundle,
		.no_pivot = p->no_pivot,
		.rootless = !p->privileged || (p->nested && !owns_mount_namespace()),
		.has_userns = (p->ns.make | p->ns.join) & CLONE_NEWUSER,
		.own_cgroup_ns = (p->ns.make | p->ns.join) & CLONE_NEWCGROUP,
		.own_mount_ns = p->ns.make & CLONE_NEWNS,
		.own_net_ns = p->ns.make & CLONE_NEWNET,
		.joins_net_ns = p->ns.join & CLONE_NEWNET,
		.idmap = p->has_idmap ? &p->idmap : NULL,
		.cgroup_layout = cgroup_plan_layout(p->cgroup),
		.files = p->files.n ? &p->files : NULL,
	};
	const struct plan_level *l = p->level;

	if (l) {
		const struct level *lv = &l->policy.level;

		r.late_userns = l->late;
		r.untouched = p->config.root->readonly;
		r.private_root = lv->root.private && *lv->root.private;
		r.tmpfs_size = lv->writable.size ? *lv->writable.size : 0;
		r.tmpfs_inodes = lv->writable.inodes ? *lv->writable.inodes : 0;
		r.machine = l->machine;
	}
	r.tmpfs_root = p->host_root;
	r.overlays = plan_layers_overlays(a, &p->layers, &r.n_overlays);

	r.n_cgroup_views = cgroup_plan_views(a, p->cgroup, &views);
	r.cgroup_views = views;
	return fs_plan_make(a, &r, &p->fs, e);
}

/*
 * Processes of a joined pid namespace see the container's first process before it has executed
 * the stub.  Without a user namespace one of them may have CAP_SYS_PTRACE over it.
 */
static bool is_seen_by_others(const struct plan *p)
{
	return p->ns.join & CLONE_NEWPID && !((p->ns.make | p->ns.join) & CLONE_NEWUSER);
}

static bool needs_sealed_self(const struct plan *p)
{
	const struct oci_hooks *h = p->config.hooks;

	/* The stub's calls would be seen, too. */
	if (p->observer)
		return true;
	/* The hook's file is the image's, and may be a script of "#!/proc/self/exe". */
	if (is_seen_by_others(p) || (h && h->n_start_container))
		return true;
	/* A filter that the stub does not pass is left to it where nobody can trace it. */
	return !plan_stub_passes(&p->seccomp) &&
	       (p->seccomp_early || p->seccomp.notify || !(p->ns.make & CLONE_NEWPID));
}

int plan_make(struct arena *a, const struct plan_request *req, struct plan *p, struct err *e)
{
	const struct container_create_opts *o = req->opts;

	*p = (struct plan){
		.id = req->id,
		.bundle =
			o->bundle ? o->bundle : arena_printf(a, "%s/%s", req->host->root, req->id),
		.privileged = plan_is_privileged(),
		.run = req->run,
		.no_pivot = o->no_pivot,
		.new_keyring = !o->no_new_keyring,
		.console_socket = o->console_socket,
		.direct = o->direct,
		.host_root = o->direct && o->direct->host_root,
	};
	p->nested = plan_in_user_namespace();
	p->rootless = is_rootless(req->host, p->nested);
	p->manager = req->host->manager;
	if (read_config(a, o, p, e) < 0 || plan_context(a, o, p, e) < 0 ||
	    plan_level_make(a, req, p, &p->level, e) < 0)
		return -e->code;
	/* crun's annotations are for config.json alone to decide. */
	if (!p->level && annotation_apply(a, &p->config, e) < 0)
		return -e->code;
	const struct oci_linux *l = p->config.linux_;
	if (plan_audit(a, p, e) < 0 || plan_namespaces(a, p, e) < 0 ||
	    plan_process(a, req, p, e) < 0 || plan_egress_make(a, req, p, &p->egress, e) < 0 ||
	    cgroup_host_probe(a, &p->cgroup_host, e) < 0 ||
	    (p->level && plan_level_finish(a, p->level, p, e) < 0))
		return -e->code;
	if (plan_audit_wanted(p, req->opts->audit, e) < 0)
		return -e->code;
	plan_violations(&p->policy->level, &p->watch.warden);
	p->watch.warden.lease = o->pool;
	p->watch.wanted = p->watch.wanted || o->pool || plan_violations_watched(&p->watch.warden);
	if (plan_layers(a, o, p, e) < 0)
		return -e->code;
	p->watch.detached = !req->run || req->opts->detach;
	p->watch.wanted = p->watch.wanted || p->layers.keep || has_no_parent(req, p);
	if (p->watch.wanted)
		plan_warden(a, req, p);
	plan_notify(a, req->host, p);
	plan_resolv_conf(a, req->host, p);
	if (plan_secrets(a, req->secrets, p, e) < 0 || plan_seccomp(a, o, p, e) < 0 ||
	    plan_cgroup(a, p, e) < 0 ||
	    resctrl_plan_make(a, p->id, l ? l->intel_rdt : NULL, &p->resctrl, e) < 0 ||
	    plan_fs(a, p, e) < 0)
		return -e->code;
	p->sealed_self = needs_sealed_self(p);
	p->need_procfs = p->level || attrs_need_procfs(p->process.attrs) || p->process.apparmor ||
			 p->process.selinux;
	return 0;
}
