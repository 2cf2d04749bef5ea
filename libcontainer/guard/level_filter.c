/* The levels' filters, ready made, and how config.json's is put behind one of them. */
#include "guard/level_filter.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/str.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter_data.h"

static bool same_word(const char *a, const char *b)
{
	return (!a && !b) || str_eq(a, b);
}

const struct level_filter *level_filter_find(const char *policy, const char *language, bool network,
					     bool notify)
{
	for (size_t i = 0; i < level_filters_count; i++) {
		const struct level_filter *f = &level_filters[i];

		if (str_eq(f->policy, policy) && same_word(f->language, language) &&
		    f->network == network && f->notify == notify)
			return f;
	}
	return NULL;
}

const char *const *level_filter_languages(void)
{
	return level_language_names;
}

bool level_filter_language_bears_mdwe(const char *language)
{
	for (size_t i = 0; i < level_languages_count; i++)
		if (str_eq(level_languages[i].name, language))
			return level_languages[i].mdwe;
	return false;
}

const char *level_filter_syscall_name(long nr)
{
	if (nr < 0 || (size_t)nr >= level_filter_name_count || !level_filter_name_at[nr])
		return NULL;
	return level_filter_names + level_filter_name_at[nr];
}

/*
 * The level's program, each "allow" of it a jump to what follows.  The kernel starts a program with
 * its registers at 0, and the level's leaves A changed: one that does not begin by loading it gets
 * that 0.
 */
static size_t put_level(const struct level_filter *level, bool clear, struct sock_filter *to)
{
	size_t n = level->n_insns;

	for (size_t i = 0; i < n; i++) {
		to[i] = level->insns[i];
		if (to[i].code == (BPF_RET | BPF_K) && to[i].k == SECCOMP_RET_ALLOW)
			to[i] = (struct sock_filter)BPF_STMT(BPF_JMP | BPF_JA,
							     (uint32_t)(n - i - 1));
	}
	if (clear)
		to[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 0);
	return n;
}

int level_filter_stack(struct arena *a, const struct level_filter *level,
		       struct seccomp_program *io, struct err *e)
{
	bool clear = io->insns && BPF_CLASS(io->insns[0].code) != BPF_LD;
	size_t n = level->n_insns + clear + (io->insns ? io->n_insns : 0);
	struct sock_filter *insns;

	if (level->notify && io->notify)
		return err_msg(e, EBUSY,
			       "seccomp: SCMP_ACT_NOTIFY: level %s notifies already, and a process "
			       "has one listener",
			       level->policy);
	if (n > BPF_MAXINSNS)
		return err_msg(e, E2BIG,
			       "seccomp: the filters of level %s and of config.json together need "
			       "%zu instructions, more than %d",
			       level->policy, n, BPF_MAXINSNS);
	insns = arena_array(a, n, sizeof(*insns));
	if (io->insns) {
		size_t at = put_level(level, clear, insns);

		memcpy(insns + at, io->insns, io->n_insns * sizeof(*insns));
	} else {
		memcpy(insns, level->insns, n * sizeof(*insns));
	}
	if (bpf_validate(insns, n, e) < 0)
		return -e->code;
	io->insns = insns;
	io->n_insns = n;
	/* A configuration only tightens: it does not bring speculation back. */
	io->flags &= ~(uint32_t)SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	if (level->notify) {
		io->notify = true;
		io->flags |=
			SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
	}
	return 0;
}

static int action_available(uint32_t action)
{
	if (fault_hides("seccomp"))
		return -ENOSYS;
	if (action == SECCOMP_RET_USER_NOTIF && fault_hides("seccomp_notify"))
		return -EOPNOTSUPP;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? 0 : -errno;
}

int level_filter_possible(bool notify, struct err *e)
{
	int r = action_available(SECCOMP_RET_KILL_PROCESS);

	if (r < 0)
		return err_msg(e, -r,
			       "seccomp is required, but the kernel has none, or a filter around "
			       "brig hides it (%s): a kernel with CONFIG_SECCOMP_FILTER",
			       err_text(-r));
	r = notify ? action_available(SECCOMP_RET_USER_NOTIF) : 0;
	if (r < 0)
		return err_msg(e, -r,
			       "seccomp user notification is required, but the kernel has none "
			       "(%s): Linux 5.0 or later",
			       err_text(-r));
	return 0;
}
