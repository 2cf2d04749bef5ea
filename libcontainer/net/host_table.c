#include "net/host_table.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* Behind libc's headers, which they then leave alone. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_tables.h>

#include "base/arena.h"
#include "base/own.h"
#include "net/answers.h"
#include "net/batch.h"

#define TABLE "brig_host"
/* A chain that tells which rules are there; changed with them.  Its one rule, which nothing comes
 * to, goes with the others when the table is flushed. */
#define VERSION "v2"

enum {
	BATCH_BYTES = 16384,
	SADDR4 = 12, /* offsets in the headers */
	SADDR6 = 8,
	DADDR4 = 16,
	DADDR6 = 24,
	RAW = -300,
	SRCNAT = 100
};

/* --- Sets and chains ----------------------------------------------------------------------- */

#define IFNAME_FIELD                                                                               \
	{                                                                                          \
		IFNAMSIZ, BATCH_IFNAME                                                             \
	}
static const struct batch_field source4[] = {
	IFNAME_FIELD, {4, BATCH_IPV4}
};
static const struct batch_field source6[] = {
	IFNAME_FIELD, {16, BATCH_IPV6}
};
static const struct batch_field inside4[] = {
	{4, BATCH_IPV4}
};
static const struct batch_field inside6[] = {
	{16, BATCH_IPV6}
};
static const struct batch_field device[] = {IFNAME_FIELD};

static const struct batch_set sets[] = {
	{.part = "set source4", .name = "source4", .id = 1, .fields = source4, .n_fields = 2},
	{.part = "set source6", .name = "source6", .id = 2, .fields = source6, .n_fields = 2},
	{.part = "set inside4", .name = "inside4", .id = 3, .fields = inside4, .n_fields = 1},
	{.part = "set inside6", .name = "inside6", .id = 4, .fields = inside6, .n_fields = 1},
	{.part = "set open4",   .name = "open4",   .id = 5, .fields = device,  .n_fields = 1},
	{.part = "set open6",   .name = "open6",   .id = 6, .fields = device,  .n_fields = 1},
};

static const struct base_chain {
	const char *name, *type;
	uint32_t hook;
	int32_t priority;
} base_chains[] = {
	{"pre",     "filter", NF_INET_PRE_ROUTING,  RAW   },
	{"input",   "filter", NF_INET_LOCAL_IN,     0     },
	{"forward", "filter", NF_INET_FORWARD,      0     },
	{"post",    "nat",    NF_INET_POST_ROUTING, SRCNAT},
};

/* Policy accept: all that is not ours is the host's business. */
static void put_base_chain(struct batch *b, const struct base_chain *c)
{
	batch_message(b, c->name, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	batch_string(b, NFTA_CHAIN_TABLE, TABLE);
	batch_string(b, NFTA_CHAIN_NAME, c->name);
	struct nlattr *hook = batch_nest(b, NFTA_CHAIN_HOOK);

	batch_be32(b, NFTA_HOOK_HOOKNUM, c->hook);
	batch_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)c->priority);
	batch_unnest(b, hook);
	batch_be32(b, NFTA_CHAIN_POLICY, NF_ACCEPT);
	batch_string(b, NFTA_CHAIN_TYPE, c->type);
	batch_end(b);
}

/* --- Rules ---------------------------------------------------------------------------------- */

/* A host may have devices of its own whose names begin with brg. */
static void if_device(struct batch_rule *r, uint32_t key, uint32_t op)
{
	const uint32_t group = VETH_GROUP;

	rule_meta(r, key, BATCH_REG(0));
	rule_cmp(r, op, BATCH_REG(0), &group, sizeof(group));
}

static void if_discovery(struct batch_rule *r)
{
	static const uint8_t first = ND_NEIGHBOR_SOLICIT, last = ND_NEIGHBOR_ADVERT;

	rule_if_meta8(r, NFT_META_NFPROTO, NFPROTO_IPV6);
	rule_if_meta8(r, NFT_META_L4PROTO, IPPROTO_ICMPV6);
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, BATCH_REG(0));
	rule_cmp(r, NFT_CMP_GTE, BATCH_REG(0), &first, 1);
	rule_cmp(r, NFT_CMP_LTE, BATCH_REG(0), &last, 1);
}

