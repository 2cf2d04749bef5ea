/*
 * The first thing a program can do: it says when that was, CLOCK_MONOTONIC in nanoseconds, and
 * ends. Without the C library's own start, which is no part of a runtime's work.  For abtime's "="
 * steps.
 */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
/* The kernel begins with an aligned stack, where a function expects a return address. */
__attribute__((force_align_arg_pointer))
#endif
__attribute__((noreturn)) void
_start(void);

void _start(void)
{
	struct timespec now;
	char text[32];
	char *p = text + sizeof(text);

	(void)syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	*--p = '\n';
	for (unsigned long n = (unsigned long)now.tv_nsec, digits = 9; digits > 0;
	     digits--, n /= 10)
		*--p = (char)('0' + n % 10);
	for (unsigned long n = (unsigned long)now.tv_sec; n > 0; n /= 10)
		*--p = (char)('0' + n % 10);
	(void)syscall(SYS_write, STDOUT_FILENO, p, (size_t)(text + sizeof(text) - p));
	for (;;)
		(void)syscall(SYS_exit_group, 0);
}
