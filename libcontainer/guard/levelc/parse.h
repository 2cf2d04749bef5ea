#ifndef BRIG_GUARD_LEVELC_PARSE_H
#define BRIG_GUARD_LEVELC_PARSE_H

#include "guard/levelc/levelc.h"

/* The parser's own: statements in parse.c, rules in rule.c. */

enum { PARSE_MAX_CALLS = 4096, PARSE_MAX_RULES = 64, PARSE_MAX_NAMES = 65536 };

struct name_list {
	const char **list;
	size_t n, max;
};
struct rule_list {
	struct pol_rule *list;
	size_t n, max;
};
struct call_list {
	struct pol_call *list;
	size_t n, max;
};
struct word_list {
	struct pol_word *list;
	size_t n, max;
};
struct pol_group {
	const char *name;
	struct name_list names;
};
struct group_list {
	struct pol_group *list;
	size_t n, max;
};

struct parser {
	struct arena *a;
	struct err *e;
	const char *file;
	const char *at, *end;
	unsigned int line, word_line;
	/* One word ahead; new_line: it begins a line. */
	const char *ahead;
	bool peeked, new_line;
	levelc_open *opener;
	void *ctx;
	unsigned int depth;
	struct name_list included;
	struct group_list groups;
	struct call_list calls;
	struct word_list words;
	size_t n_names; /* copied out of groups, all in all */
	bool has_default;
	struct pol pol;
};

/* Any of the lists above: {pointer, count, capacity}; returns the new, zeroed item. */
void *parse_list_add(struct arena *a, void **list, size_t *n, size_t *max, size_t size);
#define list_add(a, l, size) parse_list_add((a), (void **)&(l)->list, &(l)->n, &(l)->max, (size))

int parse_fail(struct parser *p, const char *why, const char *word);
const char *parse_peek(struct parser *p); /* NULL: the statement's end */
const char *parse_word(struct parser *p);
bool parse_accept(struct parser *p, const char *word);
int parse_expect(struct parser *p, const char *word) MUST_CHECK;
int parse_name(struct parser *p, const char **out) MUST_CHECK;

/* rule.c */
int parse_value(struct parser *p, uint64_t *out) MUST_CHECK;
int parse_action(struct parser *p, const char *verb, struct pol_action *out) MUST_CHECK;
int parse_when(struct parser *p, enum pol_when *out) MUST_CHECK;
int parse_rule(struct parser *p, struct pol_rule *out) MUST_CHECK;

#endif
