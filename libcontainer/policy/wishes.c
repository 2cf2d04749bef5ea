/* What somebody asks for, put onto a level: narrower is taken, wider is cut or refused. */
#include "policy/wishes.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/rank.h"

enum {
	MAX_WRITABLE = 64,
	MAX_IO = 64,
	LEAST_BYTES = 4096,
	LEAST_MEMORY = 1 << 20,
	LEAST_FILES = 64,
	MOST_PIDS = 1 << 22,
	LEAST_INODES = 2,
	MOST_GRACE = 10000
};
static const bool yes = true;

/* How each source calls what it asks for. */
static const struct name {
	const char *field;      /* of the level; limits without "direct." or "engine." */
	const char *annotation; /* behind dev.brig. */
	const char *document;
	const char *flag;
} names[] = {
	{"seccomp.language",  "seccomp.language",  "language",                   "lang"         },
	{"seccomp.violation", "seccomp.violation", "",                           ""             },
	{"root.readonly",     "root.readonly",     "readOnlyRoot",               "ro-root"      },
	{"root.private",      "root.private",      "",                           "private"      },
	{"writable.paths",    "fs.write",          "writablePaths",              "write"        },
	{"writable.size",     "disk.limit",        "resources.ephemeralStorage", "disk"         },
	{"cpu.pin",           "cpu.pin",           "resources.cpuPinning",       "pin"          },
	{"cpu",               "cpu.limit",         "resources.cpu",              "cpus"         },
	{"memory",            "memory.limit",      "resources.memory",           "memory"       },
	{"swap",              "swap.limit",        "resources.swap",             "swap"         },
	{"pids",              "pids.limit",        "resources.pids",             "pids"         },
	{"nofile",            "nofile.limit",      "resources.openFiles",        "nofile"       },
	{"wall",              "time.wall",         "timeout",                    "timeout"      },
	{"cpu_time",          "time.cpu",          "maxCPUTime",                 "cpu-time"     },
	{"grace",             "time.grace",        "gracePeriod",                "grace"        },
	{"fsize",             "fsize.limit",       "resources.fileSize",         "fsize"        },
	{"output",            "output.limit",      "resources.output",           "max-output"   },
	{"io",		"io",                "resources.io",               "io"           },
	{"writable.inodes",   "inodes.limit",      "resources.inodes",           "inodes"       },
	{"network.grants",    "egress",            "networkAccess.egress",       "egress"       },
	{"network.ingress",   "ingress",           "networkAccess.ingress",      "ingress"      },
	{"network.open",      "net.open",          "",                           "net-open"     },
	{"network.rate",      "net.rate",          "",                           "net-rate"     },
	{"network.total",     "net.conns",         "maxNetworkRequests",         "net-conns"    },
	{"network.bytes",     "net.bytes",         "",                           "net-bytes"    },
	{"network.bandwidth", "net.bandwidth",     "max_network_bandwidth_bps",  "net-bandwidth"},
	{"grants",            "grant",             "capabilities",               "grant"        },
};

/* One set of wishes on its way into a policy. */
struct merge {
	struct arena *a;
	struct policy *p;
	enum policy_source by;
	const struct level *bound; /* NULL: the level as it stands */
};

const char *wishes_who(struct arena *a, enum policy_source by, const char *field)
{
	const struct name *n = NULL;

	if (str_starts(field, "direct.") || str_starts(field, "engine."))
		field = strchr(field, '.') + 1;
	for (size_t i = 0; i < LEN(names) && !n; i++)
		if (str_eq(names[i].field, field))
			n = &names[i];
	if (by == BY_ANNOTATION)
		return arena_printf(a, "annotation dev.brig.%s", n ? n->annotation : field);
	if (by == BY_DOCUMENT)
		return arena_printf(a, "policy document: %s", n ? n->document : field);
	return arena_printf(a, "--%s", n ? n->flag : field);
}

