#ifndef BRIG_EXEC_H
#define BRIG_EXEC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "context.h"
#include "guard/harden.h"
#include "guard/seccomp.h"
#include "join.h"
#include "ns/namespace.h"
#include "plan.h"
#include "policy/policy.h"
#include "run/foreground.h"
#include "secret.h"
#include "specs/runtime.h"
#include "specs/state.h"

/* One exec, the runtime's side: exec_plan.c reads and decides, exec.c does it. */
struct exec {
	const struct container_host *host;
	const struct container_exec_opts *opts;
	struct arena *arena;
	int dir;
	struct brig_state state;
	struct oci_config config;
	struct cgroup *cgroup;
	struct ns_plan ns; /* of the container */
	struct oci_process spec;
	struct plan_process process;
	struct secrets secrets;
	struct context ctx;
	struct seccomp_program seccomp;
	struct policy *policy; /* NULL: custom */
	struct harden_plan harden;
	uint32_t host_uid;
	int warden;
	bool privileged, may_be_traced, sealed_self, born_last, staged, attach, enter_cgroup,
		in_userns, before_start;
	uint64_t enter; /* CLONE_NEW... */
	int target;     /* pidfd of init */
	int console_socket, stub, sync, pidfd, master;
	pid_t pid;
	struct join join;
	struct foreground foreground;
};

/* What the container is, how it is entered and what is executed there; may re-execute brig. */
int exec_plan(struct exec *x, struct err *e) MUST_CHECK;
/* Else the notifications go to config.json's agent. */
bool exec_asks_warden(const struct seccomp_program *s);

/* The process that P, the joiner that nobody inside sees, has made: it takes P's place. */
int exec_await_born(struct exec *x, struct err *e) MUST_CHECK;

#endif
