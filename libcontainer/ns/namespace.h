#ifndef BRIG_NS_NAMESPACE_H
#define BRIG_NS_NAMESPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* glibc's sched.h of 2.36 does not have it yet (Linux 5.6). */
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* linux.namespaces as clone flags. */
enum { NS_TYPES = 8 };

/* CLONE_NEWPID | CLONE_NEWTIME: setns changes only what later children get. */
#define NS_FOR_CHILDREN UINT64_C(0x20000080)

struct ns_join {
	uint64_t flag; /* CLONE_NEW... */
	const char *path;
	int fd; /* -1 until ns_open */
};

struct ns_plan {
	uint64_t make; /* CLONE_NEW... of new namespaces */
	uint64_t join; /* of those given by path */
	struct ns_join joins[NS_TYPES];
	size_t n_joins;
};

/* Words to flags; shape errors (duplicates, unknown words) were found when reading. */
int ns_plan_make(const struct oci_linux *l, struct ns_plan *out, struct err *e) MUST_CHECK;
/*
 * Opens the joined ones and checks by ioctl(NS_GET_NSTYPE) that each is a namespace of its
 * type (config-linux.md).  One that is the caller's own user namespace is left out: setns to
 * it is EINVAL, and it is what the container would get anyway.
 */
int ns_open(struct ns_plan *p, struct err *e) MUST_CHECK;
void ns_close(struct ns_plan *p);
/* "mount", "pid" ... of a flag. */
const char *ns_name(uint64_t flag);

#endif
