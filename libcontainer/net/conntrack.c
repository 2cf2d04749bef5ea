#include "net/conntrack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/dump.h"

/* Since Linux 5.8 a dump tells only what it is asked for; older ones skip this, and tell all.
 * linux/netfilter/nfnetlink_conntrack.h has the names, but not the bits. */
enum { FILTER_IP_SRC = 1, ROOM = 512, TRIES = 8 };

union request {
	struct nlmsghdr head;
	char bytes[ROOM];
};

static void begin(union request *q, uint8_t type, uint16_t flags, uint8_t family)
{
	struct nfgenmsg g = {.nfgen_family = family, .version = NFNETLINK_V0};

	memset(q, 0, sizeof(*q));
	q->head.nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
	q->head.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	q->head.nlmsg_len = NLMSG_LENGTH(sizeof(g));
	memcpy(q->bytes + NLMSG_HDRLEN, &g, sizeof(g));
}

static uint8_t family_of(const struct egress_address *a)
{
	return a->family == 4 ? AF_INET : AF_INET6;
}

/* --- an entry --------------------------------------------------------------------------------- */

static bool read_tuple(const struct dump_attr *tuple, uint8_t family, uint8_t *src, uint8_t *dst)
{
	size_t size = family == 4 ? 4 : 16;
	struct dump_attr ip, from, to;

	if (!dump_find(tuple->data, tuple->len, CTA_TUPLE_IP, &ip) ||
	    !dump_find(ip.data, ip.len, family == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, &from) ||
	    !dump_find(ip.data, ip.len, family == 4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, &to) ||
	    from.len < size || to.len < size)
		return false;
	memcpy(src, from.data, size);
	memcpy(dst, to.data, size);
	return true;
}

bool conntrack_read(const void *payload, size_t len, struct conntrack_entry *out)
{
	struct nfgenmsg g;
	struct dump_attr orig, reply, x;

	*out = (struct conntrack_entry){0};
	if (len < NLMSG_ALIGN(sizeof(g)))
		return false;
	memcpy(&g, payload, sizeof(g));
	const char *at = (const char *)payload + NLMSG_ALIGN(sizeof(g));
	len -= NLMSG_ALIGN(sizeof(g));
	if (g.nfgen_family != AF_INET && g.nfgen_family != AF_INET6)
		return false;
	out->family = g.nfgen_family == AF_INET ? 4 : 6;
	if (!dump_find(at, len, CTA_TUPLE_ORIG, &orig) ||
	    !dump_find(at, len, CTA_TUPLE_REPLY, &reply) ||
	    !read_tuple(&orig, out->family, out->orig_src, out->orig_dst) ||
	    !read_tuple(&reply, out->family, out->reply_src, out->reply_dst))
		return false;
	out->tuple = orig.data;
	out->tuple_len = orig.len;
	if (dump_find(at, len, CTA_ID, &x)) {
		out->id = x.data;
		out->id_len = x.len;
	}
	if (dump_find(at, len, CTA_ZONE, &x)) {
		out->zone = x.data;
		out->zone_len = x.len;
	}
	return true;
}

bool conntrack_meets(const struct conntrack_entry *x, const struct egress_address *a)
{
	const uint8_t *ends[] = {x->orig_src, x->orig_dst, x->reply_src, x->reply_dst};

	if (x->family != a->family)
		return false;
	for (size_t i = 0; i < LEN(ends); i++)
		if (memcmp(ends[i], a->bytes, a->family == 4 ? 4 : 16) == 0)
			return true;
	return false;
}

/* --- those of an address ---------------------------------------------------------------------- */

struct found {
	struct arena *arena;
	const struct egress_address *address;
	bool keep; /* requests that delete them; else they are counted only */
	union request **list;
	size_t n, room;
};

/* By its number, too: not another one that has come to be in its place. */
static union request *deleting(struct arena *a, const struct conntrack_entry *x)
{
	union request *q = arena_new(a, sizeof(*q));

	begin(q, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, x->family == 4 ? AF_INET : AF_INET6);
	if (!dump_put(&q->head, sizeof(*q), CTA_TUPLE_ORIG | NLA_F_NESTED, x->tuple,
		      x->tuple_len) ||
	    (x->id && !dump_put(&q->head, sizeof(*q), CTA_ID, x->id, x->id_len)) ||
	    (x->zone && !dump_put(&q->head, sizeof(*q), CTA_ZONE, x->zone, x->zone_len)))
		return NULL;
	return q;
}

static int note(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct found *f = ctx;
	struct conntrack_entry x;

	(void)type;
	if (!conntrack_read(payload, len, &x) || !conntrack_meets(&x, f->address))
		return 0;
	if (!f->keep) {
		f->n++;
		return 0;
	}
	union request *q = deleting(f->arena, &x);
	if (!q)
		return -EMSGSIZE;
	if (f->n == f->room) {
		size_t room = f->room ? f->room * 2 : 32;
		union request **more = arena_array(f->arena, room, sizeof(union request *));

		if (f->n)
			memcpy(more, f->list, f->n * sizeof(*more));
		f->list = more;
		f->room = room;
	}
	f->list[f->n++] = q;
	return 0;
}

