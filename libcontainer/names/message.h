#ifndef BRIG_NAMES_MESSAGE_H
#define BRIG_NAMES_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "specs/egress.h"

/*
 * DNS messages (RFC 1035, 2308, 6891) as far as a name service of addresses needs them.  What goes
 * out is written here byte for byte, from nothing that came in but a client's own question.
 */
enum {
	DNS_NAME = EGRESS_NAME_MAX + 1,
	DNS_QUESTION = 255 + 4,
	DNS_MESSAGE = 4096,      /* what is read of a client at once */
	DNS_STREAM = 16 << 10,   /* of an upstream server over TCP */
	DNS_REPLY = 2560,        /* 64 addresses of 28 bytes, question, SOA, OPT */
	DNS_UDP_PAYLOAD = 1232,  /* fits in an IPv6 packet of 1280 bytes */
	DNS_UDP_PLAIN = 512,     /* without EDNS */
	DNS_ADDRESSES = 64,      /* of one answer */
	DNS_CHAIN = 8,           /* CNAMEs */
	DNS_NEGATIVE_SECONDS = 5 /* how long a client may remember that there is nothing */
};
enum { DNS_DROP = -1 };

struct dns_query {
	uint16_t id;
	bool rd, edns;
	uint16_t size; /* of the answer over UDP */
	uint16_t type;
	char name[DNS_NAME]; /* lower case, "" is the root */
	size_t question_len; /* 0: could not be read */
	uint8_t question[DNS_QUESTION];
};
/* 0; DNS_DROP: nothing to be answered; else the rcode (FORMERR ...) that *out is answered with. */
int dns_query_parse(const uint8_t *msg, size_t len, struct dns_query *out) MUST_CHECK;

struct dns_reply {
	int rcode;
	bool negative; /* with the SOA of nobody, which tells how long to believe it */
	uint32_t ttl;  /* of a negative one 0, or what is left of DNS_NEGATIVE_SECONDS */
	const struct egress_address *addresses; /* all of the type asked for */
	size_t n;
};
/* Within size (at least DNS_UDP_PLAIN): what does not fit is left out, and TC says so. */
size_t dns_reply_build(uint8_t *out, size_t size, const struct dns_query *q,
		       const struct dns_reply *r);

/* A query of our own.  size: DNS_UDP_PLAIN is enough. */
size_t dns_ask_build(uint8_t *out, size_t size, uint16_t id, const char *name, uint16_t type);

struct dns_answer {
	int rcode;
	bool truncated;
	uint32_t ttl;        /* the least of the chain */
	unsigned int hops;   /* of the chain in this message */
	char last[DNS_NAME]; /* where it ends */
	bool open;           /* nothing is said of its end: to be asked for */
	struct egress_address addresses[DNS_ADDRESSES]; /* each once */
	size_t n;
};
/*
 * -EBADMSG: not the answer to that question (somebody else's, late, forged): go on waiting.
 * -EPROTO: it is, but cannot be read.
 */
int dns_answer_parse(const uint8_t *msg, size_t len, uint16_t id, const char *name, uint16_t type,
		     struct dns_answer *out) MUST_CHECK;

/* Letters, digits, '-', '_' in labels of 1 to 63; made lower case. */
bool dns_host_name(char *name);

#endif
