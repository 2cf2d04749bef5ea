#include "direct.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "guard/creds.h"
#include "policy/wishes.h"

int direct_id(struct arena *a, const char **out, struct err *e)
{
	unsigned char b[10];
	char *text = arena_new(a, 2 * sizeof(b) + 6);

	if (getrandom(b, sizeof(b), 0) != (ssize_t)sizeof(b))
		return err_set(e, errno, "getrandom");
	int n = sprintf(text, "brig-");
	for (size_t i = 0; i < sizeof(b); i++)
		n += sprintf(text + n, "%02x", b[i]);
	*out = text;
	return 0;
}

/* --- mounts ------------------------------------------------------------------------------- */

static const struct row {
	const char *destination, *type, *source, *options;
} base_mounts[] = {
	{"/proc",          "proc",   "proc",   "nosuid,noexec,nodev"                              },
	{"/dev",           "tmpfs",  "tmpfs",  "nosuid,strictatime,mode=755,size=65536"           },
	{"/dev/pts",       "devpts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620"},
	{"/dev/shm",       "tmpfs",  "shm",    "nosuid,noexec,nodev,mode=1777"                    },
	{"/dev/mqueue",    "mqueue", "mqueue", "nosuid,noexec,nodev"                              },
	{"/sys",           "sysfs",  "sysfs",  "nosuid,noexec,nodev,ro"                           },
 /* Where a JVM looks for its memory limit: sysinfo(2) tells the host's. */
	{"/sys/fs/cgroup", "cgroup", "cgroup", "nosuid,noexec,nodev,ro"                           },
};

/* The host's own programs, as far as the host has these directories. */
static const char *const host_paths[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/etc",
};

static const char *const *split(struct arena *a, const char *words, size_t *n)
{
	const char **out = arena_array(a, strlen(words) / 2 + 2, sizeof(*out));

	*n = 0;
	while (*words) {
		size_t len = strcspn(words, ",");

		out[(*n)++] = arena_strndup(a, words, len);
		words += len + (words[len] == ',');
	}
	return out;
}

static void add_mount(struct arena *a, struct oci_mount *list, size_t *n, const struct row *r)
{
	struct oci_mount *m = &list[(*n)++];

	*m = (struct oci_mount){
		.destination = r->destination, .type = r->type, .source = r->source};
	m->options = split(a, r->options, &m->n_options);
}

/* HOST[:PATH]; a colon within a name is not possible, as everywhere in such options. */
static int add_bind(struct arena *a, const char *option, const char *text, bool readonly,
		    struct oci_mount *list, size_t *n, struct err *e)
{
	const char *colon = strchr(text, ':');
	const char *host = colon ? arena_strndup(a, text, (size_t)(colon - text)) : text;
	const char *inside = colon ? colon + 1 : text;
	own_free char *real = realpath(host, NULL);

	if (!real)
		return err_set(e, errno, "--%s %s", option, text);
	if (inside[0] != '/')
		return err_msg(e, EINVAL, "--%s %s: the path inside is not absolute", option, text);
	const struct row r = {inside, "bind", arena_strdup(a, real),
			      readonly ? "rbind,rro,nosuid,nodev" : "rbind,rw,nosuid,nodev"};
	add_mount(a, list, n, &r);
	return 0;
}

static void add_host_root(struct arena *a, struct oci_mount *list, size_t *n)
{
	struct stat st;

	for (size_t i = 0; i < LEN(host_paths); i++) {
		const struct row r = {host_paths[i], "bind", host_paths[i],
				      "rbind,rro,nosuid,nodev,brig.unmapped"};

		if (stat(host_paths[i], &st) == 0 && S_ISDIR(st.st_mode))
			add_mount(a, list, n, &r);
	}
}

static int make_mounts(struct arena *a, const struct container_direct *d, struct oci_config *c,
		       struct err *e)
{
	struct oci_mount *list = arena_array(
		a, LEN(base_mounts) + LEN(host_paths) + d->n_ro + d->n_bind, sizeof(*list));
	size_t n = 0;

	if (d->host_root)
		add_host_root(a, list, &n);
	for (size_t i = 0; i < LEN(base_mounts); i++)
		add_mount(a, list, &n, &base_mounts[i]);
	for (size_t i = 0; i < d->n_ro; i++)
		if (add_bind(a, "ro", d->ro[i], true, list, &n, e) < 0)
			return -e->code;
	for (size_t i = 0; i < d->n_bind; i++)
		if (add_bind(a, "bind", d->bind[i], false, list, &n, e) < 0)
			return -e->code;
	c->mounts = list;
	c->n_mounts = n;
	return 0;
}

