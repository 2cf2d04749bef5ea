#include "net/rtnl.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"

/* The kernel fills at most so much in one answer of a dump (af_netlink.c, netlink_dump). */
enum { ANSWER_MAX = 32768 };

void rtnl_close(struct rtnl *r)
{
	own_close(&r->sock);
}

int rtnl_open(struct rtnl *r, const struct mnl *m, struct err *e)
{
	*r = (struct rtnl){.mnl = m, .sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 0)};
	return r->sock < 0 ? err_set(e, errno, "open rtnetlink") : 0;
}

int rtnl_open_in(struct rtnl *r, const struct mnl *m, int netns, struct err *e)
{
	own_fd int here = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

	*r = RTNL_NONE;
	if (here < 0)
		return err_set(e, errno, "open own network namespace");
	if (setns(netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "enter network namespace");
	int code = rtnl_open(r, m, e);
	if (setns(here, CLONE_NEWNET) < 0)
		return err_set(e, errno, "return to own network namespace");
	return code;
}

struct nlmsghdr *rtnl_request(const struct mnl *m, union rtnl_request *q, uint16_t type,
			      uint16_t flags)
{
	struct nlmsghdr *h = m->put_header(q);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	return h;
}

/* 1: there is more to come; 0: that was all; -errno. */
static int read_answer(const struct rtnl *r, const struct nlmsghdr *h, rtnl_each *each, void *ctx)
{
	if (h->nlmsg_seq != r->seq)
		return 1;
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		return -EINTR;
	if (h->nlmsg_type == NLMSG_ERROR) {
		const struct nlmsgerr *told = rtnl_payload(h);

		return h->nlmsg_len < NLMSG_LENGTH(sizeof(*told)) ? -EPROTO : told->error;
	}
	if (h->nlmsg_type == NLMSG_DONE) {
		const int *told = rtnl_payload(h);

		return h->nlmsg_len >= NLMSG_LENGTH(sizeof(*told)) && *told < 0 ? *told : 0;
	}
	int code = each ? each(h, ctx) : 0;
	return code < 0 ? code : 1;
}

int rtnl_ask(struct rtnl *r, struct nlmsghdr *h, rtnl_each *each, void *ctx)
{
	union {
		struct nlmsghdr align;
		char bytes[ANSWER_MAX];
	} answer;
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int code = 1;

	h->nlmsg_seq = ++r->seq;
	if (sendto(r->sock, h, h->nlmsg_len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) < 0)
		return -errno;
	while (code > 0) {
		struct sockaddr_nl from = {0};
		socklen_t from_len = sizeof(from);
		ssize_t n = recvfrom(r->sock, &answer, sizeof(answer), MSG_TRUNC,
				     (struct sockaddr *)&from, &from_len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if ((size_t)n > sizeof(answer))
			return -EMSGSIZE;
		/* Any process may send to our port; the kernel's is 0. */
		if (from.nl_pid)
			continue;
		size_t left = (size_t)n;
		for (h = &answer.align; code > 0 && NLMSG_OK(h, left); h = NLMSG_NEXT(h, left))
			code = read_answer(r, h, each, ctx);
	}
	return code;
}

/* --- Devices ------------------------------------------------------------------------------ */

static struct nlmsghdr *link_request(const struct mnl *m, union rtnl_request *q, uint16_t type,
				     int index, unsigned int flags)
{
	struct nlmsghdr *h = rtnl_request(m, q, type, NLM_F_ACK);
	struct ifinfomsg *link = m->put_extra(h, sizeof(*link));

	link->ifi_family = AF_UNSPEC;
	link->ifi_index = index;
	link->ifi_flags = flags;
	link->ifi_change = flags;
	return h;
}

static int note_index(const struct nlmsghdr *h, void *ctx)
{
	const struct ifinfomsg *link = rtnl_payload(h);
	int *index = ctx;

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*link)))
		return -EPROTO;
	*index = link->ifi_index;
	return 0;
}

int rtnl_link_find(struct rtnl *r, const char *name)
{
	union rtnl_request q;
	int index = -ENODEV;
	struct nlmsghdr *h = link_request(r->mnl, &q, RTM_GETLINK, 0, 0);

	r->mnl->attr_put_strz(h, IFLA_IFNAME, name);
	int code = rtnl_ask(r, h, note_index, &index);
	return code < 0 ? code : index;
}

int rtnl_link_exists(struct rtnl *r, int index)
{
	union rtnl_request q;

	return rtnl_ask(r, link_request(r->mnl, &q, RTM_GETLINK, index, 0), NULL, NULL);
}

/* The rest of a dump that was broken off: until it is read there is no other one (EBUSY). */
static void drain(const struct rtnl *r)
{
	char rest[1];

	while (recv(r->sock, rest, sizeof(rest), MSG_DONTWAIT | MSG_TRUNC) > 0)
		;
}

int rtnl_link_each(struct rtnl *r, rtnl_each *each, void *ctx)
{
	enum { TRIES = 8 };
	union rtnl_request q;
	int code = -EINTR;

	for (int tries = 0; code == -EINTR && tries < TRIES; tries++) {
		struct nlmsghdr *h = rtnl_request(r->mnl, &q, RTM_GETLINK, NLM_F_DUMP);
		struct ifinfomsg *link = r->mnl->put_extra(h, sizeof(*link));

		link->ifi_family = AF_UNSPEC;
		/* Counters, and what is told of virtual functions, have no room in an answer. */
		r->mnl->attr_put_u32(h, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
		code = rtnl_ask(r, h, each, ctx);
		if (code < 0)
			drain(r);
	}
	return code;
}

int rtnl_link_up(struct rtnl *r, int index)
{
	union rtnl_request q;

	return rtnl_ask(r, link_request(r->mnl, &q, RTM_NEWLINK, index, IFF_UP), NULL, NULL);
}

int rtnl_link_delete(struct rtnl *r, int index)
{
	union rtnl_request q;

	return rtnl_ask(r, link_request(r->mnl, &q, RTM_DELLINK, index, 0), NULL, NULL);
}
