/*
 * What clients and upstream servers send, read; what is sent to them is in reply.c.
 *
 * Names are expanded by libc (dn_expand: bounded, pointers counted).  glibc has its record parser
 * in libresolv, not in libc, and another shared library costs more at each start than the few lines
 * about records here.
 */
#include "names/message.h"

#include <arpa/nameser.h>
#include <errno.h>
#include <resolv.h>
#include <string.h>

enum {
	HEADER_BYTES = 12,
	TAIL_BYTES = 10, /* of a record behind its name */
	FLAG_QR = 0x80,
	FLAG_TC = 0x02,
	FLAG_RD = 0x01,
	MAX_ADDITIONAL = 4,
};
enum { AT_QUESTIONS = 4, AT_ANSWERS = 6, AT_AUTHORITY = 8, AT_ADDITIONAL = 10 };

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

bool dns_host_name(char *name)
{
	size_t label = 0, len = strlen(name);

	if (!len || len > EGRESS_NAME_MAX || name[len - 1] == '.')
		return false;
	for (char *p = name; *p; p++) {
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p - 'A' + 'a');
		if (*p == '.' ? !label : ++label > 63)
			return false;
		if (*p == '.')
			label = 0;
		else if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '-' ||
			   *p == '_'))
			return false;
	}
	return true;
}

/* --- records ------------------------------------------------------------------------------ */

/* A message and where in it the next thing is. */
struct reader {
	const uint8_t *msg, *end, *at;
};
struct record {
	char name[NS_MAXDNAME];
	uint16_t type, class, len;
	uint32_t ttl;
	const uint8_t *data;
};

static bool next_record(struct reader *r, struct record *out)
{
	int n = dn_expand(r->msg, r->end, r->at, out->name, sizeof(out->name));

	if (n < 0 || r->end - r->at < n + TAIL_BYTES)
		return false;
	const uint8_t *p = r->at + n;
	out->type = get16(p);
	out->class = get16(p + 2);
	out->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	out->len = get16(p + 8);
	out->data = p + TAIL_BYTES;
	if (r->end - out->data < out->len)
		return false;
	r->at = out->data + out->len;
	return true;
}

/*
 * The only question of a message.  Returns its bytes, 0: there is none, it is compressed, or not
 * the name of a host (but the root is let through: "").
 */
static size_t read_question(const struct reader *r, char name[DNS_NAME], uint16_t *type,
			    uint16_t *class)
{
	char text[NS_MAXDNAME];
	int n = dn_expand(r->msg, r->end, r->at, text, sizeof(text));

	if (n < 0 || r->end - r->at < n + 4)
		return 0;
	/* Escapes (\. \000) are no host names; then the bytes of a name without pointers are known.
	 */
	if (!(n == 1 && !text[0]) && (!dns_host_name(text) || (size_t)n != strlen(text) + 2))
		return 0;
	memcpy(name, text, strlen(text) + 1);
	*type = get16(r->at + n);
	*class = get16(r->at + n + 2);
	return (size_t)n + 4;
}

/* --- queries ------------------------------------------------------------------------------ */

/* The OPT record among the additional ones: at most one, of the root. */
static int read_edns(struct reader *r, struct dns_query *q)
{
	unsigned int n = get16(r->msg + AT_ADDITIONAL), version = 0;
	struct record x;

	if (n > MAX_ADDITIONAL)
		return ns_r_formerr;
	while (n--) {
		if (!next_record(r, &x))
			return ns_r_formerr;
		if (x.type != ns_t_opt)
			continue;
		if (q->edns || x.name[0])
			return ns_r_formerr;
		q->edns = true;
		if (x.class > DNS_UDP_PLAIN)
			q->size = x.class < DNS_UDP_PAYLOAD ? x.class : DNS_UDP_PAYLOAD;
		version = x.ttl >> 16 & 0xff;
	}
	if (r->at != r->end)
		return ns_r_formerr;
	return version ? ns_r_badvers : 0;
}

int dns_query_parse(const uint8_t *msg, size_t len, struct dns_query *out)
{
	struct reader r = {msg, msg + len, msg + HEADER_BYTES};
	uint16_t class = 0;

	if (len < HEADER_BYTES || msg[2] & FLAG_QR)
		return DNS_DROP;
	memset(out, 0, sizeof(*out));
	out->id = get16(msg);
	out->rd = msg[2] & FLAG_RD;
	out->size = DNS_UDP_PLAIN;
	if (msg[2] >> 3 & 0xf)
		return ns_r_notimpl;
	if (get16(msg + AT_QUESTIONS) != 1 || get16(msg + AT_ANSWERS) || get16(msg + AT_AUTHORITY))
		return ns_r_formerr;
	size_t n = read_question(&r, out->name, &out->type, &class);
	if (!n)
		return ns_r_formerr;
	out->question_len = n;
	memcpy(out->question, r.at, n);
	r.at += n;
	int rcode = read_edns(&r, out);
	return rcode ? rcode : class == ns_c_in ? 0 : ns_r_notimpl;
}

