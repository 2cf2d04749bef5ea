/*
 * Moving devices.  For each one: find it and its addresses here, ask the kernel to move it (one
 * RTM_NEWLINK with the namespace, the new name and the same index if it is free), then, on a
 * socket of the other namespace, give the addresses back and set it up.  A move takes the
 * addresses away, so they are read before.
 */
#include "net/netdev.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/str.h"
#include "net/rtnl.h"

enum { MAX_DEVICES = 1024, MAX_INDEX = 65536 };

static const char *target_name(const struct oci_net_device *d)
{
	return d->name && *d->name ? d->name : d->host_name;
}

/* One "%d", at the end, is a template that the kernel fills in; any other '%' is refused. */
static bool is_template(const char *name)
{
	const char *percent = strchr(name, '%');

	return percent && str_eq(percent, "%d");
}

static bool name_ok(const char *name, bool template_allowed)
{
	size_t n = strlen(name);

	if (n == 0 || n >= IFNAMSIZ || str_eq(name, ".") || str_eq(name, ".."))
		return false;
	for (const char *p = name; *p; p++)
		if (*p == '/' || *p == ':' || (unsigned char)*p <= ' ' || *p == 0x7f)
			return false;
	return !strchr(name, '%') || (template_allowed && is_template(name));
}

int netdev_check(const struct oci_net_device *d, size_t n, struct err *e)
{
	if (n > MAX_DEVICES)
		return err_msg(e, EINVAL, "netDevices: more than %d", MAX_DEVICES);
	for (size_t i = 0; i < n; i++) {
		const char *to = target_name(&d[i]);

		if (!name_ok(d[i].host_name, false))
			return err_msg(e, EINVAL, "netDevices: invalid device name \"%.64s\"",
				       d[i].host_name);
		if (!name_ok(to, true))
			return err_msg(e, EINVAL, "netDevices: %s: invalid name \"%.64s\"",
				       d[i].host_name, to);
		if (str_eq(d[i].host_name, "lo") || str_eq(to, "lo"))
			return err_msg(e, EINVAL,
				       "netDevices: %s: the loopback device cannot be moved",
				       d[i].host_name);
		for (size_t k = 0; k < i; k++) {
			if (str_eq(d[k].host_name, d[i].host_name))
				return err_msg(e, EINVAL, "netDevices: %s: given twice",
					       d[i].host_name);
			if (str_eq(target_name(&d[k]), to) && !is_template(to))
				return err_msg(e, EINVAL,
					       "netDevices: %s: name %s is already that of %s",
					       d[i].host_name, to, d[k].host_name);
		}
	}
	return 0;
}

struct address {
	struct ifaddrmsg head;
	uint32_t flags;
	struct attr {
		uint16_t type, len;
		char data[32];
	} attrs[5];
	size_t n_attrs;
};

struct device {
	const struct mnl *mnl;
	struct arena *arena;
	int index;
	struct address *list;
	size_t n, max;
	struct address *now; /* being read */
};

/* What makes an address the same one over there; cacheinfo and label would not be taken. */
static int note_attr(const struct nlattr *attr, void *data)
{
	struct device *d = data;
	uint16_t type = d->mnl->attr_type(attr), len = d->mnl->attr_payload_len(attr);
	struct address *a = d->now;

	if (type == IFA_FLAGS && len == sizeof(uint32_t))
		a->flags = d->mnl->attr_u32(attr);
	if ((type != IFA_ADDRESS && type != IFA_LOCAL && type != IFA_BROADCAST &&
	     type != IFA_RT_PRIORITY) ||
	    len > sizeof(a->attrs[0].data) || a->n_attrs == LEN(a->attrs))
		return MNL_CB_OK;
	struct attr *to = &a->attrs[a->n_attrs++];
	to->type = type;
	to->len = len;
	memcpy(to->data, d->mnl->attr_payload(attr), len);
	return MNL_CB_OK;
}

