/* create and run: which CPUs the sandbox gets.  docs/cpu.md */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "cpu/pin.h"
#include "create.h"
#include "status.h"
#include "store.h"

bool create_pins(const void *ctx)
{
	const struct create *c = ctx;

	return c->plan.level && c->plan.level->pins;
}

bool create_pins_cores(const void *ctx)
{
	const struct create *c = ctx;

	return create_pins(c) && c->plan.level->pin.kind == PIN_EXCLUSIVE;
}

/* --- what the book asks ---------------------------------------------------------------------- */

/*
 * Who claims CPUs has the lock of its state directory, until its state.json with a pid is there:
 * so the lock is looked at first.  A pid that is gone is not all in a joined pid namespace.
 */
static bool is_dead(void *ctx, const char *user)
{
	own_arena struct arena a = {0};
	own_fd int dir = open(user, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct cgroup *cg = NULL;
	struct brig_state s;
	pid_t *pids;
	struct err e;
	size_t n = 1;

	(void)ctx;
	if (dir < 0 || store_is_locked(dir))
		return false;
	int r = store_load(dir, &a, &s, &e);
	if (r < 0)
		return r == -ENOENT && !store_is_locked(dir);
	if (cgroup_open(&a, &s.cgroup, &cg, &e) < 0)
		return false;
	bool dead = status_of(dir, &s, NULL) == STATUS_STOPPED &&
		    cgroup_pids(&a, cg, &pids, &n, &e) == 0 && n == 0;
	if (dead)
		cgroup_partition_end(cg);
	cgroup_close(cg);
	return dead;
}

static void above(void *ctx, struct arena *a, const char **cpus, const char **mems)
{
	const struct create *c = ctx;
	struct cgroup_cpuset set;

	cgroup_plan_cpuset(a, c->plan.cgroup, &set);
	*cpus = set.cpus;
	*mems = set.mems;
}

/* A foreground run has them blocked by now and reads them from a descriptor, later. */
static bool interrupted(void *ctx)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	sigset_t pending;

	(void)ctx;
	if (sigpending(&pending) < 0)
		return false;
	for (size_t i = 0; i < LEN(signals); i++)
		if (sigismember(&pending, signals[i]) == 1)
			return true;
	return false;
}

/* --- steps ----------------------------------------------------------------------------------- */

static void note(struct create *c, const char *field, const char *value, const char *reason,
		 enum policy_outcome outcome)
{
	const struct policy_decision d = {
		.field = field,
		.value = value,
		.by = BY_HOST,
		.outcome = outcome,
		.reason = reason,
	};

	policy_note(c->arena, &c->plan.level->policy, &d);
}

int create_cpus(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct plan_level *l = c->plan.level;
	struct pin_choice choice;

	l->pin.user = create_directory(c);
	l->pin.wait_ms = c->opts->pin_wait_ms;
	l->pin.host = (struct pin_callbacks){is_dead, above, interrupted, c};
	if (c->before && c->cpus)
		l->pin.allowed = c->cpus; /* those it had: each generation has the same */
	if (pin_claim(c->arena, &l->pin, &choice, e) < 0)
		return err_wrap(e, "cpu.pin %s", l->policy.level.cpu.pin);
	if (l->machine)
		l->machine->cpus = choice.cpus;
	c->cpus = choice.cpus;
	note(c, "linux.resources.cpu.cpus", choice.cpus, choice.why, OUTCOME_SET);
	if (plan_cgroup_with_cpus(c->arena, &c->plan, choice.cpus, choice.mems, e) == 0)
		return 0;
	create_cpus_end(c);
	return -e->code;
}

void create_cpus_end(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (c->before)
		return;
	if (pin_release(c->plan.level->pin.directory, create_directory(c), &e) < 0)
		log_warn("%s", e.msg);
}

/* The book keeps brig's sandboxes off; a partition does so with everybody else. */
int create_partition(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct err why;

	if (cgroup_partition(c->cgroup, &why) == 0)
		note(c, "cpu.partition", "root", "nobody else runs on these CPUs", OUTCOME_SET);
	else
		note(c, "cpu.partition", "not in force",
		     arena_printf(c->arena, "others of the host may run there: %s", why.msg),
		     OUTCOME_RECORDED);
	return plan_save_policy(c->arena, &c->plan, c->dir, e);
}
