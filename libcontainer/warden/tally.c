/*
 * Violations: counted, remembered in rows that do not grow, and told to whoever keeps evidence.
 * Whatever the sandbox does, what is told and written has a bound (warden/warden.h).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "warden/internal.h"

/*
 * Rows for the rest of each class are kept free.  Names that it asks for and addresses cost a
 * sandbox nothing, and there is no end of them: they leave half of the rows to system calls.
 */
enum { ROWS_NAMED = VIOLATION_ROWS - VIOLATION_CLASSES, ROWS_EGRESS = ROWS_NAMED / 2 };
enum { TOLD_A_SECOND = 20, TOLD_EACH = 1000, FLOWS_A_SECOND = 50 };
#define SECOND_NS UINT64_C(1000000000)

/* --- rows --------------------------------------------------------------------------------- */

static uint32_t hash_of(const char *name)
{
	uint32_t h = 2166136261; /* FNV-1a */

	for (; name && *name; name++)
		h = (h ^ (unsigned char)*name) * 16777619;
	return h;
}

static struct tally_row *find(const struct tally *t, enum violation_class c, const char *name,
			      uint32_t hash)
{
	for (size_t i = 0; i < t->n; i++) {
		struct tally_row *r = t->rows[i];

		if (r->class_ == c && r->hash == hash && !r->name == !name &&
		    (!name || strcmp(r->name, name) == 0))
			return r;
	}
	return NULL;
}

