#ifndef BRIG_DOCTOR_H
#define BRIG_DOCTOR_H

#include <stdbool.h>

#include "base/arena.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "guard/harden.h"
#include "specs/admin.h"

/* What the probes of `doctor` share; used by doctor*.c only. */

struct doctor {
	const struct container_host *host;
	struct arena *a;
	bool nested; /* in a user namespace that somebody else made: cgroups as for plain users */
	bool privileged; /* CAP_SYS_ADMIN in the host's user namespace or one that looks like it */
	struct admin admin;
	const char *admin_error; /* NULL: brig.json is good or absent */
	struct harden_host harden;
	struct cgroup_host cgroups;
	bool has_cgroups;
};

/* yes: the mechanism is there.  detail: what was found, or why not; NULL: nothing to say. */
struct finding {
	enum container_found found;
	const char *detail;
};
static inline struct finding found(bool yes, const char *detail)
{
	return (struct finding){yes ? FOUND_YES : FOUND_NO, detail};
}

/* Probes leave the host as it is; what needs a namespace is done by a child that ends at once. */
struct finding doctor_kernel(struct doctor *d);
struct finding doctor_kernel_age(struct doctor *d);
struct finding doctor_userns(struct doctor *d);
struct finding doctor_namespaces(struct doctor *d);
struct finding doctor_mount_api(struct doctor *d);
struct finding doctor_openat2(struct doctor *d);
struct finding doctor_procfs(struct doctor *d);
struct finding doctor_idmapped_mounts(struct doctor *d);
struct finding doctor_overlay_layers(struct doctor *d);
struct finding doctor_seccomp(struct doctor *d);
struct finding doctor_seccomp_notify(struct doctor *d);
struct finding doctor_nf_tables(struct doctor *d);

struct finding doctor_egress_grants(struct doctor *d);
struct finding doctor_net_veth(struct doctor *d);
struct finding doctor_net_veth_ipv6(struct doctor *d);
struct finding doctor_net_pasta(struct doctor *d);

struct finding doctor_landlock(struct doctor *d);
struct finding doctor_mdwe(struct doctor *d);
struct finding doctor_memfd_noexec(struct doctor *d);
struct finding doctor_speculation(struct doctor *d);
struct finding doctor_core_scheduling(struct doctor *d);
struct finding doctor_vulnerabilities(struct doctor *d);
struct finding doctor_memory(struct doctor *d);
struct finding doctor_swap(struct doctor *d);
struct finding doctor_pids(struct doctor *d);
struct finding doctor_cpu(struct doctor *d);
struct finding doctor_cpuset(struct doctor *d);
struct finding doctor_cpu_topology(struct doctor *d);
struct finding doctor_id_pool(struct doctor *d);
struct finding doctor_subordinate_ids(struct doctor *d);
struct finding doctor_admin_file(struct doctor *d);
struct finding doctor_levels(struct doctor *d);
struct finding doctor_audit_log(struct doctor *d);

/* kernel's build date in utsname.version as days since 1970; false: it has none. */
bool doctor_build_day(const char *version, long *day);

#endif
