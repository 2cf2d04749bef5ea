#ifndef BRIG_GUARD_HARDEN_H
#define BRIG_GUARD_HARDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What confines a process at standard and high beside namespaces, capabilities and the filter.
 * Decided in the plan, done by the child in the order of the functions.
 */
enum harden_want { WANT_OFF, WANT_BEST_EFFORT, WANT_REQUIRED };

struct harden_plan {
	enum harden_want landlock;
	const char *const
		*writable;    /* mount points (inside) that may be written; NULL-terminated */
	bool scope;           /* abstract UNIX sockets stay within (joined network namespace) */
	bool mdwe;            /* PR_SET_MDWE, Linux 6.3 */
	bool speculation;     /* PR_SET_SPECULATION_CTRL, force-disable where it is per task */
	bool core_scheduling; /* PR_SCHED_CORE, where SMT and the kernel have it */
	bool memfd_noexec;    /* vm.memfd_noexec=2 of the pid namespace, Linux 6.3 */
	bool nested_userns_closed; /* user.max_*_namespaces = 0 of the sandbox's user namespace */
	bool securebits;           /* NOROOT and the like, locked */
	bool core_one;             /* RLIMIT_CORE 1: a pipe handler of the host is not started */
	/* net.* of an own network namespace: ping_group_range, accept_ra ... ; ipv6 off */
	bool net_sysctls, ipv6_off;
	/*
	 * What may be executed, where that is limited: the first program, with its interpreters,
	 * and what is below allow.  Needs Landlock.
	 */
	struct harden_exec {
		bool limited;
		const char *const *allow; /* paths inside, NULL-terminated */
		/* mount points that may be written, NULL-terminated: no symlink of the sandbox's is
		 * followed to what is allowed */
		const char *const *writable;
		/* the first program: as config.json names it, where it is searched and from where
		 */
		const char *program, *path, *cwd;
	} exec;
	bool low_ports; /* ip_unprivileged_port_start=0: CAP_NET_BIND_SERVICE was granted, which has
			   no force over a network namespace owned outside */
};

/* What the host can do, probed without side effects; for the plan, `doctor` and `features`. */
struct harden_host {
	int landlock_abi; /* 0: none */
	bool mdwe, speculation_ssb, speculation_ib, core_scheduling, smt, memfd_noexec;
	bool core_one; /* the hard limit of core files is not 0 already, or can be raised */
};
void harden_probe(struct harden_host *out);
/* Refuses what is required and missing: mechanism, reason, remedy in one line. */
int harden_check(const struct harden_plan *p, const struct harden_host *h,
		 struct err *e) MUST_CHECK;
/*
 * What p wants, this host lacks and is not required, with the reason: for records and doctor.
 * The i-th one, NULL behind the last.
 */
struct harden_gap {
	const char *mechanism, *reason, *remedy;
};
const struct harden_gap *harden_missing(const struct harden_plan *p, const struct harden_host *h,
					size_t i);

/*
 * As root of the host's (or engine's) user namespace, in the network and pid namespace of the
 * sandbox, with a procfs handle of base/procfd.h.  Before config.json's own sysctls, which may
 * say otherwise within the level.  Everything of IPv6 is passed over where the kernel has none.
 */
int harden_sysctls(const struct harden_plan *p, int proc, struct err *e) MUST_CHECK;
/*
 * Just inside the new user namespace, still with all capabilities there (CAP_SYS_RESOURCE is
 * what counts).  No namespace can be made afterwards, neither by brig.
 */
int harden_userns(const struct harden_plan *p, int proc, struct err *e) MUST_CHECK;
/*
 * After the root was entered and all mounts are there, with descriptors 0 to 2 in their place:
 * root is an O_PATH descriptor of "/"; needs no_new_privs.  *abi gets what was achieved (0: none,
 * best effort).  Nothing may be mounted afterwards, and what is opened for writing must lie
 * below a writable mount point, /dev or /proc, or be an open descriptor 0 to 2.
 */
int harden_landlock(const struct harden_plan *p, int root, int *abi, struct err *e) MUST_CHECK;
/*
 * When the program is found, as the user it will run as: no other file is executed from here on
 * than those of exec, with the interpreters that their first bytes name.  program: its path, NULL:
 * exec.program is searched.  What is allowed and not there is passed over.
 */
int harden_execution(const struct harden_exec *x, int root, const char *program,
		     struct err *e) MUST_CHECK;
/*
 * What needs no right: core limit, speculation, core scheduling, mdwe.  In memory shared with the
 * runtime (base/clone_vm.h) mdwe holds for the runtime, too.
 */
int harden_process(const struct harden_plan *p, struct err *e) MUST_CHECK;
/* exec, after harden_process and before the change of user: the cookie of the container's init,
 * whose pid is the caller's view. */
int harden_join_core(const struct harden_plan *p, pid_t init, struct err *e) MUST_CHECK;
/*
 * While CAP_SETPCAP is there; PR_SET_KEEPCAPS stays as it is.  Afterwards no ambient capability
 * can be raised and uid 0 gains none by execve: for a process that shall have no capability.
 */
int harden_securebits(const struct harden_plan *p, struct err *e) MUST_CHECK;

#endif
