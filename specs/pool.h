#ifndef BRIG_SPECS_POOL_H
#define BRIG_SPECS_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * <root>/.pools/NAME/pool.json: what a pool's sandboxes are made from, and counts.  Written by
 * rename under the lock of its directory.  What condition a member is in is not in it: that is
 * asked of the member.
 */
struct pool_counters {
	uint64_t acquired, released; /* leases given; given back by their holders */
	uint64_t waited;             /* acquires that did not get one at once */
	uint64_t expired;            /* leases that ran out */
	uint64_t reset;              /* generations made anew, clean */
	uint64_t created, deleted;
	uint64_t tainted, retired; /* of the deleted: for that */
};

struct brig_pool {
	int32_t v; /* 1 */
	const char *name;
	const char *bundle;                         /* absolute */
	const char *level;                          /* NULL: as brig.json and the annotations say */
	const char *system_config;                  /* NULL: /etc/brig/brig.json */
	uint32_t min, max;                          /* parked ones that are kept; members at most */
	uint64_t max_uses, max_age_ms, max_idle_ms; /* of a member, as create's; 0: no bound */
	const char *retire_on;                      /* as create's; NULL */
	const char *evidence; /* directory: what is known of tainted ones is kept there; NULL */
	uint64_t shrink_ms;   /* parked so long, and there are more than min: deleted; 0: never */
	bool keep_layers;     /* as create's; so are: */
	const char *net;      /* none veth; NULL: config.json alone says */
	const char *const *egress, *const *ingress, *const *resolvers;
	size_t n_egress, n_ingress, n_resolvers;
	const char *const *volumes; /* DEST=POLICY */
	size_t n_volumes;
	bool digests;
	const char *packages;       /* absolute; NULL */
	const char *const *seccomp; /* absolute */
	size_t n_seccomp;
	uint64_t serial; /* of the last member: NAME-SERIAL */
	bool draining;   /* no leases, no new members */
	struct pool_counters counters;
};

enum { POOL_MAX_BYTES = 64 << 10, POOL_NAME_MAX = 64, POOL_MEMBERS_MAX = 4096 };

/* Letters, digits and _ + - . only, not beginning with a dot, POOL_NAME_MAX at most. */
int pool_check_name(const char *name, struct err *e) MUST_CHECK;
/* What a caller asks for must fit, too: min <= max, bundle absolute. */
int pool_check(const struct brig_pool *p, struct err *e) MUST_CHECK;

/* Strict: unknown properties, contradictions are errors with their path. */
int pool_parse(struct arena *a, const char *json, size_t len, struct brig_pool *out,
	       struct err *e) MUST_CHECK;
/* One line without its end. */
char *pool_print(struct arena *a, const struct brig_pool *p, size_t *len);

/* NAME-SERIAL; *serial; false: no member of that pool has such an id. */
bool pool_member_id(const char *pool, const char *id, uint64_t *serial);

#endif
