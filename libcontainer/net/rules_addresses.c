/*
 * The CIDR maps after a grant or its end: only what differs is written, deletions first.  Where a
 * map (or chain echo) is new, chains new and echo are written anew in the same batch; connections
 * do not notice, as they are found by their marks.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "net/answers.h"
#include "net/rules.h"
#include "net/rules_read.h"
#include "net/rules_table.h"

struct reading {
	const struct mnl *m;
	struct arena *arena;
	uint32_t sets; /* that are there */
	bool echo;
	struct batch_element *list;
	size_t n, max;
};

static void note_set(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct reading *r = ctx;
	struct attrs attrs;
	char table[16], name[32];

	(void)index;
	attrs_of_message(r->m, h, &attrs);
	attr_text(r->m, attrs.at[NFTA_SET_TABLE], table, sizeof(table));
	attr_text(r->m, attrs.at[NFTA_SET_NAME], name, sizeof(name));
	for (size_t i = 0; i < RULES_SETS && str_eq(table, "brig"); i++)
		if (str_eq(name, rules_set_names[i]))
			r->sets |= 1u << i;
}

static void note_echo(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct reading *r = ctx;

	(void)h;
	(void)index;
	r->echo = true;
}

static void reset_sets(void *ctx)
{
	((struct reading *)ctx)->sets = 0;
}

static int read_shape(struct reading *r, int sock, struct err *e)
{
	const struct question sets = {.type = NFT_MSG_GETSET,
				      .flags = NLM_F_DUMP,
				      .family = NFPROTO_INET,
				      .part = "sets of table inet brig",
				      .strings = {{NFTA_SET_TABLE, "brig"}},
				      .reset = reset_sets,
				      .data = note_set,
				      .ctx = r};
	const struct question echo = {
		.type = NFT_MSG_GETCHAIN,
		.family = NFPROTO_INET,
		.part = "chain echo",
		.strings = {{NFTA_CHAIN_TABLE, "brig"}, {NFTA_CHAIN_NAME, "echo"}},
		.data = note_echo,
		.ctx = r,
		.may_miss = true
        };

	if (question_ask(r->m, sock, &sets, e) < 0)
		return -e->code;
	return question_ask(r->m, sock, &echo, e);
}

/* --- What a map has ----------------------------------------------------------------------------
 */

static void note_element(void *ctx, const struct nlattr *elem)
{
	struct reading *r = ctx;
	struct rules_element x;
	struct attrs attrs, end;

	if (!rules_read_element(r->m, elem, &x))
		return;
	if (r->n == r->max) {
		size_t max = r->max ? r->max * 2 : 64;
		struct batch_element *more = arena_array(r->arena, max, sizeof(*more));

		if (r->n)
			memcpy(more, r->list, r->n * sizeof(*more));
		r->list = more;
		r->max = max;
	}
	struct batch_element *to = &r->list[r->n++];
	*to = (struct batch_element){.len = x.len, .mark = x.mark, .has_end = true};
	memcpy(to->key, x.key, x.len);
	/* A single address and port has no end. */
	memcpy(to->end, x.key, x.len);
	attrs_of_nest(r->m, elem, &attrs);
	attrs_of_nest(r->m, attrs.at[NFTA_SET_ELEM_KEY_END], &end);
	(void)attr_bytes(r->m, end.at[NFTA_DATA_VALUE], to->end, x.len); /* or as the key */
}

static void note_elements(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct reading *r = ctx;
	struct attrs attrs;

	(void)index;
	attrs_of_message(r->m, h, &attrs);
	attrs_each(r->m, attrs.at[NFTA_SET_ELEM_LIST_ELEMENTS], note_element, r);
}

static void reset_elements(void *ctx)
{
	((struct reading *)ctx)->n = 0;
}

