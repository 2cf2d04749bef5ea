/*
 * Build-time program: prints the messages of net/table/table.h as C.
 *
 *   table inet brig {
 *     comment "brig:v1:deny"
 *     chain output  { type filter hook output priority 0; policy drop;
 *                     to lo accept; [meta l4proto tcp reject with tcp reset] }
 *     chain input   { type filter hook input priority 0; policy drop; from lo accept }
 *     chain forward { type filter hook forward priority 0; policy drop }
 *   }
 *
 * No rule looks at connections: the first ct rule of a namespace would start conntrack there.
 * NEWTABLE, DELTABLE, NEWTABLE in one batch replace a table with no moment in between, whether it
 * exists or not (a DELTABLE of nothing aborts the batch).  What was deleted is freed after a grace
 * period, and closing the socket waits for that: 5-20 ms (measured on Linux 6.18), so where no
 * table is nothing is deleted.
 * Integers of nf_tables attributes are big-endian; what meta loads into a register is not.
 */
#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { MAX_BYTES = 8192, MAX_PARTS = 32, LOOPBACK_IFINDEX = 1 /* in every namespace */ };

struct batch {
	_Alignas(8) char bytes[MAX_BYTES];
	size_t len;
	const char *parts[MAX_PARTS];
	uint32_t n;
	struct nlmsghdr *last;
};

static struct nlmsghdr *put(struct batch *b, const char *part, uint16_t type, uint16_t flags,
			    uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->bytes + b->len);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	h->nlmsg_seq = b->n;
	struct nfgenmsg *g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	b->parts[b->n++] = part;
	b->last = h;
	return h;
}

static void done(struct batch *b)
{
	b->len += MNL_ALIGN(b->last->nlmsg_len);
}

/* The subsystem of a batch travels in res_id, in network order. */
static void edge(struct batch *b, const char *part, uint16_t type)
{
	put(b, part, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	done(b);
}

static struct nlmsghdr *message(struct batch *b, const char *part, int type, uint16_t flags)
{
	return put(b, part, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
}

static void put_be32(struct nlmsghdr *h, uint16_t type, uint32_t value)
{
	mnl_attr_put_u32(h, type, htonl(value));
}

/* What the table is, for who finds it (net/rules.h): as userdata, which nft(8) lists as a comment.
 */
static void put_comment(struct nlmsghdr *h)
{
	static const char text[] = "brig:v1:deny";
	unsigned char tlv[2 + sizeof(text)] = {0 /* a comment */, sizeof(text)};

	memcpy(tlv + 2, text, sizeof(text));
	mnl_attr_put(h, NFTA_TABLE_USERDATA, sizeof(tlv), tlv);
}

static void table(struct batch *b, const char *part, int type, uint16_t flags)
{
	struct nlmsghdr *h = message(b, part, type, flags);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, "brig");
	if (type == NFT_MSG_NEWTABLE)
		put_comment(h);
	done(b);
}

static void chain(struct batch *b, const char *part, const char *name, uint32_t hook)
{
	struct nlmsghdr *h = message(b, part, NFT_MSG_NEWCHAIN, NLM_F_CREATE);

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, "brig");
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	put_be32(h, NFTA_HOOK_HOOKNUM, hook);
	put_be32(h, NFTA_HOOK_PRIORITY, 0);
	mnl_attr_nest_end(h, nest);
	put_be32(h, NFTA_CHAIN_POLICY, NF_DROP);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	done(b);
}

/* --- Rules: a list of expressions, each with a name and its data ------------------------- */

struct expr {
	struct nlattr *elem, *data;
};

static struct expr expr_begin(struct nlmsghdr *h, const char *name)
{
	struct expr x;

	x.elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	x.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return x;
}

static void expr_end(struct nlmsghdr *h, struct expr x)
{
	mnl_attr_nest_end(h, x.data);
	mnl_attr_nest_end(h, x.elem);
}

/* meta KEY == value */
static void meta_is(struct nlmsghdr *h, uint32_t key, const void *value, size_t len)
{
	struct expr x = expr_begin(h, "meta");

	put_be32(h, NFTA_META_KEY, key);
	put_be32(h, NFTA_META_DREG, NFT_REG32_00);
	expr_end(h, x);
	x = expr_begin(h, "cmp");
	put_be32(h, NFTA_CMP_SREG, NFT_REG32_00);
	put_be32(h, NFTA_CMP_OP, NFT_CMP_EQ);
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_CMP_DATA);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, value);
	mnl_attr_nest_end(h, nest);
	expr_end(h, x);
}

