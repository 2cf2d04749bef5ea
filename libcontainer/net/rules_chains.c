/*
 * Chains and rules of table "inet brig".
 *
 *   out (output)   what leaves: lo; the resolver's questions; connections of grants that live; what
 *                  is new goes to "new"; everything else to "deny"
 *   new            finds the grant by address, protocol and port, its id becomes the ct mark;
 *                  nothing found: "deny".  echo: the same for echo requests
 *   admit          a grant that lives, within the limits: accepted, and told to log group 101
 *   pass, take     what every packet of a connection meets, outward and inward: bandwidth and bytes
 *   deny           told to log group 100, ten a second; refused so that the program fails at once
 *   in, fw         (input, forward)
 *
 * The state is "new" until something has come back, so a connection that has the mark of a living
 * grant is not judged again.  A packet that is not accepted leaves no connection behind, hence no
 * mark.  "related" is taken of ICMP alone: errors, which path MTU discovery needs.
 */
#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/icmp6.h>

#include "base/own.h"
#include "net/rules.h"
#include "net/rules_table.h"

enum { LOOPBACK_IFINDEX = 1 /* in every namespace */, MARK_REG = 8 };
enum { IPV4_SOURCE = 12, IPV4_DESTINATION = 16, IPV6_SOURCE = 8, IPV6_DESTINATION = 24 };
enum { IPV6_HOP_LIMIT = 7, DEST_PORT = 2, PORT_LEN = 2 };

