#ifndef BRIG_CRIU_WIRE_H
#define BRIG_CRIU_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * The part of the protocol buffers encoding that CRIU's messages use: numbers (varint) and
 * strings or messages (length and bytes), each behind its field number.  Two wire types are not
 * worth a library and a code generator.
 *
 *	struct wire_out o = {.arena = a};
 *	wire_uint(&o, 1, pid);
 *	wire_str(&o, 10, "dump.log");
 */
struct wire_out {
	struct arena *arena;
	unsigned char *data;
	size_t len, room;
};

/* An int32 or enum of the protocol is sign-extended to 64 bits, as int64_t does. */
void wire_int(struct wire_out *o, unsigned int field, int64_t n);
void wire_uint(struct wire_out *o, unsigned int field, uint64_t n);
/* False is the protocol's default and left out. */
void wire_bool(struct wire_out *o, unsigned int field, bool yes);
/* NULL is left out. */
void wire_str(struct wire_out *o, unsigned int field, const char *s);
/* A message within a message. */
void wire_message(struct wire_out *o, unsigned int field, const struct wire_out *inner);

/* Fields that were written elsewhere. */
void wire_append(struct wire_out *o, const struct wire_out *fields);

struct wire_in {
	const unsigned char *at, *end;
};

struct wire_field {
	unsigned int number;
	uint64_t n;                /* of a number, else 0 */
	const unsigned char *data; /* of a string or message, else NULL; not terminated */
	size_t len;
};

/* 1: the next field (those of other wire types are skipped), 0: none, -EBADMSG: cut off. */
int wire_next(struct wire_in *in, struct wire_field *out);
/* A message that is a field's value. */
struct wire_in wire_enter(const struct wire_field *f);

#endif
