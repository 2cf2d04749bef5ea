/*
 * What a network namespace is made of, as rtnetlink tells it: in words that are the same for each
 * generation.  What comes and goes by itself (link-local addresses, carriers, routes of the
 * kernel's own) is left out.
 */
#include "pool/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/text.h"
#include "net/dump.h"

enum { TRIES = 8, DEVICES = 256, NEIGHBOURS = 4096, NAME = 64 };

struct reading {
	struct text text;
	struct network_seen *out;
	struct egress_address *own;
	/* names of devices, by their number */
	struct {
		int32_t index;
		char name[IFNAMSIZ];
	} devices[DEVICES];
	size_t n_devices;
};

/* --- words ------------------------------------------------------------------------------------ */

static const char *name_of(const struct reading *r, int32_t index)
{
	for (size_t i = 0; i < r->n_devices; i++)
		if (r->devices[i].index == index)
			return r->devices[i].name;
	return "?";
}

static void put_address(struct reading *r, int family, const struct dump_attr *x)
{
	char word[INET6_ADDRSTRLEN] = "-";

	if (x->len >= (family == AF_INET ? 4U : 16U))
		(void)inet_ntop(family, x->data, word, sizeof(word)); /* or as it was */
	text_addf(&r->text, " %s", word);
}

static void put_bytes(struct reading *r, const struct dump_attr *x)
{
	text_addf(&r->text, " ");
	for (size_t i = 0; i < x->len && i < 32; i++)
		text_addf(&r->text, "%02x", (unsigned char)x->data[i]);
}

static void put_number(struct reading *r, const struct dump_attr *x)
{
	uint32_t n = 0;

	(void)dump_u32(x, &n); /* or 0 */
	text_addf(&r->text, " %u", n);
}

/* --- messages --------------------------------------------------------------------------------- */

/* head: behind the netlink header, copied; the attributes stand behind it. */
static const char *split(const void *payload, size_t *len, void *head, size_t size)
{
	if (*len < NLMSG_ALIGN(size))
		return NULL;
	memcpy(head, payload, size);
	*len -= NLMSG_ALIGN(size);
	return (const char *)payload + NLMSG_ALIGN(size);
}

/* What modules put into every namespace, down and useless as it is: tunl0, sit0 ... */
static bool is_fallback(const struct ifinfomsg *m, const struct dump_attr *kind)
{
	static const char *const kinds[] = {"ipip", "sit",  "gre",    "gretap", "erspan",
					    "vti",  "vti6", "ip6tnl", "ip6gre", "ip6gretap"};
	bool known = false;

	for (size_t i = 0; i < LEN(kinds); i++)
		known = known || (kind->data && kind->len > strlen(kinds[i]) &&
				  memcmp(kind->data, kinds[i], strlen(kinds[i]) + 1) == 0);
	return known && !(m->ifi_flags & IFF_UP);
}

static int note_link(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	struct ifinfomsg m;
	struct dump_attr name, info, kind, x;
	const char *at = split(payload, &len, &m, sizeof(m));

	if (!at || type != RTM_NEWLINK || r->n_devices == DEVICES)
		return -EBADMSG;
	(void)dump_find(at, len, IFLA_IFNAME, &name);
	char *to = r->devices[r->n_devices].name;
	size_t n = strnlen(name.data ? name.data : "", name.len);
	n = n < IFNAMSIZ ? n : IFNAMSIZ - 1;
	if (n)
		memcpy(to, name.data, n);
	to[n] = '\0';
	r->devices[r->n_devices++].index = m.ifi_index;
	text_addf(&r->text, "device %s %s", to, m.ifi_flags & IFF_UP ? "up" : "down");
	(void)dump_find(at, len, IFLA_LINKINFO, &info);
	(void)dump_find(info.data, info.len, IFLA_INFO_KIND, &kind);
	if (!(m.ifi_flags & IFF_LOOPBACK) && !is_fallback(&m, &kind))
		r->out->devices++;
	text_addf(&r->text, " %.*s", (int)strnlen(kind.data ? kind.data : "", kind.len),
		  kind.data ? kind.data : "");
	(void)dump_find(at, len, IFLA_MTU, &x);
	put_number(r, &x);
	(void)dump_find(at, len, IFLA_ADDRESS, &x);
	put_bytes(r, &x);
	text_addf(&r->text, "\n");
	return 0;
}

