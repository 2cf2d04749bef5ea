/*
 * The pair.  The host's table first, so that no device is ever without it; then the pair, the peer
 * at once in the other namespace, both down; settings; addresses; up, the host's end first, as the
 * other's route needs a neighbour that is there.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <sched.h>
#include <string.h>
#include <time.h>

#include "base/arena.h"
#include "base/fault.h"
#include "base/own.h"
#include "net/conf.h"
#include "net/host_table.h"
#include "net/opened.h"
#include "net/routes.h"
#include "net/rtnl.h"
#include "net/veth.h"

enum { SLOT_PREFIX = 30, SLOT_PREFIX6 = 126 };
#define PEER "eth0"

struct making {
	const struct veth_config *config;
	const struct mnl *mnl;
	const struct veth_slot *slot;
	int netns;
	bool ipv6;
	struct rtnl here, there;
	int index, peer;
	struct arena arena;
};

static void making_end(struct making *k)
{
	rtnl_close(&k->here);
	rtnl_close(&k->there);
	arena_free(&k->arena);
}

/* --- Forwarding ---------------------------------------------------------------------------- */

#define FORCE "force_forwarding" /* net.ipv6.conf.DEVICE., Linux 6.17 */

bool veth_ipv6_possible(struct err *e)
{
	if (!conf_exists("all", 6, "forwarding")) {
		err_msg(e, ENOTSUP, "the host has no IPv6");
		return false;
	}
	if (conf_is("all", 6, "forwarding", "1") || conf_exists("default", 6, FORCE))
		return true;
	err_msg(e, ENOTSUP,
		"the host does not forward IPv6: sysctl net.ipv6.conf.all.forwarding=1 (where it "
		"learns its own route from router advertisements also accept_ra=2)");
	return false;
}

/* Those of the host's devices which do not forward what comes in by them. */
static int closed_devices(struct making *k, int family, const char *setting,
			  struct routes_devices *out, struct err *e)
{
	size_t kept = 0;

	if (routes_find_devices(&k->arena, k->mnl, family, out, e) < 0)
		return -e->code;
	for (size_t i = 0; i < out->n; i++)
		if (conf_is(out->names[i], family, setting, "0"))
			out->names[kept++] = out->names[i];
	out->n = kept;
	return 0;
}

static int open_devices(const struct routes_devices *d, int family, const char *setting,
			struct err *e)
{
	struct conf_row row = {family, setting, "1"};

	for (size_t i = 0; i < d->n; i++)
		if (conf_write(d->names[i], &row, 1, e) < 0)
			return -e->code;
	return 0;
}

/* What is opened now, and what the table has to close because it was opened before. */
static int find_devices(struct making *k, int family, const char *setting, bool global,
			struct routes_devices *now, struct routes_devices *all, struct err *e)
{
	const char *directory = k->config->directory;

	if (global)
		return opened_forget(directory, family, e);
	if (closed_devices(k, family, setting, now, e) < 0)
		return -e->code;
	*all = *now;
	if (opened_add_to(&k->arena, directory, family, setting, all, e) < 0)
		return -e->code;
	return opened_record(directory, family, now, e);
}

static int prepare_host(struct making *k, struct err *e)
{
	struct routes_devices four = {0}, six = {0}, all4 = {0}, all6 = {0};
	struct host_table_add add = {
		.slot = k->slot,
		.ipv6 = k->ipv6,
		.global4 = conf_is("all", 4, "forwarding", "1"),
		.global6 = conf_is("all", 6, "forwarding", "1"),
	};

	if (k->ipv6 && !veth_ipv6_possible(e))
		return -e->code;
	if (find_devices(k, 4, "forwarding", add.global4, &four, &all4, e) < 0)
		return -e->code;
	if (k->ipv6 && find_devices(k, 6, FORCE, add.global6, &six, &all6, e) < 0)
		return -e->code;
	add.open4 = all4.names;
	add.n_open4 = all4.n;
	add.open6 = all6.names;
	add.n_open6 = all6.n;
	if (host_table_add(k->mnl, &add, e) < 0)
		return -e->code;
	return open_devices(&four, 4, "forwarding", e) < 0 || open_devices(&six, 6, FORCE, e) < 0
		       ? err_wrap(e, "forwarding")
		       : 0;
}

