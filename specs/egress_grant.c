/* One grant as text, and what it takes in. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/egress_ceiling.h"
#include "specs/egress_text.h"

enum { HTTPS = 443 };
#define MOST_TTL (UINT64_C(366) * 24 * 3600 * 1000)
/* In capitals only: cidr is a name as any other. */
#define CIDR "CIDR:"

/* What the text said of itself: a ceiling reads what is left out differently. */
struct given {
	bool ports, proto;
};

/* "ttl=30s", "private"; words are separated by one or more blanks. */
static int read_words(char *words, struct egress_grant *g, struct err *e)
{
	for (char *word = words, *next; word; word = next) {
		next = strchr(word, ' ');
		if (next)
			*next++ = '\0';
		if (!*word)
			continue;
		if (str_eq(word, "private")) {
			if (g->private_)
				return err_msg(e, EINVAL, "private: given twice");
			g->private_ = true;
		} else if (str_starts(word, "ttl=")) {
			if (g->ttl_ms)
				return err_msg(e, EINVAL, "ttl: given twice");
			if (!str_duration(word + 4, &g->ttl_ms))
				return err_msg(e, EINVAL,
					       "ttl: \"%.40s\" is no duration such as 30s or 1h",
					       word + 4);
			if (!g->ttl_ms || g->ttl_ms > MOST_TTL)
				return err_msg(e, ERANGE, "ttl: \"%.40s\": 1ms to 8784h", word + 4);
		} else {
			return err_msg(e, EINVAL, "unknown word \"%.40s\" (ttl=30s, private)",
				       word);
		}
	}
	return 0;
}

/*
 * The address at the front of text, which is ended there; *rest: what follows it, [:PORTS][/PROTO].
 */
static int split_address(char *text, char **address, char **rest, struct err *e)
{
	char *end;

	*address = text;
	if (*text == '[') {
		end = strchr(text, ']');
		if (!end)
			return err_msg(e, EINVAL, "\"%.80s\": no ] behind the address", text);
		if (!memchr(text, ':', (size_t)(end - text)))
			return err_msg(e, EINVAL, "\"%.80s\": brackets are for IPv6", text);
		*address = text + 1;
		*end = '\0';
		*rest = end + 1;
		return 0;
	}
	/* 192.0.2.0/24:443/tcp, 192.0.2.1/icmp; 2001:db8::/32/udp has colons of its own. */
	bool six = strchr(text, ':') && strchr(strchr(text, ':') + 1, ':');
	end = text + strcspn(text, six ? "/" : ":/");
	if (*end == '/' && strspn(end + 1, "0123456789"))
		end += 1 + strspn(end + 1, "0123456789");
	*rest = end;
	return 0;
}

static int read_addresses(struct arena *a, char *text, struct egress_grant *g, char **rest,
			  struct err *e)
{
	char *address;

	if (split_address(text, &address, rest, e) < 0)
		return -e->code;
	return egress_address_parse(
		*text == '[' ? address : arena_strndup(a, address, (size_t)(*rest - address)),
		&g->address, e);
}

static int read_name(struct arena *a, char *text, struct egress_grant *g, char **rest,
		     struct err *e)
{
	struct egress_address address;
	struct err not_one;

	if (strstr(text, "://"))
		return err_msg(e, EINVAL, "\"%.80s\" is a URL: a grant has the name alone", text);
	if (*text == '[' ||
	    (strchr(text, ':') && egress_address_parse(text, &address, &not_one) == 0))
		return err_msg(e, EINVAL, "\"%.80s\" is an address, not a name: write CIDR:%.80s",
			       text, text);
	*rest = text + strcspn(text, ":/");
	return egress_name_parse(a, arena_strndup(a, text, (size_t)(*rest - text)), &g->name,
				 &g->wild, e);
}

/* [:PORTS][/PROTO] */
static int read_ports(struct arena *a, const char *rest, struct egress_grant *g,
		      struct given *given, struct err *e)
{
	static const struct egress_ports https = {HTTPS, HTTPS};
	const char *slash = strchrnul(rest, '/');

	if (*rest && *rest != ':' && *rest != '/')
		return err_msg(e, EINVAL, "\"%.40s\": behind it come :PORTS and /PROTOCOL", rest);
	*given = (struct given){*rest == ':', *slash == '/'};
	g->proto = IPPROTO_TCP;
	if (given->proto && egress_proto_parse(slash + 1, &g->proto, e) < 0)
		return -e->code;
	if (g->proto == IPPROTO_ICMP)
		return given->ports ? err_msg(e, EINVAL, "icmp has no ports") : 0;
	g->ports = &https;
	g->n_ports = 1;
	if (!given->ports)
		return 0;
	return egress_ports_parse(a, rest + 1, (size_t)(slash - rest - 1), &g->ports, &g->n_ports,
				  e);
}

