#ifndef BRIG_NET_RULES_TABLE_H
#define BRIG_NET_RULES_TABLE_H

#include "net/batch.h"
#include "net/boxes.h"
#include "specs/egress.h"

/*
 * The parts of table "inet brig", for the files rules_*.c.  Keys of maps and of in4, in6 and the
 * resolvers' sets: address . protocol . port; an echo request has its type and code where others
 * have the port (rules_keys.c).
 */
enum rules_set {
	SET_GRANTS,     /* ids that are alive, with what passed in their name */
	SET_CIDR4,      /* grants of who may grant anything */
	SET_CIDR6,      /* */
	SET_ALWAYS4,    /* nobody's, not even of a private name */
	SET_ALWAYS6,    /* */
	SET_NEAR4,      /* learned, private */
	SET_NEAR6,      /* */
	SET_NEVER4,     /* */
	SET_NEVER6,     /* */
	SET_OPEN4,      /* CIDR grants of tenants */
	SET_OPEN6,      /* */
	SET_NAME4,      /* learned */
	SET_NAME6,      /* */
	SET_IN4,        /* who may connect to what */
	SET_IN6,        /* */
	SET_RESOLVERS4, /* */
	SET_RESOLVERS6, /* */
	RULES_SETS
};
extern const char *const rules_set_names[RULES_SETS];

/* Which sets there are, a bit each, and which chains beside those that always are. */
struct rules_shape {
	uint32_t sets;
	bool echo;            /* a grant of ICMP */
	bool neighbours;      /* IPv6 at all */
	bool bytes, slow;     /* limits that every packet meets */
	bool netdev;          /* table netdev brig, too */
	uint32_t stamp[2];    /* its secret */
	bool ingress, inside; /* resolver inside */
};
static inline bool rules_has(const struct rules_shape *s, enum rules_set set)
{
	return s->sets & 1u << set;
}
void rules_shape_of(const struct egress_policy *p, struct rules_shape *out);

/* An empty set; its id in the batch is its number + 1. */
void rules_put_set(struct batch *b, enum rules_set set);
bool rules_is_never(enum rules_set set);
struct rules_elements {
	struct batch_element *list;
	size_t n;
};
/* What the policy puts into it. */
int rules_elements_of(struct arena *a, const struct egress_policy *p, enum rules_set set,
		      struct rules_elements *out, struct err *e) MUST_CHECK;

/* address . protocol . port of an element, and the mark that a map gives. */
void rules_key(const struct egress_address *address, uint8_t proto, uint16_t port,
	       struct batch_element *out);
/* IPPROTO_ICMP of a grant as the packets of a family have it, and its "port". */
void rules_echo(uint8_t family, uint8_t *proto, uint16_t *port);

/* Chains and rules; the sets are there. */
void rules_put_chains(struct batch *b, const struct egress_policy *p, const struct rules_shape *s);
/* Chains new and echo alone: what depends on which sets there are. */
void rules_put_destinations(struct batch *b, const struct rules_shape *s);

/* rules_netdev.c: what packet sockets send, which the hooks of "inet brig" never see. */
void rules_put_stamp(struct batch *b, const struct rules_shape *s);
int rules_new_stamp(struct rules_shape *s, struct err *e) MUST_CHECK;
/* The other table, for the devices that are there now, as route (NETLINK_ROUTE) tells; had: an old
 * one goes. */
int rules_put_netdev(struct arena *a, const struct mnl *m, struct batch *b, int route,
		     const struct rules_shape *s, bool had, struct err *e) MUST_CHECK;

/* Comments of rules that count, by which rules_counts() finds them. */
#define RULES_ADMITTED   "admitted"
#define RULES_DENIED     "denied"
#define RULES_OVER_RATE  "over-rate"
#define RULES_OVER_OPEN  "over-open"
#define RULES_OVER_TOTAL "over-total"
#define RULES_OVER_BYTES "over-bytes"
#define RULES_INGRESS    "ingress"
#define RULES_DROPPED_IN "dropped-in"
/* Comment of the table: this and the digest; "deny" where nothing may leave. */
#define RULES_COMMENT "brig:v1:"

#endif
