#include "reuse.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "lease.h"
#include "reuse_lower.h"
#include "reuse_policy.h"
#include "specs/json_print.h"
#include "specs/request.h"
#include "store.h"
#include "volumes.h"

#define PREFIX "dev.brig.reuse"

int reuse_boot_id(struct reuse_boot *out, struct err *e)
{
	ssize_t n =
		file_peek(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out->id, sizeof(out->id));

	return n < 0 ? err_set(e, (int)-n, "boot id") : 0;
}

uint64_t reuse_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* --- what is asked ------------------------------------------------------------------------ */

/* An option is nearer than an annotation. */
struct wish {
	bool on;
	uint64_t max_uses, max_age_ms, max_idle_ms;
	struct state_retire_on retire_on;
	bool retires;
	const char *key;
};

static int read_on(const char *text, struct wish *w)
{
	w->on = w->on || str_eq(text, "true");
	return str_eq(text, "true") || str_eq(text, "false") ? 0 : -EINVAL;
}

static int read_uses(const char *text, struct wish *w)
{
	return str_u64(text, &w->max_uses) && w->max_uses ? 0 : -EINVAL;
}

static int read_age(const char *text, struct wish *w)
{
	return str_duration(text, &w->max_age_ms) && w->max_age_ms ? 0 : -EINVAL;
}

static int read_idle(const char *text, struct wish *w)
{
	return str_duration(text, &w->max_idle_ms) && w->max_idle_ms ? 0 : -EINVAL;
}

static int read_retire_on(const char *text, struct wish *w)
{
	w->retires = true;
	return reuse_read_retire_on(text, &w->retire_on);
}

static int read_key(const char *text, struct wish *w)
{
	w->key = text;
	return 0;
}

static const struct {
	const char *name, *what;
	int (*read)(const char *text, struct wish *w);
} annotations[] = {
	{PREFIX,              "true or false",                   read_on       },
	{PREFIX ".max_uses",  "a number above 0",                read_uses     },
	{PREFIX ".max_age",   "a duration above 0",              read_age      },
	{PREFIX ".max_idle",  "a duration above 0",              read_idle     },
	{PREFIX ".retire_on", "a list such as memory=0.9,cpu=1", read_retire_on},
	{PREFIX ".key",       "a word",                          read_key      },
};

static int read_annotation(const struct oci_map *m, struct wish *w, struct err *e)
{
	for (size_t i = 0; i < LEN(annotations); i++) {
		if (!str_eq(m->key, annotations[i].name))
			continue;
		if (annotations[i].read(m->value, w) == 0)
			return 0;
		return err_msg(e, EINVAL, "annotation %s: \"%.40s\" is not %s", m->key, m->value,
			       annotations[i].what);
	}
	return str_starts(m->key, PREFIX) && !plan_layers_knows(m->key)
		       ? err_msg(e, EINVAL, "annotation %.80s: not known to this version", m->key)
		       : 0;
}

bool reuse_wanted(const struct container_create_opts *o, const struct oci_config *c)
{
	bool on = o->reuse;

	for (size_t i = 0; i < c->n_annotations; i++)
		on = on || (str_eq(c->annotations[i].key, PREFIX) &&
			    str_eq(c->annotations[i].value, "true"));
	return on;
}

static int check_key(const char *key, struct err *e)
{
	enum { LONGEST = 256 };
	size_t n = key ? strlen(key) : 0;

	if (key && (n == 0 || n > LONGEST))
		return err_msg(e, EINVAL, "reuse key: not of 1 to %d bytes", LONGEST);
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)key[i] <= ' ' || key[i] == 0x7f)
			return err_msg(e, EINVAL, "reuse key: a blank or control character in it");
	return 0;
}

static int read_wish(const struct container_create_opts *o, const struct plan *p, struct wish *w,
		     struct err *e)
{
	const struct oci_config *c = &p->config;
	bool asked = p->layers.asked; /* of its layers and volumes */

