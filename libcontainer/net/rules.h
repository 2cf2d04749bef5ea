#ifndef BRIG_NET_RULES_H
#define BRIG_NET_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/mnl.h"
#include "specs/egress.h"

/*
 * Table "inet brig" of a network namespace with grants (docs/egress.md has it as nft(8) lists it).
 * Where nothing may leave at all net/egress.h has a smaller one, which loads no library.
 *
 * sock: NETLINK_NETFILTER, opened in that namespace by who had CAP_NET_ADMIN over it
 * (net/inside.h); the caller has it, too: the kernel asks both (netlink_ns_capable).
 * Messages begin with "nf_tables: " and name the part that was refused and the remedy.
 */

/*
 * Installs the table before anything runs in it: policy drop first, elements in further batches
 * only open.  EEXIST with the other's digest in the message when there is a brig table of another
 * policy; the same digest: nothing is done and *had is set.  replace: whatever is there goes, in
 * the batch that puts the new one (a table that is the namespace's own; also one that denies all).
 * policy->netdev_egress: for the devices that are there now.  Foreign tables are not looked for
 * (rules_check_foreign).
 */
struct rules_install {
	const struct egress_policy *policy;
	bool replace;
	int route; /* a NETLINK_ROUTE socket of the namespace; only with netdev_egress */
};
int rules_install(const struct mnl *m, int sock, const struct rules_install *i, bool *had,
		  struct err *e) MUST_CHECK;
/* The digest in a namespace's table, in the arena; NULL: no table (or one that denies all: ""). */
int rules_digest(struct arena *a, const struct mnl *m, int sock, const char **out,
		 struct err *e) MUST_CHECK;
/* Whether packet sockets meet its rules, too: of netdev_egress, and devices that there were. */
bool rules_has_netdev(const struct mnl *m, int sock);
/* ENOTSUP naming the table when another one sets ct marks: grants could be forged. */
int rules_check_foreign(const struct mnl *m, int sock, struct err *e) MUST_CHECK;

/* --- while it runs: the resolver, grant and revoke ---------------------------------------- */

/* An address of a name: until timeout_ms are over.  One element for each port of the grant. */
struct rules_learned {
	const struct egress_grant *grant;
	struct egress_address address;
	uint64_t timeout_ms; /* 0: as long as the grant */
	bool is_private;     /* goes before the never sets; grant->private_ */
};
/*
 * Inserted, or their time set anew (also before Linux 6.12, by NEW, DEL, NEW), when it returns:
 * acknowledged by the kernel.  Of several grants for one address and port the first one given
 * holds.  ENOSPC: the map is full.
 */
int rules_learn(const struct mnl *m, int sock, const struct rules_learned *l, size_t n,
		struct err *e) MUST_CHECK;
int rules_forget(const struct mnl *m, int sock, const struct rules_learned *l, size_t n,
		 struct err *e) MUST_CHECK;
/* The id lives (again) for ttl_ms (0: without end); connections of it pass. */
int rules_grant(const struct mnl *m, int sock, uint32_t id, uint64_t ttl_ms,
		struct err *e) MUST_CHECK;
/* Established connections of it are reset at their next packet.  Not live: no error.  Its count
 * ends here, as with the end of its ttl: rules_counts() before. */
int rules_revoke(const struct mnl *m, int sock, uint32_t id, struct err *e) MUST_CHECK;
/*
 * The CIDR maps as policy has them now, and sets that its grants need and that were not there (the
 * first name, the first echo): before rules_grant() of a new one, after rules_revoke() of an old
 * one that overlaps others.  One batch where it fits into one.
 */
int rules_set_addresses(const struct mnl *m, int sock, const struct egress_policy *policy,
			struct err *e) MUST_CHECK;

/* What the kernel has counted. */
struct rules_counts {
	uint64_t admitted;                                     /* new connections let through */
	uint64_t denied;                                       /* packets refused, by any rule */
	uint64_t over_rate, over_open, over_total, over_bytes; /* refused by that limit */
	uint64_t ingress;                                      /* connections inward let through */
	uint64_t dropped_in;                                   /* packets inward refused */
	struct rules_grant_count {
		uint32_t id;
		uint64_t packets, bytes; /* both ways */
	} * grants;
	size_t n_grants;
};
int rules_counts(struct arena *a, const struct mnl *m, int sock, struct rules_counts *out,
		 struct err *e) MUST_CHECK;

/* --- log groups ---------------------------------------------------------------------------- */

enum { RULES_LOG_DENIED = 100, RULES_LOG_ADMITTED = 101 };
/* sock2: a second NETLINK_NETFILTER socket of the namespace; binds both groups. */
int rules_log_open(const struct mnl *m, int sock2, struct err *e) MUST_CHECK;
struct rules_packet {
	bool denied;
	bool inward;
	uint32_t id; /* of the grant; 0: denied, or not known */
	uint8_t proto;
	struct egress_address from, to;
	uint16_t from_port, to_port; /* 0: has none */
	uint32_t uid;                /* of the socket's owner; UINT32_MAX: not told */
};
/*
 * Calls each for every record that waits; returns how many were lost (gaps of the sequence, and
 * ENOBUFS), or -errno.  Never blocks.
 */
int64_t rules_log_read(const struct mnl *m, int sock2, uint32_t *last_seq,
		       void (*each)(void *ctx, const struct rules_packet *p), void *ctx,
		       struct err *e) MUST_CHECK;

/* Whether this kernel has all that a table with grants needs, tried in a namespace of its own. */
bool rules_possible(const struct mnl *m, struct err *e);

#endif
