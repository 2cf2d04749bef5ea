/*
 * Grants, connections inward, entries of a ceiling, a resolv.conf, the record egress.json: an error
 * in words, or something whose own text means the same.  The first byte chooses which.
 */
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "plan_egress_facts.h"
#include "specs/egress.h"
#include "specs/egress_ceiling.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

/* The shape that rules and resolver build on. */
static void check_grant(const struct egress_grant *g)
{
	must(!g->name == (g->address.family == 4 || g->address.family == 6));
	must(g->proto == IPPROTO_ICMP ? !g->n_ports && !g->name : g->n_ports > 0);
	must(g->n_ports <= EGRESS_MAX_PORTS && (!g->private_ || g->name));
	for (size_t i = 0; i < g->n_ports; i++) {
		must(g->ports[i].first && g->ports[i].first <= g->ports[i].last);
		must(!i || g->ports[i - 1].last < g->ports[i].first);
		must(!g->name || g->ports[i].first == g->ports[i].last);
	}
	if (!g->name)
		return;
	must(*g->name && strlen(g->name) <= EGRESS_NAME_MAX);
	must(g->name[strlen(g->name) - 1] != '.');
	must(g->name[strspn(g->name, "abcdefghijklmnopqrstuvwxyz0123456789-_.")] == '\0');
	must(!strstr(g->name, ".."));
	must(egress_name_matches(g, g->name) == (g->wild == EGRESS_EXACT));
}

static int grant(struct arena *a, const char *text, struct err *e)
{
	struct egress_grant g, again;
	int r = egress_grant_parse(a, text, &g, e);

	if (r < 0)
		return r;
	check_grant(&g);
	must(egress_grant_parse(a, g.text, &again, e) == 0 && str_eq(g.text, again.text));
	must(egress_grant_covers(&g, &again) && egress_grant_covers(&again, &g));
	must(g.ttl_ms == again.ttl_ms && g.private_ == again.private_);
	(void)egress_shared_zone(&g);
	return 0;
}

static int ingress(struct arena *a, const char *text, struct err *e)
{
	struct egress_ingress in;
	int r = egress_ingress_parse(a, text, &in, e);

	if (r < 0)
		return r;
	const char *own = egress_ingress_text(a, &in);
	must(egress_ingress_parse(a, own, &in, e) == 0);
	must(str_eq(egress_ingress_text(a, &in), own));
	return 0;
}

/* A ceiling on the first line, a grant on the second: what the entry says covers itself. */
static int ceiling(struct arena *a, const char *text, struct err *e)
{
	size_t n = strcspn(text, "\n");
	struct egress_ceiling c;
	struct egress_grant g;
	int r = egress_ceiling_parse(a, arena_strndup(a, text, n), &c, e);

	if (r == 0 && text[n])
		r = egress_grant_parse(a, text + n + 1, &g, e);
	if (r < 0 || !text[n])
		return r;
	const char *why = egress_ceiling_refuses(a, &c, 1, &g);
	must(why || c.kind != EGRESS_CEILING_GRANT || c.all_ports ||
	     egress_grant_covers(&c.grant, &g) || c.all_protos || c.grant.n_ports > 1);
	must(!egress_ceiling_backs(&c, 1, &g) || !why);
	return 0;
}

static int resolv(struct arena *a, const char *text, struct err *e)
{
	struct plan_resolv conf;

	(void)e;
	plan_egress_resolv_parse(a, text, &conf);
	must(conf.n_servers <= 3 && conf.ndots <= 15);
	must(!conf.search || !strpbrk(conf.search, "\n\r\\;#"));
	return 0;
}

static int record(struct arena *a, const char *text, struct err *e)
{
	struct egress_policy p, again;
	size_t len;
	int r = egress_parse(a, text, strlen(text), &p, e);

	if (r < 0)
		return r;
	must(p.n_grants <= EGRESS_MAX_GRANTS);
	for (size_t i = 0; i < p.n_grants; i++)
		check_grant(&p.grants[i]);
	const char *own = egress_print(a, &p, &len);
	must(egress_parse(a, own, len, &again, e) == 0);
	must(str_eq(egress_print(a, &again, &len), own));
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static int (*const kinds[])(struct arena *, const char *, struct err *) = {
		grant, ingress, ceiling, resolv, record,
	};
	own_arena struct arena a = {0};
	struct err e = {0};

	if (!size)
		return 0;
	const char *text = arena_strndup(&a, (const char *)data + 1, size - 1);
	if (kinds[*data % LEN(kinds)](&a, text, &e) < 0)
		must(e.code && e.msg[0]);
	return 0;
}
