/*
 * New limits for a live cgroup: all or none.  What the kernel refuses is said in words, and what
 * it would not refuse but answer with a kill (v2: a memory limit below what is in use) is refused
 * here.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "cgroup/internal.h"
#include "cgroup/settings.h"
#include "cgroup/text.h"

/* A file of one number; -1: not there or "max". */
static int64_t number_in(const struct cg_dir *d, const char *file)
{
	char text[32];
	uint64_t v;

	if (!d || cg_peek(d, file, text, sizeof(text)) <= 0 || !str_u64(text, &v) || v > INT64_MAX)
		return -1;
	return (int64_t)v;
}

static int64_t memory_in_use(const struct cgroup *cg)
{
	bool v2 = cg->layout == CGROUP_V2;

	return number_in(cg_find(cg, CG_MEMORY), v2 ? "memory.current" : "memory.usage_in_bytes");
}

/* What runc's checkBeforeUpdate asks for: no try to free anything, and runc's words. */
static int check_usage(const struct cgroup *cg, const struct oci_memory *m, struct err *e)
{
	int64_t limit = m->limit ? *m->limit : 0, swap = m->swap ? *m->swap : 0;
	int64_t usage = memory_in_use(cg);

	if (usage >= 0 && swap > 0 && swap <= usage)
		return err_msg(e, EINVAL, "rejecting memory+swap limit %lld <= usage %lld",
			       (long long)swap, (long long)usage);
	if (usage >= 0 && limit > 0 && limit <= usage)
		return err_msg(e, EINVAL, "rejecting memory limit %lld <= usage %lld",
			       (long long)limit, (long long)usage);
	return 0;
}

static int below_usage(int64_t limit, int64_t usage, struct err *e)
{
	return err_msg(e, EBUSY,
		       "memory limit %lld is below the %lld bytes in use, and the kernel could not "
		       "free enough of them: no limit was changed",
		       (long long)limit, (long long)usage);
}

/*
 * One try to bring the usage down to limit.  memory.reclaim is Linux 5.19; before it memory.high
 * does the same when it is written, and has its old value again afterwards.
 */
static void reclaim(const struct cg_dir *d, int64_t limit, int64_t usage)
{
	char text[32], high[32];
	struct err lost;

	snprintf(text, sizeof(text), "%lld", (long long)(usage - limit));
	own_fd int fd = cg_open_file(d, "memory.reclaim", O_WRONLY);
	if (fd >= 0) {
		/* EAGAIN: less than that could be freed; the usage is read again anyway */
		(void)!pwrite(fd, text, strlen(text), 0);
		return;
	}
	if (cg_peek(d, "memory.high", high, sizeof(high)) <= 0)
		return;
	snprintf(text, sizeof(text), "%lld", (long long)limit);
	/* Not set: nothing to set back, and what is in use decides. */
	if (cg_poke(d, "memory.high", text, &lost) == 0)
		(void)!cg_poke(d, "memory.high", high, &lost);
}

/* v2 answers a limit below the usage with the OOM killer; who says so in so many words gets it. */
static int make_room(const struct cgroup *cg, const struct oci_memory *m, struct err *e)
{
	enum { TRIES = 4 };
	const struct cg_dir *d = cg_find(cg, CG_MEMORY);
	int64_t limit = m->limit ? *m->limit : 0, usage = memory_in_use(cg), before;

	if (!d || limit <= 0 || m->check_before_update)
		return 0;
	for (int i = 0; i < TRIES && usage > limit; i++) {
		before = usage;
		reclaim(d, limit, usage);
		usage = memory_in_use(cg);
		if (usage >= before)
			break;
	}
	return usage > limit ? below_usage(limit, usage, e) : 0;
}

