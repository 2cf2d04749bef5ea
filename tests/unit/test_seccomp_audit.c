/* --audit syscalls: what is denied is asked about, and nothing else changes. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <string.h>

#include "base/own.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "guard/seccomp.h"

enum { NUMBERS = 1024 };

/* The answer that the audited program must give where the other one answers so. */
static uint32_t expected(uint32_t answer)
{
	return (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? SECCOMP_RET_USER_NOTIF
								       : answer;
}

static size_t compare(const struct seccomp_program *was, const struct seccomp_program *is)
{
	static const uint64_t values[] = {0, 1, 2, 9, 0x5412, 0x541c, 0x7e020000, UINT64_MAX};
	static const uint32_t arches[] = {AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386};
	size_t notified = 0, wrong = 0;

	for (size_t k = 0; k < LEN(arches); k++)
		for (int nr = -1; nr < NUMBERS; nr++)
			for (size_t i = 0; i < LEN(values); i++) {
				struct seccomp_data d = {.nr = nr, .arch = arches[k]};

				for (size_t n = 0; n < LEN(d.args); n++)
					d.args[n] = values[(i + n) % LEN(values)];
				uint32_t a = bpf_run(was->insns, was->n_insns, &d);
				uint32_t b = bpf_run(is->insns, is->n_insns, &d);

				wrong += b != expected(a);
				notified += b == SECCOMP_RET_USER_NOTIF;
			}
	CHECK(wrong == 0);
	return notified;
}

static void levels(void)
{
	static const char *const names[] = {"standard", "high"};

	for (size_t i = 0; i < LEN(names); i++)
		for (int notify = 0; notify < 2; notify++) {
			own_arena struct arena a = {0};
			struct seccomp_program was = {0}, is = {0};
			struct err e = {0};
			const struct level_filter *f =
				level_filter_find(names[i], NULL, true, notify);

			CHECK(level_filter_stack(&a, f, &was, &e) == 0);
			is = was;
			CHECK(seccomp_audit_calls(&a, &is, &e) == 0);
			CHECK(is.n_insns == was.n_insns && is.insns != was.insns);
			CHECK(is.notify && !is.listener_path);
			CHECK(is.flags & SECCOMP_FILTER_FLAG_NEW_LISTENER);
			CHECK(compare(&was, &is) > 1000);
		}
}

/* What a warden decides by: the level without notifications says what each of them is. */
static void decisions(void)
{
	own_arena struct arena a = {0};
	struct seccomp_program asks = {0}, says = {0};
	struct err e = {0};
	struct seccomp_data d = {.arch = AUDIT_ARCH_X86_64};
	size_t never = 0, denied = 0, wrong = 0;

	CHECK(level_filter_stack(&a, level_filter_find("high", NULL, true, true), &asks, &e) == 0);
	CHECK(level_filter_stack(&a, level_filter_find("high", NULL, true, false), &says, &e) == 0);
	CHECK(seccomp_audit_calls(&a, &asks, &e) == 0);
	for (d.nr = 0; d.nr < NUMBERS; d.nr++) {
		uint32_t ask = bpf_run(asks.insns, asks.n_insns, &d);
		uint32_t say = bpf_run(says.insns, says.n_insns, &d) & SECCOMP_RET_ACTION_FULL;

		never += say == SECCOMP_RET_KILL_PROCESS;
		denied += say == SECCOMP_RET_ERRNO;
		wrong += (ask == SECCOMP_RET_USER_NOTIF) !=
			 (say == SECCOMP_RET_KILL_PROCESS || say == SECCOMP_RET_ERRNO);
	}
	CHECK(wrong == 0 && never > 10 && denied > 100);
}

static void refusals(void)
{
	own_arena struct arena a = {0};
	struct sock_filter computes[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct seccomp_program p = {.insns = computes, .n_insns = LEN(computes)}, none = {0};
	struct err e = {0};

	CHECK(seccomp_audit_calls(&a, &p, &e) == -EOPNOTSUPP);
	CHECK(p.insns == computes && !p.notify);
	p.notify = true;
	p.listener_path = "/run/agent";
	CHECK(seccomp_audit_calls(&a, &p, &e) == -EBUSY);
	CHECK(seccomp_audit_calls(&a, &none, &e) == 0);
	CHECK(!none.insns && !none.notify);
}

int main(void)
{
	levels();
	decisions();
	refusals();
	return check_done();
}
