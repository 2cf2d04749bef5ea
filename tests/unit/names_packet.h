#ifndef BRIG_TESTS_NAMES_PACKET_H
#define BRIG_TESTS_NAMES_PACKET_H

/* DNS messages put together byte by byte, and read again. */
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <resolv.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "specs/egress.h"

struct packet {
	size_t len;
	uint8_t bytes[20000];
};

static inline void add(struct packet *p, const void *bytes, size_t n)
{
	memcpy(p->bytes + p->len, bytes, n);
	p->len += n;
}
static inline void add16(struct packet *p, unsigned int v)
{
	add(p, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}
static inline void add32(struct packet *p, uint32_t v)
{
	add16(p, v >> 16);
	add16(p, v & 0xffff);
}
static inline void add_name(struct packet *p, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		add(p, (uint8_t[]){(uint8_t)n}, 1);
		add(p, name, n);
		name += n + (name[n] == '.');
	}
	add(p, "", 1);
}
static inline void begin(struct packet *p, uint16_t id, unsigned int flags, unsigned int qd)
{
	p->len = 0;
	add16(p, id);
	add16(p, flags);
	add16(p, qd);
	add(p, "\0\0\0\0\0\0", 6);
}
static inline void add_question(struct packet *p, const char *name, unsigned int type,
				unsigned int class)
{
	add_name(p, name);
	add16(p, type);
	add16(p, class);
}
static inline unsigned int at16(const uint8_t *b)
{
	return (unsigned int)(b[0] << 8 | b[1]);
}
/* section: 6 answers, 8 authority, 10 additional. */
static inline void count_up(struct packet *p, int section)
{
	unsigned int v = at16(p->bytes + section) + 1;

	p->bytes[section] = (uint8_t)(v >> 8);
	p->bytes[section + 1] = (uint8_t)v;
}
static inline void add_record(struct packet *p, int section, const char *owner, unsigned int type,
			      uint32_t ttl, const void *data, size_t n)
{
	count_up(p, section);
	add_name(p, owner);
	add16(p, type);
	add16(p, ns_c_in);
	add32(p, ttl);
	add16(p, (unsigned int)n);
	add(p, data, n);
}
static inline void add_address(struct packet *p, const char *owner, uint32_t ttl, const char *text)
{
	uint8_t b[16];
	bool six = strchr(text, ':');

	if (inet_pton(six ? AF_INET6 : AF_INET, text, b) != 1)
		abort();
	add_record(p, 6, owner, six ? ns_t_aaaa : ns_t_a, ttl, b, six ? 16 : 4);
}
static inline void add_cname(struct packet *p, const char *owner, uint32_t ttl, const char *target)
{
	struct packet name = {.len = 0};

	add_name(&name, target);
	add_record(p, 6, owner, ns_t_cname, ttl, name.bytes, name.len);
}

static inline void query_of(struct packet *p, const char *name, unsigned int type)
{
	static uint16_t id = 77;

	begin(p, ++id, 0x0100, 1);
	add_question(p, name, type, ns_c_in);
}
static inline void with_edns(struct packet *p, unsigned int size)
{
	count_up(p, 10);
	add(p, "\0\0\x29", 3);
	add16(p, size);
	add(p, "\0\0\0\0\0\0", 6);
}

/* A reply as its reader sees it: refused to be read by libc is rcode -1, none -2. */
struct reply {
	int rcode;
	size_t n;
	struct egress_address addresses[128];
	uint32_t ttl;
	bool soa, truncated, edns;
	size_t len;
	uint8_t bytes[4096];
};

/* One record at r->bytes[at]; the offset behind it, 0: cannot be read. */
static inline size_t read_record(struct reply *r, size_t at, int section)
{
	char name[NS_MAXDNAME];
	const uint8_t *b = r->bytes;
	int n = dn_expand(b, b + r->len, b + at, name, sizeof(name));
	size_t tail = at + (size_t)n, len;

	if (n < 0 || tail + 10 > r->len || tail + 10 + (len = at16(b + tail + 8)) > r->len)
		return 0;
	unsigned int type = at16(b + tail);
	uint32_t ttl = at16(b + tail + 4) << 16 | at16(b + tail + 6);
	if (section == 6) {
		struct egress_address *a = &r->addresses[r->n++];

		*a = (struct egress_address){type == ns_t_a ? 4 : 6, (uint8_t)(len * 8), {0}};
		memcpy(a->bytes, b + tail + 10, len <= 16 ? len : 0);
		r->ttl = ttl;
	}
	r->soa |= section == 8 && type == ns_t_soa;
	if (section == 10 && type == ns_t_opt) {
		r->edns = true;
		r->rcode |= (int)(ttl >> 24) << 4;
	}
	return tail + 10 + len;
}

static inline void read_reply(const struct packet *query, struct reply *r)
{
	const uint8_t *b = r->bytes;
	size_t at = 12;

	r->rcode = -1;
	if (r->len < 12 || memcmp(b, query->bytes, 2) != 0 || !(b[2] & 0x80) || !(b[3] & 0x80))
		return;
	int rcode = b[3] & 0xf;
	r->rcode = rcode;
	r->truncated = b[2] & 2;
	if (at16(b + 4)) {
		int n = dn_skipname(b + 12, b + r->len);

		at = n < 0 ? r->len + 1 : 12 + (size_t)n + 4;
		/* the question is the client's own */
		if (at > r->len || memcmp(b + 12, query->bytes + 12, at - 12) != 0)
			at = 0;
	}
	for (int section = 6; section <= 10; section += 2)
		for (unsigned int i = at16(b + section); i && at; i--)
			at = read_record(r, at, section);
	if (at != r->len)
		r->rcode = -1;
}

#endif
