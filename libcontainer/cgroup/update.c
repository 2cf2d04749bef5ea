#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/settings.h"

/* v2 would answer a limit below the usage with the OOM killer: asked to, refuse instead. */
static int check_usage(const struct cgroup *cg, const struct oci_memory *m, struct err *e)
{
	bool v2 = cg->layout == CGROUP_V2;
	const struct cg_dir *d = cg_find(cg, CG_MEMORY);
	int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;
	char text[32];
	uint64_t usage;

	if (!m->check_before_update || !*m->check_before_update || !d)
		return 0;
	if (cg_peek(d, v2 ? "memory.current" : "memory.usage_in_bytes", text, sizeof(text)) <= 0 ||
	    !str_u64(text, &usage))
		return 0;
	if (swap > 0 && (uint64_t)swap <= usage)
		return err_msg(e, EINVAL, "rejecting memory+swap limit %lld <= usage %llu",
			       (long long)swap, (unsigned long long)usage);
	if (limit > 0 && (uint64_t)limit <= usage)
		return err_msg(e, EINVAL, "rejecting memory limit %lld <= usage %llu",
			       (long long)limit, (unsigned long long)usage);
	return 0;
}

int cgroup_update(struct arena *a, struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	struct settings s = {.a = a};
	struct undo_list undo = {.a = a};
	int x;

	if (cg->layout == CGROUP_V2)
		x = settings_v2(&s, r, cg, e);
	else
		x = settings_v1(&s, r, cg, e);
	if (x >= 0 && s.n && !cg->n_dirs)
		x = err_msg(e, ENOENT,
			    "cannot set %s limit: container could not join or create cgroup",
			    cg_ctrl_name(s.v[0].ctrl, false));
	if (x >= 0 && r->memory)
		x = check_usage(cg, r->memory, e);
	/* systemd first: what it knows it would write back at its next reload. */
	if (x >= 0 && cg->unit)
		x = cg_systemd_set(cg, a, r, e);
	return x < 0 ? x : settings_apply(cg, &s, &undo, e);
}
