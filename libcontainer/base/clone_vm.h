#ifndef BRIG_BASE_CLONE_VM_H
#define BRIG_BASE_CLONE_VM_H

#include <linux/sched.h>
#include <stdbool.h>
#include <sys/types.h>

/*
 * clone3 with CLONE_VM | CLONE_VFORK: the child runs fn(arg) on a stack of its own in the caller's
 * memory while the caller is suspended, until the child executes a program or exits with fn's
 * value.  No page tables are copied and no page is copied on write afterwards, which is a
 * good part of a start.  Only one at a time (the stack is one), and only where the caller has
 * nothing to do for the child meanwhile.
 *
 * args: flags and the like; the stack is filled in.  Returns the pid, or -1 with errno.
 */
pid_t clone_vm(struct clone_args *args, int (*fn)(void *), void *arg);

/* Whether this build can do it: the architecture, and no sanitizer that watches the stack. */
bool clone_vm_possible(void);

#endif
