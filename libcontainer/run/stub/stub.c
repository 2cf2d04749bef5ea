/* Freestanding: no C library, no writable data, no relocation.  See stub.h. */
#include "run/stub/stub.h"

#include <asm/ioctls.h>
#include <asm/signal.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/sched.h>
#include <linux/seccomp.h>

/* Set by stub.ld: the first byte after the segment, where the parameters are appended. */
extern const struct stub_params stub_params_at __attribute__((visibility("hidden")));

#if defined(__x86_64__)
static long call5(long nr, long a, long b, long c, long d, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = f;
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return r;
}
__asm__(".globl _start\n_start:\n\txor %ebp, %ebp\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall "
	"stub_main\n\thlt\n");
#elif defined(__aarch64__)
static long call5(long nr, long a, long b, long c, long d, long f)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = f;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : "memory");
	return x0;
}
__asm__(".globl _start\n_start:\n\tmov x29, xzr\n\tmov x0, sp\n\tb stub_main\n");
#else
#error "the stub knows x86-64 and arm64"
#endif

static long call3(long nr, long a, long b, long c)
{
	return call5(nr, a, b, c, 0, 0);
}

static void tell(const struct stub_params *p, uint32_t type, long value)
{
	uint32_t msg[2] = {type, (uint32_t)value};

	call3(__NR_write, p->sync_fd, (long)msg, sizeof(msg));
}

static __attribute__((noreturn)) void leave(const struct stub_params *p, uint32_t type, long r)
{
	tell(p, type, -r);
	for (;;)
		call3(__NR_exit_group, 127, 0, 0);
}

/* Returns in who is born, a child of the runtime (CLONE_PARENT), when the runtime says so. */
static void be_born(const struct stub_params *p)
{
	uint32_t msg[2] = {0, 0};
	long r = call5(__NR_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);

	if (r < 0)
		leave(p, p->failed, r);
	if (r > 0) {
		tell(p, p->pid, r);
		for (;;)
			call3(__NR_exit_group, 0, 0, 0);
	}
	do
		r = call3(__NR_read, p->sync_fd, (long)msg, sizeof(msg));
	while (r == -4 /* EINTR */);
	if (r != sizeof(msg) || msg[0] != p->go)
		for (;;)
			call3(__NR_exit_group, 127, 0, 0);
	r = call3(__NR_setsid, 0, 0, 0);
	if (r >= 0 && p->birth & STUB_TERMINAL)
		r = call3(__NR_ioctl, 0, TIOCSCTTY, 0);
	if (r < 0)
		leave(p, p->failed, r);
	tell(p, p->executing, 0);
}

__attribute__((noreturn, used)) void stub_main(long *stack)
{
	const struct stub_params *p = &stub_params_at;
	long argc = stack[0];
	long *argv = stack + 1;
	long *envp = argv + argc + 1;
	long r = call3(__NR_fcntl, p->sync_fd, F_SETFD, 1 /* FD_CLOEXEC */);

	if (r < 0)
		leave(p, p->failed, r);
	if (p->birth)
		be_born(p);
	if (p->n_insns) {
		struct sock_fprog prog = {
			.len = (unsigned short)p->n_insns,
			.filter = (struct sock_filter *)((unsigned long)p + p->insns),
		};

		r = call3(__NR_seccomp, SECCOMP_SET_MODE_FILTER, p->seccomp, (long)&prog);
		if (r < 0)
			leave(p, p->failed, r);
	}
	r = call3(__NR_execve, (long)p + p->path, (long)argv, (long)envp);
	leave(p, p->exec_failed, r);
}
