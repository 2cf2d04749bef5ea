/* Grants and connections inward as JSON (annotations, documents): put as text, one for each. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"
#include "specs/table.h"

enum { MAX_BYTES = 1 << 20 };

/* What a grant has in JSON; ports: "443", "8000-8100". */
struct grant {
	const char *name, *cidr, *proto, *ttl;
	const char *const *ports;
	size_t n_ports;
	bool is_private;
};

/* What is put together below must not bring words of its own. */
static int check_part(const char *name, const char *text, const char *bad, struct err *e)
{
	if (text && text[strcspn(text, bad)])
		return err_msg(e, EINVAL, "%s: \"%.80s\" has a \"%c\"", name, text,
			       text[strcspn(text, bad)]);
	return 0;
}

static int grant_text(struct arena *a, const struct grant *g, const char **out, struct err *e)
{
	const char *text = g->name, *ports = "";

	if (check_part("name", g->name, " :/[]", e) < 0 ||
	    check_part("cidr", g->cidr, " []", e) < 0 ||
	    check_part("protocol", g->proto, " :", e) < 0 || check_part("ttl", g->ttl, " ", e) < 0)
		return -e->code;
	if (!text)
		text = arena_printf(a, strchr(g->cidr, ':') ? "CIDR:[%s]" : "CIDR:%s", g->cidr);
	else if (!*text)
		return err_msg(e, EINVAL, "\"\" is no name");
	if (g->n_ports > EGRESS_MAX_PORTS)
		return err_msg(e, E2BIG, "more than %d ports and ranges", EGRESS_MAX_PORTS);
	for (size_t i = 0; i < g->n_ports; i++) {
		if (check_part("port", g->ports[i], " /,", e) < 0)
			return -e->code;
		ports = arena_printf(a, "%s%s%s", ports, i ? "," : ":", g->ports[i]);
	}
	*out = arena_printf(a, "%s%s%s%s%s%s%s", text, ports, g->proto ? "/" : "",
			    g->proto ? g->proto : "", g->ttl ? " ttl=" : "", g->ttl ? g->ttl : "",
			    g->is_private ? " private" : "");
	return 0;
}

/* FROM, ports and protocol as egress_ingress_parse() reads them. */
static int ingress_text(struct arena *a, const char *from, const struct grant *g, const char **out,
			struct err *e)
{
	const char *ports = g->n_ports ? "" : "*";

	if (check_part("from", from, " ", e) < 0 || check_part("protocol", g->proto, " ", e) < 0)
		return -e->code;
	if (g->n_ports > EGRESS_MAX_PORTS)
		return err_msg(e, E2BIG, "more than %d ports and ranges", EGRESS_MAX_PORTS);
	for (size_t i = 0; i < g->n_ports; i++) {
		if (check_part("port", g->ports[i], " /,", e) < 0)
			return -e->code;
		ports = arena_printf(a, "%s%s%s", ports, i ? "," : "", g->ports[i]);
	}
	*out = arena_printf(a, "%s%s%s from=%s", ports, g->proto ? "/" : "",
			    g->proto ? g->proto : "", from);
	return 0;
}

/* Where no protocol is said both have their rule. */
static int add_ingress(struct arena *a, const char *from, const struct grant *g, const char **list,
		       size_t *n, struct err *e)
{
	static const char *const both[] = {"tcp", "udp"};
	struct grant one = *g;

	if (g->proto)
		return ingress_text(a, from, g, &list[(*n)++], e);
	for (size_t i = 0; i < LEN(both); i++) {
		one.proto = both[i];
		if (ingress_text(a, from, &one, &list[(*n)++], e) < 0)
			return -e->code;
	}
	return 0;
}

/* --- annotations -------------------------------------------------------------------------- */

struct port_item {
	const char *port;
};
struct egress_item {
	const char *name, *cidr, *proto, *ttl;
	const bool *is_private;
	const struct port_item *ports;
	size_t n_ports;
};
struct ingress_item {
	const char *from, *proto;
	const struct port_item *ports;
	size_t n_ports;
};
struct lists {
	const struct egress_item *egress;
	const struct ingress_item *ingress;
	size_t n_egress, n_ingress;
};

static int check_port_item(struct arena *a, void *object, struct err *e)
{
	const struct port_item *p = object;

	(void)a;
	return p->port ? 0 : err_msg(e, EINVAL, "not a port");
}

static int check_egress_item(struct arena *a, void *object, struct err *e)
{
	const struct egress_item *g = object;

	(void)a;
	if (!g->name == !g->cidr)
		return err_msg(e, EINVAL, g->name ? "d, cidr: one of them" : "d: missing");
	return 0;
}

