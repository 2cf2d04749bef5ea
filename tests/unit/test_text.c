/* base/text.h: text that grows, by pieces of any length. */
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/text.h"
#include "check.h"

static void test_pieces(void)
{
	own_arena struct arena a = {0};
	struct text t = {.a = &a};
	char want[4096] = "";

	for (int i = 0; i < 300; i++) {
		char piece[16];

		snprintf(piece, sizeof(piece), "%d,", i);
		strcat(want, piece);
		if (i % 2)
			text_add(&t, piece, strlen(piece));
		else
			text_addf(&t, "%d%s", i, ",");
		CHECK(t.len == strlen(want));
		CHECK_STR(t.s, want);
	}
}

/* Lengths around what there is room for: the end is always there. */
static void test_lengths(void)
{
	char long_one[1200];

	memset(long_one, 'x', sizeof(long_one));
	for (size_t n = 0; n < 64; n++)
		for (size_t m = 0; m < 64; m++) {
			own_arena struct arena a = {0};
			struct text t = {.a = &a};

			text_add(&t, long_one, n);
			text_addf(&t, "%.*s", (int)m, long_one);
			CHECK(t.len == n + m && strlen(t.s) == n + m && t.room > t.len);
		}
	own_arena struct arena a = {0};
	struct text t = {.a = &a};
	CHECK(!t.s);
	text_addf(&t, "%.*s", (int)sizeof(long_one), long_one);
	CHECK(t.len == sizeof(long_one) && !memcmp(t.s, long_one, t.len));
}

int main(void)
{
	test_pieces();
	test_lengths();
	return check_done();
}
