/* The filter goes on, and its listener to the agent. */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/own.h"
#include "guard/seccomp.h"
#include "specs/json_print.h"

static long set_filter(unsigned int flags, const struct sock_fprog *prog)
{
	bool listens = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (fault_hides("seccomp") || (listens && fault_hides("seccomp_notify"))) {
		errno = fault_hides("seccomp") ? ENOSYS : EINVAL;
		return -1;
	}
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, prog);
}

/*
 * Signals wait while somebody outside looks at a call: wished for, with an agent that a level has
 * itself; before Linux 5.19 a call may come twice.
 */
static long set_filter_killable(const struct seccomp_program *p, const struct sock_fprog *prog)
{
	unsigned int flags = p->flags;
	long r = set_filter(flags, prog);

	if (r < 0 && errno == EINVAL && p->notify && !p->listener_path &&
	    flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV)
		r = set_filter(flags & ~(unsigned int)SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, prog);
	return r;
}

int seccomp_install(const struct seccomp_program *p, int *listener, struct err *e)
{
	struct sock_fprog prog = {.filter = p->insns, .len = (unsigned short)p->n_insns};

	*listener = -1;
	if (!p->insns)
		return 0;
	log_debug("seccomp filter flags: %u", p->flags);
	long r = set_filter_killable(p, &prog);
	if (r < 0 && errno == ENOSYS)
		return err_msg(e, ENOSYS,
			       "seccomp: the kernel has none, or a filter around brig hides it: "
			       "CONFIG_SECCOMP_FILTER is needed");
	if (r < 0 && errno == EACCES)
		return err_set(e, EACCES,
			       "load seccomp filter: neither no_new_privs nor CAP_SYS_ADMIN");
	if (r < 0 && errno == EINVAL)
		return err_set(e, EINVAL,
			       "load seccomp filter: flags 0x%x are not supported by this kernel",
			       p->flags);
	if (r < 0 && errno == EBUSY)
		return err_set(e, EBUSY, "load seccomp filter: another one has a listener");
	if (r < 0)
		return err_set(e, errno, "load seccomp filter");
	if (p->flags & SECCOMP_FILTER_FLAG_NEW_LISTENER)
		*listener = (int)r;
	return 0;
}

/* The container process state of config-linux.md. */
static char *process_state(struct arena *a, const struct seccomp_program *p, pid_t pid,
			   const char *state_json, size_t *len)
{
	static const char *const fds[] = {"seccompFd"};
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "ociVersion", "1.3.0");
	json_key(&o, "fds");
	json_strs(&o, fds, LEN(fds));
	json_key_int(&o, "pid", pid);
	if (p->listener_metadata)
		json_key_str(&o, "metadata", p->listener_metadata);
	json_key(&o, "state");
	json_raw(&o, state_json);
	json_end_object(&o);
	return json_done(&o, len);
}

int seccomp_send_listener(struct arena *a, const struct seccomp_program *p, int listener, pid_t pid,
			  const char *state_json, struct err *e)
{
	size_t len = 0;
	char *text = process_state(a, p, pid, state_json, &len);
	own_fd int sock = unix_connect(p->listener_path, e);

	if (sock < 0)
		return err_wrap(e, "failed to connect with seccomp agent");
	/* One message: agents read the text and the descriptor in one go. */
	return fd_send(sock, text, len, &listener, 1, "seccomp agent", e);
}
