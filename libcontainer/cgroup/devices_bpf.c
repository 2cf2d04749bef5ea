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
 * once from the context in r1), r0 the answer: 1 allow, 0 deny (EPERM).
 */
enum { R_ANSWER = 0, R_CTX = 1, R_TYPE = 2, R_WANT = 3, R_MAJOR = 4, R_MINOR = 5, R_TMP = 6 };
enum { HEAD = 6, PER_RULE = 9, TAIL = 2 };

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

static void answer(struct program *p, bool allow)
{
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, R_ANSWER, 0, 0, allow);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* Jumps to the end of the rule unless reg == value; the distance is filled in by end_rule. */
static void unless_equal(struct program *p, unsigned int reg, int64_t value)
{
	/* 32-bit: an immediate of 64-bit compares is sign-extended, and minors may be large. */
	emit(p, BPF_JMP32 | BPF_JNE | BPF_K, reg, 0, -1, (int32_t)(uint32_t)value);
}

static void end_rule(struct program *p, size_t from)
{
	for (size_t i = from; i < p->n; i++)
		if (p->v[i].off == -1)
			p->v[i].off = (__s16)(p->n - i - 1);
}

static void rule(struct program *p, const struct bpf_rule *r)
{
	size_t from = p->n;

	if (r->type != 'a')
		unless_equal(p, R_TYPE, r->type == 'c' ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK);
	if (r->major >= 0)
		unless_equal(p, R_MAJOR, r->major);
	if (r->minor >= 0)
		unless_equal(p, R_MINOR, r->minor);
	if (r->access == DEV_ALL) {
		answer(p, r->allow);
	} else if (r->allow) {
		/* Takes what it allows off the list; an earlier rule decides about the rest. */
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_WANT, 0, 0, (int32_t)(~r->access & DEV_ALL));
		emit(p, BPF_JMP32 | BPF_JNE | BPF_K, R_WANT, 0, -1, 0);
		answer(p, true);
	} else {
		emit(p, BPF_ALU | BPF_MOV | BPF_X, R_TMP, R_WANT, 0, 0);
		emit(p, BPF_ALU | BPF_AND | BPF_K, R_TMP, 0, 0, (int32_t)r->access);
		emit(p, BPF_JMP32 | BPF_JEQ | BPF_K, R_TMP, 0, -1, 0);
		answer(p, false);
	}
	end_rule(p, from);
}

struct bpf_insn *cg_devices_program(struct arena *a, const struct bpf_rule *rules, size_t n,
				    size_t *n_insns)
{
	struct program p = {arena_array(a, HEAD + n * PER_RULE + TAIL, sizeof(*p.v)), 0};
	const unsigned int load = BPF_LDX | BPF_MEM | BPF_W;

	/* access_type: the kind of device in the low half, the rights in the high one. */
	emit(&p, load, R_TYPE, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(&p, BPF_ALU | BPF_MOV | BPF_X, R_WANT, R_TYPE, 0, 0);
	emit(&p, BPF_ALU | BPF_RSH | BPF_K, R_WANT, 0, 0, 16);
	emit(&p, BPF_ALU | BPF_AND | BPF_K, R_TYPE, 0, 0, 0xffff);
	emit(&p, load, R_MAJOR, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(&p, load, R_MINOR, R_CTX, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	for (size_t i = n; i-- > 0;) {
		rule(&p, &rules[i]);
		/* Nothing before a rule on everything counts. */
		if (rules[i].type == 'a' && rules[i].access == DEV_ALL && rules[i].major < 0 &&
		    rules[i].minor < 0) {
			*n_insns = p.n;
			return p.v;
		}
	}
	answer(&p, false);
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

enum { MAX_OLD = 64 };

static size_t query(int dirfd, uint32_t *ids)
{
	union bpf_attr attr = {0};

	attr.query.target_fd = (uint32_t)dirfd;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.prog_cnt = MAX_OLD;
	attr.query.prog_ids = (uint64_t)(uintptr_t)ids;
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
	uint32_t old[MAX_OLD];
	size_t n_insns, n_old = 0;

	if (n == 1 && rules[0].allow && !replace)
		return 0; /* everything is allowed: that is what no program means */
	const struct bpf_insn *insns = cg_devices_program(&scratch, rules, n, &n_insns);
	own_fd int prog = load(insns, n_insns);
	if (prog < 0)
		return err_set(e, errno, "load the device program of the cgroup");
	if (replace)
		n_old = query(dirfd, old);
	union bpf_attr attr = {0};
	attr.target_fd = (uint32_t)dirfd;
	attr.attach_bpf_fd = (uint32_t)prog;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
		return err_set(e, errno, "attach the device program of the cgroup");
	/* All programs must agree, so the new one is in force before the old ones go. */
	for (size_t i = 0; i < n_old; i++) {
		int r = detach(dirfd, old[i], e);

		if (r < 0)
			return r;
	}
	return 0;
}
