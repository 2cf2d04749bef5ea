#ifndef BRIG_BASE_SIGMASK_H
#define BRIG_BASE_SIGMASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Whether a process has said something about a signal: a handler, ignored, or blocked for
 * later.  status: the text of its /proc/PID/status. */
bool sigmask_minds(const char *status, int sig);
/*
 * Whether it sleeps in sigtimedwait(2) for that signal, as tini and dumb-init do: meanwhile the
 * kernel shows it as not blocked.  Takes the rights of ptrace(2); false where that is not known.
 */
bool sigmask_awaits(pid_t pid, int sig);
/* How often it has been taken off a CPU: changes when it was woken. */
uint64_t sigmask_switches(const char *status);

#endif
