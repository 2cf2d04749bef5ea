/*
 * The validator and the interpreter against the kernel, and compiled policies against the model
 * and against libseccomp's own programs, call by call.
 */
#include <seccomp.h>

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/seccomp_rules.h"
#include "seccomp_model.h"
#include "seccomp_profile.h"

static struct arena arena;
static struct err err;

static uint64_t random_state = 1;
static uint32_t rnd(void)
{
	random_state = random_state * 6364136223846793005U + 1442695040888963407U;
	return (uint32_t)(random_state >> 33);
}

/* Whether the kernel takes a program, asked by a child. */
static bool kernel_takes(const struct sock_filter *f, size_t n)
{
	int st = 1;
	pid_t pid = fork();

	if (pid == 0) {
		struct sock_fprog p = {.len = (unsigned short)n,
				       .filter = (struct sock_filter *)(size_t)f};

		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		/* A random filter that is on may forbid everything, exit included. */
		long r = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &p);
		if (r == 0)
			for (;;)
				__builtin_trap();
		_exit(errno == EINVAL ? 0 : 2);
	}
	waitpid(pid, &st, 0);
	return WIFSIGNALED(st);
}

/* Random programs of plausible instructions: the validator says what the kernel says. */
static void validator_agrees_with_kernel(void)
{
	static const uint16_t codes[] = {
		BPF_LD | BPF_W | BPF_ABS,
		BPF_RET | BPF_K,
		BPF_RET | BPF_A,
		BPF_JMP | BPF_JA,
		BPF_JMP | BPF_JEQ | BPF_K,
		BPF_JMP | BPF_JGE | BPF_X,
		BPF_ALU | BPF_AND | BPF_K,
		BPF_ALU | BPF_DIV | BPF_K,
		BPF_ALU | BPF_LSH | BPF_K,
		BPF_ALU | BPF_NEG,
		BPF_LD | BPF_MEM,
		BPF_ST,
		BPF_STX,
		BPF_LDX | BPF_MEM,
		BPF_MISC | BPF_TAX,
		BPF_LD | BPF_IMM,
		BPF_ALU | BPF_MOD | BPF_K,
		BPF_LD | BPF_H | BPF_ABS,
		BPF_LD | BPF_W | BPF_IND,
		BPF_RET | BPF_X,
		BPF_LD | BPF_W | BPF_LEN,
		BPF_ALU | BPF_XOR | BPF_K,
		BPF_LDX | BPF_B | BPF_MSH,
		BPF_LDX | BPF_W | BPF_LEN,
	};
	unsigned int taken = 0, wrong = 0;

	for (int round = 0; round < 1500; round++) {
		struct sock_filter f[6];
		size_t n = 1 + rnd() % 6;

		for (size_t i = 0; i < n; i++) {
			f[i].code = codes[rnd() % (sizeof(codes) / sizeof(codes[0]))];
			f[i].jt = (uint8_t)(rnd() % 3);
			f[i].jf = (uint8_t)(rnd() % 3);
			f[i].k = rnd() % 4 ? rnd() % 3 * 4 : rnd() % 80;
		}
		if (rnd() % 4)
			f[n - 1].code = BPF_RET | BPF_K;
		bool ours = bpf_validate(f, n, &err) == 0;
		bool kernels = kernel_takes(f, n);
		taken += kernels;
		wrong += ours != kernels;
	}
	CHECK(wrong == 0);
	CHECK(taken > 50);
	struct sock_filter ret = BPF_STMT(BPF_RET | BPF_K, 0);
	CHECK(bpf_validate(&ret, 0, &err) == -EINVAL && bpf_validate(&ret, 1, &err) == 0);
}

static void interpreter_computes(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16),
		BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 5),
		BPF_STMT(BPF_ST, 3),
		BPF_STMT(BPF_LDX | BPF_MEM, 3),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_X, 0),
		BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 0xff),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 1),
		BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 4),
		BPF_STMT(BPF_ALU | BPF_OR | BPF_K, 3),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 0, 1),
		BPF_STMT(BPF_ALU | BPF_NEG, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct seccomp_data d = {.args = {7}};

	CHECK(bpf_validate(f, LEN(f), &err) == 0);
	CHECK(bpf_run(f, LEN(f), &d) == -(((((12U * 12U) - 1) ^ 0xff) >> 1 << 4) | 3));
	struct sock_filter zero[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16), BPF_STMT(BPF_MISC | BPF_TAX, 0),
		BPF_STMT(BPF_LD | BPF_IMM, 9),          BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	CHECK(bpf_run(zero, LEN(zero), &d) == 1);
	d.args[0] = 0;
	CHECK(bpf_run(zero, LEN(zero), &d) == SECCOMP_RET_KILL_THREAD);
}

