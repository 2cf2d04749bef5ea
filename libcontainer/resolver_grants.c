/* The grants that hold now: those of the start, and what grant and revoke made of them. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/own.h"
#include "base/str.h"
#include "resolver_internal.h"
#include "specs/egress_ceiling.h"

static uint64_t now_ms(void)
{
	return (uint64_t)clock_monotonic_ms();
}

static uint64_t until_of(const struct egress_grant *g)
{
	return g->ttl_ms ? now_ms() + g->ttl_ms : 0;
}

void grants_init(struct arena *a, struct grants *g, const struct resolver_plan *p)
{
	*g = (struct grants){
		.mnl = p->mnl,
		.nft = p->nft,
		.policy = *p->policy,
		.n = p->policy->n_grants,
		.room = p->policy->n_grants + GRANTS_FURTHER,
		.next_id = EGRESS_ID_FIRST,
	};
	for (size_t i = 0; i < LEN(g->slots); i++) {
		g->slots[i] = arena_array(a, g->room, sizeof(*g->slots[i]));
		g->until_ms[i] = arena_array(a, g->room, sizeof(*g->until_ms[i]));
		g->texts[i] = arena_array(a, g->room, sizeof(*g->texts[i]));
	}
	for (size_t i = 0; i < g->n; i++) {
		const struct egress_grant *grant = &p->policy->grants[i];

		g->slots[0][i] = *grant;
		g->until_ms[0][i] = until_of(grant);
		if (grant->id >= g->next_id)
			g->next_id = grant->id + 1;
	}
	g->policy.grants = g->slots[0];
}

const struct egress_grant *grants_of_id(const struct grants *g, uint32_t id)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->policy.grants[i].id == id)
			return &g->policy.grants[i];
	return NULL;
}

/* --- addresses of names --------------------------------------------------------------------- */

/* g may be a part of one of ours, or one that is gone already. */
static size_t learned_of(const struct grants *g, const struct egress_grant *grant,
			 const struct egress_address *addresses, size_t n, uint64_t timeout_ms,
			 struct rules_learned *out)
{
	for (size_t i = 0; i < n; i++)
		out[i] = (struct rules_learned){
			.grant = grant,
			.address = addresses[i],
			.timeout_ms = timeout_ms,
			.is_private =
				grant->private_ &&
				egress_never_of(&g->policy, &addresses[i]) == EGRESS_NEVER_PRIVATE,
		};
	return n;
}

int grants_learn(struct grants *g, const struct egress_grant *grant,
		 const struct egress_address *addresses, size_t n, uint64_t timeout_ms,
		 struct err *e)
{
	struct rules_learned l[LEARN_AT_ONCE];
	int r = 0;

	for (size_t done = 0; done < n && r == 0;) {
		size_t some = n - done < LEN(l) ? n - done : LEN(l);

		done += learned_of(g, grant, addresses + done, some, timeout_ms, l);
		r = rules_learn(g->mnl, g->nft, l, some, e);
	}
	return r;
}

int grants_forget(struct grants *g, const struct egress_grant *grant,
		  const struct egress_address *addresses, size_t n, struct err *e)
{
	struct rules_learned l[LEARN_AT_ONCE];
	int r = 0;

	for (size_t done = 0; done < n && r == 0;) {
		size_t some = n - done < LEN(l) ? n - done : LEN(l);

		done += learned_of(g, grant, addresses + done, some, 0, l);
		r = rules_forget(g->mnl, g->nft, l, some, e);
	}
	return r;
}

/* --- changes -------------------------------------------------------------------------------- */

/* The other array, as the one of now without skip (-1: with all); not yet in force. */
static size_t copy_others(struct grants *g, size_t skip)
{
	unsigned int next = !g->now;
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++) {
		if (i == skip)
			continue;
		g->slots[next][n] = g->slots[g->now][i];
		g->until_ms[next][n] = g->until_ms[g->now][i];
		g->texts[next][n++] = g->texts[g->now][i];
	}
	return n;
}

static void switch_to_copy(struct grants *g, size_t n)
{
	g->now = !g->now;
	g->n = n;
	g->policy.grants = g->slots[g->now];
	g->policy.n_grants = n;
	if (g->names)
		names_policy(g->names, &g->policy);
}

static void free_text(struct arena *text)
{
	if (!text)
		return;
	arena_free(text);
	free(text);
}

