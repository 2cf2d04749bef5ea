#ifndef BRIG_NET_BATCH_H
#define BRIG_NET_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "net/mnl.h"

/*
 * One nfnetlink batch of nf_tables: all of its messages take effect together, or none does.  It
 * fills a buffer of a fixed size, as one send takes it (SO_SNDBUF); what does not fit sets full,
 * and a full batch cannot be sent.
 *
 * Integers of attributes are big-endian.  What stands in registers is not: addresses and ports
 * are as in the packet, marks and states as the machine has them.
 */
enum { BATCH_MAX_MESSAGES = 1024 };
struct batch {
	const struct mnl *m;
	char *buf;
	size_t size, len;
	uint32_t seq; /* of the first message */
	uint32_t n;   /* messages */
	struct nlmsghdr *cur, *last;
	const char *family_table; /* name of the table that all messages are for */
	uint8_t family;
	bool full;
	const char *parts[BATCH_MAX_MESSAGES]; /* what each makes, for error texts */
};

/* A batch for table "brig" of the family (NFPROTO_INET, NFPROTO_NETDEV), with its begin.  genid:
 * 0, or the state of all tables that it is made for: ERESTART when another has been made since. */
struct batch *batch_new(struct arena *a, const struct mnl *m, size_t size, uint8_t family,
			uint32_t genid);
/* Questions in one send, which are answered one by one and change nothing. */
struct batch *batch_questions(struct arena *a, const struct mnl *m, size_t size, uint8_t family);
/* Messages from here on are for that family's table. */
void batch_family(struct batch *b, uint8_t family);
/* Bytes still free. */
size_t batch_room(const struct batch *b);
bool batch_is_empty(const struct batch *b);
/* What one send of this socket takes. */
size_t batch_limit(int sock);

/* A message: begin, attributes, end.  type: NFT_MSG_*. */
void batch_message(struct batch *b, const char *part, int type, uint16_t flags);
void batch_put(struct batch *b, uint16_t type, const void *data, size_t len);
void batch_string(struct batch *b, uint16_t type, const char *text);
void batch_be16(struct batch *b, uint16_t type, uint16_t value);
void batch_be32(struct batch *b, uint16_t type, uint32_t value);
void batch_be64(struct batch *b, uint16_t type, uint64_t value);
struct nlattr *batch_nest(struct batch *b, uint16_t type);
void batch_unnest(struct batch *b, struct nlattr *nest);
/* Userdata as nft(8) prints it: comment "..."; at most 127 bytes. */
void batch_comment(struct batch *b, uint16_t type, const char *text);
void batch_end(struct batch *b);

/*
 * Sends it and reads what the kernel says: 0, or -errno with a message that names the part.
 * Nothing was done then, but for ENOBUFS: the answer was lost.
 */
int batch_send(struct batch *b, int sock, struct err *e) MUST_CHECK;
/* Sends questions; answers: data, missing and ctx are the caller's. */
struct answers;
int batch_ask(struct batch *b, int sock, struct answers *answers, struct err *e) MUST_CHECK;

/* --- batch_objects.c ------------------------------------------------------------------------ */

void batch_table(struct batch *b, const char *part, int type, uint16_t flags, const char *comment);
void batch_chain(struct batch *b, const char *part, const char *name);
/* type filter, policy drop; devices: of netdev, NULL else. */
struct batch_hook {
	uint32_t number;
	int32_t priority;
	const char *const *devices;
	size_t n_devices;
};
void batch_base_chain(struct batch *b, const char *part, const char *name,
		      const struct batch_hook *hook);
void batch_quota(struct batch *b, const char *part, const char *name, uint64_t over_bytes);