	*w = (struct wish){.on = o->reuse};
	for (size_t i = 0; i < c->n_annotations; i++)
		if (read_annotation(&c->annotations[i], w, e) < 0)
			return -e->code;
	if (o->max_uses)
		w->max_uses = *o->max_uses;
	if (o->max_age_ms)
		w->max_age_ms = *o->max_age_ms;
	if (o->max_idle_ms)
		w->max_idle_ms = *o->max_idle_ms;
	if (o->reuse_key)
		w->key = o->reuse_key;
	if (o->retire_on && read_retire_on(o->retire_on, w) < 0)
		return err_msg(e, EINVAL,
			       "--retire-on: \"%.80s\" is no list such as memory=0.9,cpu=1",
			       o->retire_on);
	if ((o->max_uses && !w->max_uses) || (o->max_age_ms && !w->max_age_ms) ||
	    (o->max_idle_ms && !w->max_idle_ms))
		return err_msg(e, ERANGE, "--max-uses, --max-age and --max-idle: above 0");
	if (!w->on && (w->max_uses || w->max_age_ms || w->max_idle_ms || w->retires || w->key ||
		       o->digests || o->packages || asked))
		return err_msg(e, EINVAL, "what is asked of reuse needs --reuse (" PREFIX ")");
	return check_key(w->key, e);
}

/* --- what can be used again --------------------------------------------------------------- */

/* Of these each generation has one of its own, empty. */
static bool is_made_anew(const struct oci_mount *m)
{
	static const char *const types[] = {"tmpfs", "proc", "sysfs", "mqueue", "devpts"};

	for (size_t i = 0; i < LEN(types); i++)
		if (str_eq(m->type, types[i]))
			return true;
	return oci_mount_is_readonly(m) &&
	       (str_eq(m->type, "cgroup") || str_eq(m->type, "cgroup2"));
}

static const char *bad_mount(struct arena *a, const struct plan *p)
{
	for (size_t i = 0; i < p->config.n_mounts; i++) {
		const struct oci_mount *m = &p->config.mounts[i];

		const struct plan_volume *v = plan_layers_volume(&p->layers, i);

		if (v                      ? v->policy != VOLUME_REFUSE
		    : oci_mount_is_bind(m) ? oci_mount_is_readonly(m)
					   : is_made_anew(m))
			continue;
		return arena_printf(a, "mounts: %.200s: what is written there would stay%s",
				    m->destination, v ? " (--volume)" : "");
	}
	return NULL;
}

static bool has_hooks(const struct plan *p)
{
	const struct oci_hooks *h = p->config.hooks;

	return h && (h->n_prestart || h->n_create_runtime || h->n_create_container ||
		     h->n_start_container || h->n_poststart || h->n_poststop);
}

/* What others do on the host is theirs to undo: who may be trusted with that the administrator
 * says. */
static const char *bad_hook(struct arena *a, const struct plan *p)
{
	const char *path =
		p->level ? policy_unnamed_hook(a, &p->level->policy.admin, p->config.hooks) : NULL;

	return path ? arena_printf(a,
				   "hooks: %.200s: what it leaves is not known, and hooks_allowed "
				   "of brig.json does not name it",
				   path)
		    : NULL;
}