/* --- the process -------------------------------------------------------------------------- */

/* What standard grants at most; high cuts it to nothing. */
static const char *const root_caps[] = {
	"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",           "CAP_SETUID",
	"CAP_SETGID", "CAP_KILL",         "CAP_NET_BIND_SERVICE", NULL,
};

static const char *const default_env[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	("HOME=" DIRECT_HOME),
	"LANG=C.UTF-8",
};

static bool names(const char *entry, const char *with)
{
	size_t n = strcspn(entry, "=");

	return strncmp(entry, with, n) == 0 && with[n] == '=';
}

static int make_env(struct arena *a, const struct container_direct *d, struct oci_process *p,
		    struct err *e)
{
	const char **env = arena_array(a, LEN(default_env) + d->n_env + 1, sizeof(*env));
	size_t n = 0;

	for (size_t i = 0; i < LEN(default_env); i++) {
		bool given = false;

		for (size_t k = 0; k < d->n_env; k++)
			given |= names(default_env[i], d->env[k]);
		if (!given)
			env[n++] = default_env[i];
	}
	for (size_t i = 0; i < d->n_env; i++) {
		const char *v = d->env[i];

		/* NAME alone: the caller's value, if there is one. */
		if (!strchr(v, '=')) {
			const char *value = getenv(v);

			if (!value)
				continue;
			v = arena_printf(a, "%s=%s", v, value);
		}
		if (v[0] == '=')
			return err_msg(e, EINVAL, "--env %s: no name", d->env[i]);
		env[n++] = v;
	}
	p->env = env;
	p->n_env = n;
	return 0;
}

static int make_process(struct arena *a, const struct container_direct *d, struct oci_config *c,
			struct err *e)
{
	struct oci_process *p = arena_new(a, sizeof(*p));
	struct oci_capabilities *caps = arena_new(a, sizeof(*caps));

	*p = (struct oci_process){
		.terminal = d->tty,
		.user = {.uid = DIRECT_UID, .gid = DIRECT_GID},
		.args = d->args,
		.cwd = d->cwd ? d->cwd : DIRECT_HOME,
		.no_new_privileges = true,
		.capabilities = caps,
	};
	while (p->args && p->args[p->n_args])
		p->n_args++;
	if (!p->n_args)
		return err_msg(e, EINVAL, "no program: run ... -- PROGRAM [ARGUMENT...]");
	if (p->cwd[0] != '/')
		return err_msg(e, EINVAL, "--cwd %s: not an absolute path", p->cwd);
	if (d->user && creds_parse_user(d->user, &p->user.uid, &p->user.gid, e) < 0)
		return err_wrap(e, "--user");
	/* A user of that number mostly has a group of that number. */
	if (d->user && !strchr(d->user, ':'))
		p->user.gid = p->user.uid;
	if (p->user.uid == 0) {
		caps->bounding = caps->effective = caps->permitted = root_caps;
		caps->n_bounding = caps->n_effective = caps->n_permitted = LEN(root_caps) - 1;
	}
	c->process = p;
	return make_env(a, d, p, e);
}

/* --- the rest ----------------------------------------------------------------------------- */

static const struct oci_namespace namespaces[] = {
	{"pid",     NULL},
        {"network", NULL},
        {"ipc",     NULL},
        {"uts",     NULL},
	{"mount",   NULL},
        {"cgroup",  NULL},
        {"user",    NULL},
};

static const char *const masked[] = {
	"/proc/acpi",
	"/proc/asound",
	"/proc/interrupts",
	"/proc/kcore",
	"/proc/keys",
	"/proc/latency_stats",
	"/proc/sched_debug",
	"/proc/scsi",
	"/proc/timer_list",
	"/proc/timer_stats",
	"/sys/firmware",
	"/sys/devices/virtual/powercap",
	"/sys/devices/virtual/tpm",
	NULL,
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger", NULL,
};

static int make_root(struct arena *a, const struct container_direct *d, struct oci_config *c,
		     struct err *e)
{
	struct oci_root *root = arena_new(a, sizeof(*root));
	own_free char *real = realpath(d->rootfs, NULL);

	if (!real)
		return err_set(e, errno, "--rootfs %s", d->rootfs);
	root->path = arena_strdup(a, real);
	root->readonly = d->readonly;
	c->root = root;
	return 0;
}

