/* Packets that no ordinary program sends, and the options that make them. */
#include "net.h"
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint16_t sum(const void *data, size_t bytes)
{
	const uint16_t *w = data;
	uint32_t s = 0;

	for (; bytes > 1; bytes -= 2)
		s += *w++;
	s = (s & 0xffff) + (s >> 16);
	return (uint16_t) ~(s + (s >> 16));
}

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char text[4];
};

static struct datagram datagram(const char *from, const char *to, const char *port)
{
	struct datagram d = {
		.ip = {.version = 4, .ihl = 5, .ttl = 64, .protocol = IPPROTO_UDP},
		.text = "leak",
	};
	d.ip.tot_len = htons(sizeof(d));
	d.ip.saddr = address_of(from, "0").v4.sin_addr.s_addr;
	d.ip.daddr = address_of(to, "0").v4.sin_addr.s_addr;
	d.ip.check = sum(&d.ip, sizeof(d.ip));
	d.udp.source = htons(4000);
	d.udp.dest = htons((uint16_t)atoi(port));
	d.udp.len = htons(sizeof(d) - sizeof(d.ip));
	return d;
}

/* DEVICE MAC FROM TO PORT: by a packet socket, past the hooks of IP. */
static int packet(int argc, char **argv)
{
	struct datagram d = datagram(argv[3], argv[4], argv[5]);
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_protocol = htons(ETH_P_IP),
				 .sll_ifindex = (int)if_nametoindex(argv[1]),
				 .sll_halen = ETH_ALEN};
	int fd = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));

	(void)argc;
	sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to.sll_addr[0], &to.sll_addr[1],
	       &to.sll_addr[2], &to.sll_addr[3], &to.sll_addr[4], &to.sll_addr[5]);
	if (fd < 0)
		return verdict(-1);
	return verdict(sendto(fd, &d, sizeof(d), 0, (struct sockaddr *)&to, sizeof(to)));
}

/* FROM TO PORT: with a header of our own */
static int header(int argc, char **argv)
{
	struct datagram d = datagram(argv[1], argv[2], argv[3]);
	union address to = address_of(argv[2], "0");
	int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

	(void)argc;
	if (fd < 0)
		return verdict(-1);
	return verdict(sendto(fd, &d, sizeof(d), 0, &to.any, sizeof(to.v4)));
}

/* PROTOCOL ADDRESS: tunnels such as 41, 47, 4 */
static int raw(int argc, char **argv)
{
	union address to = address_of(argv[2], "0");
	char payload[40] = {0};
	int fd = socket(to.any.sa_family, SOCK_RAW, atoi(argv[1]));

	(void)argc;
	if (fd < 0)
		return verdict(-1);
	return verdict(sendto(fd, payload, sizeof(payload), 0, &to.any, address_size(&to)));
}

/* ADDRESS: an echo request by the sockets that need no capability, else by a raw one */
static int ping(int argc, char **argv)
{
	union address to = address_of(argv[1], "0");
	bool four = to.any.sa_family == AF_INET;
	struct icmphdr h = {.type = four ? ICMP_ECHO : ICMP6_ECHO_REQUEST};
	char answer[512];
	int proto = four ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = socket(to.any.sa_family, SOCK_DGRAM, proto);

	(void)argc;
	if (fd < 0)
		fd = socket(to.any.sa_family, SOCK_RAW, proto);
	h.checksum = sum(&h, sizeof(h));
	if (fd < 0 || sendto(fd, &h, sizeof(h), 0, &to.any, address_size(&to)) < 0)
		return verdict(-1);
	if (!within(fd, POLLIN, 700)) {
		puts("silence");
		return 1;
	}
	return verdict(recv(fd, answer, sizeof(answer), 0));
}

/* ADDRESS: what a neighbour would say of itself, with data, and as nobody has passed it on */
static int advert(int argc, char **argv)
{
	union address to = address_of(argv[1], "0");
	unsigned char data[64] = {ND_NEIGHBOR_ADVERT};
	int hops = 255, fd = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);

	(void)argc;
	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof(hops)) < 0)
		return verdict(-1);
	return verdict(sendto(fd, data, sizeof(data), 0, &to.any, address_size(&to)));
}

/* lsrr|ssrr VIA: a route that the packet itself names */
static int source_route(int argc, char **argv)
{
	unsigned char option[8] = {!strcmp(argv[1], "ssrr") ? IPOPT_SSRR : IPOPT_LSRR, 7, 4};
	union address via = address_of(argv[2], "0");
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	(void)argc;
	memcpy(option + 3, &via.v4.sin_addr, 4);
	return verdict(setsockopt(fd, IPPROTO_IP, IP_OPTIONS, option, sizeof(option)));
}

/* NAME VALUE */
static int option(int argc, char **argv)
{
	static const struct {
		const char *name;
		int family, level, option;
	} rows[] = {
		{"mark",         AF_INET,  SOL_SOCKET,   SO_MARK         },
		{"transparent",  AF_INET,  IPPROTO_IP,   IP_TRANSPARENT  },
		{"transparent6", AF_INET6, IPPROTO_IPV6, IPV6_TRANSPARENT},
	};
	int value = (int)strtol(argv[2], NULL, 0);

	(void)argc;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!strcmp(rows[i].name, argv[1]))
			return verdict(setsockopt(socket(rows[i].family, SOCK_DGRAM, 0),
						  rows[i].level, rows[i].option, &value,
						  sizeof(value)));
	return 2;
}

/* FROM TO PORT: a datagram from an address that is not ours; it takes no capability to bind it. */
static int spoof(int argc, char **argv)
{
	union address from = address_of(argv[1], "0"), to = address_of(argv[2], argv[3]);
	int fd = socket(to.any.sa_family, SOCK_DGRAM, 0), one = 1;

	(void)argc;
	if (to.any.sa_family == AF_INET)
		setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one));
	else
		setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &one, sizeof(one));
	if (bind(fd, &from.any, address_size(&from)))
		return verdict(-1);
	return verdict(sendto(fd, "leak", 4, 0, &to.any, address_size(&to)));
}

/* ADDRESS PORT: an IPv6 datagram behind a chain of extension headers, by options of its socket */
static int extended(int argc, char **argv)
{
	/* destination options: next header by the kernel, 8 bytes, one PadN */
	unsigned char padding[8] = {0, 0, 1, 4};
	union address to = address_of(argv[1], argv[2]);
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);

	(void)argc;
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, padding, sizeof(padding)))
		return verdict(-1);
	return verdict(sendto(fd, "leak", 4, 0, &to.any, address_size(&to)));
}

const struct verb forge_verbs[] = {
	{"packet",   5, packet,       "DEVICE MAC FROM TO PORT"               },
	{"header",   3, header,       "FROM TO PORT"                          },
	{"raw",      2, raw,          "PROTOCOL ADDRESS"                      },
	{"ping",     1, ping,         "ADDRESS"                               },
	{"advert",   1, advert,       "ADDRESS"                               },
	{"route",    2, source_route, "lsrr|ssrr VIA"                         },
	{"option",   2, option,       "mark|transparent|transparent6 VALUE"   },
	{"spoof",    3, spoof,        "FROM TO PORT"                          },
	{"extended", 2, extended,     "ADDRESS PORT: behind extension headers"},
	{NULL,       0, NULL,         NULL				    },
};