/* --- Settings ------------------------------------------------------------------------------ */

/*
 * Of IPv4 all in one message where nothing hangs on the change of a value (inet_set_link_af); a
 * file each takes ten times as long.
 */
struct conf4 {
	uint16_t what; /* IPV4_DEVCONF_ of linux/ip.h */
	uint32_t value;
};

/* The host's end.  rp_filter counts as the larger one of all and the device. */
static const struct conf4 host_conf4[] = {
	{IPV4_DEVCONF_RP_FILTER,           1},
	{IPV4_DEVCONF_ACCEPT_REDIRECTS,    0},
	{IPV4_DEVCONF_SEND_REDIRECTS,      0},
	{IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0},
	{IPV4_DEVCONF_ROUTE_LOCALNET,      0},
	{IPV4_DEVCONF_PROXY_ARP,           0},
	{IPV4_DEVCONF_ACCEPT_LOCAL,        0},
	{IPV4_DEVCONF_ARP_IGNORE,          1}, /* no answer for other addresses of the host */
};
/* Large receive offload ends with it (devinet_sysctl_forward). */
static const struct conf_row host_forwards[] = {
	{4, "forwarding", "1"}
};
/* Nobody else is there who could have the same address: no second is lost to asking (accept_dad).
 */
static const struct conf_row host_rows6[] = {
	{6, "accept_dad",       "0"},
        {6, "accept_ra",        "0"},
        {6, "accept_redirects", "0"},
	{6, "autoconf",         "0"},
        {6, "proxy_ndp",        "0"},
};
static const struct conf_row host_no6[] = {
	{6, "disable_ipv6", "1"}
};
static const struct conf_row host_force6[] = {
	{6, FORCE, "1"}
};

/* The sandbox's end, whatever its namespace has taken over from the host's defaults. */
static const struct conf4 inside_conf4[] = {
	{IPV4_DEVCONF_FORWARDING,          0},
        {IPV4_DEVCONF_RP_FILTER,           1},
	{IPV4_DEVCONF_ACCEPT_REDIRECTS,    0},
        {IPV4_DEVCONF_SEND_REDIRECTS,      0},
	{IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE, 0},
        {IPV4_DEVCONF_ROUTE_LOCALNET,      0},
	{IPV4_DEVCONF_PROXY_ARP,           0},
};
static const struct conf_row inside_rows6[] = {
	{6, "accept_dad",       "0"},
        {6, "forwarding",       "0"},
        {6, "accept_ra",        "0"},
	{6, "accept_redirects", "0"},
        {6, "autoconf",         "0"},
};

static int set_conf4(struct rtnl *r, int index, const struct conf4 *rows, size_t n, struct err *e)
{
	const struct mnl *m = r->mnl;
	union rtnl_request q;
	struct nlmsghdr *h = rtnl_request(m, &q, RTM_SETLINK, NLM_F_ACK);
	struct ifinfomsg *i = m->put_extra(h, sizeof(*i));

	i->ifi_index = index;
	struct nlattr *spec = m->nest_start_check(h, sizeof(q), IFLA_AF_SPEC);
	struct nlattr *inet = m->nest_start_check(h, sizeof(q), AF_INET);
	struct nlattr *conf = m->nest_start_check(h, sizeof(q), IFLA_INET_CONF);

	for (size_t k = 0; k < n; k++)
		m->attr_put_u32(h, rows[k].what, rows[k].value);
	m->nest_end(h, conf);
	m->nest_end(h, inet);
	m->nest_end(h, spec);
	int code = rtnl_ask(r, h, NULL, NULL);

	return code < 0 ? err_set(e, -code, "settings of IPv4") : 0;
}

static int set_host_end(struct making *k, struct err *e)
{
	const char *d = k->slot->device;

	if (set_conf4(&k->here, k->index, host_conf4, LEN(host_conf4), e) < 0 ||
	    conf_write(d, host_forwards, LEN(host_forwards), e) < 0)
		return -e->code;
	if (!k->ipv6)
		return conf_write(d, host_no6, LEN(host_no6), e);
	if (conf_write(d, host_rows6, LEN(host_rows6), e) < 0)
		return -e->code;
	return conf_is("all", 6, "forwarding", "1")
		       ? 0
		       : conf_write(d, host_force6, LEN(host_force6), e);
}

