/*
 * Installing.  The first batch has the table, all chains with policy drop and all rules; what does
 * not fit into it (a send has an end) follows in others, first the addresses that are never
 * reached, last what opens: whoever dies in between leaves a table that lets less through.  Such a
 * table is known by its comment and the missing chain "ready", and is made anew.
 */
#include "net/rules.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/own.h"
#include "base/str.h"
#include "net/answers.h"
#include "net/batch.h"
#include "net/rules_table.h"

#define IN_PARTS " in parts"
enum { COMMENT_SIZE = 128 };

/* --- What is there -----------------------------------------------------------------------------
 */

struct found {
	const struct mnl *m;
	bool table, ready;
	char comment[COMMENT_SIZE];
};

static void note_table(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct found *f = ctx;
	struct attrs attrs;

	(void)index;
	attrs_of_message(f->m, h, &attrs);
	f->table = true;
	attr_comment(f->m, attrs.at[NFTA_TABLE_USERDATA], f->comment, sizeof(f->comment));
}

static void note_ready(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct found *f = ctx;

	(void)h;
	(void)index;
	f->ready = true;
}

/* A kernel without the family has no such table. */
bool rules_has_netdev(const struct mnl *m, int sock)
{
	struct found f = {.m = m};
	struct err e;
	const struct question table = {.type = NFT_MSG_GETTABLE,
				       .family = NFPROTO_NETDEV,
				       .part = "whether there is a table netdev brig",
				       .strings = {{NFTA_TABLE_NAME, "brig"}},
				       .data = note_table,
				       .ctx = &f,
				       .may_miss = true};

	return question_ask(m, sock, &table, &e) == 0 && f.table;
}

static int look(const struct mnl *m, int sock, struct found *f, struct err *e)
{
	const struct question table = {.type = NFT_MSG_GETTABLE,
				       .family = NFPROTO_INET,
				       .part = "whether there is a table inet brig",
				       .strings = {{NFTA_TABLE_NAME, "brig"}},
				       .data = note_table,
				       .ctx = f,
				       .may_miss = true};
	const struct question ready = {
		.type = NFT_MSG_GETCHAIN,
		.family = NFPROTO_INET,
		.part = "chain ready",
		.strings = {{NFTA_CHAIN_TABLE, "brig"}, {NFTA_CHAIN_NAME, "ready"}},
		.data = note_ready,
		.ctx = f,
		.may_miss = true
        };

	*f = (struct found){.m = m};
	if (question_ask(m, sock, &table, e) < 0)
		return -e->code;
	size_t n = strlen(f->comment);
	if (!str_ends(f->comment, IN_PARTS)) {
		f->ready = true;
		return 0;
	}
	f->comment[n - strlen(IN_PARTS)] = '\0';
	return question_ask(m, sock, &ready, e);
}

static const char *digest_of(const struct found *f)
{
	size_t n = strlen(RULES_COMMENT);

	if (!str_starts(f->comment, RULES_COMMENT) || str_eq(f->comment + n, "deny"))
		return "";
	return f->comment + n;
}

int rules_digest(struct arena *a, const struct mnl *m, int sock, const char **out, struct err *e)
{
	struct found f;

	*out = NULL;
	if (look(m, sock, &f, e) < 0)
		return -e->code;
	if (f.table)
		*out = arena_strdup(a, f.ready ? digest_of(&f) : "");
	return 0;
}

/* --- Loading -----------------------------------------------------------------------------------
 */

struct loader {
	struct arena *arena;
	const struct mnl *m;
	int sock;
	size_t size;         /* of a batch */
	struct batch *batch; /* not sent yet */
	struct rules_elements elements[RULES_SETS];
};

static int next_batch(struct loader *l, struct err *e)
{
	if (batch_send(l->batch, l->sock, e) < 0)
		return -e->code;
	l->batch = batch_new(l->arena, l->m, l->size, NFPROTO_INET, 0);
	return 0;
}

static int load(struct loader *l, enum rules_set set, struct err *e)
{
	const char *name = rules_set_names[set];
	const struct rules_elements *x = &l->elements[set];

	for (size_t done = 0; done < x->n;) {
		done += batch_elements(l->batch, name, NFT_MSG_NEWSETELEM, NLM_F_CREATE, name,
				       x->list + done, x->n - done);
		if (done < x->n && next_batch(l, e) < 0)
			return -e->code;
	}
	return 0;
}

/* A key too short, which the kernel notices when it has done what came before. */
static void spoil(struct loader *l)
{
	const struct batch_element bad = {.len = 1};

	if (fault_hides("batch"))
		(void)batch_elements(l->batch, "spoilt element", NFT_MSG_NEWSETELEM, NLM_F_CREATE,
				     rules_set_names[SET_GRANTS], &bad, 1);
}

