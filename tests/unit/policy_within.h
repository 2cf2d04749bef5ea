#ifndef BRIG_TESTS_POLICY_WITHIN_H
#define BRIG_TESTS_POLICY_WITHIN_H

/*
 * Whether a config.json is within a level: rules written a second time, from the documents and
 * without the functions of policy_apply, for its tests and its fuzz target.
 */

#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "policy/policy.h"
#include "specs/json_print.h"

static char within_text[PATH_MAX + 512];

/* The first rule that does not hold, NULL when all do. */
#define WITHIN(cond, ...)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			snprintf(within_text, sizeof(within_text), __VA_ARGS__);                   \
			return within_text;                                                        \
		}                                                                                  \
	} while (0)

static inline bool within_is(const char *a, const char *b)
{
	return a && strcmp(a, b) == 0;
}

static inline bool within_on(const bool *b)
{
	return b && *b;
}

/* Parts of a path put on a stack, as a shell would walk it. */
static inline const char *within_path(const char *path, char out[PATH_MAX])
{
	const char *parts[256];
	size_t lens[256], depth = 0, at = 0;

	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			depth -= depth > 0;
		else if (n > 0 && !(n == 1 && p[0] == '.') && depth < 256) {
			parts[depth] = p;
			lens[depth++] = n;
		}
		p += n + (p[n] == '/');
	}
	for (size_t i = 0; i < depth && at + lens[i] + 2 < PATH_MAX; i++) {
		out[at++] = '/';
		memcpy(out + at, parts[i], lens[i]);
		at += lens[i];
	}
	if (at == 0)
		out[at++] = '/';
	out[at] = '\0';
	return out;
}

static inline bool within_under(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	return strncmp(path, dir, n) == 0 && (path[n] == '/' || !path[n]);
}

static inline bool within_has(const struct oci_mount *m, const char *word)
{
	for (size_t i = 0; m && i < m->n_options; i++)
		if (within_is(m->options[i], word))
			return true;
	return false;
}

static inline bool within_bind(const struct oci_mount *m)
{
	return within_is(m->type, "bind") || within_has(m, "bind") || within_has(m, "rbind");
}

/* Exactly one key=NUMBER[kmg], from 1 to most. */
static inline bool within_bound(const struct oci_mount *m, const char *key, uint64_t most)
{
	size_t seen = 0, len = strlen(key);
	bool good = false;

	for (size_t i = 0; i < m->n_options; i++) {
		char *end;

		if (strncmp(m->options[i], key, len) != 0)
			continue;
		seen++;
		unsigned long long n = strtoull(m->options[i] + len, &end, 10);
		unsigned int shift = !*end                ? 0
				     : strchr("kK", *end) ? 10
				     : strchr("mM", *end) ? 20
				     : strchr("gG", *end) ? 30
							  : 64;
		good = end > m->options[i] + len && shift < 64 && n > 0 && n <= most >> shift;
	}
	return seen == 1 && good;
}

/* --- parts -------------------------------------------------------------------------------- */

static inline const char *within_namespaces(const struct policy *p, const struct oci_linux *l)
{
	static const char *const needed[] = {"pid", "mount",  "network", "ipc",
					     "uts", "cgroup", "user"};
	static const char *const files[] = {"pid", "mnt", "net", "ipc", "uts", "cgroup", "user"};

	(void)p;
	for (size_t i = 0; i < 7; i++) {
		bool there = false;

		for (size_t k = 0; k < l->n_namespaces; k++) {
			const struct oci_namespace *n = &l->namespaces[k];
			struct stat mine, theirs;
			char self[64];

			if (!within_is(n->type, needed[i]) || there)
				continue;
			there = true;
			snprintf(self, sizeof(self), "/proc/self/ns/%s", files[i]);
			if (n->path && stat(self, &mine) == 0 && stat(n->path, &theirs) == 0)
				WITHIN(mine.st_ino != theirs.st_ino || mine.st_dev != theirs.st_dev,
				       "the host's %s namespace is joined", needed[i]);
			WITHIN(i != 1 || !n->path, "a mount namespace is joined");
		}
		WITHIN(there, "no %s namespace", needed[i]);
	}
	return NULL;
}

