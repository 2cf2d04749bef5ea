/* Records of the two log groups: nfnetlink_log sends each packet by itself. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/own.h"
#include "net/answers.h"
#include "net/rules.h"
#include "net/rules_read.h"

enum { COPY_BYTES = 128, RECORD_MAX = 8192, RECORDS_AT_ONCE = 4096 };

/* --- Binding -----------------------------------------------------------------------------------
 */

/* In one message: the kernel binds before it looks at the rest (nfulnl_recv_config). */
static int bind_group(const struct mnl *m, int sock, uint16_t group, struct err *e)
{
	const struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
	const struct nfulnl_msg_config_mode mode = {.copy_range = htonl(COPY_BYTES),
						    .copy_mode = NFULNL_COPY_PACKET};
	const uint16_t flags = htons(NFULNL_CFG_F_SEQ_GLOBAL);
	union {
		struct nlmsghdr head;
		char bytes[256];
	} msg;
	struct answers answers;
	struct nlmsghdr *h = m->put_header(&msg);

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_CONFIG;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	h->nlmsg_seq = (uint32_t)(clock_monotonic_ns() >> 8);
	struct nfgenmsg *g = m->put_extra(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	g->version = NFNETLINK_V0;
	g->res_id = htons(group);
	m->attr_put(h, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	m->attr_put(h, NFULA_CFG_MODE, sizeof(mode), &mode);
	m->attr_put(h, NFULA_CFG_FLAGS, sizeof(flags), &flags);
	answers_begin(&answers, h->nlmsg_seq, 1);
	int r = answers_ask(m, sock, &msg, h->nlmsg_len, e);
	r = r < 0 ? r : answers_read(m, sock, &answers, e);
	if (r < 0)
		return r;
	return answers.code ? answers_refused(&answers, "nfnetlink_log", e) : 0;
}

int rules_log_open(const struct mnl *m, int sock2, struct err *e)
{
	int r = bind_group(m, sock2, RULES_LOG_DENIED, e);

	return r < 0 ? r : bind_group(m, sock2, RULES_LOG_ADMITTED, e);
}

/* --- The packet's headers ----------------------------------------------------------------------
 */

struct cursor {
	const uint8_t *at;
	size_t left;
};

static uint16_t be16_at(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void put_address(struct egress_address *to, uint8_t family, const uint8_t *bytes)
{
	*to = (struct egress_address){.family = family, .prefix = family == 4 ? 32 : 128};
	memcpy(to->bytes, bytes, family == 4 ? 4 : 16);
}

static bool skip(struct cursor *c, size_t n)
{
	if (n > c->left)
		return false;
	c->at += n;
	c->left -= n;
	return true;
}

static bool read_v4(struct cursor *c, struct rules_packet *p)
{
	enum { HEAD = 20 };

	if (c->left < HEAD)
		return false;
	p->proto = c->at[9];
	put_address(&p->from, 4, c->at + 12);
	put_address(&p->to, 4, c->at + 16);
	size_t len = (c->at[0] & 15u) * 4u;
	if (be16_at(c->at + 6) & 0x1fff) /* a later fragment has no ports */
		c->left = 0;
	if (!skip(c, len))
		c->left = 0; /* options are all that we have */
	return len >= HEAD;
}

static bool read_v6(struct cursor *c, struct rules_packet *p)
{
	enum { HEAD = 40, MOST = 8 };

	if (c->left < HEAD)
		return false;
	p->proto = c->at[6];
	put_address(&p->from, 6, c->at + 8);
	put_address(&p->to, 6, c->at + 24);
	(void)skip(c, HEAD); /* it is there */
	for (int i = 0; i < MOST && c->left >= 8; i++) {
		size_t len = 8;

		if (p->proto == IPPROTO_FRAGMENT && be16_at(c->at + 2) & 0xfff8)
			c->left = 0; /* a later one */
		else if (p->proto == IPPROTO_HOPOPTS || p->proto == IPPROTO_DSTOPTS ||
			 p->proto == IPPROTO_ROUTING)
			len = (c->at[1] + 1u) * 8u;
		else if (p->proto != IPPROTO_FRAGMENT)
			break;
		if (!c->left)
			break;
		p->proto = c->at[0];
		if (!skip(c, len))
			c->left = 0;
	}
	return true;
}

static bool read_packet(struct cursor c, struct rules_packet *p)
{
	if (!c.left)
		return false;
	uint8_t version = c.at[0] >> 4;
	if (!(version == 4 ? read_v4(&c, p) : version == 6 && read_v6(&c, p)))
		return false;
	bool ports = p->proto == IPPROTO_TCP || p->proto == IPPROTO_UDP ||
		     p->proto == IPPROTO_SCTP || p->proto == IPPROTO_UDPLITE ||
		     p->proto == IPPROTO_DCCP;
	if (ports && c.left >= 4) {
		p->from_port = be16_at(c.at);
		p->to_port = be16_at(c.at + 2);
	}
	return true;
}

/* --- Records -----------------------------------------------------------------------------------
 */

/* seq: 0 where it has none. */
static bool read_record(const struct mnl *m, const struct nlmsghdr *h, struct rules_packet *p,
			uint32_t *seq)
{
	const struct nfgenmsg *g = m->payload(h);
	struct nfulnl_msg_packet_hdr head;
	struct attrs attrs;

	*p = (struct rules_packet){.uid = UINT32_MAX};
	attrs_of_message(m, h, &attrs);
	if (!attr_be32(m, attrs.at[NFULA_SEQ_GLOBAL], seq))
		*seq = 0;
	p->denied = ntohs(g->res_id) == RULES_LOG_DENIED;
	if (attr_bytes(m, attrs.at[NFULA_PACKET_HDR], &head, sizeof(head)))
		p->inward = head.hook == NF_INET_LOCAL_IN;
	(void)attr_be32(m, attrs.at[NFULA_UID], &p->uid); /* or not told */
	if (!p->denied)
		(void)attr_be32(m, attrs.at[NFULA_MARK], &p->id); /* or 0 */
	const struct nlattr *payload = attrs.at[NFULA_PAYLOAD];
	return payload &&
	       read_packet((struct cursor){m->attr_payload(payload), m->attr_payload_len(payload)},
			   p);
}

/* Of two processors the later number may come first; then the other is not lost, after all. */
static int64_t gap(uint32_t seq, uint32_t *last_seq)
{
	uint32_t ahead = seq - *last_seq;
	bool first = !*last_seq;

	if (!seq || (!first && (!ahead || ahead > INT32_MAX)))
		return seq && ahead ? -1 : 0;
	*last_seq = seq;
	return first ? 0 : ahead - 1;
}

int64_t rules_log_parse(const struct mnl *m, const void *bytes, size_t len, uint32_t *last_seq,
			void (*each)(void *ctx, const struct rules_packet *p), void *ctx)
{
	int left = (int)len;
	int64_t lost = 0;

	for (const struct nlmsghdr *h = bytes;
	     m->message_ok(h, left) && h->nlmsg_len <= (uint32_t)left;
	     h = m->message_next(h, &left)) {
		struct rules_packet p;
		uint32_t seq;

		if (h->nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET) ||
		    h->nlmsg_len < NLMSG_LENGTH(sizeof(struct nfgenmsg)))
			continue;
		bool good = read_record(m, h, &p, &seq);
		lost += gap(seq, last_seq);
		if (good)
			each(ctx, &p);
	}
	return lost;
}

int64_t rules_log_read(const struct mnl *m, int sock2, uint32_t *last_seq,
		       void (*each)(void *ctx, const struct rules_packet *p), void *ctx,
		       struct err *e)
{
	union {
		struct nlmsghdr align;
		char bytes[RECORD_MAX];
	} buf;
	int64_t lost = 0;

	/* What waits now, not what comes while it is read. */
	for (int i = 0; i < RECORDS_AT_ONCE; i++) {
		ssize_t n = recv(sock2, &buf, sizeof(buf), MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0 && (errno == EINTR || errno == ENOBUFS))
			continue; /* which were lost the next number tells */
		if (n < 0)
			return err_set(e, errno, "nf_tables: read log records");
		lost += rules_log_parse(m, &buf, (size_t)n, last_seq, each, ctx);
	}
	return lost > 0 ? lost : 0;
}
