#ifndef BRIG_RUN_ATTRS_H
#define BRIG_RUN_ATTRS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/*
 * Attributes of a process that are neither credentials nor files: rlimits, scheduler, I/O
 * priority, memory policy, personality, affinity, oom_score_adj, sysctls.  Words become
 * numbers in attrs_plan_make, which does all refusing that needs no kernel.
 */
struct attrs_plan;

struct attrs_request {
	const struct oci_process *process;
	const struct oci_linux *linux_; /* may be NULL: exec */
	bool own_ipc_ns, own_net_ns, own_uts_ns, own_user_ns, own_pid_ns, joins_net_ns;
	bool rootless;
};
int attrs_plan_make(struct arena *a, const struct attrs_request *req, const struct attrs_plan **out,
		    struct err *e) MUST_CHECK;

/* oom_score_adj and the net.* and kernel.domainname sysctls: before setuid(0) in the user
 * namespace (their owner is checked against the kuid).  proc: base/procfd.h. */
int attrs_apply_early(const struct attrs_plan *p, int proc, struct err *e) MUST_CHECK;
/* kernel.shm*, kernel.sem, kernel.msg*, fs.mqueue.*, user.*: after it. */
int attrs_apply_sysctls_late(const struct attrs_plan *p, int proc, struct err *e) MUST_CHECK;
/* Whether a procfs handle is needed at all (it costs a mount). */
bool attrs_need_procfs(const struct attrs_plan *p);
/*
 * rlimits (raising a hard limit without CAP_SYS_RESOURCE is an error that names the limit, as
 * in runc), scheduler (process scheduler can't be used together with AllowedCPUs), I/O priority,
 * memory policy, personality: while still privileged.
 */
int attrs_apply_privileged(const struct attrs_plan *p, struct err *e) MUST_CHECK;
/* execCPUAffinity: initial before the cgroup is joined, final after it. */
int attrs_affinity_initial(const struct attrs_plan *p, struct err *e) MUST_CHECK;
int attrs_affinity_final(const struct attrs_plan *p, struct err *e) MUST_CHECK;

/* Whether a child has them all: not where a fork resets the scheduler or is refused. */
bool attrs_outlast_fork(const struct attrs_plan *p);

/* Words for `features`, NULL-terminated. */
const char *const *attrs_mempolicy_modes(void);
const char *const *attrs_mempolicy_flags(void);

#endif