static void only_family(struct batch_rule *r, bool v6)
{
	rule_if_meta8(r, NFT_META_NFPROTO, v6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

/* address . protocol . what stands at an offset of the transport header, from register 0 on */
static void load_key(struct batch_rule *r, bool v6, uint32_t address_at, uint32_t port_at)
{
	int words = v6 ? 4 : 1;

	rule_payload(r, NFT_PAYLOAD_NETWORK_HEADER, address_at, v6 ? 16 : 4, BATCH_REG(0));
	rule_meta(r, NFT_META_L4PROTO, BATCH_REG(words));
	rule_payload(r, NFT_PAYLOAD_TRANSPORT_HEADER, port_at, PORT_LEN, BATCH_REG(words + 1));
}

/* ct mark @grants, or not */
static void if_lives(struct batch_rule *r, bool not )
{
	rule_ct(r, NFT_CT_MARK, BATCH_REG(0));
	rule_lookup(r, rules_set_names[SET_GRANTS], BATCH_REG(0), not );
}

/*
 * A record says whose connection it is by the packet's mark, which is put back at once: the mark of
 * a connection is told to who has nf_conntrack_netlink only.
 */
static void tell_admitted(struct batch_rule *r, const char *prefix)
{
	rule_ct(r, NFT_CT_MARK, BATCH_REG(MARK_REG));
	rule_meta_set(r, NFT_META_MARK, BATCH_REG(MARK_REG));
	rule_log(r, RULES_LOG_ADMITTED, prefix);
	rule_load(r, BATCH_REG(MARK_REG), 0);
	rule_meta_set(r, NFT_META_MARK, BATCH_REG(MARK_REG));
	rule_counter(r);
}

/* Accepted, in the end; then: a chain before that. */
static void accept_by(struct batch_rule *r, const char *then)
{
	rule_verdict(r, then ? NFT_GOTO : NF_ACCEPT, then);
}

static void simple(struct batch *b, const char *part, const char *chain, int verdict,
		   const char *to)
{
	struct batch_rule r = rule_begin(b, part, chain, NULL);

	rule_verdict(&r, verdict, to);
	rule_end(&r);
}

/* --- deny ------------------------------------------------------------------------------------- */

static void deny_rules(struct batch *b)
{
	const struct rule_limit told = {.rate = 10, .unit = 1, .burst = 20};
	struct batch_rule r = rule_begin(b, "rule deny log", "deny", NULL);

	rule_limit(&r, &told);
	rule_log(&r, RULES_LOG_DENIED, "deny");
	rule_end(&r);
	r = rule_begin(b, "rule deny tcp reject", "deny", RULES_DENIED);
	rule_if_meta8(&r, NFT_META_L4PROTO, IPPROTO_TCP);
	rule_counter(&r);
	rule_reject(&r, NFT_REJECT_TCP_RST, 0);
	rule_end(&r);
	r = rule_begin(b, "rule deny reject", "deny", RULES_DENIED);
	rule_counter(&r);
	rule_reject(&r, NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED);
	rule_end(&r);
}

/* --- admit ------------------------------------------------------------------------------------ */

/*
 * A bucket that never fills again while the sandbox lives: one packet a week.  The kernel counts
 * nanoseconds in 64 bits, so beyond 15,250 connections the unit is shorter; what comes back is one
 * in 100,000 a day.
 */
static struct rule_limit whole_life(uint32_t total)
{
	const uint64_t week = 604800, most = (uint64_t)INT64_MAX / 1000000000 / total;

	return (struct rule_limit){
		.rate = 1, .unit = most < week ? most : week, .burst = total, .over = true};
}

static void over(struct batch *b, const char *part, const char *comment,
		 const struct rule_limit *limit, uint32_t open)
{
	struct batch_rule r = rule_begin(b, part, "admit", comment);

	if (limit)
		rule_limit(&r, limit);
	else
		rule_open_over(&r, open);
	rule_counter(&r);
	rule_verdict(&r, NFT_GOTO, "deny");
	rule_end(&r);
}

static void admit_rules(struct batch *b, const struct egress_limits *l, const char *pass)
{
	struct batch_rule r = rule_begin(b, "rule admit expired", "admit", NULL);

	if_lives(&r, true);
	rule_verdict(&r, NFT_GOTO, "deny");
	rule_end(&r);
	if (l->rate) {
		const struct rule_limit rate = {.rate = l->rate,
						.unit = 1,
						.burst = l->rate > UINT32_MAX / 2 ? UINT32_MAX
										  : 2 * l->rate,
						.over = true};

		over(b, "rule admit rate", RULES_OVER_RATE, &rate, 0);
	}
	if (l->open)
		over(b, "rule admit open", RULES_OVER_OPEN, NULL, l->open);
	if (l->total) {
		const struct rule_limit total = whole_life(l->total);

		over(b, "rule admit total", RULES_OVER_TOTAL, &total, 0);
	}
	r = rule_begin(b, "rule admit", "admit", RULES_ADMITTED);
	if_lives(&r, false);
	tell_admitted(&r, "admit");
	accept_by(&r, pass);
	rule_end(&r);
	simple(b, "rule admit deny", "admit", NFT_GOTO, "deny");
}

/* --- pass, take ------------------------------------------------------------------------------- */

static void slow_down(struct batch *b, const char *part, const char *chain, uint64_t rate)
{
	/* The largest packet, before it is cut into segments, must pass at any rate. */
	const struct rule_limit l = {.rate = rate,
				     .unit = 1,
				     .burst = 128 << 10,
				     .type = NFT_LIMIT_PKT_BYTES,
				     .over = true};
	struct batch_rule r = rule_begin(b, part, chain, NULL);

	rule_limit(&r, &l);
	rule_verdict(&r, NF_DROP, NULL);
	rule_end(&r);
}

static void quota_rule(struct batch *b, const char *part, const char *chain, const char *to)
{
	struct batch_rule r = rule_begin(b, part, chain, RULES_OVER_BYTES);

	rule_quota(&r, "volume");
	rule_counter(&r);
	rule_verdict(&r, NFT_GOTO, to);
	rule_end(&r);
}

/*
 * A program that only receives learns by the reset of its own acknowledgement that there is no more
 * for it; so a few packets of TCP still come in.
 */
static void late_rules(struct batch *b)
{
	const struct rule_limit few = {.rate = 10, .unit = 1, .burst = 5};
	struct batch_rule r = rule_begin(b, "rule late tcp", "late", NULL);

	rule_if_meta8(&r, NFT_META_L4PROTO, IPPROTO_TCP);
	rule_limit(&r, &few);
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
	simple(b, "rule late drop", "late", NF_DROP, NULL);
}

static void packet_rules(struct batch *b, const struct egress_limits *l, const char *stamp)
{
	if (l->bandwidth) {
		slow_down(b, "rule pass bandwidth", "pass", l->bandwidth);
		slow_down(b, "rule take bandwidth", "take", l->bandwidth);
	}
	if (l->bytes) {
		late_rules(b);
		quota_rule(b, "rule pass bytes", "pass", "deny");
		quota_rule(b, "rule take bytes", "take", "late");
	}
	simple(b, "rule pass", "pass", stamp ? NFT_GOTO : NF_ACCEPT, stamp);
	simple(b, "rule take", "take", NF_ACCEPT, NULL);
}

/* --- new, echo -------------------------------------------------------------------------------- */

/* ct mark set daddr . proto . port map @set goto admit */
static void map_rule(struct batch *b, const char *chain, enum rules_set set, bool v6)
{
	bool echo = chain[0] == 'e';
	struct batch_rule r = rule_begin(b, "rule new destination", chain, NULL);

	only_family(&r, v6);
	load_key(&r, v6, v6 ? IPV6_DESTINATION : IPV4_DESTINATION, echo ? 0 : DEST_PORT);
	rule_map(&r, rules_set_names[set], BATCH_REG(0), BATCH_REG(MARK_REG));
	rule_ct_set(&r, NFT_CT_MARK, BATCH_REG(MARK_REG));
	rule_verdict(&r, NFT_GOTO, "admit");
	rule_end(&r);
}

static void never_rule(struct batch *b, const char *chain, enum rules_set set, bool v6)
{
	struct batch_rule r = rule_begin(b, "rule new never", chain, NULL);

	only_family(&r, v6);
	rule_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, v6 ? IPV6_DESTINATION : IPV4_DESTINATION,
		     v6 ? 16 : 4, BATCH_REG(0));
	rule_lookup(&r, rules_set_names[set], BATCH_REG(0), false);
	rule_verdict(&r, NFT_GOTO, "deny");
	rule_end(&r);
}

static void destinations(struct batch *b, const char *chain, const struct rules_shape *s)
{
	/* In the order in which they are asked. */
	static const struct {
		enum rules_set set;
		bool v6, never;
	} order[] = {
		{SET_CIDR4,   false, false},
                {SET_CIDR6,   true,  false},
                {SET_ALWAYS4, false, true },
		{SET_ALWAYS6, true,  true },
                {SET_NEAR4,   false, false},
                {SET_NEAR6,   true,  false},
		{SET_NEVER4,  false, true },
                {SET_NEVER6,  true,  true },
                {SET_OPEN4,   false, false},
		{SET_OPEN6,   true,  false},
                {SET_NAME4,   false, false},
                {SET_NAME6,   true,  false},
	};

	for (size_t i = 0; i < LEN(order); i++) {
		if (!rules_has(s, order[i].set))
			continue;
		if (order[i].never)
			never_rule(b, chain, order[i].set, order[i].v6);
		else
			map_rule(b, chain, order[i].set, order[i].v6);
	}
	simple(b, "rule new deny", chain, NFT_GOTO, "deny");
}

/* Only a request is new: its type and code stand where the key has a port. */
void rules_put_destinations(struct batch *b, const struct rules_shape *s)
{
	static const uint8_t protos[] = {IPPROTO_ICMP, IPPROTO_ICMPV6};

	for (size_t i = 0; s->echo && i < LEN(protos); i++) {
		struct batch_rule r = rule_begin(b, "rule new echo", "new", NULL);

		rule_if_meta8(&r, NFT_META_L4PROTO, protos[i]);
		rule_verdict(&r, NFT_GOTO, "echo");
		rule_end(&r);
	}
	if (s->echo)
		destinations(b, "echo", s);
	destinations(b, "new", s);
}

/* --- out, in ---------------------------------------------------------------------------------- */

static void loopback(struct batch *b, const char *part, const char *chain, uint32_t key)
{
	struct batch_rule r = rule_begin(b, part, chain, NULL);

	rule_if_meta32(&r, key, LOOPBACK_IFINDEX);
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
}

static void living(struct batch *b, const char *part, const char *chain, const char *then)
{
	struct batch_rule r = rule_begin(b, part, chain, NULL);

	rule_if_state(&r, RULE_STATE_ESTABLISHED | RULE_STATE_NEW);
	if_lives(&r, false);
	accept_by(&r, then);
	rule_end(&r);
}

/*
 * Between the same ports another connection can begin in the place of one that the other side has
 * reset: conntrack goes on with the old one, mark and all.  It is judged as any, and counted. (What
 * is sent again for want of an answer is "new".)
 */
static void begun_anew(struct batch *b)
{
	struct batch_rule r = rule_begin(b, "rule out begun anew", "out", NULL);

	rule_if_syn(&r);
	rule_if_state(&r, RULE_STATE_ESTABLISHED);
	rule_verdict(&r, NFT_GOTO, "new");
	rule_end(&r);
}

static void errors_of(struct batch *b, const char *chain, uint8_t proto, const char *then)
{
	struct batch_rule r = rule_begin(b, "rule icmp errors", chain, NULL);

	rule_if_meta8(&r, NFT_META_L4PROTO, proto);
	rule_if_state(&r, RULE_STATE_RELATED);
	if_lives(&r, false);
	accept_by(&r, then);
	rule_end(&r);
}

/* Router and neighbour discovery, whose hop limit no router has made smaller. */
static struct batch_rule neighbour_rule(struct batch *b, const char *part, const char *chain)
{
	const uint8_t first = ND_ROUTER_SOLICIT, last = ND_NEIGHBOR_ADVERT, untouched = 255;
	struct batch_rule r = rule_begin(b, part, chain, NULL);

	only_family(&r, true);
	rule_if_meta8(&r, NFT_META_L4PROTO, IPPROTO_ICMPV6);
	rule_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, IPV6_HOP_LIMIT, 1, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_EQ, BATCH_REG(0), &untouched, 1);
	rule_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_GTE, BATCH_REG(0), &first, 1);
	rule_cmp(&r, NFT_CMP_LTE, BATCH_REG(0), &last, 1);
	return r;
}

