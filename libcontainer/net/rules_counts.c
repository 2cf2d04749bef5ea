/* What the kernel has counted: the counters of rules, known by their comments, and of grants. */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "net/answers.h"
#include "net/rules.h"
#include "net/rules_read.h"
#include "net/rules_table.h"

/* --- An expression in a list -------------------------------------------------------------------
 */

struct search {
	const struct mnl *m;
	uint64_t packets, bytes;
	bool found;
};

static void note_expr(void *ctx, const struct nlattr *attr)
{
	struct search *s = ctx;

	if (rules_read_counter(s->m, attr, &s->packets, &s->bytes))
		s->found = true;
}

bool rules_read_counter(const struct mnl *m, const struct nlattr *expr, uint64_t *packets,
			uint64_t *bytes)
{
	struct attrs x, data;
	char name[16];

	attrs_of_nest(m, expr, &x);
	attr_text(m, x.at[NFTA_EXPR_NAME], name, sizeof(name));
	if (!str_eq(name, "counter"))
		return false;
	attrs_of_nest(m, x.at[NFTA_EXPR_DATA], &data);
	return attr_be64(m, data.at[NFTA_COUNTER_PACKETS], packets) &&
	       attr_be64(m, data.at[NFTA_COUNTER_BYTES], bytes);
}

/* --- Rules -------------------------------------------------------------------------------------
 */

struct counting {
	struct arena *arena;
	const struct mnl *m;
	struct rules_counts *out;
	size_t max;
};

static const struct {
	const char *comment;
	size_t member;
} rows[] = {
	{RULES_ADMITTED,   offsetof(struct rules_counts, admitted)  },
	{RULES_DENIED,     offsetof(struct rules_counts, denied)    },
	{RULES_OVER_RATE,  offsetof(struct rules_counts, over_rate) },
	{RULES_OVER_OPEN,  offsetof(struct rules_counts, over_open) },
	{RULES_OVER_TOTAL, offsetof(struct rules_counts, over_total)},
	{RULES_OVER_BYTES, offsetof(struct rules_counts, over_bytes)},
	{RULES_INGRESS,    offsetof(struct rules_counts, ingress)   },
	{RULES_DROPPED_IN, offsetof(struct rules_counts, dropped_in)},
};

static void reset(void *ctx)
{
	struct counting *c = ctx;

	*c->out = (struct rules_counts){0};
	c->max = 0;
}

static void note_rule(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct counting *c = ctx;
	struct search s = {.m = c->m};
	struct attrs attrs;
	char comment[32], table[16];

	(void)index;
	attrs_of_message(c->m, h, &attrs);
	attr_text(c->m, attrs.at[NFTA_RULE_TABLE], table, sizeof(table));
	attr_comment(c->m, attrs.at[NFTA_RULE_USERDATA], comment, sizeof(comment));
	if (!comment[0] || !str_eq(table, "brig"))
		return;
	attrs_each(c->m, attrs.at[NFTA_RULE_EXPRESSIONS], note_expr, &s);
	for (size_t i = 0; s.found && i < LEN(rows); i++)
		if (str_eq(rows[i].comment, comment))
			*(uint64_t *)(void *)((char *)c->out + rows[i].member) += s.packets;
}

/* --- Grants ------------------------------------------------------------------------------------
 */

bool rules_read_element(const struct mnl *m, const struct nlattr *elem, struct rules_element *out)
{
	struct attrs x, key, data;
	struct search s = {.m = m};

	*out = (struct rules_element){0};
	attrs_of_nest(m, elem, &x);
	attrs_of_nest(m, x.at[NFTA_SET_ELEM_KEY], &key);
	const struct nlattr *value = key.at[NFTA_DATA_VALUE];
	if (!value || m->attr_payload_len(value) > sizeof(out->key))
		return false;
	out->len = (uint8_t)m->attr_payload_len(value);
	memcpy(out->key, m->attr_payload(value), out->len);
	attrs_of_nest(m, x.at[NFTA_SET_ELEM_DATA], &data);
	(void)attr_bytes(m, data.at[NFTA_DATA_VALUE], &out->mark, sizeof(out->mark)); /* or 0 */
	out->has_timeout = attr_be64(m, x.at[NFTA_SET_ELEM_TIMEOUT], &out->timeout_ms);
	if (!attr_be64(m, x.at[NFTA_SET_ELEM_EXPIRATION], &out->left_ms))
		out->left_ms = out->timeout_ms;
	if (x.at[NFTA_SET_ELEM_EXPR])
		note_expr(&s, x.at[NFTA_SET_ELEM_EXPR]);
	out->packets = s.packets;
	out->bytes = s.bytes;
	return true;
}

static void note_grant(void *ctx, const struct nlattr *elem)
{
	struct counting *c = ctx;
	struct rules_counts *out = c->out;
	struct rules_element x;
	uint32_t id;

	if (!rules_read_element(c->m, elem, &x) || x.len != sizeof(id))
		return;
	memcpy(&id, x.key, sizeof(id));
	if (out->n_grants == c->max) {
		size_t max = c->max ? c->max * 2 : 32;
		struct rules_grant_count *more = arena_array(c->arena, max, sizeof(*more));

		if (out->n_grants)
			memcpy(more, out->grants, out->n_grants * sizeof(*more));
		out->grants = more;
		c->max = max;
	}
	out->grants[out->n_grants++] = (struct rules_grant_count){id, x.packets, x.bytes};
}

static void note_grants(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct counting *c = ctx;
	struct attrs attrs;

	(void)index;
	attrs_of_message(c->m, h, &attrs);
	attrs_each(c->m, attrs.at[NFTA_SET_ELEM_LIST_ELEMENTS], note_grant, c);
}

static void reset_grants(void *ctx)
{
	struct counting *c = ctx;

	c->out->n_grants = 0;
}

int rules_counts(struct arena *a, const struct mnl *m, int sock, struct rules_counts *out,
		 struct err *e)
{
	struct counting c = {.arena = a, .m = m, .out = out};
	const struct question rules = {.type = NFT_MSG_GETRULE,
				       .flags = NLM_F_DUMP,
				       .family = NFPROTO_INET,
				       .part = "counters of table inet brig",
				       .strings = {{NFTA_RULE_TABLE, "brig"}},
				       .reset = reset,
				       .data = note_rule,
				       .ctx = &c};
	const struct question grants = {
		.type = NFT_MSG_GETSETELEM,
		.flags = NLM_F_DUMP,
		.family = NFPROTO_INET,
		.part = "counters of set grants",
		.strings = {{NFTA_SET_ELEM_LIST_TABLE, "brig"},
			    {NFTA_SET_ELEM_LIST_SET, rules_set_names[SET_GRANTS]}},
		.reset = reset_grants,
		.data = note_grants,
		.ctx = &c,
		.may_miss = true
        };

	*out = (struct rules_counts){0};
	if (question_ask(m, sock, &rules, e) < 0)
		return -e->code;
	return question_ask(m, sock, &grants, e);
}
