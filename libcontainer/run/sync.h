#ifndef BRIG_RUN_SYNC_H
#define BRIG_RUN_SYNC_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * What the runtime and the container's first process tell each other.
 *
 *   runtime                              child
 *      |                                   |   clone3
 *      | <---------- PID ----------------  |   staged only: the stage says who the child is
 *      | <-------- USERNS ---------------  |   staged only: new user namespace, map me
 *      | ----------- MAPPED ------------>  |
 *      | ----------- PLACED ------------>  |   id maps written, cgroups joined, devices moved
 *      | ---------- NETWORK ----------->  |   its network is connected, the egress rules hold
 *      | <-------- CONSOLE + fd ---------  |   terminal without a console socket
 *      | <--------- MOUNTED -------------  |   prestart and createRuntime hooks may run
 *      | --------- HOOKS_DONE ---------->  |
 *      | <------- LISTENER + fd ---------  |   seccomp notifications: hand it to the agent
 *      | ------- LISTENER_DONE --------->  |
 *      | <---------- READY --------------  |   create: all done but the wait for start; exec: all
 *      |                                   |   that may well fail is done (before LISTENER)
 *      | ---------- GRANTED ------------>  |   run: which mounts are grants is known, go on
 *      | ---------- CREATED ------------>  |   create: state is on disk, wait on the start socket
 *   start (another process)                |
 *      | ------ GO (+ descriptors) ----->  |   startContainer hooks, filter, exec; with late
 *      |                                   |   work (libcontainer/work.h): that, and streams
 *      | <-------- EXECUTING ------------  |   all is done but execve
 *      | <------ end of file ------------  |   the descriptor was closed by execve: running
 *
 * An exec that is born last (join.h): behind READY the stub says who the child is (PID), and
 * the child, that the container may be tracing, waits for GO before it says EXECUTING.
 *
 * Instead of any message of the child there may be FAILED with an error, or after READY EXEC_FAILED
 * with an errno (from the stub, see run/stub).  End of file in any other place is an error of its
 * own, never success: who dies before EXECUTING has not been running.  Only an exec whose filter is
 * on by then, and may forbid to send, does not say EXECUTING.  Which meetings take place is decided
 * by predicates on the plan that both step tables share.
 */
enum sync_type {
	SYNC_FAILED,
	SYNC_EXEC_FAILED,
	SYNC_PID,
	SYNC_USERNS,
	SYNC_MAPPED,
	SYNC_PLACED,
	SYNC_NETWORK,
	SYNC_CONSOLE,
	SYNC_MOUNTED,
	SYNC_HOOKS_DONE,
	SYNC_LISTENER,
	SYNC_LISTENER_DONE,
	SYNC_READY,
	SYNC_GRANTED,
	SYNC_CREATED,
	SYNC_GO,
	SYNC_EXECUTING,
	SYNC_TYPES
};

/* The first two members are all that the stub sends. */
struct sync_msg {
	uint32_t type;
	int32_t code;   /* FAILED, EXEC_FAILED: errno; PID: the pid */
	char text[504]; /* FAILED: message */
};

/* SOCK_SEQPACKET | SOCK_CLOEXEC: one message is one read, so there is no framing to get wrong. */
int sync_pair(int fds[2], struct err *e) MUST_CHECK;
int sync_send(int fd, enum sync_type type, struct err *e) MUST_CHECK;
int sync_send_pid(int fd, pid_t pid, struct err *e) MUST_CHECK;
/* With a descriptor by SCM_RIGHTS; it is not closed. */
int sync_send_fd(int fd, enum sync_type type, int passed, struct err *e) MUST_CHECK;
/* Best effort: the other side may be gone. */
void sync_fail(int fd, const struct err *why);
/*
 * For who has failed and may not be the first: the FAILED that the peer has sent, behind whatever
 * else is unread.  Does not wait; false: there is none, and *e is as it was.
 */
bool sync_reason(int fd, struct err *e);
/* Waits for that message; a FAILED one becomes *e as it is. */
int sync_expect(int fd, enum sync_type want, struct err *e) MUST_CHECK;
int sync_expect_pid(int fd, pid_t *pid, struct err *e) MUST_CHECK;
int sync_expect_fd(int fd, enum sync_type want, int *passed, struct err *e) MUST_CHECK;
/* GO with descriptors, at most SYNC_GO_FDS; those that did not come are -1. */
enum { SYNC_GO_FDS = 4 };
int sync_send_go(int fd, const int *fds, size_t n, struct err *e) MUST_CHECK;
int sync_expect_go(int fd, int *fds, struct err *e) MUST_CHECK;
/*
 * Waits for the end of file that means execve has succeeded.  announced: only behind EXECUTING does
 * it.  EXEC_FAILED becomes "exec PATH: no such file or directory" (path: what was to be executed).
 */
int sync_expect_exec(int fd, const char *path, bool announced, struct err *e) MUST_CHECK;
/* The same; await is called before each message is waited for: its error ends it, and 1 is the end
 * of file. */
int sync_expect_exec_by(int fd, const char *path, bool announced,
			int (*await)(void *ctx, struct err *e), void *ctx,
			struct err *e) MUST_CHECK;

#endif