static void keep_own(struct reading *r, int family, const struct dump_attr *x)
{
	struct egress_address *a = &r->own[r->out->n_own];
	size_t size = family == AF_INET ? 4 : 16;

	if (r->out->n_own == DEVICES || x->len < size)
		return;
	*a = (struct egress_address){.family = family == AF_INET ? 4 : 6,
				     .prefix = (uint8_t)(8 * size)};
	memcpy(a->bytes, x->data, size);
	r->out->n_own++;
}

static int note_address(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	struct ifaddrmsg m;
	struct dump_attr x;
	const char *at = split(payload, &len, &m, sizeof(m));

	if (!at || type != RTM_NEWADDR)
		return -EBADMSG;
	if (m.ifa_scope != RT_SCOPE_UNIVERSE ||
	    (m.ifa_family != AF_INET && m.ifa_family != AF_INET6))
		return 0;
	/* Of a point-to-point link the other is the far end (linux/if_addr.h). */
	if (!dump_find(at, len, IFA_LOCAL, &x))
		(void)dump_find(at, len, IFA_ADDRESS, &x);
	text_addf(&r->text, "address %s", name_of(r, (int32_t)m.ifa_index));
	put_address(r, m.ifa_family, &x);
	text_addf(&r->text, "/%u\n", m.ifa_prefixlen);
	keep_own(r, m.ifa_family, &x);
	return 0;
}

/* What the kernel has put there itself goes with the addresses. */
static int note_route(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	struct rtmsg m;
	struct dump_attr x;
	uint32_t device = 0;
	const char *at = split(payload, &len, &m, sizeof(m));

	if (!at || type != RTM_NEWROUTE)
		return -EBADMSG;
	if (m.rtm_flags & RTM_F_CLONED || m.rtm_protocol == RTPROT_REDIRECT)
		r->out->learned_routes++;
	/* Those of a router come and go as it says. */
	if (m.rtm_protocol == RTPROT_KERNEL || m.rtm_protocol == RTPROT_RA ||
	    m.rtm_protocol == RTPROT_REDIRECT || m.rtm_flags & RTM_F_CLONED ||
	    (m.rtm_family != AF_INET && m.rtm_family != AF_INET6))
		return 0;
	text_addf(&r->text, "route %u %u", m.rtm_family, m.rtm_type);
	(void)dump_find(at, len, RTA_DST, &x);
	put_address(r, m.rtm_family, &x);
	text_addf(&r->text, "/%u", m.rtm_dst_len);
	(void)dump_find(at, len, RTA_GATEWAY, &x);
	put_address(r, m.rtm_family, &x);
	if (dump_find(at, len, RTA_OIF, &x))
		(void)dump_u32(&x, &device); /* or none */
	text_addf(&r->text, " %s table", device ? name_of(r, (int32_t)device) : "-");
	(void)dump_find(at, len, RTA_TABLE, &x);
	put_number(r, &x);
	text_addf(&r->text, " protocol %u\n", m.rtm_protocol);
	return 0;
}

static int note_neighbour(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	struct ndmsg m;
	struct dump_attr x;
	const char *at = split(payload, &len, &m, sizeof(m));

	if (!at || type != RTM_NEWNEIGH)
		return -EBADMSG;
	if ((m.ndm_family != AF_INET && m.ndm_family != AF_INET6) || m.ndm_state & NUD_NOARP)
		return 0;
	r->out->neighbours++;
	if (!(m.ndm_state & NUD_PERMANENT)) {
		r->out->learned++;
		return 0;
	}
	text_addf(&r->text, "neighbour %s", name_of(r, m.ndm_ifindex));
	(void)dump_find(at, len, NDA_DST, &x);
	put_address(r, m.ndm_family, &x);
	(void)dump_find(at, len, NDA_LLADDR, &x);
	put_bytes(r, &x);
	text_addf(&r->text, "\n");
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

/* Names before those who use them. */
static const struct {
	uint16_t type;
	size_t head;
	dump_each *each;
} questions[] = {
	{RTM_GETLINK,  sizeof(struct ifinfomsg), note_link     },
	{RTM_GETADDR,  sizeof(struct ifaddrmsg), note_address  },
	{RTM_GETROUTE, sizeof(struct rtmsg),     note_route    },
	{RTM_GETNEIGH, sizeof(struct ndmsg),     note_neighbour},
};

union request {
	struct nlmsghdr head;
	char bytes[256];
};

static int ask(int fd, uint16_t type, size_t head, dump_each *each, void *ctx)
{
	union request q = {
		.head = {.nlmsg_len = (uint32_t)NLMSG_LENGTH(head),
			 .nlmsg_type = type,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}
        };

	return dump_ask(fd, &q.head, each, ctx);
}

static int open_socket(void)
{
	return socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* A dump has what was learned only for who asks for just that (NETLINK_GET_STRICT_CHK, Linux 4.20).
 */
static int ask_learned(int fd, struct reading *r)
{
	static const uint8_t families[] = {AF_INET, AF_INET6};
	const int on = 1;
	int code = 0;

	if (setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0)
		return -errno;
	for (size_t i = 0; code == 0 && i < LEN(families); i++) {
		const struct rtmsg m = {.rtm_family = families[i], .rtm_flags = RTM_F_CLONED};
		union request q = {
			.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(m)),
				 .nlmsg_type = RTM_GETROUTE,
				 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}
                };

		memcpy(q.bytes + NLMSG_HDRLEN, &m, sizeof(m));
		code = dump_ask(fd, &q.head, note_route, r);
		/* A kernel without that family. */
		if (code == -EOPNOTSUPP || code == -EAFNOSUPPORT)
			code = 0;
	}
	return code;
}

