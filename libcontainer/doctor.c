#include "doctor.h"

#include <string.h>
#include <sys/utsname.h>

#include "base/own.h"
#include "plan.h"
#include "policy/policy.h"

/*
 * `doctor`: a table of mechanisms.  A level can be enforced when all it requires was found;
 * what could not be found out counts as missing, as it would at a start.
 */

enum who { ANYBODY, ROOT, ROOTLESS };

struct row {
	const char *mechanism;
	enum container_need standard, high;
	enum who who; /* for whom it matters: a privileged brig or one of a plain user */
	struct finding (*probe)(struct doctor *d);
	const char *remedy;
};

#define LATER_KERNEL(v) "boot a kernel of version " v " or later"

static const struct row rows[] = {
	{"kernel",              NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_kernel,          LATER_KERNEL("5.15")},
	{"kernel-age",          NEED_WISHED,   NEED_WISHED,   ANYBODY,  doctor_kernel_age,
	 "install the distribution's current kernel and reboot: the kernel is the wall"                             },
	{"user-namespaces",     NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_userns,
	 "sysctl user.max_user_namespaces=65536; where they exist also "
	 "kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0"                       },
	{"namespaces",          NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_namespaces,
	 "a kernel with CONFIG_NAMESPACES and all kinds; sysctl user.max_*_namespaces above 0"                      },
	{"mount-api",           NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_mount_api,
	 "a kernel of version 5.12 or later; in a container: let its seccomp profile allow fsopen, "
	 "fsmount, open_tree, move_mount and mount_setattr"                                                         },
	{"openat2",             NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_openat2,
	 "a kernel of version 5.6 or later; in a container: let its seccomp profile allow openat2"                  },
	{"procfs",              NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_procfs,
	 "run brig where /proc is not masked: not in a container, or in one whose engine is told "
	 "to unmask it (podman --security-opt unmask=ALL)"							  },
	{"idmapped-mounts",     NEED_WISHED,   NEED_WISHED,   ROOT,     doctor_idmapped_mounts,
	 "keep images and volumes on ext4, xfs, btrfs (5.15 and later) or tmpfs (6.3): elsewhere a "
	 "volume is only taken read-only"									   },
	{"overlay-layers",      NEED_WISHED,   NEED_WISHED,   ROOT,     doctor_overlay_layers,
	 "boot a kernel of version 6.8 or later, or let the engine unpack images without overlay: "
	 "an overlay root is made anew from id-mapped layers"                                                       },
	{"seccomp",             NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_seccomp,
	 "a kernel with CONFIG_SECCOMP_FILTER"								      },
	{"seccomp-notify",      NEED_NOT,      NEED_REQUIRED, ANYBODY,  doctor_seccomp_notify,
	 LATER_KERNEL("5.0")											},
	{"landlock",            NEED_WISHED,   NEED_REQUIRED, ANYBODY,  doctor_landlock,
	 "a kernel with CONFIG_SECURITY_LANDLOCK (5.13) and landlock in its boot option lsm="                       },
	{"mdwe",                NEED_NOT,      NEED_WISHED,   ANYBODY,  doctor_mdwe,            LATER_KERNEL("6.3") },
	{"memfd-noexec",        NEED_NOT,      NEED_WISHED,   ANYBODY,  doctor_memfd_noexec,
	 LATER_KERNEL("6.3") "; only the host's root may set it"                                                    },
	{"speculation-control", NEED_NOT,      NEED_WISHED,   ANYBODY,  doctor_speculation,
	 "boot with spec_store_bypass_disable=prctl spectre_v2_user=prctl on a CPU that has them"                   },
	{"core-scheduling",     NEED_NOT,      NEED_WISHED,   ANYBODY,  doctor_core_scheduling,
	 "a kernel with CONFIG_SCHED_CORE (5.14), or switch SMT off: echo off "
	 ">/sys/devices/system/cpu/smt/control"								     },
	{"cpu-vulnerabilities", NEED_WISHED,   NEED_WISHED,   ANYBODY,  doctor_vulnerabilities,
	 "current microcode and kernel, no mitigations=off"                                                         },
	{"nf_tables",           NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_nf_tables,
	 "modprobe nf_tables nf_tables_inet, at boot by /etc/modules-load.d"                                        },
	{"egress-grants",       NEED_NOT,      NEED_NOT,      ANYBODY,  doctor_egress_grants,
	 "install libmnl (package libmnl0); modprobe nf_tables nf_conntrack nft_ct nft_limit "
	 "nft_log nft_reject_inet"										  },
	{"net-veth",            NEED_NOT,      NEED_NOT,      ROOT,     doctor_net_veth,
	 "install libmnl (package libmnl0); modprobe veth nft_masq nf_nat; CAP_NET_ADMIN over the "
	 "host's network"											   },
	{"net-veth-ipv6",       NEED_NOT,      NEED_NOT,      ROOT,     doctor_net_veth_ipv6,
	 "a kernel of version 6.17 or later, or sysctl net.ipv6.conf.all.forwarding=1"                              },
	{"net-pasta",           NEED_NOT,      NEED_NOT,      ROOTLESS, doctor_net_pasta,
	 "install pasta (package passt); chmod 0666 /dev/net/tun (udev does so) and modprobe tun"                   },
	{"cgroup-memory",       NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_memory,
	 "boot with cgroup_enable=memory; for a plain user: delegate it "
	 "(systemd: Delegate=yes of user@.service)"								 },
	{"cgroup-swap",         NEED_WISHED,   NEED_WISHED,   ANYBODY,  doctor_swap,
	 "boot with swapaccount=1, or without swap"								 },
	{"cgroup-pids",         NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_pids,
	 "a kernel with CONFIG_CGROUP_PIDS; for a plain user: delegate it "
	 "(systemd: Delegate=yes of user@.service)"								 },
	{"cgroup-cpu",          NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_cpu,
	 "a kernel with CONFIG_CFS_BANDWIDTH; for a plain user: delegate it "
	 "(systemd: Delegate=yes of user@.service)"								 },
	{"cgroup-cpuset",       NEED_NOT,      NEED_REQUIRED, ANYBODY,  doctor_cpuset,
	 "a kernel with CONFIG_CPUSETS; for a plain user: delegate it "
	 "(systemd: Delegate=cpu cpuset memory pids of user@.service)"                                              },
	{"cpu-topology",        NEED_NOT,      NEED_WISHED,   ANYBODY,  doctor_cpu_topology,
	 "let the hypervisor show which CPUs are threads of one core, or do without --pin cores"                    },
	{"id-pool",             NEED_REQUIRED, NEED_REQUIRED, ROOT,     doctor_id_pool,
	 "a larger or another range as ids.first and ids.count of brig.json, apart from "
	 "/etc/subuid; delete sandboxes that are done"							      },
	{"subordinate-ids",     NEED_WISHED,   NEED_WISHED,   ROOTLESS, doctor_subordinate_ids,
	 "install newuidmap and newgidmap (package uidmap), and usermod --add-subuids "
	 "100000-165535 --add-subgids 100000-165535 USER: without them a sandbox has one id"                        },
	{"admin-file",          NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_admin_file,
	 "mend the file that --system-config or /etc/brig/brig.json is"                                             },
	{"levels",              NEED_REQUIRED, NEED_REQUIRED, ANYBODY,  doctor_levels,
	 "mend or remove the file in the directory of levels"                                                       },
	{"audit-log",           NEED_NOT,      NEED_REQUIRED, ANYBODY,  doctor_audit_log,
	 "a directory that only you can write to, as audit.path of brig.json (docs/audit.md)"                       },
};