/* --- answers of upstream servers ---------------------------------------------------------- */

/* b is lower case. */
static bool same_name(const char *a, const char *b)
{
	for (; *a && *b; a++, b++) {
		int lower = *a >= 'A' && *a <= 'Z' ? *a - 'A' + 'a' : *a;

		if (lower != *b)
			return false;
	}
	return !*a && !*b;
}

/* Leaves the reader behind the question. */
static bool is_answer_to(struct reader *r, uint16_t id, const char *name, uint16_t type)
{
	char text[DNS_NAME];
	uint16_t got = 0, class = 0;

	if (r->end - r->msg < HEADER_BYTES || get16(r->msg) != id || !(r->msg[2] & FLAG_QR) ||
	    r->msg[2] >> 3 & 0xf || get16(r->msg + AT_QUESTIONS) != 1)
		return false;
	size_t n = read_question(r, text, &got, &class);
	r->at += n;
	return n && got == type && class == ns_c_in && strcmp(text, name) == 0;
}

static void take_address(struct dns_answer *out, const struct record *x)
{
	uint16_t len = x->type == ns_t_a ? 4 : 16;

	if (x->len != len || out->n == DNS_ADDRESSES)
		return;
	for (size_t i = 0; i < out->n; i++)
		if (memcmp(out->addresses[i].bytes, x->data, len) == 0)
			return;
	struct egress_address *a = &out->addresses[out->n++];
	*a = (struct egress_address){.family = x->type == ns_t_a ? 4 : 6,
				     .prefix = (uint8_t)(len * 8)};
	memcpy(a->bytes, x->data, len);
}

/*
 * One step along the chain: the addresses of out->last, or the next name of it.  1: there is a next
 * one, 0: the chain ends here.
 */
static int step_chain(struct reader r, uint16_t type, struct dns_answer *out)
{
	char next[NS_MAXDNAME] = "";
	uint32_t next_ttl = 0;
	struct record x;

	for (unsigned int i = get16(r.msg + AT_ANSWERS); i; i--) {
		if (!next_record(&r, &x))
			return -EPROTO;
		if (x.class != ns_c_in || !same_name(x.name, out->last))
			continue;
		uint32_t ttl = x.ttl > INT32_MAX ? 0 : x.ttl; /* RFC 2181, 8 */
		if (x.type == type) {
			take_address(out, &x);
			out->ttl = ttl < out->ttl ? ttl : out->ttl;
		} else if (x.type == ns_t_cname && !next[0]) {
			if (dn_expand(r.msg, r.end, x.data, next, sizeof(next)) < 0 ||
			    !dns_host_name(next))
				return -EPROTO;
			next_ttl = ttl;
		}
	}
	if (out->n || !next[0])
		return 0;
	memcpy(out->last, next, strlen(next) + 1);
	out->ttl = next_ttl < out->ttl ? next_ttl : out->ttl;
	return 1;
}

/*
 * Everything can be read, to the last byte.  *no_data: a server says with an SOA that there is
 * nothing more (RFC 2308, 2.2).
 */
static bool is_whole(struct reader r, bool *no_data)
{
	static const int sections[] = {AT_ANSWERS, AT_AUTHORITY, AT_ADDITIONAL};
	struct record x;

	*no_data = false;
	for (size_t s = 0; s < sizeof(sections) / sizeof(sections[0]); s++)
		for (unsigned int i = get16(r.msg + sections[s]); i; i--) {
			if (!next_record(&r, &x))
				return false;
			*no_data |= sections[s] == AT_AUTHORITY && x.type == ns_t_soa;
		}
	return r.at == r.end;
}

int dns_answer_parse(const uint8_t *msg, size_t len, uint16_t id, const char *name, uint16_t type,
		     struct dns_answer *out)
{
	struct reader r = {msg, msg + len, msg + HEADER_BYTES};
	bool no_data;

	if (!is_answer_to(&r, id, name, type))
		return -EBADMSG;
	memset(out, 0, sizeof(*out));
	out->ttl = INT32_MAX;
	out->rcode = msg[3] & 0xf;
	out->truncated = msg[2] & FLAG_TC;
	memcpy(out->last, name, strlen(name) + 1);
	if (out->truncated || (out->rcode != ns_r_noerror && out->rcode != ns_r_nxdomain))
		return 0;
	if (!is_whole(r, &no_data))
		return -EPROTO;
	for (;;) {
		int more = step_chain(r, type, out);

		if (more < 0)
			return more;
		if (!more)
			break;
		if (++out->hops > DNS_CHAIN)
			return -EPROTO;
	}
	out->open = out->hops && !out->n && out->rcode == ns_r_noerror && !no_data;
	return 0;
}