static int set_inner_end(const struct making *k, struct err *e)
{
	return k->ipv6 ? conf_write(PEER, inside_rows6, LEN(inside_rows6), e)
		       : conf_write(PEER, host_no6, LEN(host_no6), e);
}

/* /proc/sys/net shows the namespace of who opens it. */
static int set_inside(struct making *k, struct err *e)
{
	if (set_conf4(&k->there, k->peer, inside_conf4, LEN(inside_conf4), e) < 0)
		return -e->code;
	own_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (here < 0)
		return err_set(e, errno, "open own network namespace");
	if (setns(k->netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter network namespace");
	int code = set_inner_end(k, e);

	if (setns(here, CLONE_NEWNET) < 0)
		return err_set(e, errno, "return to own network namespace");
	return code;
}

/* --- Devices, addresses, routes ------------------------------------------------------------ */

/*
 * Addresses of our own choice, so that each end knows the other's: neighbours that are set need not
 * be asked for (which may fail at first: an address of IPv6 answers only when a work queue has
 * joined its multicast group), and cannot be forged.
 */
struct mac {
	uint8_t bytes[6];
};
enum side { SIDE_HOST, SIDE_INSIDE };

static struct mac mac_of(const struct veth_slot *s, enum side side)
{
	/* 02: chosen locally. */
	return (struct mac){
		{0x02, VETH_GROUP >> 8, VETH_GROUP & 0xff, (uint8_t)side, (uint8_t)(s->number >> 8),
		 (uint8_t)s->number}
        };
}

/* Neither end is set up here: of a pair that is not complete that is ENOTCONN (veth_open). */
static int make_pair(struct making *k, struct err *e)
{
	const struct mnl *m = k->mnl;
	struct mac host = mac_of(k->slot, SIDE_HOST), inside = mac_of(k->slot, SIDE_INSIDE);
	union rtnl_request q;
	struct nlmsghdr *h =
		rtnl_request(m, &q, RTM_NEWLINK, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);

	m->put_extra(h, sizeof(struct ifinfomsg));
	m->attr_put_strz(h, IFLA_IFNAME, k->slot->device);
	m->attr_put_u32(h, IFLA_GROUP, VETH_GROUP);
	m->attr_put(h, IFLA_ADDRESS, sizeof(host), &host);
	struct nlattr *info = m->nest_start_check(h, sizeof(q), IFLA_LINKINFO);

	m->attr_put_strz(h, IFLA_INFO_KIND, "veth");
	struct nlattr *data = m->nest_start_check(h, sizeof(q), IFLA_INFO_DATA);
	struct nlattr *peer = m->nest_start_check(h, sizeof(q), VETH_INFO_PEER);

	m->put_extra(h, sizeof(struct ifinfomsg));
	m->attr_put_strz(h, IFLA_IFNAME, PEER);
	m->attr_put(h, IFLA_ADDRESS, sizeof(inside), &inside);
	m->attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)k->netns);
	m->nest_end(h, peer);
	m->nest_end(h, data);
	m->nest_end(h, info);
	int r = fault_hides("veth") ? -EOPNOTSUPP : rtnl_ask(&k->here, h, NULL, NULL);

	if (r == -EOPNOTSUPP)
		return err_msg(e, -r, "the kernel has no such devices: modprobe veth");
	return r < 0 ? err_set(e, -r, "make %s and its peer " PEER, k->slot->device) : 0;
}