static bool blocks(enum container_need need, enum container_found found)
{
	return need == NEED_REQUIRED && found != FOUND_YES;
}

/* root in an engine's user namespace maps no files, and takes the ids that are there. */
static bool matters(enum who who, const struct doctor *d)
{
	return who == ANYBODY || (who == ROOT ? d->privileged && !d->nested : !d->privileged);
}

static void begin(struct doctor *d, const struct container_host *h, struct arena *a)
{
	struct err e;

	*d = (struct doctor){.host = h, .a = a, .privileged = plan_is_privileged()};
	d->nested = plan_in_user_namespace();
	if (policy_admin_load(a, h->system_config, &d->admin, &e) < 0) {
		d->admin_error = arena_strdup(a, e.msg);
		admin_defaults(&d->admin);
	}
	d->has_cgroups = cgroup_host_probe(a, &d->cgroups, &e) == 0;
	harden_probe(&d->harden);
}

void container_doctor(const struct container_host *h, struct arena *a, struct container_doctor *out)
{
	struct container_check *list = arena_array(a, LEN(rows), sizeof(*list));
	struct utsname uts;
	struct doctor d;

	begin(&d, h, a);
	*out = (struct container_doctor){
		.kernel = uname(&uts) == 0 ? arena_strdup(a, uts.release) : "",
		.privileged = d.privileged,
		.standard = true,
		.high = true,
		.checks = list,
	};
	for (size_t i = 0; i < LEN(rows); i++) {
		const struct row *r = &rows[i];

		if (!matters(r->who, &d))
			continue;
		struct finding f = r->probe(&d);
		list[out->n_checks++] = (struct container_check){
			.mechanism = r->mechanism,
			.standard = r->standard,
			.high = r->high,
			.found = f.found,
			.detail = f.detail,
			.remedy = f.found == FOUND_YES ? NULL : r->remedy,
		};
		out->standard = out->standard && !blocks(r->standard, f.found);
		out->high = out->high && !blocks(r->high, f.found);
	}
}

const char *container_found_word(enum container_found f)
{
	static const char *const words[] = {"yes", "no", "unknown"};

	return words[f];
}

const char *container_need_word(enum container_need n)
{
	static const char *const words[] = {"-", "recorded", "required"};

	return words[n];
}
