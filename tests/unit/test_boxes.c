/* Boxes against brute force: small worlds in which every point can be asked. */
#include "net/boxes.h"

#include <errno.h>
#include <stdlib.h>

#include "base/own.h"
#include "check.h"

enum { BITS = 5, WORLD = 1 << BITS, PORTS = 24, MOST = 14 };

static struct err err;

/* The id that has a point: of the first box in the list with it; 0: none. */
static uint32_t owner(const struct box *list, size_t n, uint8_t proto, box_address a, uint16_t port)
{
	for (size_t i = 0; i < n; i++)
		if (list[i].proto == proto && list[i].first <= a && a <= list[i].last &&
		    list[i].first_port <= port && port <= list[i].last_port)
			return list[i].id;
	return 0;
}

static size_t owners(const struct box *list, size_t n, uint8_t proto, box_address a, uint16_t port)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++)
		k += owner(&list[i], 1, proto, a, port) != 0;
	return k;
}

static bool same(const struct box *in, size_t n, const struct box *out, size_t n_out)
{
	for (box_address a = 0; a < WORLD; a++)
		for (uint16_t port = 0; port < PORTS; port++)
			for (uint8_t proto = 6; proto <= 17; proto += 11) {
				uint32_t want = owner(in, n, proto, a, port);

				if (owner(out, n_out, proto, a, port) != want ||
				    owners(out, n_out, proto, a, port) != (want ? 1 : 0))
					return false;
			}
	return true;
}

static void random_worlds(void)
{
	srandom(1);
	for (int round = 0; round < 3000; round++) {
		own_arena struct arena arena = {0};
		struct box in[MOST], *out;
		size_t n = (size_t)random() % (MOST + 1), n_out;

		for (size_t i = 0; i < n; i++) {
			int bits = (int)(random() % (BITS + 1));
			box_address size = (box_address)1 << bits;
			uint16_t port = (uint16_t)(random() % PORTS);

			in[i] = (struct box){.family = 4,
					     .proto = random() % 2 ? 6 : 17,
					     .first = (box_address)(random() % WORLD) & ~(size - 1),
					     .first_port = port,
					     .last_port =
						     (uint16_t)(port + random() % (PORTS - port)),
					     .id = (uint32_t)i + 1};
			in[i].last = in[i].first + size - 1;
		}
		CHECK(boxes_disjoint(&arena, in, n, &out, &n_out, &err) == 0);
		CHECK(same(in, n, out, n_out));
	}
}

static void bounded(void)
{
	own_arena struct arena arena = {0};
	struct box *in = arena_array(&arena, 5000, sizeof(*in)), *out;
	size_t n;

	/* Many holes in one range: as many pieces as that needs. */
	for (size_t i = 0; i < 4999; i++)
		in[i] = (struct box){4, 6, 2 * i, 2 * i, 443, 443, (uint32_t)i + 1};
	in[4999] = (struct box){4, 6, 0, UINT32_MAX, 1, 65535, 5000};
	CHECK(boxes_disjoint(&arena, in, 5000, &out, &n, &err) == 0);
	CHECK(n == 4999 + 2 + 4999);
	/* Many ranges with many holes each. */
	for (size_t i = 0; i < 2500; i++)
		in[2500 + i] = (struct box){4, 6, 0, UINT32_MAX, 1, 65535, 9};
	for (size_t i = 0; i < 2500; i++)
		in[2500 + i].last = UINT32_MAX >> (i % 16);
	for (size_t i = 0; i < 2500; i++)
		in[i].first_port = in[i].last_port = (uint16_t)(1 + i);
	CHECK(boxes_disjoint(&arena, in, 5000, &out, &n, &err) == 0);
	for (size_t i = 0; i < 2500; i++)
		in[2500 + i] =
			(struct box){4, 6, 0, UINT32_MAX, (uint16_t)(1 + i), (uint16_t)(1 + i), 9};
	for (size_t i = 0; i < 2500; i++) {
		in[i].first_port = 1;
		in[i].last_port = 65535;
	}
	CHECK(boxes_disjoint(&arena, in, 5000, &out, &n, &err) == -E2BIG);
	CHECK(strstr(err.msg, "65536") != NULL);
}

static void edges(void)
{
	own_arena struct arena arena = {0};
	const box_address top = ~(box_address)0;
	struct box in[] =
		{
			{6, 6, top, top, 65535, 65535, 1},
                        {6, 6, 0,   top, 0,     65535, 2}
        },
		   *out;
	struct box_range r[] = {
		{6, 5,  top},
                {4, 0,  3  },
                {4, 4,  9  },
                {4, 11, 12 },
                {6, 0,  4  }
        };
	size_t n;

	CHECK(boxes_disjoint(&arena, in, 2, &out, &n, &err) == 0 && n == 3);
	CHECK(boxes_merge(r, LEN(r)) == 3);
	CHECK(r[0].first == 0 && r[0].last == 9 && r[1].first == 11);
	CHECK(r[2].family == 6 && r[2].first == 0 && r[2].last == top);
	CHECK(boxes_merge(r, 0) == 0);

	struct egress_address a =
				      {
					      .family = 6
        },
			      b = {4, 32, {1, 2, 3, 4}}, c = {4, 0, {0}};
	box_address first, last;
	uint8_t bytes[4];

	box_ends(&a, &first, &last);
	CHECK(first == 0 && last == top);
	box_ends(&b, &first, &last);
	CHECK(first == 0x01020304 && last == first);
	box_bytes(first, 4, bytes);
	CHECK(memcmp(bytes, b.bytes, 4) == 0);
	box_ends(&c, &first, &last);
	CHECK(first == 0 && last == UINT32_MAX);
}

int main(void)
{
	random_worlds();
	bounded();
	edges();
	return check_done();
}