/* Why not; NULL: it can be. */
static const char *not_reusable(struct arena *a, const struct container_create_opts *o,
				const struct plan *p)
{
	const uint64_t own = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;
	/* A network namespace that others have made is scrubbed. */
	const uint64_t net = (p->ns.make | p->ns.join) & CLONE_NEWNET;
	const size_t n_joins = p->ns.join & CLONE_NEWNET ? 1 : 0;
	const struct oci_linux *l = p->config.linux_;
	const struct {
		bool holds;
		const char *why;
	} reasons[] = {
		{!p->level,						    "at level custom nothing is promised that could be proved"           },
		{p->run,						       "run makes it for one program: create does"                          },
		{p->nested,						    "in a user namespace that somebody else made none can be made so far"},
		{p->rootless && p->privileged,
		 "--rootless: it is made with the host's root's rights all the same"                                                                },
		{(p->ns.make & own) != own || !net || p->ns.n_joins != n_joins ||
			 (p->level && p->level->userns_path),
		 "a namespace is joined, or the host's: what is left there would stay"                                                              },
		{p->rootless && (p->egress || n_joins),
		 "a plain user's network beyond lo is not made anew so far"                                                                         },
		{p->manager == MANAGER_DISABLED,
		 "--cgroup-manager disabled: nobody could count its processes"                                                                      },
		{p->level && p->level->policy.pod,
		 "its ids are shared with the other containers of its pod"									  },
		{!p->config.root->readonly,                                    "its root file system is writable"                                   },
		{l && (l->intel_rdt || l->n_net_devices),
		 "linux: intelRdt and netDevices are not made anew so far"									  },
		{p->process.terminal || o->console_socket,
		 "a terminal belongs to one generation only"											},
		{o->preserve_fds || plan_listen_fds(),                         "descriptors of the caller's are handed in"                          },
		{o->env_fd || o->n_secrets,
		 "--env-fd and --secret are for one generation: start takes them"                                                                   },
		{o->n_grants,						  "--grant is for one generation"                                      },
		{o->pidfd_socket,					      "--pidfd-socket: only generation 1 could be sent there"              },
		{p->notify_host,					       "NOTIFY_SOCKET of the caller is handed in"                           },
		{p->no_program,						"config.json has no process"                                         },
	};

	for (size_t i = 0; i < LEN(reasons); i++)
		if (reasons[i].holds)
			return reasons[i].why;
	const char *why = bad_mount(a, p);
	return why ? why : bad_hook(a, p);
}

/* The host's addresses, too: what is never reached depends on them. */
static void add_network(struct arena *a, struct json_out *o, const struct plan_egress *x)
{
	size_t len;

	json_key_str(o, "network", egress_print(a, x->policy, &len));
	if (x->policy->net != EGRESS_NET_VETH)
		return;
	json_key_str(o, "slots", x->veth.directory);
	json_key_str(o, "pool", egress_address_text(a, &x->veth.pool));
	if (x->veth.pool6.family)
		json_key_str(o, "pool6", egress_address_text(a, &x->veth.pool6));
}

const char *reuse_plan_digest(struct arena *a, const struct plan *p)
{
	char hex[SHA256_HEX], filter[SHA256_HEX];
	struct json_out o;
	size_t len;

	sha256_hex(p->seccomp.insns, p->seccomp.n_insns * sizeof(*p->seccomp.insns), filter);
	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "policy", p->level ? p->level->policy.digest : NULL);
	json_key_str(&o, "rootfs", fs_plan_rootfs(p->fs));
	json_key_str(&o, "filter", filter);
	json_key_uint(&o, "filterFlags", p->seccomp.flags);
	if (p->egress)
		add_network(a, &o, p->egress);
	json_key(&o, "config");
	json_print_type(&o, oci_config_type(), &p->config);
	json_end_object(&o);
	const char *text = json_done(&o, &len);

	sha256_hex(text, len, hex);
	return arena_printf(a, "sha256:%s", hex);
}

int reuse_plan(struct arena *a, const struct container_create_opts *o, const struct plan *p,
	       struct state_reuse **out, struct err *e)
{
	struct reuse_boot boot;
	struct wish w;

	*out = NULL;
	if (read_wish(o, p, &w, e) < 0)
		return -e->code;
	if (!w.on)
		return 0;
	const char *why = not_reusable(a, o, p);
	if (why)
		return err_msg(e, EOPNOTSUPP, "it cannot be reused: %s", why);
	why = reuse_unknown_use(p, &w.retire_on);
	if (why)
		return err_msg(e, EOPNOTSUPP, "--retire-on %s", why);
	if (reuse_boot_id(&boot, e) < 0)
		return -e->code;
	struct state_reuse *u = arena_new(a, sizeof(*u));
	*u = (struct state_reuse){
		.generation = 1,
		.max_uses = w.max_uses,
		.max_age_ms = w.max_age_ms,
		.max_idle_ms = w.max_idle_ms,
		.retire_on = w.retire_on,
		.key = w.key ? w.key : reuse_default_key(a, p),
		.hooks = has_hooks(p),
		.pool = o->pool,
		.boot_id = arena_strdup(a, boot.id),
		.created_ns = reuse_now_ns(),
		.generation_ns = reuse_now_ns(),
		.plan = reuse_plan_digest(a, p),
	};
	*out = u;
	return 0;
}

