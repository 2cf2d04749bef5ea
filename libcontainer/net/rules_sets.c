/*
 * The sets of table "inet brig" and what a policy puts into them.  Sets of the kernel's three
 * kinds: hashes (grants, learned names, resolvers: exact keys, with timeouts), trees (never: one
 * range of addresses each) and pipapo (concatenations of ranges, which must not overlap:
 * net/boxes.h).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <netinet/in.h>
#include <string.h>

#include "base/own.h"
#include "net/rules_table.h"

enum { LEARNED_MAX = 4096, DNS_PORT = 53, TOP_PORT = 65535 };
enum { ECHO4 = 0x0800, ECHO6 = 0x8000 }; /* type and code of an echo request */

enum kind { KIND_IDS, KIND_RANGES, KIND_BOXES, KIND_LEARNED, KIND_IN, KIND_EXACT };
static const struct {
	enum kind kind;
	uint8_t family;
	const char *part;
} sets[RULES_SETS] = {
	[SET_GRANTS] = {KIND_IDS,     0, "set grants"    },
	[SET_CIDR4] = {KIND_BOXES,   4, "map cidr4"     },
	[SET_CIDR6] = {KIND_BOXES,   6, "map cidr6"     },
	[SET_ALWAYS4] = {KIND_RANGES,  4, "set always4"   },
	[SET_ALWAYS6] = {KIND_RANGES,  6, "set always6"   },
	[SET_NEAR4] = {KIND_LEARNED, 4, "map near4"     },
	[SET_NEAR6] = {KIND_LEARNED, 6, "map near6"     },
	[SET_NEVER4] = {KIND_RANGES,  4, "set never4"    },
	[SET_NEVER6] = {KIND_RANGES,  6, "set never6"    },
	[SET_OPEN4] = {KIND_BOXES,   4, "map open4"     },
	[SET_OPEN6] = {KIND_BOXES,   6, "map open6"     },
	[SET_NAME4] = {KIND_LEARNED, 4, "map name4"     },
	[SET_NAME6] = {KIND_LEARNED, 6, "map name6"     },
	[SET_IN4] = {KIND_IN,      4, "set in4"       },
	[SET_IN6] = {KIND_IN,      6, "set in6"       },
	[SET_RESOLVERS4] = {KIND_EXACT,   4, "set resolvers4"},
	[SET_RESOLVERS6] = {KIND_EXACT,   6, "set resolvers6"},
};

const char *const rules_set_names[RULES_SETS] = {
	[SET_GRANTS] = "grants",
	[SET_CIDR4] = "cidr4",
	[SET_CIDR6] = "cidr6",
	[SET_ALWAYS4] = "always4",
	[SET_ALWAYS6] = "always6",
	[SET_NEAR4] = "near4",
	[SET_NEAR6] = "near6",
	[SET_NEVER4] = "never4",
	[SET_NEVER6] = "never6",
	[SET_OPEN4] = "open4",
	[SET_OPEN6] = "open6",
	[SET_NAME4] = "name4",
	[SET_NAME6] = "name6",
	[SET_IN4] = "in4",
	[SET_IN6] = "in6",
	[SET_RESOLVERS4] = "resolvers4",
	[SET_RESOLVERS6] = "resolvers6",
};

/* --- Which of them ---------------------------------------------------------------------------- */

static bool meant_for(uint8_t family, uint8_t of)
{
	return family == of;
}

static uint32_t sets_of_grants(const struct egress_policy *p)
{
	uint32_t bits = 0;

	for (size_t i = 0; i < p->n_grants; i++) {
		const struct egress_grant *g = &p->grants[i];
		bool v6 = g->address.family == 6;

		if (g->name) {
			bits |= 1u << SET_NAME4 | (p->ipv6 ? 1u << SET_NAME6 : 0);
			if (g->private_)
				bits |= 1u << SET_NEAR4 | (p->ipv6 ? 1u << SET_NEAR6 : 0);
		} else if (v6 && !p->ipv6) {
			continue;
		} else if (g->backing == EGRESS_BACKED) {
			bits |= 1u << (v6 ? SET_CIDR6 : SET_CIDR4);
		} else {
			bits |= 1u << (v6 ? SET_OPEN6 : SET_OPEN4);
		}
	}
	return bits;
}