/* One part of a key: its length and its type of nft(8), which the kernel only keeps. */
struct batch_field {
	uint8_t len, type;
};
enum {
	BATCH_IPV4 = 7,
	BATCH_IPV6 = 8,
	BATCH_PROTO = 12,
	BATCH_PORT = 13,
	BATCH_MARK = 19,
	BATCH_IFNAME = 41
};
enum { BATCH_KEY_MAX = 24 };
struct batch_set {
	const char *part, *name;
	uint32_t id;    /* unique in the batch, not 0 */
	uint32_t flags; /* NFT_SET_*; CONCAT and MAP are added */
	const struct batch_field *fields;
	size_t n_fields;
	bool is_map;   /* to a mark */
	bool counts;   /* a counter for each element */
	uint32_t size; /* 0: no limit */
};
void batch_set(struct batch *b, const struct batch_set *s);

struct batch_element {
	uint8_t key[BATCH_KEY_MAX], end[BATCH_KEY_MAX];
	uint8_t len;
	bool has_end;      /* of a concatenation: inclusive */
	bool interval_end; /* of one field: the first that is outside */
	uint32_t mark;     /* what a map gives; 0: none */
	uint64_t timeout_ms;
	bool has_count;
	uint64_t packets, bytes; /* where a counter goes on */
};
/* As many as fit (a message's list has 16 bits of length, and whole messages are put): returns how
 * many. */
size_t batch_elements(struct batch *b, const char *part, int type, uint16_t flags, const char *set,
		      const struct batch_element *list, size_t n);

/* --- batch_rule.c: expressions of a rule, in the order in which they are looked at ----------- */

/* A 32-bit register; a longer value takes those behind it, too. */
#define BATCH_REG(n) ((uint32_t)(NFT_REG32_00 + (n)))

struct batch_rule {
	struct batch *b;
	struct nlattr *list;
	const char *comment;
};
struct batch_rule rule_begin(struct batch *b, const char *part, const char *chain,
			     const char *comment);
void rule_end(struct batch_rule *r);

void rule_meta(struct batch_rule *r, uint32_t key, uint32_t reg);
void rule_payload(struct batch_rule *r, uint32_t base, uint32_t offset, uint32_t len, uint32_t reg);
void rule_ct(struct batch_rule *r, uint32_t key, uint32_t reg);
void rule_cmp(struct batch_rule *r, uint32_t op, uint32_t reg, const void *data, size_t len);
void rule_ct_set(struct batch_rule *r, uint32_t key, uint32_t reg);
void rule_load(struct batch_rule *r, uint32_t reg, uint32_t value);
void rule_lookup(struct batch_rule *r, const char *set, uint32_t reg, bool inverted);
void rule_map(struct batch_rule *r, const char *map, uint32_t reg, uint32_t to);
void rule_counter(struct batch_rule *r);
/* NF_ACCEPT, NF_DROP, NFT_GOTO, NFT_JUMP; chain NULL for the first two. */
void rule_verdict(struct batch_rule *r, int verdict, const char *chain);
void rule_meta_set(struct batch_rule *r, uint32_t key, uint32_t reg);
void rule_log(struct batch_rule *r, uint16_t group, const char *prefix);
void rule_reject(struct batch_rule *r, uint32_t type, uint8_t code);
/* unit in seconds; over: matches what is more than that. */
struct rule_limit {
	uint64_t rate, unit;
	uint32_t burst, type; /* NFT_LIMIT_* */
	bool over;
};
void rule_limit(struct batch_rule *r, const struct rule_limit *l);
void rule_open_over(struct batch_rule *r, uint32_t count);
void rule_quota(struct batch_rule *r, const char *name);

/* What several of them make up. */
void rule_if_meta8(struct batch_rule *r, uint32_t key, uint8_t value);
void rule_if_meta32(struct batch_rule *r, uint32_t key, uint32_t value);
/* Any of the bits of the connection's state (NF_CT_STATE_BIT and so on). */
void rule_if_state(struct batch_rule *r, uint32_t bits);
/* What a connection of TCP begins with. */
void rule_if_syn(struct batch_rule *r);
enum { RULE_STATE_ESTABLISHED = 2, RULE_STATE_RELATED = 4, RULE_STATE_NEW = 8 };

#endif
