#include "audit/verify_chain.h"

#include <string.h>

#include "base/own.h"
#include "base/str.h"

typedef unsigned long long ull;

static struct point *recent_of(struct chain *c, uint64_t seq)
{
	struct point *p = &c->recent[seq % CHAIN_RECENT];

	return p->seq == seq ? p : NULL;
}

static void remember(struct chain *c, const struct point *p)
{
	c->recent[p->seq % CHAIN_RECENT] = *p;
}

static bool follows_hash(const struct chain *c, const struct point *p)
{
	return c->known && str_eq(p->prev, c->last.hash);
}

static bool chain_follows(const struct chain *c, const struct point *p)
{
	return p->seq == c->last.seq + 1 && follows_hash(c, p);
}

/* A MAC that is wrong is told when no better word for the line was found. */
static void tell_seal(struct chain *c, bool edited)
{
	if (c->last.seal_detail && !edited)
		report_add(c->report, c->last.seal, c->last.line, c->last.seq, "%s",
			   c->last.seal_detail);
	c->last.seal_detail = NULL;
}

/* p has its place behind the last one, which becomes it. */
static void advance(struct chain *c, const struct point *p, bool in_order)
{
	static const struct point nothing;
	const struct point before = in_order ? c->last : nothing;

	tell_seal(c, false);
	c->last = *p;
	c->known = true;
	c->damaged = 0;
	if (c->reached)
		c->reached(c->ctx, &before, &c->last);
	remember(c, &c->last);
}

void chain_begin(struct chain *c, const struct point *p)
{
	chain_settle(c);
	c->n_gaps = 0;
	advance(c, p, false);
}

void chain_damaged(struct chain *c)
{
	c->damaged++;
}

/* --- records that were set aside ------------------------------------------------------------ */

static void drop_aside(struct chain *c, size_t i)
{
	c->n_aside--;
	memmove(c->aside + i, c->aside + i + 1, (c->n_aside - i) * sizeof(*c->aside));
}

static void open_gap(struct chain *c, const struct point *p)
{
	struct chain_gap *g = &c->gaps[c->n_gaps++ % CHAIN_GAPS];
	uint64_t first = c->last.seq + 1, last = p->seq - 1;

	*g = (struct chain_gap){.first = first, .last = last};
	memcpy(g->before, c->last.hash, sizeof(g->before));
	memcpy(g->after, p->prev, sizeof(g->after));
	g->id = report_wait(c->report, DAMAGE_GAP, p->line, first,
			    "seq %llu follows seq %llu: %llu missing", (ull)p->seq,
			    (ull)c->last.seq, (ull)(last - first + 1));
}

/* Whether each of them stands where a record should: by its number or by what it follows. */
static bool strays_stand_in(const struct chain *c, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		const struct point *p = &c->aside[k];
		const char *before = k ? c->aside[k - 1].hash : c->last.hash;

		if (p->branch || (p->seq != c->last.seq + 1 + k && !str_eq(p->prev, before)))
			return false;
	}
	return true;
}

/* Foreign, or a copy of one that came in its own place. */
static void tell_stray(struct chain *c, const struct point *p)
{
	const struct point *same = recent_of(c, p->seq);

	if (p->branch)
		return;
	if (same && str_eq(same->hash, p->hash))
		report_add(c->report, DAMAGE_REPEATED, p->line, p->seq,
			   "the same record is line %llu", (ull)same->line);
	else
		report_add(c->report, DAMAGE_INSERTED, p->line, p->seq,
			   "it follows no record of the log, and none follows it");
}

/* The last record, or those that strays stand for, were changed. */
static void tell_edited(struct chain *c, const struct point *next, size_t strays)
{
	if (strays && c->aside[0].seq == c->last.seq + 1 && !follows_hash(c, &c->aside[0]))
		strays++; /* the one before them too: its hash is not what the first of them has */
	else if (strays) {
		report_add(c->report, DAMAGE_EDITED, c->aside[0].line, c->last.seq + 1,
			   "%llu record(s) before seq %llu are not those it was written after",
			   (ull)strays, (ull)next->seq);
		return;
	}
	report_add(c->report, DAMAGE_EDITED, c->last.line, c->last.seq,
		   "its SHA-256 is %.16s..., seq %llu was written after %.16s...%s", c->last.hash,
		   (ull)(c->last.seq + 1), strays ? c->aside[0].prev : next->prev,
		   c->last.seal_detail ? "; its MAC is wrong, too" : "");
	tell_seal(c, true);
}

/* The chain goes on from the i-th record that was set aside: says what that means of those before.
 */
static void adopt(struct chain *c, size_t i)
{
	const struct point p = c->aside[i];
	bool stood_in = false;

	if (p.branch) {
		/* told when it came */
	} else if (p.seq <= c->last.seq) {
		report_add(c->report, DAMAGE_REPEATED, p.line, p.seq,
			   "seq %llu stands before it, and the chain goes on from it",
			   (ull)c->last.seq);
	} else if (follows_hash(c, &p)) {
		report_add(c->report, DAMAGE_GAP, p.line, p.seq,
			   "seq %llu stands before it, and its hash is right: it was written so",
			   (ull)c->last.seq);
	} else if (p.seq == c->last.seq + 1 + i && strays_stand_in(c, i)) {
		tell_edited(c, &p, i);
		stood_in = true;
	} else {
		open_gap(c, &p);
	}
	/* Those behind it stay: their place may come. */
	for (size_t k = c->n_aside; k-- > 0;) {
		if (k != i && c->aside[k].seq > p.seq && !(stood_in && k < i))
			continue;
		if (k != i && !(stood_in && k < i))
			tell_stray(c, &c->aside[k]);
		drop_aside(c, k);
	}
	advance(c, &p, false);
}

