#ifndef BRIG_CMD_COMMAND_H
#define BRIG_CMD_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "cmd/brig/options.h"
#include "container.h"

/* Exit codes of brig itself; run and exec otherwise end with their program's code. */
enum {
	CODE_OK = 0,
	CODE_FAILED = 1,
	CODE_NO_TOPIC = 3,        /* no such verb, as runc */
	CODE_DIRECT_FAILED = 125, /* run in direct mode: brig failed, not the program */
	CODE_EXEC_FAILED = 255,   /* exec: told apart from codes of the program, as runc */
};

/* What main has worked out for a verb. */
struct command {
	const char *program; /* base name it was called by */
	struct container_host host;
	struct arena *arena;
	void *opts; /* the verb's own struct, filled by its table */
	const char *const *args;
	size_t n_args;
	int code; /* exit code; the verb may set it, on failure too (0 there: its default) */
};

struct verb {
	const char *name;
	const char *summary; /* one line */
	const char *usage;   /* arguments, behind [command options] */
	const char *text;    /* further help, lines; NULL: none */
	const struct opt *options;
	size_t options_size;
	enum opt_order order;
	size_t min_args, max_args; /* max 0: as many as min; ANY_ARGS: no end */
	bool wants_id;             /* the first argument is a container's id */
	bool runs_program;         /* a failing execve is told in one bare line */
	const char *failed;        /* before errors: "create failed"; NULL: nothing */
	bool failed_program;       /* the program's name before that */
	int code_failed;           /* 0: CODE_FAILED */
	/*
	 * NULL, or whether these words ask for direct mode: the first argument then ends the
	 * options, for the rest is the program's, and bad usage is one line and CODE_DIRECT_FAILED,
	 * for standard output and code 1 are the program's, too.
	 */
	bool (*direct)(char *const *argv);
	int (*run)(struct command *c, struct err *e);
};

#define ANY_ARGS ((size_t)-1)

/* A path made absolute against the working directory; NULL and "" give NULL. */
int command_path(struct arena *a, const char *path, const char **out, struct err *e) MUST_CHECK;

#endif
