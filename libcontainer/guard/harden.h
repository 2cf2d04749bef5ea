#ifndef BRIG_GUARD_HARDEN_H
#define BRIG_GUARD_HARDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
	bool low_ports; /* ip_unprivileged_port_start=0: CAP_NET_BIND_SERVICE was granted, which has
			   no force over a network namespace owned outside */
};

/* What the host can do, probed without side effects; for the plan, `doctor` and `features`. */
struct harden_host {
	int landlock_abi; /* 0: none */
	bool mdwe, speculation_ssb, speculation_ib, core_scheduling, smt, memfd_noexec;
};
void harden_probe(struct harden_host *out);
/* Refuses what is required and missing: mechanism, reason, remedy in one line. */
int harden_check(const struct harden_plan *p, const struct harden_host *h,
		 struct err *e) MUST_CHECK;

/* As root of the host's (or engine's) user namespace, with a procfs handle of base/procfd.h. */
int harden_sysctls(const struct harden_plan *p, int proc, struct err *e) MUST_CHECK;
/* Just inside the new user namespace, still with all capabilities there. */
int harden_userns(const struct harden_plan *p, int proc, struct err *e) MUST_CHECK;
/* After the root was entered: root is an O_PATH descriptor of "/"; needs no_new_privs.
 * *abi gets what was achieved (0: none, best effort). */
int harden_landlock(const struct harden_plan *p, int root, int *abi, struct err *e) MUST_CHECK;
/* prctls that need no right: mdwe, speculation, core scheduling. */
int harden_process(const struct harden_plan *p, struct err *e) MUST_CHECK;
/* While CAP_SETPCAP is there. */
int harden_securebits(const struct harden_plan *p, struct err *e) MUST_CHECK;

/* policy for exec: the same struct to and from text is not needed: it is made from policy.json. */

#endif
