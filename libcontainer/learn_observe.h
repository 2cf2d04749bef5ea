#ifndef BRIG_LEARN_OBSERVE_H
#define BRIG_LEARN_OBSERVE_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "guard/seccomp.h"
#include "learn_calls.h"
#include "learn_paths.h"

/*
 * Who is told every call of a run (learn_program.h).  It answers as the original filter does, by
 * the number and the arguments in registers alone, and writes down what it saw.  What it reads of a
 * process's memory is never looked at for an answer.
 */
enum { LEARN_DENIED_MAX = 256, LEARN_STARTED = 64 };

struct learn_denied {
	int nr;
	uint32_t arch;
	uint32_t action; /* of the original: SECCOMP_RET_ERRNO | code, or what it kills for */
	uint64_t count;
};

struct learn_seen {
	struct arena *a;
	int listener; /* -1: nobody is asked whether a call still waits */
	bool ends;    /* a call that kills ends the whole run, as a warden would */
	bool over;    /* and there was one */
	struct seccomp_program original;
	const char *level;
	uint64_t total, calls[LEARN_NUMBERS]; /* allowed ones */
	struct learn_denied denied[LEARN_DENIED_MAX];
	size_t n_denied;
	uint64_t denied_more;
	uint64_t families[2]; /* bits */
	bool makes_code;
	struct learn_paths paths, addresses; /* the use of an address: 1 << LEARN_CONNECT ... */
	uint64_t unread;
	/* by number, of this architecture */
	const struct learn_call *known[LEARN_NUMBERS];
	/* processes that have called execve and not been heard of since */
	pid_t started[LEARN_STARTED];
	size_t next_started;
};

void learn_seen_init(struct learn_seen *s, struct arena *a);

/*
 * The answer to one call, and what is to be done about who made it beside: false, nothing; true,
 * it is one that kills.
 */
bool learn_answer(struct learn_seen *s, const struct seccomp_notif *n,
		  struct seccomp_notif_resp *out);
/* What the call is about, read while it waits. */
void learn_look(struct learn_seen *s, const struct seccomp_notif *n);

/*
 * One notification of the listener: looked at and answered.  1: done, 0: none was there.  An error
 * means that nobody can be answered any more.
 */
int learn_serve(struct learn_seen *s, struct err *e) MUST_CHECK;
/* Before the first one; it stays the caller's. */
void learn_listen(struct learn_seen *s, int listener);

#endif
