/*
 * Moving devices.  For each one: find it and its addresses here, ask the kernel to move it (one
 * RTM_NEWLINK with the namespace, the new name and the same index if it is free), then, on a
 * socket of the other namespace, give the addresses back and set it up.  A move takes the
 * addresses away, so they are read before.
 */
#include "net/netdev.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "net/mnl.h"

enum { MESSAGE_MAX = 8192, REPLY_MAX = 32768, MAX_DEVICES = 1024, MAX_INDEX = 65536 };

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

/* A socket of one namespace. */
struct route {
	const struct mnl *mnl;
	struct mnl_socket *sock;
	uint32_t seq;
};

static void route_close(struct route *r)
{
	if (r->sock)
		(void)r->mnl->socket_close(r->sock);
	r->sock = NULL;
}
#define own_route __attribute__((cleanup(route_close)))

static int route_open(struct route *r, const struct mnl *mnl, struct err *e)
{
	r->mnl = mnl;
	r->sock = mnl->socket_open(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!r->sock || mnl->socket_bind(r->sock, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_set(e, *mnl->errno_at(), "open rtnetlink");
	return 0;
}

/* A thread's socket stays in the namespace in which it was made. */
static int route_open_in(struct route *r, const struct mnl *mnl, int netns, struct err *e)
{
	own_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	if (here < 0)
		return err_set(e, errno, "open own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter network namespace");
	int code = route_open(r, mnl, e);
	if (setns(here, CLONE_NEWNET) < 0)
		return err_set(e, errno, "return to own network namespace");
	return code;
}

/* Sends one request and runs cb over the answers until it is acknowledged. */
static int route_talk(struct route *r, struct nlmsghdr *h, mnl_cb_t cb, void *data)
{
	union {
		struct nlmsghdr align;
		char bytes[REPLY_MAX];
	} reply;
	uint32_t port = r->mnl->socket_portid(r->sock);
	int code = MNL_CB_OK;

	h->nlmsg_seq = ++r->seq;
	if (r->mnl->socket_sendto(r->sock, h, h->nlmsg_len) < 0)
		return -*r->mnl->errno_at();
	while (code > MNL_CB_STOP) {
		ssize_t n = r->mnl->socket_recvfrom(r->sock, &reply, sizeof(reply));

		if (n < 0 && *r->mnl->errno_at() == EINTR)
			continue;
		if (n < 0)
			return -*r->mnl->errno_at();
		code = r->mnl->cb_run(&reply, (size_t)n, r->seq, port, cb, data);
	}
	return code < 0 ? -*r->mnl->errno_at() : 0;
}

union request {
	struct nlmsghdr head;
	char bytes[MESSAGE_MAX];
};

static struct nlmsghdr *request(const struct mnl *m, union request *q, uint16_t type,
				uint16_t flags)
{
	struct nlmsghdr *h = m->put_header(q);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return h;
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
	unsigned int mtu;
	struct address *list;
	size_t n, max;
	struct address *now; /* being read */
};

static int note_index(const struct nlmsghdr *h, void *data)
{
	struct device *d = data;
	const struct ifinfomsg *link = d->mnl->payload(h);

	d->index = link->ifi_index;
	return MNL_CB_OK;
}

static int find_index(struct route *r, const char *name, struct device *d)
{
	union request q;
	struct nlmsghdr *h = request(r->mnl, &q, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	r->mnl->attr_put_strz(h, IFLA_IFNAME, name);
	return route_talk(r, h, note_index, d);
}

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
	const struct ifaddrmsg *m = d->mnl->payload(h);
	struct address a = {.head = *m, .flags = m->ifa_flags};

	if ((int)m->ifa_index != d->index || m->ifa_scope != RT_SCOPE_UNIVERSE)
		return MNL_CB_OK;
	d->now = &a;
	int parsed = d->mnl->attr_parse(h, sizeof(*m), note_attr, d);
	d->now = NULL;
	if (parsed < 0)
		return MNL_CB_ERROR;
	if (!(a.flags & IFA_F_PERMANENT))
		return MNL_CB_OK;
	if (d->n == d->max) {
		size_t max = d->max ? d->max * 2 : 8;
		struct address *more = arena_array(d->arena, max, sizeof(*more));

		if (d->n)
			memcpy(more, d->list, d->n * sizeof(*more));
		d->list = more;
		d->max = max;
	}
	d->list[d->n++] = a;
	return MNL_CB_OK;
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
		own_route struct route r = {0};
		union request q;

		if (route_open(&r, mnl, e) < 0)
			return -e->code;
		struct nlmsghdr *h = request(mnl, &q, RTM_GETADDR, NLM_F_DUMP);
		struct ifaddrmsg *m = mnl->put_extra(h, sizeof(*m));
		m->ifa_family = AF_UNSPEC;
		d->n = 0;
		code = route_talk(&r, h, note_address, d);
	}
	return code < 0 ? err_set(e, -code, "read addresses") : 0;
}

static int move_link(struct route *r, int index, const char *name, int netns, int new_index)
{
	union request q;
	struct nlmsghdr *h = request(r->mnl, &q, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	r->mnl->attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)netns);
	r->mnl->attr_put_strz(h, IFLA_IFNAME, name);
	if (new_index)
		r->mnl->attr_put_u32(h, IFLA_NEW_IFINDEX, (uint32_t)new_index);
	return route_talk(r, h, NULL, NULL);
}

