/* create and run: who watches the sandbox.  docs/warden.md */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "create.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "plan_violations.h"
#include "reuse.h"
#include "status.h"

/* --- the warden --------------------------------------------------------------------------- */

/* Whatever the sandbox has: its first process, then all of its cgroup. */
static void end_sandbox(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (c->pidfd >= 0)
		(void)sys_pidfd_send_signal(c->pidfd, SIGKILL);
	if (c->cgroup && cgroup_signal(c->cgroup, SIGKILL, &e) < 0)
		log_warn("%s", e.msg);
}

/* A frozen one does not hear of it. */
static bool ask_to_end(void *ctx)
{
	struct create *c = ctx;
	struct err ignored;

	if (!foreground_minds(c->pid, SIGTERM))
		return false;
	if (c->cgroup && cgroup_is_frozen(c->cgroup) == 1 &&
	    cgroup_freeze(c->cgroup, false, &ignored) < 0)
		log_warn("%s", ignored.msg);
	return sys_pidfd_send_signal(c->pidfd, SIGTERM) == 0;
}

/* Known when the CPUs have been claimed; 0: those that are online. */
static struct warden_plan warden_plan_of(const struct create *c)
{
	const struct oci_linux *l = c->plan.config.linux_;
	const struct oci_cpu *cpu = l && l->resources ? l->resources->cpu : NULL;
	struct warden_plan p = c->plan.watch.warden;
	uint64_t set[1024 / 64] = {0};

	if (cpu && cpu->cpus && str_cpulist(cpu->cpus, set, 1024))
		for (size_t i = 0; i < LEN(set); i++)
			p.cpus += (unsigned int)__builtin_popcountll(set[i]);
	return p;
}

/* What the filter said before its denied calls were made to notify. */
static uint32_t decide(void *ctx, const struct seccomp_data *call)
{
	const struct seccomp_program *p = &((const struct create *)ctx)->plan.decides;

	return bpf_run(p->insns, p->n_insns, call);
}

static int detach_warden(struct create *c, struct err *e)
{
	const struct warden_detach d = {
		.plan = warden_plan_of(c),
		.gauges = watch_gauges(&c->watch, !c->in_foreground),
		.streams = c->output.streams,
		.n_streams = c->output.n_streams,
		.dir = c->dir,
		.syscall_name = level_filter_syscall_name,
		.decide = decide,
		.decide_ctx = c,
		.reports = evidence_reports(&c->evidence),
		.enclose = c->plan.watch.encloses,
	};
	int r = warden_detach(&d, &c->detached, e);

	if (r < 0)
		return r;
	for (size_t i = 0; i < c->output.n_streams; i++) {
		own_close(&c->output.streams[i].from);
		own_close(&c->output.streams[i].to);
	}
	c->state.warden_pid = c->detached.pid;
	c->state.warden_start_time = process_start_time(c->detached.pid);
	return 0;
}

static int open_warden(struct create *c, struct err *e)
{
	struct warden_host h = {
		.dir = c->dir,
		.pidfd = -1,
		.control = warden_control_make(c->dir, e),
		.kill = end_sandbox,
		.term = ask_to_end,
		.ctx = c,
		.syscall_name = level_filter_syscall_name,
		.decide = decide,
		.decide_ctx = c,
		.reports = evidence_reports(&c->evidence),
		.gauges = watch_gauges(&c->watch, false),
		.streams = c->output.streams,
		.n_streams = c->output.n_streams,
	};
	const struct warden_plan p = warden_plan_of(c);

	if (h.control < 0)
		return h.control;
	int r = warden_open(c->arena, &p, &h, &c->warden, e);
	if (r < 0)
		(void)close(h.control);
	else
		create_output_taken(&c->output);
	return r;
}

void create_warden_end(void *ctx)
{
	struct create *c = ctx;

	warden_close(c->warden);
	c->warden = NULL;
	warden_detached_end(&c->detached);
	watch_close(&c->watch);
	create_output_close(&c->output);
}

/* The next generation's goes nowhere until a start says where: not to who resets. */
static int make_output(struct create *c, struct err *e)
{
	struct reuse_streams streams = {0};
	int r = c->before ? reuse_streams_away(&streams, e) : 0;

	if (r == 0)
		r = create_output_make(&c->output, c->reuse, e);
	reuse_streams_back(&streams);
	return r;
}