/* Without "no limit": who wants none leaves the option out. */
static int take_sizes(struct arena *a, const struct container_direct *d, struct policy_wishes *out,
		      struct err *e)
{
	const struct {
		const char *option;
		const int64_t *from;
		const uint64_t **to;
	} sizes[] = {
		{"fsize",         d->fsize,         &out->fsize        },
		{"max-output",    d->output,        &out->output       },
		{"disk",          d->disk,          &out->disk         },
		{"inodes",        d->inodes,        &out->inodes       },
		{"net-bytes",     d->net_bytes,     &out->net_bytes    },
		{"net-bandwidth", d->net_bandwidth, &out->net_bandwidth},
	};

	for (size_t i = 0; i < LEN(sizes); i++) {
		uint64_t *n = arena_new(a, sizeof(*n));

		if (!sizes[i].from)
			continue;
		if (*sizes[i].from < 1)
			return err_msg(e, EINVAL, "--%s: %lld is too little: 1 is the least",
				       sizes[i].option, (long long)*sizes[i].from);
		*n = (uint64_t)*sizes[i].from;
		*sizes[i].to = n;
	}
	return 0;
}

int direct_wishes(struct arena *a, const struct container_direct *d, struct policy_wishes *out,
		  struct err *e)
{
	struct policy_write *w = arena_array(a, d->n_write + 1, sizeof(*w));

	*out = (struct policy_wishes){
		.language = d->language,
		.pin = d->pin,
		.memory = d->memory,
		.swap = d->swap,
		.pids = d->pids,
		.nofile = d->nofile,
		.wall_ms = d->wall_ms,
		.cpu_ms = d->cpu_ms,
		.grace_ms = d->grace_ms,
		.io = d->io,
		.n_io = d->n_io,
		.write = w,
		.n_write = d->n_write,
		.egress = d->network.egress,
		.n_egress = d->network.n_egress,
		.ingress = d->network.ingress,
		.n_ingress = d->network.n_ingress,
		.net_rate = d->net_rate,
		.net_open = d->net_open,
		.net_conns = d->net_conns,
	};
	for (size_t i = 0; i < d->n_write; i++)
		if (wish_write(a, d->write[i], &w[i], e) < 0)
			return err_wrap(e, "--write");
	if (take_sizes(a, d, out, e) < 0)
		return -e->code;
	if (!d->cpus)
		return 0;
	double *cpus = arena_new(a, sizeof(*cpus));
	out->cpus = cpus;
	return wish_cpus(d->cpus, cpus, e) < 0 ? err_wrap(e, "--cpus") : 0;
}

/* --net join:PATH is a namespace by path; the other words are of a new one. */
static int make_namespaces(struct arena *a, const struct container_direct *d, struct oci_linux *l,
			   struct err *e)
{
	struct oci_namespace *own = arena_array(a, LEN(namespaces), sizeof(*own));
	const char *path = d->network.net && str_starts(d->network.net, "join:")
				   ? d->network.net + strlen("join:")
				   : NULL;

	l->namespaces = namespaces;
	l->n_namespaces = LEN(namespaces);
	if (!path)
		return 0;
	if (*path != '/')
		return err_msg(e, EINVAL, "--net join:PATH: \"%.80s\" is not an absolute path",
			       path);
	memcpy(own, namespaces, sizeof(namespaces));
	for (size_t i = 0; i < LEN(namespaces); i++)
		if (str_eq(own[i].type, "network"))
			own[i].path = path;
	l->namespaces = own;
	return 0;
}

int direct_config(struct arena *a, const struct container_direct *d, struct oci_config *out,
		  struct err *e)
{
	struct oci_linux *l = arena_new(a, sizeof(*l));
	struct oci_resources *r = arena_new(a, sizeof(*r));

	*out = (struct oci_config){.oci_version = "1.3.0", .hostname = "brig", .linux_ = l};
	*l = (struct oci_linux){
		.masked_paths = masked,
		.n_masked_paths = LEN(masked) - 1,
		.readonly_paths = readonly,
		.n_readonly_paths = LEN(readonly) - 1,
		.resources = r,
	};
	if (make_namespaces(a, d, l, e) < 0 || make_root(a, d, out, e) < 0 ||
	    make_mounts(a, d, out, e) < 0)
		return -e->code;
	return make_process(a, d, out, e);
}
