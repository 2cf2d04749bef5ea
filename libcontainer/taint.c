#include "taint.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "warden/warden.h"

enum { ENDED_ROWS = 1, UNREADABLE_ROWS = 3, OF_RESULT = 1 };

/* Room for everything that there can be. */
struct rows {
	struct arena *arena;
	struct taint_row *v;
	size_t n;
	const char *cleared;
};

static void add(struct rows *r, const struct taint_row *new)
{
	r->v[r->n++] = *new;
}

static void unreadable(struct rows *r, const char *file, const struct err *e)
{
	const struct taint_row row = {
		.class_ = "unreadable", .name = file, .reason = arena_strdup(r->arena, e->msg)};

	add(r, &row);
}

/* Times are of one form.  In the same millisecond: nobody can have taken it back for that. */
static bool is_newer(const char *last, const char *cleared)
{
	return !cleared || !last || strcmp(last, cleared) >= 0;
}

static bool has_class(const struct rows *r, const char *class_)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq(r->v[i].class_, class_) && !r->v[i].by)
			return true;
	return false;
}

/* --- what is written down ----------------------------------------------------------------- */

int taint_load(struct arena *a, int dir, struct brig_taints *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, TAINT_FILE, TAINT_MAX_BYTES, &text, &len, e);

	*out = (struct brig_taints){0};
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : taints_parse(a, text, len, out, e);
}

static void add_said(struct rows *r, const struct brig_taints *t)
{
	for (size_t i = 0; i < t->n_rows; i++) {
		const struct brig_taint *one = &t->rows[i];
		const struct taint_row row = {
			.class_ = one->class_,
			.reason = one->reason,
			.by = one->by,
			.count = 1,
			.first = one->time,
			.last = one->time,
		};

		add(r, &row);
	}
}

static void add_violations(struct rows *r, const struct brig_violation *v, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct taint_row row = {
			.class_ = v[i].class_,
			.name = v[i].name,
			.count = v[i].count,
			.first = v[i].first,
			.last = v[i].last,
		};

		if (v[i].taints && is_newer(v[i].last, r->cleared))
			add(r, &row);
	}
}

/* Of a sandbox that runs on it is not known. */
static const char *time_of_end(struct arena *a, const struct warden_end *end)
{
	char text[64];

	if (!end->ended_ns)
		return NULL;
	clock_rfc3339_of((int64_t)end->ended_ns + clock_offset_ns(), text, sizeof(text), 3);
	return arena_strdup(a, text);
}

/* Where "violations" has a word about calls, it is the better one. */
static void add_end(struct rows *r, const struct warden_end *end, const struct brig_violation *v,
		    size_t n)
{
	const char *time = time_of_end(r->arena, end);
	const struct taint_row row = {
		.class_ = "syscall",
		.name = end->syscall ? end->syscall : end->arch,
		.count = end->count > 0 ? (uint64_t)end->count : 0,
		.last = time,
	};

	for (size_t i = 0; i < n; i++)
		if (str_eq(v[i].class_, row.class_))
			return;
	if (end->tainted && is_newer(time, r->cleared))
		add(r, &row);
}

static void collect(struct arena *a, int dir, struct rows *r)
{
	struct brig_violation *v = NULL;
	struct brig_taints said;
	struct warden_end end;
	struct err bad[UNREADABLE_ROWS];
	size_t n = 0;
	int said_r = taint_load(a, dir, &said, &bad[0]);
	int v_r = warden_violations_read(a, dir, &v, &n, &bad[1]);
	int end_r = warden_end_read(a, dir, &end, &bad[2]);

	*r = (struct rows){
		.arena = a,
		.v = arena_array(a, said.n_rows + n + ENDED_ROWS + UNREADABLE_ROWS + OF_RESULT,
				 sizeof(*r->v)),
		.cleared = said.cleared,
	};
	add_said(r, &said);
	if (said_r < 0)
		unreadable(r, TAINT_FILE, &bad[0]);
	if (v_r < 0)
		unreadable(r, VIOLATIONS_FILE, &bad[1]);
	else
		add_violations(r, v, n);
	if (end_r < 0)
		unreadable(r, WARDEN_ENDED, &bad[2]);
	else
		add_end(r, &end, v, v_r < 0 ? 0 : n);
}

void taint_of(struct arena *a, int dir, struct taint *out)
{
	struct rows r;

	collect(a, dir, &r);
	*out = (struct taint){r.v, r.n, r.cleared};
}

/* --- with a result ------------------------------------------------------------------------ */

/* Which call it was the kernel does not tell, nor of another process than the first. */
static void add_result(struct rows *r, const struct brig_result *of)
{
	const struct result_violation *v = of->n_violations ? &of->violations[0] : NULL;
	const struct taint_row row = {
		.class_ = "syscall",
		.name = v ? v->name : NULL,
		.count = v && v->count ? *v->count : 0,
		.first = of->ended,
		.last = of->ended,
	};

	if (str_eq(of->status, row.class_) && !has_class(r, row.class_) &&
	    is_newer(of->ended, r->cleared))
		add(r, &row);
}

static bool has_word(const char *const *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(list[i], word))
			return true;
	return false;
}

const char *const *taint_words(struct arena *a, const struct taint *t, size_t *n)
{
	const char **list = arena_array(a, t->n + 1, sizeof(*list));

	*n = 0;
	for (const struct taint_row *row = t->rows; row < t->rows + t->n; row++) {
		const char *word =
			row->name ? arena_printf(a, "%s:%s", row->class_, row->name) : row->class_;

		if (!has_word(list, *n, word))
			list[(*n)++] = word;
	}
	return list;
}

void taint_of_result(struct arena *a, int dir, struct brig_result *io, struct taint *out)
{
	struct rows r;

	collect(a, dir, &r);
	add_result(&r, io);
	const struct taint t = {r.v, r.n, r.cleared};
	const char *const *list = taint_words(a, &t, &io->n_taint);

	io->taint = io->n_taint ? list : NULL;
	if (out)
		*out = t;
}
