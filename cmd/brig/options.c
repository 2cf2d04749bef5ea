#include "cmd/brig/options.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

/* Follows the ending rows to a row with a name. */
static const struct opt *settle(const struct opt *row)
{
	while (row && !row->name)
		row = row->more;
	return row;
}

const struct opt *opt_first(const struct opt *table)
{
	return settle(table);
}

const struct opt *opt_next(const struct opt *row)
{
	return settle(row + 1);
}

bool opt_bool(const char *s, bool *out)
{
	static const struct word words[] = {
		{"1",     1},
                {"t",     1},
                {"T",     1},
                {"true",  1},
                {"TRUE",  1},
                {"True",  1},
                {"0",     0},
		{"f",     0},
                {"F",     0},
                {"false", 0},
                {"FALSE", 0},
                {"False", 0},
                {NULL,    0},
	};
	const struct word *w = word_find(words, s);

	if (w)
		*out = w->value;
	return w;
}

bool opt_duration(const char *s, uint64_t *ms)
{
	return str_duration(s, ms);
}

/*
 * Room for one more item of size bytes and a zero one behind it.  The lists carry no
 * capacity: it grows whenever the count has become a power of two.
 */
static void *grow(struct arena *a, void *items, size_t n, size_t size)
{
	void *bigger;

	if (n & (n - 1))
		return items;
	bigger = arena_array(a, 2 * n + 2, size);
	if (n)
		memcpy(bigger, items, n * size);
	return bigger;
}

static bool store_flag(struct arena *a, const char *s, void *to)
{
	(void)a;
	return opt_bool(s, to);
}

static bool store_string(struct arena *a, const char *s, void *to)
{
	(void)a;
	*(const char **)to = s;
	return true;
}

static bool store_u32(struct arena *a, const char *s, void *to)
{
	(void)a;
	return str_u32(s, to);
}

static bool store_duration(struct arena *a, const char *s, void *to)
{
	(void)a;
	return opt_duration(s, to);
}

static bool store_list(struct arena *a, const char *s, void *to)
{
	struct opt_list *list = to;
	const char **items = grow(a, list->items, list->n, sizeof(*items));

	items[list->n++] = s;
	list->items = items;
	return true;
}

static bool store_u32_list(struct arena *a, const char *s, void *to)
{
	struct opt_u32_list *list = to;
	uint32_t *items = grow(a, list->items, list->n, sizeof(*items));

	if (!str_u32(s, &items[list->n]))
		return false;
	list->n++;
	list->items = items;
	return true;
}

static bool store_u16(struct arena *a, const char *s, void *to)
{
	uint16_t *v = arena_new(a, sizeof(*v));
	uint32_t n;

	if (!str_u32(s, &n) || n > UINT16_MAX)
		return false;
	*v = (uint16_t)n;
	*(const uint16_t **)to = v;
	return true;
}

static bool store_u64(struct arena *a, const char *s, void *to)
{
	uint64_t *v = arena_new(a, sizeof(*v));

	*(const uint64_t **)to = v;
	return str_u64(s, v);
}

static bool store_i64(struct arena *a, const char *s, void *to)
{
	int64_t *v = arena_new(a, sizeof(*v));

	*(const int64_t **)to = v;
	return str_i64(s, v);
}

static bool store_bytes(struct arena *a, const char *s, void *to)
{
	int64_t *v = arena_new(a, sizeof(*v));

	*(const int64_t **)to = v;
	return str_bytes(s, v);
}

static bool store_time(struct arena *a, const char *s, void *to)
{
	uint64_t *v = arena_new(a, sizeof(*v));

	*(const uint64_t **)to = v;
	return opt_duration(s, v);
}

static bool (*const stores[])(struct arena *a, const char *s, void *to) = {
	[OPT_FLAG] = store_flag,       [OPT_STRING] = store_string,
	[OPT_U32] = store_u32,         [OPT_DURATION] = store_duration,
	[OPT_LIST] = store_list,       [OPT_U32_LIST] = store_u32_list,
	[OPT_MAYBE_U16] = store_u16,   [OPT_MAYBE_U64] = store_u64,
	[OPT_MAYBE_I64] = store_i64,   [OPT_MAYBE_BYTES] = store_bytes,
	[OPT_MAYBE_TIME] = store_time,
};