static const char *who(const struct merge *m, const char *field)
{
	return wishes_who(m->a, m->by, field);
}

static int refuse(const struct merge *m, const char *field, const char *what, struct err *e)
{
	return err_msg(e, EPERM, "level \"%s\": %s: %s", m->p->level.name, who(m, field), what);
}

static void note(const struct merge *m, const char *field, const char *value, const char *asked)
{
	const char *reason = who(m, field);

	if (asked)
		reason = arena_printf(m->a, "%s: more than level \"%s\" allows", reason,
				      m->bound ? m->bound->name : m->p->level.name);
	policy_note(m->a, m->p,
		    &(struct policy_decision){field, value, m->by, asked,
					      asked ? OUTCOME_CUT : OUTCOME_SET, reason});
}

static const uint64_t *smaller(struct arena *a, uint64_t n, const uint64_t *bound)
{
	uint64_t *p;

	if (bound && *bound <= n)
		return bound;
	p = arena_new(a, sizeof(*p));
	*p = n;
	return p;
}

/* A tenant's grace adds to the limits of the level: no more than this where that has none. */
static const uint64_t *tenants_grace(const struct merge *m, const uint64_t *asked)
{
	if (!asked || m->by == BY_FLAG || *asked <= MOST_GRACE)
		return asked;
	return smaller(m->a, MOST_GRACE, NULL);
}

/* The level's own form of what is asked for: only that is given. */
static int as_level(const struct merge *m, const struct policy_wishes *w, struct level *out,
		    struct err *e)
{
	struct level_limits *l = m->p->direct ? &out->direct : &out->engine;

	*out = (struct level){
		.root = {w->root_readonly,        w->root_private                  },
		.seccomp = {.language = w->language, .violation = w->seccomp_violation},
		.cpu = {.pin = w->pin          },
		.network = {.open = w->net_open,    .rate = w->net_rate                                 },
	};
	*l = (struct level_limits){
		.memory = w->memory,
		.swap = w->swap,
		.pids = w->pids,
		.nofile = w->nofile,
		.wall = w->wall_ms,
		.cpu_time = w->cpu_ms,
		.fsize = w->fsize,
		.output = w->output,
		.grace = tenants_grace(m, w->grace_ms),
	};
	if (w->cpus) {
		uint64_t *milli = arena_new(m->a, sizeof(*milli));
		double n = *w->cpus * 1000;

		if (!(n > 0) || n > 1e9)
			return err_msg(e, ERANGE, "%g CPUs do not fit", *w->cpus);
		*milli = (uint64_t)n + ((double)(uint64_t)n < n);
		l->cpu = milli;
	}
	return 0;
}

/* One field of what is asked for. */
static int merge_field(const struct merge *m, const struct level_field *f, const struct level *want,
		       struct err *e)
{
	struct level *now = &m->p->level;
	const struct level *bound = m->bound ? m->bound : now;

	if (level_field_check(f, want, e) < 0)
		return refuse(m, f->path, arena_strdup(m->a, e->msg), e);
	if (level_field_same(f, want, now))
		return 0;
	const char *weaker = level_field_weaker(m->a, f, want, bound);
	if (weaker && f->wish == WISH_REFUSED)
		return refuse(m, f->path, weaker, e);
	level_field_copy(f, now, weaker ? bound : want);
	level_field_settle(f, now);
	note(m, f->path, level_field_text(m->a, f, now),
	     weaker ? level_field_text(m->a, f, want) : NULL);
	return 0;
}

/* The smaller of each limit so far and what is asked for now, for apply_asked.c. */
static void keep_asked(const struct merge *m, const struct level *want)
{
	bool direct = m->p->direct;
	struct level asked = *want, kept = {0};
	struct level_limits *mine = direct ? &kept.direct : &kept.engine;

	*mine = m->p->asked;
	for (size_t i = 0; i < n_level_fields; i++) {
		const struct level_field *f = &level_fields[i];

		if (!str_starts(f->path, direct ? "direct." : "engine."))
			continue;
		level_field_settle(f, &asked);
		if (level_field_given(f, &asked) && level_field_weaker(m->a, f, &kept, &asked))
			level_field_copy(f, &kept, &asked);
	}
	m->p->asked = *mine;
}

