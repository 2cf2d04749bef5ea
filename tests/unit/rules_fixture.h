#ifndef BRIG_TESTS_RULES_FIXTURE_H
#define BRIG_TESTS_RULES_FIXTURE_H

/*
 * Two network namespaces, BOX - FAR, with real traffic.  The box has 203.0.113.1 and 2001:db8::1,
 * FAR everything else: 203.0.113.2 and .9, 198.51.100.5, 10.9.9.9, 169.254.169.254, 2001:db8::2,
 * fd00:9::9.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "net/rules.h"

enum place { BOX, FAR, PLACES };
static int netns[PLACES] = {-1, -1};
static struct mnl mnl;
static struct err err;
static struct arena arena;

static const char *const make_devices[] = {
	"ip -n box link add eth0 type veth peer name box netns far",
	"ip -n box addr add 203.0.113.1/24 dev eth0",
	"ip -n box addr add 2001:db8::1/64 dev eth0 nodad",
	"ip -n far addr add 203.0.113.2/24 dev box",
	"ip -n far addr add 2001:db8::2/64 dev box nodad",
	"ip -n far addr add 203.0.113.9/24 dev box",
	"ip -n box link set lo up",
	"ip -n far link set lo up",
	"ip -n box link set eth0 up",
	"ip -n far link set box up",
	"ip -n far addr add 198.51.100.5/32 dev lo",
	"ip -n far addr add 10.9.9.9/32 dev lo",
	"ip -n far addr add 169.254.169.254/32 dev lo",
	"ip -n far addr add fd00:9::9/128 dev lo nodad",
	"ip -n box route add default via 203.0.113.2",
	"ip -n box -6 route add default via 2001:db8::2",
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

static int netfilter_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	CHECK(fd >= 0);
	return fd;
}

static inline int netfilter_in(enum place where)
{
	go(where);
	return netfilter_socket();
}

static inline void say(const char *what)
{
	if (err.msg[0])
		fprintf(stderr, "%s: %s\n", what, err.msg);
	err = (struct err){0};
}

/* --- Policies ----------------------------------------------------------------------------------
 */

static struct egress_address address_of(const char *text)
{
	struct egress_address out = {.family = strchr(text, ':') ? 6 : 4};
	char host[64];
	const char *slash = strchr(text, '/');

	snprintf(host, sizeof(host), "%.*s", slash ? (int)(slash - text) : 60, text);
	if (inet_pton(out.family == 6 ? AF_INET6 : AF_INET, host, out.bytes) != 1)
		abort();
	out.prefix = (uint8_t)(slash ? atoi(slash + 1) : out.family == 6 ? 128 : 32);
	return out;
}

enum { GRANTS_MAX = 5000 };
struct test_policy {
	struct egress_grant grants[GRANTS_MAX];
	struct egress_ports ports[GRANTS_MAX];
	struct egress_policy p;
};

static struct egress_grant *add_cidr(struct test_policy *t, const char *address, uint8_t proto,
				     uint16_t first, uint16_t last, enum egress_backing backing)
{
	size_t i = t->p.n_grants++;

	t->ports[i] = (struct egress_ports){first, last};
	t->grants[i] = (struct egress_grant){
		.id = EGRESS_ID_FIRST + (uint32_t)i,
		.text = "CIDR:...",
		.address = address_of(address),
		.proto = proto,
		.ports = &t->ports[i],
		.n_ports = proto == IPPROTO_ICMP ? 0 : 1,
		.backing = backing,
	};
	t->p.grants = t->grants;
	t->p.ipv6 = true;
	t->p.digest = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
	return &t->grants[i];
}

static inline struct egress_grant *add_name(struct test_policy *t, const char *name, uint16_t port)
{
	struct egress_grant *g = add_cidr(t, "0.0.0.0/0", IPPROTO_TCP, port, port, EGRESS_ASKED);

	g->name = name;
	g->text = name;
	t->p.has_names = true;
	return g;
}

static inline int install(int sock, const struct test_policy *t, bool replace)
{
	own_fd int route = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	const struct rules_install i = {.policy = &t->p, .replace = replace, .route = route};
	bool had;
	int r = rules_install(&mnl, sock, &i, &had, &err);

	return r < 0 ? r : had;
}

/* --- Traffic -----------------------------------------------------------------------------------
 */

