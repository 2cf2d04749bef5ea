#include "criu/wire.h"

#include <errno.h>
#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

static void put(struct wire_out *o, const void *data, size_t n)
{
	if (n > o->room - o->len) {
		size_t room = (o->len + n) * 2 + 256;
		unsigned char *more = arena_new(o->arena, room);

		if (o->len)
			memcpy(more, o->data, o->len);
		o->data = more;
		o->room = room;
	}
	if (n)
		memcpy(o->data + o->len, data, n);
	o->len += n;
}

static void put_varint(struct wire_out *o, uint64_t n)
{
	unsigned char text[10];
	size_t len = 0;

	do {
		text[len++] = (unsigned char)((n & 0x7f) | (n > 0x7f ? 0x80 : 0));
		n >>= 7;
	} while (n);
	put(o, text, len);
}

static void put_bytes(struct wire_out *o, unsigned int field, const void *data, size_t n)
{
	put_varint(o, (uint64_t)field << 3 | WIRE_BYTES);
	put_varint(o, n);
	put(o, data, n);
}

void wire_uint(struct wire_out *o, unsigned int field, uint64_t n)
{
	put_varint(o, (uint64_t)field << 3 | WIRE_VARINT);
	put_varint(o, n);
}

void wire_int(struct wire_out *o, unsigned int field, int64_t n)
{
	wire_uint(o, field, (uint64_t)n);
}

void wire_bool(struct wire_out *o, unsigned int field, bool yes)
{
	if (yes)
		wire_uint(o, field, 1);
}

void wire_str(struct wire_out *o, unsigned int field, const char *s)
{
	if (s)
		put_bytes(o, field, s, strlen(s));
}

void wire_message(struct wire_out *o, unsigned int field, const struct wire_out *inner)
{
	put_bytes(o, field, inner->data, inner->len);
}

void wire_append(struct wire_out *o, const struct wire_out *fields)
{
	put(o, fields->data, fields->len);
}

static bool get_varint(struct wire_in *in, uint64_t *n)
{
	*n = 0;
	for (unsigned int shift = 0; shift < 64 && in->at < in->end; shift += 7) {
		unsigned char c = *in->at++;

		*n |= (uint64_t)(c & 0x7f) << shift;
		if (!(c & 0x80))
			return true;
	}
	return false;
}

static bool skip(struct wire_in *in, size_t n)
{
	if (n > (size_t)(in->end - in->at))
		return false;
	in->at += n;
	return true;
}

int wire_next(struct wire_in *in, struct wire_field *out)
{
	while (in->at < in->end) {
		uint64_t key, n = 0;
		bool ok = get_varint(in, &key);

		*out = (struct wire_field){.number = (unsigned int)(key >> 3)};
		switch (key & 7) {
		case WIRE_VARINT:
			return ok && get_varint(in, &out->n) ? 1 : -EBADMSG;
		case WIRE_BYTES:
			ok = ok && get_varint(in, &n);
			out->data = in->at;
			out->len = (size_t)n;
			return ok && skip(in, out->len) ? 1 : -EBADMSG;
		case WIRE_64:
			ok = ok && skip(in, 8);
			break;
		case WIRE_32:
			ok = ok && skip(in, 4);
			break;
		default:
			ok = false;
		}
		if (!ok)
			return -EBADMSG;
	}
	return 0;
}

struct wire_in wire_enter(const struct wire_field *f)
{
	return (struct wire_in){.at = f->data, .end = f->data ? f->data + f->len : f->data};
}
