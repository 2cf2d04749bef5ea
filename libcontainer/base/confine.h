#ifndef BRIG_BASE_CONFINE_H
#define BRIG_BASE_CONFINE_H

#include <linux/audit.h>
#include <stdint.h>

#include "base/err.h"

/* What processes of brig's own that live on share in giving up what they do not need. */

/* What the kernel reports for this build's own calls. */
#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "which audit architecture is this?"
#endif

/* No new privileges, no ptrace by others of the same user, no core files. */
int confine_process(struct err *e) MUST_CHECK;
/* Of the permitted capabilities below 32 those of keep (1 << CAP_...) stay and are in force. */
int confine_caps(uint32_t keep, struct err *e) MUST_CHECK;

#endif
