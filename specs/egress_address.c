/* Addresses, ports and protocols of grants as text. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/egress_ceiling.h"
#include "specs/egress_text.h"

enum { TOP_PORT = 65535 };

static const struct word protos[] = {
	{"tcp",  IPPROTO_TCP },
	{"udp",  IPPROTO_UDP },
	{"icmp", IPPROTO_ICMP},
	{NULL,   0           },
};

int egress_proto_parse(const char *word, uint8_t *out, struct err *e)
{
	const struct word *w = word_find(protos, word);

	if (!w)
		return err_msg(e, EINVAL, "\"%.40s\" is no protocol: tcp, udp or icmp", word);
	*out = (uint8_t)w->value;
	return 0;
}

const char *egress_proto_word(uint8_t proto)
{
	return word_name(protos, proto);
}

static int port_parse(const char *text, uint16_t *out, struct err *e)
{
	uint32_t n;

	if (!str_u32(text, &n))
		return err_msg(e, EINVAL, "\"%.40s\" is no port", text);
	if (!n || n > TOP_PORT)
		return err_msg(e, ERANGE, "port %u: ports are 1 to %d", n, TOP_PORT);
	*out = (uint16_t)n;
	return 0;
}

/* PORT or PORT-PORT */
static int range_parse(char *word, struct egress_ports *out, struct err *e)
{
	char *dash = strchr(word, '-');

	if (dash)
		*dash = '\0';
	if (port_parse(word, &out->first, e) < 0)
		return -e->code;
	out->last = out->first;
	if (dash && port_parse(dash + 1, &out->last, e) < 0)
		return -e->code;
	if (out->last < out->first)
		return err_msg(e, EINVAL, "ports %u-%u: the first one is the smaller one",
			       out->first, out->last);
	return 0;
}

static int by_first(const void *x, const void *y)
{
	const struct egress_ports *a = x, *b = y;

	return (a->first > b->first) - (a->first < b->first);
}

int egress_ports_parse(struct arena *a, const char *text, size_t n, const struct egress_ports **out,
		       size_t *n_out, struct err *e)
{
	struct egress_ports *p = arena_array(a, EGRESS_MAX_PORTS, sizeof(*p));
	char *words = arena_strndup(a, text, n);
	size_t count = 0, kept = 0;

	*out = p;
	*n_out = 1;
	p[0] = (struct egress_ports){1, TOP_PORT};
	if (str_eq(words, "*"))
		return 0;
	for (char *word = words, *next; word; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		if (count == EGRESS_MAX_PORTS)
			return err_msg(e, E2BIG, "more than %d ports and ranges", EGRESS_MAX_PORTS);
		if (range_parse(word, &p[count++], e) < 0)
			return -e->code;
	}
	qsort(p, count, sizeof(*p), by_first);
	for (size_t i = 1; i < count; i++) {
		if (p[i].first > p[kept].last + 1)
			p[++kept] = p[i];
		else if (p[i].last > p[kept].last)
			p[kept].last = p[i].last;
	}
	*n_out = kept + 1;
	return 0;
}

const char *egress_ports_text(struct arena *a, const struct egress_ports *ports, size_t n)
{
	const char *text = "";

	if (!n || (n == 1 && ports[0].first <= 1 && ports[0].last == TOP_PORT))
		return "*";
	for (size_t i = 0; i < n; i++) {
		const char *comma = i ? "," : "";
		uint16_t first = ports[i].first;

		/* The single ports of a name are read back as they were given. */
		while (i + 1 < n && ports[i + 1].first == ports[i].last + 1)
			i++;
		text = first == ports[i].last
			       ? arena_printf(a, "%s%s%u", text, comma, first)
			       : arena_printf(a, "%s%s%u-%u", text, comma, first, ports[i].last);
	}
	return text;
}

static uint8_t mask_of(const struct egress_address *x, size_t byte)
{
	size_t bits = byte * 8;

	if (x->prefix >= bits + 8)
		return 0xff;
	if (x->prefix <= bits)
		return 0;
	return (uint8_t)(0xff << (8 - (x->prefix - bits)));
}

static bool cut_host_bits(struct egress_address *x)
{
	bool any = false;

	for (size_t i = 0; i < sizeof(x->bytes); i++) {
		uint8_t kept = x->bytes[i] & mask_of(x, i);

		any = any || kept != x->bytes[i];
		x->bytes[i] = kept;
	}
	return any;
}

static void print_address(const struct egress_address *x, char out[INET6_ADDRSTRLEN + 4])
{
	char plain[INET6_ADDRSTRLEN] = "?";

	(void)inet_ntop(x->family == 6 ? AF_INET6 : AF_INET, x->bytes, plain, sizeof(plain));
	if (x->prefix == (x->family == 6 ? 128 : 32))
		(void)snprintf(out, INET6_ADDRSTRLEN + 4, "%s", plain);
	else
		(void)snprintf(out, INET6_ADDRSTRLEN + 4, "%s/%u", plain, x->prefix);
}

