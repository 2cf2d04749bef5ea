#ifndef BRIG_NET_NETDEV_H
#define BRIG_NET_NETDEV_H

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* lo up in the current network namespace, by ioctl(SIOCSIFFLAGS): no netlink on the hot path. */
int net_loopback_up(struct err *e) MUST_CHECK;

/*
 * linux.netDevices: moves each host device (by name, in the namespace of the caller) into the
 * network namespace netns_fd, renamed if asked ("%d" templates are the kernel's), keeps its
 * global permanent addresses, sets it up.  rtnetlink by libmnl, which is loaded only here.
 */
int netdev_check(const struct oci_net_device *d, size_t n, struct err *e) MUST_CHECK;
int netdev_move(struct arena *a, const struct oci_net_device *d, size_t n, int netns_fd,
		struct err *e) MUST_CHECK;

#endif
