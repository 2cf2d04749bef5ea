#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "pool/pool.h"
#include "pool/row.h"

enum { MOST = 8 << 20 };

/* What a parked process itself is charged for, with room for the kernel's own (v1 counts it). */
static const int64_t memory_limit = 16 << 20;

static const char *const never_covered[] = {
	"timing of the page cache and of CPU caches",
	"other threads of a core, where core scheduling is not in force",
	"files of the root file system below its first directory, changed by the host",
	"what services outside know that were reached through read-only mounts",
	"the session keyring: the kernel does not show another process's",
	"flow labels, inetpeer, TCP metrics that the host keeps of an address",
	"counters of devices and protocols (/proc/net) of a network namespace that is joined",
};

/* --- processes and cgroups ---------------------------------------------------------------- */

/* Of a text of numbers, those that are not this one. */
static int64_t others_in(struct pool_row *l, const char *text, int64_t own)
{
	int64_t n = 0;
	char *end;

	for (const char *p = text; *p; p = end) {
		int64_t pid = strtoll(p, &end, 10);

		if (end == p)
			break;
		if (pid != own && !n++)
			l->detail = arena_printf(l->a, "process %" PRIi64, pid);
	}
	return n;
}

static int64_t count_processes(struct pool_row *l)
{
	const struct cgroup_record *c = &l->s->state->cgroup;
	int64_t most = 0;

	for (size_t i = 0; i < c->n_dirs; i++) {
		int dir = l->s->cgroups[i];
		struct err ignored;
		char *text;

		if (dir < 0)
			continue;
		if (file_read(l->a, dir, "cgroup.procs", MOST, &text, NULL, &ignored) < 0)
			return -1;
		int64_t n = others_in(l, text, l->s->proc >= 0 ? l->s->state->pid : 0);
		if (n > most)
			most = n;
	}
	return most;
}

static int64_t count_children(struct pool_row *l)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "task/%" PRIi64 "/children", l->s->state->pid);
	ssize_t n = file_peek(l->s->proc, path, text, sizeof(text));
	/* Not in every kernel (CONFIG_PROC_CHILDREN). */
	if (n < 0)
		return n == -ENOENT ? 0 : -1;
	return others_in(l, text, 0);
}

/* The kernel counts those below in the links of a directory (fs/kernfs/inode.c). */
static int64_t count_cgroups(struct pool_row *l)
{
	const struct cgroup_record *c = &l->s->state->cgroup;
	struct stat st;
	int64_t n = 0;

	for (size_t i = 0; i < c->n_dirs; i++) {
		if (l->s->cgroups[i] < 0)
			continue;
		if (fstat(l->s->cgroups[i], &st) < 0 || st.st_nlink < 2)
			return -1;
		if (st.st_nlink > 2)
			l->detail = arena_printf(l->a, "below %s", c->dirs[i].path);
		n += (int64_t)st.st_nlink - 2;
	}
	return n;
}

static int64_t memory_used(struct pool_row *l)
{
	static const char *const files[] = {"memory.current", "memory.usage_in_bytes"};
	const struct cgroup_record *c = &l->s->state->cgroup;
	char text[64];

	for (size_t i = 0; i < c->n_dirs; i++) {
		int dir = l->s->cgroups[i];

		for (size_t f = 0; dir >= 0 && f < LEN(files); f++)
			if (file_peek(dir, files[f], text, sizeof(text)) > 0)
				return strtoll(text, NULL, 10);
	}
	return -1;
}

/*
 * Dead, with nothing left but a number that its parent outside has not taken yet.  One whose first
 * thread has ended looks like that, too, but has others: they are in the links of "task"
 * (proc_task_getattr, fs/proc/base.c).
 */
static bool is_dead(int proc, const char *pid)
{
	enum { LINKS_OF_ONE = 3 };
	char path[64], text[512];
	struct stat st;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	ssize_t n = file_peek(proc, path, text, sizeof(text));
	/* What cannot be asked for another reason counts as living. */
	if (n < 0)
		return n == -ENOENT || n == -ESRCH;
	const char *state = strrchr(text, ')');
	if (!state || (strncmp(state, ") Z", 3) != 0 && strncmp(state, ") X", 3) != 0))
		return false;
	snprintf(path, sizeof(path), "%.20s/task", pid);
	return fstatat(proc, path, &st, 0) < 0 ? errno == ENOENT || errno == ESRCH
					       : st.st_nlink <= LINKS_OF_ONE;
}

