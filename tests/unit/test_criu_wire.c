/* CRIU's messages: what is written is what the protocol says, what is read may be anything. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "criu/criu.h"
#include "criu/wire.h"

static struct arena arena;

static bool bytes_are(const struct wire_out *o, const char *want, size_t len)
{
	return o->len == len && memcmp(o->data, want, len) == 0;
}

/* Bytes as protoc --encode prints them. */
static void written(void)
{
	struct wire_out o = {.arena = &arena}, inner = {.arena = &arena}, all = {.arena = &arena};

	wire_uint(&o, 1, 150);
	CHECK(bytes_are(&o, "\x08\x96\x01", 3));
	wire_str(&o, 10, "ab");
	wire_str(&o, 11, NULL);
	wire_bool(&o, 3, true);
	wire_bool(&o, 4, false);
	CHECK(bytes_are(&o,
			"\x08\x96\x01\x52\x02"
			"ab\x18\x01",
			9));
	wire_int(&inner, 44, -1);
	CHECK(bytes_are(&inner, "\xe0\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12));
	wire_message(&all, 2, &inner);
	CHECK(all.len == 14 && all.data[0] == 0x12 && all.data[1] == 12);
	wire_append(&all, &o);
	CHECK(all.len == 23);
}

static void grows(void)
{
	struct wire_out o = {.arena = &arena};
	struct wire_field f;
	size_t n = 0;

	for (unsigned int i = 0; i < 1000; i++)
		wire_str(&o, 7, "some text that is long enough");
	struct wire_in in = {o.data, o.data + o.len};
	while (wire_next(&in, &f) == 1) {
		CHECK(f.number == 7 && f.len == 29 && memcmp(f.data, "some text", 9) == 0);
		n++;
	}
	CHECK(n == 1000);
}

static int read_all(const void *data, size_t len, struct wire_field *last)
{
	/* A copy of just that size, for the sanitizer. */
	unsigned char *copy = malloc(len ? len : 1);
	int r;

	memcpy(copy, data, len);
	struct wire_in in = {copy, copy + len};
	while ((r = wire_next(&in, last)) > 0)
		if (last->data) {
			struct wire_in deeper = wire_enter(last);
			struct wire_field f;

			while (wire_next(&deeper, &f) > 0)
				;
		}
	free(copy);
	return r;
}

static void cut_off(void)
{
	static const char good[] = "\x08\x96\x01\x52\x02"
				   "ab\x18\x01\x0d....\x09........\x20\x05";
	struct wire_field f;

	CHECK(read_all(good, sizeof(good) - 1, &f) == 0 && f.number == 4 && f.n == 5);
	CHECK(read_all(good, 2, &f) == -EBADMSG);
	CHECK(read_all(good, 5, &f) == -EBADMSG);
	CHECK(read_all(good, 12, &f) == -EBADMSG);
	CHECK(read_all("\x52\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11, &f) == -EBADMSG);
	CHECK(read_all("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, &f) == -EBADMSG);
	CHECK(read_all("\x0b", 1, &f) == -EBADMSG); /* groups: not in these messages */
	CHECK(read_all("", 0, &f) == 0);
}

static void random_bytes(void)
{
	uint32_t x = 1;
	unsigned char data[64];
	struct wire_field f;

	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < sizeof(data); i++) {
			x = x * 1664525 + 1013904223;
			data[i] = (unsigned char)(x >> 24);
		}
		int r = read_all(data, x % sizeof(data), &f);
		CHECK(r == 0 || r == -EBADMSG);
	}
}

static void first_error(void)
{
	const char *text = "(00.1) Warn  (criu/a.c:1): no\n"
			   "(00.2) Error (criu/mount.c:76): mnt: 12:/x is odd\n"
			   "(00.3) Error (criu/b.c:2): later\n";
	const char *why = criu_first_error(&arena, text);

	CHECK(why && strcmp(why, "mnt: 12:/x is odd") == 0);
	CHECK(!criu_first_error(&arena, NULL));
	CHECK(!criu_first_error(&arena, "all is well\n"));
	CHECK(!criu_first_error(&arena, "Error (cut off\n): x"));
}

int main(void)
{
	written();
	grows();
	cut_off();
	random_bytes();
	first_error();
	arena_free(&arena);
	return check_done();
}
