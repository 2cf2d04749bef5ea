/* start: limits that are tighter than the plan's. */
#include "late.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/wishes.h"
#include "warden/warden.h"

/* In microseconds; what a quota of CPUs is of where the plan has none. */
enum { PERIOD = 100000 };

static int wider(const char *what, enum container_answer *answer, struct err *e)
{
	*answer = ANSWER_REFUSED;
	return err_msg(e, EPERM, "%s: more than its plan has; start only makes limits tighter",
		       what);
}

/* --- what ----------------------------------------------------------------------------------- */

/* Of swap it has as much as before: v1 and the OCI count both together. */
static int plan_memory(struct arena *a, struct late *l, int64_t limit, const struct oci_memory *had,
		       enum container_answer *answer, struct err *e)
{
	struct oci_memory *m = arena_new(a, sizeof(*m));
	int64_t *values = arena_array(a, 2, sizeof(*values));
	bool bounded = had && had->limit && *had->limit > 0;

	if (limit <= 0)
		return err_msg(e, ERANGE, "--memory: above 0");
	if (bounded && limit > *had->limit)
		return wider("--memory", answer, e);
	values[0] = limit;
	*m = (struct oci_memory){.limit = &values[0]};
	if (bounded && had->swap && *had->swap >= *had->limit) {
		values[1] = *had->swap - *had->limit + limit;
		m->swap = &values[1];
	}
	l->limits.memory = m;
	return 0;
}

static int plan_pids(struct arena *a, struct late *l, int64_t limit, const struct oci_pids *had,
		     enum container_answer *answer, struct err *e)
{
	struct oci_pids *p = arena_new(a, sizeof(*p));

	if (limit <= 0)
		return err_msg(e, ERANGE, "--pids: above 0");
	if (had && had->limit > 0 && limit > had->limit)
		return wider("--pids", answer, e);
	p->limit = limit;
	l->limits.pids = p;
	return 0;
}

static int plan_cpus(struct arena *a, struct late *l, const char *text, const struct oci_cpu *had,
		     enum container_answer *answer, struct err *e)
{
	struct oci_cpu *c = arena_new(a, sizeof(*c));
	uint64_t *period = arena_new(a, sizeof(*period));
	int64_t *quota = arena_new(a, sizeof(*quota));
	double cpus;

	if (wish_cpus(text, &cpus, e) < 0)
		return err_wrap(e, "--cpus");
	*period = had && had->period && *had->period ? *had->period : PERIOD;
	*quota = (int64_t)(cpus * (double)*period);
	if (*quota <= 0)
		return err_msg(e, ERANGE, "--cpus: too few");
	if (had && had->quota && *had->quota > 0 && *quota > *had->quota)
		return wider("--cpus", answer, e);
	*c = (struct oci_cpu){.quota = quota, .period = period};
	l->limits.cpu = c;
	return 0;
}

/* Of the times only its warden knows how long they are, and says so. */
static int plan_times(struct late *l, const struct container_start_opts *o, int dir,
		      enum container_answer *answer, struct err *e)
{
	if ((o->wall_ms && !*o->wall_ms) || (o->cpu_ms && !*o->cpu_ms))
		return err_msg(e, ERANGE, "--timeout, --cpu-time: above 0");
	l->wall_ms = o->wall_ms ? *o->wall_ms : 0;
	l->cpu_ms = o->cpu_ms ? *o->cpu_ms : 0;
	if ((!l->wall_ms && !l->cpu_ms) || warden_presence(dir) == WARDEN_LISTENS)
		return 0;
	*answer = ANSWER_REFUSED;
	return err_msg(e, EOPNOTSUPP,
		       "--timeout, --cpu-time: nobody watches this one: create it with a limit of "
		       "time");
}

int late_plan(struct arena *a, struct late *l, const struct container_start_opts *o,
	      const struct oci_config *config, int dir, enum container_answer *answer,
	      struct err *e)
{
	const struct oci_linux *linux_ = config->linux_;
	const struct oci_resources none = {0};
	const struct oci_resources *had = linux_ && linux_->resources ? linux_->resources : &none;
	int r = 0;

	if (o->memory)
		r = plan_memory(a, l, *o->memory, had->memory, answer, e);
	if (r == 0 && o->pids)
		r = plan_pids(a, l, *o->pids, had->pids, answer, e);
	if (r == 0 && o->cpus)
		r = plan_cpus(a, l, o->cpus, had->cpu, answer, e);
	l->has_limits = o->memory || o->pids || o->cpus;
	return r < 0 ? r : plan_times(l, o, dir, answer, e);
}

bool late_wanted(const struct late *l)
{
	return l->has_limits || l->wall_ms || l->cpu_ms || l->n_inputs || l->n_taken;
}

/* --- there ---------------------------------------------------------------------------------- */

int late_begin(int dir, struct err *e)
{
	own_fd int fd = openat(dir, LATE_BOUND, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_set(e, errno, "create " LATE_BOUND) : 0;
}

int late_times(const struct late *l, int dir, struct err *e)
{
	return l->wall_ms || l->cpu_ms ? warden_tell_times(dir, l->wall_ms, l->cpu_ms, e) : 0;
}

int late_narrow(struct arena *a, const struct late *l, struct cgroup *cg, struct err *e)
{
	return l->has_limits ? cgroup_update(a, cg, &l->limits, e) : 0;
}

void late_tell(struct json_out *o, const struct late *l)
{
	if (l->limits.memory)
		json_key_int(o, "memory", *l->limits.memory->limit);
	if (l->limits.pids)
		json_key_int(o, "pids", l->limits.pids->limit);
	if (l->limits.cpu)
		json_key_int(o, "cpu_quota", *l->limits.cpu->quota);
	if (l->wall_ms)
		json_key_uint(o, "timeout_ms", l->wall_ms);
	if (l->cpu_ms)
		json_key_uint(o, "cpu_time_ms", l->cpu_ms);
	if (l->n_taken) {
		json_key(o, "egress_less");
		json_strs(o, l->taken, l->n_taken);
	}
	if (!l->n_inputs)
		return;
	json_key(o, "in");
	json_array(o);
	for (size_t i = 0; i < l->n_inputs; i++)
		json_str(o, l->inputs[i].dst);
	json_end_array(o);
}
