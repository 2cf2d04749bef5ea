/* --audit syscalls: whoever watches is asked about each call that the filter denies. */
#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>

#include "guard/bpfcheck.h"
#include "guard/seccomp.h"

static bool is_denial(const struct sock_filter *f)
{
	return f->code == (BPF_RET | BPF_K) &&
	       (f->k & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
}

int seccomp_audit_calls(struct arena *a, struct seccomp_program *io, struct err *e)
{
	struct sock_filter *insns = arena_array(a, io->n_insns, sizeof(*insns));

	if (io->notify && io->listener_path)
		return err_msg(e, EBUSY,
			       "--audit syscalls: SCMP_ACT_NOTIFY of config.json notifies already, "
			       "and a process has one listener");
	for (size_t i = 0; i < io->n_insns; i++) {
		insns[i] = io->insns[i];
		if (insns[i].code == (BPF_RET | BPF_A))
			return err_msg(e, EOPNOTSUPP,
				       "--audit syscalls: the filter computes its answers");
		if (is_denial(&insns[i]))
			insns[i].k = SECCOMP_RET_USER_NOTIF;
	}
	if (!io->insns)
		return 0;
	if (bpf_validate(insns, io->n_insns, e) < 0)
		return -e->code;
	io->insns = insns;
	io->notify = true;
	io->flags |= SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	return 0;
}