static void neighbours(struct batch *b, const char *chain, const char *then)
{
	struct batch_rule r = neighbour_rule(b, "rule neighbours", chain);

	accept_by(&r, then);
	rule_end(&r);
}

/*
 * Outward a hop limit says nothing: what it is sent with, routers take on, to anywhere.  So only
 * the kernel's own leave.  Its socket has no owner, and a rule that asks for one ends there.
 */
static void own_neighbours(struct batch *b, const char *then)
{
	struct batch_rule r = neighbour_rule(b, "rule out raw neighbours", "out");

	rule_meta(&r, NFT_META_SKUID, BATCH_REG(0));
	rule_verdict(&r, NFT_GOTO, "deny");
	rule_end(&r);
	neighbours(b, "out", then);
}

/* What the kernel itself tells the link (multicast listeners, 130 on) is nobody's attempt. */
static void quiet(struct batch *b)
{
	const uint8_t first = MLD_LISTENER_QUERY;
	struct batch_rule r = rule_begin(b, "rule out quiet", "out", NULL);

	rule_if_meta8(&r, NFT_META_L4PROTO, IPPROTO_ICMPV6);
	rule_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_GTE, BATCH_REG(0), &first, 1);
	rule_verdict(&r, NF_DROP, NULL);
	rule_end(&r);
}

