/*
 * Answers to classic BPF.  Numbers with the same answer that lie side by side are one range, and a
 * balanced tree of comparisons finds it.  Returns are shared, which needs them behind all who jump
 * there: the program is made from its end to its beginning, so that every target is known when the
 * jump to it is made.
 */
#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>

#include "guard/levelc/levelc.h"

/*
 * A place in the program is counted from its end: place 0 is the last instruction.  A jump made at
 * place p to place t skips p - t - 1 instructions.
 */
struct output {
	struct sock_filter code[BPF_MAXINSNS]; /* backwards */
	size_t n;
	bool full;
	bool notify;
};

struct range {
	uint32_t start; /* up to the next one's */
	const struct answer *answer;
	uint32_t ret; /* of an answer without arguments */
	bool constant;
};

enum {
	MAX_RANGES = LEVELC_MAX_NR + 4,
	/* A conditional jump skips 255 at most; the two trampolines of one may lie between. */
	REACH = 250,
};

static const uint32_t x32_start = UINT32_C(0x40000000), x32_end = UINT32_C(0x80000000);

static size_t emit(struct output *o, uint16_t code, uint32_t k)
{
	if (o->n == BPF_MAXINSNS) {
		o->full = true;
		return 0;
	}
	o->code[o->n] = (struct sock_filter){.code = code, .k = k};
	return o->n++;
}

/* A place near enough for a jump that is made next. */
static size_t near_place(struct output *o, size_t target)
{
	if (o->n - target <= REACH)
		return target;
	return emit(o, BPF_JMP | BPF_JA, (uint32_t)(o->n - target - 1));
}

/* "if A op k go to yes else to no" */
static size_t emit_test(struct output *o, uint16_t op, uint32_t k, size_t yes, size_t no)
{
	size_t yes_near, no_near, at;

	yes_near = near_place(o, yes);
	no_near = no == yes ? yes_near : near_place(o, no);
	at = emit(o, BPF_JMP | op | BPF_K, k);
	if (!o->full) {
		o->code[at].jt = (uint8_t)(at - yes_near - 1);
		o->code[at].jf = (uint8_t)(at - no_near - 1);
	}
	return at;
}

/* The place of a return of that value: one that is near, or a new one. */
static size_t emit_ret(struct output *o, uint32_t value)
{
	for (size_t i = o->n; i-- > 0 && o->n - i < REACH / 2;)
		if (o->code[i].code == (BPF_RET | BPF_K) && o->code[i].k == value)
			return i;
	return emit(o, BPF_RET | BPF_K, value);
}