/* The path into the list, if it is not there yet. */
static void add_path(struct arena *a, struct level_writable *w, const char *path)
{
	const char **more = arena_array(a, w->n_paths + 2, sizeof(*more));

	for (size_t i = 0; i < w->n_paths; i++) {
		if (str_eq(w->paths[i], path))
			return;
		more[i] = w->paths[i];
	}
	more[w->n_paths++] = path;
	w->paths = more;
}

/* Bounds of one path: they replace what was there and never grow. */
static void set_own(struct arena *a, struct level_writable *w, const struct level_own *own)
{
	struct level_own *more = arena_array(a, w->n_own + 1, sizeof(*more));

	for (size_t i = 0; i < w->n_own; i++) {
		more[i] = w->own[i];
		if (!str_eq(more[i].path, own->path))
			continue;
		more[i] = *own;
		w->own = more;
		for (i++; i < w->n_own; i++)
			more[i] = w->own[i];
		return;
	}
	more[w->n_own++] = *own;
	w->own = more;
}

static int merge_write(const struct merge *m, const struct policy_write *w, struct err *e)
{
	struct level_writable *now = &m->p->level.writable;
	struct level_own own = {.path = w->path, .size = w->size};
	struct policy_bounds bounds;
	const char *asked = NULL;

	if (level_path_check(w->path, e) < 0)
		return refuse(m, "writable.paths", arena_strdup(m->a, e->msg), e);
	/* To tmpfs a size of 0 is no bound. */
	if (w->size && *w->size < LEAST_BYTES)
		return refuse(m, "writable.paths",
			      arena_printf(m->a, "%.80s: a size below %d", w->path, LEAST_BYTES),
			      e);
	(void)policy_writable(&m->p->level, w->path, &bounds); /* what holds for all, if new */
	if (m->bound)
		bounds.size = m->bound->writable.size ? *m->bound->writable.size : 0;
	add_path(m->a, now, w->path);
	if (now->n_paths > MAX_WRITABLE)
		return refuse(m, "writable.paths", "more than 64 writable paths", e);
	if (w->size && bounds.size && *w->size > bounds.size) {
		asked = arena_printf(m->a, "%s:%llu", w->path, (unsigned long long)*w->size);
		own.size = smaller(m->a, bounds.size, NULL);
	}
	if (w->noexec || bounds.noexec)
		own.noexec = &yes;
	if (own.size || own.noexec)
		set_own(m->a, now, &own);
	note(m, "writable.paths",
	     own.size ? arena_printf(m->a, "%s:%llu%s", w->path, (unsigned long long)*own.size,
				     own.noexec ? ":noexec" : "")
		      : arena_printf(m->a, "%s%s", w->path, own.noexec ? "::noexec" : ""),
	     asked);
	return 0;
}

/*
 * A bound over all writable paths and /dev/shm, which is one more tmpfs: each gets its part, so
 * that the sum cannot be more.
 */
static int share(const struct merge *m, const char *field, const char *unit, uint64_t total,
		 uint64_t least, const uint64_t *bound, const uint64_t **out, struct err *e)
{
	size_t n = m->p->level.writable.n_paths;
	uint64_t each = total / (n + 1);

	if (each < least)
		return refuse(
			m, field,
			arena_printf(m->a,
				     "%llu %s over %zu writable paths and /dev/shm are too few: "
				     "%llu each is the least",
				     (unsigned long long)total, unit, n, (unsigned long long)least),
			e);
	*out = smaller(m->a, each, bound);
	policy_note(m->a, m->p,
		    &(struct policy_decision){
			    field, arena_printf(m->a, "%llu", (unsigned long long)**out), m->by,
			    NULL, OUTCOME_SET,
			    arena_printf(m->a, "%s: %llu %s over %zu writable paths and /dev/shm",
					 who(m, field), (unsigned long long)total, unit, n)});
	return 0;
}