static void accept_it(struct nlmsghdr *h)
{
	struct expr x = expr_begin(h, "immediate");

	put_be32(h, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
	struct nlattr *data = mnl_attr_nest_start(h, NFTA_IMMEDIATE_DATA);
	struct nlattr *verdict = mnl_attr_nest_start(h, NFTA_DATA_VERDICT);
	put_be32(h, NFTA_VERDICT_CODE, NF_ACCEPT);
	mnl_attr_nest_end(h, verdict);
	mnl_attr_nest_end(h, data);
	expr_end(h, x);
}

static void reset_it(struct nlmsghdr *h)
{
	struct expr x = expr_begin(h, "reject");

	put_be32(h, NFTA_REJECT_TYPE, NFT_REJECT_TCP_RST);
	mnl_attr_put_u8(h, NFTA_REJECT_ICMP_CODE, 0);
	expr_end(h, x);
}

static void rule(struct batch *b, const char *part, const char *chain_name, uint32_t key)
{
	const uint32_t lo = LOOPBACK_IFINDEX;
	const uint8_t tcp = IPPROTO_TCP;
	struct nlmsghdr *h = message(b, part, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, "brig");
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain_name);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	if (key == NFT_META_L4PROTO) {
		meta_is(h, key, &tcp, sizeof(tcp));
		reset_it(h);
	} else {
		meta_is(h, key, &lo, sizeof(lo));
		accept_it(h);
	}
	mnl_attr_nest_end(h, list);
	done(b);
}

static void deny_all(struct batch *b, bool replaces, bool resets)
{
	edge(b, "begin", NFNL_MSG_BATCH_BEGIN);
	if (replaces) {
		table(b, "table inet brig", NFT_MSG_NEWTABLE, NLM_F_CREATE);
		table(b, "the old table inet brig", NFT_MSG_DELTABLE, 0);
	}
	table(b, "table inet brig", NFT_MSG_NEWTABLE,
	      (uint16_t)(NLM_F_CREATE | (replaces ? 0 : NLM_F_EXCL)));
	chain(b, "chain output", "output", NF_INET_LOCAL_OUT);
	chain(b, "chain input", "input", NF_INET_LOCAL_IN);
	chain(b, "chain forward", "forward", NF_INET_FORWARD);
	rule(b, "rule to lo accept", "output", NFT_META_OIF);
	if (resets)
		rule(b, "rule tcp reject", "output", NFT_META_L4PROTO);
	rule(b, "rule from lo accept", "input", NFT_META_IIF);
	/* One ack tells that everything before it was taken; on the end it works since 6.10 only.
	 */
	b->last->nlmsg_flags |= NLM_F_ACK;
	edge(b, "end", NFNL_MSG_BATCH_END);
}

static void print_bytes(const struct batch *b, const char *name)
{
	printf("static const unsigned char %s_bytes[] = {", name);
	for (size_t i = 0; i < b->len; i++)
		printf("%s%u,", i % 16 ? " " : "\n\t", (unsigned int)(unsigned char)b->bytes[i]);
	printf("\n};\nstatic const char *const %s_parts[] = {\n", name);
	for (uint32_t i = 0; i < b->n; i++)
		printf("\t\"%s\",\n", b->parts[i]);
	printf("};\n");
}

static void print_struct(const struct batch *b, const char *name)
{
	printf("{%s_bytes, sizeof(%s_bytes), %s_parts, %u}", name, name, name, b->n);
}

int main(void)
{
	static const char *const names[] = {"new", "new_plain", "replace", "replace_plain"};
	static struct batch batches[4], question;

	printf("/* Made by libcontainer/net/table/mktable.c. */\n#include \"net/table/table.h\"\n"
	       "#if __BYTE_ORDER__ != %d\n#error made on a machine of another byte order\n#endif\n",
	       __BYTE_ORDER__);
	for (int i = 0; i < 4; i++) {
		deny_all(&batches[i], i >= 2, i % 2 == 0);
		print_bytes(&batches[i], names[i]);
	}
	table(&question, "whether there is a table inet brig", NFT_MSG_GETTABLE, 0);
	print_bytes(&question, "question");
	printf("const struct egress_table egress_tables[EGRESS_STATES][EGRESS_KINDS] = {");
	for (int i = 0; i < 4; i++) {
		printf(i % 2 ? ", " : "\n\t{");
		print_struct(&batches[i], names[i]);
		printf(i % 2 ? "}," : "");
	}
	printf("\n};\nconst struct egress_table egress_question = ");
	print_struct(&question, "question");
	printf(";\n");
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
