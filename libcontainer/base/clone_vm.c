#include "base/clone_vm.h"

#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <sys/syscall.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define POSSIBLE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POSSIBLE 0
#endif
#endif
#if !defined(POSSIBLE) && (defined(__x86_64__) || defined(__aarch64__))
#define POSSIBLE 1
#endif
#ifndef POSSIBLE
#define POSSIBLE 0
#endif

bool clone_vm_possible(void)
{
	return POSSIBLE;
}

#if POSSIBLE
enum { STACK = 256 << 10 };

static _Alignas(64) char stack[STACK];

/* In assembly: no compiler knows that after this call there are two stacks. */
long clone_vm_raw(struct clone_args *args, size_t size, int (*fn)(void *), void *arg);

#if defined(__x86_64__)
__asm__(".pushsection .text\n"
	".globl clone_vm_raw\n"
	".hidden clone_vm_raw\n"
	".type clone_vm_raw, @function\n"
	"clone_vm_raw:\n"
	"	endbr64\n"
	"	mov %rcx, %r8\n" /* the system call uses rcx and r11 */
	"	mov $435, %eax\n"
	"	syscall\n"
	"	test %rax, %rax\n"
	"	jz 1f\n"
	"	ret\n"
	"1:	xor %ebp, %ebp\n"
	"	mov %r8, %rdi\n"
	"	call *%rdx\n"
	"	mov %eax, %edi\n"
	"	mov $231, %eax\n" /* exit_group */
	"	syscall\n"
	"	hlt\n"
	".size clone_vm_raw, .-clone_vm_raw\n"
	".popsection\n");
#else
__asm__(".pushsection .text\n"
	".globl clone_vm_raw\n"
	".hidden clone_vm_raw\n"
	".type clone_vm_raw, %function\n"
	"clone_vm_raw:\n"
	"	bti c\n"
	"	mov x8, #435\n"
	"	svc 0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	mov x29, xzr\n"
	"	mov x30, xzr\n"
	"	mov x0, x3\n"
	"	blr x2\n"
	"	mov x8, #94\n" /* exit_group */
	"	svc 0\n"
	"	brk #0\n"
	".size clone_vm_raw, .-clone_vm_raw\n"
	".popsection\n");
#endif

pid_t clone_vm(struct clone_args *args, int (*fn)(void *), void *arg)
{
	args->flags |= CLONE_VM | CLONE_VFORK;
	args->stack = (uint64_t)(uintptr_t)stack;
	args->stack_size = sizeof(stack);
	long r = clone_vm_raw(args, sizeof(*args), fn, arg);
	if (r < 0) {
		errno = (int)-r;
		return -1;
	}
	return (pid_t)r;
}
#else
pid_t clone_vm(struct clone_args *args, int (*fn)(void *), void *arg)
{
	(void)args;
	(void)fn;
	(void)arg;
	errno = ENOSYS;
	return -1;
}
#endif
