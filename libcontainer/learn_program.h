#ifndef BRIG_LEARN_PROGRAM_H
#define BRIG_LEARN_PROGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "guard/seccomp.h"

/*
 * The filter of a run that is watched (docs/learn.md): what the original allows, denies with an
 * errno or kills for is a notification instead, and the observer gives the original's answer.
 * Traps and traces stay.  An empty original notifies of everything.
 *
 * One call gets through unseen, for the listener has to leave the process that the filter is put
 * on, and sending is a call: a sendmsg with exactly the descriptor, the address of the message and
 * the flags that learn_program_arm was given.  Nobody else has such a message.
 */
int learn_program_make(struct arena *a, const struct seccomp_program *original,
		       struct seccomp_program *out, struct err *e) MUST_CHECK;
void learn_program_arm(struct seccomp_program *p, int fd, const void *message, uint32_t flags);

/* What the plan knows of who watches; NULL in a plan that nobody watches. */
struct plan_observer {
	int sock; /* SOCK_SEQPACKET: where the original and then the listener go */
	struct seccomp_program program, original;
	const char *level;
	bool ends; /* what the original kills for ends the whole run */
};
enum { LEARN_LEVEL_MAX = 64 };
int learn_send_original(const struct plan_observer *o, struct err *e) MUST_CHECK;
/* The other end: original, level and ends are filled in.  EPROTO: not such a message. */
int learn_receive_original(struct arena *a, int sock, struct plan_observer *out,
			   struct err *e) MUST_CHECK;
/* The last thing before execve: puts the filter on and hands its listener over. */
int learn_install(const struct plan_observer *o, struct err *e) MUST_CHECK;

#endif
