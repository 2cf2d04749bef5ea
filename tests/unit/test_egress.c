/*
 * The deny-all table against the kernel: three network namespaces in a row, PEER - BOX - FAR,
 * each with real traffic before and after.
 */
#include "net/egress.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <netinet/icmp6.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/table/table.h"

enum place { BOX, PEER, FAR, PLACES };
static int netns[PLACES] = {-1, -1, -1};
static bool have_nft;
static struct err err;

static const char *const make_devices[] = {
	"ip -n box link add to_peer type veth peer name to_box netns peer",
	"ip -n box link add to_far type veth peer name to_box netns far",
	"ip -n box addr add 10.66.0.1/24 dev to_peer",
	"ip -n box addr add fd66::1/64 dev to_peer nodad",
	"ip -n box addr add 10.77.0.1/24 dev to_far",
	"ip -n peer addr add 10.66.0.2/24 dev to_box",
	"ip -n peer addr add fd66::2/64 dev to_box nodad",
	"ip -n far addr add 10.77.0.2/24 dev to_box",
	"ip -n box link set lo up",
	"ip -n peer link set lo up",
	"ip -n box link set to_peer up",
	"ip -n box link set to_far up",
	"ip -n peer link set to_box up",
	"ip -n far link set to_box up",
	"ip -n peer route add 10.77.0.0/24 via 10.66.0.1",
	"ip -n far route add 10.66.0.0/24 via 10.77.0.1",
};

static int run(const char *command)
{
	int st = system(command);

	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static void go(enum place where)
{
	if (setns(netns[where], CLONE_NEWNET) < 0)
		abort();
}

static socklen_t fill(struct sockaddr_storage *s, int family, const char *text, uint16_t port)
{
	memset(s, 0, sizeof(*s));
	s->ss_family = (sa_family_t)family;
	if (family == AF_INET) {
		struct sockaddr_in *in = (void *)s;

		in->sin_port = htons(port);
		inet_pton(family, text, &in->sin_addr);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)s;
	in6->sin6_port = htons(port);
	inet_pton(family, text, &in6->sin6_addr);
	return sizeof(*in6);
}

static int sock_in(enum place where, int family, int type, int protocol)
{
	go(where);
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, protocol);
}

static bool ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) == 1 && p.revents & events;
}

enum { PORT = 4242, WAIT_MS = 150 };

/* Whether a datagram sent at from arrives at to, who has the address. */
static bool udp_arrives(enum place from, enum place to, int family, const char *text)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, family, text, PORT);
	own_fd int server = sock_in(to, family, SOCK_DGRAM, 0);
	own_fd int client = sock_in(from, family, SOCK_DGRAM, 0);
	char byte;

	CHECK(bind(server, (void *)&s, len) == 0);
	(void)!sendto(client, "x", 1, 0, (void *)&s, len); /* EPERM where the hook drops it */
	return ready(server, POLLIN, WAIT_MS) && recv(server, &byte, 1, 0) == 1;
}

/* 0: connected; else the error, ETIMEDOUT after a moment without an answer. */
static int tcp_connects(enum place from, enum place to, int family, const char *text)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, family, text, PORT), size = sizeof(int);
	own_fd int server = sock_in(to, family, SOCK_STREAM, 0);
	own_fd int client = sock_in(from, family, SOCK_STREAM, 0);
	int one = 1, code = 0;

	CHECK(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(server, (void *)&s, len) == 0 && listen(server, 1) == 0);
	if (connect(client, (void *)&s, len) == 0)
		return 0;
	if (errno != EINPROGRESS)
		return errno;
	if (!ready(client, POLLOUT, WAIT_MS))
		return ETIMEDOUT;
	CHECK(getsockopt(client, SOL_SOCKET, SO_ERROR, &code, &size) == 0);
	return code;
}

/* Whether an echo request by a raw socket is answered by the kernel of the other side. */
static bool ping_answered(enum place from, int family, const char *text)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, family, text, 0);
	bool v4 = family == AF_INET;
	own_fd int raw = sock_in(from, family, SOCK_RAW, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	struct icmphdr h4 = {.type = ICMP_ECHO, .un.echo.id = 7, .checksum = 0xf8f7};
	struct icmp6_hdr h6 = {.icmp6_type = ICMP6_ECHO_REQUEST};
	unsigned char buf[256];

	h4.checksum = (uint16_t) ~(ICMP_ECHO + 7);
	(void)!sendto(raw, v4 ? (void *)&h4 : (void *)&h6, 8, 0, (void *)&s, len);
	while (ready(raw, POLLIN, WAIT_MS)) {
		ssize_t n = recv(raw, buf, sizeof(buf), 0);

		if (n >= 28 && v4 && buf[20] == ICMP_ECHOREPLY)
			return true;
		if (n >= 8 && !v4 && buf[0] == ICMP6_ECHO_REPLY)
			return true;
	}
	return false;
}

