/*
 * The nf_tables of the network namespace we are in, as text and numbers: the same for each
 * generation that has the same rules.  Numbers that the kernel gives out (handles, positions,
 * uses), what it counts and what runs out are left out of the text; what generations leave of these
 * are numbers of their own.
 */
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "net/dump.h"
#include "pool/nft.h"
#include "pool/pool.h"

enum { MOST = 8 << 20, TRIES = 8, NAME = 64, SETS = 256 };

/* Linux 6.16: how many elements there are. */
#define SET_COUNT 20

/* A set whose elements are asked for. */
struct set {
	uint8_t family;
	char table[NAME], name[NAME];
};

struct reading {
	struct nft_seen *out;
	struct sha256 hash;
	size_t len;
	/* of the message */
	char table[NAME], chain[NAME];
	uint8_t family;
	struct set sets[SETS];
	size_t n_sets;
	const struct set *set; /* whose elements these are */
};

static void text_of(const struct dump_attr *x, char *out)
{
	size_t n = strnlen(x->data ? x->data : "", x->len);

	if (n >= NAME)
		n = NAME - 1;
	if (n)
		memcpy(out, x->data, n);
	out[n] = '\0';
}

static void take_in(struct reading *r, uint16_t type, const void *data, size_t n)
{
	uint32_t len = (uint32_t)n;

	sha256_add(&r->hash, &type, sizeof(type));
	sha256_add(&r->hash, &len, sizeof(len));
	if (n)
		sha256_add(&r->hash, data, n);
	r->len += n + sizeof(type) + sizeof(len);
}

static bool is_ours(const char *table)
{
	return str_eq(table, "brig");
}

/* --- rules ------------------------------------------------------------------------------------ */

/* What the counters of brig's chain admit say has been let through, or was too much. */
static void count(struct reading *r, const struct dump_attr *data)
{
	struct dump_attr packets;
	uint64_t n;

	if (is_ours(r->table) && str_eq(r->chain, "admit") &&
	    dump_find(data->data, data->len, NFTA_COUNTER_PACKETS, &packets) &&
	    dump_be64(&packets, &n))
		r->out->counted += (int64_t)(n & INT64_MAX);
}

/* Of a counter, and of what else has a state of its own, only that it is there. */
static void expressions(struct reading *r, const struct dump_attr *list)
{
	static const char *const moving[] = {"counter", "last", "quota"};
	const char *at = list->data;
	size_t left = list->len;
	struct dump_attr x, name, data;
	char word[NAME];

	while (dump_next(&at, &left, &x)) {
		bool moves = false;

		(void)dump_find(x.data, x.len, NFTA_EXPR_NAME, &name);
		text_of(&name, word);
		for (size_t i = 0; i < LEN(moving); i++)
			moves = moves || str_eq(word, moving[i]);
		take_in(r, NFTA_EXPR_NAME, word, strlen(word));
		(void)dump_find(x.data, x.len, NFTA_EXPR_DATA, &data);
		if (!moves)
			take_in(r, NFTA_EXPR_DATA, data.data, data.len);
		else if (str_eq(word, "counter"))
			count(r, &data);
	}
}

/* --- messages --------------------------------------------------------------------------------- */

/* Attributes of each kind that are the kernel's own numbers. */
static const struct kind {
	uint8_t ask, told;
	uint16_t left_out[5];
	uint16_t table, name; /* chain of a rule */
} kinds[] = {
	{NFT_MSG_GETTABLE,
	 NFT_MSG_NEWTABLE, {NFTA_TABLE_USE, NFTA_TABLE_HANDLE},
	 NFTA_TABLE_NAME,  0	      },
	{NFT_MSG_GETCHAIN,
	 NFT_MSG_NEWCHAIN, {NFTA_CHAIN_HANDLE, NFTA_CHAIN_USE, NFTA_CHAIN_COUNTERS, NFTA_CHAIN_ID},
	 NFTA_CHAIN_TABLE, NFTA_CHAIN_NAME},
	{NFT_MSG_GETRULE,
	 NFT_MSG_NEWRULE,  {NFTA_RULE_HANDLE, NFTA_RULE_POSITION, NFTA_RULE_ID, NFTA_RULE_EXPRESSIONS},
	 NFTA_RULE_TABLE,  NFTA_RULE_CHAIN},
	{NFT_MSG_GETSET,
	 NFT_MSG_NEWSET,   {NFTA_SET_HANDLE, NFTA_SET_ID, SET_COUNT},
	 NFTA_SET_TABLE,   NFTA_SET_NAME  },
};

static bool is_left_out(const struct kind *k, uint16_t type)
{
	for (size_t i = 0; i < LEN(k->left_out); i++)
		if (k->left_out[i] && k->left_out[i] == type)
			return true;
	return false;
}

