#include "session.h"

#include <errno.h>
#include <linux/keyctl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int session_begin(struct err *e)
{
	if (setsid() < 0)
		return err_set(e, errno, "setsid");
	return 0;
}

int session_harden(struct err *e)
{
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	return 0;
}

int session_keyring(struct err *e)
{
	/*
	 * Without a name: a named one is looked for first, and another container of this user
	 * namespace may have made one of that name and open to all
	 * (keyctl_join_session_keyring(3)). ENOSYS: a kernel without keys; EPERM: an outer filter
	 * forbids it, as engines' own do.
	 */
	if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) < 0 && errno != ENOSYS &&
	    errno != EPERM)
		return err_set(e, errno, "session keyring");
	return 0;
}

int session_become_root(struct err *e)
{
	/* EINVAL: 0 is not mapped; the capabilities of the user namespace are there all the same.
	 */
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0) {
		if (errno == EINVAL)
			return 0;
		return err_set(e, errno, "become root in the user namespace");
	}
	return session_harden(e);
}
