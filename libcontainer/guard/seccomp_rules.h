#ifndef BRIG_GUARD_SECCOMP_RULES_H
#define BRIG_GUARD_SECCOMP_RULES_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"
#include "specs/runtime.h"

/*
 * linux.seccomp in numbers: words looked up, names resolved for each architecture that can
 * occur on this machine.  Private to the compiler (seccomp_rules.c -> seccomp_gen.c).
 */

enum seccomp_op { OP_NE, OP_LT, OP_LE, OP_EQ, OP_GE, OP_GT, OP_MASKED_EQ };

struct seccomp_test {
	uint32_t index;
	enum seccomp_op op;
	uint64_t value, value_two; /* OP_MASKED_EQ: mask and what must be left */
};

struct seccomp_rule {
	uint32_t nr;
	uint32_t ret; /* SECCOMP_RET_... with its data */
	uint32_t order;
	uint32_t n_tests; /* all must hold; 0: always */
	const struct seccomp_test *tests;
};

struct seccomp_arch {
	uint32_t library; /* SCMP_ARCH_... */
	uint32_t audit;   /* AUDIT_ARCH_..., what the kernel reports */
	bool wanted;
	/*
	 * The largest number that the policy or rseq (Linux 4.18) has: above it nothing was known
	 * when the policy was written, and ENOSYS makes libraries fall back where EPERM breaks
	 * them.
	 */
	uint32_t newest;
	struct seccomp_rule *rules; /* sorted by number, then the most restrictive first */
	size_t n_rules, max_rules;
};

enum { SECCOMP_MAX_ARCHES = 3 };

struct seccomp_policy {
	uint32_t default_ret;
	bool unknown_is_enosys;
	bool notify;
	uint32_t flags;
	struct seccomp_arch arches[SECCOMP_MAX_ARCHES]; /* the native one first */
	size_t n_arches;
};

/* The words of config.json, sorted, NULL-terminated. */
enum seccomp_vocabulary { SECCOMP_ACTIONS, SECCOMP_OPERATORS, SECCOMP_ARCHES, SECCOMP_FLAGS };
const struct word *seccomp_words(enum seccomp_vocabulary which);

int seccomp_policy_make(struct arena *a, const struct oci_seccomp *s, struct seccomp_policy *out,
			struct err *e) MUST_CHECK;

/* The native architecture's AUDIT_ARCH_ value. */
uint32_t seccomp_native_arch(void);

/* Where x32 numbers begin (asm/unistd.h); they share x86-64's audit value. */
#define X32_BIT UINT32_C(0x40000000)

/* The program of a policy; more than BPF_MAXINSNS instructions are refused. */
int seccomp_generate(struct arena *a, const struct seccomp_policy *p, struct sock_filter **insns,
		     size_t *n, struct err *e) MUST_CHECK;

#endif
