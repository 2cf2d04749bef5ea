#ifndef BRIG_TESTS_RESOLVER_FIXTURE_H
#define BRIG_TESTS_RESOLVER_FIXTURE_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "check.h"
#include "resolver_internal.h"

/*
 * A sandbox with a resolver: its first process sleeps in BOX, whose only way leads to OUT, where
 * servers and a name server are.  203.0.113.0/24 stands for the world.
 */
enum place { BOX, OUT, PLACES };
static int netns[PLACES] = {-1, -1};
static struct mnl mnl;

static inline int run(const char *command)
{
	int st = system(command);

	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static inline void go(enum place where)
{
	if (setns(netns[where], CLONE_NEWNET) < 0)
		abort();
}

static inline bool ready(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) == 1 && p.revents & events;
}

static inline struct sockaddr_in at(const char *address, uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	inet_pton(AF_INET, address, &in.sin_addr);
	return in;
}

static inline int sock_in(enum place where, int type, const char *address, uint16_t port)
{
	const struct sockaddr_in in = at(address, port);
	int one = 1;

	go(where);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0);
	CHECK(bind(fd, (const void *)&in, sizeof(in)) == 0);
	if (type == SOCK_STREAM)
		CHECK(listen(fd, 128) == 0);
	return fd;
}

static inline int netfilter_socket(enum place where)
{
	go(where);
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
}

/* The connected socket, or -errno. */
static inline int connect_from_box(const char *address, uint16_t port)
{
	const struct sockaddr_in in = at(address, port);
	socklen_t size = sizeof(int);
	int code = 0;

	go(BOX);
	own_fd int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (connect(fd, (const void *)&in, sizeof(in)) < 0) {
		if (errno != EINPROGRESS)
			return -errno;
		if (!ready(fd, POLLOUT, 500))
			return -ETIMEDOUT;
		CHECK(getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &size) == 0);
	}
	return code ? -code : take_fd(&fd);
}

static inline int reaches(const char *address, uint16_t port)
{
	own_fd int fd = connect_from_box(address, port);

	return fd < 0 ? fd : 0;
}

/* --- names ---------------------------------------------------------------------------------- */

/* A question for an A record; its length. */
static inline size_t question(unsigned char *q, const char *name)
{
	static const unsigned char head[12] = {0x12, 0x34, 1, 0, 0, 1};
	size_t n = sizeof(head);

	memcpy(q, head, sizeof(head));
	while (*name) {
		size_t label = strcspn(name, ".");

		q[n++] = (unsigned char)label;
		memcpy(q + n, name, label);
		n += label;
		name += label + (name[label] == '.');
	}
	memcpy(q + n, "\0\0\1\0\1", 5);
	return n + 5;
}

/* Every name has the address 203.0.113.20, for a minute. */
static inline _Noreturn void name_server(void)
{
	static const unsigned char record[] = {0xc0, 0x0c, 0, 1, 0,   1, 0,   0,
					       0,    60,   0, 4, 203, 0, 113, 20};
	struct sockaddr_in peer;
	unsigned char m[1500];
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	int fd = sock_in(OUT, SOCK_DGRAM, "127.0.0.1", 53);

	for (;;) {
		socklen_t len = sizeof(peer);

		(void)ready(fd, POLLIN, -1);
		ssize_t n = recvfrom(fd, m, sizeof(m) - sizeof(record), 0, (void *)&peer, &len);
		size_t end = 12;
		if (n < 17)
			continue;
		while (end < (size_t)n && m[end])
			end += m[end] + 1U;
		end += 5;
		m[2] |= 0x80;
		m[3] = 0x80;
		/* One question, one answer where it asks for A, no more sections. */
		m[7] = m[end - 3] == 1;
		m[8] = m[9] = m[10] = m[11] = 0;
		memcpy(m + end, record, sizeof(record));
		end += m[7] ? sizeof(record) : 0;
		(void)!sendto(fd, m, end, 0, (void *)&peer, len);
	}
}

enum { NO_ANSWER = -1, UNREACHABLE = -2, REFUSED = 5, NXDOMAIN = 3 };
/* Its response code, NO_ANSWER within ms, UNREACHABLE. */
static inline int lookup(const char *name, int ms)
{
	const struct sockaddr_in in = at(NAMES_LISTEN, 53);
	unsigned char m[600];

	go(BOX);
	own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	CHECK(connect(fd, (const void *)&in, sizeof(in)) == 0);
	(void)!send(fd, m, question(m, name), 0);
	if (!ready(fd, POLLIN | POLLERR, ms))
		return NO_ANSWER;
	ssize_t n = recv(fd, m, sizeof(m), 0);
	return n < 12 ? UNREACHABLE : m[3] & 0xf;
}

/* --- the sandbox ---------------------------------------------------------------------------- */

struct sandbox {
	struct arena arena;
	char path[64];
	int dir;
	pid_t init;
	int init_fd;
	struct egress_policy policy;
	struct resolver_plan plan;
	struct resolver resolver;
};

static inline void policy_of(struct sandbox *b, const char *const *grants, size_t n)
{
	static const struct egress_address server = {
		.family = 4, .prefix = 32, .bytes = {127, 0, 0, 1}
        };
	struct egress_grant *g = arena_array(&b->arena, n + 1, sizeof(*g));
	struct err e = {0};

	for (size_t i = 0; i < n; i++) {
		CHECK(egress_grant_parse(&b->arena, grants[i], &g[i], &e) == 0);
		CHECK_STR(e.msg, "");
		g[i].id = EGRESS_ID_FIRST + (uint32_t)i;
		g[i].backing = EGRESS_BACKED;
		b->policy.has_names = b->policy.has_names || g[i].name;
	}
	b->policy.grants = g;
	b->policy.n_grants = n;
	b->policy.net = EGRESS_NET_VETH;
	b->policy.resolvers = &server;
	b->policy.n_resolvers = 1;
	egress_digest(&b->arena, &b->policy);
}

