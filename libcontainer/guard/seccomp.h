#ifndef BRIG_GUARD_SECCOMP_H
#define BRIG_GUARD_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* linux.seccomp compiled ahead: what seccomp(2) is given, and what becomes of its listener. */
struct seccomp_program {
	struct sock_filter *insns; /* NULL: no filter */
	size_t n_insns;            /* at most BPF_MAXINSNS (4096) */
	uint32_t flags;            /* SECCOMP_FILTER_FLAG_..., NEW_LISTENER included if notify */
	bool notify;               /* some rule is SCMP_ACT_NOTIFY */
	const char *listener_path, *listener_metadata;
};

/*
 * By libseccomp, in the runtime, before the clone.  Rule and argument counts are capped before
 * the library sees them (Debian's 2.5.4 corrupts memory on oversized filters); programs with
 * ordered 64-bit comparisons are checked after export with guard/bpfcheck.h (libseccomp
 * miscompiles some, 2.5.4 and 2.6.1) and refused on a mismatch.  Unknown syscall names are
 * skipped (the profile may be newer); unknown actions, operators, architectures and flags are
 * refused.  Two arguments rules on the same index mean OR, as runc and crun do.
 */
int seccomp_compile(struct arena *a, const struct oci_seccomp *s, struct seccomp_program *out,
		    struct err *e) MUST_CHECK;

/* Whether a call with that number and any arguments gets through (true without a filter). */
bool seccomp_allows(const struct seccomp_program *p, long nr);

/* Loads the program into this thread; *listener gets the notification descriptor or -1. */
int seccomp_load(const struct seccomp_program *p, int *listener, struct err *e) MUST_CHECK;

/*
 * Connects to listenerPath and hands over the descriptor with the container process state
 * (config-linux.md): state_json is the OCI state, pid the process's own pid.
 * "failed to connect with seccomp agent" when nobody answers.
 */
int seccomp_send_listener(struct arena *a, const struct seccomp_program *p, int listener,
			  pid_t pid, const char *state_json, struct err *e) MUST_CHECK;

/* To and from the state directory, so that exec loads the very same program. */
int seccomp_save(const struct seccomp_program *p, int dirfd, const char *name, struct err *e)
	MUST_CHECK;
int seccomp_restore(struct arena *a, int dirfd, const char *name, struct seccomp_program *out,
		    struct err *e) MUST_CHECK; /* no file: an empty program */

/* Words for `features`, NULL-terminated. */
const char *const *seccomp_action_names(void);
const char *const *seccomp_operator_names(void);
const char *const *seccomp_arch_names(void);
const char *const *seccomp_flag_names(void);            /* known */
const char *const *seccomp_supported_flag_names(struct arena *a); /* on this kernel, probed */

#endif
