/*
 * What brig-expiry can still do: its loop, taking back grants (a child in the sandbox's mount
 * namespace, files of cgroups), the state directory and the audit log.  It keeps CAP_SYS_ADMIN and
 * reads what a sandbox has made of its mounts.
 *
 * What it never needs and an attacker would ends it, and the warden then the sandbox; what else is
 * not listed fails, for what it does depends on more than one kernel and file system.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/own.h"
#include "grant_expiry.h"

static const unsigned int allowed[] = {
/* The older forms, which the C library uses where there are any. */
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_access
	SYS_access,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
	/* the loop */
	SYS_ppoll,
	SYS_read,
	SYS_write,
	SYS_close,
	SYS_timerfd_settime,
	SYS_fanotify_mark,
	SYS_sendmsg,
	SYS_pidfd_send_signal,
	/* files */
	SYS_openat,
	SYS_openat2,
	SYS_fcntl,
	SYS_flock,
	SYS_lseek,
	SYS_pread64,
	SYS_pwrite64,
	SYS_newfstatat,
	SYS_fstat,
	SYS_statx,
	SYS_statfs,
	SYS_fstatfs,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_renameat2,
	SYS_unlinkat,
	SYS_mkdirat,
	SYS_fchown,
	SYS_getdents64,
	SYS_fsync,
	SYS_fdatasync,
	SYS_ftruncate,
	/* the child inside */
	SYS_pipe2,
	SYS_wait4,
	SYS_waitid,
	SYS_kill,
	SYS_prctl,
	SYS_umask,
	SYS_chdir,
	SYS_fchdir,
	SYS_umount2,
	SYS_open_tree,
	SYS_mount_setattr,
	SYS_close_range,
	/* the C library, and the sanitizers' end */
	SYS_getrandom,
	SYS_clock_nanosleep,
	SYS_nanosleep,
	SYS_clock_gettime,
	SYS_geteuid,
	SYS_getuid,
	SYS_getpid,
	SYS_gettid,
	SYS_sysinfo,
	SYS_uname,
	SYS_set_robust_list,
	SYS_rseq,
	SYS_brk,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_futex,
	SYS_rt_sigprocmask,
	SYS_rt_sigaction,
	SYS_rt_sigreturn,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_tgkill,
	SYS_exit,
	SYS_exit_group,
};

static const unsigned int deadly[] = {
	SYS_execve,
	SYS_execveat,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_init_module,
	SYS_finit_module,
	SYS_kexec_load,
	SYS_process_vm_writev,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_io_uring_setup,
	SYS_userfaultfd,
	SYS_mount,
	SYS_pivot_root,
	SYS_move_mount,
	SYS_socket,
	SYS_pidfd_getfd,
	SYS_keyctl,
	SYS_open_by_handle_at,
};

/* Allowed when argument & mask is value; else it fails. */
static const struct masked {
	unsigned int nr, argument;
	uint32_t mask, value;
} masked[] = {
	{SYS_clone,    0,
	 CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		 CLONE_NEWPID | CLONE_NEWNET,
	 0					       },
	{SYS_setns,    1, UINT32_MAX,         CLONE_NEWNS},
	{SYS_mmap,     2, PROT_EXEC,          0          },
	{SYS_mprotect, 2, PROT_EXEC,          0          },
};

enum {
	N_ALLOWED = LEN(allowed),
	N_DEADLY = LEN(deadly),
	N_MASKED = LEN(masked),
	EACH_MASKED = 6,
	FILTER_MAX = 5 + 2 * (N_ALLOWED + N_DEADLY) + EACH_MASKED * N_MASKED,
};

struct program {
	struct sock_filter f[FILTER_MAX];
	unsigned short n;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	p->f[p->n++] = (struct sock_filter){code, yes, no, k};
}

static void load(struct program *p, size_t at)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)at, 0, 0);
}

static void answer(struct program *p, const unsigned int *calls, size_t n, uint32_t what)
{
	for (size_t i = 0; i < n; i++) {
		emit(p, BPF_JMP | BPF_JEQ | BPF_K, calls[i], 0, 1);
		emit(p, BPF_RET | BPF_K, what, 0, 0);
	}
}

/* The number is loaded, and is not looked at again behind a match. */
static void answer_masked(struct program *p, const struct masked *m)
{
	size_t at = offsetof(struct seccomp_data, args) + m->argument * sizeof(uint64_t);

	/* The kernel takes 32 bits of these, and so do we. */
	if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__)
		at += 4;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, m->nr, 0, EACH_MASKED - 1);
	load(p, at);
	emit(p, BPF_ALU | BPF_AND | BPF_K, m->mask, 0, 0);
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, m->value, 0, 1);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0, 0);
	emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);
}

int expiry_filter(struct err *e)
{
	struct program p = {.n = 0};

	load(&p, offsetof(struct seccomp_data, arch));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, OWN_ARCH, 1, 0);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS, 0, 0);
	load(&p, offsetof(struct seccomp_data, nr));
	answer(&p, allowed, N_ALLOWED, SECCOMP_RET_ALLOW);
	for (size_t i = 0; i < N_MASKED; i++)
		answer_masked(&p, &masked[i]);
	answer(&p, deadly, N_DEADLY, SECCOMP_RET_KILL_PROCESS);
	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM, 0, 0);

	const struct sock_fprog prog = {.len = p.n, .filter = p.f};
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog) < 0)
		return err_set(e, errno, "expiry: its seccomp filter");
	return 0;
}
