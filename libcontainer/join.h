#ifndef BRIG_JOIN_H
#define BRIG_JOIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "guard/seccomp.h"
#include "plan.h"
#include "run/foreground.h"

/*
 * One more process in a running container: the child's side of exec.  It enters the namespaces by
 * setns on the pidfd of the container's init.
 *
 * born_last: it itself stays outside of the pid namespace, where nothing in there can see it, and
 * the stub, when all else is done, makes the process inside.  CAP_SYS_PTRACE in there, which no
 * dumpable flag stops without a user namespace, gets no more than the workload of it: no memory, no
 * descriptor but the sync pair's end, no root directory and no capability of the runtime's.
 *
 * Else it is born in the pid namespace, not dumpable before anything in there can look at it
 * (CVE-2016-9962).
 */
struct join {
	const struct plan_process *process;
	const struct seccomp_program *seccomp;
	struct arena *arena;
	struct cgroup *cgroup; /* entered by the child itself; NULL: the runtime's work */
	bool seccomp_early, sealed_self, new_keyring;
	bool born_last;    /* what is seen inside is made by the stub, with nothing of ours */
	bool await_placed; /* the runtime moves it or writes its pid first */
	bool entered;      /* staged: the stage has done the setns */
	bool in_userns;
	int target;  /* pidfd of init */
	uint64_t ns; /* CLONE_NEW... to enter */
	int sync, stub;
	int console_socket; /* connected; -1: the terminal goes to the runtime */
	const char *console_socket_path;
	const struct foreground *foreground; /* NULL: none */
	const struct harden_plan *harden;    /* NULL: custom */
	bool late_userns;                    /* target's user namespace is entered last */
	bool meets_rules;                    /* it may be a guest where others have rules */
	uint32_t host_uid;
	pid_t init; /* of the container, as its own pid namespace knows it; 0: not known */
	int warden;
};

/* spawn's child function; ctx is a struct join. */
int join_main(void *ctx);

#endif
