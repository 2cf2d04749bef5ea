/* The record egress.json and its digest. */
#include <netinet/in.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "specs/egress.h"

#define DIGEST "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD                                                                                       \
	"{\"v\":1,\"digest\":\"" DIGEST "\",\"net\":\"veth\",\"ipv6\":true,\"nxdomain\":false,"    \
	"\"netdev_egress\":false,\"resolves_inside\":true"

static struct egress_policy sample(struct arena *a)
{
	static const char *const texts[] = {"api.example.org:80,443 ttl=30s", "*.example.net",
					    "CIDR:[2001:db8::/32]:*/udp", "CIDR:192.0.2.1/icmp"};
	struct egress_grant *grants = arena_array(a, LEN(texts), sizeof(*grants));
	struct egress_ingress *in = arena_array(a, 1, sizeof(*in));
	struct egress_address *host = arena_array(a, 2, sizeof(*host));
	struct err e;

	for (size_t i = 0; i < LEN(texts); i++) {
		CHECK(egress_grant_parse(a, texts[i], &grants[i], &e) == 0);
		grants[i].id = EGRESS_ID_FIRST + (uint32_t)i;
		grants[i].backing = i % 2 ? EGRESS_BACKED : EGRESS_ASKED;
	}
	CHECK(egress_ingress_parse(a, "8080 from=node", in, &e) == 0);
	CHECK(egress_address_parse("192.0.2.9", &host[0], &e) == 0);
	CHECK(egress_address_parse("2001:db8::9", &host[1], &e) == 0);
	return (struct egress_policy){
		.grants = grants,
		.n_grants = LEN(texts),
		.ingress = in,
		.n_ingress = 1,
		.limits = {50, 256, 1000, 1 << 20, 1 << 10},
		.ipv6 = true,
		.nxdomain = true,
		.net = EGRESS_NET_JOIN,
		.resolves_inside = true,
		.resolvers = host,
		.n_resolvers = 1,
		.host = host,
		.n_host = 2,
		.never = host + 1,
		.n_never = 1,
	};
}

static void round_trip(struct arena *a)
{
	struct egress_policy p = sample(a), back;
	struct err e = {0};
	size_t len, again;

	egress_digest(a, &p);
	const char *text = egress_print(a, &p, &len);
	int r = egress_parse(a, text, len, &back, &e);
	CHECK(r == 0);
	if (r < 0) {
		printf("# %s\n", e.msg);
		return;
	}
	CHECK(back.n_grants == 4 && back.has_names && back.grants[3].proto == IPPROTO_ICMP);
	CHECK(back.grants[1].backing == EGRESS_BACKED && back.grants[1].wild == EGRESS_ONE_LABEL);
	CHECK(back.grants[0].ttl_ms == 30000 && back.grants[0].n_ports == 2);
	CHECK(back.net == EGRESS_NET_JOIN && back.limits.bandwidth == 1 << 10);
	CHECK(back.ingress[0].from == EGRESS_FROM_NODE && back.ingress[0].ports[0].first == 8080);
	CHECK_STR(egress_print(a, &back, &again), text);
	egress_digest(a, &back);
	CHECK_STR(back.digest, p.digest);
}

static void digests(struct arena *a)
{
	struct egress_policy p = sample(a), other = p;
	struct egress_grant grant = p.grants[0];

	egress_digest(a, &p);
	/* Facts of the host and the way out are no part of it. */
	other.n_host = 0;
	other.n_resolvers = 0;
	other.net = EGRESS_NET_VETH;
	egress_digest(a, &other);
	CHECK_STR(other.digest, p.digest);
	other.n_never = 0;
	egress_digest(a, &other);
	CHECK(!str_eq(other.digest, p.digest));
	other = p;
	other.limits.rate++;
	egress_digest(a, &other);
	CHECK(!str_eq(other.digest, p.digest));
	other = p;
	grant.backing = EGRESS_BACKED;
	other.grants = &grant;
	other.n_grants = 1;
	egress_digest(a, &other);
	grant.backing = EGRESS_ASKED;
	const char *backed = other.digest;
	egress_digest(a, &other);
	CHECK(!str_eq(other.digest, backed));
}

static void refused(struct arena *a)
{
	static const struct {
		const char *json, *message;
	} rows[] = {
		{"{}",											      "v: missing"                            },
		{"{\"v\":2,\"digest\":\"" DIGEST "\",\"net\":\"veth\",\"ipv6\":true,\"nxdomain\":"
		 "false,\"netdev_egress\":false,\"resolves_inside\":true}",			"v: format 2 is not known"              },
		{HEAD ",\"more\":1}",									       "more: unknown"                         },
		{HEAD ",\"grants\":[{\"id\":11665409,\"grant\":\"a.example\",\"backed\":true}]}",
		 "grants[0]: \"a.example\" is not as brig writes it"											},
		{HEAD ",\"grants\":[{\"id\":1,\"grant\":\"a.example:443/tcp\",\"backed\":true}]}",
		 "grants[0]: id: 1 is no grant's"													   },
		{HEAD ",\"grants\":[{\"id\":11665409,\"grant\":\"*\",\"backed\":true}]}",
		 "grants[0]: \"*\": a wildcard needs a name behind it"										      },
		{HEAD ",\"grants\":[{\"id\":11665409,\"grant\":\"a.example:443/tcp\",\"backed\":"
		      "true},{\"id\":11665409,\"grant\":\"b.example:443/tcp\",\"backed\":true}]}", "grants[1]: id: 11665409 is grants[0]'s"},
		{HEAD ",\"ingress\":[\"80 from=me\"]}",
		 "ingress[0]: from: \"me\" is none of node, any and an address"                                                                             },
		{HEAD ",\"resolvers\":[\"one\"]}",								  "resolvers[0]: \"one\" is no address"   },
		{HEAD ",\"limits\":{\"rate\":-1}}",								 "limits: rate: -1 does not fit"         },
	};
	struct egress_policy p;
	struct err e;

	for (size_t i = 0; i < LEN(rows); i++) {
		int r = egress_parse(a, rows[i].json, strlen(rows[i].json), &p, &e);

		CHECK(r < 0);
		if (r < 0)
			CHECK_STR(e.msg, rows[i].message);
	}
}

int main(void)
{
	own_arena struct arena a = {0};

	round_trip(&a);
	digests(&a);
	refused(&a);
	return check_done();
}