/* Sets of the kernel that learned addresses go to have no ranges: each port is one element. */
static int single_ports(struct arena *a, struct egress_grant *g, struct err *e)
{
	struct egress_ports *each = arena_array(a, EGRESS_MAX_PORTS, sizeof(*each));
	size_t n = 0;

	for (size_t i = 0; i < g->n_ports; i++)
		for (uint32_t port = g->ports[i].first; port <= g->ports[i].last; port++) {
			if (n == EGRESS_MAX_PORTS)
				return err_msg(e, E2BIG,
					       "\"%s\": a name takes %d ports at most; more and * "
					       "are for CIDR:",
					       g->name, EGRESS_MAX_PORTS);
			each[n++] = (struct egress_ports){(uint16_t)port, (uint16_t)port};
		}
	g->ports = each;
	g->n_ports = n;
	return 0;
}

static const char *target_text(struct arena *a, const struct egress_grant *g)
{
	static const char *const stars[] = {"", "*.", "**."};

	if (g->name)
		return arena_printf(a, "%s%s", stars[g->wild], g->name);
	return arena_printf(a, g->address.family == 6 ? CIDR "[%s]" : CIDR "%s",
			    egress_address_text(a, &g->address));
}

static const char *text_of(struct arena *a, const struct egress_grant *g)
{
	const char *text = target_text(a, g);

	if (g->proto != IPPROTO_ICMP)
		text = arena_printf(a, "%s:%s", text, egress_ports_text(a, g->ports, g->n_ports));
	text = arena_printf(a, "%s/%s", text, egress_proto_word(g->proto));
	if (g->ttl_ms)
		text = arena_printf(
			a, "%s ttl=%llu%s", text,
			(unsigned long long)(g->ttl_ms % 1000 ? g->ttl_ms : g->ttl_ms / 1000),
			g->ttl_ms % 1000 ? "ms" : "s");
	return g->private_ ? arena_printf(a, "%s private", text) : text;
}

/* Target, ports and words; what only one of the callers allows is his. */
static int read_grant(struct arena *a, const char *text, struct egress_grant *g,
		      struct given *given, struct err *e)
{
	enum { MAX_TEXT = 1024 };
	char *copy, *space, *rest;

	*g = (struct egress_grant){0};
	if (strlen(text) > MAX_TEXT)
		return err_msg(e, E2BIG, "\"%.40s...\": longer than %d bytes", text, MAX_TEXT);
	copy = arena_strdup(a, text);
	copy += strspn(copy, " ");
	if (!*copy)
		return err_msg(e, EINVAL, "\"\" is no name");
	space = strchr(copy, ' ');
	if (space)
		*space++ = '\0';
	int r = str_starts(copy, CIDR) ? read_addresses(a, copy + strlen(CIDR), g, &rest, e)
				       : read_name(a, copy, g, &rest, e);

	if (r == 0 && read_ports(a, rest, g, given, e) < 0)
		r = err_wrap(e, "\"%.80s\"", target_text(a, g));
	if (r == 0 && read_words(space, g, e) < 0)
		r = err_wrap(e, "\"%.80s\"", target_text(a, g));
	return r;
}

int egress_grant_parse(struct arena *a, const char *text, struct egress_grant *out, struct err *e)
{
	struct given given;

	if (read_grant(a, text, out, &given, e) < 0)
		return -e->code;
	if (out->name && out->proto == IPPROTO_ICMP)
		return err_msg(e, EINVAL, "\"%.80s\": icmp is for addresses: CIDR:ADDRESS/icmp",
			       out->name);
	if (!out->name && out->private_)
		return err_msg(e, EINVAL,
			       "\"%.80s\": private is for names; a range says itself "
			       "what it has",
			       target_text(a, out));
	if (out->name && single_ports(a, out, e) < 0)
		return -e->code;
	out->text = text_of(a, out);
	return 0;
}

static bool has_port(const struct egress_grant *g, const struct egress_ports *p)
{
	for (size_t i = 0; i < g->n_ports; i++)
		if (g->ports[i].first <= p->first && p->last <= g->ports[i].last)
			return true;
	return false;
}

/* Names of may's single ports touch without being one range. */
static bool covers_range(const struct egress_grant *may, const struct egress_ports *p)
{
	for (uint32_t port = p->first; port <= p->last; port++)
		if (!has_port(may, &(struct egress_ports){(uint16_t)port, (uint16_t)port}))
			return false;
	return true;
}

static bool covers_ports(const struct egress_grant *may, const struct egress_grant *asked)
{
	for (size_t i = 0; i < asked->n_ports; i++)
		if (!has_port(may, &asked->ports[i]) && !covers_range(may, &asked->ports[i]))
			return false;
	return true;
}

