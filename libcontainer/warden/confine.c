/*
 * What a detached warden can still do: its loop, on what it has open; files of the state
 * directory; signals to the sandbox.  Whatever else is tried kills it, and the sandbox with it.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "warden/internal.h"

/* Memory is the allocator's; openat, unlinkat and renameat write "ended"; fcntl duplicates the
 * pidfd; sigaltstack is the sanitizers' before an exit; the rest is the loop. */
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
	SYS_epoll_pwait, SYS_ppoll,           SYS_epoll_ctl,  SYS_read,
	SYS_write,       SYS_close,           SYS_ioctl,      SYS_accept4,
	SYS_recvmsg,     SYS_sendmsg,         SYS_getsockopt, SYS_timerfd_settime,
	SYS_openat,      SYS_renameat2,       SYS_unlinkat,   SYS_pidfd_send_signal,
	SYS_fcntl,       SYS_geteuid,         SYS_brk,        SYS_mmap,
	SYS_munmap,      SYS_mremap,          SYS_madvise,    SYS_futex,
	SYS_sigaltstack, SYS_restart_syscall, SYS_exit_group,
};

enum { HEAD = 4, TAIL = 2, N_ALLOWED = sizeof(allowed) / sizeof(*allowed) };
_Static_assert(N_ALLOWED < 250, "jumps of a filter are bytes");

static int load_filter(struct err *e)
{
	struct sock_filter f[HEAD + N_ALLOWED + TAIL] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		[HEAD + N_ALLOWED] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		[HEAD + N_ALLOWED + 1] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = {.len = LEN(f), .filter = f};

	for (unsigned int i = 0; i < N_ALLOWED; i++)
		f[HEAD + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, allowed[i],
							   (unsigned char)(N_ALLOWED - i), 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "warden: its seccomp filter");
	return 0;
}

/* The sandbox's processes are of other users: signals to them take CAP_KILL. */
static int drop_caps(struct err *e)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct c[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &h, c) < 0)
		return err_set(e, errno, "warden: capabilities");
	for (size_t i = 0; i < LEN(c); i++) {
		uint32_t keep = i == 0 ? c[0].permitted & 1U << CAP_KILL : 0;

		c[i] = (struct __user_cap_data_struct){.effective = keep, .permitted = keep};
	}
	if (syscall(SYS_capset, &h, c) < 0)
		return err_set(e, errno, "warden: drop capabilities");
	return 0;
}

/* Best effort: the filter leaves openat, and this kernel may have no Landlock (5.13). */
static void keep_to(int dir)
{
	const struct landlock_ruleset_attr all = {.handled_access_fs =
							  (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1};
	const struct landlock_path_beneath_attr here = {
		.allowed_access = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_READ_FILE |
				  LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG,
		.parent_fd = dir,
	};
	own_fd int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);

	if (rules >= 0 &&
	    syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &here, 0) == 0)
		(void)syscall(SYS_landlock_restrict_self, rules, 0);
}

int warden_confine(int dir, struct err *e)
{
	const struct rlimit none = {0};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &none) < 0)
		return err_set(e, errno, "warden: confine");
	keep_to(dir);
	int r = drop_caps(e);
	return r < 0 ? r : load_filter(e);
}