static inline const char *within_bind_source(const struct policy_facts *f,
					     const struct oci_mount *m, bool *node)
{
	static const char *const bad[] = {"/proc", "/sys", "/dev"};
	const char *source = m->source ? m->source : "";
	char real[PATH_MAX];
	struct stat st;

	*node = false;
	if (source[0] != '/' || !realpath(source, real))
		return NULL;
	bool there = stat(real, &st) == 0;
	if (there && S_ISCHR(st.st_mode) &&
	    ((major(st.st_rdev) == 1 && strchr("\3\5\7\10\11", (int)minor(st.st_rdev))) ||
	     st.st_rdev == makedev(5, 0))) {
		*node = true;
		return NULL;
	}
	WITHIN(!there || S_ISREG(st.st_mode) || S_ISDIR(st.st_mode) || S_ISFIFO(st.st_mode),
	       "%s is bound: no file or directory", real);
	WITHIN(strcmp(real, "/") != 0, "/ is bound");
	for (size_t i = 0; i < 3; i++)
		WITHIN(!within_under(real, bad[i]), "%s is bound", real);
	WITHIN(!f->state_root ||
		       (!within_under(real, f->state_root) && !within_under(f->state_root, real)),
	       "the state directory is bound by %s", real);
	return NULL;
}

static inline const char *within_mount(const struct policy *p, const struct policy_facts *f,
				       const struct oci_mount *m)
{
	static const char *const types[] = {"tmpfs",   "proc",   "sysfs", "cgroup",
					    "cgroup2", "mqueue", "devpts"};
	static const char *const words[] = {"suid", "rsuid", "remount", "shared", "rshared"};
	const struct level *l = &p->level;
	char dest[PATH_MAX];
	bool bind = within_bind(m), node = false, known = bind;
	const char *type = bind ? "bind" : m->type ? m->type : "";

	within_path(m->destination ? m->destination : "", dest);
	for (size_t i = 0; i < 7; i++)
		known |= within_is(type, types[i]);
	WITHIN(known, "%s: type %s", dest, type);
	for (size_t i = 0; i < 5; i++)
		WITHIN(!within_has(m, words[i]), "%s: option %s", dest, words[i]);
	WITHIN(strcmp(dest, "/") != 0, "a mount on /");
	WITHIN(within_has(m, "nosuid"), "%s: without nosuid", dest);
	if (bind && within_bind_source(f, m, &node))
		return within_text;
	if (!node && !within_is(type, "devpts") && !within_is(dest, "/dev"))
		WITHIN(within_has(m, "nodev") && !within_has(m, "dev") && !within_has(m, "rdev"),
		       "%s: with devices", dest);
	WITHIN(!within_is(dest, "/dev") || within_is(type, "tmpfs"), "/dev is a %s", type);
	WITHIN(!within_is(dest, "/dev/pts") || within_is(type, "devpts"), "/dev/pts is a %s", type);
	WITHIN(!within_is(dest, "/proc") || within_is(type, "proc"), "/proc is a %s", type);
	WITHIN(!within_is(dest, "/sys") || within_is(type, "sysfs"), "/sys is a %s", type);
	WITHIN(!within_is(type, "proc") || within_is(dest, "/proc"), "procfs at %s", dest);
	if (within_is(type, "tmpfs"))
		WITHIN(within_bound(m, "size=", *l->writable.size) &&
			       within_bound(m, "nr_inodes=", *l->writable.inodes),
		       "%s: tmpfs without bounds", dest);
	if (within_is(type, "devpts"))
		WITHIN(within_bound(m, "max=", 4096) && within_has(m, "newinstance"),
		       "%s: devpts without bounds", dest);
	bool kernel = within_is(type, "sysfs") || strncmp(type, "cgroup", 6) == 0;
	WITHIN(!kernel || (within_has(m, "ro") && !within_has(m, "rw") && !within_has(m, "rrw")),
	       "%s is writable", dest);
	if (within_is(l->sys, "minimal"))
		WITHIN(!kernel && !within_under(dest, "/sys"), "something on %s", dest);
	if (within_is(l->proc, "minimal"))
		WITHIN(!within_under(dest, "/proc") || within_is(type, "proc"), "something on %s",
		       dest);
	return NULL;
}