/* The address that the host's DNAT has put there: who did that meant it to be forwarded. */
static void if_translated(struct batch_rule *r)
{
	const uint32_t bit = IPS_DST_NAT, zero = 0;
	struct batch *b = r->b;

	rule_ct(r, NFT_CT_STATUS, BATCH_REG(0));
	struct nlattr *x = batch_nest(b, NFTA_LIST_ELEM);

	batch_string(b, NFTA_EXPR_NAME, "bitwise");
	struct nlattr *data = batch_nest(b, NFTA_EXPR_DATA);

	batch_be32(b, NFTA_BITWISE_SREG, BATCH_REG(0));
	batch_be32(b, NFTA_BITWISE_DREG, BATCH_REG(0));
	batch_be32(b, NFTA_BITWISE_LEN, sizeof(bit));
	struct nlattr *mask = batch_nest(b, NFTA_BITWISE_MASK);

	batch_put(b, NFTA_DATA_VALUE, &bit, sizeof(bit));
	batch_unnest(b, mask);
	struct nlattr * xor = batch_nest(b, NFTA_BITWISE_XOR);

	batch_put(b, NFTA_DATA_VALUE, &zero, sizeof(zero));
	batch_unnest(b, xor);
	batch_unnest(b, data);
	batch_unnest(b, x);
	rule_cmp(r, NFT_CMP_NEQ, BATCH_REG(0), &zero, sizeof(zero));
}

static void masquerade(struct batch_rule *r)
{
	struct nlattr *x = batch_nest(r->b, NFTA_LIST_ELEM);

	batch_string(r->b, NFTA_EXPR_NAME, "masq");
	batch_unnest(r->b, batch_nest(r->b, NFTA_EXPR_DATA));
	batch_unnest(r->b, x);
}

static void end_accept(struct batch_rule *r)
{
	rule_verdict(r, NF_ACCEPT, NULL);
	rule_end(r);
}

static void end_drop(struct batch_rule *r)
{
	rule_counter(r);
	rule_verdict(r, NF_DROP, NULL);
	rule_end(r);
}

static void put_source(struct batch *b, bool six)
{
	struct batch_rule r = rule_begin(b, "source addresses", "pre", NULL);

	rule_if_meta8(&r, NFT_META_NFPROTO, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	rule_meta(&r, NFT_META_IIFNAME, BATCH_REG(0));
	rule_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, six ? SADDR6 : SADDR4, six ? 16 : 4,
		     BATCH_REG(IFNAMSIZ / 4));
	rule_lookup(&r, six ? "source6" : "source4", BATCH_REG(0), false);
	end_accept(&r);
}

static void put_discovery(struct batch *b, const char *chain)
{
	struct batch_rule r = rule_begin(b, "neighbour discovery", chain, NULL);

	if_discovery(&r);
	end_accept(&r);
}

/* Before connection tracking: what is forged makes no entry there either. */
static void put_pre(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "other devices", "pre", NULL);

	if_device(&r, NFT_META_IIFGROUP, NFT_CMP_NEQ);
	end_accept(&r);
	put_source(b, false);
	put_source(b, true);
	put_discovery(b, "pre");
	r = rule_begin(b, "forged addresses", "pre", "forged source address");
	end_drop(&r);
}

static void put_input(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "other devices", "input", NULL);

	if_device(&r, NFT_META_IIFGROUP, NFT_CMP_NEQ);
	end_accept(&r);
	put_discovery(b, "input");
	r = rule_begin(b, "answers to the host", "input", NULL);
	rule_if_state(&r, RULE_STATE_ESTABLISHED | RULE_STATE_RELATED);
	end_accept(&r);
	r = rule_begin(b, "services of the host", "input", "services of the host");
	end_drop(&r);
}

