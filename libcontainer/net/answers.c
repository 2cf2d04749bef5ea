#include "net/answers.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"

#define REMEDY                                                                                     \
	"modprobe nf_tables nf_conntrack, or a kernel with CONFIG_NF_TABLES_INET and "             \
	"CONFIG_NFT_CT"

void answers_begin(struct answers *a, uint32_t seq, uint32_t n)
{
	*a = (struct answers){.seq = seq, .n = n};
}

int answers_ask(const struct mnl *m, int sock, const void *bytes, size_t len, struct err *e)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const int one = 1;

	(void)m;
	/* Only for what errors say: an older kernel knows neither. */
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_EXT_ACK, &one, sizeof(one));
	(void)setsockopt(sock, SOL_NETLINK, NETLINK_CAP_ACK, &one, sizeof(one));
	ssize_t n = sendto(sock, bytes, len, 0, (struct sockaddr *)&kernel, sizeof(kernel));
	if (n < 0)
		return err_set(e, errno, "nf_tables: send to the kernel");
	return n == (ssize_t)len ? 0 : err_msg(e, EIO, "nf_tables: send to the kernel: cut short");
}

/* The kernel's own words, behind the echo of the message, which NETLINK_CAP_ACK cuts to its head.
 */
static void note_why(const struct mnl *m, struct answers *a, const struct nlmsghdr *h,
		     const struct nlmsgerr *answer)
{
	size_t skip = sizeof(*answer);
	size_t payload = h->nlmsg_len - NLMSG_HDRLEN;
	struct attrs attrs = {0};
	uint32_t offset;

	if (!(h->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(h->nlmsg_flags & NLM_F_CAPPED)) {
		if (answer->msg.nlmsg_len < NLMSG_HDRLEN)
			return;
		skip += answer->msg.nlmsg_len - NLMSG_HDRLEN;
	}
	skip = MNL_ALIGN(skip);
	if (skip >= payload)
		return;
	const char *at = (const char *)m->payload(h) + skip;
	int left = (int)(payload - skip);
	for (const struct nlattr *x = (const void *)at; m->attr_ok(x, left);
	     left -= MNL_ALIGN(x->nla_len), x = m->attr_next(x))
		if (m->attr_type(x) < ATTRS_MAX && !attrs.at[m->attr_type(x)])
			attrs.at[m->attr_type(x)] = x;
	attr_text(m, attrs.at[NLMSGERR_ATTR_MSG], a->why, sizeof(a->why));
	if (!a->why[0] && attr_bytes(m, attrs.at[NLMSGERR_ATTR_OFFS], &offset, sizeof(offset)))
		snprintf(a->why, sizeof(a->why), "attribute at %u", offset);
}

static int note_error(const struct mnl *m, struct answers *a, const struct nlmsghdr *h)
{
	const struct nlmsgerr *answer = m->payload(h);
	uint32_t index = h->nlmsg_seq - a->seq;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*answer)))
		return -EPROTO;
	if (answer->error >= 0) {
		a->acked = true;
		a->acked_seq = h->nlmsg_seq;
	} else if (a->missing && a->missing(a->ctx, -answer->error, index)) {
		return 0;
	} else if (!a->code) {
		a->code = answer->error < -4095 ? EPROTO : -answer->error;
		a->index = index;
		note_why(m, a, h, answer);
	}
	return 0;
}

int answers_parse(const struct mnl *m, struct answers *a, const void *bytes, size_t len)
{
	int left = (int)len;

	for (const struct nlmsghdr *h = bytes; m->message_ok(h, left);
	     h = m->message_next(h, &left)) {
		if (h->nlmsg_len > (uint32_t)left) /* libmnl compares as int */
			return -EPROTO;
		if (h->nlmsg_seq - a->seq >= a->n)
			continue;
		if (h->nlmsg_flags & NLM_F_DUMP_INTR)
			a->interrupted = true;
		if (h->nlmsg_type == NLMSG_DONE)
			a->done = true;
		else if (h->nlmsg_type == NLMSG_ERROR && note_error(m, a, h) < 0)
			return -EPROTO;
		else if (h->nlmsg_type >= NLMSG_MIN_TYPE && a->data &&
			 h->nlmsg_len >= NLMSG_LENGTH(sizeof(struct nfgenmsg)))
			a->data(a->ctx, h, h->nlmsg_seq - a->seq);
	}
	return 0;
}