static int add_address(struct route *r, const struct address *a, int index)
{
	union request q;
	struct nlmsghdr *h =
		request(r->mnl, &q, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE);
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
	return route_talk(r, h, NULL, NULL);
}

static int set_up(struct route *r, int index)
{
	union request q;
	struct nlmsghdr *h = request(r->mnl, &q, RTM_NEWLINK, NLM_F_ACK);
	struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	link->ifi_flags = IFF_UP;
	link->ifi_change = IFF_UP;
	return route_talk(r, h, NULL, NULL);
}

static bool index_taken(struct route *r, int index)
{
	union request q;
	struct device seen = {.mnl = r->mnl};
	struct nlmsghdr *h = request(r->mnl, &q, RTM_GETLINK, NLM_F_ACK);
	struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	return route_talk(r, h, note_index, &seen) == 0 && seen.index == index;
}

/*
 * The new index is chosen here (5.13), so that a device with a template for a name is found
 * again afterwards: the old one if it is free over there, else the smallest that is.
 */
static int free_index(struct route *there, int old)
{
	if (!index_taken(there, old))
		return old;
	for (int i = 2; i < MAX_INDEX; i++)
		if (!index_taken(there, i))
			return i;
	return 0;
}

static int move_one(struct route *here, struct route *there, struct arena *a,
		    const struct oci_net_device *d, int netns, struct err *e)
{
	struct device dev = {.mnl = here->mnl, .arena = a};
	const char *to = target_name(d);
	int r = find_index(here, d->host_name, &dev);

	if (r < 0)
		return err_set(e, -r, "find device");
	if (find_addresses(here->mnl, &dev, e) < 0)
		return -e->code;
	/* The kernel moves first and renames then: a name in use would leave it over there. */
	struct device other = {.mnl = here->mnl};
	if (!is_template(to) && find_index(there, to, &other) == 0)
		return err_set(e, EEXIST, "move it to the container as %s", to);
	int index = free_index(there, dev.index);
	if (!index)
		return err_set(e, EBUSY, "find a free device index");
	r = move_link(here, dev.index, to, netns, index);
	if (r < 0)
		return err_set(e, -r, "move it to the container as %s", to);
	for (size_t i = 0; i < dev.n; i++) {
		r = add_address(there, &dev.list[i], index);
		if (r < 0)
			return err_set(e, -r, "address %zu of %zu", i + 1, dev.n);
	}
	r = set_up(there, index);
	return r < 0 ? err_set(e, -r, "set it up") : 0;
}

int netdev_move(struct arena *a, const struct oci_net_device *d, size_t n, int netns_fd,
		struct err *e)
{
	struct mnl mnl;
	own_route struct route here = {0};
	own_route struct route there = {0};

	if (!n)
		return 0;
	if (netdev_check(d, n, e) < 0 || mnl_load(&mnl, e) < 0 || route_open(&here, &mnl, e) < 0 ||
	    route_open_in(&there, &mnl, netns_fd, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n; i++)
		if (move_one(&here, &there, a, &d[i], netns_fd, e) < 0)
			return err_wrap(e, "netDevices: %s", d[i].host_name);
	return 0;
}
