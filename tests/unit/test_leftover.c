/* What is left in a network namespace, made and looked for in one of our own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/conntrack.h"
#include "net/dump.h"
#include "net/leftover.h"
#include "net/netdev.h"
#include "pool/network.h"
#include "pool/nft.h"

static struct err err;

static int64_t time_waits(void)
{
	char text[4096] = "";
	const char *p;
	int fd = open("/proc/self/net/sockstat", O_RDONLY | O_CLOEXEC);

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	p = strstr(text, " tw ");
	return p ? strtoll(p + 4, NULL, 10) : -1;
}

/* The side that closes first has it in TIME_WAIT. */
static void leave_one(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(4242)};
	int on = 1, listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CHECK(setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	CHECK(bind(listener, (struct sockaddr *)&at, sizeof(at)) == 0 && listen(listener, 1) == 0);
	CHECK(connect(one, (struct sockaddr *)&at, sizeof(at)) == 0);
	int other = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	CHECK(other >= 0);
	close(one);
	close(other);
	close(listener);
}

static void test_sockets(void)
{
	struct leftover_sockets left;
	int held = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(4243)};

	CHECK(bind(held, (struct sockaddr *)&at, sizeof(at)) == 0);
	leave_one();
	CHECK(time_waits() == 1);
	CHECK(leftover_end_sockets(&left, &err) == 0);
	/* What somebody has open is told, and not touched. */
	CHECK(left.owned == 1 && left.closed == 0);
	CHECK(time_waits() == 0);
	close(held);
	CHECK(leftover_end_sockets(&left, &err) == 0);
	CHECK(left.owned == 0 && left.closed == 0);
}

static void test_metrics(void)
{
	int64_t n;

	CHECK(leftover_count_metrics(&n, &err) == 0);
	CHECK(leftover_forget_metrics(&err) == 0);
	CHECK(leftover_count_metrics(&n, &err) == 0 && n == 0);
	CHECK(leftover_forget_routes(&err) == 0);
}

/* Nothing tracks connections here: none, and no error. */
static void test_conntrack(void)
{
	const struct egress_address lo = {
		.family = 4, .prefix = 32, .bytes = {127, 0, 0, 1}
        };
	const struct egress_address lo6 = {.family = 6, .prefix = 128, .bytes = {[15] = 1}};
	const struct egress_address both[] = {lo, lo6};
	int64_t n;

	CHECK(conntrack_count(both, 2, &n, &err) == 0 && n == 0);
	CHECK(conntrack_forget(both, 2, &err) == 0);
	CHECK(conntrack_forget(NULL, 0, &err) == 0);
}

static void test_looks(void)
{
	own_arena struct arena a = {0};
	struct network_seen network;
	struct nft_seen rules;

	pool_network_look(&a, &network);
	CHECK(!network.unreadable && network.neighbours == 0 && network.learned_routes == 0);
	CHECK(strstr(network.text, "device lo up"));
	CHECK(network.devices == 0 && network.n_own == 0);
	CHECK(pool_network_forget_neighbours() == 0);
	pool_nft_look(&a, &rules);
	CHECK_STR(pool_nft_text(&a, &rules), "rules none\n");
}

/* --- parsers -------------------------------------------------------------------------------- */

static int count(uint16_t type, const void *payload, size_t len, void *ctx)
{
	(void)type;
	(void)payload;
	(void)len;
	++*(int *)ctx;
	return 0;
}

static void test_parse(void)
{
	struct {
		struct nlmsghdr h;
		int32_t code;
	} m = {
		.h = {.nlmsg_len = sizeof(m), .nlmsg_type = 100},
                  .code = 0
        };
	bool changed = false;
	int n = 0;

	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == 1 && n == 1 && !changed);
	CHECK(dump_parse(&m, sizeof(m) - 1, count, &n, &changed) == -EBADMSG);
	m.h.nlmsg_flags = NLM_F_DUMP_INTR;
	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == 1 && changed);
	m.h.nlmsg_len = 3;
	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == -EBADMSG);
	m.h.nlmsg_len = sizeof(m);
	m.h.nlmsg_type = NLMSG_DONE;
	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == 0);
	m.h.nlmsg_type = NLMSG_ERROR;
	m.code = -ENOENT;
	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == -ENOENT);
	m.code = 5; /* no kernel says so */
	CHECK(dump_parse(&m, sizeof(m), count, &n, &changed) == -EBADMSG);
}

static void test_attributes(void)
{
	union {
		struct nlmsghdr h;
		char bytes[64];
	} m = {.h = {.nlmsg_len = NLMSG_HDRLEN}};
	const uint32_t value = 7;
	struct dump_attr x, y;
	uint32_t n;

	struct nlattr *nest = dump_nest(&m.h, sizeof(m), 3);
	CHECK(nest && dump_put(&m.h, sizeof(m), 4, &value, sizeof(value)));
	dump_nested(&m.h, nest);
	CHECK(!dump_put(&m.h, sizeof(m), 5, m.bytes, 60));
	const char *at = m.bytes + NLMSG_HDRLEN;
	size_t len = m.h.nlmsg_len - NLMSG_HDRLEN;
	CHECK(dump_find(at, len, 3, &x) && dump_find(x.data, x.len, 4, &y));
	CHECK(dump_u32(&y, &n) && n == 7);
	CHECK(!dump_find(at, len, 9, &y) && !y.data && !dump_u32(&y, &n));
	for (size_t cut = 0; cut < len; cut++)
		CHECK(!dump_find(at, cut, 3, &x));
}

int main(void)
{
	test_parse();
	test_attributes();
	if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
		return check_done();
	CHECK(net_loopback_up(&err) == 0);
	test_sockets();
	test_metrics();
	test_conntrack();
	test_looks();
	return check_done();
}
