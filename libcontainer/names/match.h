#ifndef BRIG_NAMES_MATCH_H
#define BRIG_NAMES_MATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "specs/egress.h"

/*
 * The grants of names as the name service sees them: found by the labels of a name instead of one
 * after the other, with what is remembered of each.  What a name means is egress_name_matches.
 */
struct known_grant {
	struct egress_grant grant; /* ports are those below; text and name are the policy's */
	struct egress_ports ports[EGRESS_MAX_PORTS];
	int64_t deadline; /* CLOCK_MONOTONIC in ms; 0: none */
	bool ended;
	/* Below a wildcard: different names asked for (quota.h). */
	uint16_t unique, in_minute;
	int64_t minute;
	uint16_t elements[2]; /* of IPv4, IPv6: its own in the maps (learned.c) */
	/* Chains of the two tables. */
	uint16_t next_of_name, next_of_id;
};

struct match;
struct match *match_new(struct arena *a);
/*
 * Takes the grants of names over; those known by their id go on.  gone is called for each that is
 * not there any more, when the new ones are.
 */
void match_set(struct match *m, const struct egress_policy *p, int64_t now,
	       void (*gone)(void *ctx, const struct egress_grant *g), void *ctx);
/* Ends grants whose time is over; returns the next deadline, 0: none. */
int64_t match_expire(struct match *m, int64_t now,
		     void (*gone)(void *ctx, const struct egress_grant *g), void *ctx);
/* Its time begins anew, also when it was over. */
void match_renew(struct match *m, uint32_t id, int64_t now);
/* NULL: not known or ended. */
struct known_grant *match_id(struct match *m, uint32_t id);

/* All grants for a lower-case name: exact ones, then wildcards from the narrowest on. */
struct match_walk {
	const char *name, *suffix;
	struct known_grant *next;
};
struct match_walk match_begin(struct match *m, const char *name);
struct known_grant *match_next(struct match *m, struct match_walk *w);
struct known_grant *match_first(struct match *m, const char *name);

#endif