/* v2 takes CPUs that cannot be had and silently goes on with those of the directory above. */
static int check_set(const struct cgroup *cg, const char *file, const char *list, struct err *e)
{
	enum { BITS = 8192 };
	const struct cg_dir *d = cg_find(cg, CG_CPUSET);
	uint64_t wanted[BITS / 64], there[BITS / 64];
	char above[64], text[4096];

	snprintf(above, sizeof(above), "../%s.effective", file);
	if (!d || !list || !list[0] || !str_cpulist(list, wanted, BITS) ||
	    cg_peek(d, above, text, sizeof(text)) <= 0 || !str_cpulist(text, there, BITS))
		return 0;
	for (size_t i = 0; i < LEN(wanted); i++)
		if (wanted[i] & there[i])
			return 0;
	return err_msg(e, EINVAL, "%s \"%.60s\": only %.60s can be had: no limit was changed", file,
		       list, text);
}

static int check_v2(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	int x = r->cpu ? check_set(cg, "cpuset.cpus", r->cpu->cpus, e) : 0;

	if (x >= 0 && r->cpu)
		x = check_set(cg, "cpuset.mems", r->cpu->mems, e);
	return x >= 0 && r->memory ? make_room(cg, r->memory, e) : x;
}

/* What v1 refused, where its error number does not say why. */
static int explain_memory(const struct cgroup *cg, const struct oci_memory *m, struct err *e)
{
	int64_t limit = m->limit ? *m->limit : 0, usage = memory_in_use(cg);
	int64_t both = number_in(cg_find(cg, CG_MEMORY), "memory.memsw.limit_in_bytes");

	if (e->code == EBUSY && limit > 0 && usage > limit)
		return below_usage(limit, usage, e);
	if (e->code == EINVAL && limit > 0 && !(m->swap && *m->swap) && both >= 0 && limit > both)
		return err_msg(e, EINVAL,
			       "memory limit %lld is above the limit %lld of memory and swap "
			       "together, which has to be raised with it (--memory-swap): no limit "
			       "was changed",
			       (long long)limit, (long long)both);
	return -e->code;
}

static int explain(const struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	const struct cg_dir *d = cg_find(cg, CG_CPUSET);
	bool v2 = cg->layout == CGROUP_V2;
	char cpus[2048] = "", mems[512] = "";

	if (!v2 && r->memory && strstr(e->msg, "/memory.limit_in_bytes"))
		return explain_memory(cg, r->memory, e);
	if (!d || !r->cpu || !strstr(e->msg, "/cpuset.") ||
	    cg_peek(d, v2 ? "../cpuset.cpus.effective" : "../cpuset.cpus", cpus, sizeof(cpus)) <
		    0 ||
	    cg_peek(d, v2 ? "../cpuset.mems.effective" : "../cpuset.mems", mems, sizeof(mems)) < 0)
		return -e->code;
	return err_wrap(e, "only CPUs %.60s and memory nodes %.60s can be had", cpus, mems);
}

int cgroup_update(struct arena *a, struct cgroup *cg, const struct oci_resources *r, struct err *e)
{
	struct settings s = {.a = a};
	struct undo_list undo = {.a = a};
	bool v2 = cg->layout == CGROUP_V2;
	int x = v2 ? settings_v2(&s, r, cg, e) : settings_v1(&s, r, cg, e);

	if (x >= 0 && s.n && !cg->n_dirs)
		x = err_msg(e, ENOENT,
			    "cannot set %s limit: container could not join or create cgroup",
			    cg_ctrl_name(s.v[0].ctrl, false));
	if (x >= 0 && r->memory && r->memory->check_before_update &&
	    *r->memory->check_before_update)
		x = check_usage(cg, r->memory, e);
	if (x >= 0 && v2)
		x = check_v2(cg, r, e);
	if (x < 0)
		return x;
	if (settings_apply(cg, &s, &undo, e) < 0)
		return explain(cg, r, e);
	if (!cg->unit)
		return 0;
	/*
	 * systemd has to know, or it would write the old limits back at its next reload.  It writes
	 * them in its own roundings: ours come last.
	 */
	if (cg_systemd_set(cg, a, r, e) < 0) {
		settings_undo(cg, &undo);
		return -e->code;
	}
	return settings_apply(cg, &s, NULL, e);
}