/* What is asked for by a tenant meets the never sets, what is learned and private the others. */
static uint32_t sets_of_never(uint32_t bits)
{
	uint32_t more = 0;

	if (bits & (1u << SET_NAME4 | 1u << SET_OPEN4))
		more |= 1u << SET_NEVER4;
	if (bits & (1u << SET_NAME6 | 1u << SET_OPEN6))
		more |= 1u << SET_NEVER6;
	if (bits & 1u << SET_NEAR4)
		more |= 1u << SET_ALWAYS4;
	if (bits & 1u << SET_NEAR6)
		more |= 1u << SET_ALWAYS6;
	return more;
}

void rules_shape_of(const struct egress_policy *p, struct rules_shape *out)
{
	uint32_t bits = 1u << SET_GRANTS | sets_of_grants(p);

	bits |= sets_of_never(bits);
	for (size_t i = 0; p->resolves_inside && i < p->n_resolvers; i++)
		bits |= 1u << (p->resolvers[i].family == 6 ? SET_RESOLVERS6 : SET_RESOLVERS4);
	if (p->n_ingress)
		bits |= 1u << SET_IN4 | (p->ipv6 ? 1u << SET_IN6 : 0);
	*out = (struct rules_shape){
		.sets = bits,
		.neighbours = p->ipv6 || bits & 1u << SET_RESOLVERS6,
		.bytes = p->limits.bytes != 0,
		.slow = p->limits.bandwidth != 0,
		.netdev = p->netdev_egress,
		.ingress = p->n_ingress != 0,
		.inside = p->resolves_inside && p->n_resolvers,
	};
	for (size_t i = 0; i < p->n_grants; i++)
		out->echo |= p->grants[i].proto == IPPROTO_ICMP;
}

/* --- As the kernel makes them ----------------------------------------------------------------- */

void rules_put_set(struct batch *b, enum rules_set set)
{
	static const struct batch_field mark = {4, BATCH_MARK};
	const bool v6 = sets[set].family == 6;
	const struct batch_field address =
		v6 ? (struct batch_field){16, BATCH_IPV6} : (struct batch_field){4, BATCH_IPV4};
	const struct batch_field key[] = {
		address, {1, BATCH_PROTO},
                 {2, BATCH_PORT }
        };
	struct batch_set s = {.part = sets[set].part,
			      .name = rules_set_names[set],
			      .id = (uint32_t)set + 1,
			      .fields = key,
			      .n_fields = LEN(key)};

	switch (sets[set].kind) {
	case KIND_IDS:
		s.flags = NFT_SET_TIMEOUT;
		s.fields = &mark;
		s.n_fields = 1;
		s.counts = true;
		break;
	case KIND_RANGES:
		s.flags = NFT_SET_INTERVAL;
		s.n_fields = 1;
		break;
	case KIND_BOXES:
		s.flags = NFT_SET_INTERVAL;
		s.is_map = true;
		break;
	case KIND_LEARNED:
		s.flags = NFT_SET_TIMEOUT;
		s.size = LEARNED_MAX;
		s.is_map = true;
		break;
	case KIND_IN:
		s.flags = NFT_SET_INTERVAL;
		break;
	case KIND_EXACT:
	default:
		break;
	}
	batch_set(b, &s);
}

bool rules_is_never(enum rules_set set)
{
	return sets[set].kind == KIND_RANGES;
}

/* --- Elements --------------------------------------------------------------------------------- */

void rules_echo(uint8_t family, uint8_t *proto, uint16_t *port)
{
	*proto = family == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	*port = family == 4 ? ECHO4 : ECHO6;
}

static size_t put_key(uint8_t *key, uint8_t family, box_address address, uint8_t proto,
		      uint16_t port)
{
	size_t at = family == 4 ? 4 : 16;

	port = htons(port);
	box_bytes(address, family, key);
	key[at] = proto;
	memcpy(key + at + 4, &port, sizeof(port));
	return at + 8;
}

