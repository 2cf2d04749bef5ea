/* What is sent to clients and to upstream servers. */
#include <arpa/nameser.h>
#include <string.h>

#include "names/message.h"

enum { OPT_BYTES = 11, SOA_BYTES = 12 + 22, QUESTION_POINTER = 0xc00c };

/* Bytes written behind each other; who calls has made sure that there is room. */
struct out {
	uint8_t *p;
};
static void put8(struct out *o, unsigned int v)
{
	*o->p++ = (uint8_t)v;
}
static void put16(struct out *o, unsigned int v)
{
	put8(o, v >> 8);
	put8(o, v);
}
static void put32(struct out *o, uint32_t v)
{
	put16(o, v >> 16);
	put16(o, v);
}

static void put_header(struct out *o, uint16_t id, unsigned int flags, const unsigned int count[4])
{
	put16(o, id);
	put16(o, flags);
	for (int i = 0; i < 4; i++)
		put16(o, count[i]);
}

static void put_opt(struct out *o, unsigned int extended_rcode)
{
	put8(o, 0);
	put16(o, ns_t_opt);
	put16(o, DNS_UDP_PAYLOAD);
	put8(o, extended_rcode);
	put8(o, 0); /* version */
	put16(o, 0);
	put16(o, 0); /* no options */
}

static void put_record(struct out *o, unsigned int type, uint32_t ttl, unsigned int len)
{
	put16(o, QUESTION_POINTER);
	put16(o, type);
	put16(o, ns_c_in);
	put32(o, ttl);
	put16(o, len);
}

/* Names of the root as server and as mailbox: nobody's zone. */
static void put_soa(struct out *o, uint32_t seconds)
{
	put_record(o, ns_t_soa, seconds, 22);
	put8(o, 0);
	put8(o, 0);
	put32(o, 1);       /* serial */
	put32(o, 3600);    /* refresh */
	put32(o, 600);     /* retry */
	put32(o, 86400);   /* expire */
	put32(o, seconds); /* minimum */
}

size_t dns_reply_build(uint8_t *out, size_t size, const struct dns_query *q,
		       const struct dns_reply *r)
{
	struct out o = {out};
	bool negative = r->negative && q->question_len;
	size_t fixed = NS_HFIXEDSZ + q->question_len + (q->edns ? OPT_BYTES : 0) +
		       (negative ? SOA_BYTES : 0);
	size_t each = q->type == ns_t_a ? 12 + 4 : 12 + 16;
	size_t room = size > fixed ? (size - fixed) / each : 0, n = r->n < room ? r->n : room;
	/* RA also in refusals: without it Go takes an empty answer for a lame server's. */
	unsigned int flags = 0x8080U | (q->rd ? 0x100U : 0) | (n < r->n ? 0x200U : 0) |
			     ((unsigned int)r->rcode & 0xf);

	put_header(&o, q->id, flags,
		   (unsigned int[]){q->question_len != 0, (unsigned int)n, negative, q->edns});
	memcpy(o.p, q->question, q->question_len);
	o.p += q->question_len;
	for (size_t i = 0; i < n; i++) {
		unsigned int len = q->type == ns_t_a ? 4 : 16;

		put_record(&o, q->type, r->ttl, len);
		memcpy(o.p, r->addresses[i].bytes, len);
		o.p += len;
	}
	if (negative)
		put_soa(&o,
			r->ttl && r->ttl < DNS_NEGATIVE_SECONDS ? r->ttl : DNS_NEGATIVE_SECONDS);
	if (q->edns)
		put_opt(&o, (unsigned int)r->rcode >> 4);
	return (size_t)(o.p - out);
}

size_t dns_ask_build(uint8_t *out, size_t size, uint16_t id, const char *name, uint16_t type)
{
	struct out o = {out};

	if (size < NS_HFIXEDSZ + strlen(name) + 2 + 4 + OPT_BYTES)
		return 0;
	put_header(&o, id, 0x100, (unsigned int[]){1, 0, 0, 1});
	while (*name) {
		size_t len = strcspn(name, ".");

		put8(&o, (unsigned int)len);
		memcpy(o.p, name, len);
		o.p += len;
		name += len + (name[len] == '.');
	}
	put8(&o, 0);
	put16(&o, type);
	put16(&o, ns_c_in);
	put_opt(&o, 0);
	return (size_t)(o.p - out);
}