/* --- the request -------------------------------------------------------------------------- */

static const char *profile_name(struct arena *a, size_t i)
{
	return arena_printf(a, REUSE_PROFILE "%zu", i);
}

/* A reset may be called from elsewhere. */
static const char *absolute(struct arena *a, const char *path)
{
	char cwd[PATH_MAX];

	if (!path || *path == '/' || !getcwd(cwd, sizeof(cwd)))
		return path;
	return arena_printf(a, "%s/%s", cwd, path);
}

int reuse_save_request(struct arena *a, const struct container_host *h,
		       const struct container_create_opts *o, const struct plan *p, int dir,
		       struct err *e)
{
	const struct container_network *n = o->network;
	struct brig_request r = {
		.v = 1,
		.bundle = p->bundle,
		.level = o->level ? o->level : h->level,
		.system_config = absolute(a, h->system_config),
		.manager = request_managers[h->manager],
		.pid_file = o->pid_file,
		.audit = o->audit,
		.pool = o->pool,
		.keep_keyring = o->no_new_keyring,
		.pin_wait_ms = o->pin_wait_ms,
		.keep_layers = o->keep_layers,
		.volumes = o->volumes,
		.n_volumes = o->n_volumes,
		.profiles = (uint32_t)p->n_profiles,
	};
	size_t len;

	if (n) {
		r.net = n->net;
		r.egress = n->egress;
		r.n_egress = n->n_egress;
		r.ingress = n->ingress;
		r.n_ingress = n->n_ingress;
		r.resolvers = n->resolvers;
		r.n_resolvers = n->n_resolvers;
	}
	reuse_inherited(a, &r);
	const char *text = request_print(a, &r, &len);

	for (size_t i = 0; i < p->n_profiles; i++)
		if (file_replace(dir, profile_name(a, i), p->profiles[i].text, p->profiles[i].len,
				 0600, e) < 0)
			return -e->code;
	if (file_replace(dir, REUSE_CONFIG, p->config_text, p->config_len, 0600, e) < 0)
		return -e->code;
	return file_replace(dir, REUSE_REQUEST, text, len, 0600, e);
}