/* Records set aside whose place has come, or is taken. */
static void place_aside(struct chain *c)
{
	for (size_t i = 0; i < c->n_aside;) {
		const struct point p = c->aside[i];

		if (chain_follows(c, &p)) {
			drop_aside(c, i);
			c->early_id =
				report_wait(c->report, DAMAGE_REORDERED, p.line, p.seq,
					    "it stands before seq %llu, after which it was written",
					    (ull)c->last.seq);
			memcpy(c->early, p.hash, sizeof(c->early));
			advance(c, &p, false);
			i = 0;
		} else if (p.seq <= c->last.seq && !p.branch) {
			drop_aside(c, i);
			tell_stray(c, &p);
		} else {
			i++;
		}
	}
}

static void resolve_first(struct chain *c)
{
	const struct point p = c->aside[0];

	if (p.branch || (p.seq <= c->last.seq && !follows_hash(c, &p)) ||
	    (p.seq == c->last.seq + 1 && c->last.vouched && !follows_hash(c, &p))) {
		drop_aside(c, 0);
		tell_stray(c, &p);
	} else {
		adopt(c, 0);
	}
	place_aside(c);
}

static void set_aside(struct chain *c, const struct point *p)
{
	if (c->n_aside == LEN(c->aside))
		resolve_first(c);
	if (c->n_aside < LEN(c->aside))
		c->aside[c->n_aside++] = *p;
}

void chain_settle(struct chain *c)
{
	while (c->n_aside)
		resolve_first(c);
	tell_seal(c, false);
}

/* --- one record after the other ------------------------------------------------------------- */

static struct chain_gap *gap_of(struct chain *c, uint64_t seq)
{
	size_t n = c->n_gaps < CHAIN_GAPS ? c->n_gaps : CHAIN_GAPS;

	for (size_t i = 0; i < n; i++)
		if (seq >= c->gaps[i].first && seq <= c->gaps[i].last)
			return &c->gaps[i];
	return NULL;
}

/* It is one of those that were missing. */
static void fill_gap(struct chain *c, struct chain_gap *g, const struct point *p)
{
	if ((p->seq == g->first && !str_eq(p->prev, g->before)) ||
	    (p->seq == g->last && !str_eq(p->hash, g->after))) {
		report_add(c->report, DAMAGE_INSERTED, p->line, p->seq,
			   "seq %llu is missing further up, but this is not it", (ull)p->seq);
		return;
	}
	remember(c, p);
	g->filled++;
	if (g->told)
		return;
	g->told = true;
	if (!report_change(c->report, g->id, DAMAGE_REORDERED, p->line, p->seq,
			   "it stands behind seq %llu, which was written after it",
			   (ull)c->last.seq))
		report_add(c->report, DAMAGE_REORDERED, p->line, p->seq,
			   "it was missing further up");
}

/* Its number has come before. */
static void late(struct chain *c, const struct point *p)
{
	const struct point *same = recent_of(c, p->seq);
	struct chain_gap *g = same ? NULL : gap_of(c, p->seq);
	struct point copy = *p;

	if (g) {
		fill_gap(c, g, p);
	} else if (!same) {
		report_add(c->report, DAMAGE_REPEATED, p->line, p->seq, "seq %llu stands before it",
			   (ull)c->last.seq);
	} else if (str_eq(same->hash, p->hash)) {
		if (!str_eq(c->early, p->hash) ||
		    !report_change(c->report, c->early_id, DAMAGE_REPEATED, p->line, p->seq,
				   "the same record is line %llu", (ull)same->line))
			report_add(c->report, DAMAGE_REPEATED, p->line, p->seq,
				   "the same record is line %llu", (ull)same->line);
	} else if (str_eq(same->prev, p->prev)) {
		report_add(c->report, DAMAGE_FORK, p->line, p->seq,
			   "line %llu follows the same record", (ull)same->line);
		copy.branch = true;
		set_aside(c, &copy);
	} else if (follows_hash(c, p)) {
		set_aside(c, p);
	} else {
		report_add(c->report, DAMAGE_INSERTED, p->line, p->seq,
			   "line %llu has that number, and this one follows no record",
			   (ull)same->line);
	}
}

enum chain_answer chain_expect(const struct chain *c, const struct point *p)
{
	if (chain_follows(c, p))
		return CHAIN_FOLLOWS;
	return c->damaged && p->seq > c->last.seq && p->seq - c->last.seq <= c->damaged + 1
		       ? CHAIN_INSTEAD
		       : CHAIN_ASKEW;
}

enum chain_answer chain_add(struct chain *c, const struct point *p)
{
	enum chain_answer answer = chain_expect(c, p);

	if (answer != CHAIN_ASKEW) {
		advance(c, p, answer == CHAIN_FOLLOWS);
		place_aside(c);
		return answer;
	}
	for (size_t i = 0; i < c->n_aside; i++)
		if (str_eq(p->prev, c->aside[i].hash)) {
			adopt(c, i); /* one less is aside, so this comes to an end */
			(void)chain_add(c, p);
			return CHAIN_ASKEW;
		}
	if (p->seq <= c->last.seq)
		late(c, p);
	else
		set_aside(c, p);
	return CHAIN_ASKEW;
}
