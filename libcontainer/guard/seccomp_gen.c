/*
 * A policy to classic BPF.  For each architecture the numbers become a sorted list of segments,
 * each with the code that answers it; a balanced tree of comparisons finds the segment.  Runs of
 * equal answers are one segment, which is why this is a third of what libseccomp makes and loads
 * in a fraction of the time (the kernel runs the program once for each number it knows, 5.11).
 *
 * All jumps go forward and are relative, so that pieces can be put together in any place.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "guard/seccomp_rules.h"

struct code {
	const struct sock_filter *insns;
	size_t n;
};

struct segment {
	uint32_t start; /* up to the next one's */
	struct code code;
};

struct segments {
	struct arena *arena;
	struct segment *list;
	size_t n, max;
};

struct output {
	struct sock_filter *insns;
	size_t n;
};

enum { JUMP_MAX = 255, TEST_MAX = 6, MAX_TESTS = 6 };

#define LOAD(offset) ((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(offset)))
#define RETURN(k)    ((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, (k)))

static struct code ret_code(struct arena *a, uint32_t ret)
{
	struct sock_filter *f = arena_new(a, sizeof(*f));

	*f = RETURN(ret);
	return (struct code){f, 1};
}

/* Where a comparison goes: on to the next instruction, to the test's end, or to the rule's. */
enum where { NEXT, PASS, FAIL };

struct step_code {
	bool high; /* which half of the argument is compared */
	uint16_t op;
	enum where yes, no;
};

/* 64-bit comparisons in 32-bit halves, high one first. */
static const struct step_code op_steps[][3] = {
	[OP_EQ] = {{true, BPF_JEQ, NEXT, FAIL},  {false, BPF_JEQ, PASS, FAIL}},
	[OP_NE] = {{true, BPF_JEQ, NEXT, PASS},  {false, BPF_JEQ, FAIL, PASS}},
	[OP_GT] = {{true, BPF_JGT, PASS, NEXT},
		   {true, BPF_JEQ, NEXT, FAIL},
		   {false, BPF_JGT, PASS, FAIL}},
	[OP_GE] = {{true, BPF_JGT, PASS, NEXT},
		   {true, BPF_JEQ, NEXT, FAIL},
		   {false, BPF_JGE, PASS, FAIL}},
	[OP_LT] = {{true, BPF_JGT, FAIL, NEXT},
		   {true, BPF_JEQ, NEXT, PASS},
		   {false, BPF_JGE, FAIL, PASS}},
	[OP_LE] = {{true, BPF_JGT, FAIL, NEXT},
		   {true, BPF_JEQ, NEXT, PASS},
		   {false, BPF_JGT, FAIL, PASS}},
	[OP_MASKED_EQ] = {{true, BPF_JEQ, NEXT, FAIL},  {false, BPF_JEQ, PASS, FAIL}                               },
};

static uint32_t half(uint64_t v, bool high)
{
	return (uint32_t)(high ? v >> 32 : v);
}

static size_t arg_offset(uint32_t index, bool high)
{
	bool big_endian = __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__;

	return offsetof(struct seccomp_data, args) + index * sizeof(uint64_t) +
	       (high != big_endian ? sizeof(uint32_t) : 0);
}

static uint8_t distance(enum where w, size_t left, size_t tail)
{
	return (uint8_t)(w == NEXT ? 0 : w == PASS ? left : left + tail);
}

/* Whether the half matters: nothing is left of a masked half of which nothing is asked. */
static bool half_needed(const struct seccomp_test *t, bool high)
{
	return t->op != OP_MASKED_EQ || half(t->value, high) || half(t->value_two, high);
}

