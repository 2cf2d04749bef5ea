#include "net/dump.h"

#include <endian.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/own.h"

/* The kernel fills at most so much in one answer of a dump (af_netlink.c, netlink_dump). */
enum { ROOM = 32 << 10 };

/* --- attributes ------------------------------------------------------------------------------- */

bool dump_next(const char **at, size_t *left, struct dump_attr *out)
{
	struct nlattr x;

	if (*left < sizeof(x))
		return false;
	memcpy(&x, *at, sizeof(x));
	if (x.nla_len < sizeof(x) || x.nla_len > *left)
		return false;
	*out = (struct dump_attr){(uint16_t)(x.nla_type & NLA_TYPE_MASK), *at + sizeof(x),
				  x.nla_len - sizeof(x)};
	size_t step = NLMSG_ALIGN((size_t)x.nla_len);
	*at += step < *left ? step : *left;
	*left -= step < *left ? step : *left;
	return true;
}

bool dump_find(const char *at, size_t left, uint16_t type, struct dump_attr *out)
{
	while (dump_next(&at, &left, out))
		if (out->type == type)
			return true;
	*out = (struct dump_attr){0};
	return false;
}

bool dump_u32(const struct dump_attr *x, uint32_t *out)
{
	if (x->len < sizeof(*out))
		return false;
	memcpy(out, x->data, sizeof(*out));
	return true;
}

bool dump_be64(const struct dump_attr *x, uint64_t *out)
{
	if (x->len < sizeof(*out))
		return false;
	memcpy(out, x->data, sizeof(*out));
	*out = be64toh(*out);
	return true;
}

static void *append(struct nlmsghdr *h, size_t room, size_t len)
{
	size_t at = NLMSG_ALIGN((size_t)h->nlmsg_len);

	if (len > UINT16_MAX || at + NLMSG_ALIGN(len) > room)
		return NULL;
	char *p = (char *)h + at;
	memset(p, 0, NLMSG_ALIGN(len));
	h->nlmsg_len = (uint32_t)(at + NLMSG_ALIGN(len));
	return p;
}

bool dump_put(struct nlmsghdr *h, size_t room, uint16_t type, const void *data, size_t len)
{
	const struct nlattr x = {(uint16_t)(sizeof(x) + len), type};
	char *p = append(h, room, sizeof(x) + len);

	if (!p)
		return false;
	memcpy(p, &x, sizeof(x));
	if (len)
		memcpy(p + sizeof(x), data, len);
	return true;
}

struct nlattr *dump_nest(struct nlmsghdr *h, size_t room, uint16_t type)
{
	struct nlattr *x = append(h, room, sizeof(*x));

	if (x)
		x->nla_type = (uint16_t)(type | NLA_F_NESTED);
	return x;
}

void dump_nested(struct nlmsghdr *h, struct nlattr *nest)
{
	if (nest)
		nest->nla_len = (uint16_t)((char *)h + h->nlmsg_len - (char *)nest);
}

/* --- messages --------------------------------------------------------------------------------- */

/* The word of an error, or of the end of a dump. */
static int code_of(const char *payload, size_t len)
{
	int32_t code = 0;

	if (len < sizeof(code))
		return -EBADMSG;
	memcpy(&code, payload, sizeof(code));
	return code > 0 ? -EBADMSG : code;
}

int dump_parse(const void *buf, size_t n, dump_each *each, void *ctx, bool *changed)
{
	const char *at = buf;

	while (n >= sizeof(struct nlmsghdr)) {
		struct nlmsghdr h;

		memcpy(&h, at, sizeof(h));
		if (h.nlmsg_len < sizeof(h) || h.nlmsg_len > n)
			return -EBADMSG;
		const char *payload = at + sizeof(h);
		size_t len = h.nlmsg_len - sizeof(h);

		*changed = *changed || h.nlmsg_flags & NLM_F_DUMP_INTR;
		if (h.nlmsg_type == NLMSG_ERROR)
			return code_of(payload, len);
		if (h.nlmsg_type == NLMSG_DONE)
			return len ? code_of(payload, len) : 0;
		int r = each ? each(h.nlmsg_type, payload, len, ctx) : 0;
		if (r < 0)
			return r;
		size_t step = NLMSG_ALIGN((size_t)h.nlmsg_len);
		at += step < n ? step : n;
		n -= step < n ? step : n;
	}
	return n ? -EBADMSG : 1;
}

static ssize_t receive(int sock, char *buf, size_t size)
{
	struct sockaddr_nl from = {0};
	socklen_t len = sizeof(from);
	ssize_t n;

	/* Any process may send to our port; the kernel's is 0. */
	do {
		len = sizeof(from);
		n = recvfrom(sock, buf, size, MSG_TRUNC, (struct sockaddr *)&from, &len);
	} while ((n < 0 && errno == EINTR) || (n >= 0 && from.nl_pid));
	if (n < 0)
		return -errno;
	return (size_t)n > size ? -EMSGSIZE : n;
}

int dump_ask(int sock, struct nlmsghdr *request, dump_each *each, void *ctx)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	char buf[ROOM];
	bool changed = false;
	int r = 1;

	request->nlmsg_seq++;
	if (sendto(sock, request, request->nlmsg_len, 0, (struct sockaddr *)&kernel,
		   sizeof(kernel)) < 0)
		return -errno;
	while (r > 0) {
		ssize_t n = receive(sock, buf, sizeof(buf));

		r = n < 0 ? (int)n : dump_parse(buf, (size_t)n, each, ctx, &changed);
	}
	return r == 0 && changed ? -EINTR : r;
}
