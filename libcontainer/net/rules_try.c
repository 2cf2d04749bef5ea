#include <errno.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/trial.h"
#include "net/rules.h"

/* A policy that has everything in it. */
static int try_all(const void *ctx, struct err *e)
{
	static const struct egress_ports port = {443, 443};
	static const struct egress_grant grants[] = {
		{.id = EGRESS_ID_FIRST,
		 .text = "name",
		 .name = "name",
		 .proto = IPPROTO_TCP,
		 .ports = &port,
		 .n_ports = 1,
		 .ttl_ms = 1000},
		{.id = EGRESS_ID_FIRST + 1,
		 .text = "cidr",
		 .address = {4, 24, {192, 0, 2}},
		 .proto = IPPROTO_TCP,
		 .ports = &port,
		 .n_ports = 1},
		{.id = EGRESS_ID_FIRST + 2,
		 .text = "icmp",
		 .address = {6, 32, {0x20, 0x01, 0x0d, 0xb8}},
		 .proto = IPPROTO_ICMP                              },
	};
	static const struct egress_policy policy = {
		.grants = grants,
		.n_grants = LEN(grants),
		.limits =
			{.rate = 1, .open = 1, .total = 1, .bytes = 1 << 20, .bandwidth = 1 << 20},
		.ipv6 = true,
		.has_names = true,
		.digest = "try"
        };
	const struct rules_install i = {.policy = &policy};
	const struct mnl *m = ctx;
	bool had;

	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return err_set(e, errno, "nf_tables: cannot be tried: new network namespace");
	own_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	own_fd int log = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (sock < 0 || log < 0)
		return err_set(e, errno, "nf_tables: socket");
	if (rules_install(m, sock, &i, &had, e) < 0)
		return -e->code;
	return rules_log_open(m, log, e);
}

bool rules_possible(const struct mnl *m, struct err *e)
{
	return trial(try_all, m, "nf_tables", e);
}
