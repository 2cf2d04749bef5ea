#ifndef BRIG_NET_INSIDE_H
#define BRIG_NET_INSIDE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Sockets of another network namespace, for who stays in his own.  A short-lived child enters it
 * (and before that the user namespace that owns it, where the caller has no rights over it
 * otherwise: rootless), so that no failure leaves the caller there.  It passes all sockets in one
 * message: at whatever instruction it is killed, nothing of it stays open.
 */
struct inside {
	int netns;  /* borrowed */
	int userns; /* borrowed; -1: the caller's own rights are enough */
};

struct inside_socket {
	int family, type, protocol; /* socket(2); SOCK_CLOEXEC is added */
	/* Bound and, a stream, listening; bind_len 0: not.  128 bytes hold any sockaddr. */
	unsigned char bind_to[128];
	unsigned int bind_len;
	/* IP_FREEBIND: lo may still be down.  Datagrams then have to say where they come from. */
	bool free_bind;
	int fd; /* out */
};
/* As many as one message carries. */
enum { INSIDE_MAX_SOCKETS = 16 };
/*
 * All of them or none: on failure every fd is -1; which one it was is in the message.  The child
 * tells nobody of its end and is waited for, whatever the caller does about SIGCHLD.
 */
int inside_sockets(const struct inside *in, struct inside_socket *s, size_t n,
		   struct err *e) MUST_CHECK;

/* The same for who is in it already. */
int inside_sockets_here(struct inside_socket *s, size_t n, struct err *e) MUST_CHECK;

/*
 * Who owns the network namespace (ioctl_ns(2), NS_GET_USERNS): INSIDE_OURS the caller's user
 * namespace or one above, INSIDE_BELOW another one, whose capabilities could change the rules.
 */
enum inside_owner { INSIDE_OURS, INSIDE_BELOW };
int inside_owner(int netns, enum inside_owner *out, struct err *e) MUST_CHECK;

#endif