/* All but the resolver. */
static inline void sandbox_make(struct sandbox *b, const char *const *grants, size_t n)
{
	const struct rules_install install = {.policy = &b->policy, .replace = true};
	struct err e = {0};
	bool had;

	memset(b, 0, sizeof(*b));
	snprintf(b->path, sizeof(b->path), "/tmp/brig-resolver-XXXXXX");
	if (!mkdtemp(b->path))
		abort();
	b->dir = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	policy_of(b, grants, n);
	b->init = fork();
	if (b->init == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)close_range(3, ~0U, 0);
		(void)pause();
		_exit(0);
	}
	b->init_fd = sys_pidfd_open(b->init, 0);
	b->plan = (struct resolver_plan){
		.policy = &b->policy,
		.dir = b->dir,
		.init = b->init_fd,
		.nft = netfilter_socket(BOX),
		.log = netfilter_socket(BOX),
		.udp = b->policy.has_names ? sock_in(BOX, SOCK_DGRAM, NAMES_LISTEN, 53) : -1,
		.tcp = b->policy.has_names ? sock_in(BOX, SOCK_STREAM, NAMES_LISTEN, 53) : -1,
		.upstream_netns = netns[OUT],
		.upstream_userns = -1,
		.flows = -1,
		.warden = -1,
		.pidns = -1,
		.keeps_net_admin = true,
		.mnl = &mnl,
	};
	CHECK(rules_install(&mnl, b->plan.nft, &install, &had, &e) == 0);
	CHECK_STR(e.msg, "");
}

static inline void sandbox_start(struct sandbox *b)
{
	struct err e = {0};

	CHECK(resolver_start(&b->plan, &b->resolver, &e) == 0);
	CHECK(resolver_await(&b->resolver, &e) == 0);
	CHECK_STR(e.msg, "");
	/* As create, which has no more use for them. */
	own_close(&b->plan.nft);
	own_close(&b->plan.log);
	own_close(&b->plan.udp);
	own_close(&b->plan.tcp);
}

static inline bool resolver_ended(const struct sandbox *b, int ms)
{
	return ready(b->resolver.pidfd, POLLIN, ms);
}

/* What it has written, in the sandbox's arena. */
static inline struct brig_network network_of(struct sandbox *b)
{
	struct brig_network n = {0};
	struct err e = {0};

	CHECK(resolver_network_read(&b->arena, b->dir, &n, &e) == 0);
	CHECK_STR(e.msg, "");
	return n;
}

static inline void sandbox_drop(struct sandbox *b)
{
	struct err e;

	resolver_end(&b->resolver);
	(void)kill(b->init, SIGKILL);
	(void)waitpid(b->init, NULL, 0);
	own_close(&b->init_fd);
	own_close(&b->plan.nft);
	own_close(&b->plan.log);
	own_close(&b->plan.udp);
	own_close(&b->plan.tcp);
	(void)close(b->dir);
	CHECK(file_remove_tree(AT_FDCWD, b->path, &e) == 0);
	arena_free(&b->arena);
}

/* Its init ends: the exit status of the resolver. */
static inline int sandbox_over(struct sandbox *b)
{
	int status = -1;

	CHECK(kill(b->init, SIGKILL) == 0);
	CHECK(resolver_ended(b, 2000));
	CHECK(waitpid(b->resolver.pid, &status, WNOHANG) == b->resolver.pid);
	resolver_leave(&b->resolver);
	if (status)
		fprintf(stderr, "resolver: status %x\n", (unsigned int)status);
	return status;
}

static inline int field_of(pid_t pid, const char *name, char *out, size_t size)
{
	own_arena struct arena a = {0};
	char text[4096];
	const char *path = arena_printf(&a, "/proc/%d/status", (int)pid);

	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return -1;
	const char *line = strstr(text, arena_printf(&a, "\n%s:", name));
	if (!line)
		return -1;
	line += strlen(name) + 2;
	line += strspn(line, " \t");
	snprintf(out, size, "%.*s", (int)strcspn(line, "\n"), line);
	return 0;
}

/* Whether the test can be made here: else why not, and 77. */
static inline int fixture_open(void)
{
	static const char *const commands[] = {
		"mount --make-rprivate / && mount -t tmpfs x /run",
		"ip netns add box",
		"ip netns add out",
		"ip -n box link set lo up",
		"ip -n out link set lo up",
		"ip -n box link add eth0 type veth peer name eth0 netns out",
		"ip -n box addr add 10.66.0.1/24 dev eth0",
		"ip -n out addr add 10.66.0.2/24 dev eth0",
		"ip -n out addr add 203.0.113.9/32 dev lo",
		"ip -n out addr add 203.0.113.20/32 dev lo",
		"ip -n box link set eth0 up",
		"ip -n out link set eth0 up",
		"ip -n box route add default via 10.66.0.2",
	};
	struct err e = {0};

	if (geteuid() != 0 || run("ip -V >/dev/null 2>&1") != 0 || unshare(CLONE_NEWNS) < 0) {
		printf("needs root and iproute2\n");
		return 77;
	}
	if (mnl_load(&mnl, &e) < 0 || !rules_possible(&mnl, &e)) {
		printf("%s\n", e.msg);
		return 77;
	}
	for (size_t i = 0; i < LEN(commands); i++)
		CHECK(run(commands[i]) == 0);
	netns[BOX] = open("/run/netns/box", O_RDONLY | O_CLOEXEC);
	netns[OUT] = open("/run/netns/out", O_RDONLY | O_CLOEXEC);
	return 0;
}

#endif
