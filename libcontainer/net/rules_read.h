#ifndef BRIG_NET_RULES_READ_H
#define BRIG_NET_RULES_READ_H

#include "net/answers.h"
#include "net/batch.h"

/* An element as the kernel tells it. */
struct rules_element {
	uint8_t key[BATCH_KEY_MAX], len;
	uint32_t mark; /* of maps */
	bool has_timeout;
	uint64_t timeout_ms, left_ms;
	uint64_t packets, bytes;
};
/* elem: one of a message's list; false: not understood. */
bool rules_read_element(const struct mnl *m, const struct nlattr *elem, struct rules_element *out);
/* expr: name and data; false: not a counter. */
bool rules_read_counter(const struct mnl *m, const struct nlattr *expr, uint64_t *packets,
			uint64_t *bytes);

/* One datagram of log records; returns how many were lost before them. */
struct rules_packet;
int64_t rules_log_parse(const struct mnl *m, const void *bytes, size_t len, uint32_t *last_seq,
			void (*each)(void *ctx, const struct rules_packet *p), void *ctx);

#endif