static const char *const *profiles(struct arena *a, const char *directory, size_t n)
{
	const char **list = arena_array(a, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = arena_printf(a, "%s/%s", directory, profile_name(a, i));
	return list;
}

/* NULL: config.json alone says. */
static const struct container_network *network_of(struct arena *a, const struct brig_request *r)
{
	struct container_network *n = arena_new(a, sizeof(*n));

	if (!r->net && !r->n_egress && !r->n_ingress && !r->n_resolvers)
		return NULL;
	*n = (struct container_network){
		.net = r->net,
		.egress = r->egress,
		.n_egress = r->n_egress,
		.ingress = r->ingress,
		.n_ingress = r->n_ingress,
		.resolvers = r->resolvers,
		.n_resolvers = r->n_resolvers,
	};
	return n;
}

int reuse_load_request(struct arena *a, const struct container_host *h, const char *id, int dir,
		       struct container_host *host, struct container_create_opts *out,
		       struct err *e)
{
	struct brig_request r;
	char *text;
	size_t len;

	if (file_read(a, dir, REUSE_REQUEST, REQUEST_MAX_BYTES, &text, &len, e) < 0)
		return -e->code;
	if (request_parse(a, text, len, &r, e) < 0)
		return err_wrap(e, REUSE_REQUEST);
	if (reuse_inherit(&r, e) < 0)
		return -e->code;
	*host = *h;
	host->level = NULL;
	host->system_config = r.system_config;
	host->rootless = ROOTLESS_AUTO;
	for (int m = MANAGER_CGROUPFS; m <= MANAGER_DISABLED; m++)
		if (str_eq(r.manager, request_managers[m]))
			host->manager = (enum container_manager)m;
	const char *directory = arena_printf(a, "%s/%s", h->root, id);
	*out = (struct container_create_opts){
		.id = id,
		.bundle = r.bundle,
		.config_path = arena_printf(a, "%s/" REUSE_CONFIG, directory),
		.pid_file = r.pid_file,
		.audit = r.audit,
		.pool = r.pool,
		.no_new_keyring = r.keep_keyring,
		.level = r.level,
		.pin_wait_ms = r.pin_wait_ms,
		.keep_layers = r.keep_layers,
		.volumes = r.volumes,
		.n_volumes = r.n_volumes,
		.seccomp = profiles(a, directory, r.profiles),
		.n_seccomp = r.profiles,
		.reuse = true,
		.network = network_of(a, &r),
	};
	return 0;
}

/* --- files -------------------------------------------------------------------------------- */

/* What is the shell's; taint is for good. */
static const char *const kept[] = {
	STORE_STATE,    REUSE_REQUEST, REUSE_CONFIG, REUSE_TAKEN, REUSE_DIGESTS,
	REUSE_PACKAGES, VOLUMES_FILE,  LEASE_FILE,   "taint",     "audit-lost",
};

static bool is_kept(const char *name, const char *result)
{
	for (size_t i = 0; i < LEN(kept); i++)
		if (str_eq(name, kept[i]))
			return true;
	return str_starts(name, REUSE_PROFILE) || str_eq(name, result) || str_eq(name, ".") ||
	       str_eq(name, "..");
}

static int drop(int dir, const char *name, struct err *e)
{
	if (unlinkat(dir, name, 0) == 0 || errno == ENOENT)
		return 0;
	return errno == EISDIR ? file_remove_tree(dir, name, e)
			       : err_set(e, errno, "remove %s", name);
}

int reuse_forget(int dir, uint64_t generation, bool half_made, struct err *e)
{
	char result[64];
	struct dirent *de;
	own_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return err_set(e, errno, "open the state directory");
	fd = -1;
	snprintf(result, sizeof(result), STORE_RESULT_OF, generation);
	/* A reset that was cut short has renamed it before. */
	if (!half_made && renameat(dir, STORE_RESULT, dir, result) < 0 && errno != ENOENT)
		return err_set(e, errno, "rename " STORE_RESULT);
	/* What names its hooks goes before what says that they have run. */
	if (drop(dir, STORE_CONFIG, e) < 0)
		return -e->code;
	for (;;) {
		errno = 0;
		de = readdir(d);
		if (!de)
			return errno ? err_set(e, errno, "read the state directory") : 0;
		if (!is_kept(de->d_name, result) && drop(dir, de->d_name, e) < 0)
			return -e->code;
	}
}

/* --- the end of it ------------------------------------------------------------------------ */

/* What it held of the host (ids, addresses, CPUs) was given back by the reboot, and the clock of
 * its times began anew. */
static bool is_of_another_boot(const struct state_reuse *u)
{
	struct reuse_boot boot;
	struct err ignored;

	return u->boot_id && reuse_boot_id(&boot, &ignored) == 0 && !str_eq(u->boot_id, boot.id);
}

const char *reuse_retired(struct arena *a, const struct state_reuse *u, bool uses)
{
	uint64_t now = reuse_now_ns();
	uint64_t age_ms = now > u->created_ns ? (now - u->created_ns) / 1000000 : 0;

	if (u->retired)
		return u->retired;
	if (is_of_another_boot(u))
		return "it was made before the machine was booted";
	if (u->max_age_ms && age_ms >= u->max_age_ms)
		return arena_printf(a, "it is %" PRIu64 " s old, at most %" PRIu64 " s are allowed",
				    age_ms / 1000, u->max_age_ms / 1000);
	if (uses && u->max_uses && u->uses >= u->max_uses)
		return arena_printf(a, "it was used %" PRIu64 " times, as often as is allowed",
				    u->uses);
	return NULL;
}
