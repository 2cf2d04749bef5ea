#ifndef BRIG_GUARD_LEVELC_LEVELC_H
#define BRIG_GUARD_LEVELC_LEVELC_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * The compiler of profiles/seccomp, which runs when brig is built (main.c) and in the tests; the
 * runtime only has its output.  docs/seccomp.md describes the text format.
 *
 *   text --levelc_parse--> struct pol (names, both architectures, all variants)
 *        --levelc_resolve--> struct answers (a list of rules for each number of one variant)
 *        --levelc_generate--> classic BPF
 */

enum pol_verb { POL_ALLOW, POL_ERRNO, POL_TELL, POL_NEVER, POL_KILL };

struct pol_action {
	enum pol_verb verb;
	uint16_t error;
};

enum pol_when { POL_ALWAYS, POL_NETWORK, POL_NO_NETWORK };

/*
 * (arg & mask) is one of the values.  The kernel truncates int arguments after the filter saw 64
 * bits, so the low half is compared and nothing else; wide: all 64 (a pointer), one value.
 */
struct pol_test {
	unsigned int arg;
	bool wide;
	uint64_t mask;
	const uint64_t *values;
	size_t n_values;
};

enum { POL_MAX_TESTS = 4 };

/* All tests hold; none: whatever the arguments are. */
struct pol_rule {
	struct pol_test tests[POL_MAX_TESTS];
	size_t n_tests;
	struct pol_action action;
	enum pol_when when;
};

/* One name and its rules: the first that holds decides, and the last one always holds. */
struct pol_call {
	const char *name;
	enum pol_when when;
	const struct pol_rule *rules;
	size_t n_rules;
	unsigned int line;
	const char *file;
};

struct pol {
	const char *name;
	bool language;              /* narrows a level */
	bool mdwe;                  /* language: bears PR_SET_MDWE */
	struct pol_action fallback; /* of what no list has */
	const struct pol_call *calls;
	size_t n_calls;
	/* Words for numbers, for the test that compares them with headers. */
	const struct pol_word {
		const char *name;
		uint64_t value;
	} * words;
	size_t n_words;
};

/* Gives the text of an included file (names without '/'); NULL text is "no such file". */
typedef int levelc_open(void *ctx, struct arena *a, const char *name, char **text, size_t *len,
			struct err *e);

/* The text need not be terminated.  Errors say file and line. */
int levelc_parse(struct arena *a, const char *file, const char *text, size_t len,
		 levelc_open *opener, void *ctx, struct pol *out, struct err *e) MUST_CHECK;

/* A system call table: "NUMBER NAME" lines. */
enum { LEVELC_MAX_NR = 1024 };
struct levelc_table {
	const char *names[LEVELC_MAX_NR]; /* NULL: no such number */
	uint32_t end;                     /* behind the largest */
};
int levelc_table_parse(struct arena *a, const char *file, const char *text, size_t len,
		       struct levelc_table *out, struct err *e) MUST_CHECK;
/* The number of a name, -1: none. */
int levelc_number(const struct levelc_table *t, const char *name);

struct levelc_variant {
	bool network, notify;
};

/* What a policy answers on one architecture: rules[0..n) of each number, the last without tests. */
struct answers {
	struct answer {
		const struct pol_rule *rules;
		size_t n;
	} at[LEVELC_MAX_NR];
	uint32_t end;
	struct pol_action fallback; /* numbers behind the end */
};

/*
 * Refused by name: a call of the table that a level's policy has in no list, a name that is in two
 * lists, or in none of the tables.
 */
int levelc_resolve(struct arena *a, const struct pol *p, const struct levelc_table *const *tables,
		   size_t n_tables, size_t arch, bool network, struct answers *out,
		   struct err *e) MUST_CHECK;
/* Where the level allows, the language decides. */
void levelc_narrow(struct arena *a, struct answers *level, const struct answers *language);

/* The SECCOMP_RET_ value of an action. */
uint32_t levelc_ret(struct pol_action action, bool notify);

/* x32: numbers from 0x40000000 kill (x86-64).  The program passes bpf_validate. */
int levelc_generate(struct arena *a, const struct answers *from, uint32_t audit_arch, bool x32,
		    bool notify, struct sock_filter **insns, size_t *n, struct err *e) MUST_CHECK;

#endif
