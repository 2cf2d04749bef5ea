#include "net/routes.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "net/rtnl.h"

enum { MAX_TRIES = 8, MAX_DEVICES = 4096 };

bool routes_is_ours(const char *device)
{
	if (!str_starts(device, "brg") || strlen(device) != 11)
		return false;
	for (const char *p = device + 3; *p; p++)
		if (!isxdigit((unsigned char)*p))
			return false;
	return true;
}

struct route {
	uint8_t family, bits, type;
	const uint8_t *to; /* NULL: the default route */
	unsigned int oif;
	const struct rtnexthop *hops; /* several devices */
	size_t hops_len;
};

struct reading {
	const struct mnl *mnl;
	struct route *now;
	int (*each)(struct reading *r, const struct route *route);
	/* of check_pool */
	const struct egress_address *pool;
	struct err *e;
	/* The names of devices come in rows: one is remembered. */
	unsigned int known;
	char known_name[IFNAMSIZ];
	/* of find_devices */
	struct arena *arena;
	unsigned int *indexes;
	size_t n, max;
};

static int read_attr(const struct nlattr *attr, void *ctx)
{
	struct reading *r = ctx;
	uint16_t type = r->mnl->attr_type(attr), len = r->mnl->attr_payload_len(attr);
	const void *payload = r->mnl->attr_payload(attr);
	size_t address = r->now->family == AF_INET ? 4 : 16;

	if (type == RTA_DST && len >= address)
		r->now->to = payload;
	if (type == RTA_OIF && len >= sizeof(uint32_t))
		r->now->oif = r->mnl->attr_u32(attr);
	if (type == RTA_MULTIPATH) {
		r->now->hops = payload;
		r->now->hops_len = len;
	}
	return MNL_CB_OK;
}

static int read_route(const struct nlmsghdr *h, void *ctx)
{
	struct reading *r = ctx;
	const struct rtmsg *m = rtnl_payload(h);
	struct route route = {0};

	if (h->nlmsg_type != RTM_NEWROUTE || h->nlmsg_len < NLMSG_LENGTH(sizeof(*m)))
		return 0;
	route.family = m->rtm_family;
	route.bits = m->rtm_dst_len;
	route.type = m->rtm_type;
	r->now = &route;
	if (r->mnl->attr_parse(h, sizeof(*m), read_attr, r) < 0)
		return -EPROTO;
	if (route.bits > (route.family == AF_INET ? 32 : 128))
		return -EPROTO;
	return r->each(r, &route);
}

/* All tables.  On a socket of its own each time: the rest of a broken dump stays in it. */
static int read_all(struct reading *r, int family, struct err *e)
{
	int code = -EINTR;

	for (int tries = 0; code == -EINTR && tries < MAX_TRIES; tries++) {
		own_rtnl struct rtnl sock = RTNL_NONE;
		union rtnl_request q;

		if (rtnl_open(&sock, r->mnl, e) < 0)
			return -e->code;
		struct nlmsghdr *h = rtnl_request(r->mnl, &q, RTM_GETROUTE, NLM_F_DUMP);
		struct rtmsg *m = r->mnl->put_extra(h, sizeof(*m));

		m->rtm_family = family == 4 ? AF_INET : AF_INET6;
		r->n = 0;
		code = rtnl_ask(&sock, h, read_route, r);
	}
	return code;
}

/* --- The pool ----------------------------------------------------------------------------- */

static bool same_bits(const uint8_t *a, const uint8_t *b, unsigned int bits)
{
	unsigned int rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return !rest || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

/* NULL: gone meanwhile, and its routes with it. */
static const char *device_name(struct reading *r, unsigned int index)
{
	if (!index)
		return "?"; /* several next hops */
	if (r->known != index) {
		r->known = index;
		if (!if_indextoname(index, r->known_name))
			r->known_name[0] = '\0';
	}
	return r->known_name[0] ? r->known_name : NULL;
}

static int compare(struct reading *r, const struct route *route)
{
	char text[INET6_ADDRSTRLEN];
	unsigned int bits = route->bits < r->pool->prefix ? route->bits : r->pool->prefix;

	if (!route->to || !route->bits || !same_bits(route->to, r->pool->bytes, bits) ||
	    route->type == RTN_UNREACHABLE || route->type == RTN_BLACKHOLE ||
	    route->type == RTN_PROHIBIT || route->type == RTN_THROW)
		return 0;
	const char *device = device_name(r, route->oif);

	if (!device || routes_is_ours(device))
		return 0;
	inet_ntop(route->family, route->to, text, sizeof(text));
	return err_msg(
		r->e, EADDRINUSE,
		"the address pool overlaps the host's route %s/%u dev %s (brig.json, egress: "
		"\"%s\" names another one)",
		text, route->bits, device, r->pool->family == 4 ? "pool" : "pool6");
}

int routes_check_pool(const struct mnl *m, const struct egress_address *pool, struct err *e)
{
	struct reading r = {.mnl = m, .each = compare, .pool = pool, .e = e};
	int code = read_all(&r, pool->family, e);

	/* A kernel without IPv6 has no such routes. */
	if (code == -EADDRINUSE || code >= 0 || (code == -EOPNOTSUPP && pool->family == 6))
		return code == -EOPNOTSUPP ? 0 : code;
	return err_set(e, -code, "read the host's routes");
}

/* --- Devices ------------------------------------------------------------------------------ */

static int note_index(struct reading *r, unsigned int index)
{
	if (!index)
		return 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->indexes[i] == index)
			return 0;
	if (r->n == MAX_DEVICES)
		return -E2BIG;
	if (r->n == r->max) {
		size_t max = r->max ? r->max * 2 : 16;
		unsigned int *more = arena_array(r->arena, max, sizeof(*more));

		if (r->n)
			memcpy(more, r->indexes, r->n * sizeof(*more));
		r->indexes = more;
		r->max = max;
	}
	r->indexes[r->n++] = index;
	return 0;
}

static int note_devices(struct reading *r, const struct route *route)
{
	const char *at = (const char *)route->hops, *end = at + route->hops_len;

	if (route->type != RTN_UNICAST)
		return 0;
	int code = note_index(r, route->oif);

	while (code == 0 && end - at >= (ptrdiff_t)sizeof(struct rtnexthop)) {
		const struct rtnexthop *hop = (const void *)at;
		ptrdiff_t len = RTNH_ALIGN(hop->rtnh_len);

		if (len < (ptrdiff_t)sizeof(*hop) || len > end - at)
			break;
		code = note_index(r, (unsigned int)hop->rtnh_ifindex);
		at += len;
	}
	return code;
}

int routes_find_devices(struct arena *a, const struct mnl *m, int family,
			struct routes_devices *out, struct err *e)
{
	struct reading r = {.mnl = m, .each = note_devices, .arena = a};
	int code = read_all(&r, family, e);
	char name[IFNAMSIZ];

	*out = (struct routes_devices){0};
	if (code < 0 && code != -EOPNOTSUPP)
		return err_set(e, -code, "read the host's routes");
	if (r.n)
		out->names = arena_array(a, r.n, sizeof(*out->names));
	for (size_t i = 0; i < r.n; i++)
		if (if_indextoname(r.indexes[i], name) && !str_eq(name, "lo") &&
		    !routes_is_ours(name))
			out->names[out->n++] = arena_strdup(a, name);
	return 0;
}