static int merge_disk(const struct merge *m, uint64_t disk, struct err *e)
{
	struct level_writable *w = &m->p->level.writable;

	if (share(m, "writable.size", "bytes", disk, LEAST_BYTES,
		  m->bound ? m->bound->writable.size : w->size, &w->size, e) < 0)
		return -e->code;
	struct level_own *own = arena_array(m->a, w->n_own, sizeof(*own));
	for (size_t i = 0; i < w->n_own; i++) {
		own[i] = w->own[i];
		if (own[i].size)
			own[i].size = smaller(m->a, *w->size, own[i].size);
	}
	w->own = w->n_own ? own : NULL;
	return 0;
}

static int merge_inodes(const struct merge *m, uint64_t inodes, struct err *e)
{
	struct level_writable *w = &m->p->level.writable;

	return share(m, "writable.inodes", "inodes", inodes, LEAST_INODES,
		     m->bound ? m->bound->writable.inodes : w->inodes, &w->inodes, e);
}

static char *io_text(struct arena *a, const struct policy_io *io)
{
	char *text = arena_printf(a, "%s", io->device);
	char separator = ' ';

	for (size_t i = 0; i < POLICY_IO_RATES; i++) {
		if (!io->rates[i])
			continue;
		text = arena_printf(a, "%s%c%s=%llu", text, separator, policy_io_words[i],
				    (unsigned long long)io->rates[i]);
		separator = ',';
	}
	return text;
}

/* Rates of devices; the smallest of each is found by apply_io.c, which knows the devices. */
static int merge_io(const struct merge *m, const struct policy_wishes *w, struct err *e)
{
	struct policy *p = m->p;
	struct policy_io *list;

	if (!w->n_io)
		return 0;
	if (p->n_io + w->n_io > MAX_IO)
		return refuse(m, "io", "more than 64 devices", e);
	list = arena_array(m->a, p->n_io + w->n_io, sizeof(*list));
	if (p->n_io)
		memcpy(list, p->io, p->n_io * sizeof(*list));
	p->io = list;
	for (size_t i = 0; i < w->n_io; i++) {
		struct policy_io *io = &list[p->n_io];

		if (wish_io(m->a, w->io[i], io, e) < 0)
			return refuse(m, "io", arena_strdup(m->a, e->msg), e);
		if (m->by != BY_FLAG && strchr(io->device, '/'))
			return refuse(
				m, "io",
				arena_printf(m->a,
					     "\"%.80s\" is a path of the host: MAJOR:MINOR or "
					     "root",
					     io->device),
				e);
		io->who = who(m, "io");
		p->n_io++;
		note(m, "io", io_text(m->a, io), NULL);
	}
	return 0;
}

/*
 * 0 would be no limit at all to some of those who enforce them, and nothing allowed to others.
 * With less memory or fewer files nothing starts, and with smaller files not even brig's own last
 * step.  The kernel refuses more processes (PID_MAX_LIMIT).
 */