static int add_address(struct rtnl *r, int index, const struct egress_address *a, struct err *e)
{
	bool six = a->family == 6;
	union rtnl_request q;
	struct nlmsghdr *h =
		rtnl_request(r->mnl, &q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct ifaddrmsg *m = r->mnl->put_extra(h, sizeof(*m));

	m->ifa_family = six ? AF_INET6 : AF_INET;
	m->ifa_prefixlen = six ? SLOT_PREFIX6 : SLOT_PREFIX;
	m->ifa_index = (uint32_t)index;
	/* Nobody else can have it; the first second would be lost to asking. */
	r->mnl->attr_put_u32(h, IFA_FLAGS, IFA_F_NODAD);
	r->mnl->attr_put(h, IFA_LOCAL, six ? 16 : 4, a->bytes);
	r->mnl->attr_put(h, IFA_ADDRESS, six ? 16 : 4, a->bytes);
	int code = rtnl_ask(r, h, NULL, NULL);

	return code < 0 ? err_set(e, -code, "address") : 0;
}

static int add_neighbour(struct rtnl *r, int index, const struct egress_address *a, struct mac mac,
			 struct err *e)
{
	bool six = a->family == 6;
	union rtnl_request q;
	struct nlmsghdr *h =
		rtnl_request(r->mnl, &q, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct ndmsg *m = r->mnl->put_extra(h, sizeof(*m));

	m->ndm_family = six ? AF_INET6 : AF_INET;
	m->ndm_ifindex = index;
	m->ndm_state = NUD_PERMANENT;
	r->mnl->attr_put(h, NDA_DST, six ? 16 : 4, a->bytes);
	r->mnl->attr_put(h, NDA_LLADDR, sizeof(mac), &mac);
	int code = rtnl_ask(r, h, NULL, NULL);

	return code < 0 ? err_set(e, -code, "neighbour") : 0;
}

static int add_default_route(struct rtnl *r, int index, const struct egress_address *via,
			     struct err *e)
{
	bool six = via->family == 6;
	union rtnl_request q;
	struct nlmsghdr *h =
		rtnl_request(r->mnl, &q, RTM_NEWROUTE, NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL);
	struct rtmsg *m = r->mnl->put_extra(h, sizeof(*m));

	m->rtm_family = six ? AF_INET6 : AF_INET;
	m->rtm_table = RT_TABLE_MAIN;
	m->rtm_protocol = RTPROT_STATIC;
	m->rtm_scope = RT_SCOPE_UNIVERSE;
	m->rtm_type = RTN_UNICAST;
	r->mnl->attr_put(h, RTA_GATEWAY, six ? 16 : 4, via->bytes);
	r->mnl->attr_put_u32(h, RTA_OIF, (uint32_t)index);
	int code = rtnl_ask(r, h, NULL, NULL);

	return code < 0 ? err_set(e, -code, "default route of IPv%d", six ? 6 : 4) : 0;
}

static int set_up(struct rtnl *r, int index, const char *name, struct err *e)
{
	int code = rtnl_link_up(r, index);

	return code < 0 ? err_set(e, -code, "set %s up", name) : 0;
}

/* Of one family. */
static int add_addresses(struct making *k, const struct egress_address *host,
			 const struct egress_address *inside, struct err *e)
{
	return add_address(&k->here, k->index, host, e) < 0 ||
			       add_address(&k->there, k->peer, inside, e) < 0
		       ? -e->code
		       : 0;
}

static int add_ways(struct making *k, const struct egress_address *host,
		    const struct egress_address *inside, struct err *e)
{
	struct mac to_host = mac_of(k->slot, SIDE_HOST), to_inside = mac_of(k->slot, SIDE_INSIDE);

	if (add_neighbour(&k->here, k->index, inside, to_inside, e) < 0 ||
	    add_neighbour(&k->there, k->peer, host, to_host, e) < 0)
		return -e->code;
	return add_default_route(&k->there, k->peer, host, e);
}

static int bring_up(struct making *k, struct err *e)
{
	if (set_up(&k->here, k->index, k->slot->device, e) < 0 ||
	    set_up(&k->there, k->peer, PEER, e) < 0)
		return -e->code;
	/*
	 * Until the kernel has noticed the carrier (link_watch.c), up to a second, the end that was
	 * set up first drops its packets, and neither has IPv6; who asks for it makes it notice
	 * (Linux 6.8).
	 */
	if (rtnl_link_exists(&k->here, k->index) < 0 || rtnl_link_exists(&k->there, k->peer) < 0)
		return err_set(e, ENODEV, "%s", k->slot->device);
	return 0;
}

static int note_type(const struct nlmsghdr *h, void *ctx)
{
	const struct rtmsg *m = rtnl_payload(h);

	if (h->nlmsg_type == RTM_NEWROUTE && h->nlmsg_len >= NLMSG_LENGTH(sizeof(*m)))
		*(uint8_t *)ctx = m->rtm_type;
	return 0;
}

static bool is_local(struct rtnl *r, const struct egress_address *a)
{
	union rtnl_request q;
	uint8_t type = RTN_UNSPEC;
	struct nlmsghdr *h = rtnl_request(r->mnl, &q, RTM_GETROUTE, NLM_F_ACK);
	struct rtmsg *m = r->mnl->put_extra(h, sizeof(*m));

	m->rtm_family = AF_INET6;
	m->rtm_dst_len = 128;
	r->mnl->attr_put(h, RTA_DST, 16, a->bytes);
	return rtnl_ask(r, h, note_type, &type) == 0 && type == RTN_LOCAL;
}

/*
 * An address of IPv6 is there for who asks, but what is sent to it is taken only when a work queue
 * has come to it (addrconf_dad_work, also with NODAD): the first answer would be lost.
 */
static void await_local(struct rtnl *r, const struct egress_address *a)
{
	enum { TRIES = 100, STEP_NS = 500 * 1000 };
	const struct timespec step = {0, STEP_NS};

	for (int i = 0; i < TRIES && !is_local(r, a); i++)
		(void)nanosleep(&step, NULL); /* shorter by a signal is no matter */
}

static int connect_pair(struct making *k, struct err *e)
{
	const struct veth_slot *s = k->slot;

	k->peer = rtnl_link_find(&k->there, PEER);
	if (k->index < 0 || k->peer < 0)
		return err_set(e, ENODEV, "find %s and its peer", s->device);
	if (set_host_end(k, e) < 0 || set_inside(k, e) < 0 ||
	    add_addresses(k, &s->host, &s->inside, e) < 0 ||
	    (k->ipv6 && add_addresses(k, &s->host6, &s->inside6, e) < 0) || bring_up(k, e) < 0 ||
	    add_ways(k, &s->host, &s->inside, e) < 0 ||
	    (k->ipv6 && add_ways(k, &s->host6, &s->inside6, e) < 0))
		return -e->code;
	if (k->ipv6) {
		await_local(&k->there, &s->inside6);
		await_local(&k->here, &s->host6);
	}
	return 0;
}

static int make_all(struct making *k, struct err *e)
{
	if (rtnl_open(&k->here, k->mnl, e) < 0 ||
	    rtnl_open_in(&k->there, k->mnl, k->netns, e) < 0 || prepare_host(k, e) < 0 ||
	    make_pair(k, e) < 0)
		return -e->code;
	k->index = rtnl_link_find(&k->here, k->slot->device);
	if (connect_pair(k, e) < 0) {
		/* With its peer.  If not, it goes with the namespace. */
		if (k->index > 0)
			(void)rtnl_link_delete(&k->here, k->index);
		return -e->code;
	}
	return 0;
}

int veth_make(const struct veth_config *c, const struct mnl *m, const struct veth_slot *s,
	      int netns, bool ipv6, struct err *e)
{
	struct making k = {.config = c,
			   .mnl = m,
			   .slot = s,
			   .netns = netns,
			   .ipv6 = ipv6 && s->host6.family,
			   .here = RTNL_NONE,
			   .there = RTNL_NONE};

	int r = make_all(&k, e);

	making_end(&k);
	return r < 0 ? err_wrap(e, "veth") : 0;
}

int veth_remove(const struct mnl *m, const struct veth_slot *s, struct err *e)
{
	own_rtnl struct rtnl here = RTNL_NONE;

	if (rtnl_open(&here, m, e) < 0)
		return -e->code;
	int index = rtnl_link_find(&here, s->device);
	int r = index < 0 ? index : rtnl_link_delete(&here, index);

	return r < 0 && r != -ENODEV ? err_set(e, -r, "veth: remove %s", s->device) : 0;
}