/* Not live for the kernel any more, or about to be. */
static int drop(struct grants *g, size_t i, struct err *e)
{
	const struct egress_grant gone = g->slots[g->now][i];
	struct arena *text = g->texts[g->now][i];

	switch_to_copy(g, copy_others(g, i));
	/* Of a name the name service forgets the addresses, or passes them on to other grants. */
	int r = gone.name ? 0 : rules_set_addresses(g->mnl, g->nft, &g->policy, e);
	free_text(text);
	return r;
}

static int check_new(const struct grants *g, const struct egress_grant *new, struct err *e)
{
	if (new->name && !g->names)
		return err_msg(e, EOPNOTSUPP,
			       "this sandbox has no name service: it was started without a grant "
			       "of a name");
	if (!new->name &&new->address.family == 6 && !g->policy.ipv6)
		return err_msg(e, EOPNOTSUPP, "this sandbox has no IPv6");
	if (g->n >= g->room)
		return err_msg(e, ENOSPC, "%d grants were added already", GRANTS_FURTHER);
	/* None is used twice: a connection of the old one would be of the new. */
	if (g->next_id >= EGRESS_ID_INGRESS)
		return err_msg(e, ENOSPC, "there were too many grants");
	return 0;
}

static int renew(struct grants *g, size_t i, struct err *e)
{
	const struct egress_grant *same = &g->slots[g->now][i];
	int r = rules_grant(g->mnl, g->nft, same->id, same->ttl_ms, e);

	if (r < 0)
		return r;
	g->until_ms[g->now][i] = until_of(same);
	if (g->names)
		names_renew(g->names, same->id);
	return 0;
}

/* In force when it returns 0. */
static int append(struct grants *g, const struct egress_grant *new, struct arena *text,
		  struct err *e)
{
	int r = rules_grant(g->mnl, g->nft, new->id, new->ttl_ms, e);

	if (r < 0)
		return r;
	size_t n = copy_others(g, SIZE_MAX);
	g->slots[!g->now][n] = *new;
	g->until_ms[!g->now][n] = until_of(new);
	g->texts[!g->now][n] = text;
	switch_to_copy(g, n + 1);
	if (new->name)
		return 0;
	r = rules_set_addresses(g->mnl, g->nft, &g->policy, e);
	if (r < 0) {
		struct err ignored;

		(void)!rules_revoke(g->mnl, g->nft, new->id, &ignored);
		switch_to_copy(g, copy_others(g, n));
	}
	return r;
}

int grants_add(struct grants *g, const char *text, uint32_t *id, struct err *e)
{
	struct egress_grant new = {0};
	struct arena *a = calloc(1, sizeof(*a));

	if (!a)
		return err_set(e, ENOMEM, "grant");
	int r = egress_grant_parse(a, text, &new, e);
	for (size_t i = 0; r == 0 && i < g->n; i++) {
		if (!str_eq(g->slots[g->now][i].text, new.text))
			continue;
		*id = g->slots[g->now][i].id;
		free_text(a);
		return renew(g, i, e);
	}
	if (r == 0)
		r = check_new(g, &new, e);
	if (r == 0) {
		new.id = *id = g->next_id++;
		new.backing = egress_backing_by_caller(&new);
		r = append(g, &new, a, e);
	}
	if (r < 0)
		free_text(a);
	return r;
}

int grants_remove(struct grants *g, const char *text, uint32_t *n, struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < g->n;) {
		const struct egress_grant *gone = &g->slots[g->now][i];

		if (!egress_is_meant(gone, text)) {
			i++;
			continue;
		}
		/* First: from here on nothing of it passes, whatever comes of the rest. */
		int r = rules_revoke(g->mnl, g->nft, gone->id, e);
		if (r == 0)
			r = drop(g, i, e);
		if (r < 0)
			return r;
		++*n;
	}
	return *n ? 0 : err_msg(e, ENOENT, "%s: nothing like it is granted", text);
}

uint64_t grants_next_ms(const struct grants *g)
{
	uint64_t next = 0;

	for (size_t i = 0; i < g->n; i++) {
		uint64_t until = g->until_ms[g->now][i];

		if (until && (!next || until < next))
			next = until;
	}
	return next;
}

int grants_expire(struct grants *g, struct err *e)
{
	uint64_t now = now_ms();
	int r = 0;

	for (size_t i = 0; i < g->n && r == 0;) {
		uint64_t until = g->until_ms[g->now][i];

		if (!until || until > now)
			i++;
		else
			r = drop(g, i, e);
	}
	return r;
}
