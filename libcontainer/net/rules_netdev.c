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
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>

#include "base/own.h"
#include "net/rules_table.h"

enum { MAX_DEVICES = 64, MAX_INDEX = 65536, EGRESS_HOOK = 1 /* NF_NETDEV_EGRESS, Linux 5.16 */ };

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

/* Of the socket's namespace: these calls ask any socket, and the caller is elsewhere. */
static int list_devices(struct arena *a, int sock, const char **names, size_t *n, struct err *e)
{
	*n = 0;
	for (int i = 2; i < MAX_INDEX; i++) { /* 1 is lo */
		struct ifreq q = {.ifr_ifindex = i};

		if (ioctl(sock, SIOCGIFNAME, &q) < 0) {
			if (errno == ENODEV)
				continue;
			return err_set(e, errno, "nf_tables: list the devices of the namespace");
		}
		if (*n == MAX_DEVICES)
			return err_msg(e, E2BIG, "nf_tables: more than %d devices", MAX_DEVICES);
		names[(*n)++] = arena_strndup(a, q.ifr_name, strnlen(q.ifr_name, IFNAMSIZ));
	}
	return 0;
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

int rules_put_netdev(struct arena *a, struct batch *b, int sock, const struct rules_shape *s,
		     bool had, struct err *e)
{
	const char *names[MAX_DEVICES];
	struct batch_hook hook = {.number = EGRESS_HOOK, .devices = names};

	if (s->netdev && list_devices(a, sock, names, &hook.n_devices, e) < 0)
		return -e->code;
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
