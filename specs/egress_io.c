/* The record egress.json: what holds, as one line; and the digest of it. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "specs/egress.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, MAX_BYTES = 4 << 20, MAX_ADDRESSES = 4096, MAX_INGRESS = 256 };
#define DIGEST "sha256:"

const char *const egress_connectivity_words[] = {"none", "veth", "pasta", "join", NULL};

struct record_grant {
	uint32_t id;
	const char *grant;
	bool backed;
};
struct record_limits {
	uint32_t rate, open, total;
	uint64_t bytes, bandwidth;
};
struct record {
	int32_t v;
	const char *digest, *net;
	bool ipv6, nxdomain, netdev_egress, resolves_inside;
	const struct record_grant *grants;
	size_t n_grants;
	const char *const *ingress, *const *resolvers, *const *host, *const *never;
	size_t n_ingress, n_resolvers, n_host, n_never;
	struct record_limits limits;
};

static const struct json_field record_grant_fields[] = {
	ROW_NUM(record_grant, "id", id, JSON_REQUIRED, JSON_U32, uint32_t),
	ROW_STR(record_grant, "grant", grant, JSON_REQUIRED),
	ROW_BOOL(record_grant, "backed", backed, JSON_REQUIRED),
};
TYPE_CLOSED(record_grant, NULL);

static const struct json_field record_limits_fields[] = {
	ROW_NUM(record_limits, "rate", rate, 0, JSON_U32, uint32_t),
	ROW_NUM(record_limits, "open", open, 0, JSON_U32, uint32_t),
	ROW_NUM(record_limits, "total", total, 0, JSON_U32, uint32_t),
	ROW_NUM(record_limits, "bytes", bytes, 0, JSON_U64, uint64_t),
	ROW_NUM(record_limits, "bandwidth", bandwidth, 0, JSON_U64, uint64_t),
};
TYPE_CLOSED(record_limits, NULL);

static int check_record(struct arena *a, void *object, struct err *e)
{
	const struct record *r = object;

	(void)a;
	if (r->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", r->v);
	if (!str_starts(r->digest, DIGEST) ||
	    strspn(r->digest + strlen(DIGEST), "0123456789abcdef") != 2 * SHA256_BYTES ||
	    strlen(r->digest) != strlen(DIGEST) + 2 * SHA256_BYTES)
		return err_msg(e, EINVAL, "digest: \"%.80s\" is none", r->digest);
	return 0;
}

static const struct json_field record_fields[] = {
	ROW_NUM(record, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(record, "digest", digest, JSON_REQUIRED),
	ROW_STR(record, "net", net, JSON_REQUIRED),
	ROW_BOOL(record, "ipv6", ipv6, JSON_REQUIRED),
	ROW_BOOL(record, "nxdomain", nxdomain, JSON_REQUIRED),
	ROW_BOOL(record, "netdev_egress", netdev_egress, JSON_REQUIRED),
	ROW_BOOL(record, "resolves_inside", resolves_inside, JSON_REQUIRED),
	ROW_OBJS(record, "grants", grants, n_grants, record_grant),
	ROW_STRS(record, "ingress", ingress, n_ingress, 0),
	ROW_SUB(record, "limits", limits, record_limits, 0),
	ROW_STRS(record, "resolvers", resolvers, n_resolvers, 0),
	ROW_STRS(record, "host", host, n_host, 0),
	ROW_STRS(record, "never", never, n_never, 0),
};
TYPE_CLOSED(record, check_record);

static const char *const *addresses_text(struct arena *a, const struct egress_address *x, size_t n)
{
	const char **list = arena_array(a, n + 1, sizeof(*list));

	for (size_t i = 0; i < n; i++)
		list[i] = egress_address_text(a, &x[i]);
	return list;
}

static const char *const *ingress_text(struct arena *a, const struct egress_policy *p)
{
	const char **list = arena_array(a, p->n_ingress + 1, sizeof(*list));

	for (size_t i = 0; i < p->n_ingress; i++)
		list[i] = egress_ingress_text(a, &p->ingress[i]);
	return list;
}

char *egress_print(struct arena *a, const struct egress_policy *p, size_t *len)
{
	struct record_grant *grants = arena_array(a, p->n_grants + 1, sizeof(*grants));

	for (size_t i = 0; i < p->n_grants; i++)
		grants[i] = (struct record_grant){p->grants[i].id, p->grants[i].text,
						  p->grants[i].backing == EGRESS_BACKED};
	const struct record r = {
		.v = FORMAT,
		.digest = p->digest,
		.net = egress_connectivity_words[p->net],
		.ipv6 = p->ipv6,
		.nxdomain = p->nxdomain,
		.netdev_egress = p->netdev_egress,
		.resolves_inside = p->resolves_inside,
		.grants = grants,
		.n_grants = p->n_grants,
		.ingress = ingress_text(a, p),
		.n_ingress = p->n_ingress,
		.limits = {p->limits.rate, p->limits.open, p->limits.total, p->limits.bytes,
			   p->limits.bandwidth},
		.resolvers = addresses_text(a, p->resolvers, p->n_resolvers),
		.n_resolvers = p->n_resolvers,
		.host = addresses_text(a, p->host, p->n_host),
		.n_host = p->n_host,
		.never = addresses_text(a, p->never, p->n_never),
		.n_never = p->n_never,
	};
	return json_print_object(a, &record_type_, &r, len);
}

static int take_grants(struct arena *a, const struct record *r, struct egress_policy *out,
		       struct err *e)
{
	struct egress_grant *grants = arena_array(a, r->n_grants + 1, sizeof(*grants));

	if (r->n_grants > EGRESS_MAX_GRANTS)
		return err_msg(e, E2BIG, "grants: %zu; %d are the most", r->n_grants,
			       EGRESS_MAX_GRANTS);
	for (size_t i = 0; i < r->n_grants; i++) {
		const struct record_grant *g = &r->grants[i];

		if (egress_grant_parse(a, g->grant, &grants[i], e) < 0)
			return err_wrap(e, "grants[%zu]", i);
		/* State, results and errors name a grant by its text: there is one for each. */
		if (!str_eq(grants[i].text, g->grant))
			return err_msg(e, EINVAL, "grants[%zu]: \"%.80s\" is not as brig writes it",
				       i, g->grant);
		if (g->id < EGRESS_ID_FIRST || g->id >= EGRESS_ID_INGRESS)
			return err_msg(e, ERANGE, "grants[%zu]: id: %u is no grant's", i, g->id);
		for (size_t j = 0; j < i; j++)
			if (grants[j].id == g->id)
				return err_msg(e, EINVAL, "grants[%zu]: id: %u is grants[%zu]'s", i,
					       g->id, j);
		grants[i].id = g->id;
		grants[i].backing = g->backed ? EGRESS_BACKED : EGRESS_ASKED;
		out->has_names = out->has_names || grants[i].name;
	}
	out->grants = grants;
	out->n_grants = r->n_grants;
	return 0;
}

