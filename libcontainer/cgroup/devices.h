#ifndef BRIG_CGROUP_DEVICES_H
#define BRIG_CGROUP_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/settings.h"
#include "specs/runtime.h"

enum { DEV_MKNOD = 1, DEV_READ = 2, DEV_WRITE = 4, DEV_ALL = 7 }; /* as BPF_DEVCG_ACC_* */

/* One rule on one kind of device, or on all of both kinds. */
struct bpf_rule {
	int64_t major, minor; /* -1: any */
	unsigned int access;
	bool allow;
	char type; /* a (both kinds), c, b */
};

/*
 * The rules in force: deny everything, then the config's in their order, then the devices
 * that every container has.  Rules that a later one on everything cancels are left out.
 */
int cg_devices_plan(struct arena *a, const struct oci_resources *r, const struct bpf_rule **out,
		    size_t *n, struct err *e) MUST_CHECK;

/* v1: the same as writes to devices.deny and devices.allow. */
void cg_devices_v1(struct settings *s, const struct bpf_rule *rules, size_t n);

/*
 * v2: makes and attaches a BPF_PROG_TYPE_CGROUP_DEVICE program to the directory.  The last
 * rule that fits decides each of read, write and mknod.  replace: programs that are there
 * already (a directory that brig did not make) are detached afterwards.
 */
int cg_devices_attach(int dirfd, const struct bpf_rule *rules, size_t n, bool replace,
		      struct err *e) MUST_CHECK;

struct bpf_insn;
/* The program alone: n_insns instructions in the arena. */
struct bpf_insn *cg_devices_program(struct arena *a, const struct bpf_rule *rules, size_t n,
				    size_t *n_insns);

#endif
