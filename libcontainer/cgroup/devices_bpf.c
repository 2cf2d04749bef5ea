#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "cgroup/devices.h"

/*
 * Registers of the program: r2 type, r3 the rights still asked for, r4 major, r5 minor (loaded
 * once from the context in r1), r7 major and minor as the kernel's dev_t, r0 the answer.
 *
 * The verifier's time grows with the branches, and is most of what a start pays here (0.25 ms
 * with three compares and an exit for each rule, against 0.05 ms): so a rule on one device is
 * one compare with r7, rules on the same kind of device share the check of r2, and all end in
 * the same two exits.
 */
enum { R_ANSWER = 0, R_CTX = 1, R_TYPE = 2, R_WANT = 3, R_MAJOR = 4, R_MINOR = 5, R_TMP = 6 };
enum { R_DEV = 7 };
enum { HEAD = 10, PER_RULE = 8, TAIL = 5, MINOR_BITS = 20, MAJOR_BITS = 12 };
/* Where a jump goes, in its offset until that place is known. */
enum { TO_NEXT_RULE = -1, TO_NEXT_KIND = -2, TO_ALLOW = -3, TO_DENY = -4 };

struct program {
	struct bpf_insn *v;
	size_t n;
};

static void emit(struct program *p, unsigned int code, unsigned int dst, unsigned int src, int off,
		 int32_t imm)
{
	p->v[p->n++] = (struct bpf_insn){.code = (__u8)code,
					 .dst_reg = dst & 15,
					 .src_reg = src & 15,
					 .off = (__s16)off,
					 .imm = imm};
}

static void jump_if(struct program *p, unsigned int op, unsigned int reg, int64_t value, int where)
{
	/* 32-bit: the immediate of a 64-bit compare is sign-extended. */
	emit(p, BPF_JMP32 | op | BPF_K, reg, 0, where, (int32_t)(uint32_t)value);
}

/* The jumps to that place, from instruction from on, go to the next instruction: how many. */
static size_t place(struct program *p, size_t from, int where)
{
	size_t n = 0;

	for (size_t i = from; i < p->n; i++)
		if (p->v[i].off == where && BPF_CLASS(p->v[i].code) == BPF_JMP32) {
			p->v[i].off = (__s16)(p->n - i - 1);
			n++;
		}
	return n;
}

/* What decides once the device fits; r3 keeps what nobody has decided about. */
static void decide(struct program *p, const struct bpf_rule *r)
{
	if (r->allow) {
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_WANT, 0, 0, (int32_t)(~r->access & DEV_ALL));
		jump_if(p, BPF_JEQ, R_WANT, 0, TO_ALLOW);
	} else {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TMP, R_WANT, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_TMP, 0, 0, (int32_t)r->access);
		jump_if(p, BPF_JNE, R_TMP, 0, TO_DENY);
	}
}

static void rule(struct program *p, const struct bpf_rule *r)
{
	size_t from = p->n;
	unsigned int reg = 0;
	int64_t value = 0;

	if (r->major >= 0 && r->minor >= 0) {
		reg = R_DEV;
		value = r->major << MINOR_BITS | r->minor;
	} else if (r->major >= 0 || r->minor >= 0) {
		reg = r->major >= 0 ? R_MAJOR : R_MINOR;
		value = r->major >= 0 ? r->major : r->minor;
	}
	if (reg && r->access == DEV_ALL) {
		jump_if(p, BPF_JEQ, reg, value, r->allow ? TO_ALLOW : TO_DENY);
		return;
	}
	if (reg)
		jump_if(p, BPF_JNE, reg, value, TO_NEXT_RULE);
	decide(p, r);
	(void)place(p, from, TO_NEXT_RULE);
}

/* No device has such numbers (dev_t: 12 and 20 bits): the rule never fits. */
static bool never_fits(const struct bpf_rule *r)
{
	return r->major >> MAJOR_BITS > 0 || r->minor >> MINOR_BITS > 0;
}

static bool is_everything(const struct bpf_rule *r)
{
	return r->type == 'a' && r->access == DEV_ALL && r->major < 0 && r->minor < 0;
}

/* The same for both kinds of device, one after the other: one rule without a kind. */
static bool is_pair(const struct bpf_rule *a, const struct bpf_rule *b)
{
	return a->type != b->type && a->type != 'a' && b->type != 'a' && a->allow == b->allow &&
	       a->access == b->access && a->major == b->major && a->minor == b->minor;
}

