#ifndef BRIG_RUN_SYSCTL_H
#define BRIG_RUN_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/* The namespaces that the container does not share with the host. */
struct sysctl_scope {
	bool ipc, net, uts, user, pid;
};

/*
 * When a sysctl can be written.  The owner of net.*, kernel.domainname and vm.memfd_noexec is
 * compared with the writer's kuid, which setuid(0) in a user namespace changes; ipc and fs.mqueue
 * belong to that new kuid.
 */
enum sysctl_when { SYSCTL_EARLY, SYSCTL_LATE };

struct sysctl {
	const char *key;  /* as in config.json, for messages */
	const char *path; /* sys/net/ipv4/ip_forward, below a procfs */
	const char *value;
	enum sysctl_when when;
};

/*
 * Checks and translates linux.sysctl.  Keys with '.' or '/' as separator as in sysctl(8): the
 * first of the two that occurs separates, the other stands for a '.' inside a component.  What
 * is not of a namespace in scope is refused.
 */
int sysctl_plan(struct arena *a, const struct oci_map *map, size_t n,
		const struct sysctl_scope *scope, const struct sysctl **out,
		struct err *e) MUST_CHECK;
int sysctl_write(const struct sysctl *s, size_t n, enum sysctl_when when, int proc,
		 struct err *e) MUST_CHECK;

#endif
