#ifndef BRIG_GUARD_LSM_H
#define BRIG_GUARD_LSM_H

#include <stdbool.h>

#include "base/err.h"

/*
 * AppArmor and SELinux labels for the next exec, written through a procfs handle of
 * base/procfd.h only.  A label that is asked for on a host without that LSM is an error, as in
 * runc; an empty label is none; AppArmor's "unconfined" is compared whole, never by prefix.
 */
bool lsm_apparmor_enabled(void);
bool lsm_selinux_enabled(void);
int lsm_apparmor_exec(int proc, const char *profile, struct err *e) MUST_CHECK;
int lsm_selinux_exec(int proc, const char *label, struct err *e) MUST_CHECK;

#endif