/* One argument's test, before a tail of that many instructions up to the rule's end. */
static size_t put_test(struct sock_filter *out, const struct seccomp_test *t, size_t tail)
{
	struct sock_filter code[TEST_MAX];
	enum where yes[TEST_MAX] = {0}, no[TEST_MAX] = {0};
	bool masked = t->op == OP_MASKED_EQ;
	size_t n = 0;
	int loaded = -1;

	for (size_t i = 0; i < 3 && op_steps[t->op][i].op; i++) {
		const struct step_code *s = &op_steps[t->op][i];

		if (!half_needed(t, s->high))
			continue;
		if (loaded != s->high)
			code[n++] = LOAD(arg_offset(t->index, s->high));
		loaded = s->high;
		if (masked && half(t->value, s->high) != UINT32_MAX)
			code[n++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K,
								 half(t->value, s->high));
		yes[n] = s->yes;
		no[n] = s->no;
		code[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | s->op | BPF_K, half(masked ? t->value_two : t->value, s->high), 0,
			0);
	}
	for (size_t i = 0; i < n; i++) {
		if (BPF_CLASS(code[i].code) == BPF_JMP) {
			code[i].jt = distance(yes[i], n - i - 1, tail);
			code[i].jf = distance(no[i], n - i - 1, tail);
		}
		out[i] = code[i];
	}
	return n;
}

/* All tests of one rule and its return; a test that fails goes on behind it. */
static struct code rule_code(struct arena *a, const struct seccomp_rule *r)
{
	struct sock_filter buf[MAX_TESTS * TEST_MAX + 1];
	size_t n = 1, at = sizeof(buf) / sizeof(buf[0]) - 1;

	/* Backwards, as each test must know how much follows it. */
	buf[at] = RETURN(r->ret);
	for (size_t i = r->n_tests; i-- > 0;) {
		struct sock_filter test[TEST_MAX];
		size_t len = put_test(test, &r->tests[i], n);

		at -= len;
		n += len;
		memcpy(&buf[at], test, len * sizeof(test[0]));
	}
	struct sock_filter *insns = arena_array(a, n, sizeof(*insns));
	memcpy(insns, &buf[at], n * sizeof(*insns));
	return (struct code){insns, n};
}

/* The rules of one number, the most restrictive first, then what is left to the default. */
static struct code number_code(struct arena *a, const struct seccomp_rule *r, size_t n,
			       uint32_t default_ret)
{
	size_t len = 1, used = 0, at = 0;

	while (used < n && r[used].n_tests)
		used++;
	uint32_t last = used < n ? r[used].ret : default_ret;
	if (used == 0)
		return ret_code(a, last);
	struct code *parts = arena_array(a, used, sizeof(*parts));
	for (size_t i = 0; i < used; i++) {
		parts[i] = rule_code(a, &r[i]);
		len += parts[i].n;
	}
	struct sock_filter *insns = arena_array(a, len, sizeof(*insns));
	for (size_t i = 0; i < used; at += parts[i++].n)
		memcpy(insns + at, parts[i].insns, parts[i].n * sizeof(*insns));
	insns[at] = RETURN(last);
	return (struct code){insns, len};
}

static void add_segment(struct segments *s, uint32_t start, struct code code)
{
	struct segment *last = s->n ? &s->list[s->n - 1] : NULL;

	if (last && last->code.n == 1 && code.n == 1 && last->code.insns[0].k == code.insns[0].k)
		return;
	if (s->n == s->max) {
		size_t max = s->max ? s->max * 2 : 256;
		struct segment *more = arena_array(s->arena, max, sizeof(*more));

		if (s->n)
			memcpy(more, s->list, s->n * sizeof(*more));
		s->list = more;
		s->max = max;
	}
	s->list[s->n++] = (struct segment){start, code};
}

/* Numbers from to to (both included) that no rule names. */
static void add_gap(struct segments *s, const struct seccomp_policy *p, uint32_t newest,
		    uint32_t from, uint32_t to)
{
	bool enosys = p->unknown_is_enosys;

	if (from > to)
		return;
	if (!enosys || from <= newest)
		add_segment(s, from, ret_code(s->arena, p->default_ret));
	if (enosys && to > newest)
		add_segment(s, from > newest ? from : newest + 1,
			    ret_code(s->arena, SECCOMP_RET_ERRNO | ENOSYS));
}

static void add_arch(struct segments *s, const struct seccomp_policy *p,
		     const struct seccomp_arch *arch, uint32_t from, uint32_t to)
{
	size_t same;

	for (size_t i = 0; i < arch->n_rules; i += same) {
		const struct seccomp_rule *r = &arch->rules[i];

		for (same = 1; i + same < arch->n_rules && r[same].nr == r->nr;)
			same++;
		if (r->nr < from || r->nr > to)
			continue;
		if (r->nr > from)
			add_gap(s, p, arch->newest, from, r->nr - 1);
		add_segment(s, r->nr, number_code(s->arena, r, same, p->default_ret));
		if (r->nr == UINT32_MAX)
			return;
		from = r->nr + 1;
	}
	add_gap(s, p, arch->newest, from, to);
}