static int read_elements(struct reading *r, int sock, enum rules_set set, struct err *e)
{
	const struct question q = {
		.type = NFT_MSG_GETSETELEM,
		.flags = NLM_F_DUMP,
		.family = NFPROTO_INET,
		.part = rules_set_names[set],
		.strings = {{NFTA_SET_ELEM_LIST_TABLE, "brig"},
			    {NFTA_SET_ELEM_LIST_SET, rules_set_names[set]}},
		.reset = reset_elements,
		.data = note_elements,
		.ctx = r
        };

	r->n = 0;
	if (!(r->sets & 1u << set))
		return 0;
	return question_ask(r->m, sock, &q, e);
}

/* --- The difference ----------------------------------------------------------------------------
 */

static int by_bytes(const void *p, const void *q)
{
	const struct batch_element *x = p, *y = q;
	int r = memcmp(x->key, y->key, sizeof(x->key));

	r = r ? r : memcmp(x->end, y->end, sizeof(x->end));
	return r ? r : (x->mark > y->mark) - (x->mark < y->mark);
}

/* Only in x: moved to its front; returns how many.  Both are sorted. */
static size_t only_in(struct batch_element *out, const struct batch_element *x, size_t n,
		      const struct batch_element *y, size_t n_y)
{
	size_t kept = 0, k = 0;

	for (size_t i = 0; i < n; i++) {
		while (k < n_y && by_bytes(&y[k], &x[i]) < 0)
			k++;
		if (k == n_y || by_bytes(&y[k], &x[i]) != 0)
			out[kept++] = x[i];
	}
	return kept;
}

/* A deletion looks at the whole set (6 ms with 5,000 elements): beyond this the set is made anew.
 */
enum { GONE_MAX = 16 };
struct change {
	struct batch_element *gone, *come;
	size_t n_gone, n_come;
	bool anew;
};

static int difference(struct reading *r, int sock, const struct egress_policy *p,
		      enum rules_set set, struct change *c, struct err *e)
{
	struct rules_elements want;

	*c = (struct change){0};
	if (rules_elements_of(r->arena, p, set, &want, e) < 0 || read_elements(r, sock, set, e) < 0)
		return -e->code;
	if (want.n)
		qsort(want.list, want.n, sizeof(*want.list), by_bytes);
	if (r->n)
		qsort(r->list, r->n, sizeof(*r->list), by_bytes);
	c->gone = arena_array(r->arena, r->n + 1, sizeof(*c->gone));
	c->come = arena_array(r->arena, want.n + 1, sizeof(*c->come));
	c->n_gone = only_in(c->gone, r->list, r->n, want.list, want.n);
	c->n_come = only_in(c->come, want.list, want.n, r->list, r->n);
	for (size_t i = 0; i < c->n_gone; i++)
		c->gone[i].mark = 0; /* a key is deleted, whatever it gives */
	if (c->n_gone > GONE_MAX)
		*c = (struct change){.come = want.list, .n_come = want.n, .anew = true};
	return 0;
}

/* --- Writing -----------------------------------------------------------------------------------
 */

struct writer {
	struct arena *arena;
	const struct mnl *m;
	int sock;
	struct batch *b;
};

static int flush(struct writer *w, struct err *e)
{
	int r = batch_is_empty(w->b) ? 0 : batch_send(w->b, w->sock, e);

	w->b = batch_new(w->arena, w->m, batch_limit(w->sock), NFPROTO_INET, 0);
	return r;
}

static int write_elements(struct writer *w, enum rules_set set, int type,
			  const struct batch_element *list, size_t n, struct err *e)
{
	uint16_t flags = type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0;
	const char *name = rules_set_names[set];

	for (size_t done = 0; done < n;) {
		done += batch_elements(w->b, name, type, flags, name, list + done, n - done);
		if (done < n && flush(w, e) < 0)
			return -e->code;
	}
	return 0;
}