static socklen_t fill(struct sockaddr_storage *s, const char *text, uint16_t port)
{
	memset(s, 0, sizeof(*s));
	if (!strchr(text, ':')) {
		struct sockaddr_in *in = (void *)s;

		in->sin_family = AF_INET;
		in->sin_port = htons(port);
		inet_pton(AF_INET, text, &in->sin_addr);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (void *)s;
	in6->sin6_family = AF_INET6;
	in6->sin6_port = htons(port);
	inet_pton(AF_INET6, text, &in6->sin6_addr);
	return sizeof(*in6);
}

static int sock_in(enum place where, int family, int type)
{
	go(where);
	return socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static bool ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) == 1 && p.revents & events;
}

enum { WAIT_MS = 200 };

static int listen_at(enum place where, const char *text, uint16_t port)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, text, port);
	int one = 1, fd = sock_in(where, s.ss_family, SOCK_STREAM);

	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(fd, (void *)&s, len) == 0 && listen(fd, 4096) == 0);
	return fd;
}

/* 0: connected, *out is the socket; else the error, ETIMEDOUT after a moment without an answer. */
static int connect_from(enum place where, const char *text, uint16_t port, int *out)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, text, port), size = sizeof(int);
	own_fd int fd = sock_in(where, s.ss_family, SOCK_STREAM);
	int code = 0;

	*out = -1;
	if (connect(fd, (void *)&s, len) < 0) {
		if (errno != EINPROGRESS)
			return errno;
		if (!ready(fd, POLLOUT, WAIT_MS))
			return ETIMEDOUT;
		CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0);
	}
	if (!code)
		*out = take_fd(&fd);
	return code;
}

/* A connection to a server that is there for it. */
static inline int tcp(enum place from, enum place to, const char *text, uint16_t port)
{
	own_fd int server = listen_at(to, text, port);
	own_fd int client = -1;

	CHECK(server >= 0);
	return connect_from(from, text, port, &client);
}

static inline bool udp(enum place from, enum place to, const char *text, uint16_t port)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, text, port);
	own_fd int server = sock_in(to, s.ss_family, SOCK_DGRAM);
	own_fd int client = sock_in(from, s.ss_family, SOCK_DGRAM);
	char byte;

	CHECK(bind(server, (void *)&s, len) == 0);
	(void)!sendto(client, "x", 1, 0, (void *)&s, len); /* EPERM where the hook refuses it */
	return ready(server, POLLIN, WAIT_MS) && recv(server, &byte, 1, 0) == 1;
}

/* Whether an echo request by a raw socket of the box is answered. */
static inline bool echo_answered(const char *text)
{
	struct sockaddr_storage s;
	socklen_t len = fill(&s, text, 0);
	bool v4 = s.ss_family == AF_INET;
	unsigned char request[8] = {v4 ? 8 : 128, 0, 0, 0, 0, 7}, buf[256];

	if (v4) { /* the sum of the words 0x0800 and 7 */
		request[2] = 0xf7;
		request[3] = 0xf8;
	}
	go(BOX);
	own_fd int raw =
		socket(s.ss_family, SOCK_RAW | SOCK_CLOEXEC, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6);
	(void)!sendto(raw, request, sizeof(request), 0, (void *)&s, len);
	while (ready(raw, POLLIN, WAIT_MS)) {
		ssize_t n = recv(raw, buf, sizeof(buf), 0);

		if (n >= 28 && v4 && buf[20] == 0)
			return true;
		if (n >= 8 && !v4 && buf[0] == 129)
			return true;
	}
	return false;
}

static inline double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* 77 with a reason, or 0. */
static int fixture_open(void)
{
	static const char *const names[PLACES] = {"box", "far"};

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
	if (mnl_load(&mnl, &err) < 0) {
		printf("%s\n", err.msg);
		return 77;
	}
	for (int i = 0; i < PLACES; i++) {
		char text[64];

		snprintf(text, sizeof(text), "ip netns add %s", names[i]);
		CHECK(run(text) == 0);
		snprintf(text, sizeof(text), "/run/netns/%s", names[i]);
		netns[i] = open(text, O_RDONLY | O_CLOEXEC);
		CHECK(netns[i] >= 0);
	}
	for (size_t i = 0; i < LEN(make_devices); i++)
		CHECK(run(make_devices[i]) == 0);
	/* A device that has just come up has no IPv6 route for a moment. */
	for (int i = 0; i < 40 && !udp(BOX, FAR, "2001:db8::2", 7); i++)
		usleep(50000);
	return checks_failed ? 1 : 0;
}

#endif
