/*
 * linux.seccomp from bytes: what compiles is a program that the kernel takes and that says, for
 * calls around every constant, what the rules say.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/seccomp_model.h"
#include "base/own.h"
#include "guard/bpfcheck.h"
#include "guard/seccomp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_RULES = 8, MAX_ARGS = 4, MAX_VALUES = 96 };

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (!in->left)
		return 0;
	in->left--;
	return *in->p++;
}

/* Small numbers, all ones, or any, with something in the upper half now and then. */
static uint64_t value(struct input *in)
{
	uint8_t form = byte(in);
	uint64_t v = byte(in);

	if (form & 1)
		v |= (uint64_t)byte(in) << 32;
	if (form & 2)
		v = ~v;
	if (form & 4)
		v = v << 8 | byte(in);
	return v;
}

static const char *const names[] = {"read",  "open",   "socket", "getpid", "clone",
				    "statx", "nosuch", "semop",  "x",      "openat2"};
static const char *const actions[] = {"SCMP_ACT_ALLOW",       "SCMP_ACT_ERRNO",
				      "SCMP_ACT_LOG",         "SCMP_ACT_TRAP",
				      "SCMP_ACT_KILL",        "SCMP_ACT_KILL_PROCESS",
				      "SCMP_ACT_TRACE",       "SCMP_ACT_NOTIFY",
				      "SCMP_ACT_KILL_THREAD", "BAD"};
static const char *const ops[] = {"SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE",        "SCMP_CMP_EQ",
				  "SCMP_CMP_GE", "SCMP_CMP_GT", "SCMP_CMP_MASKED_EQ", "BAD"};
static const char *const arches[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_AARCH64",
				     "SCMP_ARCH_ARM"};

struct policy {
	struct oci_seccomp s;
	struct oci_seccomp_rule rules[MAX_RULES];
	struct oci_seccomp_arg args[MAX_RULES][MAX_ARGS];
	uint32_t errnos[MAX_RULES + 1];
};

static void read_rule(struct input *in, struct policy *p, size_t i)
{
	struct oci_seccomp_rule *r = &p->rules[i];
	uint8_t what = byte(in);

	r->names = &names[what % LEN(names)];
	r->n_names = 1 + (what >> 7 && what % LEN(names) < LEN(names) - 1);
	r->action = actions[byte(in) % LEN(actions)];
	what = byte(in);
	p->errnos[i] = byte(in);
	r->errno_ret = what & 0x80 ? &p->errnos[i] : NULL;
	r->n_args = what % (MAX_ARGS + 1);
	r->args = p->args[i];
	for (size_t k = 0; k < r->n_args; k++) {
		p->args[i][k].index = byte(in) % 7;
		p->args[i][k].op = ops[byte(in) % LEN(ops)];
		p->args[i][k].value = value(in);
		p->args[i][k].value_two = value(in);
	}
}

static void read_policy(struct input *in, struct policy *p)
{
	uint8_t what = byte(in);

	memset(p, 0, sizeof(*p));
	p->s.default_action = actions[what % LEN(actions)];
	p->errnos[MAX_RULES] = byte(in);
	p->s.default_errno_ret = what & 0x80 ? &p->errnos[MAX_RULES] : NULL;
	p->s.architectures = arches;
	p->s.n_architectures = byte(in) % (LEN(arches) + 1);
	p->s.listener_path = "/agent";
	p->s.syscalls = p->rules;
	p->s.n_syscalls = byte(in) % (MAX_RULES + 1);
	for (size_t i = 0; i < p->s.n_syscalls; i++)
		read_rule(in, p, i);
}

static size_t edges(const struct policy *p, uint64_t *out)
{
	size_t n = 0;

	out[n++] = 0;
	for (size_t i = 0; i < p->s.n_syscalls; i++) {
		for (size_t k = 0; k < p->rules[i].n_args && n + 6 < MAX_VALUES; k++) {
			uint64_t v = p->args[i][k].value, w = p->args[i][k].value_two;

			out[n++] = v;
			out[n++] = v + 1;
			out[n++] = v - 1;
			out[n++] = v ^ UINT64_C(1) << 32;
			out[n++] = w;
			out[n++] = w | ~v;
		}
	}
	return n;
}

static void compare(const struct policy *p, const struct seccomp_program *prog)
{
	static const int others[] = {-1, -2, 0, 300, 1000, 0x40000000};
	uint64_t values[MAX_VALUES];
	size_t n = edges(p, values), turn = 0;

	for (size_t i = 0; i < LEN(names) + LEN(others); i++) {
		int nr = i < LEN(names) ? seccomp_syscall_resolve_name_arch(MODEL_ARCH, names[i])
					: others[i - LEN(names)];

		for (size_t k = 0; k < n; k++) {
			struct seccomp_data d = {.nr = nr, .arch = MODEL_ARCH};

			for (size_t j = 0; j < 6; j++)
				d.args[j] = values[(k + j * turn) % n];
			turn++;
			if (bpf_run(prog->insns, prog->n_insns, &d) != model_run(&p->s, &d))
				abort();
		}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct seccomp_program prog;
	struct arena a = {0};
	struct policy p;
	struct err e;

	read_policy(&in, &p);
	if (seccomp_compile(&a, &p.s, &prog, &e) == 0) {
		if (bpf_validate(prog.insns, prog.n_insns, &e) < 0)
			abort();
		compare(&p, &prog);
	}
	arena_free(&a);
	return 0;
}
