#ifndef BRIG_GUARD_BPFCHECK_H
#define BRIG_GUARD_BPFCHECK_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * Classic BPF over struct seccomp_data, as the kernel takes it: what would be loaded is checked
 * and can be run here, for every number and argument that a test or a check cares for.
 */

/* The kernel's rules (net/core/filter.c, kernel/seccomp.c): length, opcodes, jumps, last RET. */
int bpf_validate(const struct sock_filter *insns, size_t n, struct err *e) MUST_CHECK;

/* The SECCOMP_RET_ value of a program that bpf_validate took. */
uint32_t bpf_run(const struct sock_filter *insns, size_t n, const struct seccomp_data *data);

/*
 * Whether a program that bpf_validate took answers ALLOW or LOG to this number for whatever
 * arguments.  A "no" may be wrong (it follows both ways of a test that depends on them), a "yes"
 * is not.
 */
bool bpf_always_allows(const struct sock_filter *insns, size_t n, uint32_t arch, uint32_t nr);

#endif
