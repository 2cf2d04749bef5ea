#include "guard/bpfcheck.h"

#include <errno.h>
#include <string.h>

/* What seccomp_check_filter() of the kernel lets through; all else is EINVAL there. */
static const uint16_t allowed[] = {
	BPF_LD | BPF_W | BPF_ABS,
	BPF_LD | BPF_W | BPF_LEN,
	BPF_LDX | BPF_W | BPF_LEN,
	BPF_RET | BPF_K,
	BPF_RET | BPF_A,
	BPF_ALU | BPF_ADD | BPF_K,
	BPF_ALU | BPF_ADD | BPF_X,
	BPF_ALU | BPF_SUB | BPF_K,
	BPF_ALU | BPF_SUB | BPF_X,
	BPF_ALU | BPF_MUL | BPF_K,
	BPF_ALU | BPF_MUL | BPF_X,
	BPF_ALU | BPF_DIV | BPF_K,
	BPF_ALU | BPF_DIV | BPF_X,
	BPF_ALU | BPF_AND | BPF_K,
	BPF_ALU | BPF_AND | BPF_X,
	BPF_ALU | BPF_OR | BPF_K,
	BPF_ALU | BPF_OR | BPF_X,
	BPF_ALU | BPF_XOR | BPF_K,
	BPF_ALU | BPF_XOR | BPF_X,
	BPF_ALU | BPF_LSH | BPF_K,
	BPF_ALU | BPF_LSH | BPF_X,
	BPF_ALU | BPF_RSH | BPF_K,
	BPF_ALU | BPF_RSH | BPF_X,
	BPF_ALU | BPF_NEG,
	BPF_LD | BPF_IMM,
	BPF_LDX | BPF_IMM,
	BPF_MISC | BPF_TAX,
	BPF_MISC | BPF_TXA,
	BPF_LD | BPF_MEM,
	BPF_LDX | BPF_MEM,
	BPF_ST,
	BPF_STX,
	BPF_JMP | BPF_JA,
	BPF_JMP | BPF_JEQ | BPF_K,
	BPF_JMP | BPF_JEQ | BPF_X,
	BPF_JMP | BPF_JGE | BPF_K,
	BPF_JMP | BPF_JGE | BPF_X,
	BPF_JMP | BPF_JGT | BPF_K,
	BPF_JMP | BPF_JGT | BPF_X,
	BPF_JMP | BPF_JSET | BPF_K,
	BPF_JMP | BPF_JSET | BPF_X,
};

static bool code_allowed(uint16_t code)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		if (allowed[i] == code)
			return true;
	return false;
}

static bool is_mem(uint16_t code)
{
	return code == (BPF_LD | BPF_MEM) || code == (BPF_LDX | BPF_MEM) || code == BPF_ST ||
	       code == BPF_STX;
}

static bool operand_ok(const struct sock_filter *f)
{
	if (f->code == (BPF_LD | BPF_W | BPF_ABS))
		return f->k % 4 == 0 && f->k < sizeof(struct seccomp_data);
	if (is_mem(f->code))
		return f->k < BPF_MEMWORDS;
	if (f->code == (BPF_ALU | BPF_DIV | BPF_K))
		return f->k != 0;
	if (f->code == (BPF_ALU | BPF_LSH | BPF_K) || f->code == (BPF_ALU | BPF_RSH | BPF_K))
		return f->k < 32;
	return true;
}

static bool jumps_ok(const struct sock_filter *f, size_t left)
{
	if (BPF_CLASS(f->code) != BPF_JMP)
		return true;
	if (f->code == (BPF_JMP | BPF_JA))
		return f->k < left;
	return f->jt < left && f->jf < left;
}

/*
 * Every word of scratch memory must be written on each way to its reading, as the kernel's
 * check_load_and_stores() demands: seen[i] are the words that are written on all ways to i.
 */
static bool memory_ok(const struct sock_filter *insns, size_t n)
{
	uint16_t seen[BPF_MAXINSNS];
	uint16_t valid = 0;

	memset(seen, 0xff, sizeof(seen));
	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &insns[i];

		valid &= seen[i];
		if (f->code == BPF_ST || f->code == BPF_STX) {
			valid |= (uint16_t)(1U << f->k);
		} else if (is_mem(f->code)) {
			if (!(valid & 1U << f->k))
				return false;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			seen[i + 1 + f->k] &= valid;
			valid = 0xffff;
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			seen[i + 1 + f->jt] &= valid;
			seen[i + 1 + f->jf] &= valid;
			valid = 0xffff;
		}
	}
	return true;
}

int bpf_validate(const struct sock_filter *insns, size_t n, struct err *e)
{
	if (n == 0 || n > BPF_MAXINSNS)
		return err_msg(e, EINVAL, "seccomp filter: %zu instructions, want 1 to %d", n,
			       BPF_MAXINSNS);
	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &insns[i];

		if (!code_allowed(f->code))
			return err_msg(e, EINVAL, "seccomp filter: instruction %zu: code 0x%x", i,
				       f->code);
		if (!operand_ok(f))
			return err_msg(e, EINVAL, "seccomp filter: instruction %zu: operand 0x%x",
				       i, f->k);
		if (!jumps_ok(f, n - i - 1))
			return err_msg(e, EINVAL, "seccomp filter: instruction %zu: jumps outside",
				       i);
	}
	if (BPF_CLASS(insns[n - 1].code) != BPF_RET)
		return err_msg(e, EINVAL, "seccomp filter: does not end in a return");
	if (!memory_ok(insns, n))
		return err_msg(e, EINVAL, "seccomp filter: reads memory that it has not written");
	return 0;
}

struct machine {
	uint32_t a, x, mem[BPF_MEMWORDS];
};

