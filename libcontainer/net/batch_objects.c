#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#include "base/own.h"
#include "net/batch.h"

/* A list's length is 16 bits: an element of 24 bytes with everything takes about 150. */
enum { ELEMENTS_EACH = 256, ELEMENT_BYTES = 192 };

void batch_table(struct batch *b, const char *part, int type, uint16_t flags, const char *comment)
{
	batch_message(b, part, type, flags);
	batch_string(b, NFTA_TABLE_NAME, b->family_table);
	batch_comment(b, NFTA_TABLE_USERDATA, comment);
	batch_end(b);
}

void batch_chain(struct batch *b, const char *part, const char *name)
{
	batch_message(b, part, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	batch_string(b, NFTA_CHAIN_TABLE, b->family_table);
	batch_string(b, NFTA_CHAIN_NAME, name);
	batch_end(b);
}

static void put_hook(struct batch *b, const struct batch_hook *hook)
{
	struct nlattr *nest = batch_nest(b, NFTA_CHAIN_HOOK);

	batch_be32(b, NFTA_HOOK_HOOKNUM, hook->number);
	batch_be32(b, NFTA_HOOK_PRIORITY, (uint32_t)hook->priority);
	if (hook->n_devices) {
		struct nlattr *devices = batch_nest(b, NFTA_HOOK_DEVS);

		for (size_t i = 0; i < hook->n_devices; i++)
			batch_string(b, NFTA_DEVICE_NAME, hook->devices[i]);
		batch_unnest(b, devices);
	}
	batch_unnest(b, nest);
}

void batch_base_chain(struct batch *b, const char *part, const char *name,
		      const struct batch_hook *hook)
{
	batch_message(b, part, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	batch_string(b, NFTA_CHAIN_TABLE, b->family_table);
	batch_string(b, NFTA_CHAIN_NAME, name);
	put_hook(b, hook);
	batch_be32(b, NFTA_CHAIN_POLICY, NF_DROP);
	batch_string(b, NFTA_CHAIN_TYPE, "filter");
	batch_end(b);
}

void batch_quota(struct batch *b, const char *part, const char *name, uint64_t over_bytes)
{
	batch_message(b, part, NFT_MSG_NEWOBJ, NLM_F_CREATE);
	batch_string(b, NFTA_OBJ_TABLE, b->family_table);
	batch_string(b, NFTA_OBJ_NAME, name);
	batch_be32(b, NFTA_OBJ_TYPE, NFT_OBJECT_QUOTA);
	struct nlattr *data = batch_nest(b, NFTA_OBJ_DATA);
	batch_be64(b, NFTA_QUOTA_BYTES, over_bytes);
	batch_be32(b, NFTA_QUOTA_FLAGS, NFT_QUOTA_F_INV);
	batch_unnest(b, data);
	batch_end(b);
}

/* --- Sets ------------------------------------------------------------------------------------ */

static void put_desc(struct batch *b, const struct batch_set *s)
{
	struct nlattr *desc = batch_nest(b, NFTA_SET_DESC);

	if (s->size)
		batch_be32(b, NFTA_SET_DESC_SIZE, s->size);
	if (s->n_fields > 1) {
		struct nlattr *concat = batch_nest(b, NFTA_SET_DESC_CONCAT);

		for (size_t i = 0; i < s->n_fields; i++) {
			struct nlattr *field = batch_nest(b, NFTA_LIST_ELEM);

			batch_be32(b, NFTA_SET_FIELD_LEN, s->fields[i].len);
			batch_unnest(b, field);
		}
		batch_unnest(b, concat);
	}
	batch_unnest(b, desc);
}

/* What nft(8) reads marks and names of devices as: in the machine's byte order. */
static void put_byte_order(struct batch *b, const struct batch_set *s)
{
	enum { KEY_BYTE_ORDER = 0, DATA_BYTE_ORDER = 1, HOST_ENDIAN = 1, BIG_ENDIAN_ = 2 };
	bool host = s->fields[0].type == BATCH_MARK || s->fields[0].type == BATCH_IFNAME;
	uint32_t key = host ? HOST_ENDIAN : BIG_ENDIAN_;
	unsigned char tlv[12] = {KEY_BYTE_ORDER, sizeof(key)};
	size_t len = 2 + sizeof(key);

	memcpy(tlv + 2, &key, sizeof(key));
	if (s->is_map) {
		const uint32_t data = HOST_ENDIAN;

		tlv[len++] = DATA_BYTE_ORDER;
		tlv[len++] = sizeof(data);
		memcpy(tlv + len, &data, sizeof(data));
		len += sizeof(data);
	}
	batch_put(b, NFTA_SET_USERDATA, tlv, len);
}

void batch_set(struct batch *b, const struct batch_set *s)
{
	uint32_t flags = s->flags, len = 0, type = 0;

	for (size_t i = 0; i < s->n_fields; i++) {
		/* In a concatenation each part begins at a register. */
		len += s->n_fields > 1 ? (s->fields[i].len + 3u) & ~3u : s->fields[i].len;
		type = type << 6 | s->fields[i].type;
	}
	flags |= s->n_fields > 1 ? NFT_SET_CONCAT : 0;
	flags |= s->is_map ? NFT_SET_MAP : 0;
	batch_message(b, s->part, NFT_MSG_NEWSET, NLM_F_CREATE);
	batch_string(b, NFTA_SET_TABLE, b->family_table);
	batch_string(b, NFTA_SET_NAME, s->name);
	batch_be32(b, NFTA_SET_FLAGS, flags);
	batch_be32(b, NFTA_SET_KEY_TYPE, type);
	batch_be32(b, NFTA_SET_KEY_LEN, len);
	if (s->is_map) {
		batch_be32(b, NFTA_SET_DATA_TYPE, BATCH_MARK);
		batch_be32(b, NFTA_SET_DATA_LEN, sizeof(uint32_t));
	}
	batch_be32(b, NFTA_SET_ID, s->id);
	put_desc(b, s);
	put_byte_order(b, s);
	if (s->counts) {
		struct nlattr *expr = batch_nest(b, NFTA_SET_EXPR);

		batch_string(b, NFTA_EXPR_NAME, "counter");
		batch_unnest(b, batch_nest(b, NFTA_EXPR_DATA));
		batch_unnest(b, expr);
	}
	batch_end(b);
}

/* --- Elements -------------------------------------------------------------------------------- */

static void put_data(struct batch *b, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = batch_nest(b, type);

	batch_put(b, NFTA_DATA_VALUE, data, len);
	batch_unnest(b, nest);
}

static void put_count(struct batch *b, const struct batch_element *x)
{
	struct nlattr *expr = batch_nest(b, NFTA_SET_ELEM_EXPR);

	batch_string(b, NFTA_EXPR_NAME, "counter");
	struct nlattr *data = batch_nest(b, NFTA_EXPR_DATA);
	batch_be64(b, NFTA_COUNTER_BYTES, x->bytes);
	batch_be64(b, NFTA_COUNTER_PACKETS, x->packets);
	batch_unnest(b, data);
	batch_unnest(b, expr);
}

static void put_element(struct batch *b, const struct batch_element *x)
{
	struct nlattr *nest = batch_nest(b, NFTA_LIST_ELEM);

	if (x->interval_end)
		batch_be32(b, NFTA_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
	put_data(b, NFTA_SET_ELEM_KEY, x->key, x->len);
	if (x->has_end)
		put_data(b, NFTA_SET_ELEM_KEY_END, x->end, x->len);
	if (x->mark)
		put_data(b, NFTA_SET_ELEM_DATA, &x->mark, sizeof(x->mark));
	if (x->timeout_ms)
		batch_be64(b, NFTA_SET_ELEM_TIMEOUT, x->timeout_ms);
	if (x->has_count)
		put_count(b, x);
	batch_unnest(b, nest);
}

size_t batch_elements(struct batch *b, const char *part, int type, uint16_t flags, const char *set,
		      const struct batch_element *list, size_t n)
{
	size_t done = 0;

	while (done < n && !b->full && b->n < BATCH_MAX_MESSAGES - 1) {
		size_t room = batch_room(b) / ELEMENT_BYTES;
		size_t now = n - done < ELEMENTS_EACH ? n - done : ELEMENTS_EACH;

		if (room <= 2) /* head and names */
			break;
		now = now < room - 1 ? now : room - 1;
		batch_message(b, part, type, flags);
		batch_string(b, NFTA_SET_ELEM_LIST_TABLE, b->family_table);
		batch_string(b, NFTA_SET_ELEM_LIST_SET, set);
		struct nlattr *nest = batch_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
		for (size_t i = 0; i < now; i++)
			put_element(b, &list[done + i]);
		batch_unnest(b, nest);
		batch_end(b);
		done += now;
	}
	return done;
}
