#ifndef BRIG_SESSION_H
#define BRIG_SESSION_H

#include "base/err.h"

/* What both kinds of a container's processes do first. */

/* A session of its own; default signal dispositions. */
int session_begin(struct err *e) MUST_CHECK;
/* Non-dumpable, and dying with the runtime; again after each change of user, which undoes both. */
int session_harden(struct err *e) MUST_CHECK;
/* A session keyring of the container's own: the caller's keys stay outside. */
int session_keyring(struct err *e) MUST_CHECK;
/* Root of the user namespace it is in, where 0 is mapped. */
int session_become_root(struct err *e) MUST_CHECK;

#endif