static void note_set(struct reading *r)
{
	struct set *s = &r->sets[r->n_sets];

	if (r->n_sets == SETS) {
		r->out->unreadable = true;
		return;
	}
	r->n_sets++;
	s->family = r->family;
	memcpy(s->table, r->table, NAME);
	memcpy(s->name, r->chain, NAME);
}

/* A message's attributes, behind its nfgenmsg. */
static const char *begin(struct reading *r, const void *payload, size_t *len)
{
	struct nfgenmsg g;

	if (*len < NLMSG_ALIGN(sizeof(g)))
		return NULL;
	memcpy(&g, payload, sizeof(g));
	r->family = g.nfgen_family;
	*len -= NLMSG_ALIGN(sizeof(g));
	return (const char *)payload + NLMSG_ALIGN(sizeof(g));
}

static int note_message(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	const char *at = begin(r, payload, &len);
	const struct kind *k = NULL;
	struct dump_attr x;

	for (size_t i = 0; i < LEN(kinds); i++)
		if (type == (NFNL_SUBSYS_NFTABLES << 8 | kinds[i].told))
			k = &kinds[i];
	if (!at || r->len > MOST)
		return -EBADMSG;
	if (!k)
		return 0;
	(void)dump_find(at, len, k->table, &x);
	text_of(&x, r->table);
	(void)dump_find(at, len, k->name, &x);
	text_of(&x, r->chain);
	take_in(r, type, &r->family, sizeof(r->family));
	while (dump_next(&at, &len, &x)) {
		if (!is_left_out(k, x.type))
			take_in(r, x.type, x.data, x.len);
		else if (k->told == NFT_MSG_NEWRULE && x.type == NFTA_RULE_EXPRESSIONS)
			expressions(r, &x);
	}
	if (k->told == NFT_MSG_NEWSET)
		note_set(r);
	return 0;
}

/* --- elements --------------------------------------------------------------------------------- */

/* The order is that of a hash whose key is random: each counts for itself. */
static void mix(struct reading *r, const struct dump_attr *const *parts, size_t n)
{
	struct sha256 h;
	uint8_t bytes[SHA256_BYTES];

	sha256_begin(&h);
	sha256_add(&h, r->set->table, strlen(r->set->table) + 1);
	sha256_add(&h, r->set->name, strlen(r->set->name) + 1);
	sha256_add(&h, &r->set->family, sizeof(r->set->family));
	for (size_t i = 0; i < n; i++) {
		uint32_t len = (uint32_t)parts[i]->len;

		sha256_add(&h, &len, sizeof(len));
		if (len)
			sha256_add(&h, parts[i]->data, len);
	}
	sha256_end(&h, bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		r->out->elements[i] ^= bytes[i];
	r->out->n_elements++;
}

static void count_element(struct reading *r, const struct dump_attr *elem)
{
	struct dump_attr expr, name, data, packets;
	uint64_t n;
	char word[NAME];

	if (!is_ours(r->set->table) || !str_eq(r->set->name, "grants") ||
	    !dump_find(elem->data, elem->len, NFTA_SET_ELEM_EXPR, &expr))
		return;
	(void)dump_find(expr.data, expr.len, NFTA_EXPR_NAME, &name);
	text_of(&name, word);
	if (str_eq(word, "counter") && dump_find(expr.data, expr.len, NFTA_EXPR_DATA, &data) &&
	    dump_find(data.data, data.len, NFTA_COUNTER_PACKETS, &packets) &&
	    dump_be64(&packets, &n))
		r->out->counted += (int64_t)(n & INT64_MAX);
}

/*
 * One that runs out is of what is learned, or a grant for a time, which ends whenever it does: both
 * are told by number.
 */
static void note_element(struct reading *r, const struct dump_attr *elem)
{
	static const uint16_t types[] = {NFTA_SET_ELEM_KEY, NFTA_SET_ELEM_KEY_END,
					 NFTA_SET_ELEM_DATA, NFTA_SET_ELEM_FLAGS,
					 NFTA_SET_ELEM_OBJREF};
	struct dump_attr parts[LEN(types)], timeout;
	const struct dump_attr *list[LEN(types)];

	count_element(r, elem);
	if (dump_find(elem->data, elem->len, NFTA_SET_ELEM_TIMEOUT, &timeout)) {
		if (is_ours(r->set->table) && !str_eq(r->set->name, "grants"))
			r->out->learned++;
		return;
	}
	for (size_t i = 0; i < LEN(types); i++) {
		(void)dump_find(elem->data, elem->len, types[i], &parts[i]);
		list[i] = &parts[i];
	}
	mix(r, list, LEN(types));
}

static int note_elements(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	const char *at = begin(r, payload, &len);
	struct dump_attr list, x;

	if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM))
		return 0;
	if (!at)
		return -EBADMSG;
	if (!dump_find(at, len, NFTA_SET_ELEM_LIST_ELEMENTS, &list))
		return 0;
	at = list.data;
	len = list.len;
	while (dump_next(&at, &len, &x))
		note_element(r, &x);
	return 0;
}

