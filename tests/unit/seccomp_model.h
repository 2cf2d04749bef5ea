#ifndef BRIG_TESTS_SECCOMP_MODEL_H
#define BRIG_TESTS_SECCOMP_MODEL_H

/*
 * What linux.seccomp means, said a second time and as plainly as possible, so that programs can
 * be held against it: for one call, look at every rule.  Native architecture only.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <string.h>

#include "specs/runtime.h"

int seccomp_syscall_resolve_name_arch(unsigned int arch, const char *name);

#if defined(__x86_64__)
#define MODEL_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MODEL_ARCH AUDIT_ARCH_AARCH64
#endif

static inline uint32_t model_action(const char *name, const uint32_t *errno_ret)
{
	static const struct {
		const char *name;
		uint32_t ret;
		bool data;
	} rows[] = {
		{"SCMP_ACT_ALLOW",        0x7fff0000, false},
		{"SCMP_ACT_LOG",          0x7ffc0000, false},
		{"SCMP_ACT_TRACE",        0x7ff00000, true },
		{"SCMP_ACT_NOTIFY",       0x7fc00000, false},
		{"SCMP_ACT_ERRNO",        0x00050000, true },
		{"SCMP_ACT_TRAP",         0x00030000, false},
		{"SCMP_ACT_KILL",         0,          false},
		{"SCMP_ACT_KILL_THREAD",  0,          false},
		{"SCMP_ACT_KILL_PROCESS", 0x80000000, false},
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i].name, name) == 0)
			return rows[i].ret | (rows[i].data ? (errno_ret ? *errno_ret : EPERM) : 0);
	return 0xdeadbeef;
}

static inline bool model_arg(const struct oci_seccomp_arg *t, const uint64_t *args)
{
	uint64_t v = args[t->index];

	if (strcmp(t->op, "SCMP_CMP_EQ") == 0)
		return v == t->value;
	if (strcmp(t->op, "SCMP_CMP_NE") == 0)
		return v != t->value;
	if (strcmp(t->op, "SCMP_CMP_LT") == 0)
		return v < t->value;
	if (strcmp(t->op, "SCMP_CMP_LE") == 0)
		return v <= t->value;
	if (strcmp(t->op, "SCMP_CMP_GT") == 0)
		return v > t->value;
	if (strcmp(t->op, "SCMP_CMP_GE") == 0)
		return v >= t->value;
	return (v & t->value) == t->value_two;
}

static inline bool model_args(const struct oci_seccomp_rule *r, const uint64_t *args)
{
	bool all = true, any = false, repeated = false;

	for (size_t i = 0; i < r->n_args; i++) {
		bool yes = model_arg(&r->args[i], args);

		all &= yes;
		any |= yes;
		for (size_t k = 0; k < i; k++)
			repeated |= r->args[i].index == r->args[k].index;
	}
	return repeated ? any : all;
}

/* The largest number that counts as known, and what the rules say of this call. */
static inline uint32_t model_run(const struct oci_seccomp *s, const struct seccomp_data *d)
{
	uint32_t fallback = model_action(s->default_action, s->default_errno_ret);
	uint32_t newest = (uint32_t)seccomp_syscall_resolve_name_arch(MODEL_ARCH, "rseq");
	uint32_t best = fallback;
	bool found = false;

	if (d->arch != MODEL_ARCH)
		return SECCOMP_RET_KILL_PROCESS;
#if defined(__x86_64__)
	if (d->nr >= 0x40000000 && d->nr != -1) /* nr is an int: x32's are positive */
		return SECCOMP_RET_KILL_PROCESS;
	if (d->nr < -1)
		return SECCOMP_RET_KILL_PROCESS;
#endif
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];
		uint32_t ret = model_action(r->action, r->errno_ret);

		for (size_t k = 0; k < r->n_names; k++) {
			int nr = seccomp_syscall_resolve_name_arch(MODEL_ARCH, r->names[k]);

			if (nr >= 0 && nr < 0x0f0000 && (uint32_t)nr > newest)
				newest = (uint32_t)nr;
			if (nr < 0 || nr != d->nr || ret == fallback ||
			    !model_args(r, (const uint64_t *)d->args))
				continue;
			if (!found || (int32_t)(ret & SECCOMP_RET_ACTION_FULL) <
					      (int32_t)(best & SECCOMP_RET_ACTION_FULL))
				best = ret;
			found = true;
		}
	}
	if (!found && (fallback & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
	    (uint32_t)d->nr > newest)
		return SECCOMP_RET_ERRNO | ENOSYS;
	return best;
}

#endif