static int note_address(const struct nlmsghdr *h, void *data)
{
	struct device *d = data;
	const struct ifaddrmsg *m = rtnl_payload(h);
	struct address a = {0};

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return -EPROTO;
	a.head = *m;
	a.flags = m->ifa_flags;
	if ((int)m->ifa_index != d->index || m->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	d->now = &a;
	int parsed = d->mnl->attr_parse(h, sizeof(*m), note_attr, d);
	d->now = NULL;
	if (parsed < 0)
		return -EPROTO;
	if (!(a.flags & IFA_F_PERMANENT))
		return 0;
	if (d->n == d->max) {
		size_t max = d->max ? d->max * 2 : 8;
		struct address *more = arena_array(d->arena, max, sizeof(*more));

		if (d->n)
			memcpy(more, d->list, d->n * sizeof(*more));
		d->list = more;
		d->max = max;
	}
	d->list[d->n++] = a;
	return 0;
}

/*
 * Until no table changed while it was dumped (EINTR says so).  On a socket of its own each time:
 * the rest of a broken dump would be taken for the next answer.
 */
static int find_addresses(const struct mnl *mnl, struct device *d, struct err *e)
{
	enum { TRIES = 8 };
	int code = -EINTR;

	for (int tries = 0; code == -EINTR && tries < TRIES; tries++) {
		own_rtnl struct rtnl r = RTNL_NONE;
		union rtnl_request q;

		if (rtnl_open(&r, mnl, e) < 0)
			return -e->code;
		struct nlmsghdr *h = rtnl_request(mnl, &q, RTM_GETADDR, NLM_F_DUMP);
		struct ifaddrmsg *m = mnl->put_extra(h, sizeof(*m));
		m->ifa_family = AF_UNSPEC;
		d->n = 0;
		code = rtnl_ask(&r, h, note_address, d);
	}
	return code < 0 ? err_set(e, -code, "read addresses") : 0;
}

static int move_link(struct rtnl *r, int index, const char *name, int netns, int new_index)
{
	union rtnl_request q;
	struct nlmsghdr *h = rtnl_request(r->mnl, &q, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	r->mnl->attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns);
	r->mnl->attr_put_strz(h, IFLA_IFNAME, name);
	if (new_index)
		r->mnl->attr_put_u32(h, IFLA_NEW_IFINDEX, (uint32_t)new_index);
	return rtnl_ask(r, h, NULL, NULL);
}

static int add_address(struct rtnl *r, const struct address *a, int index)
{
	union rtnl_request q;
	struct nlmsghdr *h =
		rtnl_request(r->mnl, &q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
	struct ifaddrmsg *m = r->mnl->put_extra(h, sizeof(*m));
	/* Of its flags those that an administrator sets; the kernel adds its own. */
	uint32_t flags = a->flags & (IFA_F_PERMANENT | IFA_F_NODAD | IFA_F_HOMEADDRESS |
				     IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN);

	m->ifa_family = a->head.ifa_family;
	m->ifa_prefixlen = a->head.ifa_prefixlen;
	m->ifa_scope = a->head.ifa_scope;
	m->ifa_index = (uint32_t)index;
	r->mnl->attr_put_u32(h, IFA_FLAGS, flags);
	for (size_t i = 0; i < a->n_attrs; i++)
		r->mnl->attr_put(h, a->attrs[i].type, a->attrs[i].len, a->attrs[i].data);
	return rtnl_ask(r, h, NULL, NULL);
}

/*
 * The new index is chosen here (5.13), so that a device with a template for a name is found
 * again afterwards: the old one if it is free over there, else the smallest that is.
 */
static int free_index(struct rtnl *there, int old)
{
	if (rtnl_link_exists(there, old) < 0)
		return old;
	for (int i = 2; i < MAX_INDEX; i++)
		if (rtnl_link_exists(there, i) < 0)
			return i;
	return 0;
}

static int move_one(struct rtnl *here, struct rtnl *there, struct arena *a,
		    const struct oci_net_device *d, int netns, struct err *e)
{
	struct device dev = {.mnl = here->mnl, .arena = a};
	const char *to = target_name(d);

	dev.index = rtnl_link_find(here, d->host_name);
	if (dev.index < 0)
		return err_set(e, -dev.index, "find device");
	if (find_addresses(here->mnl, &dev, e) < 0)
		return -e->code;
	/* The kernel moves first and renames then: a name in use would leave it over there. */
	if (!is_template(to) && rtnl_link_find(there, to) >= 0)
		return err_set(e, EEXIST, "move it to the container as %s", to);
	int index = free_index(there, dev.index);
	if (!index)
		return err_set(e, EBUSY, "find a free device index");
	int r = move_link(here, dev.index, to, netns, index);
	if (r < 0)
		return err_set(e, -r, "move it to the container as %s", to);
	for (size_t i = 0; i < dev.n; i++) {
		r = add_address(there, &dev.list[i], index);
		if (r < 0)
			return err_set(e, -r, "address %zu of %zu", i + 1, dev.n);
	}
	r = rtnl_link_up(there, index);
	return r < 0 ? err_set(e, -r, "set it up") : 0;
}

int netdev_move(struct arena *a, const struct oci_net_device *d, size_t n, int netns_fd,
		struct err *e)
{
	struct mnl mnl;
	own_rtnl struct rtnl here = RTNL_NONE;
	own_rtnl struct rtnl there = RTNL_NONE;

	if (!n)
		return 0;
	if (netdev_check(d, n, e) < 0 || mnl_load(&mnl, e) < 0 || rtnl_open(&here, &mnl, e) < 0 ||
	    rtnl_open_in(&there, &mnl, netns_fd, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n; i++)
		if (move_one(&here, &there, a, &d[i], netns_fd, e) < 0)
			return err_wrap(e, "netDevices: %s", d[i].host_name);
	return 0;
}