static inline const char *within_mounts(const struct policy *p, const struct policy_facts *f,
					const struct oci_config *c)
{
	static const char *const needed[] = {"/proc", "/dev", "/dev/pts", "/dev/shm"};
	const struct level_writable *w = &p->level.writable;
	char dest[PATH_MAX], path[PATH_MAX];

	for (size_t i = 0; i < c->n_mounts; i++)
		if (within_mount(p, f, &c->mounts[i]))
			return within_text;
	for (size_t k = 0; k < 4 + w->n_paths; k++) {
		const char *want = k < 4 ? needed[k] : within_path(w->paths[k - 4], path);
		bool there = false;

		for (size_t i = 0; i < c->n_mounts; i++) {
			within_path(c->mounts[i].destination, dest);
			there |= k < 4 ? within_is(dest, want) : within_under(want, dest);
		}
		WITHIN(there, "nothing mounted on %s", want);
	}
	return NULL;
}

static inline const char *within_caps(const struct level *l, const struct oci_capabilities *c)
{
	if (!c)
		return NULL;
	const struct {
		const char *const *v;
		size_t n;
	} sets[] = {
		{c->bounding,    c->n_bounding   },
                {c->effective,   c->n_effective  },
		{c->permitted,   c->n_permitted  },
                {c->inheritable, c->n_inheritable},
		{c->ambient,     c->n_ambient    },
	};
	for (size_t s = 0; s < 5; s++)
		for (size_t i = 0; i < sets[s].n; i++) {
			bool there = false;

			for (size_t k = 0; k < l->n_capabilities; k++)
				there |= within_is(sets[s].v[i], l->capabilities[k]);
			WITHIN(there, "capability %s", sets[s].v[i]);
		}
	return NULL;
}

static inline const char *within_process(const struct policy *p, const struct policy_facts *f,
					 const struct oci_process *s)
{
	const struct level *l = &p->level;
	bool drops =
		within_is(l->env.drop, "all") || (within_is(l->env.drop, "direct") && p->direct);

	if (within_caps(l, s->capabilities))
		return within_text;
	WITHIN(s->no_new_privileges, "noNewPrivileges is false");
	for (size_t i = 0; i < s->n_rlimits; i++) {
		const struct oci_rlimit *r = &s->rlimits[i];

		WITHIN(!within_is(r->type, "RLIMIT_CORE"), "RLIMIT_CORE");
		WITHIN(!within_is(r->type, "RLIMIT_RTPRIO") || !r->hard, "RLIMIT_RTPRIO");
		WITHIN(!within_is(r->type, "RLIMIT_NOFILE") || (r->hard <= f->hard[RLIMIT_NOFILE] &&
								r->soft <= f->hard[RLIMIT_NOFILE]),
		       "RLIMIT_NOFILE");
	}
	WITHIN(!s->oom_score_adj || *s->oom_score_adj >= f->oom_score_adj, "oomScoreAdj");
	for (size_t i = 0; drops && i < s->n_env; i++) {
		size_t n = strcspn(s->env[i], "=");
		bool allowed = false;

		for (size_t k = 0; k < p->admin.n_env_allow; k++)
			allowed |= strlen(p->admin.env_allow[k]) == n &&
				   strncmp(p->admin.env_allow[k], s->env[i], n) == 0;
		if (allowed)
			continue;
		WITHIN(!memmem(s->env[i], n, "TOKEN", 5) && !memmem(s->env[i], n, "SECRET", 6) &&
			       !memmem(s->env[i], n, "PASSWORD", 8),
		       "environment %.*s", (int)n, s->env[i]);
	}
	const char *policy = s->scheduler ? s->scheduler->policy : NULL;
	WITHIN(!within_is(policy, "SCHED_FIFO") && !within_is(policy, "SCHED_RR") &&
		       !within_is(policy, "SCHED_DEADLINE") && (!policy || s->scheduler->nice >= 0),
	       "scheduler %s", policy ? policy : "");
	WITHIN(!s->io_priority || !within_is(s->io_priority->class, "IOPRIO_CLASS_RT"),
	       "ioPriority");
	return NULL;
}

