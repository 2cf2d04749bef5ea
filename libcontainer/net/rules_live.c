/*
 * What changes while a sandbox runs.  A batch that deletes what is not there, or adds an element
 * with other data, is aborted as a whole, which takes the kernel 10 ms; and before Linux 6.12 an
 * element that is there keeps its old timeout.  So what is there is asked first, and the batch is
 * made for that state of the tables (genid): another writer in between makes the kernel say
 * ERESTART, an element that ends just then ENOENT, and all is done again.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <string.h>

#include "base/own.h"
#include "net/answers.h"
#include "net/rules.h"
#include "net/rules_read.h"
#include "net/rules_table.h"

/* AT_ONCE: their answers fit into the smallest receive buffer. */
enum { AT_ONCE = 16, TRIES = 16, SEND_BYTES = 16384 };

struct wish {
	enum rules_set set;
	struct batch_element element; /* with its mark and timeout */
	bool gone;                    /* it shall not be there */
	/* What is there. */
	bool is_there;
	struct rules_element now;
};

struct asking {
	const struct mnl *m;
	struct wish *wishes;
	size_t n;
	uint32_t genid;
};

/* --- What is there -----------------------------------------------------------------------------
 */

struct filling {
	const struct mnl *m;
	struct wish *wish;
};

static void note_element(void *ctx, const struct nlattr *elem)
{
	struct filling *f = ctx;

	f->wish->is_there = rules_read_element(f->m, elem, &f->wish->now);
}

static void note_answer(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct asking *a = ctx;
	struct attrs attrs;

	attrs_of_message(a->m, h, &attrs);
	if (index == 0) {
		(void)attr_be32(a->m, attrs.at[NFTA_GEN_ID], &a->genid); /* 0: not checked */
	} else if (index <= a->n) {
		struct filling f = {a->m, &a->wishes[index - 1]};

		attrs_each(a->m, attrs.at[NFTA_SET_ELEM_LIST_ELEMENTS], note_element, &f);
	}
}

static bool note_missing(void *ctx, int code, uint32_t index)
{
	(void)ctx;
	return code == ENOENT && index > 0;
}

static int ask(struct arena *a, int sock, struct asking *asking, struct err *e)
{
	struct batch *b = batch_questions(a, asking->m, SEND_BYTES, NFPROTO_INET);
	struct answers answers = {.data = note_answer, .missing = note_missing, .ctx = asking};

	batch_message(b, "the state of the tables", NFT_MSG_GETGEN, 0);
	batch_end(b);
	for (size_t i = 0; i < asking->n; i++) {
		struct wish *w = &asking->wishes[i];
		struct batch_element key = {.len = w->element.len};
		const char *name = rules_set_names[w->set];

		memcpy(key.key, w->element.key, key.len);
		w->is_there = false;
		(void)batch_elements(b, name, NFT_MSG_GETSETELEM, 0, name, &key, 1); /* or full */
	}
	return batch_ask(b, sock, &answers, e);
}

static int is_alive(struct arena *a, const struct mnl *m, int sock, uint32_t id, bool *out,
		    struct err *e)
{
	struct wish w = {.set = SET_GRANTS, .element = {.len = sizeof(id)}};
	struct asking asking = {.m = m, .wishes = &w, .n = 1};

	memcpy(w.element.key, &id, sizeof(id));
	if (ask(a, sock, &asking, e) < 0)
		return -e->code;
	*out = w.is_there;
	return 0;
}

/* --- What is done ------------------------------------------------------------------------------
 */

static uint64_t longer(uint64_t x, uint64_t y)
{
	return !x || !y ? 0 : x > y ? x : y; /* 0: without end */
}

/* The grant that had the address first keeps it as long as it lives, for as long as either wants.
 */
static int settle(struct arena *a, const struct mnl *m, int sock, struct wish *w, struct err *e)
{
	bool alive = false;

	if (!w->is_there || w->gone || w->set == SET_GRANTS || w->now.mark == w->element.mark)
		return 0;
	if (is_alive(a, m, sock, w->now.mark, &alive, e) < 0)
		return -e->code;
	if (!alive)
		return 0;
	w->element.mark = w->now.mark;
	w->element.timeout_ms =
		longer(w->element.timeout_ms, w->now.has_timeout ? w->now.left_ms : 0);
	return 0;
}

static void change(struct batch *b, struct wish *w)
{
	const char *name = rules_set_names[w->set];
	struct batch_element key = {.len = w->element.len};

	memcpy(key.key, w->element.key, key.len);
	if (w->is_there && (!w->gone || w->set == SET_GRANTS || w->now.mark == w->element.mark))
		(void)batch_elements(b, name, NFT_MSG_DELSETELEM, 0, name, &key, 1);
	if (w->gone)
		return;
	if (w->set == SET_GRANTS && w->is_there) {
		w->element.has_count = true;
		w->element.packets = w->now.packets;
		w->element.bytes = w->now.bytes;
	}
	(void)batch_elements(b, name, NFT_MSG_NEWSETELEM, NLM_F_CREATE, name, &w->element, 1);
}

static bool again(int code, bool deletes)
{
	return code == ERESTART || code == EEXIST || (code == ENOENT && deletes);
}