/* Whoever has one of its ids and is not its first process: out of the cgroup, too. */
static int64_t count_strangers(struct pool_row *l)
{
	own_dir DIR *d = opendir("/proc");
	struct pool_ids ids;
	struct dirent *de;
	struct stat st;
	int64_t n = 0;

	if (!d || !pool_ids_of(l, &ids))
		return -1;
	while ((de = readdir(d))) {
		int64_t pid = strtoll(de->d_name, NULL, 10);

		if (pid <= 0 || pid == l->s->state->pid ||
		    fstatat(dirfd(d), de->d_name, &st, 0) < 0)
			continue;
		if (!pool_ids_have(&ids, st.st_uid) || is_dead(dirfd(d), de->d_name))
			continue;
		if (!n++)
			l->detail = arena_printf(l->a, "process %" PRIi64, pid);
	}
	return n;
}

/* --- what outlives processes -------------------------------------------------------------- */

/* "uid: usage keys/instantiated quota ..." for each user that has any. */
static int64_t count_keys(struct pool_row *l)
{
	struct pool_ids ids;
	struct err ignored;
	char *text, *line, *rest;
	int64_t n = 0;

	if (!pool_ids_of(l, &ids))
		return -1;
	/* A kernel without keyrings has none. */
	if (file_read(l->a, AT_FDCWD, "/proc/key-users", MOST, &text, NULL, &ignored) < 0)
		return ignored.code == ENOENT ? 0 : -1;
	for (rest = text; (line = strsep(&rest, "\n"));) {
		unsigned int uid, usage, keys;

		if (sscanf(line, "%u: %u %u/", &uid, &usage, &keys) != 3 ||
		    !pool_ids_have(&ids, uid))
			continue;
		n += keys;
		l->detail = arena_printf(l->a, "of id %u", uid);
	}
	return n;
}

/*
 * "lock:" in fdinfo tells those of a descriptor, of every kind.  /proc/locks would make all locking
 * of the machine wait (percpu_down_write in locks_start, fs/locks.c), for milliseconds.
 */
static int64_t count_locks(struct pool_row *l)
{
	own_fd int fd = openat(l->s->proc, "fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	char text[4096];
	int64_t n = 0;

	if (!d)
		return -1;
	fd = -1;
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.')
			continue;
		ssize_t len = file_peek(dirfd(d), de->d_name, text, sizeof(text));
		/* Of one that could not be read, or not to its end, nobody knows. */
		if (len < 0 || (size_t)len >= sizeof(text) - 2)
			return -1;
		if (strstr(text, "\nlock:") && !n++)
			l->detail = arena_printf(l->a, "on descriptor %s", de->d_name);
	}
	return n;
}