static int make_warden(struct create *c, struct err *e)
{
	int r = c->plan.watch.warden.output ? make_output(c, e) : 0;

	if (r == 0)
		r = c->plan.watch.detached ? detach_warden(c, e) : open_warden(c, e);
	if (r < 0)
		create_output_close(&c->output);
	return r;
}

int create_warden(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = make_warden(c, e);

	if (r < 0)
		return r;
	c->warden_end = warden_connect(c->dir, e);
	if (c->warden_end < 0)
		create_warden_end(c);
	return c->warden_end < 0 ? c->warden_end : 0;
}

bool create_has_detached(const void *ctx)
{
	const struct create *c = ctx;

	return c->plan.watch.wanted && c->plan.watch.detached;
}

int create_warden_ready(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return warden_detached_await(&c->detached, c->plan.watch.encloses, e);
}

static int send_status(struct create *c, struct err *e)
{
	own_fd int fd =
		open(arena_printf(c->arena, "/proc/%d/status", (int)c->pid), O_RDONLY | O_CLOEXEC);

	return fd < 0 ? err_set(e, errno, "open the status of the sandbox's first process")
		      : warden_detached_status(&c->detached, fd, e);
}

/* From here on it ends with the sandbox, and not with us. */
static int adopt_by_detached(struct create *c, struct err *e)
{
	struct cgroup_ending ways[CGROUP_ENDINGS];
	bool asks = c->plan.watch.warden.grace_ms;
	size_t n = cgroup_endings(c->cgroup, asks, ways);
	struct err settled;
	int r = 0;

	warden_detached_hurry(&c->detached);
	for (size_t i = 0; i < n; i++) {
		if (r == 0)
			r = warden_detached_poke(&c->detached, ways[i].fd, ways[i].text,
						 ways[i].thaws, e);
		(void)close(ways[i].fd);
	}
	if (r == 0 && asks)
		r = send_status(c, e);
	if (r == 0)
		r = watch_send(&c->watch, &c->detached, e);
	if (r == 0)
		r = warden_detached_adopt(&c->detached, c->pidfd, e);
	int answers = warden_detached_settle(&c->detached, r < 0 ? &settled : e);
	return r < 0 ? r : answers;
}

static bool has_pids_limit(const struct create *c)
{
	const struct oci_linux *l = c->plan.config.linux_;
	const struct oci_resources *r = l ? l->resources : NULL;

	return r && r->pids && r->pids->limit > 0;
}

static int give_freezer(struct create *c, struct err *e)
{
	bool v1;

	if (!plan_violations_freeze(&c->plan.watch.warden))
		return 0;
	own_fd int fd = cgroup_freezer_open(c->cgroup, &v1, e);
	if (fd < 0)
		return err_wrap(e, "violations: throttle or quarantine");
	return c->warden ? warden_freezer(c->warden, fd, v1, e)
			 : warden_detached_freezer(&c->detached, fd, v1, e);
}

/* What the warden looks at; for a result, which a detached one writes, all of it. */
static int open_watch(struct create *c, struct err *e)
{
	const struct warden_plan *p = &c->plan.watch.warden;
	uint32_t set = (p->cpu_ms ? METER_BIT(METER_CPU) : 0) |
		       (p->oom ? METER_BIT(METER_OOM) : 0) |
		       (has_pids_limit(c) ? METER_BIT(METER_PIDS_REFUSED) : 0);

	/* Who asks for a result in the end finds nothing of a fleeting one any more. */
	bool all = !c->warden || c->wants_result || cgroup_is_fleeting(c->cgroup);

	watch_keep(&c->watch, c->cgroup, all ? WATCH_RESULT : set, p->oom);
	if (p->oom && c->watch.oom < 0)
		return err_msg(e, EOPNOTSUPP,
			       "level %s: a limit of memory takes notice here of processes killed "
			       "for it (memory.oom_control, memory.events), which cannot be had",
			       c->plan.level->policy.level.name);
	return 0;
}

int create_adopt(void *ctx, struct err *e)
{
	struct create *c = ctx;

	if (open_watch(c, e) < 0 || give_freezer(c, e) < 0)
		return -e->code;
	return c->warden ? warden_adopt(c->warden, c->pidfd, e) : adopt_by_detached(c, e);
}

bool create_is_tied(const void *ctx)
{
	const struct create *c = ctx;

	return c->plan.watch.warden.tied;
}

int create_tie(void *ctx, struct err *e)
{
	return warden_tie_make(&((struct create *)ctx)->tie, e);
}

void create_tie_end(void *ctx)
{
	warden_tie_end(&((struct create *)ctx)->tie);
}