static bool covers_target(const struct egress_grant *may, const struct egress_grant *asked)
{
	if (!may->name || !asked->name)
		return !may->name && !asked->name &&
		       egress_address_within(&may->address, &asked->address);
	if (asked->wild == EGRESS_EXACT)
		return egress_name_matches(may, asked->name);
	if (str_eq(may->name, asked->name))
		return may->wild >= asked->wild;
	/* Everything below y, which is below x, is below x. */
	return may->wild == EGRESS_ANY_LABELS && egress_name_matches(may, asked->name);
}

bool egress_grant_covers(const struct egress_grant *may, const struct egress_grant *asked)
{
	return may->proto == asked->proto && covers_target(may, asked) && covers_ports(may, asked);
}

int egress_ceiling_parse(struct arena *a, const char *text, struct egress_ceiling *out,
			 struct err *e)
{
	struct given given;

	*out = (struct egress_ceiling){.kind = EGRESS_CEILING_PUBLIC};
	if (str_eq(text, "public"))
		return 0;
	out->kind = EGRESS_CEILING_ANY;
	if (str_eq(text, "any"))
		return 0;
	out->kind = EGRESS_CEILING_GRANT;
	if (read_grant(a, text, &out->grant, &given, e) < 0)
		return -e->code;
	struct egress_grant *g = &out->grant;
	if (g->ttl_ms)
		return err_msg(e, EINVAL, "\"%.80s\": ttl is for grants", target_text(a, g));
	const struct egress_never_row *row =
		g->name || !g->private_ ? NULL : egress_never_row_in(&g->address);
	if (row)
		return err_msg(e, EINVAL,
			       "\"%.80s\": private takes in %s (%s), which is named "
			       "itself or not at all",
			       target_text(a, g), row->range, row->what);
	out->all_ports = !given.ports;
	out->all_protos = !given.proto && !given.ports;
	g->text = arena_strdup(a, text);
	return 0;
}

static bool entry_covers(const struct egress_ceiling *c, const struct egress_grant *asked)
{
	return c->kind == EGRESS_CEILING_GRANT && covers_target(&c->grant, asked) &&
	       (c->all_protos || c->grant.proto == asked->proto) &&
	       (c->all_ports || covers_ports(&c->grant, asked));
}

const struct egress_never_row *egress_never_row_of(const struct egress_address *range)
{
	struct egress_address row;
	struct err e;

	for (size_t i = 0; i < n_egress_never_rows; i++)
		if (egress_address_parse(egress_never_rows[i].range, &row, &e) == 0 &&
		    egress_address_within(&row, range))
			return &egress_never_rows[i];
	return NULL;
}

const struct egress_never_row *egress_never_row_in(const struct egress_address *range)
{
	struct egress_address row;
	struct err e;

	for (size_t i = 0; i < n_egress_never_rows; i++)
		if (egress_address_parse(egress_never_rows[i].range, &row, &e) == 0 &&
		    range->prefix < row.prefix && egress_address_within(range, &row))
			return &egress_never_rows[i];
	return NULL;
}

enum egress_backing egress_backing_by_caller(const struct egress_grant *g)
{
	return g->name || !egress_never_row_in(&g->address) ? EGRESS_BACKED : EGRESS_ASKED;
}

const char *egress_ceiling_refuses(struct arena *a, const struct egress_ceiling *c, size_t n,
				   const struct egress_grant *asked)
{
	const struct egress_never_row *row =
		asked->name ? NULL : egress_never_row_of(&asked->address);
	bool beyond = false;

	for (size_t i = 0; i < n; i++) {
		if (c[i].kind == EGRESS_CEILING_ANY || entry_covers(&c[i], asked))
			return NULL;
		if (c[i].kind == EGRESS_CEILING_PUBLIC && !row)
			return NULL;
		beyond = beyond || c[i].kind == EGRESS_CEILING_PUBLIC;
	}
	if (beyond)
		return arena_printf(a,
				    "%s lies in %s (%s), and only \"public\" is within the "
				    "ceiling",
				    egress_address_text(a, &asked->address), row->range, row->what);
	return n ? "no entry of the ceiling covers it" : "the ceiling is empty";
}

const struct egress_ceiling *egress_ceiling_backer(const struct egress_ceiling *c, size_t n,
						   const struct egress_grant *asked)
{
	const struct egress_ceiling *best = NULL;

	for (size_t i = 0; i < n; i++)
		if (c[i].grant.private_ && entry_covers(&c[i], asked) &&
		    (!best || c[i].grant.address.prefix > best->grant.address.prefix))
			best = &c[i];
	return best;
}

bool egress_ceiling_backs(const struct egress_ceiling *c, size_t n,
			  const struct egress_grant *asked)
{
	return egress_ceiling_backer(c, n, asked);
}
