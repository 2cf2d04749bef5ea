/*
 * The text of a policy.  A statement begins in the first column and goes on over the lines that
 * begin with a blank; '#' begins a comment.  Statements are cut into words; ':' and ',' are words
 * of their own.
 */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "guard/levelc/parse.h"

/* What a policy may have: far more than any needs, far less than hurts. */
enum { MAX_INCLUDE = 4, MAX_WORD = 64 };

int parse_fail(struct parser *p, const char *why, const char *word)
{
	return err_msg(p->e, EINVAL, "%s:%u: %s%s%s", p->file, p->word_line, why, word ? ": " : "",
		       word ? word : "");
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

/* The next word of the statement; NULL behind its last.  Sets new_line when one was begun. */
static const char *next_word(struct parser *p)
{
	p->new_line = false;
	for (;;) {
		while (p->at < p->end && is_blank(*p->at))
			p->at++;
		if (p->at < p->end && *p->at == '#')
			while (p->at < p->end && *p->at != '\n')
				p->at++;
		if (p->at == p->end)
			return NULL;
		if (*p->at != '\n')
			break;
		/* The statement goes on if a blank follows, and over empty and comment lines. */
		if (p->at + 1 < p->end && !is_blank(p->at[1]) && p->at[1] != '\n' &&
		    p->at[1] != '#')
			return NULL;
		p->at++;
		p->line++;
		p->new_line = true;
	}
	const char *from = p->at;

	p->word_line = p->line;
	if (*p->at == ':' || *p->at == ',')
		return arena_strndup(p->a, p->at++, 1);
	while (p->at < p->end && !is_blank(*p->at) && *p->at != '\n' && *p->at != '#' &&
	       *p->at != ':' && *p->at != ',')
		p->at++;
	return arena_strndup(p->a, from, (size_t)(p->at - from));
}

/* Looks one word ahead. */
const char *parse_peek(struct parser *p)
{
	if (!p->peeked) {
		p->ahead = next_word(p);
		p->peeked = true;
	}
	return p->ahead;
}

const char *parse_word(struct parser *p)
{
	const char *w = parse_peek(p);

	p->peeked = false;
	return w;
}

bool parse_accept(struct parser *p, const char *word)
{
	if (!str_eq(parse_peek(p), word))
		return false;
	p->peeked = false;
	return true;
}

int parse_expect(struct parser *p, const char *word)
{
	if (parse_accept(p, word))
		return 0;
	return parse_fail(p, "expected", word);
}

/* A name of a call, a group or a constant. */
int parse_name(struct parser *p, const char **out)
{
	const char *w = parse_word(p);
	size_t n = w ? strlen(w) : 0;

	if (!n || n >= MAX_WORD ||
	    strspn(w, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") != n)
		return parse_fail(p, "expected a name", w);
	*out = w;
	return 0;
}

static int parse_mdwe(struct parser *p)
{
	if (parse_accept(p, "yes"))
		p->pol.mdwe = true;
	else if (!parse_accept(p, "no"))
		return parse_fail(p, "mdwe: yes or no", NULL);
	return p->pol.language ? 0 : parse_fail(p, "mdwe is said of languages", NULL);
}

static int parse_define(struct parser *p)
{
	struct pol_word w;

	if (parse_name(p, &w.name) < 0 || parse_value(p, &w.value) < 0)
		return -p->e->code;
	for (size_t i = 0; i < p->words.n; i++)
		if (str_eq(p->words.list[i].name, w.name))
			return parse_fail(p, "defined twice", w.name);
	*(struct pol_word *)list_add(p->a, &p->words, sizeof(w)) = w;
	return 0;
}

static const struct pol_group *group_find(const struct parser *p, const char *name)
{
	for (size_t i = 0; i < p->groups.n; i++)
		if (str_eq(p->groups.list[i].name, name))
			return &p->groups.list[i];
	return NULL;
}

/* Names and @groups up to the statement's end. */
static int parse_names(struct parser *p, struct name_list *out)
{
	while (parse_peek(p)) {
		const char *w;

		if (*parse_peek(p) != '@') {
			if (parse_name(p, &w) < 0)
				return -p->e->code;
			*(const char **)list_add(p->a, out, sizeof(w)) = w;
			continue;
		}
		const struct pol_group *g = group_find(p, parse_word(p) + 1);

		if (!g)
			return parse_fail(p, "no such group", NULL);
		p->n_names += g->names.n;
		if (out->n + g->names.n > PARSE_MAX_CALLS || p->n_names > PARSE_MAX_NAMES)
			return parse_fail(p, "too many names", NULL);
		for (size_t i = 0; i < g->names.n; i++)
			*(const char **)list_add(p->a, out, sizeof(w)) = g->names.list[i];
	}
	if (!out->n)
		return parse_fail(p, "expected names", NULL);
	return 0;
}

static int parse_group(struct parser *p)
{
	struct pol_group g = {0};

	if (parse_name(p, &g.name) < 0 || parse_expect(p, ":") < 0 || parse_names(p, &g.names) < 0)
		return -p->e->code;
	if (group_find(p, g.name))
		return parse_fail(p, "two groups of that name", g.name);
	*(struct pol_group *)list_add(p->a, &p->groups, sizeof(g)) = g;
	return 0;
}

static int add_call(struct parser *p, const struct pol_call *call)
{
	if (p->calls.n >= PARSE_MAX_CALLS)
		return parse_fail(p, "too many names", NULL);
	*(struct pol_call *)list_add(p->a, &p->calls, sizeof(*call)) = *call;
	return 0;
}

/* ACTION [when W]: NAMES */
static int parse_list(struct parser *p, const char *verb)
{
	struct pol_rule *rule = arena_new(p->a, sizeof(*rule));
	struct pol_call call = {.rules = rule, .n_rules = 1, .line = p->word_line, .file = p->file};
	struct name_list names = {0};

	if (parse_action(p, verb, &rule->action) < 0 || parse_when(p, &call.when) < 0 ||
	    parse_expect(p, ":") < 0 || parse_names(p, &names) < 0)
		return -p->e->code;
	if (p->pol.language && rule->action.verb != POL_ALLOW && rule->action.verb != POL_ERRNO)
		return parse_fail(p, "a language does not kill", NULL);
	for (size_t i = 0; i < names.n; i++) {
		call.name = names.list[i];
		if (add_call(p, &call) < 0)
			return -p->e->code;
	}
	return 0;
}

/* call NAME: and a rule in each line. */
static int parse_call(struct parser *p)
{
	struct pol_call call = {.line = p->word_line, .file = p->file};
	struct rule_list rules = {0};

	if (p->pol.language)
		return parse_fail(p, "a language has lists only", NULL);
	if (parse_name(p, &call.name) < 0 || parse_expect(p, ":") < 0)
		return -p->e->code;
	while (parse_peek(p)) {
		if (!p->new_line)
			return parse_fail(p, "a rule begins a line", parse_peek(p));
		if (rules.n >= PARSE_MAX_RULES)
			return parse_fail(p, "too many rules", NULL);
		struct pol_rule *r = list_add(p->a, &rules, sizeof(*r));

		if (parse_rule(p, r) < 0)
			return -p->e->code;
		if (r->n_tests == 0 && (r->when || parse_peek(p)))
			return parse_fail(p, "else comes last and always", NULL);
	}
	if (!rules.n || rules.list[rules.n - 1].n_tests)
		return parse_fail(p, "no else", call.name);
	call.rules = rules.list;
	call.n_rules = rules.n;
	return add_call(p, &call);
}

static int parse_file(struct parser *p, const char *file, const char *text, size_t len);

static int parse_include(struct parser *p)
{
	const char *name = parse_word(p);
	char *text = NULL;
	size_t len = 0;
	struct parser outer = *p;

	if (!name || strchr(name, '/') || name[0] == '.')
		return parse_fail(p, "include: a file name", name);
	if (p->depth >= MAX_INCLUDE)
		return parse_fail(p, "includes too deep", name);
	for (size_t i = 0; i < p->included.n; i++)
		if (str_eq(p->included.list[i], name))
			return 0;
	if (!p->opener)
		return parse_fail(p, "no includes here", name);
	if (p->opener(p->ctx, p->a, name, &text, &len, p->e) < 0)
		return err_wrap(p->e, "%s:%u", p->file, p->word_line);
	*(const char **)list_add(p->a, &p->included, sizeof(name)) = name;
	p->depth++;
	if (parse_file(p, name, text, len) < 0)
		return -p->e->code;
	p->depth--;
	p->file = outer.file;
	p->at = outer.at;
	p->end = outer.end;
	p->line = outer.line;
	p->peeked = false;
	return 0;
}

static int parse_head(struct parser *p, bool language)
{
	if (p->pol.name)
		return parse_fail(p, "named twice", NULL);
	p->pol.language = language;
	return parse_name(p, &p->pol.name);
}

static int parse_default(struct parser *p)
{
	const char *verb = parse_word(p);

	if (p->has_default)
		return parse_fail(p, "two defaults", NULL);
	p->has_default = true;
	if (!verb)
		return parse_fail(p, "expected an action", NULL);
	if (parse_action(p, verb, &p->pol.fallback) < 0)
		return -p->e->code;
	if (p->pol.fallback.verb != POL_ERRNO)
		return parse_fail(p, "the default is an errno", NULL);
	return 0;
}

static int parse_statement(struct parser *p, const char *word)
{
	if (str_eq(word, "policy") || str_eq(word, "language"))
		return parse_head(p, str_eq(word, "language"));
	if (str_eq(word, "default"))
		return parse_default(p);
	if (str_eq(word, "include"))
		return parse_include(p);
	if (str_eq(word, "mdwe"))
		return parse_mdwe(p);
	if (str_eq(word, "define"))
		return parse_define(p);
	if (str_eq(word, "group"))
		return parse_group(p);
	if (str_eq(word, "call"))
		return parse_call(p);
	return parse_list(p, word);
}

static int parse_file(struct parser *p, const char *file, const char *text, size_t len)
{
	p->file = file;
	p->at = text;
	p->end = text + len;
	p->line = 1;
	p->peeked = false;
	if (memchr(text, '\0', len))
		return err_msg(p->e, EINVAL, "%s: not a text", file);
	while (p->at < p->end) {
		const char *word;

		p->word_line = p->line;
		if (is_blank(*p->at) && parse_peek(p))
			return parse_fail(p, "belongs to no statement", parse_peek(p));
		word = parse_word(p);
		if (word && (parse_statement(p, word) < 0))
			return -p->e->code;
		if (parse_peek(p))
			return parse_fail(p, "not understood", parse_peek(p));
		p->peeked = false;
		if (p->at < p->end) { /* the line end before the next statement */
			p->at++;
			p->line++;
		}
	}
	return 0;
}

int levelc_parse(struct arena *a, const char *file, const char *text, size_t len,
		 levelc_open *opener, void *ctx, struct pol *out, struct err *e)
{
	struct parser p = {.a = a, .e = e, .opener = opener, .ctx = ctx};

	if (parse_file(&p, file, text, len) < 0)
		return -e->code;
	if (!p.pol.name || !p.has_default)
		return err_msg(e, EINVAL, "%s: wants a policy or language, and a default", file);
	p.pol.calls = p.calls.list;
	p.pol.n_calls = p.calls.n;
	p.pol.words = p.words.list;
	p.pol.n_words = p.words.n;
	*out = p.pol;
	return 0;
}