static int store(struct arena *a, const struct opt *o, const char *value, void *target,
		 struct err *e)
{
	if (o->kind >= OPT_MAYBE_U16 && !*value)
		return 0;
	if (stores[o->kind](a, value, (char *)target + o->at))
		return 0;
	if (o->kind == OPT_FLAG)
		return err_msg(e, EINVAL, "invalid boolean value \"%s\" for -%s: parse error",
			       value, o->name);
	return err_msg(e, EINVAL, "invalid value \"%s\" for flag -%s: parse error", value, o->name);
}

/* The row of a name that ends at '=' or at the end. */
static const struct opt *find(const struct opt *table, const char *name, size_t len)
{
	for (const struct opt *o = opt_first(table); o; o = opt_next(o)) {
		if (strlen(o->name) == len && strncmp(o->name, name, len) == 0)
			return o;
		if (o->alias && len == 1 && *o->alias == *name)
			return o;
	}
	return NULL;
}

/* An argument taken apart. */
struct word_of_argv {
	const char *name; /* without dashes; NULL: not an option */
	size_t len;
	const char *value; /* behind '=', NULL without */
};

static struct word_of_argv split(const char *arg)
{
	struct word_of_argv w = {0};

	if (arg[0] != '-' || !arg[1])
		return w;
	w.name = arg + (arg[1] == '-' ? 2 : 1);
	w.value = strchr(w.name, '=');
	w.len = w.value ? (size_t)(w.value - w.name) : strlen(w.name);
	if (w.value)
		w.value++;
	return w;
}

static bool is_help(const struct word_of_argv *w)
{
	return (w->len == 1 && *w->name == 'h') || (w->len == 4 && str_starts(w->name, "help"));
}

/* Stores one option of a known row; *argv is at it and moves over a separate value. */
static int take(struct arena *a, const struct opt *o, const char *value, char *const **argv,
		void *target, struct err *e)
{
	if (!value && o->kind == OPT_FLAG)
		value = "true";
	if (!value) {
		if (!(*argv)[1])
			return err_msg(e, EINVAL, "flag needs an argument: -%s", o->name);
		value = *++*argv;
	}
	return store(a, o, value, target, e);
}

static int presets(struct arena *a, const struct opt *table, void *target, struct err *e)
{
	for (const struct opt *o = opt_first(table); o; o = opt_next(o)) {
		if (!o->preset)
			continue;
		int r = store(a, o, o->preset, target, e);
		if (r < 0)
			return r;
	}
	return 0;
}

/* A word that no row has: it must be an argument, or it ends the reading. */
static int unknown(const struct word_of_argv *w, const char *arg, const struct opt_list *args,
		   struct err *e)
{
	if (!w->name || args->n)
		return 0;
	if (!w->len || *w->name == '-')
		return err_msg(e, EINVAL, "bad flag syntax: %s", arg);
	return err_msg(e, EINVAL, "flag provided but not defined: -%.*s", (int)w->len, w->name);
}

int options_parse(struct arena *a, char *const *argv, struct opt_call *call, struct err *e)
{
	struct opt_list args = {0};
	int r = presets(a, call->table, call->target, e);

	for (; r == 0 && *argv; argv++) {
		struct word_of_argv w = split(*argv);

		if (str_eq(*argv, "--")) {
			argv++;
			break;
		}
		const struct opt *o = w.name ? find(call->table, w.name, w.len) : NULL;
		if (!o && w.name && is_help(&w)) {
			call->help = true;
			return 0;
		}
		r = o ? take(a, o, w.value, &argv, call->target, e) : unknown(&w, *argv, &args, e);
		if (o || r < 0)
			continue;
		if (call->order == OPT_STOP)
			break;
		store_list(a, *argv, &args);
	}
	for (; r == 0 && *argv; argv++)
		store_list(a, *argv, &args);
	call->args = args.items ? args.items : arena_new(a, sizeof(*call->args));
	call->n_args = args.n;
	return r;
}
