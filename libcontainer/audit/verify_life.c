#include "audit/verify_life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

typedef unsigned long long ull;

void lives_begin(struct lives *l, struct report *report, struct audit_verdict *out, struct arena *a)
{
	*l = (struct lives){.report = report, .out = out, .arena = a};
}

static uint32_t *bucket_of(struct lives *l, const char *id)
{
	uint32_t h = 2166136261U; /* FNV-1a: who chooses ids can only slow down their own audit */

	for (; *id; id++)
		h = (h ^ (unsigned char)*id) * 16777619U;
	return &l->buckets[h % LIFE_BUCKETS];
}

/* The link that leads to it; that of the end: it is not there. */
static uint32_t *find(struct lives *l, const char *id)
{
	uint32_t *link = bucket_of(l, id);

	while (*link && !str_eq(l->rows[*link - 1].id, id))
		link = &l->rows[*link - 1].next;
	return link;
}

/* A free row, as index plus 1; 0: there are too many. */
static uint32_t take_row(struct lives *l)
{
	uint32_t row = l->free;

	if (row) {
		l->free = l->rows[row - 1].next;
		return row;
	}
	if (l->n == LIFE_MOST)
		return 0;
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct life *bigger = arena_array(l->arena, room, sizeof(*bigger));

		if (l->n)
			memcpy(bigger, l->rows, l->n * sizeof(*bigger));
		l->rows = bigger;
		l->room = room;
	}
	return (uint32_t)++l->n;
}

static void tell(struct lives *l, const struct life *s, const char *why)
{
	const char *now = l->report->file;

	l->report->file = s->file;
	report_add(l->report, DAMAGE_LIFECYCLE, s->line, s->seq, "%.128s: %s", s->id, why);
	l->report->file = now;
}

static void ended(struct lives *l, const char *id)
{
	uint32_t *link = find(l, id), row = *link;

	if (!row)
		return;
	*link = l->rows[row - 1].next;
	l->rows[row - 1].next = l->free;
	l->free = row;
}

/* Made, or started without it having been seen that it was made. */
static void begun(struct lives *l, const struct audit_record *r, uint64_t line, const char *root)
{
	uint32_t *link = find(l, r->id);
	bool again = *link && str_eq(r->event, "SandboxCreated");

	if (again) {
		tell(l, &l->rows[*link - 1], "the next one of that id was made meanwhile");
		ended(l, r->id);
	} else if (*link) {
		return;
	}
	uint32_t row = take_row(l);
	if (!row) {
		l->out->unwatched++;
		return;
	}
	link = find(l, r->id); /* rows may have moved */
	struct life *s = &l->rows[row - 1];
	*s = (struct life){
		.generation = r->generation,
		.seq = r->seq,
		.line = line,
		.file = l->report->file,
	};
	memcpy(s->id, r->id, strlen(r->id) + 1);
	(void)snprintf(s->boot, sizeof(s->boot), "%s", r->boot ? r->boot : "");
	if (root && strlen(root) < sizeof(s->root))
		memcpy(s->root, root, strlen(root) + 1);
	*link = row;
}

void lives_see(struct lives *l, const struct audit_record *r, uint64_t line, bool placed,
	       const char *root)
{
	bool begins = str_eq(r->event, "SandboxCreated") || str_eq(r->event, "SandboxStarted");

	if (!r->id)
		return;
	if (strlen(r->id) >= LIFE_ID) /* no sandbox of brig's has such a name */
		l->out->unwatched += begins;
	else if (begins && placed)
		begun(l, r, line, root);
	else if (str_eq(r->event, "SandboxExited") || str_eq(r->event, "SandboxDestroyed"))
		ended(l, r->id);
}

void lives_forget(struct lives *l)
{
	memset(l->buckets, 0, sizeof(l->buckets));
	l->free = 0;
	l->n = 0;
}

static int by_seq(const void *a, const void *b)
{
	const struct life *x = *(const struct life *const *)a, *y = *(const struct life *const *)b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

void lives_done(struct lives *l, const char *last_boot)
{
	const struct audit_verify *v = l->report->asked;
	const struct life **open = arena_array(l->arena, l->n + 1, sizeof(*open));
	size_t n = 0;

	if (!v->lives)
		return;
	for (size_t i = 0; i < LEN(l->buckets); i++)
		for (uint32_t row = l->buckets[i]; row; row = l->rows[row - 1].next)
			open[n++] = &l->rows[row - 1];
	qsort(open, n, sizeof(*open), by_seq);
	for (size_t i = 0; i < n; i++) {
		const struct audit_life life = {
			.id = open[i]->id,
			.boot = open[i]->boot,
			.root = open[i]->root[0] ? open[i]->root : NULL,
			.generation = open[i]->generation,
			.seq = open[i]->seq,
		};

		/* The machine went down, and the log says so by going on in another boot. */
		if (!str_eq(open[i]->boot, last_boot))
			continue;
		if (v->lives(v->ctx, &life))
			l->out->open++;
		else
			tell(l, open[i], "it was made, is not there, and has no end");
	}
}
