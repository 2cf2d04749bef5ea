/* Probes of `doctor`: hardening, cgroups, ids and the administrator's files. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "doctor.h"
#include "ns/idpool.h"
#include "plan_audit.h"
#include "policy/policy.h"

/* --- hardening ----------------------------------------------------------------------------- */

struct finding doctor_landlock(struct doctor *d)
{
	int abi = d->harden.landlock_abi;

	return found(abi > 0, abi > 0 ? arena_printf(d->a, "ABI %d", abi) : "not in this kernel");
}

struct finding doctor_mdwe(struct doctor *d)
{
	return found(d->harden.mdwe, NULL);
}

struct finding doctor_memfd_noexec(struct doctor *d)
{
	return found(d->harden.memfd_noexec, NULL);
}

struct finding doctor_speculation(struct doctor *d)
{
	bool ssb = d->harden.speculation_ssb, ib = d->harden.speculation_ib;

	return found(ssb && ib, arena_printf(d->a, "store bypass %s, indirect branches %s",
					     ssb ? "per task" : "not per task",
					     ib ? "per task" : "not per task"));
}

/* Two sandboxes on the threads of one core see each other's caches. */
struct finding doctor_core_scheduling(struct doctor *d)
{
	if (!d->harden.smt)
		return found(true, "no SMT here: no two sandboxes share a core at a time");
	return found(d->harden.core_scheduling,
		     d->harden.core_scheduling ? "SMT is on" : "SMT is on, the kernel has none");
}

struct finding doctor_vulnerabilities(struct doctor *d)
{
	static const char dir[] = "/sys/devices/system/cpu/vulnerabilities";
	own_dir DIR *list = opendir(dir);
	const char *names = NULL;
	struct dirent *de;

	if (!list)
		return (struct finding){FOUND_UNKNOWN, "the kernel does not tell"};
	while ((de = readdir(list))) {
		char text[256];

		if (de->d_name[0] != '.' &&
		    file_peek(dirfd(list), de->d_name, text, sizeof(text)) > 0 &&
		    str_starts(text, "Vulnerable"))
			names = arena_printf(d->a, "%s%s%s", names ? names : "", names ? ", " : "",
					     de->d_name);
	}
	return found(!names, names ? arena_printf(d->a, "open: %s", names) : NULL);
}

/* --- cgroups ------------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word, const char *separators)
{
	size_t n = strlen(word);

	while (*(list += strspn(list, separators))) {
		size_t len = strcspn(list, separators);

		if (len == n && memcmp(list, word, n) == 0)
			return true;
		list += len;
	}
	return false;
}

static bool is_hosts_root(const struct doctor *d)
{
	return d->privileged && !d->nested;
}

/* The hierarchy that has the controller, and the caller's own directory there. */
static const struct cgroup_mount *find_hierarchy(struct doctor *d, const char *controller,
						 const char **own)
{
	for (size_t i = 0; i < d->cgroups.n_mounts; i++) {
		const struct cgroup_mount *m = &d->cgroups.mounts[i];
		char words[512];

		*own = arena_printf(d->a, "%s%s", m->mountpoint,
				    m->own_path && !str_eq(m->own_path, "/") ? m->own_path : "");
		if (*m->hierarchy) {
			if (has_word(m->hierarchy, controller, ","))
				return m;
			continue;
		}
		/* A plain user's sandboxes are made below his own cgroup, root's at the top. */
		const char *at = arena_printf(d->a, "%s/cgroup.controllers",
					      is_hosts_root(d) ? m->mountpoint : *own);
		if (file_peek(AT_FDCWD, at, words, sizeof(words)) > 0 &&
		    has_word(words, controller, " "))
			return m;
	}
	return NULL;
}

static struct finding controller(struct doctor *d, const char *name)
{
	const char *own = NULL;
	const struct cgroup_mount *m = d->has_cgroups ? find_hierarchy(d, name, &own) : NULL;

	if (!m)
		return found(false, "in no cgroup hierarchy that brig can use");
	const char *where = is_hosts_root(d) ? m->mountpoint : own;
	if (access(where, W_OK) < 0)
		return found(false, arena_printf(d->a, "%s: %s", where, err_text(errno)));
	return found(true, *m->hierarchy ? "cgroup v1" : "cgroup v2");
}

struct finding doctor_memory(struct doctor *d)
{
	return controller(d, "memory");
}

struct finding doctor_pids(struct doctor *d)
{
	return controller(d, "pids");
}

struct finding doctor_cpu(struct doctor *d)
{
	return controller(d, "cpu");
}

struct finding doctor_cpuset(struct doctor *d)
{
	return controller(d, "cpuset");
}

struct finding doctor_swap(struct doctor *d)
{
	struct sysinfo si;
	const char *own = NULL;