static int fulfil_once(const struct mnl *m, int sock, const struct wish *wishes, size_t n,
		       bool *deletes, struct err *e)
{
	own_arena struct arena a = {0};
	struct wish *mine = arena_array(&a, n, sizeof(*mine));
	struct asking asking = {.m = m, .wishes = mine, .n = n};

	memcpy(mine, wishes, n * sizeof(*mine));
	*deletes = false;
	if (ask(&a, sock, &asking, e) < 0)
		return -e->code;
	struct batch *b = batch_new(&a, m, SEND_BYTES, NFPROTO_INET, asking.genid);
	for (size_t i = 0; i < n; i++) {
		if (settle(&a, m, sock, &mine[i], e) < 0)
			return -e->code;
		*deletes |= mine[i].is_there;
		change(b, &mine[i]);
	}
	if (batch_is_empty(b))
		return 0;
	return batch_send(b, sock, e);
}

static int fulfil(const struct mnl *m, int sock, const struct wish *wishes, size_t n, struct err *e)
{
	bool deletes = false;
	int r = 0;

	for (int tries = 0; tries < TRIES; tries++) {
		r = fulfil_once(m, sock, wishes, n, &deletes, e);
		if (r == -ENFILE)
			return err_msg(e, ENOSPC, "nf_tables: no room for more addresses of names");
		if (r >= 0 || !again(-r, deletes))
			return r;
	}
	return r;
}

/* --- Names -------------------------------------------------------------------------------------
 */

static enum rules_set set_of(const struct rules_learned *l)
{
	bool v6 = l->address.family == 6;

	if (l->is_private)
		return v6 ? SET_NEAR6 : SET_NEAR4;
	return v6 ? SET_NAME6 : SET_NAME4;
}

static void wish_for(const struct rules_learned *l, uint8_t proto, uint16_t port, bool gone,
		     struct wish *out)
{
	*out = (struct wish){.set = set_of(l), .gone = gone};
	rules_key(&l->address, proto, port, &out->element);
	out->element.mark = l->grant->id;
	out->element.timeout_ms = l->timeout_ms;
}

struct queue {
	const struct mnl *m;
	int sock;
	bool gone;
	struct wish wishes[AT_ONCE];
	size_t n;
};

static int send_queue(struct queue *q, struct err *e)
{
	size_t n = q->n;

	q->n = 0;
	return n ? fulfil(q->m, q->sock, q->wishes, n, e) : 0;
}

static int add(struct queue *q, const struct rules_learned *l, uint8_t proto, uint16_t port,
	       struct err *e)
{
	struct wish *w = &q->wishes[q->n];

	wish_for(l, proto, port, q->gone, w);
	/* The first one given holds; the kernel would take two of one batch for a clash. */
	for (size_t i = 0; i < q->n; i++)
		if (q->wishes[i].set == w->set &&
		    memcmp(q->wishes[i].element.key, w->element.key, w->element.len) == 0 &&
		    (!q->gone || q->wishes[i].element.mark == w->element.mark))
			return 0;
	return ++q->n == AT_ONCE ? send_queue(q, e) : 0;
}

static int each_port(const struct mnl *m, int sock, const struct rules_learned *l, size_t n,
		     bool gone, struct err *e)
{
	struct queue q = {.m = m, .sock = sock, .gone = gone};

	for (size_t i = 0; i < n; i++) {
		const struct egress_grant *g = l[i].grant;
		uint8_t proto = g->proto;
		uint16_t port;

		if (proto == IPPROTO_ICMP) {
			rules_echo(l[i].address.family, &proto, &port);
			if (add(&q, &l[i], proto, port, e) < 0)
				return -e->code;
			continue;
		}
		for (size_t k = 0; k < g->n_ports; k++)
			for (uint32_t p = g->ports[k].first; p <= g->ports[k].last; p++)
				if (add(&q, &l[i], proto, (uint16_t)p, e) < 0)
					return -e->code;
	}
	return send_queue(&q, e);
}

int rules_learn(const struct mnl *m, int sock, const struct rules_learned *l, size_t n,
		struct err *e)
{
	return each_port(m, sock, l, n, false, e);
}

int rules_forget(const struct mnl *m, int sock, const struct rules_learned *l, size_t n,
		 struct err *e)
{
	return each_port(m, sock, l, n, true, e);
}

/* --- Grants ------------------------------------------------------------------------------------
 */

static int one_grant(const struct mnl *m, int sock, uint32_t id, uint64_t ttl_ms, bool gone,
		     struct err *e)
{
	struct wish w = {
		.set = SET_GRANTS,
		.gone = gone,
		.element = {.len = sizeof(id), .timeout_ms = ttl_ms}
        };

	memcpy(w.element.key, &id, sizeof(id));
	return fulfil(m, sock, &w, 1, e);
}

int rules_grant(const struct mnl *m, int sock, uint32_t id, uint64_t ttl_ms, struct err *e)
{
	return one_grant(m, sock, id, ttl_ms, false, e);
}

int rules_revoke(const struct mnl *m, int sock, uint32_t id, struct err *e)
{
	return one_grant(m, sock, id, 0, true, e);
}