struct program {
	struct sock_filter *insns;
	size_t n;
};

static struct program ours(const struct oci_seccomp *s)
{
	struct seccomp_policy policy;
	struct program p = {0};

	CHECK(seccomp_policy_make(&arena, s, &policy, &err) == 0);
	CHECK(seccomp_generate(&arena, &policy, &p.insns, &p.n, &err) == 0);
	CHECK(bpf_validate(p.insns, p.n, &err) == 0);
	return p;
}

/* Arguments worth trying for a policy: around each constant, in both halves. */
static size_t edges(const struct oci_seccomp *s, uint64_t *out, size_t max)
{
	size_t n = 0;

	out[n++] = 0;
	out[n++] = UINT64_MAX;
	for (size_t i = 0; i < s->n_syscalls; i++) {
		for (size_t k = 0; k < s->syscalls[i].n_args && n + 14 < max; k++) {
			const struct oci_seccomp_arg *a = &s->syscalls[i].args[k];

			for (int which = 0; which < 2; which++) {
				uint64_t v = which ? a->value_two : a->value;

				out[n++] = v;
				out[n++] = v - 1;
				out[n++] = v + 1;
				out[n++] = v ^ UINT64_C(1) << 32;
				out[n++] = (v & ~UINT64_C(0xffffffff)) | (rnd() & 0xff);
				out[n++] = v + (UINT64_C(1) << 32);
				out[n++] = ~v;
			}
		}
	}
	return n;
}

static unsigned int differs_from_model(const struct oci_seccomp *s, const struct program *p,
				       int highest, unsigned int tries)
{
	uint64_t values[256];
	size_t n = edges(s, values, LEN(values));
	unsigned int wrong = 0;

	for (int nr = -2; nr < highest; nr++) {
		for (unsigned int t = 0; t < tries; t++) {
			struct seccomp_data d = {.nr = nr, .arch = MODEL_ARCH};

			for (int i = 0; i < 6; i++)
				d.args[i] = values[rnd() % n];
			wrong += bpf_run(p->insns, p->n, &d) != model_run(s, &d);
		}
	}
	return wrong;
}

