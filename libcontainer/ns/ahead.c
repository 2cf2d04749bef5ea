#include "ns/ahead.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"

enum { STACK = 16 << 10 };
static const char own_net[] = "/proc/thread-self/ns/net";

/*
 * In its maker's memory and with its descriptors, so that nothing is copied and what it opens is
 * its maker's.  errno is shared, too: it is only written when something fails, and then so
 * does what this is for.
 */
static int make(void *arg)
{
	struct ns_ahead *n = arg;

	n->made = unshare(CLONE_NEWNET) == 0;
	int fd = n->made ? open(own_net, O_RDONLY | O_CLOEXEC) : -1;

	if (fd < 0)
		n->code = errno;
	n->fd = fd;
	return 0; /* clone ends it: _exit is noted by sanitizers, which do not know this stack */
}

int ns_ahead_begin(struct ns_ahead *n, struct err *e)
{
	*n = NS_AHEAD_NONE;
	n->stack = aligned_alloc(16, STACK);
	if (!n->stack)
		return err_set(e, ENOMEM, "network namespace");
	/* No exit signal: the caller's SIGCHLD handling is not its business. */
	n->maker = clone(make, n->stack + STACK, CLONE_VM | CLONE_FILES, n);
	if (n->maker > 0)
		return 0;
	n->maker = 0;
	int r = err_set(e, errno, "network namespace");
	ns_ahead_drop(n);
	return r;
}

static void await(struct ns_ahead *n)
{
	while (n->maker > 0 && waitpid(n->maker, NULL, __WALL) < 0 && errno == EINTR)
		;
	n->maker = 0;
	free(n->stack);
	n->stack = NULL;
}

int ns_ahead_await(struct ns_ahead *n, struct err *e)
{
	await(n);
	if (n->fd >= 0)
		return 0;
	if (n->made)
		return err_set(e, n->code, "open %s", own_net);
	if (n->code == ENOSPC)
		return err_msg(e, ENOSPC,
			       "unshare network namespace: no more are allowed "
			       "(user.max_net_namespaces)");
	return err_set(e, n->code ? n->code : EIO, "unshare network namespace");
}

void ns_ahead_drop(struct ns_ahead *n)
{
	await(n);
	own_close(&n->fd);
}