static char *printable(struct arena *a, const char *s)
{
	char *out = arena_strndup(a, s, strnlen(s, VIOLATION_NAME_MAX));

	for (char *c = out; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	return out;
}

static bool has_room(const struct tally *t, enum violation_class c)
{
	size_t n = 0;

	for (size_t i = 0; c == VIOLATION_EGRESS && i < t->n; i++)
		n += t->rows[i]->class_ == c;
	return t->n < ROWS_NAMED && n < ROWS_EGRESS;
}

/* What a resolver says that was taken over does not make a count begin anew. */
static uint64_t plus(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static struct tally_row *row_of(struct tally *t, enum violation_class c, const char *name)
{
	own_arena struct arena a = {0};
	const char *clean = name ? printable(&a, name) : NULL;
	struct tally_row *r = find(t, c, clean, hash_of(clean));

	if (!r && clean && !has_room(t, c)) {
		clean = NULL;
		r = find(t, c, NULL, hash_of(NULL));
	}
	if (r)
		return r;
	r = arena_new(&t->arena, sizeof(*r));
	r->class_ = c;
	r->name = arena_strdup(&t->arena, clean);
	r->hash = hash_of(clean);
	t->rows[t->n++] = r;
	return r;
}

/* --- telling ------------------------------------------------------------------------------ */

static void emit(struct warden *w, const struct warden_event *ev)
{
	const struct warden_reports *r = &w->host.reports;
	struct tally *t = &w->tally;
	struct err why;

	if (!r->event || (t->lost && ev->kind != WARDEN_OVER))
		return;
	if (r->event(r->ctx, ev, &why) == 0 || t->lost)
		return;
	t->lost = true;
	snprintf(t->why, sizeof(t->why), "%.*s", (int)sizeof(t->why) - 1, why.msg);
}

static void roll(struct tally *t, uint64_t now)
{
	if (now - t->second < SECOND_NS)
		return;
	t->second = now;
	t->now = t->flows_now = 0;
}

/* More of what is known already. */
static bool worth_telling(struct tally *t, const struct tally_row *r, bool flooded)
{
	if (flooded || t->now >= TOLD_A_SECOND)
		return false;
	return t->told < TOLD_EACH || r->count / 2 >= r->told;
}

static void tell(struct warden *w, struct tally_row *r, const struct attempt *x,
		 enum violation_response given, bool anomalous)
{
	uint64_t untold = r->count - r->told;
	uint64_t itself = x && x->n < untold ? x->n : untold;
	struct warden_event ev = {
		.kind = WARDEN_VIOLATION,
		.class_ = r->class_,
		.response = given,
		.name = r->name,
		.count = r->count,
		.more = x ? untold - itself : untold,
		.anomalous = anomalous,
		.arch = x ? x->arch : NULL,
		.nr = -1,
	};
	char comm[COMM_MAX];

	if (!w->host.reports.event)
		return;
	if (x && x->call) {
		const struct seccomp_notif *n = x->call;

		ev.nr = n->data.nr;
		ev.pid = (pid_t)n->pid;
		for (size_t i = 0; i < LEN(ev.args); i++)
			ev.args[i] = n->data.args[i];
		ev.comm = comm_read(w->calls.proc, ev.pid, comm);
	}
	r->told = r->count;
	emit(w, &ev);
}

static enum violation_response response_to(const struct warden *w, enum violation_class c)
{
	uint64_t after = w->plan.responses[c].after;

	return after && w->tally.counts[c] >= after ? w->plan.responses[c].response : RESPONSE_WARN;
}

enum violation_response tally_add(struct warden *w, const struct attempt *x, bool *told)
{
	struct tally *t = &w->tally;
	struct tally_row *r = row_of(t, x->class_, x->name);
	bool first = !r->count, tells;
	uint64_t now = clock_monotonic_ns();

	if (!x->probes)
		t->counts[x->class_] = plus(t->counts[x->class_], x->n);
	enum violation_response given = x->probes ? RESPONSE_WARN : response_to(w, x->class_);
	bool harder = given > r->response;

	r->count = plus(r->count, x->n);
	r->last = (int64_t)now + clock_offset_ns();
	if (first)
		r->first = r->last;
	if (harder)
		r->response = given;
	t->taints = t->taints || violation_taints(x->class_, given);
	t->dirty = true;
	roll(t, now);
	tells = first || harder || worth_telling(t, r, w->calls.level > 0);
	if (tells && !first && !harder) {
		t->now++;
		t->told++;
	}
	if (tells)
		tell(w, r, x, given, false);
	if (told)
		*told = tells;
	return given;
}

void tally_flood(struct warden *w, const struct attempt *x)
{
	struct tally *t = &w->tally;
	uint64_t n = ++t->floods;

	/* Somebody may begin again and again. */
	if ((n & (n - 1)) == 0)
		tell(w, row_of(t, x->class_, x->name), x, response_to(w, x->class_), true);
}

void tally_flow(struct warden *w, const char *text, size_t len, const char *target, uint64_t lost)
{
	struct tally *t = &w->tally;
	struct warden_event ev = {
		.kind = WARDEN_FLOW,
		.class_ = target ? VIOLATION_EGRESS : VIOLATION_CLASSES,
		.name = target,
		.nr = -1,
		.text = text,
		.len = len,
	};
	const struct attempt x = {.class_ = VIOLATION_EGRESS, .name = target, .n = 1};
	enum violation_response given = RESPONSE_WARN;
	bool tells = true;

	roll(t, clock_monotonic_ns());
	if (target)
		given = tally_add(w, &x, &tells);
	t->flows_more = plus(t->flows_more, lost);
	if (tells && t->flows_now < FLOWS_A_SECOND) {
		t->flows_now++;
		ev.response = given;
		ev.more = t->flows_more;
		t->flows_more = 0;
		emit(w, &ev);
	} else {
		t->flows_more = plus(t->flows_more, 1);
	}
	if (target)
		respond(w, &x, given);
}

void tally_lease(struct warden *w, const char *text, size_t len)
{
	const struct warden_event ev = {.kind = WARDEN_LEASE,
					.class_ = VIOLATION_CLASSES,
					.nr = -1,
					.text = text,
					.len = len};

	emit(w, &ev);
}

/* --- the file ----------------------------------------------------------------------------- */

static const char *time_of(struct arena *a, int64_t ns)
{
	char text[64];

	clock_rfc3339_of(ns, text, sizeof(text), 3);
	return arena_strdup(a, text);
}

static void write_down(struct warden *w)
{
	own_arena struct arena a = {0};
	const struct tally *t = &w->tally;
	struct brig_violation *rows = arena_array(&a, t->n + 1, sizeof(*rows));
	struct err ignored;
	size_t len;

	for (size_t i = 0; i < t->n; i++) {
		const struct tally_row *r = t->rows[i];

		rows[i] = (struct brig_violation){
			.class_ = violation_classes[r->class_],
			.name = r->name,
			.response = violation_responses[r->response],
			.count = r->count,
			.first = time_of(&a, r->first),
			.last = time_of(&a, r->last),
			.taints = violation_taints(r->class_, r->response),
		};
	}
	const char *text = violations_print(&a, rows, t->n, &len);
	/* The directory may be gone, or full: it is watched all the same. */
	(void)!file_replace(w->dir, VIOLATIONS_FILE, text, len, 0600, &ignored);
}

void tally_write(struct warden *w, bool at_once)
{
	struct tally *t = &w->tally;
	uint64_t now = clock_monotonic_ns();

	if (!t->dirty)
		return;
	if (!at_once && t->written && now - t->written < SECOND_NS) {
		if (!w->clocks.due[DUE_TALLY])
			clocks_set(&w->clocks, DUE_TALLY, SECOND_NS - (now - t->written));
		return;
	}
	t->dirty = false;
	t->written = now;
	write_down(w);
}

void tally_close(struct warden *w)
{
	const struct warden_event over = {.kind = WARDEN_OVER, .nr = -1};
	struct tally *t = &w->tally;

	for (size_t i = 0; i < t->n; i++)
		if (t->rows[i]->count > t->rows[i]->told)
			tell(w, t->rows[i], NULL, t->rows[i]->response, false);
	emit(w, &over);
	tally_write(w, true);
}

int warden_violations_read(struct arena *a, int dir, struct brig_violation **out, size_t *n,
			   struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, VIOLATIONS_FILE, VIOLATIONS_MAX_BYTES, &text, &len, e);

	*n = 0;
	*out = NULL;
	if (r == -ENOENT)
		return 0;
	return r < 0 ? r : violations_parse(a, text, len, out, n, e);
}