static inline bool within_listed(const char *const *list, size_t n, const char *path)
{
	for (size_t i = 0; i < n; i++)
		if (within_is(list[i], path))
			return true;
	return false;
}

static inline const char *within_linux(const struct policy *p, const struct policy_facts *f,
				       const struct oci_linux *l)
{
	const struct oci_resources *r = l->resources;

	WITHIN(!within_is(l->rootfs_propagation, "shared") &&
		       !within_is(l->rootfs_propagation, "rshared"),
	       "rootfsPropagation");
	WITHIN(l->n_net_devices == 0, "netDevices");
	for (size_t i = 0; i < l->n_devices; i++)
		WITHIN(l->devices[i].major &&
			       (*l->devices[i].major == 1 || *l->devices[i].major == 5),
		       "device %s", l->devices[i].path ? l->devices[i].path : "");
	for (size_t i = 0; i < l->n_sysctl; i++) {
		bool may = false;

		for (size_t k = 0; k < p->level.n_sysctls; k++) {
			const char *pattern = p->level.sysctls[k];
			size_t n = strcspn(pattern, "*");
			bool same = true;

			for (size_t j = 0; j < n && same; j++) {
				char c = l->sysctl[i].key[j];

				same = c == pattern[j] || (c == '/' && pattern[j] == '.');
			}
			may |= same && (pattern[n] || !l->sysctl[i].key[n]);
		}
		WITHIN(may, "sysctl %s", l->sysctl[i].key);
	}
	for (size_t i = 0; i < l->n_uid_mappings && !f->rootless && !f->nested; i++)
		WITHIN(l->uid_mappings[i].host_id || !l->uid_mappings[i].size, "root is mapped");
	if (within_is(p->level.proc, "masked"))
		WITHIN(within_listed(l->masked_paths, l->n_masked_paths, "/proc/kcore") &&
			       within_listed(l->masked_paths, l->n_masked_paths, "/proc/keys") &&
			       within_listed(l->masked_paths, l->n_masked_paths, "/sys/firmware") &&
			       within_listed(l->readonly_paths, l->n_readonly_paths, "/proc/sys"),
		       "maskedPaths");
	WITHIN(!l->seccomp || !l->seccomp->listener_path ||
		       !within_is(p->level.seccomp.violation, "notify"),
	       "listenerPath");
	WITHIN(r && r->pids && r->pids->limit > 0, "no limit of processes");
	WITHIN(!p->direct || (r->memory && r->memory->limit && *r->memory->limit > 0),
	       "no memory limit");
	WITHIN(!r->memory || !within_on(r->memory->disable_oom_killer), "no OOM killer");
	WITHIN(r->n_devices && !r->devices[0].allow && !r->devices[0].major,
	       "devices are not denied");
	for (size_t i = 1; i < r->n_devices; i++)
		WITHIN(within_is(r->devices[i].type, "c") && r->devices[i].major &&
			       (*r->devices[i].major == 1 || *r->devices[i].major == 5 ||
				*r->devices[i].major == 136),
		       "device rule %zu", i);
	return NULL;
}

/* NULL: all rules hold. */
static inline const char *policy_within(const struct policy *p, const struct policy_facts *f,
					const struct oci_config *c)
{
	const struct oci_hooks *h = c->hooks;

	if (!c->linux_)
		return "no linux";
	if (within_namespaces(p, c->linux_) || within_mounts(p, f, c) ||
	    within_linux(p, f, c->linux_) || (c->process && within_process(p, f, c->process)))
		return within_text;
	WITHIN(!c->root || c->root->readonly, "root.readonly");
	if (h && within_is(p->level.hooks, "allowed") && !p->admin.n_hooks_allowed)
		WITHIN(!h->n_prestart && !h->n_create_runtime && !h->n_create_container &&
			       !h->n_start_container && !h->n_poststart && !h->n_poststop,
		       "hooks");
	return NULL;
}

/* To compare configurations: their text. */
static inline char *within_print(struct arena *a, const struct oci_config *c)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_print_type(&o, oci_config_type(), c);
	return json_done(&o, NULL);
}

#endif
