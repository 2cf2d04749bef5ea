#ifndef BRIG_NET_CONF_H
#define BRIG_NET_CONF_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

/*
 * Settings of network devices, /proc/sys/net/ipv4/conf/DEVICE/NAME and of ipv6, of the network
 * namespace that the calling thread is in.
 */
struct conf_row {
	int family; /* 4 or 6 */
	const char *name, *value;
};
/*
 * Written where it is not so already (/proc/sys may be read-only).  A setting that this kernel does
 * not have: ENOENT, but for IPv6 where the kernel has no IPv6 at all.
 */
int conf_write(const char *device, const struct conf_row *rows, size_t n, struct err *e) MUST_CHECK;
/* Whether it is there and has that value. */
bool conf_is(const char *device, int family, const char *name, const char *value);
bool conf_exists(const char *device, int family, const char *name);

#endif
