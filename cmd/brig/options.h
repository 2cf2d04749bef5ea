#ifndef BRIG_CMD_OPTIONS_H
#define BRIG_CMD_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * Options as data: a table says what a verb takes, one parser reads every command line into
 * the verb's struct, and the help text is printed from the same table.  The grammar is that
 * of Go's flag package, which callers of runc write for: -name and --name are the same, a
 * value follows as --name=value or as the next argument whatever that looks like, a flag
 * takes only --name=BOOL, short options do not cluster, and a first "--" ends the options.
 */

enum opt_kind {
	OPT_FLAG,        /* bool */
	OPT_STRING,      /* const char * */
	OPT_U32,         /* uint32_t */
	OPT_DURATION,    /* uint64_t in milliseconds: 5s, 100ms, 1m30s */
	OPT_LIST,        /* struct opt_list, may be repeated */
	OPT_U32_LIST,    /* struct opt_u32_list, may be repeated */
	OPT_MAYBE_U16,   /* const uint16_t *; these stay NULL when not given or given as "" */
	OPT_MAYBE_U64,   /* const uint64_t * */
	OPT_MAYBE_I64,   /* const int64_t * */
	OPT_MAYBE_BYTES, /* const int64_t *: 512, 64k, 30M, -1 */
	OPT_MAYBE_TIME   /* const uint64_t * in milliseconds, as OPT_DURATION */
};

struct opt_list {
	const char **items; /* NULL-terminated; NULL when never given */
	size_t n;
};

struct opt_u32_list {
	uint32_t *items;
	size_t n;
};

struct opt {
	const char *name;  /* long form; NULL ends the table */
	const char *alias; /* one letter, or NULL */
	enum opt_kind kind;
	size_t at;              /* offsetof() in the verb's struct */
	const char *value;      /* what the value is called in the help; NULL for flags */
	const char *help;       /* NULL: accepted, not shown */
	const char *preset;     /* value when not given, shown in the help; NULL: zero */
	const struct opt *more; /* only in the ending row: a table that goes on from here */
};

/* First and following rows of a table and the ones it goes on with; NULL at the end. */
const struct opt *opt_first(const struct opt *table);
const struct opt *opt_next(const struct opt *row);

enum opt_order {
	OPT_STOP, /* options end at the first argument: what follows may be another program's */
	OPT_MIXED /* known options are taken from between the arguments, as runc does */
};

struct opt_call {
	const struct opt *table;
	enum opt_order order;
	void *target; /* the verb's struct, zeroed */
	/* what options_parse finds */
	const char *const *args; /* what is no option, NULL-terminated */
	size_t n_args;
	bool help; /* -h or --help was met; the rest was not looked at */
};

/*
 * Reads argv (NULL-terminated, without the program's or verb's name) into the target.
 * Strings point into argv.  Errors have Go's words, which are what users of runc know:
 * "flag provided but not defined: -x".
 */
int options_parse(struct arena *a, char *const *argv, struct opt_call *call,
		  struct err *e) MUST_CHECK;

/* true false 1 0 t f and their capital forms, as Go's ParseBool. */
bool opt_bool(const char *s, bool *out);
/* A Go duration of at least 0 in milliseconds, parts of one rounded up. */
bool opt_duration(const char *s, uint64_t *ms);

#endif