static void empty_chain(struct batch *b, const char *part, const char *name)
{
	batch_message(b, part, NFT_MSG_DELRULE, 0);
	batch_string(b, NFTA_RULE_TABLE, "brig");
	batch_string(b, NFTA_RULE_CHAIN, name);
	batch_end(b);
}

static void remove_set(struct batch *b, enum rules_set set)
{
	batch_message(b, rules_set_names[set], NFT_MSG_DELSET, 0);
	batch_string(b, NFTA_SET_TABLE, "brig");
	batch_string(b, NFTA_SET_NAME, rules_set_names[set]);
	batch_end(b);
}

/* Chains new and echo with what grants need that was not there at the start.  anew: sets that are
 * replaced by empty ones. */
static int grow(struct writer *w, const struct reading *r, const struct egress_policy *p,
		const struct rules_shape *want, uint32_t anew, struct err *e)
{
	struct rules_shape all = *want;

	all.sets |= r->sets;
	all.echo |= r->echo;
	empty_chain(w->b, "chain new", "new");
	if (all.echo) {
		batch_chain(w->b, "chain echo", "echo");
		empty_chain(w->b, "chain echo", "echo");
	}
	for (enum rules_set set = 0; set < RULES_SETS; set++)
		if (anew & 1u << set)
			remove_set(w->b, set);
	for (enum rules_set set = 0; set < RULES_SETS; set++)
		if (rules_has(&all, set) && !(r->sets & ~anew & 1u << set))
			rules_put_set(w->b, set);
	rules_put_destinations(w->b, &all);
	for (enum rules_set set = 0; set < RULES_SETS; set++) {
		struct rules_elements x = {0};

		if (!rules_has(&all, set) || r->sets & 1u << set || !rules_is_never(set))
			continue;
		if (rules_elements_of(w->arena, p, set, &x, e) < 0 ||
		    write_elements(w, set, NFT_MSG_NEWSETELEM, x.list, x.n, e) < 0)
			return -e->code;
	}
	return 0;
}

static const enum rules_set maps[] = {SET_CIDR4, SET_CIDR6, SET_OPEN4, SET_OPEN6};

int rules_set_addresses(const struct mnl *m, int sock, const struct egress_policy *policy,
			struct err *e)
{
	own_arena struct arena a = {0};
	struct reading r = {.m = m, .arena = &a};
	struct writer w = {.arena = &a, .m = m, .sock = sock};
	struct change changes[LEN(maps)];
	struct rules_shape want;
	uint32_t anew = 0;

	rules_shape_of(policy, &want);
	/* Who may come in and where the resolver asks does not change. */
	want.sets &= ~(1u << SET_IN4 | 1u << SET_IN6 | 1u << SET_RESOLVERS4 | 1u << SET_RESOLVERS6);
	if (read_shape(&r, sock, e) < 0)
		return -e->code;
	if (!(r.sets & 1u << SET_GRANTS))
		return err_msg(e, ENOENT, "nf_tables: there is no table inet brig with grants");
	for (size_t i = 0; i < LEN(maps); i++) {
		if (difference(&r, sock, policy, maps[i], &changes[i], e) < 0)
			return -e->code;
		anew |= changes[i].anew ? 1u << maps[i] : 0;
	}
	w.b = batch_new(&a, m, batch_limit(sock), NFPROTO_INET, 0);
	bool grows = want.sets & ~r.sets || (want.echo && !r.echo) || anew;
	if (grows && grow(&w, &r, policy, &want, anew, e) < 0)
		return -e->code;
	for (size_t i = 0; i < LEN(maps); i++)
		if (write_elements(&w, maps[i], NFT_MSG_DELSETELEM, changes[i].gone,
				   changes[i].n_gone, e) < 0)
			return -e->code;
	for (size_t i = 0; i < LEN(maps); i++)
		if (write_elements(&w, maps[i], NFT_MSG_NEWSETELEM, changes[i].come,
				   changes[i].n_come, e) < 0)
			return -e->code;
	return flush(&w, e);
}
