#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "fs/disk.h"
#include "plan.h"
#include "specs/json_print.h"
#include "store.h"

int plan_save_policy(struct arena *a, const struct plan *p, int dir, struct err *e)
{
	size_t len;
	const char *text = policy_print(a, &p->level->policy, &len);

	return file_replace(dir, STORE_POLICY, text, len, 0600, e);
}

/* What is carried out, not what was asked for: exec, update and delete go by it. */
static int save_effective(struct arena *a, const struct plan *p, int dir, struct err *e)
{
	size_t len;
	const char *text = json_print_object(a, oci_config_type(), &p->config, &len);

	if (file_replace(dir, STORE_CONFIG, text, len, 0600, e) < 0)
		return -e->code;
	return p->level ? plan_save_policy(a, p, dir, e) : 0;
}

/* The sandbox's user has to read its resolv.conf. */
static int save_egress(struct arena *a, const struct plan_egress *x, int dir, struct err *e)
{
	size_t len;
	const char *text = egress_print(a, x->policy, &len);

	if (file_replace(dir, STORE_EGRESS, text, len, 0600, e) < 0)
		return -e->code;
	return x->resolv_conf ? file_replace(dir, STORE_RESOLV, x->resolv_conf,
					     strlen(x->resolv_conf), 0644, e)
			      : 0;
}

int plan_record(struct arena *a, const struct plan *p, int dir, struct brig_state *out,
		struct err *e)
{
	char created[64];

	clock_rfc3339(created, sizeof(created), 9);
	*out = (struct brig_state){
		.v = 1,
		.oci_version = p->config.oci_version,
		.id = p->id,
		.status = "creating",
		.bundle = p->bundle,
		.rootfs = fs_plan_rootfs(p->fs),
		.created = arena_strdup(a, created),
		.owner = geteuid(),
		.level = p->level ? p->level->policy.level.name : "custom",
		.digest = p->level ? p->level->policy.digest : NULL,
		.oom_ends_all = p->watch.warden.oom || p->watch.warden.oom_group,
		.filter_kills = p->level && !p->watch.warden.notify &&
				str_eq(p->level->policy.level.seccomp.violation, "kill"),
		.late_userns = p->level && p->level->late,
		.cpus_directory = p->level && p->level->pins ? p->level->pin.directory : NULL,
		.egress = p->egress ? p->egress->policy->digest : NULL,
		.net = p->egress ? egress_connectivity_words[p->egress->policy->net] : NULL,
		.audit = p->audit,
		.ctx_request = p->ctx.request,
		.ctx_principal = p->ctx.principal,
		.audit_calls = p->watch.warden.denied,
		.private_pid_ns = p->ns.make & CLONE_NEWPID,
		.cgroup = p->cgroup_record,
		.resctrl_group = p->resctrl.own ? p->resctrl.group : NULL,
		.resctrl_monitor = p->resctrl.monitor,
		.annotations = p->config.annotations,
		.n_annotations = p->config.n_annotations,
	};
	/* Who may mount could put a file system of its own there, one that never answers (FUSE). */
	if (!(p->process.caps.bounding & UINT64_C(1) << CAP_SYS_ADMIN))
		out->disk = fs_plan_disks(a, p->fs, &out->n_disk);
	if (p->egress && save_egress(a, p->egress, dir, e) < 0)
		return -e->code;
	if ((p->level || !p->config_text) && save_effective(a, p, dir, e) < 0)
		return -e->code;
	if (!p->level && p->config_text &&
	    file_replace(dir, STORE_CONFIG, p->config_text, p->config_len, 0600, e) < 0)
		return -e->code;
	return p->seccomp.insns ? seccomp_save(&p->seccomp, dir, STORE_SECCOMP, e) : 0;
}