static void put_open(struct batch *b, bool six)
{
	struct batch_rule r = rule_begin(b, "opened devices", "forward", NULL);

	rule_if_meta8(&r, NFT_META_NFPROTO, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	rule_meta(&r, NFT_META_IIFNAME, BATCH_REG(0));
	rule_lookup(&r, six ? "open6" : "open4", BATCH_REG(0), false);
	rule_verdict(&r, NFT_GOTO, "opened");
	rule_end(&r);
}

/* To a sandbox whose device is gone: answers that come late would leave by the default route. */
static void put_gone(struct batch *b, bool six)
{
	struct batch_rule r = rule_begin(b, "sandbox that is gone", "forward", "sandbox is gone");

	if_device(&r, NFT_META_OIFGROUP, NFT_CMP_NEQ);
	rule_if_meta8(&r, NFT_META_NFPROTO, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	rule_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, six ? DADDR6 : DADDR4, six ? 16 : 4,
		     BATCH_REG(0));
	rule_lookup(&r, six ? "inside6" : "inside4", BATCH_REG(0), false);
	end_drop(&r);
}

static void put_forward(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "sandbox to sandbox", "forward", "other sandboxes");

	if_device(&r, NFT_META_IIFGROUP, NFT_CMP_EQ);
	if_device(&r, NFT_META_OIFGROUP, NFT_CMP_EQ);
	end_drop(&r);
	put_gone(b, false);
	put_gone(b, true);
	r = rule_begin(b, "outward", "forward", NULL);
	if_device(&r, NFT_META_IIFGROUP, NFT_CMP_EQ);
	end_accept(&r);
	r = rule_begin(b, "answers inward", "forward", NULL);
	if_device(&r, NFT_META_OIFGROUP, NFT_CMP_EQ);
	rule_if_state(&r, RULE_STATE_ESTABLISHED | RULE_STATE_RELATED);
	end_accept(&r);
	r = rule_begin(b, "inward", "forward", "new connections inward");
	if_device(&r, NFT_META_OIFGROUP, NFT_CMP_EQ);
	end_drop(&r);
	put_open(b, false);
	put_open(b, true);
}

/* Devices which forward only because brig needs the answers that come in by them. */
static void put_opened(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "answers", "opened", NULL);

	rule_if_state(&r, RULE_STATE_ESTABLISHED | RULE_STATE_RELATED);
	end_accept(&r);
	r = rule_begin(b, "translated by the host", "opened", NULL);
	if_translated(&r);
	end_accept(&r);
	r = rule_begin(b, "not forwarded before", "opened", "not forwarded before brig came");
	end_drop(&r);
}

static void put_masquerade(struct batch *b, bool six)
{
	struct batch_rule r = rule_begin(b, "masquerade", "post", NULL);

	rule_if_meta8(&r, NFT_META_NFPROTO, six ? NFPROTO_IPV6 : NFPROTO_IPV4);
	rule_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, six ? SADDR6 : SADDR4, six ? 16 : 4,
		     BATCH_REG(0));
	rule_lookup(&r, six ? "inside6" : "inside4", BATCH_REG(0), false);
	masquerade(&r);
	rule_end(&r);
}

static void put_version(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "version", VERSION, NULL);

	end_accept(&r);
}

/* Idempotent: what is there stays, but for the rules, which are made anew. */
static void put_table(struct batch *b)
{
	batch_table(b, "table", NFT_MSG_NEWTABLE, NLM_F_CREATE, NULL);
	for (size_t i = 0; i < LEN(sets); i++)
		batch_set(b, &sets[i]);
	for (size_t i = 0; i < LEN(base_chains); i++)
		put_base_chain(b, &base_chains[i]);
	batch_chain(b, "chain opened", "opened");
	batch_chain(b, "version", VERSION);
	batch_message(b, "old rules", NFT_MSG_DELRULE, 0);
	batch_string(b, NFTA_RULE_TABLE, TABLE);
	batch_end(b);
	put_version(b);
	put_pre(b);
	put_input(b);
	put_forward(b);
	put_opened(b);
	put_masquerade(b, false);
	put_masquerade(b, true);
}

/* --- Elements ------------------------------------------------------------------------------- */