static void all_open(void)
{
	/* A device that has just come up has no IPv6 route for a moment. */
	for (int i = 0; i < 20 && !udp_arrives(BOX, PEER, AF_INET6, "fd66::2"); i++)
		usleep(50000);
	CHECK(udp_arrives(BOX, PEER, AF_INET, "10.66.0.2"));
	CHECK(udp_arrives(PEER, BOX, AF_INET, "10.66.0.1"));
	CHECK(udp_arrives(BOX, PEER, AF_INET6, "fd66::2"));
	CHECK(udp_arrives(PEER, BOX, AF_INET6, "fd66::1"));
	CHECK(tcp_connects(BOX, PEER, AF_INET, "10.66.0.2") == 0);
	CHECK(tcp_connects(PEER, BOX, AF_INET, "10.66.0.1") == 0);
	CHECK(tcp_connects(BOX, PEER, AF_INET6, "fd66::2") == 0);
	CHECK(tcp_connects(PEER, BOX, AF_INET6, "fd66::1") == 0);
	CHECK(ping_answered(BOX, AF_INET, "10.66.0.2"));
	CHECK(ping_answered(PEER, AF_INET, "10.66.0.1"));
	CHECK(ping_answered(BOX, AF_INET6, "fd66::2"));
	CHECK(ping_answered(PEER, AF_INET6, "fd66::1"));
	CHECK(udp_arrives(PEER, FAR, AF_INET, "10.77.0.2"));
}

static void all_closed(int tcp_out)
{
	CHECK(!udp_arrives(BOX, PEER, AF_INET, "10.66.0.2"));
	CHECK(!udp_arrives(PEER, BOX, AF_INET, "10.66.0.1"));
	CHECK(!udp_arrives(BOX, PEER, AF_INET6, "fd66::2"));
	CHECK(!udp_arrives(PEER, BOX, AF_INET6, "fd66::1"));
	CHECK(tcp_connects(BOX, PEER, AF_INET, "10.66.0.2") == tcp_out);
	CHECK(tcp_connects(PEER, BOX, AF_INET, "10.66.0.1") == ETIMEDOUT);
	CHECK(tcp_connects(BOX, PEER, AF_INET6, "fd66::2") == tcp_out);
	CHECK(tcp_connects(PEER, BOX, AF_INET6, "fd66::1") == ETIMEDOUT);
	CHECK(!ping_answered(BOX, AF_INET, "10.66.0.2"));
	CHECK(!ping_answered(PEER, AF_INET, "10.66.0.1"));
	CHECK(!ping_answered(BOX, AF_INET6, "fd66::2"));
	CHECK(!ping_answered(PEER, AF_INET6, "fd66::1"));
	CHECK(!udp_arrives(PEER, FAR, AF_INET, "10.77.0.2"));
	/* Inside nothing changes: lo, and the own address, which goes over lo. */
	CHECK(udp_arrives(BOX, BOX, AF_INET, "127.0.0.1"));
	CHECK(udp_arrives(BOX, BOX, AF_INET6, "::1"));
	CHECK(udp_arrives(BOX, BOX, AF_INET, "10.66.0.1"));
	CHECK(tcp_connects(BOX, BOX, AF_INET, "127.0.0.1") == 0);
	CHECK(tcp_connects(BOX, BOX, AF_INET6, "::1") == 0);
	CHECK(ping_answered(BOX, AF_INET, "127.0.0.1"));
	CHECK(ping_answered(BOX, AF_INET6, "::1"));
}

static char listing[4096];

static const char *list(const char *table)
{
	char command[64];

	snprintf(command, sizeof(command), "nft list table inet %s 2>&1", table);
	go(BOX);
	FILE *f = popen(command, "re");
	size_t n = f ? fread(listing, 1, sizeof(listing) - 1, f) : 0;

	listing[n] = '\0';
	if (f)
		pclose(f);
	return listing;
}

#define HOOK(name)                                                                                 \
	"\tchain " name " {\n\t\ttype filter hook " name " priority filter; policy drop;\n"
#define TABLE(reject)                                                                              \
	"table inet brig {\n\tcomment \"brig:v1:deny\"\n" HOOK(                                    \
		"output") "\t\toif \"lo\" accept\n" reject                                         \
			  "\t}\n\n" HOOK("input") "\t\tiif \"lo\" accept\n"                        \
						  "\t}\n\n" HOOK("forward") "\t}\n}\n"

