/* What somebody asks for, put onto a level: narrower is taken, wider is cut or refused. */
#include "policy/wishes.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/rank.h"

enum { MAX_WRITABLE = 64, LEAST_BYTES = 4096 };
static const bool yes = true;

/* How each source calls what it asks for. */
static const struct name {
	const char *field;      /* of the level; limits without "direct." or "engine." */
	const char *annotation; /* behind dev.brig. */
	const char *document;
	const char *flag;
} names[] = {
	{"seccomp.language",  "seccomp.language",  "language",                   "lang"   },
	{"seccomp.violation", "seccomp.violation", "",                           ""       },
	{"root.readonly",     "root.readonly",     "readOnlyRoot",               "ro-root"},
	{"root.private",      "root.private",      "",                           "private"},
	{"writable.paths",    "fs.write",          "writablePaths",              "write"  },
	{"writable.size",     "disk.limit",        "resources.ephemeralStorage", "disk"   },
	{"cpu.pin",           "cpu.pin",           "resources.cpuPinning",       "pin"    },
	{"cpu",               "cpu.limit",         "resources.cpu",              "cpus"   },
	{"memory",            "memory.limit",      "resources.memory",           "memory" },
	{"swap",              "swap.limit",        "",                           "swap"   },
	{"pids",              "pids.limit",        "resources.pids",             "pids"   },
	{"nofile",            "nofile.limit",      "",                           "nofile" },
	{"wall",              "time.wall",         "timeout",                    "timeout"},
	{"network.egress",    "egress",            "networkAccess.egress",       "egress" },
};

/* One set of wishes on its way into a policy. */
struct merge {
	struct arena *a;
	struct policy *p;
	enum policy_source by;
	const struct level *bound; /* NULL: the level as it stands */
};

/* "annotation dev.brig.cpu.pin", "policy document: timeout", "--pin" */
static const char *who(const struct merge *m, const char *field)
{
	const struct name *n = NULL;

	if (str_starts(field, "direct.") || str_starts(field, "engine."))
		field = strchr(field, '.') + 1;
	for (size_t i = 0; i < LEN(names) && !n; i++)
		if (str_eq(names[i].field, field))
			n = &names[i];
	if (m->by == BY_ANNOTATION)
		return arena_printf(m->a, "annotation dev.brig.%s", n ? n->annotation : field);
	if (m->by == BY_DOCUMENT)
		return arena_printf(m->a, "policy document: %s", n ? n->document : field);
	return arena_printf(m->a, "--%s", n ? n->flag : field);
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

/* The level's own form of what is asked for: only that is given. */
static int as_level(struct arena *a, const struct policy_wishes *w, bool direct, struct level *out,
		    struct err *e)
{
	struct level_limits *l = direct ? &out->direct : &out->engine;

	*out = (struct level){
		.root = {w->root_readonly,                   w->root_private},
		.seccomp = {.language = w->language,                                  .violation = w->seccomp_violation},
		.cpu = {.pin = w->pin},
	};
	*l = (struct level_limits){
		.memory = w->memory,
		.swap = w->swap,
		.pids = w->pids,
		.nofile = w->nofile,
		.wall = w->wall_ms,
	};
	if (w->cpus) {
		uint64_t *milli = arena_new(a, sizeof(*milli));
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

static const uint64_t *smaller(struct arena *a, uint64_t n, const uint64_t *bound)
{
	uint64_t *p;

	if (bound && *bound <= n)
		return bound;
	p = arena_new(a, sizeof(*p));
	*p = n;
	return p;
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

/* A bound over all writable paths: each gets its part, so that the sum cannot be more. */
static int merge_disk(const struct merge *m, uint64_t disk, struct err *e)
{
	struct level_writable *w = &m->p->level.writable;
	uint64_t each = w->n_paths ? disk / w->n_paths : disk;

	if (each < LEAST_BYTES)
		return refuse(m, "writable.size",
			      arena_printf(m->a, "%llu bytes over %zu writable paths are too few",
					   (unsigned long long)disk, w->n_paths),
			      e);
	w->size = smaller(m->a, each, w->size);
	struct level_own *own = arena_array(m->a, w->n_own, sizeof(*own));
	for (size_t i = 0; i < w->n_own; i++) {
		own[i] = w->own[i];
		if (own[i].size)
			own[i].size = smaller(m->a, each, own[i].size);
	}
	w->own = w->n_own ? own : NULL;
	policy_note(m->a, m->p,
		    &(struct policy_decision){
			    "writable.size",
			    arena_printf(m->a, "%llu", (unsigned long long)*w->size), m->by, NULL,
			    OUTCOME_SET,
			    arena_printf(m->a, "%s: %llu bytes over %zu writable paths",
					 who(m, "writable.size"), (unsigned long long)disk,
					 w->n_paths)});
	return 0;
}

/* What a later version will do is refused: to ignore it would be less than was asked for. */
static int not_yet(const struct merge *m, const struct policy_wishes *w, struct err *e)
{
	if (w->n_egress)
		return refuse(m, "network.egress",
			      "allow lists are not in this version: nothing is reachable", e);
	if (str_eq(w->pin, "cores"))
		return refuse(m, "cpu.pin", "\"cores\": not in this version", e);
	return 0;
}

int wishes_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e)
{
	const struct merge m = {a, p, by, bound};
	struct level want;
	int r = not_yet(&m, w, e);

	if (r == 0)
		r = as_level(a, w, p->direct, &want, e);
	if (r == 0)
		keep_asked(&m, &want);
	for (size_t i = 0; r == 0 && i < n_level_fields; i++)
		if (level_field_given(&level_fields[i], &want))
			r = merge_field(&m, &level_fields[i], &want, e);
	for (size_t i = 0; r == 0 && i < w->n_write; i++)
		r = merge_write(&m, &w->write[i], e);
	if (r == 0 && w->disk)
		r = merge_disk(&m, *w->disk, e);
	return r;
}
