/* A record in its place: the heads kept elsewhere, the lock file, the times. */
#include <stdlib.h>
#include <string.h>

#include "audit/verifier.h"
#include "base/own.h"
#include "base/str.h"

typedef unsigned long long ull;

static int by_seq(const void *a, const void *b)
{
	const struct audit_head *x = a, *y = b;

	return (x->seq > y->seq) - (x->seq < y->seq);
}

void verify_sort_heads(struct verifier *v)
{
	size_t n = v->asked->n_heads;

	v->heads = arena_array(&v->arena, n + 1, sizeof(*v->heads));
	if (n)
		memcpy(v->heads, v->asked->heads, n * sizeof(*v->heads));
	v->n_heads = n;
	qsort(v->heads, n, sizeof(*v->heads), by_seq);
}

/* Those of another log are told once, and are not looked for. */
void verify_log_id(struct verifier *v, uint64_t line)
{
	size_t kept = 0;
	const struct audit_head *other = NULL;

	for (size_t i = 0; i < v->n_heads; i++)
		if (str_eq(v->heads[i].log, v->out->log))
			v->heads[kept++] = v->heads[i];
		else
			other = &v->heads[i];
	if (other)
		report_add(&v->report, DAMAGE_REPLACED, line, 0,
			   "its id is %s, the head's of seq %llu %.32s", v->out->log,
			   (ull)other->seq, other->log);
	v->n_heads = kept;
	if (v->files.lock_seq && !str_eq(v->files.lock_log, v->out->log)) {
		report_add(&v->report, DAMAGE_REPLACED, line, 0,
			   "its id is %s, the lock file knows %s", v->out->log, v->files.lock_log);
		v->files.lock_seq = 0;
	}
}

void verify_set_place(struct audit_place *to, const struct point *p)
{
	to->seq = p->seq;
	memcpy(to->hash, p->hash, sizeof(to->hash));
	memcpy(to->ts, p->ts, sizeof(to->ts));
}

static void meet_heads(struct verifier *v, struct point *p)
{
	for (; v->next_head < v->n_heads && v->heads[v->next_head].seq <= p->seq; v->next_head++) {
		const struct audit_head *h = &v->heads[v->next_head];

		if (h->seq != p->seq)
			continue; /* missing, as has been told */
		v->out->heads++;
		if (str_eq(h->hash, p->hash)) {
			p->vouched = true;
			verify_set_place(&v->out->head, p);
		} else {
			report_add(&v->report, DAMAGE_HEAD, p->line, p->seq,
				   "its SHA-256 is %.16s..., the head's %.16s...: changed and "
				   "chained anew, or rolled back and written on",
				   p->hash, h->hash);
		}
	}
	if (p->seq != v->files.lock_seq)
		return;
	v->out->lock = true;
	if (str_eq(v->files.lock_hash, p->hash))
		p->vouched = true;
	else
		report_add(&v->report, DAMAGE_EDITED, p->line, p->seq,
			   "its SHA-256 is %.16s..., the lock file knows %.16s...", p->hash,
			   v->files.lock_hash);
}

static void check_time(struct verifier *v, const struct point *before, const struct point *p)
{
	enum { TOLERANCE = 1000 * 1000 };
	struct {
		const char *clock;
		uint64_t was, is;
	} clocks[] = {
		{"CLOCK_BOOTTIME", before->mono, p->mono},
		{"the wall clock", before->wall, p->wall},
	};

	if (!before->seq || !str_eq(before->boot, p->boot))
		return;
	for (size_t i = 0; i < LEN(clocks); i++)
		if (clocks[i].is + TOLERANCE < clocks[i].was)
			report_add(&v->report, DAMAGE_TIME, p->line, p->seq,
				   "%s was %.3f seconds further at seq %llu", clocks[i].clock,
				   (double)(clocks[i].was - clocks[i].is) / 1e6, (ull)before->seq);
}

/* A record has found its place. */
void verify_reached(void *ctx, const struct point *before, struct point *p)
{
	struct verifier *v = ctx;

	check_time(v, before, p);
	seal_follow(&v->seal, before, p);
	meet_heads(v, p);
}