static uint32_t load(const struct seccomp_data *data, uint32_t offset)
{
	uint32_t v;

	memcpy(&v, (const char *)data + offset, sizeof(v));
	return v;
}

/* False: a division by zero, for which the kernel returns 0 from the program. */
static bool alu(struct machine *m, uint16_t op, uint32_t by)
{
	switch (op) {
	case BPF_ADD:
		m->a += by;
		return true;
	case BPF_SUB:
		m->a -= by;
		return true;
	case BPF_MUL:
		m->a *= by;
		return true;
	case BPF_DIV:
		if (!by)
			return false;
		m->a /= by;
		return true;
	case BPF_AND:
		m->a &= by;
		return true;
	case BPF_OR:
		m->a |= by;
		return true;
	case BPF_XOR:
		m->a ^= by;
		return true;
	case BPF_LSH: /* the amount is masked, as the kernel's eBPF does */
		m->a <<= by & 31;
		return true;
	case BPF_RSH:
		m->a >>= by & 31;
		return true;
	default:
		m->a = -m->a;
		return true;
	}
}

static bool jump_taken(uint16_t op, uint32_t a, uint32_t b)
{
	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JGE:
		return a >= b;
	case BPF_JGT:
		return a > b;
	default:
		return a & b;
	}
}

static void move(struct machine *m, const struct sock_filter *f, const struct seccomp_data *data)
{
	switch (f->code) {
	case BPF_LD | BPF_W | BPF_ABS:
		m->a = load(data, f->k);
		return;
	case BPF_LD | BPF_W | BPF_LEN:
		m->a = sizeof(*data);
		return;
	case BPF_LDX | BPF_W | BPF_LEN:
		m->x = sizeof(*data);
		return;
	case BPF_LD | BPF_IMM:
		m->a = f->k;
		return;
	case BPF_LDX | BPF_IMM:
		m->x = f->k;
		return;
	case BPF_LD | BPF_MEM:
		m->a = m->mem[f->k];
		return;
	case BPF_LDX | BPF_MEM:
		m->x = m->mem[f->k];
		return;
	case BPF_ST:
		m->mem[f->k] = m->a;
		return;
	case BPF_STX:
		m->mem[f->k] = m->x;
		return;
	case BPF_MISC | BPF_TAX:
		m->x = m->a;
		return;
	default:
		m->a = m->x;
		return;
	}
}

uint32_t bpf_run(const struct sock_filter *insns, size_t n, const struct seccomp_data *data)
{
	struct machine m = {0};

	/* Jumps only go forward, so that this ends. */
	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &insns[i];
		uint32_t by = BPF_SRC(f->code) == BPF_X ? m.x : f->k;

		switch (BPF_CLASS(f->code)) {
		case BPF_RET:
			return BPF_RVAL(f->code) == BPF_A ? m.a : f->k;
		case BPF_ALU:
			if (!alu(&m, BPF_OP(f->code), by))
				return SECCOMP_RET_KILL_THREAD;
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				i += f->k;
			else
				i += jump_taken(BPF_OP(f->code), m.a, by) ? f->jt : f->jf;
			break;
		default:
			move(&m, f, data);
			break;
		}
	}
	return SECCOMP_RET_KILL_THREAD; /* not reached by a validated program */
}

/* What is known of the accumulator where an instruction is reached. */
struct place {
	bool reached, known;
	uint32_t a;
};

static void reach(struct place *p, bool known, uint32_t a)
{
	p->known = known && (!p->reached || (p->known && p->a == a));
	p->a = a;
	p->reached = true;
}

/* The accumulator behind one instruction that is no jump. */
static bool follow(const struct sock_filter *f, struct place *p, uint32_t arch, uint32_t nr)
{
	struct machine m = {.a = p->a};

	if (f->code == (BPF_LD | BPF_W | BPF_ABS)) {
		p->a = f->k == offsetof(struct seccomp_data, nr) ? nr : arch;
		return f->k <= offsetof(struct seccomp_data, arch);
	}
	if (BPF_CLASS(f->code) == BPF_ALU && BPF_SRC(f->code) == BPF_K && p->known) {
		bool ok = alu(&m, BPF_OP(f->code), f->k);

		p->a = m.a;
		return ok;
	}
	return false;
}

bool bpf_always_allows(const struct sock_filter *insns, size_t n, uint32_t arch, uint32_t nr)
{
	struct place at[BPF_MAXINSNS] = {
		{.reached = true, .known = true}
        };

	for (size_t i = 0; i < n; i++) {
		const struct sock_filter *f = &insns[i];
		struct place p = at[i];

		if (!p.reached)
			continue;
		if (f->code == (BPF_ALU | BPF_DIV | BPF_X))
			return false; /* by zero it kills */
		if (BPF_CLASS(f->code) == BPF_RET) {
			uint32_t ret = f->k & SECCOMP_RET_ACTION_FULL;

			if (BPF_RVAL(f->code) == BPF_A ||
			    (ret != SECCOMP_RET_ALLOW && ret != SECCOMP_RET_LOG))
				return false;
		} else if (f->code == (BPF_JMP | BPF_JA)) {
			reach(&at[i + 1 + f->k], p.known, p.a);
		} else if (BPF_CLASS(f->code) == BPF_JMP) {
			bool sure = p.known && BPF_SRC(f->code) == BPF_K;
			bool yes = sure && jump_taken(BPF_OP(f->code), p.a, f->k);

			if (!sure || yes)
				reach(&at[i + 1 + f->jt], p.known, p.a);
			if (!sure || !yes)
				reach(&at[i + 1 + f->jf], p.known, p.a);
		} else {
			p.known = follow(f, &p, arch, nr);
			reach(&at[i + 1], p.known, p.a);
		}
	}
	return true;
}