static struct reading *reading_new(struct arena *a, struct network_seen *out)
{
	struct reading *r = arena_new(a, sizeof(*r));

	*out = (struct network_seen){0};
	*r = (struct reading){.text = {.a = a}, .out = out};
	r->own = arena_array(a, DEVICES, sizeof(*r->own));
	return r;
}

static void reading_done(struct reading *r)
{
	r->out->text = r->text.s ? r->text.s : "";
	r->out->own = r->own;
}

void pool_network_parse(struct arena *a, const void *buf, size_t n, struct network_seen *out)
{
	struct reading *r = reading_new(a, out);
	bool changed = false;

	for (size_t i = 0; i < LEN(questions); i++)
		(void)dump_parse(buf, n, questions[i].each, r, &changed); /* or refused */
	reading_done(r);
}

void pool_network_look(struct arena *a, struct network_seen *out)
{
	own_fd int fd = open_socket();
	struct reading *r = NULL;
	int code = fd < 0 ? -errno : -EINTR;

	for (int i = 0; i < TRIES && code == -EINTR; i++) {
		r = reading_new(a, out);
		code = 0;
		for (size_t q = 0; code == 0 && q < LEN(questions); q++)
			code = ask(fd, questions[q].type, questions[q].head, questions[q].each, r);
		if (code == 0)
			code = ask_learned(fd, r);
	}
	if (code == 0) {
		reading_done(r);
		return;
	}
	*out = (struct network_seen){.unreadable = true, .text = "unreadable network: rtnetlink\n"};
}

/* --- neighbours ------------------------------------------------------------------------------- */

struct forgetting {
	union request list[NEIGHBOURS];
	size_t n;
};

static int note_learned(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct forgetting *f = ctx;
	union request *q = &f->list[f->n];
	struct ndmsg m;
	struct dump_attr x;
	const char *at = split(payload, &len, &m, sizeof(m));

	if (!at || type != RTM_NEWNEIGH)
		return -EBADMSG;
	if ((m.ndm_family != AF_INET && m.ndm_family != AF_INET6) ||
	    m.ndm_state & (NUD_NOARP | NUD_PERMANENT) || !dump_find(at, len, NDA_DST, &x))
		return 0;
	if (f->n == NEIGHBOURS)
		return -E2BIG;
	*q = (union request){
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(m)),
			 .nlmsg_type = RTM_DELNEIGH,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK}
        };
	memcpy(q->bytes + NLMSG_HDRLEN, &m, sizeof(m));
	if (!dump_put(&q->head, sizeof(*q), NDA_DST, x.data, x.len))
		return -EMSGSIZE;
	f->n++;
	return 0;
}

int pool_network_forget_neighbours(void)
{
	own_fd int fd = open_socket();
	own_arena struct arena a = {0};
	struct forgetting *f = arena_new(&a, sizeof(*f));
	int code = fd < 0 ? -errno : -EINTR;

	for (int i = 0; i < TRIES && code == -EINTR; i++) {
		f->n = 0;
		code = ask(fd, RTM_GETNEIGH, sizeof(struct ndmsg), note_learned, f);
	}
	for (size_t i = 0; code == 0 && i < f->n; i++) {
		code = dump_ask(fd, &f->list[i].head, NULL, NULL);
		if (code == -ENOENT)
			code = 0;
	}
	return code;
}
