/*
 * Programs from anywhere: the validator must keep the interpreter safe, and what is sure to be
 * allowed must be allowed for any argument.  The first half also reads the bytes as a saved
 * filter, as exec does.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "guard/bpfcheck.h"
#include "guard/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_program(const struct sock_filter *f, size_t n, const struct seccomp_data *d)
{
	uint32_t ret = bpf_run(f, n, d) & SECCOMP_RET_ACTION_FULL;
	bool always = bpf_always_allows(f, n, d->arch, (uint32_t)d->nr);

	if (always && ret != SECCOMP_RET_ALLOW && ret != SECCOMP_RET_LOG)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sock_filter f[64];
	struct seccomp_data d;
	struct seccomp_program p;
	struct arena a = {0};
	struct err e;

	if (seccomp_restore_bytes(&a, data, size, &p, &e) == 0 && p.insns) {
		memset(&d, 0, sizeof(d));
		check_program(p.insns, p.n_insns, &d);
	}
	arena_free(&a);
	if (size < sizeof(d))
		return 0;
	memcpy(&d, data, sizeof(d));
	size -= sizeof(d);
	size_t n = size / sizeof(f[0]) < 64 ? size / sizeof(f[0]) : 64;
	memcpy(f, data + sizeof(d), n * sizeof(f[0]));
	if (bpf_validate(f, n, &e) == 0)
		check_program(f, n, &d);
	return 0;
}
