#ifndef BRIG_RUN_PIDFILE_H
#define BRIG_RUN_PIDFILE_H

#include <sys/types.h>

#include "base/err.h"

/* The pid as text, replaced by rename: a reader never sees half of it. */
int pidfile_write(const char *path, pid_t pid, struct err *e) MUST_CHECK;
/* --pidfd-socket: the descriptor by SCM_RIGHTS. */
int pidfd_send(const char *socket_path, int pidfd, struct err *e) MUST_CHECK;

#endif
