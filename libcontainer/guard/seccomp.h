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
	/* Some rule notifies; without listener_path it is the level's (guard/level_filter.h). */
	bool notify;
	const char *listener_path, *listener_metadata;
};

/*
 * In the runtime, before the clone, without any effect.  libseccomp only translates names: its
 * filters take 10 to 100 times as long to make and several times as long to load, some merged
 * 64-bit comparisons come out wrong (2.5.4 and 2.6.1), and oversized ones corrupt memory.
 *
 * Meaning, for a call that several rules match: the most restrictive action wins (the kernel's
 * order: KILL_PROCESS KILL_THREAD TRAP ERRNO NOTIFY TRACE LOG ALLOW), then the first rule.
 * - args of one rule must all hold; if one index occurs twice each arg is a rule of its own
 *   ("or"), as in runc and crun;
 * - a rule that says what the default says is no rule; names that the library does not know
 *   are skipped (the profile may be newer); other unknown words are refused;
 * - comparisons are of all 64 bits on every architecture;
 * - i386 calls behind socketcall and ipc are matched there too, unless the rule has args;
 * - architectures that cannot occur on this machine are taken and nothing is made of them;
 *   calls of one that can but is not listed, x32 included, kill the process;
 * - with an errno as default, numbers above the newest that the profile names (and above
 *   rseq, Linux 4.18) answer ENOSYS on every listed architecture: what did not exist when the
 *   profile was written must look absent, or libraries do not fall back (runc does alike).
 * TSYNC is taken and has no effect (one thread); WAIT_KILLABLE_RECV only matters with NOTIFY.
 */
int seccomp_compile(struct arena *a, const struct oci_seccomp *s, struct seccomp_program *out,
		    struct err *e) MUST_CHECK;

/* Whether a call with that number gets through whatever its arguments are (true without a filter).
 */
bool seccomp_allows(const struct seccomp_program *p, long nr);
/* Whether this one call gets through. */
enum { SECCOMP_ARGS = 6 };
bool seccomp_allows_call(const struct seccomp_program *p, long nr,
			 const uint64_t args[SECCOMP_ARGS]);

/*
 * --audit syscalls: every denial (ERRNO) of the program becomes a notification without a
 * listener_path; what kills stays the kernel's, and what notified already does.  The program as
 * it was tells what each is answered with (bpf_run).  No program stays none.  EBUSY: it notifies an
 * agent of its own; a program that answers what it computes is EOPNOTSUPP.
 */
int seccomp_audit_calls(struct arena *a, struct seccomp_program *io, struct err *e) MUST_CHECK;

/*
 * Puts the program on this thread, which has no_new_privs or CAP_SYS_ADMIN; *listener gets the
 * notification descriptor (close-on-exec) or -1.  No program: nothing happens.
 */
int seccomp_install(const struct seccomp_program *p, int *listener, struct err *e) MUST_CHECK;

/*
 * Connects to listenerPath and hands over the descriptor with the container process state
 * (config-linux.md): state_json is the OCI state, pid the process's own pid.
 * "failed to connect with seccomp agent" when nobody answers.
 */
int seccomp_send_listener(struct arena *a, const struct seccomp_program *p, int listener, pid_t pid,
			  const char *state_json, struct err *e) MUST_CHECK;

/*
 * To and from the state directory, so that exec loads the very same program.  A file that is
 * not exactly as long as its counts say, or whose program the kernel would not take, is refused.
 */
int seccomp_save(const struct seccomp_program *p, int dirfd, const char *name,
		 struct err *e) MUST_CHECK;
int seccomp_restore(struct arena *a, int dirfd, const char *name, struct seccomp_program *out,
		    struct err *e) MUST_CHECK; /* no file: an empty program */
/* The same from memory, for the fuzzer. */
int seccomp_restore_bytes(struct arena *a, const void *data, size_t len,
			  struct seccomp_program *out, struct err *e) MUST_CHECK;

/* Words for `features`, NULL-terminated, sorted. */
const char *const *seccomp_action_names(void);
const char *const *seccomp_operator_names(void);
const char *const *seccomp_arch_names(void);
const char *const *seccomp_flag_names(void);                      /* known */
const char *const *seccomp_supported_flag_names(struct arena *a); /* on this kernel, probed */

#endif
