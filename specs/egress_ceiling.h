#ifndef BRIG_SPECS_EGRESS_CEILING_H
#define BRIG_SPECS_EGRESS_CEILING_H

#include "specs/egress.h"

/*
 * How far requests may go: one entry of a ceiling in brig.json.  A grant's text, where what is left
 * out (ports, protocol) means all of them, or a word: none, public (names, and addresses that are
 * not never reached), any.  "private" behind it: the administrator answers for private addresses
 * of names and for address ranges that are never reached otherwise.
 */
enum egress_ceiling_kind { EGRESS_CEILING_GRANT, EGRESS_CEILING_PUBLIC, EGRESS_CEILING_ANY };
struct egress_ceiling {
	enum egress_ceiling_kind kind;
	struct egress_grant grant; /* EGRESS_CEILING_GRANT; private_ of addresses, too */
	bool all_ports, all_protos;
};
/* "none" is for the caller: a ceiling with no entry. */
int egress_ceiling_parse(struct arena *a, const char *text, struct egress_ceiling *out,
			 struct err *e) MUST_CHECK;
/* NULL: within it; else why not, for a decision: "no entry of the ceiling covers it". */
const char *egress_ceiling_refuses(struct arena *a, const struct egress_ceiling *c, size_t n,
				   const struct egress_grant *asked);
/* The entry with "private" that covers it, of several the narrowest; NULL: none does. */
const struct egress_ceiling *egress_ceiling_backer(const struct egress_ceiling *c, size_t n,
						   const struct egress_grant *asked);
/* Whether there is one: the administrator stands behind the grant. */
bool egress_ceiling_backs(const struct egress_ceiling *c, size_t n,
			  const struct egress_grant *asked);

/*
 * "node", "any" or an address with or without bits: from where connections inward may come.
 */
int egress_from_parse(const char *text, enum egress_from *from, struct egress_address *address,
		      struct err *e) MUST_CHECK;

/*
 * What a wildcard has below it when anybody can have a name there (github.io, s3.amazonaws.com);
 * NULL: no such zone is known.
 */
const char *egress_shared_zone(const struct egress_grant *g);
/* The never-reached range that an address range lies in, NULL: none does. */
const struct egress_never_row *egress_never_row_of(const struct egress_address *range);
/* The never-reached range that lies in a wider range, NULL: none does. */
const struct egress_never_row *egress_never_row_in(const struct egress_address *range);
/*
 * Of a grant of who answers for it (a flag, brig.json, the verb grant): a range that only takes in
 * one that is never reached does not open it, so 0.0.0.0/0 is what is public, whoever says it.
 */
enum egress_backing egress_backing_by_caller(const struct egress_grant *g);

#endif