static const struct json_field port_item_fields[] = {
	ROW_TEXT(port_item, "port", port),
};
TYPE_CLOSED(port_item, check_port_item);
static const struct json_field egress_item_fields[] = {
	ROW_STR(egress_item, "d", name, 0),
	ROW_STR(egress_item, "cidr", cidr, 0),
	ROW_SHORT(egress_item, "p", ports, n_ports, port_item, JSON_SHORT),
	ROW_STR(egress_item, "proto", proto, 0),
	ROW_STR(egress_item, "ttl", ttl, 0),
	ROW_OPT(egress_item, "private", is_private, JSON_BOOL, bool),
};
TYPE_CLOSED(egress_item, check_egress_item);
static const struct json_field ingress_item_fields[] = {
	ROW_STR(ingress_item, "from", from, JSON_REQUIRED),
	ROW_SHORT(ingress_item, "ports", ports, n_ports, port_item, JSON_SHORT),
	ROW_STR(ingress_item, "proto", proto, 0),
};
TYPE_CLOSED(ingress_item, NULL);
static const struct json_field lists_fields[] = {
	ROW_OBJS(lists, "egress", egress, n_egress, egress_item),
	ROW_OBJS(lists, "ingress", ingress, n_ingress, ingress_item),
};
TYPE_CLOSED(lists, NULL);

