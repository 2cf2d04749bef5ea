#ifndef BRIG_SPECS_FLOW_H
#define BRIG_SPECS_FLOW_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * One line of a sandbox's flow records: a connection that was let through or refused, or a name
 * that was asked for.  docs/egress.md; what is not known is NULL and absent.
 */
struct brig_flow {
	int32_t v;             /* 1 */
	const char *time;      /* RFC 3339, milliseconds */
	const char *event;     /* connect denied ingress lookup */
	const char *proto;     /* tcp udp icmp, or a number */
	const char *from, *to; /* addresses */
	const uint16_t *port;  /* of to */
	const char *name;      /* asked for, or that led to the address */
	const char *grant;     /* the grant's text */
	const char *verdict;   /* lookup: answered not-listed ... */
	const uint32_t *uid;   /* of the socket's owner, as the host counts */
};

enum { FLOW_MAX_BYTES = 4096 };
int flow_parse(struct arena *a, const char *json, size_t len, struct brig_flow *out,
	       struct err *e) MUST_CHECK;
/* One line without its end. */
char *flow_print(struct arena *a, const struct brig_flow *f, size_t *len);

#endif
