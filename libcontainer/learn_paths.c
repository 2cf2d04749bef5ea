#include "learn_paths.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

enum { SLOTS = 1024 };

void learn_paths_init(struct learn_paths *p, struct arena *a)
{
	*p = (struct learn_paths){.a = a, .n_slots = SLOTS};
	p->slots = arena_array(a, p->n_slots, sizeof(*p->slots));
}

/* FNV-1a: who chooses the paths gains nothing by collisions but slowness of his own run. */
static uint32_t hash_of(const char *s)
{
	uint32_t h = 2166136261U;

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 16777619U;
	return h;
}

static void put_slot(struct learn_paths *p, size_t row)
{
	size_t at = p->rows[row].hash & (p->n_slots - 1);

	while (p->slots[at])
		at = (at + 1) & (p->n_slots - 1);
	p->slots[at] = (uint32_t)row + 1;
}

static struct learn_path *find(const struct learn_paths *p, const char *path, uint32_t hash)
{
	for (size_t at = hash & (p->n_slots - 1); p->slots[at]; at = (at + 1) & (p->n_slots - 1)) {
		struct learn_path *row = &p->rows[p->slots[at] - 1];

		if (row->hash == hash && str_eq(row->path, path))
			return row;
	}
	return NULL;
}

static void grow(struct learn_paths *p)
{
	if (p->n == p->room) {
		size_t room = p->room ? 2 * p->room : 256;
		struct learn_path *rows = arena_array(p->a, room, sizeof(*rows));

		if (p->n)
			memcpy(rows, p->rows, p->n * sizeof(*rows));
		p->rows = rows;
		p->room = room;
	}
	if (2 * (p->n + 1) <= p->n_slots)
		return;
	p->n_slots *= 2;
	p->slots = arena_array(p->a, p->n_slots, sizeof(*p->slots));
	for (size_t i = 0; i < p->n; i++)
		put_slot(p, i);
}

struct learn_path *learn_paths_add(struct learn_paths *p, const char *path, unsigned int use)
{
	uint32_t hash = hash_of(path);
	size_t len = strlen(path);
	struct learn_path *row = find(p, path, hash);

	if (!row) {
		if (p->n == LEARN_PATHS_MAX || p->bytes + len > LEARN_PATHS_BYTES) {
			p->more++;
			return NULL;
		}
		grow(p);
		row = &p->rows[p->n++];
		*row = (struct learn_path){.path = arena_strdup(p->a, path), .hash = hash};
		p->bytes += len;
		put_slot(p, p->n - 1);
	}
	row->use |= use;
	row->count++;
	return row;
}

/* --- fewer lines -------------------------------------------------------------------------- */

/* "/" before everything else, so that what is below a directory stands right behind it. */
static int by_path(const void *a, const void *b)
{
	const unsigned char *x = (const unsigned char *)((const struct learned_path *)a)->path;
	const unsigned char *y = (const unsigned char *)((const struct learned_path *)b)->path;

	while (*x && *x == *y) {
		x++;
		y++;
	}
	if (*x == *y)
		return 0;
	if (!*x || !*y)
		return *x ? 1 : -1;
	return *x == '/' ? -1 : *y == '/' ? 1 : *x < *y ? -1 : 1;
}

/* Two names of one file become one line. */
static size_t unite(struct learned_path *rows, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (to && str_eq(rows[to - 1].path, rows[i].path)) {
			rows[to - 1].count += rows[i].count;
		} else {
			rows[to++] = rows[i];
		}
	return to;
}

struct fold {
	struct arena *a;
	const struct learned_path *from;
	size_t n_from;
	struct learned_path *to;
	size_t n_to;
};

static bool is_below(const char *path, const char *dir, size_t len)
{
	return strncmp(path, dir, len) == 0 && path[len] == '/';
}

/*
 * From row `at` on, what is below the first len bytes of its path; returns the row behind.  A depth
 * of PATH_MAX / 2 is possible, and such a path is a run's own choice: deeper than MAX_DEPTH is not
 * looked at one by one.
 */
static size_t fold_below(struct fold *f, size_t at, size_t len, unsigned int depth)
{
	enum { MAX_DEPTH = 64 };
	const char *dir = f->from[at].path;
	size_t first = f->n_to;

	while (at < f->n_from && is_below(f->from[at].path, dir, len)) {
		const char *path = f->from[at].path;
		size_t part = len + 1 + strcspn(path + len + 1, "/");

		if (path[part] && depth < MAX_DEPTH)
			at = fold_below(f, at, part, depth + 1);
		else
			f->to[f->n_to++] = f->from[at++];
	}
	/* The directory itself was used, too, perhaps: its line stands before and stays. */
	if (depth == 0 || f->n_to - first <= (depth == 1 ? LEARN_FOLD_TOP : LEARN_FOLD))
		return at;
	struct learned_path sum = {.path = arena_printf(f->a, "%.*s/", (int)len, dir)};
	for (size_t i = first; i < f->n_to; i++) {
		sum.count += f->to[i].count;
		sum.files += f->to[i].files ? f->to[i].files : 1;
	}
	f->to[first] = sum;
	f->n_to = first + 1;
	return at;
}

void learn_paths_fold(struct arena *a, const struct learn_paths *p, unsigned int use,
		      const struct learned_path **out, size_t *n)
{
	struct learned_path *rows = arena_array(a, p->n + 1, sizeof(*rows));
	size_t count = 0;

	for (size_t i = 0; i < p->n; i++) {
		const struct learn_path *r = &p->rows[i];

		if (use ? !(r->use & use) || r->absent : !r->absent)
			continue;
		rows[count] = (struct learned_path){.path = r->real ? r->real : r->path,
						    .count = r->count};
		count++;
	}
	qsort(rows, count, sizeof(*rows), by_path);
	count = unite(rows, count);
	struct fold f = {a, rows, count, arena_array(a, count + 1, sizeof(*rows)), 0};
	for (size_t at = 0; at < count;)
		/* The root is below nothing. */
		if (rows[at].path[0] == '/' && rows[at].path[1])
			at = fold_below(&f, at, 0, 0);
		else
			f.to[f.n_to++] = rows[at++];
	*out = f.to;
	*n = f.n_to;
}