void rules_key(const struct egress_address *address, uint8_t proto, uint16_t port,
	       struct batch_element *out)
{
	box_address first, last;

	*out = (struct batch_element){0};
	box_ends(address, &first, &last);
	out->len = (uint8_t)put_key(out->key, address->family, first, proto, port);
}

static void boxes_to_elements(struct arena *a, const struct box *list, size_t n,
			      struct rules_elements *out)
{
	out->list = arena_array(a, n + 1, sizeof(*out->list));
	out->n = n;
	for (size_t i = 0; i < n; i++) {
		struct batch_element *x = &out->list[i];
		const struct box *b = &list[i];

		x->mark = b->id;
		x->has_end = true;
		x->len = (uint8_t)put_key(x->key, b->family, b->first, b->proto, b->first_port);
		(void)put_key(x->end, b->family, b->last, b->proto, b->last_port); /* as long */
	}
}

/*
 * Where grants overlap the one that lives longer has it, so that the end of another takes nothing
 * away; of equals the more specific one: the longer prefix, then the smaller range of ports.
 */
struct candidate {
	struct box box;
	uint64_t life;
	uint8_t prefix;
	size_t place;
};

static int by_claim(const void *p, const void *q)
{
	const struct candidate *x = p, *y = q;
	uint32_t ports_x = x->box.last_port - x->box.first_port;
	uint32_t ports_y = y->box.last_port - y->box.first_port;

	if (x->life != y->life)
		return x->life > y->life ? -1 : 1;
	if (x->prefix != y->prefix)
		return x->prefix > y->prefix ? -1 : 1;
	if (ports_x != ports_y)
		return ports_x < ports_y ? -1 : 1;
	return x->place < y->place ? -1 : x->place > y->place;
}

static size_t n_boxes_of(const struct egress_grant *g)
{
	return g->proto == IPPROTO_ICMP ? 1 : g->n_ports;
}

static size_t grant_boxes(const struct egress_grant *g, struct candidate *out, size_t place)
{
	struct candidate c = {.life = g->ttl_ms ? g->ttl_ms : UINT64_MAX,
			      .prefix = g->address.prefix};
	size_t n = n_boxes_of(g);

	c.box = (struct box){.family = g->address.family, .proto = g->proto, .id = g->id};
	box_ends(&g->address, &c.box.first, &c.box.last);
	for (size_t i = 0; i < n; i++) {
		if (g->proto == IPPROTO_ICMP) {
			rules_echo(g->address.family, &c.box.proto, &c.box.first_port);
			c.box.last_port = c.box.first_port;
		} else {
			c.box.first_port = g->ports[i].first;
			c.box.last_port = g->ports[i].last;
		}
		c.place = place + i;
		out[i] = c;
	}
	return n;
}

/* --- Ingress ---------------------------------------------------------------------------------- */

static const struct egress_address anywhere[] = {{.family = 4}, {.family = 6}};

static size_t sources_of(const struct egress_policy *p, const struct egress_ingress *in,
			 const struct egress_address **out)
{
	*out = in->from == EGRESS_FROM_NODE      ? p->host
	       : in->from == EGRESS_FROM_ADDRESS ? &in->address
						 : anywhere;
	return in->from == EGRESS_FROM_NODE ? p->n_host : in->from == EGRESS_FROM_ADDRESS ? 1 : 2;
}

static size_t ingress_boxes(const struct egress_policy *p, const struct egress_ingress *in,
			    uint8_t family, struct box *out)
{
	static const struct egress_ports all = {0, TOP_PORT};
	const struct egress_ports *ports = in->n_ports ? in->ports : &all;
	const struct egress_address *from;
	size_t n_from = sources_of(p, in, &from), n = 0;

	for (size_t i = 0; i < n_from; i++) {
		if (!meant_for(family, from[i].family))
			continue;
		for (size_t k = 0; k < (in->n_ports ? in->n_ports : 1); k++) {
			struct box b = {.family = family, .proto = in->proto};

			box_ends(&from[i], &b.first, &b.last);
			b.first_port = ports[k].first;
			b.last_port = ports[k].last;
			if (out)
				out[n] = b;
			n++;
		}
	}
	return n;
}

