#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include "net/batch.h"

struct batch_rule rule_begin(struct batch *b, const char *part, const char *chain,
			     const char *comment)
{
	struct batch_rule r = {.b = b, .comment = comment};

	batch_message(b, part, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	batch_string(b, NFTA_RULE_TABLE, b->family_table);
	batch_string(b, NFTA_RULE_CHAIN, chain);
	r.list = batch_nest(b, NFTA_RULE_EXPRESSIONS);
	return r;
}

void rule_end(struct batch_rule *r)
{
	batch_unnest(r->b, r->list);
	batch_comment(r->b, NFTA_RULE_USERDATA, r->comment);
	batch_end(r->b);
}

/* An expression: its name, and its data. */
struct expr {
	struct nlattr *elem, *data;
};

static struct expr expr_begin(struct batch *b, const char *name)
{
	struct expr x;

	x.elem = batch_nest(b, NFTA_LIST_ELEM);
	batch_string(b, NFTA_EXPR_NAME, name);
	x.data = batch_nest(b, NFTA_EXPR_DATA);
	return x;
}

static void expr_end(struct batch *b, struct expr x)
{
	batch_unnest(b, x.data);
	batch_unnest(b, x.elem);
}

static void put_value(struct batch *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = batch_nest(b, type);

	batch_put(b, NFTA_DATA_VALUE, data, len);
	batch_unnest(b, nest);
}

void rule_meta(struct batch_rule *r, uint32_t key, uint32_t reg)
{
	struct expr x = expr_begin(r->b, "meta");

	batch_be32(r->b, NFTA_META_KEY, key);
	batch_be32(r->b, NFTA_META_DREG, reg);
	expr_end(r->b, x);
}

void rule_payload(struct batch_rule *r, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg)
{
	struct expr x = expr_begin(r->b, "payload");

	batch_be32(r->b, NFTA_PAYLOAD_DREG, reg);
	batch_be32(r->b, NFTA_PAYLOAD_BASE, base);
	batch_be32(r->b, NFTA_PAYLOAD_OFFSET, offset);
	batch_be32(r->b, NFTA_PAYLOAD_LEN, len);
	expr_end(r->b, x);
}

void rule_ct(struct batch_rule *r, uint32_t key, uint32_t reg)
{
	struct expr x = expr_begin(r->b, "ct");

	batch_be32(r->b, NFTA_CT_KEY, key);
	batch_be32(r->b, NFTA_CT_DREG, reg);
	expr_end(r->b, x);
}

void rule_cmp(struct batch_rule *r, uint32_t op, uint32_t reg, const void *data, size_t len)
{
	struct expr x = expr_begin(r->b, "cmp");

	batch_be32(r->b, NFTA_CMP_SREG, reg);
	batch_be32(r->b, NFTA_CMP_OP, op);
	put_value(r->b, NFTA_CMP_DATA, data, len);
	expr_end(r->b, x);
}

void rule_ct_set(struct batch_rule *r, uint32_t key, uint32_t reg)
{
	struct expr x = expr_begin(r->b, "ct");

	batch_be32(r->b, NFTA_CT_KEY, key);
	batch_be32(r->b, NFTA_CT_SREG, reg);
	expr_end(r->b, x);
}

void rule_load(struct batch_rule *r, uint32_t reg, uint32_t value)
{
	struct expr x = expr_begin(r->b, "immediate");

	batch_be32(r->b, NFTA_IMMEDIATE_DREG, reg);
	put_value(r->b, NFTA_IMMEDIATE_DATA, &value, sizeof(value));
	expr_end(r->b, x);
}

void rule_lookup(struct batch_rule *r, const char *set, uint32_t reg, bool inverted)
{
	struct expr x = expr_begin(r->b, "lookup");

	batch_string(r->b, NFTA_LOOKUP_SET, set);
	batch_be32(r->b, NFTA_LOOKUP_SREG, reg);
	if (inverted)
		batch_be32(r->b, NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV);
	expr_end(r->b, x);
}

void rule_map(struct batch_rule *r, const char *map, uint32_t reg, uint32_t to)
{
	struct expr x = expr_begin(r->b, "lookup");

	batch_string(r->b, NFTA_LOOKUP_SET, map);
	batch_be32(r->b, NFTA_LOOKUP_SREG, reg);
	batch_be32(r->b, NFTA_LOOKUP_DREG, to);
	expr_end(r->b, x);
}

void rule_counter(struct batch_rule *r)
{
	expr_end(r->b, expr_begin(r->b, "counter"));
}

void rule_verdict(struct batch_rule *r, int verdict, const char *chain)
{
	struct expr x = expr_begin(r->b, "immediate");

	batch_be32(r->b, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	struct nlattr *data = batch_nest(r->b, NFTA_IMMEDIATE_DATA);
	struct nlattr *nest = batch_nest(r->b, NFTA_DATA_VERDICT);
	batch_be32(r->b, NFTA_VERDICT_CODE, (uint32_t)verdict);
	if (chain)
		batch_string(r->b, NFTA_VERDICT_CHAIN, chain);
	batch_unnest(r->b, nest);
	batch_unnest(r->b, data);
	expr_end(r->b, x);
}

void rule_meta_set(struct batch_rule *r, uint32_t key, uint32_t reg)
{
	struct expr x = expr_begin(r->b, "meta");

	batch_be32(r->b, NFTA_META_KEY, key);
	batch_be32(r->b, NFTA_META_SREG, reg);
	expr_end(r->b, x);
}

void rule_log(struct batch_rule *r, uint16_t group, const char *prefix)
{
	enum { SNAPLEN = 128, AT_ONCE = 1 };
	struct expr x = expr_begin(r->b, "log");

	batch_be16(r->b, NFTA_LOG_GROUP, group);
	batch_string(r->b, NFTA_LOG_PREFIX, prefix);
	batch_be32(r->b, NFTA_LOG_SNAPLEN, SNAPLEN);
	batch_be16(r->b, NFTA_LOG_QTHRESHOLD, AT_ONCE);
	expr_end(r->b, x);
}

void rule_reject(struct batch_rule *r, uint32_t type, uint8_t code)
{
	struct expr x = expr_begin(r->b, "reject");

	batch_be32(r->b, NFTA_REJECT_TYPE, type);
	batch_put(r->b, NFTA_REJECT_ICMP_CODE, &code, sizeof(code));
	expr_end(r->b, x);
}

void rule_limit(struct batch_rule *r, const struct rule_limit *l)
{
	struct expr x = expr_begin(r->b, "limit");

	batch_be64(r->b, NFTA_LIMIT_RATE, l->rate);
	batch_be64(r->b, NFTA_LIMIT_UNIT, l->unit);
	batch_be32(r->b, NFTA_LIMIT_BURST, l->burst);
	batch_be32(r->b, NFTA_LIMIT_TYPE, l->type);
	batch_be32(r->b, NFTA_LIMIT_FLAGS, l->over ? NFT_LIMIT_F_INV : 0);
	expr_end(r->b, x);
}

void rule_open_over(struct batch_rule *r, uint32_t count)
{
	struct expr x = expr_begin(r->b, "connlimit");

	batch_be32(r->b, NFTA_CONNLIMIT_COUNT, count);
	batch_be32(r->b, NFTA_CONNLIMIT_FLAGS, NFT_CONNLIMIT_F_INV);
	expr_end(r->b, x);
}

void rule_quota(struct batch_rule *r, const char *name)
{
	struct expr x = expr_begin(r->b, "objref");

	batch_be32(r->b, NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_QUOTA);
	batch_string(r->b, NFTA_OBJREF_IMM_NAME, name);
	expr_end(r->b, x);
}

void rule_if_meta8(struct batch_rule *r, uint32_t key, uint8_t value)
{
	rule_meta(r, key, BATCH_REG(0));
	rule_cmp(r, NFT_CMP_EQ, BATCH_REG(0), &value, sizeof(value));
}

void rule_if_meta32(struct batch_rule *r, uint32_t key, uint32_t value)
{
	rule_meta(r, key, BATCH_REG(0));
	rule_cmp(r, NFT_CMP_EQ, BATCH_REG(0), &value, sizeof(value));
}

/* Only these bits of the first register stay. */
static void masked(struct batch_rule *r, const void *mask, uint32_t len)
{
	const uint32_t zero = 0;
	struct expr x = expr_begin(r->b, "bitwise");

	batch_be32(r->b, NFTA_BITWISE_SREG, BATCH_REG(0));
	batch_be32(r->b, NFTA_BITWISE_DREG, BATCH_REG(0));
	batch_be32(r->b, NFTA_BITWISE_LEN, len);
	put_value(r->b, NFTA_BITWISE_MASK, mask, len);
	put_value(r->b, NFTA_BITWISE_XOR, &zero, len);
	expr_end(r->b, x);
}

void rule_if_state(struct batch_rule *r, uint32_t bits)
{
	const uint32_t zero = 0;

	rule_ct(r, NFT_CT_STATE, BATCH_REG(0));
	masked(r, &bits, sizeof(bits));
	rule_cmp(r, NFT_CMP_NEQ, BATCH_REG(0), &zero, sizeof(zero));
}

void rule_if_syn(struct batch_rule *r)
{
	enum { FLAGS = 13 };
	const uint8_t syn = TH_SYN, all = TH_FIN | TH_SYN | TH_RST | TH_ACK;

	rule_if_meta8(r, NFT_META_L4PROTO, IPPROTO_TCP);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, FLAGS, 1, BATCH_REG(0));
	masked(r, &all, sizeof(all));
	rule_cmp(r, NFT_CMP_EQ, BATCH_REG(0), &syn, sizeof(syn));
}
