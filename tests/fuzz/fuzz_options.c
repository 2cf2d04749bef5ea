/*
 * A command line: the words of the input (cut at newlines) through a table with every kind of
 * option, in both orders.  What comes out must stand in what went in.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/brig/options.c"
#include "cmd/brig/signals.c"

struct target {
	bool flag;
	const char *string;
	uint32_t number;
	uint64_t time;
	struct opt_list list;
	struct opt_u32_list numbers;
	const uint16_t *u16;
	const uint64_t *u64;
	const int64_t *i64, *bytes;
};

#define AT(member) offsetof(struct target, member)

static const struct opt table[] = {
	{.name = "flag",    .alias = "f", .kind = OPT_FLAG, .at = AT(flag)},
	{.name = "string", .alias = "s", .kind = OPT_STRING, .at = AT(string)},
	{.name = "number",                 .alias = "n", .kind = OPT_U32, .at = AT(number)},
	{.name = "time",     .alias = "t", .kind = OPT_DURATION, .at = AT(time), .preset = "5s"},
	{.name = "list", .alias = "l", .kind = OPT_LIST, .at = AT(list)},
	{.name = "numbers",  .alias = "g", .kind = OPT_U32_LIST, .at = AT(numbers)},
	{.name = "u16",  .alias = "w", .kind = OPT_MAYBE_U16, .at = AT(u16)},
	{.name = "u64",                 .alias = "u", .kind = OPT_MAYBE_U64, .at = AT(u64)},
	{.name = "i64", .alias = "i", .kind = OPT_MAYBE_I64, .at = AT(i64)},
	{.name = "bytes",   .alias = "b", .kind = OPT_MAYBE_BYTES, .at = AT(bytes)},
	{.name = NULL                },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(enum opt_order order, char *const *argv, size_t n)
{
	own_arena struct arena a = {0};
	struct target t = {0};
	struct opt_call res = {.table = table, .order = order, .target = &t};
	struct err e = {0};
	int sig;

	if (options_parse(&a, argv, &res, &e) < 0) {
		assert(e.code && e.msg[0]);
		return;
	}
	if (res.help)
		return;
	assert(res.n_args <= n && !res.args[res.n_args]);
	for (size_t i = 0; i < res.n_args; i++)
		if (signal_parse(res.args[i], &sig))
			assert(sig >= 0 && sig <= 64);
	assert(t.list.n + res.n_args <= n);
	assert(!t.list.items || !t.list.items[t.list.n]);
	assert(!t.bytes || *t.bytes >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { MAX_WORDS = 256 };
	char *argv[MAX_WORDS + 1] = {NULL};
	own_free char *text = malloc(size + 1);
	size_t n = 0;

	if (!text)
		return 0;
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	for (char *rest = text; rest && n < MAX_WORDS;)
		argv[n++] = strsep(&rest, "\n");
	check(OPT_STOP, argv, n);
	check(OPT_MIXED, argv, n);
	return 0;
}
