#ifndef BRIG_NAMES_LEARNED_H
#define BRIG_NAMES_LEARNED_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "names/match.h"
#include "names/names.h"

/*
 * The addresses that were handed out, as the kernel's maps have them: one entry for each address
 * and grant.  The maps hold one grant for an address and port, so of several the first one that
 * learned it holds the element, for as long as any of them wants it; when it goes, the next one
 * gets it.
 */
enum {
	LEARNED_MAP = 4096,  /* elements (address and port) of one family */
	LEARNED_NAME = 1024, /* addresses of one name */
	LEARNED_NAMES = 4096,
	/* The kernel counts an element that ran out until it collects it, once a second. */
	LEARNED_LATE_MS = 3000,
};

struct learned;
struct learned *learned_new(struct arena *a, struct match *m, const struct names_host *h);
/* A new answer: what is taken from now on does not make room for each other. */
void learned_begin(struct learned *l);
/* What is handed out: unique addresses of one family, at most DNS_ADDRESSES, for a name. */
struct handed {
	const char *name;
	const struct egress_address *addresses;
	size_t n;
	uint64_t timeout_ms; /* from now on; 0: as long as the grant */
	int64_t now;
};
/*
 * Opens what k's grant needs for them.  -ENOSPC: there is no room, also not by giving up the oldest
 * addresses of that name, else of the grant that has the most.
 */
int learned_take(struct learned *l, struct known_grant *k, const struct handed *h,
		 struct err *e) MUST_CHECK;
/* The grant is not in match any more: its addresses pass to other grants, or are closed. */
void learned_drop(struct learned *l, const struct egress_grant *g, int64_t now);
/*
 * What was handed out a moment ago is handed out again, for flow records; nothing is opened, and
 * what k's grant has not learned is left out.
 */
void learned_again(struct learned *l, const struct known_grant *k, const char *name,
		   const struct egress_address *addresses, size_t n);
/* Counts up whenever an address is given up: answers of before may lead to closed doors. */
uint64_t learned_closed(const struct learned *l);
/* Frees entries that ran out. */
void learned_sweep(struct learned *l, int64_t now);
/* The name an address was last handed out for; NULL: by none.  Valid until the next is taken. */
const char *learned_name(const struct learned *l, const struct egress_address *a);

#endif
