/* Names to numbers of one architecture, `when` to one variant, and a language over a level. */
#include <errno.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "guard/levelc/levelc.h"

/* One "NUMBER NAME" line; blank ones and comments are none. */
static int table_line(struct arena *a, const char *line, size_t len, struct levelc_table *out)
{
	const char *text = arena_strndup(a, line, len);
	char *end = NULL, *name;
	unsigned long nr;

	if (!len || text[0] == '#')
		return 0;
	nr = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end != ' ' || nr >= LEVELC_MAX_NR)
		return -EINVAL;
	name = end + 1;
	if (!*name || strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name))
		return -EINVAL;
	if (out->names[nr] || levelc_number(out, name) >= 0)
		return -EEXIST;
	out->names[nr] = name;
	if (nr >= out->end)
		out->end = (uint32_t)nr + 1;
	return 0;
}

int levelc_table_parse(struct arena *a, const char *file, const char *text, size_t len,
		       struct levelc_table *out, struct err *e)
{
	const char *end = text + len;

	*out = (struct levelc_table){0};
	for (unsigned int line = 1; text < end; line++) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		size_t n = (size_t)((stop ? stop : end) - text);

		if (table_line(a, text, n, out) < 0)
			return err_msg(e, EINVAL,
				       "%s:%u: not a NUMBER NAME line, or one of them again", file,
				       line);
		text += n + 1;
	}
	return 0;
}

int levelc_number(const struct levelc_table *t, const char *name)
{
	for (uint32_t i = 0; i < t->end; i++)
		if (str_eq(t->names[i], name))
			return (int)i;
	return -1;
}

static bool applies(enum pol_when when, bool network)
{
	return when == POL_ALWAYS || (when == POL_NETWORK) == network;
}

static bool same_action(const struct pol_action *a, const struct pol_action *b)
{
	return a->verb == b->verb && a->error == b->error;
}

/* Rules that all say the same are one. */
static void simplify(struct answer *at)
{
	for (size_t i = 1; i < at->n; i++)
		if (!same_action(&at->rules[0].action, &at->rules[i].action))
			return;
	if (at->n > 1) {
		at->rules += at->n - 1;
		at->n = 1;
	}
}

static void take_rules(struct arena *a, const struct pol_call *c, bool network, struct answer *at)
{
	struct pol_rule *rules = arena_array(a, c->n_rules, sizeof(*rules));

	at->n = 0;
	for (size_t i = 0; i < c->n_rules; i++)
		if (applies(c->rules[i].when, network))
			rules[at->n++] = c->rules[i];
	at->rules = rules;
	simplify(at);
}

static int known(const struct levelc_table *const *tables, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (levelc_number(tables[i], name) >= 0)
			return true;
	return false;
}

static int resolve_call(struct arena *a, const struct pol *p, const struct pol_call *c, int nr,
			bool network, struct answers *out, struct err *e)
{
	struct answer *at = &out->at[nr];
	struct answer had = *at;

	take_rules(a, c, network, at);
	/* Groups of a language may overlap. */
	if (!had.n || (p->language && same_action(&had.rules[0].action, &at->rules[0].action)))
		return 0;
	return err_msg(e, EINVAL, "%s:%u: %s: in two lists", c->file, c->line, c->name);
}

int levelc_resolve(struct arena *a, const struct pol *p, const struct levelc_table *const *tables,
		   size_t n_tables, size_t arch, bool network, struct answers *out, struct err *e)
{
	const struct levelc_table *t = tables[arch];

	*out = (struct answers){.end = t->end, .fallback = p->fallback};
	for (size_t i = 0; i < p->n_calls; i++) {
		const struct pol_call *c = &p->calls[i];
		int nr = levelc_number(t, c->name);

		if (nr < 0 && !known(tables, n_tables, c->name))
			return err_msg(e, EINVAL, "%s:%u: %s: no such system call", c->file,
				       c->line, c->name);
		if (nr < 0 || !applies(c->when, network))
			continue;
		if (resolve_call(a, p, c, nr, network, out, e) < 0)
			return -e->code;
	}
	/* What is left to chance today is a hole tomorrow: a level says something of every call. */
	for (uint32_t i = 0; !p->language && i < t->end; i++)
		if (t->names[i] && !out->at[i].n)
			return err_msg(e, EINVAL, "policy %s: %s: in no list", p->name,
				       t->names[i]);
	return 0;
}

void levelc_narrow(struct arena *a, struct answers *level, const struct answers *language)
{
	for (uint32_t i = 0; i < level->end; i++) {
		struct answer *at = &level->at[i];
		const struct answer *narrow = &language->at[i];
		struct pol_action miss = narrow->n ? narrow->rules[0].action : language->fallback;
		struct pol_rule *rules;

		if (!at->n || miss.verb == POL_ALLOW)
			continue;
		rules = arena_array(a, at->n, sizeof(*rules));
		for (size_t k = 0; k < at->n; k++) {
			rules[k] = at->rules[k];
			if (rules[k].action.verb == POL_ALLOW)
				rules[k].action = miss;
		}
		at->rules = rules;
		simplify(at);
	}
}

uint32_t levelc_ret(struct pol_action action, bool notify)
{
	if (action.verb == POL_ALLOW)
		return SECCOMP_RET_ALLOW;
	if (action.verb == POL_ERRNO)
		return SECCOMP_RET_ERRNO | action.error;
	if (notify && (action.verb == POL_TELL || action.verb == POL_NEVER))
		return SECCOMP_RET_USER_NOTIF;
	return action.verb == POL_TELL ? SECCOMP_RET_ERRNO | action.error
				       : SECCOMP_RET_KILL_PROCESS;
}
