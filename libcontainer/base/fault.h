#ifndef BRIG_BASE_FAULT_H
#define BRIG_BASE_FAULT_H

#include <stdbool.h>

/*
 * Test builds (make FAULT=1) only: BRIG_FAULT_HIDE=NAME,... makes the machine look as if it lacked
 * a mechanism, to who probes for it and to who uses it: landlock mdwe memfd_noexec userns openat2
 * seccomp seccomp_notify nf_tables mount_setattr idmap libmnl veth; batch: the kernel refuses the
 * egress rules in the middle of them.
 */
#ifdef BRIG_FAULT
bool fault_hides(const char *mechanism);
#else
static inline bool fault_hides(const char *mechanism)
{
	(void)mechanism; /* nothing is */
	return false;
}
#endif

#endif
