#ifndef BRIG_RUN_HOOKS_H
#define BRIG_RUN_HOOKS_H

#include <stddef.h>

#include "base/err.h"
#include "specs/runtime.h"

/* What a hook's process does to itself right before execve; negative: the hook fails. */
struct hooks_guard {
	int (*confine)(const void *ctx);
	const void *ctx;
};

/* Files that hooks write to, -1: what is written there is kept for the message of a failure. */
struct hook_output {
	int out, err;
	const struct hooks_guard *guard; /* NULL: none */
};
#define HOOK_OUTPUT_KEPT ((struct hook_output){-1, -1, NULL})
void hook_output_close(struct hook_output *o);

/*
 * Runs hooks in order, each with the state on standard input (a memfd: a hook that does not
 * read it cannot block us nor cause EPIPE), its output kept for the error message, its own
 * process group, a timeout in seconds if it has one, and the environment it names (a PATH when
 * it names none), never brig's or the container's.
 *
 * The first failure ends it: "error running createRuntime hook #1: exit status 3: its output".
 */
int hooks_run(const char *kind, const struct oci_hook *hooks, size_t n, const char *state,
	      const struct hook_output *output, struct err *e) MUST_CHECK;
/* poststop: every hook runs, failures are warnings (runtime.md, Lifecycle 13). */
void hooks_run_all(const char *kind, const struct oci_hook *hooks, size_t n, const char *state,
		   const struct hook_output *output);

#endif
