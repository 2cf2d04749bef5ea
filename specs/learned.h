#ifndef BRIG_SPECS_LEARNED_H
#define BRIG_SPECS_LEARNED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* learned.json of `policy learn`: what a run was seen to do.  docs/learn.md */

struct learned_call {
	const char *name;
	uint64_t count;
};
struct learned_denied {
	const char *name;   /* the call, or its number */
	const char *arch;   /* NULL: the machine's own */
	const char *answer; /* EPERM ...; kill: what no program makes */
	uint64_t count;
};
/* A path that ends in "/" stands for everything below it: so many files that were used. */
struct learned_path {
	const char *path;
	uint64_t count, files;
};
struct learned_paths {
	const struct learned_path *read, *write, *execute, *absent;
	size_t n_read, n_write, n_execute, n_absent;
	uint64_t more;   /* calls with a path for which there was no more room */
	uint64_t unread; /* whose path could not be read */
};
struct learned_address {
	const char *how; /* connect bind send */
	const char *to;  /* 192.0.2.1:443, [2001:db8::1]:53, a path, @name of an abstract socket */
	uint64_t count;
};
/* Of the resolver's records, where there is a network with grants. */
struct learned_name {
	const char *name; /* asked for, or that led there; else ADDRESS:PORT */
	const char
		*verdict; /* as in specs/flow.h: of a name answered ..., else connect, denied ... */
	uint64_t count;
};

struct brig_learned {
	int32_t v; /* 1 */
	const char *time, *level;
	const char *const *command;
	size_t n_command;
	const char *level_file; /* the level that was written, its name; NULL: none */
	int32_t exit;           /* what `run` would have ended with */
	/* What to give `run` beside the command so that this run passes, "--name value" each. */
	const char *const *flags;
	size_t n_flags;
	uint64_t total;                   /* calls seen */
	const struct learned_call *calls; /* sorted by name */
	size_t n_calls;
	const char *const *closure; /* in seccomp.json without having been seen */
	size_t n_closure;
	const char *const *missing; /* seen, but this build cannot name them in seccomp.json */
	size_t n_missing;
	const struct learned_denied *denied;
	size_t n_denied;
	const char *const *families; /* AF_UNIX ... of socket() */
	size_t n_families;
	bool makes_code; /* memory was writable and executable, or became executable */
	struct learned_paths paths;
	const struct learned_address *addresses;
	size_t n_addresses;
	const struct learned_name *names;
	size_t n_names;
};

enum { LEARNED_MAX_BYTES = 64 << 20, LEARNED_VERSION = 1 };

char *learned_print(struct arena *a, const struct brig_learned *l, size_t *len);
/* What replay needs; unknown properties are ignored. */
int learned_parse(struct arena *a, const char *json, size_t len, struct brig_learned *out,
		  struct err *e) MUST_CHECK;

#endif