static void put_element(struct batch *b, const char *set, const void *key, size_t len)
{
	batch_message(b, set, NFT_MSG_NEWSETELEM, NLM_F_CREATE);
	batch_string(b, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	batch_string(b, NFTA_SET_ELEM_LIST_SET, set);
	struct nlattr *list = batch_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	struct nlattr *element = batch_nest(b, NFTA_LIST_ELEM);
	struct nlattr *value = batch_nest(b, NFTA_SET_ELEM_KEY);

	batch_put(b, NFTA_DATA_VALUE, key, len);
	batch_unnest(b, value);
	batch_unnest(b, element);
	batch_unnest(b, list);
	batch_end(b);
}

static void put_slot(struct batch *b, const char *name, const struct egress_address *a)
{
	size_t len = a->family == 4 ? 4 : 16;
	uint8_t key[IFNAMSIZ + 16] = {0};

	memcpy(key, name, strnlen(name, IFNAMSIZ - 1));
	memcpy(key + IFNAMSIZ, a->bytes, len);
	put_element(b, a->family == 4 ? "source4" : "source6", key, IFNAMSIZ + len);
	put_element(b, a->family == 4 ? "inside4" : "inside6", a->bytes, len);
}

static void put_devices(struct batch *b, const char *set, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		uint8_t key[IFNAMSIZ] = {0};

		memcpy(key, names[i], strnlen(names[i], IFNAMSIZ - 1));
		put_element(b, set, key, sizeof(key));
	}
}

static void put_empty(struct batch *b, const char *set)
{
	batch_message(b, set, NFT_MSG_DELSETELEM, 0);
	batch_string(b, NFTA_SET_ELEM_LIST_TABLE, TABLE);
	batch_string(b, NFTA_SET_ELEM_LIST_SET, set);
	batch_end(b);
}

static void put_elements(struct batch *b, const struct host_table_add *add)
{
	put_slot(b, add->slot->device, &add->slot->inside);
	if (add->ipv6)
		put_slot(b, add->slot->device, &add->slot->inside6);
	/* Where the host forwards by itself, what it forwards is no business of ours any more. */
	if (add->global4)
		put_empty(b, "open4");
	if (add->global6)
		put_empty(b, "open6");
	put_devices(b, "open4", add->open4, add->n_open4);
	put_devices(b, "open6", add->open6, add->n_open6);
}

/* --- All of it ------------------------------------------------------------------------------ */

static void note_rule(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	bool *there = ctx;

	(void)h;
	(void)index;
	*there = true;
}

static int has_version(const struct mnl *m, int sock, bool *there, struct err *e)
{
	struct question q = {
		.type = NFT_MSG_GETRULE,
		.flags = NLM_F_DUMP,
		.family = NFPROTO_INET,
		.part = "version of table " TABLE,
		.strings = {{NFTA_RULE_TABLE, TABLE}, {NFTA_RULE_CHAIN, VERSION}},
		.data = note_rule,
		.ctx = there,
		.may_miss = true,
	};

	*there = false;
	return question_ask(m, sock, &q, e);
}

static int send_all(const struct mnl *m, int sock, const struct host_table_add *add, bool had,
		    struct err *e)
{
	own_arena struct arena a = {0};
	struct batch *b = batch_new(&a, m, BATCH_BYTES + 128 * (add->n_open4 + add->n_open6),
				    NFPROTO_INET, 0);

	b->family_table = TABLE;
	if (!had)
		put_table(b);
	put_elements(b, add);
	return batch_send(b, sock, e);
}

int host_table_add(const struct mnl *m, const struct host_table_add *add, struct err *e)
{
	own_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	bool had;

	if (sock < 0)
		return err_set(e, errno, "nf_tables: socket");
	if (has_version(m, sock, &had, e) < 0)
		return err_wrap(e, "table inet " TABLE);
	int r = send_all(m, sock, add, had, e);

	/* Somebody has taken it away meanwhile (nft flush ruleset). */
	if (r == -ENOENT && had)
		r = send_all(m, sock, add, false, e);
	return r < 0 ? err_wrap(e, "table inet " TABLE) : 0;
}
