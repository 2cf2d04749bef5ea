#ifndef BRIG_PROCESS_H
#define BRIG_PROCESS_H

#include "base/arena.h"
#include "base/err.h"
#include "guard/harden.h"
#include "guard/seccomp.h"
#include "plan.h"

/*
 * The last part of becoming a container's process, the same for its first one (create, run) and
 * for one more (exec): called in the order of the functions below, in the container's
 * namespaces, with its root as "/".
 */
struct process {
	struct arena *arena;
	const struct plan_process *plan;
	const struct seccomp_program *seccomp;
	const struct plan_observer *observer; /* NULL: nobody watches every call */
	bool seccomp_early;
	bool skip_stub;                   /* brig runs from a sealed copy: execve directly */
	int root;                         /* O_PATH of the root directory */
	int proc;                         /* base/procfd.h handle, -1: none needed */
	int sync;                         /* for the listener */
	int stub;                         /* run/launch.h */
	int slave;                        /* pseudoterminal, -1: none */
	const struct harden_plan *harden; /* NULL: custom */
	int landlock_abi;                 /* what was achieved */
	int userns;        /* entered by process_enter_userns; -1: is inside, or none */
	uint32_t host_uid; /* of creds.uid, for pipes that are standard streams */
	pid_t init;        /* exec: whose core scheduling cookie to take; 0: make one */
	int warden;        /* connected to the warden, -1: there is none */
	const int *output; /* pipes for descriptors 1 and 2, -1: none, as the first; NULL: none */
	const char *const *disks; /* writable layers whose use the warden tells at the end, ended by
				     NULL; NULL: nobody will ask */
	bool dies_with_warden;    /* which is its parent: a foreground run */
	const char *path;         /* of the program, from process_find on */
	const char *const *env;   /* with HOME, from process_find on */
	bool cwd_later;
	bool announces; /* SYNC_EXECUTING before execve */
	bool born_last; /* by the stub, as what its session and terminal are given to */
	bool one_more;  /* exec: what may be executed is told by the first process's program */
};

/* Default dispositions, nothing blocked: what a caller ignores or blocks stays outside. */
void process_reset_signals(void);
/* slave on 0, 1, 2 and as controlling terminal; or the pipes of a limit of output. */
int process_stdio(struct process *p, struct err *e) MUST_CHECK;
int process_labels(struct process *p, struct err *e) MUST_CHECK;
/* rlimits and the like; working directory. */
int process_privileged(struct process *p, struct err *e) MUST_CHECK;
/* At a level, as the runtime's root: into the user namespace, with all capabilities there. */
int process_enter_userns(struct process *p, struct err *e) MUST_CHECK;
/* Bounding set, no_new_privs, Landlock and what else confines from here on. */
int process_rights(struct process *p, struct err *e) MUST_CHECK;
int process_cwd(struct process *p, struct err *e) MUST_CHECK;
/* The filter, if it goes before the capability drop; hands the listener to the other side. */
int process_filter_early(struct process *p, struct err *e) MUST_CHECK;
int process_user(struct process *p, struct err *e) MUST_CHECK;
/* Finds args[0] as execvp would, as the user it will run as; "exec: \"x\": executable file not
 * found in $PATH". */
int process_find(struct process *p, struct err *e) MUST_CHECK;
/* Where what is executed is limited: nothing else from here on. */
int process_limit_execution(struct process *p, struct err *e) MUST_CHECK;
/* Does not return on success; sync: where a failure is reported (sync_expect_exec). */
int process_exec(struct process *p, int sync, struct err *e) MUST_CHECK;

/* Closes all descriptors from 3 + preserved on but those in keep, which it sorts (-1: none). */
void process_close_all_but(unsigned int preserved, int *keep, size_t n);
/* preserve-fds: 3 .. 2+n must be what the caller passed. */
int process_check_preserved(unsigned int n, struct err *e) MUST_CHECK;
/* At a level: 0, 1 and 2 are no directories, through which everything beside is reached. */
int process_check_standard(struct err *e) MUST_CHECK;

#endif
