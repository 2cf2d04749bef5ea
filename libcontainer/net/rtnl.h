#ifndef BRIG_NET_RTNL_H
#define BRIG_NET_RTNL_H

#include <linux/netlink.h>
#include <stdint.h>

#include "base/err.h"
#include "net/mnl.h"

/*
 * One question and its answers on an rtnetlink socket (rtnetlink(7)).  Messages are built and read
 * by libmnl; the socket is ours, because a libmnl that was loaded has another errno.
 */
struct rtnl {
	const struct mnl *mnl;
	int sock;
	uint32_t seq;
};
#define RTNL_NONE ((struct rtnl){.sock = -1})
void rtnl_close(struct rtnl *r);
#define own_rtnl __attribute__((cleanup(rtnl_close)))

int rtnl_open(struct rtnl *r, const struct mnl *m, struct err *e) MUST_CHECK;
/* The calling thread is in netns for a moment: a socket stays where it was made. */
int rtnl_open_in(struct rtnl *r, const struct mnl *m, int netns, struct err *e) MUST_CHECK;

union rtnl_request {
	struct nlmsghdr head;
	char bytes[2048];
};
/* NLM_F_REQUEST is added. */
struct nlmsghdr *rtnl_request(const struct mnl *m, union rtnl_request *q, uint16_t type,
			      uint16_t flags);

/* Behind the header (NLMSG_DATA would drop const). */
static inline const void *rtnl_payload(const struct nlmsghdr *h)
{
	return (const char *)h + NLMSG_HDRLEN;
}

/* Of an answer that carries data; < 0 ends it. */
typedef int rtnl_each(const struct nlmsghdr *h, void *ctx);
/*
 * Until the kernel has acknowledged (h has NLM_F_ACK) or a dump is done.  0 or -errno: callers say
 * what they asked for.  -EINTR: a table has changed while it was dumped.
 */
int rtnl_ask(struct rtnl *r, struct nlmsghdr *h, rtnl_each *each, void *ctx) MUST_CHECK;

/* The index of the device of that name, or -errno. */
int rtnl_link_find(struct rtnl *r, const char *name) MUST_CHECK;
/* 0: there is one. */
int rtnl_link_exists(struct rtnl *r, int index) MUST_CHECK;
/* Each device (struct ifinfomsg), some of them twice when one comes or goes meanwhile. */
int rtnl_link_each(struct rtnl *r, rtnl_each *each, void *ctx) MUST_CHECK;
int rtnl_link_up(struct rtnl *r, int index) MUST_CHECK;
/* With its peer, if it has one; returns when both are gone. */
int rtnl_link_delete(struct rtnl *r, int index);

#endif