/*
 * Each packet of it must have the resolver's mark: were it enough that the connection has, a
 * workload could take the resolver's port when it is free again and talk to the same server.
 */
static void resolver_out(struct batch *b, enum rules_set set, bool v6, const char *then)
{
	struct batch_rule r = rule_begin(b, "rule out resolver", "out", NULL);

	rule_if_meta32(&r, NFT_META_MARK, EGRESS_PACKET_MARK);
	only_family(&r, v6);
	load_key(&r, v6, v6 ? IPV6_DESTINATION : IPV4_DESTINATION, DEST_PORT);
	rule_lookup(&r, rules_set_names[set], BATCH_REG(0), false);
	rule_load(&r, BATCH_REG(MARK_REG), EGRESS_ID_RESOLVER);
	rule_ct_set(&r, NFT_CT_MARK, BATCH_REG(MARK_REG));
	accept_by(&r, then);
	rule_end(&r);
}

/*
 * Behind lo everybody could be the server that is asked: an address of IPv6 that is not one's own
 * can be bound (IPV6_FREEBIND), /proc/net/udp6 tells the port, and the id has 16 bits.
 */
static void resolver_alone(struct batch *b)
{
	const uint32_t id = EGRESS_ID_RESOLVER, mark = EGRESS_PACKET_MARK;
	struct batch_rule r = rule_begin(b, "rule out forged answer", "out", NULL);

	rule_ct(&r, NFT_CT_MARK, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_EQ, BATCH_REG(0), &id, sizeof(id));
	rule_meta(&r, NFT_META_MARK, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_NEQ, BATCH_REG(0), &mark, sizeof(mark));
	rule_verdict(&r, NF_DROP, NULL);
	rule_end(&r);
}

static void resolver_in(struct batch *b)
{
	const uint32_t id = EGRESS_ID_RESOLVER;
	struct batch_rule r = rule_begin(b, "rule in resolver", "in", NULL);

	rule_if_state(&r, RULE_STATE_ESTABLISHED);
	rule_ct(&r, NFT_CT_MARK, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_EQ, BATCH_REG(0), &id, sizeof(id));
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
}