static void listed(void)
{
	if (!have_nft)
		return;
	CHECK_STR(list("brig"), TABLE("\t\tmeta l4proto tcp reject with tcp reset\n"));
}

/* Its table may have been changed meanwhile; another table is nobody's business. */
static void replaced(void)
{
	go(BOX);
	if (have_nft) {
		CHECK(run("nft add table inet other '{ chain c { type filter hook output priority "
			  "5; "
			  "} ; }'") == 0);
		CHECK(run("nft add rule inet brig output accept; nft add chain inet brig more") ==
		      0);
		CHECK(udp_arrives(BOX, PEER, AF_INET, "10.66.0.2"));
	}
	for (int i = 0; i < 2; i++) {
		go(BOX);
		CHECK(egress_deny_all(&err) == 0);
	}
	listed();
	if (have_nft)
		CHECK(strstr(list("other"), "chain c {") != NULL);
}

/* For a kernel without nft_reject: the same walls, only that TCP waits. */
static void without_reject(void)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	const struct egress_table *t = &egress_tables[EGRESS_REPLACE][EGRESS_PLAIN];

	own_fd int s = sock_in(BOX, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER);
	CHECK(sendto(s, t->bytes, t->len, 0, (void *)&kernel, sizeof(kernel)) == (ssize_t)t->len);
	if (have_nft)
		CHECK_STR(list("brig"), TABLE(""));
	all_closed(ETIMEDOUT);
	go(BOX);
	CHECK(egress_deny_all(&err) == 0);
	listed();
}

/* A root of a user namespace that does not own the network namespace. */
static void not_allowed(void)
{
	int st = -1;

	go(BOX);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = unshare(CLONE_NEWUSER) == 0 && egress_deny_all(&err) == -EPERM &&
			  strstr(err.msg, "nf_tables: ") == err.msg &&
			  strstr(err.msg, "CAP_NET_ADMIN");

		_exit(ok ? 0 : 1);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	listed();
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* No bound: the figure is for who reads the log. */
static void measure(void)
{
	double took[40];

	for (size_t i = 0; i < LEN(took); i++) {
		CHECK(unshare(CLONE_NEWNET) == 0);
		double begin = now_ms();

		CHECK(egress_deny_all(&err) == 0);
		took[i] = now_ms() - begin;
		CHECK(setns(netns[BOX], CLONE_NEWNET) == 0);
		usleep(20000); /* the kernel's cleaning of the last one, which nobody waits for */
	}
	qsort(took, LEN(took), sizeof(took[0]), by_value);
	printf("# deny_all in a fresh namespace: min %.3f median %.3f p90 %.3f ms\n", took[0],
	       took[LEN(took) / 2], took[LEN(took) * 9 / 10]);
}

static void open_namespaces(void)
{
	static const char *const names[PLACES] = {"box", "peer", "far"};
	char path[64], command[64];

	for (int i = 0; i < PLACES; i++) {
		snprintf(command, sizeof(command), "ip netns add %s", names[i]);
		CHECK(run(command) == 0);
		snprintf(path, sizeof(path), "/run/netns/%s", names[i]);
		netns[i] = open(path, O_RDONLY | O_CLOEXEC);
		CHECK(netns[i] >= 0);
	}
	for (size_t i = 0; i < LEN(make_devices); i++)
		CHECK(run(make_devices[i]) == 0);
	go(BOX);
	CHECK(run("echo 1 >/proc/sys/net/ipv4/ip_forward") == 0);
}

int main(void)
{
	if (geteuid() != 0 || run("ip -V >/dev/null 2>&1") != 0) {
		printf("needs root and iproute2\n");
		return 77;
	}
	/* The names of the namespaces are ours alone, and go with us. */
	if (unshare(CLONE_NEWNS) < 0 ||
	    run("mount --make-rprivate / && mount -t tmpfs x /run") != 0) {
		printf("needs a mount namespace of its own\n");
		return 77;
	}
	have_nft = run("nft -v >/dev/null 2>&1") == 0;
	if (!have_nft)
		printf("# no nft: listings were left out\n");
	if (!egress_possible(&err)) {
		printf("%s\n", err.msg);
		return 77;
	}
	open_namespaces();
	all_open();
	go(BOX);
	CHECK(egress_deny_all(&err) == 0);
	listed();
	all_closed(ECONNREFUSED);
	replaced();
	all_closed(ECONNREFUSED);
	without_reject();
	not_allowed();
	measure();
	return check_done();
}
