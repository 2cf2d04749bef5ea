/* One rule: tests of arguments, and what it answers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "guard/levelc/parse.h"

enum { MAX_VALUES = 64 };

/* What policies answer; the numbers are the same on x86-64 and arm64. */
static const struct word errnos[] = {
  /* The call is not made, and looks as if it had been. */
	{"NONE",            0              },
	{"EPERM",           EPERM          },
	{"ENOMEM",          ENOMEM         },
	{"EACCES",          EACCES         },
	{"EINVAL",          EINVAL         },
	{"ENOTTY",          ENOTTY         },
	{"ENOSYS",          ENOSYS         },
	{"ENOPROTOOPT",     ENOPROTOOPT    },
	{"EPROTONOSUPPORT", EPROTONOSUPPORT},
	{"EOPNOTSUPP",      EOPNOTSUPP     },
	{"EAFNOSUPPORT",    EAFNOSUPPORT   },
	{NULL,              0              },
};

static const struct word verbs[] = {
	{"allow", POL_ALLOW},
        {"errno", POL_ERRNO},
        {"tell",  POL_TELL },
	{"never", POL_NEVER},
        {"kill",  POL_KILL },
        {NULL,    0        },
};

void *parse_list_add(struct arena *a, void **list, size_t *n, size_t *max, size_t size)
{
	if (*n == *max) {
		size_t more = *max ? *max * 2 : 16;
		char *grown = arena_array(a, more, size);

		if (*n)
			memcpy(grown, *list, *n * size);
		*list = grown;
		*max = more;
	}
	return (char *)*list + (*n)++ * size;
}

/* A number as C writes it, or a word that was defined. */
int parse_value(struct parser *p, uint64_t *out)
{
	const char *w = parse_word(p);
	char *end = NULL;

	if (!w)
		return parse_fail(p, "expected a value", NULL);
	for (size_t i = 0; i < p->words.n; i++)
		if (str_eq(p->words.list[i].name, w)) {
			*out = p->words.list[i].value;
			return 0;
		}
	errno = 0;
	*out = strtoull(w, &end, 0);
	if (w[0] < '0' || w[0] > '9' || *end || errno)
		return parse_fail(p, "expected a value", w);
	return 0;
}

int parse_action(struct parser *p, const char *verb, struct pol_action *out)
{
	const struct word *v = word_find(verbs, verb), *error;

	if (!v)
		return parse_fail(p, "not understood", verb);
	out->verb = (enum pol_verb)v->value;
	if (out->verb != POL_ERRNO && out->verb != POL_TELL)
		return 0;
	const char *name = parse_word(p);

	error = name ? word_find(errnos, name) : NULL;
	if (!error)
		return parse_fail(p, "expected an errno", name);
	out->error = (uint16_t)error->value;
	return 0;
}

int parse_when(struct parser *p, enum pol_when *out)
{
	if (!parse_accept(p, "when"))
		return 0;
	if (parse_accept(p, "network"))
		*out = POL_NETWORK;
	else if (parse_accept(p, "no-network"))
		*out = POL_NO_NETWORK;
	else
		return parse_fail(p, "when: network or no-network", parse_peek(p));
	return 0;
}

static int parse_values(struct parser *p, struct pol_test *t, bool many)
{
	uint64_t buf[MAX_VALUES];
	uint64_t most = t->wide ? UINT64_MAX : UINT32_MAX;

	do {
		uint64_t v;

		if (t->n_values == LEN(buf))
			return parse_fail(p, "too many values", NULL);
		if (parse_value(p, &v) < 0)
			return -p->e->code;
		if (v > most || (v & ~t->mask))
			return parse_fail(p, "no argument can be that", NULL);
		buf[t->n_values++] = v;
	} while (many && parse_peek(p) && *parse_peek(p) != ',' && *parse_peek(p) != ':');
	if (t->wide && t->n_values > 1)
		return parse_fail(p, "wide: one value", NULL);
	t->values = memcpy(arena_array(p->a, t->n_values, sizeof(buf[0])), buf,
			   t->n_values * sizeof(buf[0]));
	return 0;
}

/* [wide] argN [& MASK] == VALUE, or in VALUE... */
static int parse_test(struct parser *p, struct pol_test *t)
{
	const char *w;

	t->wide = parse_accept(p, "wide");
	t->mask = t->wide ? UINT64_MAX : UINT32_MAX;
	w = parse_word(p);
	if (!w || strlen(w) != 4 || !str_starts(w, "arg") || w[3] < '0' || w[3] > '5')
		return parse_fail(p, "expected arg0 to arg5", w);
	t->arg = (unsigned int)(w[3] - '0');
	if (parse_accept(p, "&")) {
		uint64_t most = t->mask;

		if (parse_value(p, &t->mask) < 0)
			return -p->e->code;
		if (t->mask > most || !t->mask)
			return parse_fail(p, "not a mask of this argument", NULL);
	}
	if (parse_accept(p, "=="))
		return parse_values(p, t, false);
	if (parse_accept(p, "in"))
		return parse_values(p, t, true);
	return parse_fail(p, "expected == or in", parse_peek(p));
}

/* else: ACTION, or TEST[, TEST...]: ACTION [when W] */
int parse_rule(struct parser *p, struct pol_rule *out)
{
	if (!parse_accept(p, "else")) {
		do {
			if (out->n_tests == POL_MAX_TESTS)
				return parse_fail(p, "too many tests", NULL);
			if (parse_test(p, &out->tests[out->n_tests++]) < 0)
				return -p->e->code;
		} while (parse_accept(p, ","));
	}
	if (parse_expect(p, ":") < 0)
		return -p->e->code;
	const char *verb = parse_word(p);

	if (!verb)
		return parse_fail(p, "expected an action", NULL);
	if (parse_action(p, verb, &out->action) < 0)
		return -p->e->code;
	return parse_when(p, &out->when);
}