/* Where it was the source: what it has begun, and what it has answered behind a translation. */
static bool put_filter(union request *q, const struct egress_address *a, bool reply)
{
	size_t size = a->family == 4 ? 4 : 16;
	uint16_t source = a->family == 4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC;
	const uint32_t orig_flags = reply ? 0 : FILTER_IP_SRC;
	const uint32_t reply_flags = reply ? FILTER_IP_SRC : 0;
	struct nlattr *tuple =
		dump_nest(&q->head, sizeof(*q), reply ? CTA_TUPLE_REPLY : CTA_TUPLE_ORIG);
	struct nlattr *ip = dump_nest(&q->head, sizeof(*q), CTA_TUPLE_IP);
	bool fits = dump_put(&q->head, sizeof(*q), source, a->bytes, size);

	dump_nested(&q->head, ip);
	dump_nested(&q->head, tuple);
	struct nlattr *filter = dump_nest(&q->head, sizeof(*q), CTA_FILTER);

	fits = fits && tuple && ip && filter &&
	       dump_put(&q->head, sizeof(*q), CTA_FILTER_ORIG_FLAGS, &orig_flags,
			sizeof(orig_flags)) &&
	       dump_put(&q->head, sizeof(*q), CTA_FILTER_REPLY_FLAGS, &reply_flags,
			sizeof(reply_flags));
	dump_nested(&q->head, filter);
	return fits;
}

static int find_one_way(int sock, struct found *f, bool reply)
{
	size_t before = f->n;
	int r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		union request q;

		f->n = before;
		begin(&q, IPCTNL_MSG_CT_GET, NLM_F_DUMP, family_of(f->address));
		if (!put_filter(&q, f->address, reply))
			return -EMSGSIZE;
		r = dump_ask(sock, &q.head, note, f);
	}
	return r;
}

static int find(int sock, struct found *f, struct err *e)
{
	int r = find_one_way(sock, f, false);

	if (r == 0)
		r = find_one_way(sock, f, true);
	/* EINVAL is what nfnetlink says of a part that the kernel has not. */
	if (r == -EINVAL || r == -EOPNOTSUPP)
		return err_msg(e, ENOTSUP,
			       "connection tracking cannot be looked at: modprobe "
			       "nf_conntrack_netlink, or a kernel with CONFIG_NF_CT_NETLINK");
	return r < 0 ? err_set(e, -r, "connection tracking") : 0;
}

static int open_socket(struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);

	return fd < 0 ? err_set(e, errno, "connection tracking: socket") : fd;
}

/*
 * A dump walks the table that all namespaces share, for some ten milliseconds where it is a large
 * one, empty or not; how many are this namespace's is counted.
 */
static bool there_are_none(void)
{
	char text[32];

	return file_peek(AT_FDCWD, "/proc/sys/net/netfilter/nf_conntrack_count", text,
			 sizeof(text)) > 0 &&
	       str_eq(text, "0");
}

int conntrack_count(const struct egress_address *list, size_t n, int64_t *out, struct err *e)
{
	*out = 0;
	if (there_are_none())
		return 0;
	own_fd int sock = open_socket(e);

	if (sock < 0)
		return sock;
	for (size_t i = 0; i < n; i++) {
		struct found f = {.address = &list[i]};

		if (find(sock, &f, e) < 0)
			return -e->code;
		*out += (int64_t)f.n;
	}
	return 0;
}

static int forget_one(int sock, const struct egress_address *a, struct err *e)
{
	own_arena struct arena arena = {0};
	struct found f = {.arena = &arena, .address = a, .keep = true};

	if (find(sock, &f, e) < 0)
		return -e->code;
	for (size_t i = 0; i < f.n; i++) {
		int r = dump_ask(sock, &f.list[i]->head, NULL, NULL);

		/* It has gone by itself. */
		if (r < 0 && r != -ENOENT)
			return err_set(e, -r, "connection tracking: remove an entry");
	}
	return 0;
}

static int flush(int sock, struct err *e)
{
	union request q;

	begin(&q, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, AF_UNSPEC);
	int r = dump_ask(sock, &q.head, NULL, NULL);
	return r < 0 ? err_set(e, -r, "connection tracking: remove all entries") : 0;
}

int conntrack_forget(const struct egress_address *list, size_t n, struct err *e)
{
	if (there_are_none())
		return 0;
	own_fd int sock = open_socket(e);

	if (sock < 0)
		return sock;
	if (!n)
		return flush(sock, e);
	for (size_t i = 0; i < n; i++)
		if (forget_one(sock, &list[i], e) < 0)
			return -e->code;
	return 0;
}