int answers_read(const struct mnl *m, int sock, struct answers *a, struct err *e)
{
	union {
		struct nlmsghdr align;
		char bytes[32768];
	} buf;

	for (;;) {
		/* MSG_TRUNC: the length that it would have needed. */
		ssize_t n = recv(sock, &buf, sizeof(buf), MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return 0;
		if (n < 0 && errno == ENOBUFS)
			return err_msg(e, ENOBUFS,
				       "nf_tables: answers of the kernel were lost: "
				       "the socket's receive buffer is too small");
		if (n < 0)
			return err_set(e, errno, "nf_tables: read the kernel's answer");
		if ((size_t)n > sizeof(buf))
			return err_msg(e, EPROTO, "nf_tables: an answer of the kernel is too long");
		if (answers_parse(m, a, &buf, (size_t)n) < 0)
			return err_msg(e, EPROTO, "nf_tables: the kernel's answer is cut short");
	}
}

int answers_refused(const struct answers *a, const char *part, struct err *e)
{
	const char *why = a->why[0] ? a->why : NULL;

	if (a->code == EPERM)
		return err_msg(e, EPERM,
			       "nf_tables: %s: no CAP_NET_ADMIN over the network namespace", part);
	if (a->code == EPROTONOSUPPORT || a->code == EAFNOSUPPORT || a->code == EOPNOTSUPP ||
	    a->code == ENOENT)
		return err_msg(e, a->code, "nf_tables: %s: the kernel lacks it (%s%s%s): %s", part,
			       err_text(a->code), why ? ", " : "", why ? why : "", REMEDY);
	if (why)
		return err_msg(e, a->code, "nf_tables: %s: %s (%s)", part, err_text(a->code), why);
	return err_set(e, a->code, "nf_tables: %s", part);
}

/* --- One question --------------------------------------------------------------------------- */

static bool take_missing(void *ctx, int code, uint32_t index)
{
	(void)ctx;
	(void)index;
	return code == ENOENT;
}

static int ask_once(const struct mnl *m, int sock, const struct question *q, struct answers *a,
		    struct err *e)
{
	union {
		struct nlmsghdr head;
		char bytes[512];
	} msg;
	struct nlmsghdr *h = m->put_header(&msg);

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | q->type);
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | q->flags);
	h->nlmsg_seq = (uint32_t)(clock_monotonic_ns() >> 8);
	struct nfgenmsg *g = m->put_extra(h, sizeof(*g));
	g->nfgen_family = q->family;
	g->version = NFNETLINK_V0;
	for (size_t i = 0; i < 2; i++)
		if (q->strings[i].text &&
		    !m->attr_put_check(h, sizeof(msg), q->strings[i].type,
				       strlen(q->strings[i].text) + 1, q->strings[i].text))
			return err_msg(e, E2BIG, "nf_tables: %s: the name is too long", q->part);
	answers_begin(a, h->nlmsg_seq, 1);
	a->data = q->data;
	a->ctx = q->ctx;
	a->missing = q->may_miss ? take_missing : NULL;
	int r = answers_ask(m, sock, &msg, h->nlmsg_len, e);
	return r < 0 ? r : answers_read(m, sock, a, e);
}

int question_ask(const struct mnl *m, int sock, const struct question *q, struct err *e)
{
	enum { TRIES = 16 };
	struct answers a;

	for (int tries = 0; tries < TRIES; tries++) {
		if (tries && q->reset)
			q->reset(q->ctx);
		int r = ask_once(m, sock, q, &a, e);

		if (r < 0)
			return r;
		if (a.code == EINTR || a.interrupted)
			continue;
		if (a.code)
			return answers_refused(&a, q->part, e);
		return 0;
	}
	return err_msg(e, EINTR, "nf_tables: %s: changes all the time", q->part);
}

/* --- Attributes ------------------------------------------------------------------------------ */

static void collect(void *ctx, const struct nlattr *attr)
{
	struct attrs *out = ctx;
	uint16_t type = (uint16_t)(attr->nla_type & NLA_TYPE_MASK);

	if (type < ATTRS_MAX && !out->at[type])
		out->at[type] = attr;
}

static void each_attr(const struct mnl *m, const void *at, size_t len,
		      void (*each)(void *ctx, const struct nlattr *attr), void *ctx)
{
	int left = (int)len;

	for (const struct nlattr *x = at; m->attr_ok(x, left);
	     left -= MNL_ALIGN(x->nla_len), x = m->attr_next(x))
		each(ctx, x);
}

void attrs_of_message(const struct mnl *m, const struct nlmsghdr *h, struct attrs *out)
{
	size_t head = MNL_ALIGN(sizeof(struct nfgenmsg));

	*out = (struct attrs){0};
	if (h->nlmsg_len < NLMSG_HDRLEN + head)
		return;
	each_attr(m, (const char *)m->payload(h) + head, h->nlmsg_len - NLMSG_HDRLEN - head,
		  collect, out);
}

void attrs_each(const struct mnl *m, const struct nlattr *nest,
		void (*each)(void *ctx, const struct nlattr *attr), void *ctx)
{
	if (nest)
		each_attr(m, m->attr_payload(nest), m->attr_payload_len(nest), each, ctx);
}

void attrs_of_nest(const struct mnl *m, const struct nlattr *nest, struct attrs *out)
{
	*out = (struct attrs){0};
	attrs_each(m, nest, collect, out);
}

bool attr_bytes(const struct mnl *m, const struct nlattr *attr, void *out, size_t len)
{
	if (!attr || m->attr_payload_len(attr) < len)
		return false;
	memcpy(out, m->attr_payload(attr), len);
	return true;
}

bool attr_be32(const struct mnl *m, const struct nlattr *attr, uint32_t *out)
{
	if (!attr_bytes(m, attr, out, sizeof(*out)))
		return false;
	*out = ntohl(*out);
	return true;
}

bool attr_be64(const struct mnl *m, const struct nlattr *attr, uint64_t *out)
{
	if (!attr_bytes(m, attr, out, sizeof(*out)))
		return false;
	*out = be64toh(*out);
	return true;
}

void attr_text(const struct mnl *m, const struct nlattr *attr, char *out, size_t size)
{
	size_t n = attr ? strnlen(m->attr_payload(attr), m->attr_payload_len(attr)) : 0;

	out[0] = '\0';
	if (!n || n >= size)
		return;
	memcpy(out, m->attr_payload(attr), n);
	out[n] = '\0';
}

/* Userdata is a row of {type, length, bytes}; type 0 is a comment. */
void attr_comment(const struct mnl *m, const struct nlattr *attr, char *out, size_t size)
{
	const unsigned char *p = attr ? m->attr_payload(attr) : NULL;
	size_t left = attr ? m->attr_payload_len(attr) : 0;

	out[0] = '\0';
	while (left >= 2 && left >= 2u + p[1]) {
		size_t n = strnlen((const char *)p + 2, p[1]);

		if (p[0] == 0 && n < size) {
			memcpy(out, p + 2, n);
			out[n] = '\0';
			return;
		}
		left -= 2u + p[1];
		p += 2u + p[1];
	}
}