/* The bytes that a quota has had. */
static int note_object(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct reading *r = ctx;
	const char *at = begin(r, payload, &len);
	struct dump_attr table, data, consumed;
	char word[NAME];
	uint64_t n;

	if (type != (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWOBJ) || !at)
		return at ? 0 : -EBADMSG;
	(void)dump_find(at, len, NFTA_OBJ_TABLE, &table);
	text_of(&table, word);
	if (is_ours(word) && dump_find(at, len, NFTA_OBJ_DATA, &data) &&
	    dump_find(data.data, data.len, NFTA_QUOTA_CONSUMED, &consumed) &&
	    dump_be64(&consumed, &n))
		r->out->counted += (int64_t)(n & INT64_MAX);
	return 0;
}

/* --- all of it -------------------------------------------------------------------------------- */

static int ask(int fd, uint8_t type, const struct set *of, dump_each *each, struct reading *r)
{
	union {
		struct nlmsghdr head;
		char bytes[512];
	} q = {
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct nfgenmsg)),
			 .nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP}
        };
	const struct nfgenmsg g = {.nfgen_family = of ? of->family : AF_UNSPEC,
				   .version = NFNETLINK_V0};

	memcpy(q.bytes + NLMSG_HDRLEN, &g, sizeof(g));
	if (of &&
	    (!dump_put(&q.head, sizeof(q), NFTA_SET_ELEM_LIST_TABLE, of->table,
		       strlen(of->table) + 1) ||
	     !dump_put(&q.head, sizeof(q), NFTA_SET_ELEM_LIST_SET, of->name, strlen(of->name) + 1)))
		return -EMSGSIZE;
	return dump_ask(fd, &q.head, each, r);
}

static int read_all(int fd, struct reading *r)
{
	int code = 0;

	for (size_t i = 0; code == 0 && i < LEN(kinds); i++)
		code = ask(fd, kinds[i].ask, NULL, note_message, r);
	for (size_t i = 0; code == 0 && i < r->n_sets; i++) {
		r->set = &r->sets[i];
		code = ask(fd, NFT_MSG_GETSETELEM, r->set, note_elements, r);
	}
	if (code == 0 && r->n_sets)
		code = ask(fd, NFT_MSG_GETOBJ, NULL, note_object, r);
	return code;
}

void pool_nft_parse(struct arena *a, const void *buf, size_t n, struct nft_seen *out)
{
	static dump_each *const all[] = {note_message, note_elements, note_object};
	struct reading *r = arena_new(a, sizeof(*r));
	uint8_t bytes[SHA256_BYTES];
	bool changed = false;

	*out = (struct nft_seen){0};
	*r = (struct reading){.out = out};
	r->set = &r->sets[0];
	sha256_begin(&r->hash);
	for (size_t i = 0; i < LEN(all); i++)
		(void)dump_parse(buf, n, all[i], r, &changed); /* or refused */
	sha256_end(&r->hash, bytes);
	hex_of(bytes, out->digest);
}

void pool_nft_look(struct arena *a, struct nft_seen *out)
{
	own_fd int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct reading *r = arena_new(a, sizeof(*r));
	uint8_t bytes[SHA256_BYTES];
	int code = fd < 0 ? -errno : -EINTR;

	/* The learned run out whenever they do: a table may change under a dump. */
	for (int i = 0; i < TRIES && code == -EINTR; i++) {
		*out = (struct nft_seen){0};
		*r = (struct reading){.out = out};
		sha256_begin(&r->hash);
		code = read_all(fd, r);
	}
	out->unreadable = out->unreadable || code < 0;
	if (out->unreadable || !r->len)
		return;
	sha256_end(&r->hash, bytes);
	hex_of(bytes, out->digest);
}

const char *pool_nft_text(struct arena *a, const struct nft_seen *s)
{
	char elements[SHA256_HEX];

	if (s->unreadable)
		return "unreadable nf_tables\n";
	if (!s->digest[0])
		return "rules none\n";
	hex_of(s->elements, elements);
	return arena_printf(a, "rules %s\nelements %zu %s\n", s->digest, s->n_elements,
			    s->n_elements ? elements : "none");
}