/*
 * x32 numbers share x86-64's audit value.  -1 is left to the default: a tracer that skips a call
 * and syscall(-1) make it, and neither is an x32 call.
 */
static void add_x86_64(struct segments *s, const struct seccomp_policy *p,
		       const struct seccomp_arch *native, const struct seccomp_arch *x32)
{
	add_arch(s, p, native, 0, X32_BIT - 1);
	if (x32)
		add_arch(s, p, x32, X32_BIT, UINT32_MAX - 1);
	else
		add_segment(s, X32_BIT, ret_code(s->arena, SECCOMP_RET_KILL_PROCESS));
	add_gap(s, p, native->newest, UINT32_MAX, UINT32_MAX);
}

static size_t tree_size(const struct segment *s, size_t n)
{
	if (n == 1)
		return s->code.n;
	size_t left = tree_size(s, n / 2);

	return 1 + (left > JUMP_MAX) + left + tree_size(s + n / 2, n - n / 2);
}

static void put(struct output *o, struct sock_filter f)
{
	o->insns[o->n++] = f;
}

static void put_tree(struct output *o, const struct segment *s, size_t n)
{
	if (n == 1) {
		memcpy(o->insns + o->n, s->code.insns, s->code.n * sizeof(*o->insns));
		o->n += s->code.n;
		return;
	}
	const struct segment *right = s + n / 2;
	size_t left = tree_size(s, n / 2);
	bool far = left > JUMP_MAX;

	put(o, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, right->start,
					    far ? 0 : (uint8_t)left, far ? 1 : 0));
	if (far)
		put(o, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)left));
	put_tree(o, s, n / 2);
	put_tree(o, right, n - n / 2);
}

/* "If it is this architecture": the tree of its numbers, which always returns. */
static int put_arch(struct arena *a, struct output *o, uint32_t audit, const struct segments *s,
		    struct err *e)
{
	size_t body = 1 + tree_size(s->list, s->n);
	bool far = body > JUMP_MAX;
	struct sock_filter *more;

	if (o->n + body + 4 > BPF_MAXINSNS)
		return err_msg(e, E2BIG, "seccomp: the filter needs more than %d instructions",
			       BPF_MAXINSNS);
	more = arena_array(a, o->n + body + 4, sizeof(*more));
	if (o->n)
		memcpy(more, o->insns, o->n * sizeof(*more));
	o->insns = more;
	put(o, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, audit, 0,
					    far ? 0 : (uint8_t)body));
	if (far) {
		o->insns[o->n - 1].jt = 1;
		put(o, (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA, (uint32_t)body));
	}
	put(o, LOAD(offsetof(struct seccomp_data, nr)));
	put_tree(o, s->list, s->n);
	return 0;
}

static const struct seccomp_arch *wanted_x32(const struct seccomp_policy *p)
{
	for (size_t i = 1; i < p->n_arches; i++)
		if (p->arches[i].wanted && p->arches[i].audit == AUDIT_ARCH_X86_64)
			return &p->arches[i];
	return NULL;
}

int seccomp_generate(struct arena *a, const struct seccomp_policy *p, struct sock_filter **insns,
		     size_t *n, struct err *e)
{
	struct output out = {0};
	struct sock_filter first = LOAD(offsetof(struct seccomp_data, arch));

	out.insns = &first;
	out.n = 1;
	for (size_t i = 0; i < p->n_arches; i++) {
		const struct seccomp_arch *arch = &p->arches[i];
		struct segments s = {.arena = a};
		bool x86_64 = arch->audit == AUDIT_ARCH_X86_64;

		if (!arch->wanted || (x86_64 && i > 0))
			continue;
		if (x86_64)
			add_x86_64(&s, p, arch, wanted_x32(p));
		else
			add_arch(&s, p, arch, 0, UINT32_MAX);
		if (put_arch(a, &out, arch->audit, &s, e) < 0)
			return -e->code;
	}
	/* put_arch left room for it. */
	put(&out, RETURN(SECCOMP_RET_KILL_PROCESS));
	*insns = out.insns;
	*n = out.n;
	return 0;
}