static int sources(struct arena *a, const struct egress_policy *p, uint8_t family,
		   struct rules_elements *out, struct err *e)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_ingress; i++)
		n += ingress_boxes(p, &p->ingress[i], family, NULL);
	struct box *list = arena_array(a, n + 1, sizeof(*list));
	n = 0;
	for (size_t i = 0; i < p->n_ingress; i++)
		n += ingress_boxes(p, &p->ingress[i], family, list + n);
	if (boxes_disjoint(a, list, n, &list, &n, e) < 0)
		return -e->code;
	boxes_to_elements(a, list, n, out);
	return 0;
}

/* --- Addresses that are never reached --------------------------------------------------------- */

/* Prefixes that make IPv6 addresses of IPv4 ones: NAT64 and 6to4. */
static const struct {
	uint8_t bytes[4], bits;
} images[] = {
	{{0x00, 0x64, 0xff, 0x9b}, 96},
	{{0x20, 0x02},             16},
};

struct ranges {
	uint8_t family;
	struct box_range *list; /* NULL: only counted */
	size_t n;
};

static void add_range(struct ranges *r, const struct egress_address *address)
{
	if (r->list) {
		struct box_range *to = &r->list[r->n];

		to->family = address->family;
		box_ends(address, &to->first, &to->last);
	}
	r->n++;
}

static void add_never(struct ranges *r, const struct egress_address *address)
{
	if (meant_for(r->family, address->family))
		add_range(r, address);
	for (size_t i = 0; r->family == 6 && address->family == 4 && i < LEN(images); i++) {
		struct egress_address image = {
			.family = 6, .prefix = (uint8_t)(images[i].bits + address->prefix)};

		memcpy(image.bytes, images[i].bytes, sizeof(images[i].bytes));
		memcpy(image.bytes + images[i].bits / 8, address->bytes, 4);
		add_range(r, &image);
	}
}

static void add_all_never(struct ranges *r, const struct egress_policy *p, bool always_only)
{
	for (size_t i = 0; i < n_egress_never_rows; i++) {
		struct egress_address range;

		if (always_only && egress_never_rows[i].kind != EGRESS_NEVER_ALWAYS)
			continue;
		egress_never_range(&egress_never_rows[i], &range);
		add_never(r, &range);
	}
	for (size_t i = 0; i < p->n_host; i++)
		add_never(r, &p->host[i]);
	for (size_t i = 0; i < p->n_never; i++)
		add_never(r, &p->never[i]);
}

/* A tree wants the first address of each range, and the first behind it, if there is one. */
static void ranges_of(struct arena *a, const struct egress_policy *p, enum rules_set set,
		      struct rules_elements *out)
{
	bool always_only = set == SET_ALWAYS4 || set == SET_ALWAYS6;
	struct ranges r = {.family = sets[set].family};
	const box_address top = r.family == 4 ? UINT32_MAX : ~(box_address)0;

	add_all_never(&r, p, always_only);
	r.list = arena_array(a, r.n + 1, sizeof(*r.list));
	r.n = 0;
	add_all_never(&r, p, always_only);
	r.n = boxes_merge(r.list, r.n);
	out->list = arena_array(a, 2 * r.n + 1, sizeof(*out->list));
	out->n = 0;
	for (size_t i = 0; i < r.n; i++) {
		struct batch_element *x = &out->list[out->n++];

		x->len = r.family == 4 ? 4 : 16;
		box_bytes(r.list[i].first, r.family, x->key);
		if (r.list[i].last == top)
			continue;
		x = &out->list[out->n++];
		x->len = r.family == 4 ? 4 : 16;
		x->interval_end = true;
		box_bytes(r.list[i].last + 1, r.family, x->key);
	}
}

