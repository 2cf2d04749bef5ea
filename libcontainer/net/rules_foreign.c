/*
 * Other tables that write ct marks.  iptables-nft has its targets as expressions of their own
 * ("target", with the name CONNMARK); what the old iptables does is not seen here.
 */
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "net/answers.h"
#include "net/rules.h"

struct foreign {
	const struct mnl *m;
	bool sets; /* the rule that is read */
	char table[64], chain[64];
};

static void note_expr(void *ctx, const struct nlattr *attr)
{
	struct foreign *f = ctx;
	struct attrs x, data;
	char name[16], target[32];
	uint32_t key = 0, reg = 0;

	attrs_of_nest(f->m, attr, &x);
	attr_text(f->m, x.at[NFTA_EXPR_NAME], name, sizeof(name));
	attrs_of_nest(f->m, x.at[NFTA_EXPR_DATA], &data);
	if (str_eq(name, "ct"))
		f->sets |= attr_be32(f->m, data.at[NFTA_CT_KEY], &key) && key == NFT_CT_MARK &&
			   attr_be32(f->m, data.at[NFTA_CT_SREG], &reg);
	if (str_eq(name, "target")) {
		attr_text(f->m, data.at[NFTA_TARGET_NAME], target, sizeof(target));
		f->sets |= str_eq(target, "CONNMARK") || str_eq(target, "CONNSECMARK");
	}
}

static void note_rule(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct foreign *f = ctx;
	const struct nfgenmsg *g = f->m->payload(h);
	struct attrs attrs;
	char table[64];

	(void)index;
	attrs_of_message(f->m, h, &attrs);
	attr_text(f->m, attrs.at[NFTA_RULE_TABLE], table, sizeof(table));
	if (f->table[0] || (str_eq(table, "brig") &&
			    (g->nfgen_family == NFPROTO_INET || g->nfgen_family == NFPROTO_NETDEV)))
		return;
	f->sets = false;
	attrs_each(f->m, attrs.at[NFTA_RULE_EXPRESSIONS], note_expr, f);
	if (!f->sets)
		return;
	/* The name may be longer than we keep. */
	snprintf(f->table, sizeof(f->table), "%s", table[0] ? table : "?");
	attr_text(f->m, attrs.at[NFTA_RULE_CHAIN], f->chain, sizeof(f->chain));
}

static void reset(void *ctx)
{
	((struct foreign *)ctx)->table[0] = '\0';
}

int rules_check_foreign(const struct mnl *m, int sock, struct err *e)
{
	struct foreign f = {.m = m};
	const struct question q = {.type = NFT_MSG_GETRULE,
				   .flags = NLM_F_DUMP,
				   .family = NFPROTO_UNSPEC,
				   .part = "rules of other tables",
				   .reset = reset,
				   .data = note_rule,
				   .ctx = &f};

	if (question_ask(m, sock, &q, e) < 0)
		return -e->code;
	if (!f.table[0])
		return 0;
	return err_msg(
		e, ENOTSUP,
		"nf_tables: table %s, chain %s sets ct marks, by which grants are told apart: "
		"without that table, or without grants",
		f.table, f.chain);
}
