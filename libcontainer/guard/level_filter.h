#ifndef BRIG_GUARD_LEVEL_FILTER_H
#define BRIG_GUARD_LEVEL_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "guard/seccomp.h"

/*
 * The levels' system call filters, compiled when brig is built from profiles/seccomp (text in,
 * classic BPF out): nothing is compiled at a start.
 */
struct level_filter {
	const char *policy;   /* standard, high */
	const char *language; /* NULL: none */
	bool network;         /* false: sockets of AF_INET, AF_INET6 answer EAFNOSUPPORT (high
				 without connectivity) */
	/* Never-legitimate calls, those of foreign architectures and x32 among them, are
	 * SECCOMP_RET_USER_NOTIF, else KILL_PROCESS; ioctls that type into terminals, too, else
	 * EPERM. */
	bool notify;
	const struct sock_filter *insns;
	size_t n_insns;
};

/* NULL: there is none of that name. */
const struct level_filter *level_filter_find(const char *policy, const char *language, bool network,
					     bool notify);
/* Languages there are policies for, NULL-terminated. */
const char *const *level_filter_languages(void);
/* Whether programs of that language bear PR_SET_MDWE (no: V8 and the JVM make code at run time). */
bool level_filter_language_bears_mdwe(const char *language);

/*
 * One program of both: the level's first, and where it allows config.json's (*io, which may be
 * empty) decides.  One load instead of two, and a second seccomp(2) call need not be allowed by
 * the first.  More than BPF_MAXINSNS instructions together are refused; so are notifications of
 * both (a process has one listener).  A notifying level sets io->notify without a listener_path:
 * the listener is the warden's.  SPEC_ALLOW is dropped: a configuration only tightens.
 */
int level_filter_stack(struct arena *a, const struct level_filter *level,
		       struct seccomp_program *io, struct err *e) MUST_CHECK;

/* The name of a system call of this architecture by number, NULL: unknown to this build. */
const char *level_filter_syscall_name(long nr);

/* Whether the kernel has what the filters need; an error names what is missing and the remedy. */
int level_filter_possible(bool notify, struct err *e) MUST_CHECK;

#endif
