/*
 * Packet sockets (CAP_NET_RAW) send behind the hook "output".  The hook "egress" of a device sees
 * them, and knows of no connections; so what "inet brig" lets through gets a stamp, 64 random bits
 * in mark and priority of the packet, and the device takes what has it, and ARP.  The stamp is
 * taken off there: who listens on the device sees packets later, and lo, where one could read a
 * mark, has none.  Both fields can be set with CAP_NET_RAW, but not guessed.
 *
 *   table netdev brig {
 *     chain egress { type filter hook egress devices = { ... } priority 0; policy drop;
 *                    meta protocol arp accept
 *                    meta mark S meta priority S meta mark set 0 meta priority set 0 accept }
 *   }
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "base/own.h"
#include "base/str.h"
#include "net/rtnl.h"
#include "net/rules_table.h"

enum { MAX_DEVICES = 64, EGRESS_HOOK = 1 /* NF_NETDEV_EGRESS, Linux 5.16 */ };
enum { LOOPBACK_IFINDEX = 1 /* in every namespace */ };

static const uint32_t keys[] = {NFT_META_MARK, NFT_META_PRIORITY};

int rules_new_stamp(struct rules_shape *s, struct err *e)
{
	if (getrandom(s->stamp, sizeof(s->stamp), 0) != (ssize_t)sizeof(s->stamp))
		return err_set(e, errno, "random bytes");
	return 0;
}

void rules_put_stamp(struct batch *b, const struct rules_shape *s)
{
	struct batch_rule r = rule_begin(b, "rule stamp", "stamp", NULL);

	for (size_t i = 0; i < LEN(keys); i++) {
		rule_load(&r, BATCH_REG(0), s->stamp[i]);
		rule_meta_set(&r, keys[i], BATCH_REG(0));
	}
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
}

struct devices {
	struct arena *arena;
	int sock;
	const char *names[MAX_DEVICES];
	size_t n;
};

static int note_device(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *link = rtnl_payload(h);
	struct devices *d = ctx;
	struct ifreq q = {0};

	if (h->nlmsg_len < NLMSG_SPACE(sizeof(*link)))
		return -EPROTO;
	if (link->ifi_index == LOOPBACK_IFINDEX)
		return 0;
	/* Of the socket's namespace, as the answer is: the caller is elsewhere. */
	q.ifr_ifindex = link->ifi_index;
	if (ioctl(d->sock, SIOCGIFNAME, &q) < 0)
		return errno == ENODEV ? 0 : -errno;
	const char *name = arena_strndup(d->arena, q.ifr_name, strnlen(q.ifr_name, IFNAMSIZ));
	for (size_t i = 0; i < d->n; i++)
		if (str_eq(d->names[i], name))
			return 0;
	if (d->n == MAX_DEVICES)
		return -E2BIG;
	d->names[d->n++] = name;
	return 0;
}

/* Their numbers have no bound that one could count up to: a node that makes a pair for each pod
 * comes to 70000 within weeks. */
static int list_devices(const struct mnl *m, int route, struct devices *d, struct err *e)
{
	struct rtnl r = {.mnl = m, .sock = route};
	int code = rtnl_link_each(&r, note_device, d);

	if (code == -E2BIG)
		return err_msg(e, E2BIG, "nf_tables: more than %d devices", MAX_DEVICES);
	return code < 0 ? err_set(e, -code, "nf_tables: list the devices of the namespace") : 0;
}

static void put_rules(struct batch *b, const struct rules_shape *s)
{
	const uint16_t arp = htons(ETH_P_ARP);
	struct batch_rule r = rule_begin(b, "rule egress arp", "egress", NULL);

	rule_meta(&r, NFT_META_PROTOCOL, BATCH_REG(0));
	rule_cmp(&r, NFT_CMP_EQ, BATCH_REG(0), &arp, sizeof(arp));
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
	r = rule_begin(b, "rule egress stamp", "egress", NULL);
	for (size_t i = 0; i < LEN(keys); i++)
		rule_if_meta32(&r, keys[i], s->stamp[i]);
	rule_load(&r, BATCH_REG(0), 0);
	for (size_t i = 0; i < LEN(keys); i++)
		rule_meta_set(&r, keys[i], BATCH_REG(0));
	rule_verdict(&r, NF_ACCEPT, NULL);
	rule_end(&r);
}

int rules_put_netdev(struct arena *a, const struct mnl *m, struct batch *b, int route,
		     const struct rules_shape *s, bool had, struct err *e)
{
	struct devices d = {.arena = a, .sock = route};

	if (s->netdev && list_devices(m, route, &d, e) < 0)
		return -e->code;
	const struct batch_hook hook = {
		.number = EGRESS_HOOK, .devices = d.names, .n_devices = d.n};
	batch_family(b, NFPROTO_NETDEV);
	if (had)
		batch_table(b, "the old table netdev brig", NFT_MSG_DELTABLE, 0, NULL);
	if (hook.n_devices) {
		batch_table(b, "table netdev brig", NFT_MSG_NEWTABLE, NLM_F_CREATE, NULL);
		batch_base_chain(b, "chain egress", "egress", &hook);
		put_rules(b, s);
	}
	batch_family(b, NFPROTO_INET);
	return 0;
}
