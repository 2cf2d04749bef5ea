#include "plan_egress_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/rtnl.h"

/* MAX_SERVERS: of glibc it is 3, musl asks as many. */
enum { MAX_HOST = 4096, MAX_RESOLV = 64 << 10, MAX_SERVERS = 3, MAX_NDOTS = 15, MAX_SEARCH = 2048 };

struct host {
	struct arena *arena;
	struct egress_address *list;
	size_t n, room;
};

static bool is_loopback(const struct egress_address *x)
{
	static const uint8_t one[16] = {[15] = 1};

	return x->family == 4 ? x->bytes[0] == 127 : memcmp(x->bytes, one, sizeof(one)) == 0;
}

static void keep(struct host *h, const struct egress_address *x)
{
	if (h->n == h->room) {
		size_t room = h->room ? h->room * 2 : 16;
		struct egress_address *more = arena_array(h->arena, room, sizeof(*more));

		if (h->n)
			memcpy(more, h->list, h->n * sizeof(*more));
		h->list = more;
		h->room = room;
	}
	h->list[h->n++] = *x;
}

/* Of a point-to-point link IFA_ADDRESS is the other end (linux/if_addr.h). */
static const struct rtattr *own_of(const char *attributes, size_t len)
{
	const struct rtattr *found = NULL, *x;

	for (size_t at = 0; at + sizeof(*x) <= len; at += RTA_ALIGN(x->rta_len)) {
		x = (const void *)(attributes + at);
		if (x->rta_len < sizeof(*x) || x->rta_len > len - at)
			break;
		if (x->rta_type == IFA_LOCAL || (x->rta_type == IFA_ADDRESS && !found))
			found = x;
	}
	return found;
}

static int take_address(const struct nlmsghdr *m, void *ctx)
{
	const struct ifaddrmsg *head = rtnl_payload(m);
	struct egress_address x = {0};

	if (m->nlmsg_len < NLMSG_SPACE(sizeof(*head)))
		return -EPROTO;
	if (head->ifa_family != AF_INET && head->ifa_family != AF_INET6)
		return 0;
	const struct rtattr *own = own_of((const char *)m + NLMSG_SPACE(sizeof(*head)),
					  m->nlmsg_len - NLMSG_SPACE(sizeof(*head)));
	x.family = head->ifa_family == AF_INET ? 4 : 6;
	x.prefix = x.family == 4 ? 32 : 128;
	if (!own || RTA_PAYLOAD(own) != x.prefix / 8U)
		return 0;
	memcpy(x.bytes, (const char *)own + RTA_LENGTH(0), x.prefix / 8U);
	if (!is_loopback(&x))
		keep(ctx, &x);
	return 0;
}

static int by_bytes(const void *x, const void *y)
{
	const struct egress_address *a = x, *b = y;

	return a->family != b->family ? a->family - b->family
				      : memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

/*
 * getifaddrs(3) would ask for all links, too, of which a node has hundreds.  On a socket of its own
 * each time: the rest of a dump that was broken off (EINTR) would be taken for the next answer.
 */
static int dump_addresses(struct host *h)
{
	struct err ignored; /* its code is the return value */
	own_rtnl struct rtnl r = RTNL_NONE;
	struct {
		struct nlmsghdr head;
		struct ifaddrmsg address;
	} q = {
		.head = {.nlmsg_len = sizeof(q),
			 .nlmsg_type = RTM_GETADDR,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.address = {.ifa_family = AF_UNSPEC},
	};
	int code = rtnl_open(&r, NULL, &ignored); /* libmnl is not loaded yet, and not needed */

	h->n = 0;
	return code < 0 ? code : rtnl_ask(&r, &q.head, take_address, h);
}

int plan_egress_host(struct arena *a, const struct egress_address **out, size_t *n, struct err *e)
{
	enum { TRIES = 8 };
	struct host h = {.arena = a};
	int code = -EINTR;
	size_t kept = 0;

	*out = NULL;
	*n = 0;
	for (int tries = 0; code == -EINTR && tries < TRIES; tries++)
		code = dump_addresses(&h);
	if (code < 0)
		return err_set(e, -code, "addresses of the host");
	if (h.n)
		qsort(h.list, h.n, sizeof(*h.list), by_bytes);
	for (size_t i = 0; i < h.n; i++)
		if (!kept || by_bytes(&h.list[kept - 1], &h.list[i]) != 0)
			h.list[kept++] = h.list[i];
	if (kept > MAX_HOST)
		return err_msg(e, E2BIG, "addresses of the host: %zu; %d are the most", kept,
			       MAX_HOST);
	*out = h.list;
	*n = kept;
	return 0;
}

/* --- resolv.conf -------------------------------------------------------------------------- */

/* The rest of a line that begins with word and a blank; NULL: it does not. */
static const char *behind(const char *line, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(line, word, n) != 0 || !strchr(" \t", line[n]) || !line[n])
		return NULL;
	return line + n + strspn(line + n, " \t");
}

static void take_server(const char *text, struct egress_address *list, size_t *n)
{
	struct err not_one;
	size_t len = strcspn(text, " \t");
	char word[64];

	if (*n == MAX_SERVERS || len >= sizeof(word) || memchr(text, '/', len))
		return;
	memcpy(word, text, len);
	word[len] = '\0';
	if (egress_address_parse(word, &list[*n], &not_one) == 0)
		(*n)++;
}

static void take_options(const char *text, uint32_t *ndots)
{
	for (; *text; text += strspn(text, " \t")) {
		size_t len = strcspn(text, " \t");

		if (strncmp(text, "ndots:", 6) == 0) {
			unsigned long n = strtoul(text + 6, NULL, 10);

			*ndots = n > MAX_NDOTS ? MAX_NDOTS : (uint32_t)n;
		}
		text += len;
	}
}

/* What goes into a file of the sandbox: names alone. */
static bool is_search(const char *text)
{
	return strlen(text) <= MAX_SEARCH &&
	       text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "-_. \t")] == '\0';
}

void plan_egress_resolv_parse(struct arena *a, const char *text, struct plan_resolv *out)
{
	struct egress_address *list = arena_array(a, MAX_SERVERS, sizeof(*list));

	*out = (struct plan_resolv){.servers = list};
	while (*text) {
		size_t len = strcspn(text, "\r\n");
		const char *line = arena_strndup(a, text, len), *rest;

		if ((rest = behind(line, "nameserver")))
			take_server(rest, list, &out->n_servers);
		else if ((rest = behind(line, "search")) || (rest = behind(line, "domain")))
			out->search = is_search(rest) && *rest ? rest : NULL;
		else if ((rest = behind(line, "options")))
			take_options(rest, &out->ndots);
		text += len + (text[len] != '\0');
	}
}

int plan_egress_resolv(struct arena *a, const char *path, struct plan_resolv *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path, MAX_RESOLV, &text, &len, e);

	*out = (struct plan_resolv){0};
	if (r == -ENOENT)
		return 0;
	if (r == 0)
		plan_egress_resolv_parse(a, text, out);
	return r;
}

const char *plan_egress_resolv_source(const struct oci_config *c)
{
	const char *source = NULL;

	/* Of two mounts on one place the later one is seen. */
	for (size_t i = 0; i < c->n_mounts; i++)
		if (str_eq(c->mounts[i].destination, "/etc/resolv.conf"))
			source = c->mounts[i].source;
	return source && *source == '/' ? source : NULL;
}