/* --- What is named, but for what is never reached in it ----------------------------------------
 */

struct pieces {
	struct arena *arena;
	const struct box_range *holes;
	size_t n_holes;
	struct egress_address *list;
	size_t n, max;
};

static void keep_piece(struct pieces *p, const struct egress_address *x)
{
	if (p->n == p->max) {
		size_t max = p->max ? p->max * 2 : 64;
		struct egress_address *more = arena_array(p->arena, max, sizeof(*more));

		if (p->n)
			memcpy(more, p->list, p->n * sizeof(*more));
		p->list = more;
		p->max = max;
	}
	p->list[p->n++] = *x;
}

/* Halves x until each piece is outside of all holes; holes are prefixes as x is. */
static void split(struct pieces *p, struct egress_address x)
{
	box_address first, last;
	bool has = false;

	box_ends(&x, &first, &last);
	for (size_t i = 0; i < p->n_holes; i++) {
		if (p->holes[i].first <= first && last <= p->holes[i].last)
			return;
		has = has || (first <= p->holes[i].first && p->holes[i].last <= last);
	}
	if (!has) {
		keep_piece(p, &x);
		return;
	}
	uint8_t bit = x.prefix++;
	split(p, x);
	x.bytes[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
	split(p, x);
}

/*
 * The ranges that a backed grant opens: of what who stands behind it has named that is the host's,
 * or never reached, only what he has named himself.
 */
static void pieces_of(struct arena *a, const struct ranges *never, const struct egress_grant *g,
		      struct pieces *out)
{
	const struct egress_address *named = g->named.family ? &g->named : &g->address;
	struct box_range *holes = NULL;
	box_address first, last;
	size_t n = 0;

	box_ends(named, &first, &last);
	if (first != last)
		holes = arena_array(a, never->n + 1, sizeof(*holes));
	for (size_t i = 0; holes && i < never->n; i++) {
		const struct box_range *x = &never->list[i];

		if (first <= x->first && x->last <= last && (first < x->first || x->last < last))
			holes[n++] = *x;
	}
	*out = (struct pieces){.arena = a, .holes = holes, .n_holes = n};
	split(out, g->address);
}

static void all_never(struct arena *a, const struct egress_policy *p, uint8_t family,
		      struct ranges *out)
{
	*out = (struct ranges){.family = family};
	add_all_never(out, p, false);
	out->list = arena_array(a, out->n + 1, sizeof(*out->list));
	out->n = 0;
	add_all_never(out, p, false);
}

static bool is_in(const struct egress_grant *g, uint8_t family, enum egress_backing backing)
{
	return !g->name && g->address.family == family && g->backing == backing;
}

/* What is to be opened; counts only where out is NULL. */
static size_t candidates(struct arena *a, const struct egress_policy *p, const struct ranges *never,
			 enum egress_backing backing, struct candidate *out)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_grants; i++) {
		const struct egress_grant *g = &p->grants[i];
		struct pieces whole = {.n = 1}, *from = &whole, parts;

		if (!is_in(g, never->family, backing))
			continue;
		if (backing == EGRESS_BACKED) {
			pieces_of(a, never, g, &parts);
			from = &parts;
		}
		for (size_t k = 0; k < from->n; k++) {
			struct egress_grant piece = *g;

			if (from->list)
				piece.address = from->list[k];
			n += out ? grant_boxes(&piece, out + n, n) : n_boxes_of(g);
		}
	}
	return n;
}

static int by_neighbour(const void *p, const void *q)
{
	const struct box *x = p, *y = q;
	uint64_t kind_x = (uint64_t)x->proto << 32 | (uint64_t)x->first_port << 16 | x->last_port;
	uint64_t kind_y = (uint64_t)y->proto << 32 | (uint64_t)y->first_port << 16 | y->last_port;

	if (kind_x != kind_y)
		return kind_x < kind_y ? -1 : 1;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return x->first < y->first ? -1 : x->first > y->first;
}