static int take_ingress(struct arena *a, const struct record *r, struct egress_policy *out,
			struct err *e)
{
	struct egress_ingress *list = arena_array(a, r->n_ingress + 1, sizeof(*list));

	if (r->n_ingress > MAX_INGRESS)
		return err_msg(e, E2BIG, "ingress: %zu; %d are the most", r->n_ingress,
			       MAX_INGRESS);
	for (size_t i = 0; i < r->n_ingress; i++)
		if (egress_ingress_parse(a, r->ingress[i], &list[i], e) < 0)
			return err_wrap(e, "ingress[%zu]", i);
	out->ingress = list;
	out->n_ingress = r->n_ingress;
	return 0;
}

static int take_addresses(struct arena *a, const char *name, const char *const *texts, size_t n,
			  const struct egress_address **out, size_t *n_out, struct err *e)
{
	struct egress_address *list = arena_array(a, n + 1, sizeof(*list));

	if (n > MAX_ADDRESSES)
		return err_msg(e, E2BIG, "%s: %zu; %d are the most", name, n, MAX_ADDRESSES);
	for (size_t i = 0; i < n; i++)
		if (egress_address_parse(texts[i], &list[i], e) < 0)
			return err_wrap(e, "%s[%zu]", name, i);
	*out = list;
	*n_out = n;
	return 0;
}

static int take_net(const char *word, enum egress_connectivity *out, struct err *e)
{
	for (size_t i = 0; egress_connectivity_words[i]; i++)
		if (str_eq(egress_connectivity_words[i], word)) {
			*out = (enum egress_connectivity)i;
			return 0;
		}
	return err_msg(e, EINVAL, "net: \"%.40s\" is no such word", word);
}

int egress_parse(struct arena *a, const char *json, size_t len, struct egress_policy *out,
		 struct err *e)
{
	struct record rec = {0};
	int r = json_read(a, &record_type_, json, len, MAX_BYTES, &rec, e);

	if (r < 0)
		return r;
	*out = (struct egress_policy){
		.limits = {rec.limits.rate, rec.limits.open, rec.limits.total, rec.limits.bytes,
			   rec.limits.bandwidth},
		.ipv6 = rec.ipv6,
		.nxdomain = rec.nxdomain,
		.netdev_egress = rec.netdev_egress,
		.resolves_inside = rec.resolves_inside,
		.digest = rec.digest,
	};
	r = take_net(rec.net, &out->net, e);
	if (r == 0)
		r = take_grants(a, &rec, out, e);
	if (r == 0)
		r = take_ingress(a, &rec, out, e);
	if (r == 0)
		r = take_addresses(a, "resolvers", rec.resolvers, rec.n_resolvers, &out->resolvers,
				   &out->n_resolvers, e);
	if (r == 0)
		r = take_addresses(a, "host", rec.host, rec.n_host, &out->host, &out->n_host, e);
	if (r == 0)
		r = take_addresses(a, "never", rec.never, rec.n_never, &out->never, &out->n_never,
				   e);
	return r;
}

/* The record of what the digest is over, as text: facts of the host and paths left out. */
void egress_digest(struct arena *a, struct egress_policy *io)
{
	char hex[SHA256_HEX];
	struct egress_policy part = {
		.grants = io->grants,
		.n_grants = io->n_grants,
		.ingress = io->ingress,
		.n_ingress = io->n_ingress,
		.limits = io->limits,
		.never = io->never,
		.n_never = io->n_never,
		.digest = "",
	};
	size_t len;
	const char *text = egress_print(a, &part, &len);

	sha256_hex(text, len, hex);
	io->digest = arena_printf(a, DIGEST "%s", hex);
}