static void engine_profile(void)
{
	const struct oci_seccomp *s = &profile_like_an_engines;
	struct oci_seccomp native = *s;
	struct seccomp_data d = {.arch = MODEL_ARCH};

	native.n_architectures = 1;
	struct program p = ours(&native), all = ours(s);
	printf("# engine profile: %zu instructions native, %zu with all architectures\n", p.n,
	       all.n);
	CHECK(differs_from_model(&native, &p, 1100, 20) == 0);
	CHECK(p.n < 250 && all.n < 900);
	CHECK(kernel_takes(p.insns, p.n) && kernel_takes(all.insns, all.n));
	/* x32, foreign and impossible architectures die; -1 and new numbers look absent. */
	d.nr = 0x40000000;
	CHECK(bpf_run(p.insns, p.n, &d) == SECCOMP_RET_KILL_PROCESS);
	CHECK(bpf_run(all.insns, all.n, &d) == SECCOMP_RET_ALLOW); /* x32 read */
	d.nr = 0x40000000 + 1000;
	CHECK(bpf_run(all.insns, all.n, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
	d.nr = -1;
	CHECK(bpf_run(p.insns, p.n, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
	d.nr = 1000;
	CHECK(bpf_run(p.insns, p.n, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
	d.nr = SYS_mount;
	CHECK(bpf_run(p.insns, p.n, &d) == (SECCOMP_RET_ERRNO | EPERM));
	d.nr = SYS_clone3;
	CHECK(bpf_run(p.insns, p.n, &d) == (SECCOMP_RET_ERRNO | ENOSYS));
	d = (struct seccomp_data){.arch = AUDIT_ARCH_S390X};
	CHECK(bpf_run(all.insns, all.n, &d) == SECCOMP_RET_KILL_PROCESS);
	d = (struct seccomp_data){.arch = AUDIT_ARCH_I386, .nr = 3};
	CHECK(bpf_run(p.insns, p.n, &d) == SECCOMP_RET_KILL_PROCESS);
	CHECK(bpf_run(all.insns, all.n, &d) == SECCOMP_RET_ALLOW); /* i386 read */
}

/* Chains for every number: the tree's halves are further apart than a conditional jump goes. */
static void far_jumps(void)
{
	const struct oci_seccomp_arg args[] = {
		{0, 5,           0, "SCMP_CMP_GE"},
                {1, 0x100000007, 0, "SCMP_CMP_LT"}
        };
	const struct oci_seccomp_rule r = {.names = profile_names,
					   .n_names = LEN(profile_names),
					   .action = "SCMP_ACT_ALLOW",
					   .args = args,
					   .n_args = 2};
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ERRNO", .syscalls = &r, .n_syscalls = 1};
	struct program p = ours(&s);

	CHECK(p.n > 2000 && differs_from_model(&s, &p, 500, 20) == 0);
	CHECK(kernel_takes(p.insns, p.n));
}

/* i386's socketcall and ipc, without a rule that lets all of them through. */
static void i386_multiplexers(void)
{
#if defined(__x86_64__)
	const char *const arches[] = {"SCMP_ARCH_X86"};
	const char *const names[] = {"bind", "semop", "shmget"};
	const char *const sock[] = {"socket"};
	const struct oci_seccomp_arg unix_only = {0, 1, 0, "SCMP_CMP_EQ"};
	const struct oci_seccomp_rule rules[] = {
		{.names = names,             .n_names = 3, .action = "SCMP_ACT_ALLOW"},
		{ .names = sock,
		 .n_names = 1,
		 .action = "SCMP_ACT_ALLOW",
		 .args = &unix_only,
		 .n_args = 1},
	};
	struct oci_seccomp s = {.default_action = "SCMP_ACT_ERRNO",
				.architectures = arches,
				.n_architectures = 1,
				.syscalls = rules,
				.n_syscalls = 2};
	struct program p = ours(&s);
	static const struct {
		int nr;
		uint64_t arg;
		bool allowed;
	} rows[] = {
		{102, 2,       true }, /* socketcall(bind) */
		{102, 1,       false}, /* socketcall(socket): its family cannot be seen */
		{102, 3,       false},
                {361, 0,       true }, /* bind */
		{359, 1,       true }, /* socket(AF_UNIX) */
		{359, 2,       false},
                {117, 1,       true }, /* ipc(semop) */
		{117, 0x10001, true }, /* with a version */
		{117, 23,      true },
                {117, 2,       false},
                {395, 0,       true }, /* shmget */
		{393, 0,       false},
	};

	for (size_t i = 0; i < LEN(rows); i++) {
		struct seccomp_data d = {
			.arch = AUDIT_ARCH_I386, .nr = rows[i].nr, .args = {rows[i].arg}};

		CHECK(bpf_run(p.insns, p.n, &d) ==
		      (rows[i].allowed ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | EPERM));
	}
#endif
}

static const char *const some_names[] = {"read", "socket", "getpid", "clone", "statx", "nosuch"};
static const char *const some_actions[] = {
	"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO",        "SCMP_ACT_LOG",  "SCMP_ACT_TRAP",
	"SCMP_ACT_KILL",  "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRACE"};
static const char *const some_ops[] = {"SCMP_CMP_NE",       "SCMP_CMP_LT", "SCMP_CMP_LE",
				       "SCMP_CMP_EQ",       "SCMP_CMP_GE", "SCMP_CMP_GT",
				       "SCMP_CMP_MASKED_EQ"};

static uint64_t some_value(void)
{
	uint64_t v = rnd() % 3 ? rnd() % 5 : rnd();

	return rnd() % 2 ? v | (uint64_t)(rnd() % 4) << 32 : v;
}

/* A policy of up to four rules, each on one name with up to four args. */
static void random_policy(struct oci_seccomp *s, struct oci_seccomp_rule *rules,
			  struct oci_seccomp_arg (*args)[4], size_t actions)
{
	*s = (struct oci_seccomp){.default_action = some_actions[rnd() % actions],
				  .syscalls = rules,
				  .n_syscalls = rnd() % 5};
	for (size_t i = 0; i < s->n_syscalls; i++) {
		rules[i] = (struct oci_seccomp_rule){.names = &some_names[rnd() % 6],
						     .n_names = 1,
						     .action = some_actions[rnd() % actions],
						     .args = args[i],
						     .n_args = rnd() % 5};
		for (size_t k = 0; k < rules[i].n_args; k++)
			args[i][k] = (struct oci_seccomp_arg){rnd() % 6, some_value(), some_value(),
							      some_ops[rnd() % 7]};
	}
}

static void random_policies(void)
{
	unsigned int wrong = 0;

	for (int round = 0; round < 3000; round++) {
		struct oci_seccomp_rule rules[4];
		struct oci_seccomp_arg args[4][4];
		struct oci_seccomp s;

		random_policy(&s, rules, args, LEN(some_actions));
		struct program p = ours(&s);
		wrong += differs_from_model(&s, &p, 60, 8);
		wrong += differs_from_model(&s, &p, 60, 8);
		for (int nr = 330; nr < 340; nr++) {
			struct seccomp_data d = {.nr = nr, .arch = MODEL_ARCH};
			wrong += bpf_run(p.insns, p.n, &d) != model_run(&s, &d);
		}
	}
	CHECK(wrong == 0);
}

/* The same rules by libseccomp.  Only where its meaning is the same: one action, no clashes. */
static struct program libseccomps(const struct oci_seccomp *s, int optimize)
{
	struct program p = {0};
	scmp_filter_ctx ctx = seccomp_init(model_action(s->default_action, s->default_errno_ret));
	int fd = memfd_create("filter", MFD_CLOEXEC);

	seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, (uint32_t)optimize);
	seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	for (size_t i = 0; i < s->n_architectures; i++) {
		char name[32];

		snprintf(name, sizeof(name), "%s", s->architectures[i] + strlen("SCMP_ARCH_"));
		for (char *c = name; *c; c++)
			*c = (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c);
		seccomp_arch_add(ctx, seccomp_arch_resolve_name(name));
	}
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];
		struct scmp_arg_cmp cmp[6];

		for (size_t k = 0; k < r->n_args; k++) {
			int op = 0;

			while (strcmp(some_ops[op], r->args[k].op) != 0)
				op++;
			cmp[k] =
				(struct scmp_arg_cmp){r->args[k].index, (enum scmp_compare)(op + 1),
						      r->args[k].value, r->args[k].value_two};
		}
		for (size_t k = 0; k < r->n_names; k++) {
			int nr = seccomp_syscall_resolve_name(r->names[k]);

			if (nr != __NR_SCMP_ERROR)
				(void)seccomp_rule_add_array(ctx,
							     model_action(r->action, r->errno_ret),
							     nr, (unsigned int)r->n_args, cmp);
		}
	}
	if (seccomp_export_bpf(ctx, fd) == 0) {
		off_t size = lseek(fd, 0, SEEK_END);

		p.insns = arena_new(&arena, (size_t)size);
		p.n = (size_t)size / sizeof(*p.insns);
		if (pread(fd, p.insns, (size_t)size, 0) != size)
			p.n = 0;
	}
	close(fd);
	seccomp_release(ctx);
	return p;
}

static void same_as_libseccomp(void)
{
	const struct oci_seccomp *s = &profile_like_an_engines;
	struct oci_seccomp native = *s;
	uint64_t values[256];
	size_t n = edges(s, values, LEN(values));
	unsigned int wrong = 0;

	native.n_architectures = 1;
	for (int optimize = 1; optimize <= 2; optimize++) {
		struct program a = ours(&native), b = libseccomps(&native, optimize);

		CHECK(b.n > 0 && bpf_validate(b.insns, b.n, &err) == 0);
		printf("# libseccomp, level %d: %zu instructions\n", optimize, b.n);
		for (int nr = 0; nr <= 449; nr++) { /* what the profile knows; above is ENOSYS */
			for (int t = 0; t < 40; t++) {
				struct seccomp_data d = {.nr = nr, .arch = MODEL_ARCH};

				for (int i = 0; i < 6; i++)
					d.args[i] = values[rnd() % n];
				wrong += bpf_run(a.insns, a.n, &d) != bpf_run(b.insns, b.n, &d);
			}
		}
	}
	CHECK(wrong == 0);
}

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double load_us(const struct program *p)
{
	double best = 1e9;

	for (int i = 0; i < 15; i++) {
		double *shared =
			mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
		pid_t pid = fork();

		if (pid == 0) {
			struct sock_fprog prog = {.len = (unsigned short)p->n, .filter = p->insns};
			prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
			double from = now_us();
			syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
			*shared = now_us() - from;
			_exit(0);
		}
		waitpid(pid, NULL, 0);
		best = *shared > 0 && *shared < best ? *shared : best;
		munmap(shared, 4096);
	}
	return best;
}

/* Figures, not checks: run with an argument. */
static void measure(void)
{
	const struct oci_seccomp *s = &profile_like_an_engines;
	struct oci_seccomp native = *s;

	native.n_architectures = 1;
	for (int which = 0; which < 6; which++) {
		const struct oci_seccomp *what = which % 2 ? s : &native;
		struct program p = {0};
		double best = 1e9, first = 0;

		for (int i = 0; i < 15; i++) {
			double from = now_us();
			p = which < 2 ? ours(what) : libseccomps(what, which / 2);
			double t = now_us() - from;
			first = i ? first : t;
			best = t < best ? t : best;
		}
		printf("# %s, %s: %zu instructions, compile %.0f us (first %.0f), load %.0f us\n",
		       which < 2   ? "brig"
		       : which < 4 ? "libseccomp 1"
				   : "libseccomp 2",
		       which % 2 ? "x86-64 i386 x32" : "native", p.n, best, first, load_us(&p));
	}
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		measure();
		return check_done();
	}
	validator_agrees_with_kernel();
	interpreter_computes();
	engine_profile();
	far_jumps();
	i386_multiplexers();
	random_policies();
	same_as_libseccomp();
	arena_free(&arena);
	return check_done();
}