static int check_wishes(const struct merge *m, const struct policy_wishes *w, struct err *e)
{
	const struct {
		const char *field;
		const void *n; /* 64 bits; negative is "no limit" of the caller */
		uint64_t least, most;
	} rows[] = {
		{"memory",            w->memory,        LEAST_MEMORY, INT64_MAX },
		{"pids",              w->pids,          1,            MOST_PIDS },
		{"nofile",            w->nofile,        LEAST_FILES,  INT64_MAX },
		{"wall",              w->wall_ms,       1,            INT64_MAX },
		{"cpu_time",          w->cpu_ms,        1,            INT64_MAX },
		{"fsize",             w->fsize,         LEAST_BYTES,  INT64_MAX },
		{"output",            w->output,        1,            INT64_MAX },
		{"writable.size",     w->disk,          1,            INT64_MAX },
		{"writable.inodes",   w->inodes,        1,            INT64_MAX },
		{"network.open",      w->net_open,      1,            UINT32_MAX},
		{"network.rate",      w->net_rate,      1,            UINT32_MAX},
		{"network.total",     w->net_conns,     1,            UINT32_MAX},
		{"network.bytes",     w->net_bytes,     1,            INT64_MAX },
		{"network.bandwidth", w->net_bandwidth, 1,            INT64_MAX },
	};
	int64_t n;

	for (size_t i = 0; i < LEN(rows); i++) {
		if (!rows[i].n)
			continue;
		memcpy(&n, rows[i].n, sizeof(n));
		if (n >= 0 && (uint64_t)n < rows[i].least)
			return refuse(m, rows[i].field,
				      arena_printf(m->a, "%lld is too little: %llu is the least",
						   (long long)n, (unsigned long long)rows[i].least),
				      e);
		if (n > 0 && (uint64_t)n > rows[i].most)
			return refuse(m, rows[i].field,
				      arena_printf(m->a, "%lld does not fit: %llu is the most",
						   (long long)n, (unsigned long long)rows[i].most),
				      e);
		/* Of the network nothing is signed: this would be cut to any number, or none. */
		if (n < 0 && str_starts(rows[i].field, "network."))
			return refuse(m, rows[i].field,
				      arena_printf(m->a, "%llu does not fit: %llu is the most",
						   (unsigned long long)n,
						   (unsigned long long)rows[i].most),
				      e);
	}
	return 0;
}

/* What the kernel does not do by config.json alone. */
static int only_level(const struct merge *m, const struct policy_wishes *w, struct err *e)
{
	const struct {
		const char *field;
		bool given;
	} rows[] = {
		{"wall",            w->wall_ms              },
		{"cpu_time",        w->cpu_ms               },
		{"grace",           w->grace_ms             },
		{"output",          w->output               },
		{"writable.size",   w->disk                 },
		{"writable.inodes", w->inodes               },
		{"writable.paths",  w->n_write              },
		{"cpu.pin",         w->pin && !str_eq(w->pin, "none")},
		{"seccomp.language",                 w->language                       },
		{"seccomp.violation",                 w->seccomp_violation},
		{"root.private",                 w->root_private && *w->root_private                            },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].given)
			return refuse(m, rows[i].field,
				      "only a level does that: --level standard or high", e);
	return 0;
}

int wishes_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e)
{
	const struct merge m = {a, p, by, bound};
	struct level want;
	int r = check_wishes(&m, w, e);

	if (r == 0 && p->custom)
		r = only_level(&m, w, e);
	if (r == 0)
		r = as_level(&m, w, &want, e);
	if (r == 0)
		keep_asked(&m, &want);
	for (size_t i = 0; r == 0 && i < n_level_fields; i++)
		if (level_field_given(&level_fields[i], &want))
			r = merge_field(&m, &level_fields[i], &want, e);
	for (size_t i = 0; r == 0 && i < w->n_write; i++)
		r = merge_write(&m, &w->write[i], e);
	if (r == 0 && w->disk)
		r = merge_disk(&m, *w->disk, e);
	if (r == 0 && w->inodes)
		r = merge_inodes(&m, *w->inodes, e);
	if (r == 0)
		r = merge_io(&m, w, e);
	if (r == 0)
		r = network_merge(a, p, w, by, e);
	if (r == 0 && w->n_grants)
		r = grants_merge(a, p, w, by, bound, e);
	if (r == 0 && w->audit_calls && *w->audit_calls)
		p->audit_calls = true;
	return r;
}
