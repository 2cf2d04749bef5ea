/* The way back from a verb's struct to words of a command line. */
#include "cmd/brig/option_words.h"

#include <string.h>

#include "base/str.h"

static const void *pointer_at(const void *target, size_t at)
{
	const void *p;

	memcpy(&p, (const char *)target + at, sizeof(p));
	return p;
}

static const char *unsigned_text(struct arena *a, uint64_t n, const char *unit)
{
	return arena_printf(a, "%llu%s", (unsigned long long)n, unit);
}

/* NULL: not given, or of a kind that has more than one value. */
static const char *single(struct arena *a, const struct opt *o, const void *target)
{
	const char *at = (const char *)target + o->at;
	const void *p;

	switch (o->kind) {
	case OPT_STRING:
		p = pointer_at(target, o->at);
		return p && !str_eq(p, o->preset) ? p : NULL;
	case OPT_U32:
		return *(const uint32_t *)at ? unsigned_text(a, *(const uint32_t *)at, "") : NULL;
	case OPT_DURATION:
		return *(const uint64_t *)at ? unsigned_text(a, *(const uint64_t *)at, "ms") : NULL;
	case OPT_MAYBE_U16:
		p = pointer_at(target, o->at);
		return p ? unsigned_text(a, *(const uint16_t *)p, "") : NULL;
	case OPT_MAYBE_U64:
		p = pointer_at(target, o->at);
		return p ? unsigned_text(a, *(const uint64_t *)p, "") : NULL;
	case OPT_MAYBE_TIME:
		p = pointer_at(target, o->at);
		return p ? unsigned_text(a, *(const uint64_t *)p, "ms") : NULL;
	case OPT_MAYBE_I64:
	case OPT_MAYBE_BYTES:
		p = pointer_at(target, o->at);
		return p ? arena_printf(a, "%lld", (long long)*(const int64_t *)p) : NULL;
	case OPT_FLAG:
	case OPT_LIST:
	case OPT_U32_LIST:
		break;
	}
	return NULL;
}

static size_t values(const struct opt *o, const void *target)
{
	const char *at = (const char *)target + o->at;

	return o->kind == OPT_LIST       ? ((const struct opt_list *)at)->n
	       : o->kind == OPT_U32_LIST ? ((const struct opt_u32_list *)at)->n
					 : 1;
}

static void add(struct arena *a, const struct opt *o, const void *target, struct given *out,
		size_t *n)
{
	const char *at = (const char *)target + o->at, *text = single(a, o, target);

	if (text || (o->kind == OPT_FLAG && *(const bool *)at))
		out[(*n)++] = (struct given){o->name, text};
	if (o->kind == OPT_LIST)
		for (size_t i = 0; i < values(o, target); i++)
			out[(*n)++] =
				(struct given){o->name, ((const struct opt_list *)at)->items[i]};
	if (o->kind == OPT_U32_LIST)
		for (size_t i = 0; i < values(o, target); i++)
			out[(*n)++] = (struct given){
				o->name,
				unsigned_text(a, ((const struct opt_u32_list *)at)->items[i], "")};
}

const struct given *options_given(struct arena *a, const struct opt *table, const void *target)
{
	size_t room = 1, n = 0;
	struct given *out;

	for (const struct opt *o = opt_first(table); o; o = opt_next(o))
		room += values(o, target);
	out = arena_array(a, room, sizeof(*out));
	for (const struct opt *o = opt_first(table); o; o = opt_next(o))
		add(a, o, target, out, &n);
	return out;
}