/* Pieces that touch are one range again: around one address in a /32 of IPv6 there are 96. */
static size_t join_boxes(struct box *list, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(list, n, sizeof(*list), by_neighbour);
	for (size_t i = 1; i < n; i++) {
		struct box *to = &list[kept];

		if (to->proto == list[i].proto && to->first_port == list[i].first_port &&
		    to->last_port == list[i].last_port && to->id == list[i].id &&
		    to->last + 1 == list[i].first)
			to->last = list[i].last;
		else
			list[++kept] = list[i];
	}
	return kept + 1;
}

static int boxes_of(struct arena *a, const struct egress_policy *p, enum rules_set set,
		    struct rules_elements *out, struct err *e)
{
	enum egress_backing backing =
		set == SET_CIDR4 || set == SET_CIDR6 ? EGRESS_BACKED : EGRESS_ASKED;
	uint8_t family = sets[set].family;
	struct ranges never;

	all_never(a, p, family, &never);
	for (size_t i = 0; i < p->n_grants; i++)
		if (is_in(&p->grants[i], family, backing) && !n_boxes_of(&p->grants[i]))
			return err_msg(e, EINVAL, "egress: %.64s: no ports", p->grants[i].text);
	size_t n = candidates(a, p, &never, backing, NULL);
	if (n > BOXES_MAX)
		return err_msg(e, E2BIG, "egress: more than %d ranges of addresses and ports",
			       BOXES_MAX);
	struct candidate *c = arena_array(a, n + 1, sizeof(*c));
	n = candidates(a, p, &never, backing, c);
	qsort(c, n, sizeof(*c), by_claim);
	struct box *list = arena_array(a, n + 1, sizeof(*list));
	for (size_t i = 0; i < n; i++)
		list[i] = c[i].box;
	if (boxes_disjoint(a, list, n, &list, &n, e) < 0)
		return -e->code;
	boxes_to_elements(a, list, join_boxes(list, n), out);
	return 0;
}

/* --- The others ------------------------------------------------------------------------------- */

static void add_id(struct rules_elements *to, uint32_t id, uint64_t ttl_ms)
{
	struct batch_element *x = &to->list[to->n++];

	x->len = sizeof(id);
	memcpy(x->key, &id, sizeof(id));
	x->timeout_ms = ttl_ms;
}

static void ids_of(struct arena *a, const struct egress_policy *p, struct rules_elements *out)
{
	*out = (struct rules_elements){arena_array(a, p->n_grants + 1, sizeof(*out->list)), 0};
	for (size_t i = 0; i < p->n_grants; i++)
		add_id(out, p->grants[i].id, p->grants[i].ttl_ms);
	if (p->n_ingress)
		add_id(out, EGRESS_ID_INGRESS, 0);
}

static void resolvers_of(struct arena *a, const struct egress_policy *p, uint8_t family,
			 struct rules_elements *out)
{
	static const uint8_t protos[] = {IPPROTO_UDP, IPPROTO_TCP};

	*out = (struct rules_elements){arena_array(a, 2 * p->n_resolvers + 1, sizeof(*out->list)),
				       0};
	for (size_t i = 0; i < p->n_resolvers; i++)
		for (size_t k = 0; k < LEN(protos) && p->resolvers[i].family == family; k++)
			rules_key(&p->resolvers[i], protos[k], DNS_PORT, &out->list[out->n++]);
}

int rules_elements_of(struct arena *a, const struct egress_policy *p, enum rules_set set,
		      struct rules_elements *out, struct err *e)
{
	*out = (struct rules_elements){0};
	switch (sets[set].kind) {
	case KIND_IDS:
		ids_of(a, p, out);
		return 0;
	case KIND_BOXES:
		return boxes_of(a, p, set, out, e);
	case KIND_RANGES:
		ranges_of(a, p, set, out);
		return 0;
	case KIND_IN:
		return sources(a, p, sets[set].family, out, e);
	case KIND_EXACT:
		resolvers_of(a, p, sets[set].family, out);
		return 0;
	case KIND_LEARNED:
	default:
		return 0; /* empty */
	}
}
