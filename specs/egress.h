#ifndef BRIG_SPECS_EGRESS_H
#define BRIG_SPECS_EGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What may leave a sandbox, and what may come in: decided once from level, administrator's file,
 * annotations, document and flags, never changed afterwards but by grant and revoke.  Also the
 * file egress.json of the state directory.  Words: docs/egress.md.
 */

struct egress_address {
	uint8_t family;    /* 4 or 6 */
	uint8_t prefix;    /* bits: 32 or 128 is one host */
	uint8_t bytes[16]; /* network order, bits behind the prefix are 0; of 4: the first four */
};

struct egress_ports {
	uint16_t first, last; /* inclusive, host order */
};

/* example.org; *.example.org: one label more; **.example.org: any number of labels more, at least
 * one.  Neither takes the name itself in. */
enum egress_wild { EGRESS_EXACT, EGRESS_ONE_LABEL, EGRESS_ANY_LABELS };

/* Who stands behind a grant: decides whether it comes before the addresses that are never reached.
 */
enum egress_backing {
	EGRESS_ASKED,  /* a tenant: annotation, document */
	EGRESS_BACKED, /* the invoking user's flag in direct mode, or brig.json */
};

enum { EGRESS_MAX_GRANTS = 5000, EGRESS_MAX_PORTS = 16, EGRESS_NAME_MAX = 253 };

/*
 * The ct mark of a connection is the id of the grant that let it through.  0 is never one, and
 * small numbers are left to network plug-ins.
 */
enum {
	EGRESS_ID_FIRST = 0xb20001,
	EGRESS_ID_INGRESS = 0xb2fffd,
	EGRESS_ID_RESOLVER = 0xb2fffe,
	/* mark of packets that the resolver sends inside the sandbox's network namespace */
	EGRESS_PACKET_MARK = 0xb2ffff,
};

struct egress_grant {
	uint32_t id;
	const char *text; /* canonical: api.example.org:443/tcp, CIDR:[2001:db8::/32]:*, with the
			     words behind it; what state, results and errors call it */
	const char *name; /* lower case, no trailing dot, without "*." and "**."; NULL: addresses */
	enum egress_wild wild;
	struct egress_address address;    /* name NULL */
	uint8_t proto;                    /* IPPROTO_TCP, _UDP, _ICMP (stands for _ICMPV6, too) */
	const struct egress_ports *ports; /* sorted, disjoint; names: single ones; icmp: none */
	size_t n_ports;
	enum egress_backing backing;
	/* EGRESS_BACKED addresses: the range that was named by who stands behind them, itself or
	 * one around it (of the ceiling); family 0: itself.  Of it only what he named is open:
	 * not what is never reached and merely lies in it.  Not recorded. */
	struct egress_address named;
	bool private_;   /* a name that may have private addresses */
	uint64_t ttl_ms; /* from the installation on; 0: as long as the sandbox */
};

enum egress_from { EGRESS_FROM_NODE, EGRESS_FROM_ANY, EGRESS_FROM_ADDRESS };
struct egress_ingress {
	enum egress_from from;
	struct egress_address address;    /* EGRESS_FROM_ADDRESS */
	uint8_t proto;                    /* IPPROTO_TCP, _UDP */
	const struct egress_ports *ports; /* n_ports 0: all */
	size_t n_ports;
};

/* 0: no such limit. */
struct egress_limits {
	uint32_t rate;      /* new connections a second, bursts of twice as many */
	uint32_t open;      /* at once */
	uint32_t total;     /* in its life */
	uint64_t bytes;     /* both ways together, with headers */
	uint64_t bandwidth; /* bytes a second, each way; what is over is dropped */
};

enum egress_connectivity {
	EGRESS_NET_NONE, /* lo only, or what an engine puts there later */
	EGRESS_NET_VETH,
	EGRESS_NET_PASTA,
	EGRESS_NET_JOIN /* a namespace that others have made */
};
extern const char *const egress_connectivity_words[]; /* none veth pasta join, NULL */

