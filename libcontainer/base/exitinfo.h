#ifndef BRIG_BASE_EXITINFO_H
#define BRIG_BASE_EXITINFO_H

#include <stdbool.h>
#include <sys/types.h>

/* How a process ended.  status as of waitpid; !known: why nobody can tell, never a guess. */
struct exit_info {
	bool known;
	int status;
	const char *unknown; /* of static storage */
};

/*
 * The end of the process behind pidfd, which must have ended (readable) or is about to; opened
 * before that, because a descriptor of later is of somebody else.  A child of the caller is reaped.
 * Of another's: the kernel tells when that one has reaped it (Linux 6.15), for which is waited up
 * to ms; before that /proc/PID/stat does, to who has CAP_SYS_PTRACE.  pid: its number in /proc, 0
 * where there is none to be read.
 */
struct exit_info exit_info_of(int pidfd, pid_t pid, int ms);

#endif
