#ifndef BRIG_NS_AHEAD_H
#define BRIG_NS_AHEAD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * A network namespace that is made while its maker does other things: the kernel takes 0.5 to
 * 0.8 ms for one (copy_net_ns), more than for all the others together, and a clone that asks for
 * it sleeps as long.
 */
struct ns_ahead {
	pid_t maker; /* 0: none */
	int fd;      /* -1: not there yet */
	int code;    /* why there will be none; 0 */
	bool made;   /* and cannot be opened */
	char *stack;
};
#define NS_AHEAD_NONE ((struct ns_ahead){.fd = -1})

/* Begins one; *n must stay where it is until it was taken or dropped. */
int ns_ahead_begin(struct ns_ahead *n, struct err *e) MUST_CHECK;
/* Waits for it.  The descriptor stays n's. */
int ns_ahead_await(struct ns_ahead *n, struct err *e) MUST_CHECK;
/* None is fine. */
void ns_ahead_drop(struct ns_ahead *n);

#endif