struct egress_policy {
	const struct egress_grant *grants;
	size_t n_grants;
	const struct egress_ingress *ingress;
	size_t n_ingress;
	struct egress_limits limits;
	bool ipv6;
	bool has_names; /* some grant has a name: a resolver is needed */
	bool nxdomain;  /* unlisted names: NXDOMAIN, with the search lists of pods; else REFUSED */
	bool netdev_egress; /* CAP_NET_RAW is kept (custom): packet sockets are filtered, too */
	enum egress_connectivity net;
	/* Where the resolver asks: inside the sandbox's network namespace (pods, engines, join) or
	 * in brig's own (veth, pasta). */
	bool resolves_inside;
	const struct egress_address *resolvers; /* port 53 */
	size_t n_resolvers;
	/* Facts of the host, not part of the digest: its own addresses, never reached; connections
	 * from the node come from these. */
	const struct egress_address *host;
	size_t n_host;
	const struct egress_address *never; /* of brig.json, beside the built-in ones */
	size_t n_never;
	const char *digest; /* "sha256:" + hex over grants, ingress, limits, never; for the table */
};

/*
 * NAME[:PORTS][/PROTO], CIDR:ADDRESS[/BITS][:PORTS][/PROTO], an IPv6 one in brackets with its bits
 * when ports follow; PORTS is PORT[-PORT],... or * ; then words after a space: ttl=30s, private.
 * Defaults: port 443, tcp.  Errors say what is wrong without the text's origin, which the caller
 * puts before: '"*": a wildcard needs a name behind it'.  backing, id are the caller's.
 */
int egress_grant_parse(struct arena *a, const char *text, struct egress_grant *out,
		       struct err *e) MUST_CHECK;
/* An address with or without bits. */
int egress_address_parse(const char *text, struct egress_address *out, struct err *e) MUST_CHECK;
const char *egress_address_text(struct arena *a, const struct egress_address *address);
/* PORT[-PORT][/PROTO] from anywhere. */
int egress_ingress_parse(struct arena *a, const char *text, struct egress_ingress *out,
			 struct err *e) MUST_CHECK;
const char *egress_ingress_text(struct arena *a, const struct egress_ingress *in);
/* Whether everything that asked lets through, may lets through, too (ports, protocol, names of
 * wildcards, addresses); words and backing do not count. */
bool egress_grant_covers(const struct egress_grant *may, const struct egress_grant *asked);
/* Whether host (lower case, no trailing dot) is meant by the grant's name. */
bool egress_name_matches(const struct egress_grant *g, const char *host);
bool egress_address_within(const struct egress_address *range, const struct egress_address *a);

/* The record egress.json: one line; parse is strict. */
char *egress_print(struct arena *a, const struct egress_policy *p, size_t *len);
int egress_parse(struct arena *a, const char *json, size_t len, struct egress_policy *out,
		 struct err *e) MUST_CHECK;
/* Sets digest. */
void egress_digest(struct arena *a, struct egress_policy *io);

/*
 * Addresses that no tenant reaches, whatever a name resolves to.  With private_ only those that are
 * nobody's else than the host's, or local to it, remain.
 */
enum egress_never { EGRESS_NEVER_NOT, EGRESS_NEVER_PRIVATE, EGRESS_NEVER_ALWAYS };
struct egress_never_row {
	const char *range; /* 10.0.0.0/8 */
	enum egress_never kind;
	const char *what; /* "private network (RFC 1918)" */
};
extern const struct egress_never_row egress_never_rows[];
extern const size_t n_egress_never_rows;
void egress_never_range(const struct egress_never_row *row, struct egress_address *out);
/*
 * Built-in rows; v4-mapped, NAT64 and 6to4 forms by what they carry; p->host and p->never (ALWAYS).
 * A range counts where all of it is in one row.  p may be NULL.
 */
enum egress_never egress_never_of(const struct egress_policy *p, const struct egress_address *a);

#endif
