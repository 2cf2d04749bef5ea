#ifndef BRIG_AUDIT_VERIFY_CHAIN_H
#define BRIG_AUDIT_VERIFY_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/verify_report.h"

/* What the chain needs of a record. */
struct point {
	uint64_t seq, line;
	char hash[65], prev[65];
	char ts[32], boot[40];
	uint64_t mono, wall;     /* microseconds; wall: since 1970 */
	uint64_t epoch;          /* plus 1; 0: none */
	enum damage seal;        /* what is wrong with its MAC */
	const char *seal_detail; /* NULL: nothing is */
	bool vouched;            /* a head or a MAC shows that it is as it was written */
	bool branch;             /* of a fork that has been told */
};

/*
 * Sequence numbers and hashes.  A record that does not follow the last one is set aside until the
 * next ones show what is wrong: they follow it (something before it was changed or is missing), or
 * the last one (it is in the wrong place, or foreign).  All of it is bounded: what is further apart
 * than these numbers is still found, but may get a less exact word.
 */
enum { CHAIN_ASIDE = 16, CHAIN_RECENT = 256, CHAIN_GAPS = 8 };
struct chain_gap {
	uint64_t first, last, filled, id;
	char before[65], after[65]; /* hash of the record before it, and of its last one */
	bool told;                  /* that its records came later */
};
struct chain {
	struct report *report;
	struct point last; /* seq 0: there is none yet */
	bool known;        /* its hash: no damaged line stands behind it */
	uint64_t damaged;  /* lines since then that are no records */
	struct point aside[CHAIN_ASIDE];
	size_t n_aside;
	struct point recent[CHAIN_RECENT]; /* by sequence number */
	struct chain_gap gaps[CHAIN_GAPS];
	size_t n_gaps; /* ever; the newest ones are kept */
	/* the last one that stood too early, and its finding: a copy may stand in its place */
	char early[65];
	uint64_t early_id;
	/* a record is in its place: before is the one it follows, seq 0: that is not known */
	void (*reached)(void *ctx, const struct point *before, struct point *p);
	void *ctx;
};

enum chain_answer {
	CHAIN_FOLLOWS, /* the last good record */
	CHAIN_INSTEAD, /* damaged lines that stood between */
	CHAIN_ASKEW    /* neither; told now or later */
};
enum chain_answer chain_add(struct chain *c, const struct point *p);
/* What chain_add will answer. */
enum chain_answer chain_expect(const struct chain *c, const struct point *p);
/* Taken as it is: the first one, or one behind something that has been told. */
void chain_begin(struct chain *c, const struct point *p);
/* A line was no record. */
void chain_damaged(struct chain *c);
/* A file has ended: what is still set aside is told. */
void chain_settle(struct chain *c);

#endif
