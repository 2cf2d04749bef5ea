#ifndef BRIG_NET_DUMP_H
#define BRIG_NET_DUMP_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the kernel has in a network namespace, asked without libmnl: who only looks (verify) loads
 * no library.  Nothing of a message is believed before its length is checked.
 */

/* Behind the header of a message; < 0 ends it. */
typedef int dump_each(uint16_t type, const void *payload, size_t len, void *ctx);

/*
 * The messages of one datagram.  1: there is more to come, 0: that was all, or an acknowledgement;
 * -errno: the kernel's answer, or what each said; -EBADMSG: none that is whole.  *changed: a table
 * has changed under the dump.
 */
int dump_parse(const void *buf, size_t n, dump_each *each, void *ctx, bool *changed);
/*
 * Sends a request (NLM_F_DUMP or NLM_F_ACK; its sequence number is set) and reads all answers.  A
 * dump under which something has changed is -EINTR, at its end: callers begin anew.
 */
int dump_ask(int sock, struct nlmsghdr *request, dump_each *each, void *ctx);

struct dump_attr {
	uint16_t type; /* without the flags of nesting and byte order */
	const char *data;
	size_t len;
};
/* Moves at and left behind the next attribute; false: there is none that is whole. */
bool dump_next(const char **at, size_t *left, struct dump_attr *out);
/* The first one of that type; false: there is none. */
bool dump_find(const char *at, size_t left, uint16_t type, struct dump_attr *out);
/* Numbers; false where it is too short. */
bool dump_u32(const struct dump_attr *x, uint32_t *out);
bool dump_be64(const struct dump_attr *x, uint64_t *out);

/* An attribute behind what the request has; room: of all of it. */
bool dump_put(struct nlmsghdr *h, size_t room, uint16_t type, const void *data, size_t len);
/* Begins one that holds others; dump_nested ends it. */
struct nlattr *dump_nest(struct nlmsghdr *h, size_t room, uint16_t type);
void dump_nested(struct nlmsghdr *h, struct nlattr *nest);

#endif