/* Loads half an argument and masks it, right before what was emitted last. */
static size_t emit_load(struct output *o, unsigned int arg, bool high, uint32_t mask)
{
	/* Both architectures are little-endian. */
	size_t offset = offsetof(struct seccomp_data, args) + arg * sizeof(uint64_t) +
			(high ? sizeof(uint32_t) : 0);

	if (mask != UINT32_MAX)
		(void)emit(o, BPF_ALU | BPF_AND | BPF_K,
			   mask); /* its place is the next one's + 1 */
	return emit(o, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static size_t emit_arg_test(struct output *o, const struct pol_test *t, size_t pass, size_t fail)
{
	size_t at = fail;

	/* The last value first; a value that is not met goes on to the next one. */
	for (size_t i = t->n_values; i-- > 0;)
		at = emit_test(o, BPF_JEQ, (uint32_t)t->values[i], pass, at);
	at = emit_load(o, t->arg, false, (uint32_t)t->mask);
	if (!t->wide || !(t->mask >> 32))
		return at;
	(void)emit_test(o, BPF_JEQ, (uint32_t)(t->values[0] >> 32), at, fail);
	return emit_load(o, t->arg, true, (uint32_t)(t->mask >> 32));
}

/* All rules of one number, the last first. */
static size_t emit_rules(struct output *o, const struct answer *answer)
{
	size_t next = 0;

	for (size_t i = answer->n; i-- > 0;) {
		const struct pol_rule *r = &answer->rules[i];
		size_t at = emit_ret(o, levelc_ret(r->action, o->notify));

		for (size_t k = r->n_tests; k-- > 0;)
			at = emit_arg_test(o, &r->tests[k], at, next);
		next = at;
	}
	return next;
}

static size_t emit_range(struct output *o, const struct range *r)
{
	return r->constant ? emit_ret(o, r->ret) : emit_rules(o, r->answer);
}

static bool same_range(const struct range *a, const struct range *b)
{
	return a->constant && b->constant && a->ret == b->ret;
}

static size_t emit_tree(struct output *o, const struct range *r, size_t n)
{
	size_t half = n / 2, left, right;

	if (n == 1)
		return emit_range(o, r);
	/* One number in the middle of others. */
	if (n == 3 && same_range(&r[0], &r[2]) && r[2].start == r[1].start + 1) {
		left = emit_range(o, &r[0]);
		right = emit_range(o, &r[1]);
		return emit_test(o, BPF_JEQ, r[1].start, right, left);
	}
	right = emit_tree(o, r + half, n - half);
	left = emit_tree(o, r, half);
	return emit_test(o, BPF_JGE, r[half].start, right, left);
}

/* Of another architecture, or x32: nothing that was built for this one makes it. */
static const struct pol_action foreign_call = {.verb = POL_NEVER};

static size_t add_range(struct range *ranges, size_t n, struct range r)
{
	if (n && same_range(&ranges[n - 1], &r))
		return n;
	ranges[n] = r;
	return n + 1;
}

static size_t make_ranges(const struct answers *from, bool x32, bool notify, struct range *ranges)
{
	const struct range unknown = {.constant = true, .ret = levelc_ret(from->fallback, notify)};
	size_t n = 0;

	for (uint32_t i = 0; i < from->end; i++) {
		const struct answer *at = &from->at[i];
		struct range r = unknown;

		r.start = i;
		r.answer = at;
		r.constant = at->n <= 1;
		if (at->n == 1)
			r.ret = levelc_ret(at->rules[0].action, notify);
		n = add_range(ranges, n, r);
	}
	struct range last = unknown;

	last.start = from->end;
	n = add_range(ranges, n, last);
	if (!x32)
		return n;
	/* Negative numbers are no x32 calls: a tracer makes -1 to skip one. */
	n = add_range(ranges, n,
		      (struct range){.start = x32_start,
				     .constant = true,
				     .ret = levelc_ret(foreign_call, notify)});
	last.start = x32_end;
	return add_range(ranges, n, last);
}

int levelc_generate(struct arena *a, const struct answers *from, uint32_t audit_arch, bool x32,
		    bool notify, struct sock_filter **insns, size_t *n, struct err *e)
{
	struct output *o = arena_new(a, sizeof(*o));
	struct range *ranges = arena_array(a, MAX_RANGES, sizeof(*ranges));
	size_t top, foreign;

	o->notify = notify;
	foreign = emit_ret(o, levelc_ret(foreign_call, notify));
	top = emit_tree(o, ranges, make_ranges(from, x32, notify, ranges));
	if (top + 1 != o->n)
		(void)emit(o, BPF_JMP | BPF_JA, (uint32_t)(o->n - top - 1)); /* falls there */
	top = emit(o, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	(void)emit_test(o, BPF_JEQ, audit_arch, top, foreign); /* what comes next falls there */
	(void)emit(o, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	if (o->full)
		return err_msg(e, E2BIG, "the filter needs more than %d instructions",
			       BPF_MAXINSNS);
	*n = o->n;
	*insns = arena_array(a, o->n, sizeof(**insns));
	for (size_t i = 0; i < o->n; i++)
		(*insns)[i] = o->code[o->n - 1 - i];
	return 0;
}