static void ingress(struct batch *b, enum rules_set set, bool v6, const char *take)
{
	struct batch_rule r = rule_begin(b, "rule in ingress", "in", RULES_INGRESS);

	rule_if_state(&r, RULE_STATE_NEW);
	only_family(&r, v6);
	load_key(&r, v6, v6 ? IPV6_SOURCE : IPV4_SOURCE, DEST_PORT);
	rule_lookup(&r, rules_set_names[set], BATCH_REG(0), false);
	rule_load(&r, BATCH_REG(MARK_REG), EGRESS_ID_INGRESS);
	rule_ct_set(&r, NFT_CT_MARK, BATCH_REG(MARK_REG));
	tell_admitted(&r, "in");
	accept_by(&r, take);
	rule_end(&r);
}

static void out_rules(struct batch *b, const struct rules_shape *s, const char *pass,
		      const char *stamp)
{
	if (s->inside)
		resolver_alone(b);
	loopback(b, "rule out lo", "out", NFT_META_OIF);
	if (rules_has(s, SET_RESOLVERS4))
		resolver_out(b, SET_RESOLVERS4, false, stamp);
	if (rules_has(s, SET_RESOLVERS6))
		resolver_out(b, SET_RESOLVERS6, true, stamp);
	begun_anew(b);
	living(b, "rule out grants", "out", pass);
	errors_of(b, "out", IPPROTO_ICMP, stamp);
	errors_of(b, "out", IPPROTO_ICMPV6, stamp);
	if (s->neighbours)
		own_neighbours(b, stamp);
	quiet(b);
	struct batch_rule r = rule_begin(b, "rule out new", "out", NULL);
	rule_if_state(&r, RULE_STATE_NEW);
	rule_verdict(&r, NFT_GOTO, "new");
	rule_end(&r);
	simple(b, "rule out deny", "out", NFT_GOTO, "deny");
}

static void in_rules(struct batch *b, const struct rules_shape *s, const char *take)
{
	loopback(b, "rule in lo", "in", NFT_META_IIF);
	living(b, "rule in grants", "in", take);
	if (s->inside)
		resolver_in(b);
	errors_of(b, "in", IPPROTO_ICMP, NULL);
	errors_of(b, "in", IPPROTO_ICMPV6, NULL);
	if (s->neighbours)
		neighbours(b, "in", NULL);
	if (rules_has(s, SET_IN4))
		ingress(b, SET_IN4, false, take);
	if (rules_has(s, SET_IN6))
		ingress(b, SET_IN6, true, take);
	struct batch_rule r = rule_begin(b, "rule in drop", "in", RULES_DROPPED_IN);
	rule_counter(&r);
	rule_verdict(&r, NF_DROP, NULL);
	rule_end(&r);
}

void rules_put_chains(struct batch *b, const struct egress_policy *p, const struct rules_shape *s)
{
	bool each = s->bytes || s->slow;
	const char *stamp = s->netdev ? "stamp" : NULL;
	const char *pass = each ? "pass" : stamp;

	batch_chain(b, "chain deny", "deny");
	if (stamp) {
		batch_chain(b, "chain stamp", "stamp");
		rules_put_stamp(b, s);
	}
	if (each) {
		batch_chain(b, "chain pass", "pass");
		batch_chain(b, "chain take", "take");
	}
	if (s->bytes) {
		batch_chain(b, "chain late", "late");
		batch_quota(b, "quota volume", "volume", p->limits.bytes);
	}
	batch_chain(b, "chain admit", "admit");
	batch_chain(b, "chain new", "new");
	if (s->echo)
		batch_chain(b, "chain echo", "echo");
	batch_base_chain(b, "chain out", "out", &(struct batch_hook){.number = NF_INET_LOCAL_OUT});
	batch_base_chain(b, "chain in", "in", &(struct batch_hook){.number = NF_INET_LOCAL_IN});
	batch_base_chain(b, "chain fw", "fw", &(struct batch_hook){.number = NF_INET_FORWARD});
	deny_rules(b);
	if (each)
		packet_rules(b, &p->limits, stamp);
	admit_rules(b, &p->limits, pass);
	rules_put_destinations(b, s);
	out_rules(b, s, pass, stamp);
	in_rules(b, s, each ? "take" : NULL);
}