const char *egress_address_text(struct arena *a, const struct egress_address *address)
{
	char text[INET6_ADDRSTRLEN + 4];

	print_address(address, text);
	return arena_strdup(a, text);
}

int egress_address_parse(const char *text, struct egress_address *out, struct err *e)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	size_t n = strcspn(text, "/");
	char plain[INET6_ADDRSTRLEN], right[INET6_ADDRSTRLEN + 4];

	*out = (struct egress_address){.family = strchr(text, ':') ? 6 : 4};
	uint8_t most = out->family == 6 ? 128 : 32;
	uint32_t bits = most;
	if (n >= sizeof(plain))
		return err_msg(e, EINVAL, "\"%.60s\" is no address", text);
	memcpy(plain, text, n);
	plain[n] = '\0';
	if (inet_pton(out->family == 6 ? AF_INET6 : AF_INET, plain, out->bytes) != 1)
		return err_msg(e, EINVAL, "\"%.60s\" is no address", text);
	if (text[n] && (!str_u32(text + n + 1, &bits) || bits > most))
		return err_msg(e, EINVAL, "\"%.60s\": \"%.10s\" is no number of bits from 0 to %u",
			       text, text + n + 1, most);
	out->prefix = (uint8_t)bits;
	/* Such packets are IPv4 ones to every filter. */
	if (out->family == 6 && out->prefix >= 96 &&
	    memcmp(out->bytes, mapped, sizeof(mapped)) == 0)
		return err_msg(e, EINVAL, "\"%.60s\" is an IPv4 address: write it as one", text);
	if (!cut_host_bits(out))
		return 0;
	print_address(out, right);
	return err_msg(e, EINVAL, "\"%.60s\": bits behind the first %u are set; the range is %s",
		       text, out->prefix, right);
}

bool egress_address_within(const struct egress_address *range, const struct egress_address *a)
{
	if (range->family != a->family || range->prefix > a->prefix)
		return false;
	for (size_t i = 0; i < (range->family == 6 ? 16 : 4); i++)
		if ((a->bytes[i] & mask_of(range, i)) != (range->bytes[i] & mask_of(range, i)))
			return false;
	return true;
}

int egress_from_parse(const char *text, enum egress_from *from, struct egress_address *address,
		      struct err *e)
{
	*address = (struct egress_address){0};
	*from = str_eq(text, "node")  ? EGRESS_FROM_NODE
		: str_eq(text, "any") ? EGRESS_FROM_ANY
				      : EGRESS_FROM_ADDRESS;
	if (*from != EGRESS_FROM_ADDRESS || egress_address_parse(text, address, e) == 0)
		return 0;
	return strpbrk(text, "./:")
		       ? -e->code
		       : err_msg(e, EINVAL, "\"%.60s\" is none of node, any and an address", text);
}

int egress_ingress_parse(struct arena *a, const char *text, struct egress_ingress *out,
			 struct err *e)
{
	char *words = arena_strdup(a, text), *space = strchr(words, ' '), *slash;

	*out = (struct egress_ingress){.from = EGRESS_FROM_ANY, .proto = IPPROTO_TCP};
	if (space) {
		*space++ = '\0';
		if (!str_starts(space, "from="))
			return err_msg(e, EINVAL,
				       "unknown word \"%.40s\" (from=node, from=any, "
				       "from=ADDRESS)",
				       space);
		if (egress_from_parse(space + strlen("from="), &out->from, &out->address, e) < 0)
			return err_wrap(e, "from");
	}
	slash = strchr(words, '/');
	if (slash) {
		*slash++ = '\0';
		if (egress_proto_parse(slash, &out->proto, e) < 0)
			return -e->code;
	}
	if (out->proto == IPPROTO_ICMP)
		return err_msg(e, EINVAL, "icmp: ports inward are of tcp or udp");
	if (str_eq(words, "*"))
		return 0;
	return egress_ports_parse(a, words, strlen(words), &out->ports, &out->n_ports, e);
}

const char *egress_ingress_text(struct arena *a, const struct egress_ingress *in)
{
	const char *what = arena_printf(a, "%s/%s", egress_ports_text(a, in->ports, in->n_ports),
					egress_proto_word(in->proto));

	if (in->from == EGRESS_FROM_ANY)
		return what;
	return arena_printf(a, "%s from=%s", what,
			    in->from == EGRESS_FROM_NODE ? "node"
							 : egress_address_text(a, &in->address));
}