static const char *const *ports_of(struct arena *a, const struct port_item *p, size_t n)
{
	const char **out = arena_array(a, n + 1, sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = p[i].port;
	return out;
}

static int read_lists(struct arena *a, const char *name, const char *text, struct lists *out,
		      struct err *e)
{
	const char *json = arena_printf(a, "{\"%s\":%s}", name, text);

	*out = (struct lists){0};
	int r = json_read(a, &lists_type_, json, strlen(json), MAX_BYTES, out, e);

	/* Text that goes on behind its list. */
	if (r == 0 && out->egress && out->ingress)
		return err_msg(e, EINVAL, "%s: more than a list", name);
	return r;
}

int wish_egress_list(struct arena *a, const char *text, void *to, struct err *e)
{
	struct policy_wishes *w = to;
	struct lists l;

	if (read_lists(a, "egress", text, &l, e) < 0)
		return -e->code;
	const char **list = arena_array(a, l.n_egress + 1, sizeof(*list));
	for (size_t i = 0; i < l.n_egress; i++) {
		const struct egress_item *x = &l.egress[i];
		const struct grant g = {
			.name = x->name,
			.cidr = x->cidr,
			.proto = x->proto,
			.ttl = x->ttl,
			.ports = ports_of(a, x->ports, x->n_ports),
			.n_ports = x->n_ports,
			.is_private = x->is_private && *x->is_private,
		};

		if (grant_text(a, &g, &list[i], e) < 0)
			return err_wrap(e, "egress[%zu]", i);
	}
	w->egress = list;
	w->n_egress = l.n_egress;
	return 0;
}

int wish_ingress_list(struct arena *a, const char *text, void *to, struct err *e)
{
	struct policy_wishes *w = to;
	struct lists l;
	size_t n = 0;

	w->no_ingress = str_eq(text, "false");
	w->n_ingress = 0;
	if (w->no_ingress)
		return 0;
	if (read_lists(a, "ingress", text, &l, e) < 0)
		return -e->code;
	const char **list = arena_array(a, 2 * l.n_ingress + 1, sizeof(*list));
	for (size_t i = 0; i < l.n_ingress; i++) {
		const struct ingress_item *x = &l.ingress[i];
		const struct grant g = {.proto = x->proto,
					.ports = ports_of(a, x->ports, x->n_ports),
					.n_ports = x->n_ports};

		if (add_ingress(a, x->from, &g, list, &n, e) < 0)
			return err_wrap(e, "ingress[%zu]", i);
	}
	w->ingress = list;
	w->n_ingress = n;
	w->no_ingress = !l.n_ingress;
	return 0;
}

/* --- documents ---------------------------------------------------------------------------- */

/* Platforms write TCP. */
static const char *lower(struct arena *a, const char *word)
{
	char *copy = arena_strdup(a, word);

	for (char *p = copy; p && *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return copy;
}

/* Ports of different protocols are different grants: calls each for every protocol there is. */
struct by_proto {
	struct arena *a;
	const struct policy_doc_port *ports;
	size_t n_ports;
	const char *proto; /* of ports that say none; NULL: the default */
};

static const char *proto_of(const struct by_proto *b, size_t i)
{
	return b->ports[i].protocol ? lower(b->a, b->ports[i].protocol) : b->proto;
}

static bool same(const char *x, const char *y)
{
	return x && y ? str_eq(x, y) : x == y;
}

/* The ports of the i-th one's protocol, if it is the first of it; false: it is not. */
static bool ports_from(const struct by_proto *b, size_t i, struct grant *out)
{
	const char **list = arena_array(b->a, EGRESS_MAX_PORTS + 2, sizeof(*list));

	out->proto = proto_of(b, i);
	out->ports = list;
	out->n_ports = 0;
	for (size_t j = 0; j < i; j++)
		if (same(proto_of(b, j), out->proto))
			return false;
	for (size_t j = i; j < b->n_ports && out->n_ports <= EGRESS_MAX_PORTS; j++)
		if (same(proto_of(b, j), out->proto))
			list[out->n_ports++] = b->ports[j].port;
	return true;
}

struct out {
	const char **list;
	size_t n, room;
};

static const char **more(struct arena *a, struct out *o)
{
	if (o->n == o->room) {
		size_t room = o->room ? o->room * 2 : 16;
		const char **list = arena_array(a, room, sizeof(*list));

		if (o->n)
			memcpy(list, o->list, o->n * sizeof(*list));
		o->list = list;
		o->room = room;
	}
	return &o->list[o->n++];
}

static int add_egress(struct arena *a, const struct grant *what,
		      const struct policy_doc_port *ports, size_t n_ports, struct out *o,
		      struct err *e)
{
	const struct by_proto b = {a, ports, n_ports, what->proto};
	struct grant g = *what;

	if (n_ports > 2 * EGRESS_MAX_PORTS)
		return err_msg(e, E2BIG, "ports: more than %d", 2 * EGRESS_MAX_PORTS);
	if (!n_ports)
		return grant_text(a, &g, more(a, o), e);
	for (size_t i = 0; i < n_ports; i++)
		if (ports_from(&b, i, &g) && grant_text(a, &g, more(a, o), e) < 0)
			return -e->code;
	return 0;
}

static int doc_egress(struct arena *a, const struct policy_doc_network *n,
		      struct policy_wishes *out, struct err *e)
{
	struct out o = {0};

	(void)more(a, &o); /* an empty list was asked for, an absent one was not */
	o.n = 0;
	for (size_t i = 0; i < n->n_egress; i++) {
		const struct policy_doc_egress *x = &n->egress[i];
		const struct grant g = {
			.name = x->domain,
			.cidr = x->cidr,
			.proto = lower(a, x->protocol),
			.ttl = x->ttl,
			.is_private = x->is_private && *x->is_private,
		};

		if (add_egress(a, &g, x->ports, x->n_ports, &o, e) < 0)
			return err_wrap(e, "egress[%zu]", i);
	}
	for (size_t i = 0; i < n->n_allowed_domains; i++) {
		const struct grant g = {.name = n->allowed_domains[i]};

		if (add_egress(a, &g, n->allowed_ports, n->n_allowed_ports, &o, e) < 0)
			return err_wrap(e, "allowedDomains[%zu]", i);
	}
	out->egress = n->egress || n->allowed_domains ? o.list : NULL;
	out->n_egress = o.n;
	return 0;
}

static int doc_ingress(struct arena *a, const struct policy_doc_network *n,
		       struct policy_wishes *out, struct err *e)
{
	struct out o = {0};

	for (size_t i = 0; i < n->n_ingress; i++) {
		const struct policy_doc_ingress *x = &n->ingress[i];
		const struct by_proto b = {a, x->ports, x->n_ports, lower(a, x->protocol)};
		const char *from = !x->from || str_eq(x->from, "true") ? "any" : x->from, *pair[2];
		struct grant g = {.proto = b.proto};

		if (str_eq(from, "false")) {
			if (n->n_ingress > 1)
				return err_msg(e, EINVAL, "ingress[%zu]: false stands alone", i);
			break;
		}
		if (x->n_ports > 2 * EGRESS_MAX_PORTS)
			return err_msg(e, E2BIG, "ingress[%zu]: ports: more than %d", i,
				       2 * EGRESS_MAX_PORTS);
		for (size_t j = 0; j < (x->n_ports ? x->n_ports : 1); j++) {
			size_t made = 0;

			if (x->n_ports && !ports_from(&b, j, &g))
				continue;
			if (add_ingress(a, from, &g, pair, &made, e) < 0)
				return err_wrap(e, "ingress[%zu]", i);
			for (size_t k = 0; k < made; k++)
				*more(a, &o) = pair[k];
		}
	}
	out->ingress = o.list;
	out->n_ingress = o.n;
	out->no_ingress = n->ingress && !o.n;
	return 0;
}

/* Switches of platforms whose other position there is not, said rather than ignored. */
static int doc_switches(const struct policy_doc_network *n, const struct policy_wishes *w,
			struct err *e)
{
	if (n->deny_by_default && !*n->deny_by_default)
		return err_msg(e, ENOTSUP,
			       "denyByDefault: only true is possible: what may be "
			       "reached is listed");
	if (n->block_kube_api && !*n->block_kube_api)
		return err_msg(e, ENOTSUP,
			       "blockKubeAPI: only true is possible: list its name or "
			       "address in egress");
	if (n->allow_dns && !*n->allow_dns)
		for (size_t i = 0; i < w->n_egress; i++)
			if (!str_starts(w->egress[i], "CIDR:"))
				return err_msg(e, EINVAL,
					       "allowDNS: false, but \"%.80s\" is a name",
					       w->egress[i]);
	if (n->n_allowed_ports && !n->n_allowed_domains)
		return err_msg(e, EINVAL, "allowedPorts: of no name in allowedDomains");
	return 0;
}

int wish_doc_network(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		     struct err *e)
{
	const struct policy_doc_network *n = &d->network;

	if (doc_egress(a, n, out, e) < 0 || doc_ingress(a, n, out, e) < 0 ||
	    doc_switches(n, out, e) < 0)
		return err_wrap(e, "networkAccess");
	return 0;
}
