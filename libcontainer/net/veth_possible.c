/* Whether a pair can be made at all, tried where it disturbs nobody. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include "base/own.h"
#include "base/trial.h"
#include "net/veth.h"

/* Of a namespace of its own the pool has no conflicts, and no slot is taken. */
static int try_it(const void *ctx, struct err *e)
{
	static const struct veth_config config = {
		.pool = {4, 16, {10, 201}},
	};
	struct veth_slot slot;

	if (unshare(CLONE_NEWNET) < 0)
		return err_set(e, errno, "veth: new network namespace");
	own_fd int inside = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (inside < 0 || unshare(CLONE_NEWNET) < 0)
		return err_set(e, errno, "veth: new network namespace");
	if (veth_slot_of(&config, 0, &slot, e) < 0)
		return -e->code;
	return veth_make(&config, ctx, &slot, inside, false, e);
}

bool veth_possible(const struct mnl *m, struct err *e)
{
	return trial(try_it, m, "veth", e);
}