/* Beside its streams only what it waits with: sockets, and the stub in memory. */
static int64_t count_descriptors(struct pool_row *l)
{
	own_fd int fd = openat(l->s->proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	char link[256];
	int64_t n = 0;

	if (!d)
		return -1;
	fd = -1;
	while ((de = readdir(d))) {
		if (de->d_name[0] == '.' || strtol(de->d_name, NULL, 10) <= STDERR_FILENO)
			continue;
		ssize_t len = readlinkat(dirfd(d), de->d_name, link, sizeof(link) - 1);
		if (len < 0)
			return -1;
		link[len] = '\0';
		if (!str_starts(link, "socket:") && !str_starts(link, "/memfd:brig-stub") && !n++)
			l->detail = arena_printf(l->a, "%s: %s", de->d_name, link);
	}
	return n;
}

/* What only a generation that has started leaves in the state directory. */
static int64_t count_files(struct pool_row *l)
{
	/* Not "waiters", which is empty and whoever waits makes, of a parked one, too. */
	static const char *const names[] = {"go",      "ended",  "result.json", "violations",
					    "network", "egress", "bound",       "grants"};
	int64_t n = 0;

	for (size_t i = 0; i < LEN(names); i++) {
		bool there = faccessat(l->s->dir, names[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0;

		if (!there && errno != ENOENT)
			return -1;
		if (there && !pool_is_resolvers(l, names[i]) && !n++)
			l->detail = names[i];
	}
	return n;
}

/* --- what must be there ------------------------------------------------------------------- */

static int64_t lost_claim(struct pool_row *l)
{
	const struct brig_state *st = l->s->state;
	const char *path = arena_printf(l->a, "%s/%u", st->ids_directory, st->ids_slot);
	struct err ignored;
	char *text, *line, *rest;

	if (!st->ids_directory)
		return 0;
	if (file_read(l->a, AT_FDCWD, path, MOST, &text, NULL, &ignored) < 0)
		return 1;
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (str_eq(line, l->s->directory))
			return 0;
	l->detail = arena_printf(l->a, "%s is another's", path);
	return 1;
}

/* --- the rows ----------------------------------------------------------------------------- */

static int64_t ipc(struct pool_row *l)
{
	return l->in->ipc;
}
static int64_t conntrack(struct pool_row *l)
{
	return l->in->conntrack;
}

static bool is_plain_users(const struct pool_subject *s)
{
	return s->plain_user;
}

/* He is not always given the controller. */
static bool has_no_memory_cgroup(const struct pool_subject *s)
{
	struct pool_row l = {.s = s};

	return s->plain_user && memory_used(&l) < 0;
}

enum about {
	SHELL,  /* of the host alone: pool_shell */
	EVER,   /* with a first process or without */
	PARKED, /* only where there is one */
	INSIDE, /* and its namespaces have been looked into */
};

/*
 * A number that must not be above limit; -1: what could not be asked is not ok.  Where it would
 * tell nothing there is no row: it is named among what is not covered.
 */
static const struct {
	const char *name;
	int64_t (*count)(struct pool_row *l);
	const int64_t *limit; /* NULL: 0 */
	enum about about;
	bool (*unasked)(const struct pool_subject *s);
	const char *why;
} rows[] = {
	{"pids",           count_processes,        NULL,          EVER,   NULL,                 NULL},
	{"children",       count_children,         NULL,          PARKED, NULL,                 NULL},
	{"strangers",      count_strangers,        NULL,          SHELL,  is_plain_users,
	 "strangers: a plain user's ids are those of his other processes, too"                      },
	{"cgroups",        count_cgroups,          NULL,          EVER,   NULL,                 NULL},
	{"mounts",         pool_count_mounts,      NULL,          SHELL,  NULL,                 NULL},
	{"ipc",            ipc,                    NULL,          INSIDE, NULL,                 NULL},
	{"keys",           count_keys,             NULL,          SHELL,  is_plain_users,
	 "keys: a plain user's ids are those of his other processes, too"                           },
	{"sockets",        pool_count_sockets,     NULL,          INSIDE, NULL,                 NULL},
	{"conntrack",      conntrack,              NULL,          INSIDE, NULL,                 NULL},
	{"neighbours",     pool_count_neighbours,  NULL,          INSIDE, NULL,                 NULL},
	{"routes",         pool_count_routes,      NULL,          INSIDE, NULL,                 NULL},
	{"devices",        pool_count_devices,     NULL,          INSIDE, NULL,                 NULL},
	{"lo_bytes",       pool_count_lo_bytes,    NULL,          INSIDE, NULL,                 NULL},
	{"host_conntrack", pool_count_host,        NULL,          INSIDE, NULL,                 NULL},
	{"tcp_metrics",    pool_count_metrics,     NULL,          INSIDE, NULL,                 NULL},
	{"nft_elements",   pool_count_opened,      NULL,          INSIDE, NULL,                 NULL},
	{"nft_counters",   pool_count_let_through, NULL,          INSIDE, NULL,                 NULL},
	{"locks",          count_locks,            NULL,          PARKED, NULL,                 NULL},
	{"descriptors",    count_descriptors,      NULL,          PARKED, NULL,                 NULL},
	{"state_files",    count_files,            NULL,          PARKED, NULL,                 NULL},
	{"memory_bytes",   memory_used,            &memory_limit, PARKED, has_no_memory_cgroup,
	 "memory_bytes: no memory cgroup was handed over"                                           },
	{"ids_lost",       lost_claim,             NULL,          SHELL,  is_plain_users,
	 "ids_lost: a plain user's ids are claimed nowhere"                                         },
	{"warden_lost",    pool_lost_warden,       NULL,          PARKED, NULL,                 NULL},
	{"slot_lost",      pool_lost_slot,         NULL,          EVER,   NULL,                 NULL},
	{"resolver_lost",  pool_lost_resolver,     NULL,          PARKED, NULL,                 NULL},
};

_Static_assert(LEN(rows) <= POOL_ROWS, "pool_shell has a place for each row");

static bool is_asked(size_t i, const struct pool_subject *s)
{
	return !(rows[i].unasked && rows[i].unasked(s));
}

static struct report_check ask(struct arena *a, size_t i, const struct pool_subject *s,
			       const struct pool_inside *in)
{
	static const int64_t none = 0;
	struct pool_row l = {.a = a, .s = s, .in = in};
	const int64_t *limit = rows[i].limit ? rows[i].limit : &none;
	int64_t *value = arena_new(a, sizeof(*value));

	*value = rows[i].count(&l);
	bool known = *value >= 0;
	return (struct report_check){
		.name = rows[i].name,
		.value = known ? value : NULL,
		.limit = limit,
		.ok = known && *value <= *limit,
		.detail = known ? l.detail : "it could not be asked",
	};
}

void pool_look_at_shell(struct arena *a, const struct pool_subject *s, struct pool_shell *out)
{
	*out = (struct pool_shell){
		.cgroups = s->cgroups,
		.text = pool_fingerprint_given(a, s),
	};
	/* Ids that are not the pool's are known of a process that has them, which is not yet one.
	 */
	if (!s->state->reuse || !s->state->reuse->ids_base)
		return;
	for (size_t i = 0; i < LEN(rows); i++) {
		if (rows[i].about != SHELL || !is_asked(i, s))
			continue;
		struct report_check *c = arena_new(a, sizeof(*c));
		*c = ask(a, i, s, NULL);
		out->rows[i] = c;
	}
}

void pool_look_outside(struct arena *a, const struct pool_subject *s, struct pool_shell *out)
{
	for (size_t i = 0; i < LEN(rows); i++) {
		if (rows[i].about == INSIDE || out->rows[i] || !is_asked(i, s))
			continue;
		struct report_check *c = arena_new(a, sizeof(*c));
		*c = ask(a, i, s, NULL);
		out->rows[i] = c;
	}
}

void pool_residue(struct arena *a, const struct pool_subject *s, const struct pool_inside *in,
		  const struct report_check **out, size_t *n)
{
	struct report_check *list = arena_array(a, LEN(rows), sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < LEN(rows); i++) {
		if ((rows[i].about >= PARKED && s->proc < 0) || !is_asked(i, s))
			continue;
		const struct report_check *seen = s->shell ? s->shell->rows[i] : NULL;
		list[(*n)++] = seen ? *seen : ask(a, i, s, in);
	}
	*out = list;
}

const char *const *pool_not_covered(struct arena *a, const struct pool_subject *s, size_t *n)
{
	const char **list = arena_array(a, LEN(never_covered) + LEN(rows) + 2, sizeof(*list));

	*n = LEN(never_covered);
	memcpy(list, never_covered, sizeof(never_covered));
	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].unasked && rows[i].unasked(s))
			list[(*n)++] = rows[i].why;
	if (s->plain_user && str_eq(s->state->cgroup.layout, "v2"))
		list[(*n)++] = "BPF programs of its cgroup: a plain user may not ask for them";
	if (s->state->reuse && s->state->reuse->hooks)
		list[(*n)++] = "what hooks did outside";
	return list;
}
