#ifndef BRIG_IO_DEVICE_H
#define BRIG_IO_DEVICE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "policy/policy.h"
#include "specs/runtime.h"

/*
 * Which block device somebody means: MAJOR:MINOR, a device node, or any other path, which stands
 * for the device of the file system it lies on (of an overlay: of its upper directory).
 * Partitions give the whole disk: the kernel limits no part of one.
 */
int io_device_find(struct arena *a, const char *device, int64_t *major, int64_t *minor,
		   struct err *e) MUST_CHECK;

/* Those of p->io; "root" is what the root of c lies on.  bundle: what its path counts from. */
int io_devices_find(struct arena *a, struct policy *p, const struct oci_config *c,
		    const char *bundle, struct err *e) MUST_CHECK;

#endif
