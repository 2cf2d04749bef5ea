/*
 * What a detached warden can still do: its loop, on what it has open; files of the state
 * directory; signals to the sandbox.  Whatever else is tried kills it, and the sandbox with it.
 */
#include <errno.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/own.h"
#include "warden/internal.h"

/* Memory is the allocator's; openat, unlinkat and renameat write "ended"; fcntl duplicates the
 * pidfd; pread reads what it was given of cgroups and /proc; clock_gettime is a call where the
 * kernel has no vDSO for its clock source; fstat (glibc makes it newfstatat) is of files that are
 * read whole; waitid takes how init ended; pwritev2 passes
 * output on; sigaltstack is the
 * sanitizers' before an exit; the rest is the loop. */
static const unsigned int allowed[] = {
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
	SYS_epoll_pwait,   SYS_ppoll,           SYS_epoll_ctl,  SYS_read,
	SYS_write,         SYS_close,           SYS_ioctl,      SYS_accept4,
	SYS_recvmsg,       SYS_sendmsg,         SYS_getsockopt, SYS_timerfd_settime,
	SYS_openat,        SYS_renameat2,       SYS_unlinkat,   SYS_pidfd_send_signal,
	SYS_fcntl,         SYS_geteuid,         SYS_brk,        SYS_mmap,
	SYS_munmap,        SYS_mremap,          SYS_madvise,    SYS_futex,
	SYS_sigaltstack,   SYS_restart_syscall, SYS_exit_group, SYS_pread64,
	SYS_clock_gettime, SYS_waitid,          SYS_pwritev2,   SYS_fstatfs,
	SYS_fstat,         SYS_newfstatat,
};

/* What writing to the audit log takes, for who does (audit/audit.h). */
static const unsigned int for_evidence[] = {
	SYS_flock,
	SYS_pwrite64,
	SYS_fdatasync,
	SYS_clock_nanosleep,
};

enum {
	HEAD = 4,
	TAIL = 2,
	N_ALLOWED = LEN(allowed),
	N_EVIDENCE = LEN(for_evidence),
	N_MOST = N_ALLOWED + N_EVIDENCE
};
_Static_assert(N_MOST < 250, "jumps of a filter are bytes");

static int load_filter(bool evidence, struct err *e)
{
	unsigned int n = evidence ? N_MOST : N_ALLOWED;
	struct sock_filter f[HEAD + N_MOST + TAIL] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	const struct sock_fprog prog = {.len = (unsigned short)(HEAD + n + TAIL), .filter = f};

	for (unsigned int i = 0; i < n; i++) {
		unsigned int nr = i < N_ALLOWED ? allowed[i] : for_evidence[i - N_ALLOWED];

		f[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr,
							   (unsigned char)(n - i), 0);
	}
	f[HEAD + n] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	f[HEAD + n + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "warden: its seccomp filter");
	return 0;
}

/* Best effort: the filter leaves openat, and this kernel may have no Landlock (5.13). */
static bool allow(int rules, int dir, uint64_t access)
{
	const struct landlock_path_beneath_attr here = {
		.allowed_access = access,
		.parent_fd = dir,
	};

	return dir < 0 ||
	       syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &here, 0) == 0;
}

static void keep_to(int dir, int audit, int proc)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs =
							  (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	const uint64_t files = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
			       LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG;
	own_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules >= 0 && allow(rules, dir, files) && allow(rules, audit, files)) {
		(void)allow(rules, proc, LANDLOCK_ACCESS_FS_READ_FILE);
		(void)syscall(SYS_landlock_restrict_self, rules, 0);
	}
}

int warden_confine(int dir, int audit, int proc, struct err *e)
{
	if (confine_process(e) < 0)
		return err_wrap(e, "warden");
	keep_to(dir, audit, proc);
	/* The sandbox's processes are of other users: signals to them take CAP_KILL. */
	return confine_caps(1U << CAP_KILL, e) < 0 ? err_wrap(e, "warden")
						   : load_filter(audit >= 0, e);
}
