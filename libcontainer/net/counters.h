#ifndef BRIG_NET_COUNTERS_H
#define BRIG_NET_COUNTERS_H

#include <stdint.h>

/* What the devices of a network namespace have carried, but for lo. */
struct net_counters {
	unsigned int devices; /* 0: the namespace has only lo */
	uint64_t rx_bytes, rx_packets, tx_bytes, tx_packets;
};

/*
 * From the text of /proc/PID/net/dev, which is cut into pieces.  Lines that are not understood are
 * skipped, as newer kernels may add columns behind.
 */
void net_counters_parse(char *text, struct net_counters *out);

#endif