/* What closes before what opens. */
static const enum rules_set load_order[] = {
	SET_ALWAYS4, SET_ALWAYS6, SET_NEVER4, SET_NEVER6, SET_RESOLVERS4, SET_RESOLVERS6, SET_IN4,
	SET_IN6,     SET_OPEN4,   SET_OPEN6,  SET_CIDR4,  SET_CIDR6,      SET_GRANTS,
};

static int make_elements(struct loader *l, const struct egress_policy *p,
			 const struct rules_shape *s, size_t *n, struct err *e)
{
	*n = 0;
	for (size_t i = 0; i < LEN(load_order); i++) {
		enum rules_set set = load_order[i];

		if (!rules_has(s, set))
			continue;
		if (rules_elements_of(l->arena, p, set, &l->elements[set], e) < 0)
			return -e->code;
		*n += l->elements[set].n;
	}
	return 0;
}

static void put_table(struct batch *b, const struct egress_policy *p, const struct rules_shape *s,
		      bool replaces, bool in_parts)
{
	char comment[COMMENT_SIZE];

	snprintf(comment, sizeof(comment), "%s%s%s", RULES_COMMENT, p->digest ? p->digest : "",
		 in_parts ? IN_PARTS : "");
	/* A DELTABLE of nothing would abort the batch, and what is deleted costs a grace period. */
	if (replaces) {
		batch_table(b, "table inet brig", NFT_MSG_NEWTABLE, NLM_F_CREATE, NULL);
		batch_table(b, "the old table inet brig", NFT_MSG_DELTABLE, 0, NULL);
	}
	batch_table(b, "table inet brig", NFT_MSG_NEWTABLE,
		    (uint16_t)(NLM_F_CREATE | (replaces ? 0 : NLM_F_EXCL)), comment);
	for (enum rules_set set = 0; set < RULES_SETS; set++)
		if (rules_has(s, set))
			rules_put_set(b, set);
	rules_put_chains(b, p, s);
}

static int install(const struct mnl *m, int sock, const struct rules_install *i, bool replaces,
		   struct err *e)
{
	const struct egress_policy *p = i->policy;
	/* An element takes at most this; all sets, chains and rules do. */
	enum { ELEMENT_MOST = 192, RULES_MOST = 24 << 10 };
	own_arena struct arena a = {0};
	struct loader l = {.arena = &a, .m = m, .sock = sock};
	struct rules_shape s;
	size_t n, limit = batch_limit(sock);

	rules_shape_of(p, &s);
	if (make_elements(&l, p, &s, &n, e) < 0)
		return -e->code;
	if (s.netdev && rules_new_stamp(&s, e) < 0)
		return -e->code;
	l.size = n * ELEMENT_MOST + RULES_MOST;
	bool in_parts = l.size > limit;
	l.size = in_parts ? limit : l.size;
	l.batch = batch_new(&a, m, l.size, NFPROTO_INET, 0);
	put_table(l.batch, p, &s, replaces, in_parts);
	bool had = replaces && rules_has_netdev(m, sock);
	if ((had || s.netdev) && rules_put_netdev(&a, m, l.batch, i->route, &s, had, e) < 0)
		return -e->code;
	spoil(&l);
	for (size_t k = 0; k < LEN(load_order); k++)
		if (rules_has(&s, load_order[k]) && load(&l, load_order[k], e) < 0)
			return -e->code;
	if (in_parts) {
		if (next_batch(&l, e) < 0)
			return -e->code;
		batch_chain(l.batch, "chain ready", "ready");
	}
	return batch_send(l.batch, sock, e);
}

int rules_install(const struct mnl *m, int sock, const struct rules_install *i, bool *had,
		  struct err *e)
{
	const char *digest = i->policy->digest ? i->policy->digest : "";
	struct found f;

	*had = false;
	if (fault_hides("nf_tables"))
		return err_msg(e, EPROTONOSUPPORT,
			       "nf_tables: socket: the kernel lacks it: modprobe nf_tables");
	if (look(m, sock, &f, e) < 0)
		return -e->code;
	if (f.table && !i->replace && f.ready) {
		if (str_eq(digest_of(&f), digest) && *digest) {
			*had = true;
			return 0;
		}
		return err_msg(e, EEXIST,
			       "nf_tables: table inet brig of another policy is there (%s, not %s)",
			       *digest_of(&f) ? digest_of(&f) : "denies all", digest);
	}
	/* Half of a table of another policy is nobody's, either. */
	return install(m, sock, i, f.table, e);
}