	if (sysinfo(&si) == 0 && si.totalswap == 0)
		return found(true, "the host has no swap");
	const struct cgroup_mount *m = d->has_cgroups ? find_hierarchy(d, "memory", &own) : NULL;
	if (!m)
		return found(false, "no memory controller");
	const char *file =
		arena_printf(d->a, "%s/%s", own,
			     *m->hierarchy ? "memory.memsw.limit_in_bytes" : "memory.swap.max");
	/* The root of v2 has no such file, whatever the kernel can. */
	if (!*m->hierarchy && str_eq(own, m->mountpoint))
		return (struct finding){FOUND_UNKNOWN, "cannot be seen from the root cgroup"};
	return found(access(file, F_OK) == 0, NULL);
}

/* --- ids ----------------------------------------------------------------------------------- */

struct finding doctor_id_pool(struct doctor *d)
{
	const struct admin_ids *ids = &d->admin.ids;
	const struct idpool_config c = {.directory =
						ids->directory ? ids->directory : "/run/brig-ids",
					.first = ids->first,
					.count = ids->count,
					.quarantine = ids->quarantine};
	uint32_t total, used, quarantined;
	struct err e;

	if (idpool_count(&c, &total, &used, &quarantined, &e) < 0)
		return found(false, arena_strdup(d->a, e.msg));
	return found(total > used + quarantined,
		     arena_printf(d->a, "%u ranges, %u in use, %u in quarantine", total, used,
				  quarantined));
}

/* Lines NAME:FIRST:COUNT, the name may be the number (subuid(5)). */
static bool has_range(const char *file, const char *name, uid_t uid)
{
	own_file FILE *f = fopen(file, "re");
	char line[512], who[256];
	unsigned long first, count;

	while (f && fgets(line, sizeof(line), f)) {
		uint32_t number;

		if (sscanf(line, "%255[^:]:%lu:%lu", who, &first, &count) == 3 && count &&
		    (str_eq(who, name) || (str_u32(who, &number) && number == uid)))
			return true;
	}
	return false;
}

static bool in_path(const char *program)
{
	const char *path = getenv("PATH");
	char file[4096];

	for (path = path ? path : ""; *path; path += *path == ':') {
		size_t n = strcspn(path, ":");

		if ((size_t)snprintf(file, sizeof(file), "%.*s/%s", (int)n, path, program) <
			    sizeof(file) &&
		    access(file, X_OK) == 0)
			return true;
		path += n;
	}
	return false;
}

/* /etc/passwd is read by hand: a static program has no name service. */
static const char *name_of(struct arena *a, uid_t uid)
{
	own_file FILE *f = fopen("/etc/passwd", "re");
	struct passwd *p;

	while (f && (p = fgetpwent(f)))
		if (p->pw_uid == uid)
			return arena_strdup(a, p->pw_name);
	return "";
}

struct finding doctor_subordinate_ids(struct doctor *d)
{
	const char *name = name_of(d->a, geteuid());

	if (!in_path("newuidmap") || !in_path("newgidmap"))
		return found(false, "newuidmap and newgidmap are not installed");
	if (!has_range("/etc/subuid", name, geteuid()) ||
	    !has_range("/etc/subgid", name, geteuid()))
		return found(false, "none for this user in /etc/subuid and /etc/subgid");
	return found(true, NULL);
}

/* --- the administrator's files --------------------------------------------------------------- */

struct finding doctor_admin_file(struct doctor *d)
{
	const char *file = d->host->system_config;

	if (d->admin_error)
		return found(false, d->admin_error);
	if (!file && access("/etc/brig/brig.json", F_OK) < 0)
		return found(true, "absent: the defaults hold");
	return found(true, file ? file : "/etc/brig/brig.json");
}

struct finding doctor_levels(struct doctor *d)
{
	const char *const *names;
	struct level level;
	struct err e;
	size_t n;

	if (policy_level_names(d->a, &d->admin, &names, &n, &e) < 0)
		return found(false, arena_strdup(d->a, e.msg));
	for (size_t i = 0; i < n; i++)
		if (policy_level_load(d->a, &d->admin, names[i], &level, &e) < 0)
			return found(false, arena_strdup(d->a, e.msg));
	return found(true, arena_printf(d->a, "%zu, all valid", n));
}

/* Nothing is made: whether it could be. */
struct finding doctor_audit_log(struct doctor *d)
{
	const struct admin_audit *u = &d->admin.audit;
	const struct state_audit *at = plan_audit_of_admin(d->a, u, !d->privileged || d->nested);

	if (str_eq(u->when, "never"))
		return found(false, "brig.json says audit.when \"never\"");
	if (!at)
		return found(false, "neither HOME nor XDG_STATE_HOME says where it is");
	char *dir = arena_strdup(d->a, at->path);
	for (char *slash = strrchr(dir, '/'); slash && slash != dir; slash = strrchr(dir, '/')) {
		*slash = 0;
		if (access(dir, F_OK) == 0)
			break;
	}
	if (access(dir, W_OK | X_OK) < 0)
		return found(false,
			     arena_printf(d->a, "%s: %s cannot be written to", at->path, dir));
	return found(true, at->path);
}
