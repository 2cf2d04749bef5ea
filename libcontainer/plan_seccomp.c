/* A system call profile in a file of its own, beside config.json's and the level's. */
#include "plan_seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>

#include "base/file.h"
#include "base/own.h"
#include "guard/level_filter.h"
#include "plan.h"
#include "specs/runtime.h"

/* The file may be a pipe; a fifo that nobody writes to must not hold us. */
static int read_profile(struct arena *a, const char *path, struct plan_profile *profile,
			struct oci_seccomp *out, struct err *e)
{
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	char *text;
	size_t len;

	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	int r = file_read_fd(a, fd, path, OCI_MAX_BYTES, &text, &len, e);
	if (r < 0)
		return r;
	*profile = (struct plan_profile){text, len};
	return oci_seccomp_parse(a, text, len, out, e) < 0 ? err_wrap(e, "%s", path) : 0;
}

/*
 * Behind these the other filter would not be asked, and they let a call through (a tracer of the
 * sandbox's own answers TRACE).
 */
static bool lets_through(const struct seccomp_program *p)
{
	for (size_t i = 0; i < p->n_insns; i++) {
		uint32_t action = p->insns[i].k & SECCOMP_RET_ACTION_FULL;

		if (p->insns[i].code == (BPF_RET | BPF_K) &&
		    (action == SECCOMP_RET_LOG || action == SECCOMP_RET_TRACE))
			return true;
	}
	return false;
}

static int put_before(struct arena *a, const struct seccomp_program *first,
		      struct seccomp_program *io, struct err *e)
{
	const struct level_filter f = {
		.policy = "(--seccomp)",
		.insns = first->insns,
		.n_insns = first->n_insns,
	};

	if (lets_through(first))
		return err_msg(e, EINVAL,
			       "SCMP_ACT_LOG and SCMP_ACT_TRACE cannot stand before the filter of "
			       "config.json");
	io->flags |= first->flags;
	return level_filter_stack(a, &f, io, e);
}

int plan_seccomp_file(struct arena *a, const char *path, struct seccomp_program *io,
		      struct plan_profile *out, struct err *e)
{
	struct seccomp_program own = {0};
	struct oci_seccomp profile;

	if (read_profile(a, path, out, &profile, e) < 0)
		return err_wrap(e, "--seccomp");
	if (seccomp_compile(a, &profile, &own, e) < 0)
		return err_wrap(e, "--seccomp %s", path);
	if (own.notify)
		return err_msg(e, EINVAL,
			       "--seccomp %s: SCMP_ACT_NOTIFY: only config.json names an agent",
			       path);
	if (!io->insns)
		*io = own;
	else if (own.insns && put_before(a, &own, io, e) < 0)
		return err_wrap(e, "--seccomp %s", path);
	return 0;
}

int plan_observe(struct arena *a, int sock, struct plan *p, struct err *e)
{
	struct plan_observer *to = arena_new(a, sizeof(*to));

	if (p->seccomp_early || !p->process.no_new_privs)
		return err_msg(e, EINVAL,
			       "who is watched needs process.noNewPrivileges, without which the "
			       "filter goes on long before the program");
	*to = (struct plan_observer){
		.sock = sock,
		.level = p->level ? p->level->policy.level.name : "custom",
		.original = p->level && p->watch.warden.notify ? p->decides : p->seccomp,
		.ends = p->watch.warden.notify,
	};
	p->observer = to;
	return learn_program_make(a, &to->original, &to->program, e);
}
