#ifndef BRIG_NET_PASTA_H
#define BRIG_NET_PASTA_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"
#include "net/inside.h"

/*
 * Connectivity of a plain user (--net pasta): passt's pasta(1) carries the packets of a network
 * namespace over sockets of its own.  Executed only when asked for.  Without its ways to the host:
 * no gateway mapping, no forwarded ports in either direction.  It needs /dev/net/tun.
 */
struct pasta {
	pid_t pid; /* of its minder; 0: none */
	int pidfd;
	int alive; /* who holds it lives: at its end of file the minder ends pasta */
};
#define PASTA_NONE ((struct pasta){.pid = 0, .pidfd = -1, .alive = -1})

/* Where it is: NULL, PATH is searched.  ENOENT names the package. */
int pasta_find(const char *given, char path[4096], struct err *e) MUST_CHECK;
/*
 * Starts it in the foreground as our child and waits until the namespace has its device "eth0",
 * addresses and routes (it writes its pid file then), 5 s at most; what it said last is in e.
 * target->userns: -1, or the user namespace that owns the network namespace.
 *
 * It does not end with the namespace, and a parent-death signal is forgotten by the kernel when it
 * enters a user namespace (commit_creds).  So it has a minder, a small process between it and us,
 * that ends it when we are gone, however that was.
 */
int pasta_start(const char *program, const struct inside *target, bool ipv6, struct pasta *out,
		struct err *e) MUST_CHECK;
/* Kills it and waits for its end. */
void pasta_end(struct pasta *p);

#endif