static void leave(struct program *p, bool allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_ANSWER, 0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void load_context(struct program *p)
{
	const unsigned int load = BPF_LDX | BPF_MEM | BPF_W;

	/* access_type: the kind of device in the low half, the rights in the high one. */
	emit(p, load, R_TYPE, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, R_WANT, R_TYPE, 0, 0);
	emit(p, BPF_ALU | BPF_RSH | BPF_K, R_WANT, 0, 0, 16);
	emit(p, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	emit(p, load, R_MAJOR, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, load, R_MINOR, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	emit(p, BPF_ALU | BPF_MOV | BPF_X, R_DEV, R_MAJOR, 0, 0);
	emit(p, BPF_ALU | BPF_LSH | BPF_K, R_DEV, 0, 0, MINOR_BITS);
	emit(p, BPF_ALU | BPF_OR | BPF_X, R_DEV, R_MINOR, 0, 0);
}

struct bpf_insn *cg_devices_program(struct arena *a, const struct bpf_rule *rules, size_t n,
				    size_t *n_insns)
{
	struct program p = {arena_array(a, HEAD + n * PER_RULE + TAIL, sizeof(*p.v)), 0};
	bool otherwise = false;
	size_t kind_from = 0;
	char kind = 'a';

	load_context(&p);
	for (size_t i = n; i-- > 0;) {
		struct bpf_rule r = rules[i];

		if (never_fits(&r))
			continue;
		if (is_everything(&r)) {
			otherwise = r.allow; /* nothing before it counts */
			break;
		}
		if (i > 0 && is_pair(&r, &rules[i - 1])) {
			r.type = 'a';
			i--;
		}
		if (r.type != kind) {
			(void)place(&p, kind_from, TO_NEXT_KIND);
			kind_from = p.n;
			kind = r.type;
			if (kind != 'a')
				jump_if(&p, BPF_JNE, R_TYPE,
					kind == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK,
					TO_NEXT_KIND);
		}
		rule(&p, &r);
	}
	(void)place(&p, kind_from, TO_NEXT_KIND);
	(void)place(&p, 0, otherwise ? TO_ALLOW : TO_DENY);
	leave(&p, otherwise);
	/* The verifier refuses instructions that nothing leads to. */
	if (place(&p, 0, otherwise ? TO_DENY : TO_ALLOW))
		leave(&p, !otherwise);
	*n_insns = p.n;
	return p.v;
}

static int sys_bpf(unsigned int cmd, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int load(const struct bpf_insn *insns, size_t n)
{
	union bpf_attr attr = {0};

	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)n;
	attr.license = (uint64_t)(uintptr_t) "LGPL"; /* no helper is called that asks for GPL */
	memcpy(attr.prog_name, "brig_devices", sizeof("brig_devices"));
	int fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0 || errno != EPERM)
		return fd;
	/* Before 5.11 programs count as locked memory; without the right to raise it: EPERM. */
	struct rlimit unlimited = {RLIM_INFINITY, RLIM_INFINITY};
	if (setrlimit(RLIMIT_MEMLOCK, &unlimited) < 0) {
		errno = EPERM;
		return -1;
	}
	return sys_bpf(BPF_PROG_LOAD, &attr);
}

/* A jump reaches 32767 instructions. */
enum { MAX_OLD = 64, MAX_RULES = 4000 };

struct old_programs {
	uint32_t ids[MAX_OLD];
};

static size_t query(int dirfd, struct old_programs *old)
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)dirfd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_cnt = MAX_OLD;
	attr.query.prog_ids = (uint64_t)(uintptr_t)old->ids;
	return sys_bpf(BPF_PROG_QUERY, &attr) < 0 ? 0 : attr.query.prog_cnt;
}

static int detach(int dirfd, uint32_t id, struct err *e)
{
	union bpf_attr by_id = {0}, attr = {0};

	by_id.prog_id = id;
	own_fd int fd = sys_bpf(BPF_PROG_GET_FD_BY_ID, &by_id);
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "get device program %u", id);
	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	if (sys_bpf(BPF_PROG_DETACH, &attr) < 0 && errno != ENOENT)
		return err_set(e, errno, "detach device program %u", id);
	return 0;
}

int cg_devices_attach(int dirfd, const struct bpf_rule *rules, size_t n, bool replace,
		      struct err *e)
{
	own_arena struct arena scratch = {0};
	struct old_programs old = {0};
	size_t n_insns, n_old = 0;

	if (n == 1 && rules[0].allow && !replace)
		return 0; /* everything is allowed: that is what no program means */
	if (n > MAX_RULES)
		return err_msg(e, E2BIG, "%zu device rules: more than a program can hold", n);
	const struct bpf_insn *insns = cg_devices_program(&scratch, rules, n, &n_insns);
	own_fd int prog = load(insns, n_insns);
	if (prog < 0)
		return err_set(e, errno, "load the device program of the cgroup");
	if (replace)
		n_old = query(dirfd, &old);
	union bpf_attr attr = {0};
	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_set(e, errno, "attach the device program of the cgroup");
	/* All programs must agree, so the new one is in force before the old ones go. */
	for (size_t i = 0; i < n_old; i++) {
		int r = detach(dirfd, old.ids[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}
