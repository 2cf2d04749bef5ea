/* run: create, start and, in the foreground, wait and delete, in one process. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "create.h"
#include "delete.h"
#include "layers.h"
#include "outcome.h"
#include "plan.h"
#include "result.h"
#include "result_target.h"
#include "run/sync.h"
#include "store.h"
#include "taint.h"

/* After READY: until the workload runs, then poststart hooks. */
static int see_it_start(struct create *c, struct err *e)
{
	const struct oci_hooks *h = c->plan.config.hooks;
	int r = sync_expect_exec(c->sync, c->plan.process.args[0], true, e);

	if (r < 0 || !h || !h->n_poststart)
		return r;
	return hooks_run("poststart", h->poststart, h->n_poststart,
			 container_hook_state(c->arena, &c->state, "running"), &c->hook_output, e);
}

static int destroy(struct create *c, struct err *e)
{
	create_kill_child(c);
	return container_destroy(c->host, c->dir, &c->state, e);
}

static int watch(void *ctx, struct err *e)
{
	return warden_work(ctx, e);
}

static bool is_busy(void *ctx)
{
	return ctx && !warden_over(ctx);
}

/* --- its end ------------------------------------------------------------------------------ */

/* What this run was asked to tell of the end, beside its exit code. */
struct told {
	struct create *create;
	struct result_target to;
	struct brig_result result;
	bool is_set;
	struct warden_end end;
	struct result_changes changes; /* of a dry run */
};

/* It may have been reaped before the warden looked; a tied one has written down what it saw. */
static void end_of_warden(struct create *c, struct warden_end *out)
{
	enum { WORDS_MS = 2000 };
	struct err why;

	if (c->warden) {
		(void)!warden_work(c->warden, &why);
		*out = *warden_ended(c->warden);
	} else if (c->detached.pid) {
		warden_await_end(c->dir, WORDS_MS);
		if (warden_end_read(c->arena, c->dir, out, &why) < 0)
			log_warn("%s", why.msg);
	}
}

static void say_why(const struct create *c, const struct warden_end *end)
{
	const struct {
		const char *reason, *before, *after; /* the limit stands between */
		uint64_t limit;
	} rows[] = {
		{"timeout",     "its time of",                     "ms was over",       end->wall_ms},
		{"cpu-time",    "its CPU time of",                 "ms was used up",    end->cpu_ms },
		{"output",      "its output of",                   "bytes was written", end->output },
		{"memory",      "a process was killed for memory", NULL,                0           },
		{"warden-lost", "nobody could watch it any more",  NULL,                0           },
	};

	if (str_eq(end->reason, "syscall"))
		log_warn("%s was ended: system call %s, which nothing in a sandbox needs", c->id,
			 end->syscall ? end->syscall
			 : end->arch  ? end->arch
				      : "of no name");
	if (str_eq(end->reason, "violation"))
		log_warn("%s was ended: violation of class %s: %s", c->id, end->class_,
			 end->name ? end->name : "not known");
	if (str_eq(end->reason, "audit"))
		log_warn("%s was ended: evidence of what it tried cannot be kept: %s", c->id,
			 end->message ? end->message : "");
	for (size_t i = 0; i < LEN(rows); i++)
		if (str_eq(end->reason, rows[i].reason) && rows[i].after)
			log_warn("%s was ended: %s %llu %s", c->id, rows[i].before,
				 (unsigned long long)rows[i].limit, rows[i].after);
		else if (str_eq(end->reason, rows[i].reason))
			log_warn("%s was ended: %s", c->id, rows[i].before);
}

static struct exit_info exit_of(const struct foreground *f, int status)
{
	if (f->ended_by) /* what it was sent, by way of SIGKILL */
		return (struct exit_info){.known = true, .status = f->ended_by};
	if (f->lost)
		return (struct exit_info){.unknown = "somebody else reaped it"};
	return (struct exit_info){.known = true, .status = status};
}

/*
 * It ends with the sandbox, when it has written down what it saw; for nobody it need not, and dies
 * while its sandbox is taken away (run_container).
 */
static void end_resolver(struct create *c, bool for_nobody)
{
	enum { WORDS_MS = 1000 };
	struct pollfd p = {.fd = c->resolver.pidfd, .events = POLLIN};

	if (!c->resolver.pid)
		return;
	if (for_nobody && !c->plan.egress->flows) {
		resolver_kill(&c->resolver);
		return;
	}
	/* A detached warden of ours has waited for it already. */
	if (c->warden)
		resolver_tell(&c->resolver);
	if (poll(&p, 1, WORDS_MS) > 0)
		(void)waitpid(c->resolver.pid, NULL, WNOHANG);
}

/* All that a result takes but what its cgroup has counted. */
static void gather(struct create *c, int status, struct result_facts *out)
{
	uint64_t now = clock_monotonic_ns();

	watch_facts(&c->state, out);
	out->exit = exit_of(&c->foreground, status);
	out->ended_ns = now;
	end_of_warden(c, &out->end);
	/* A program may be over before the warden hears of its start. */
	if (out->end.started_ns && out->end.started_ns < out->started_ns)
		out->started_ns = out->end.started_ns;
	if (out->end.ended_ns)
		out->ended_ns = out->end.ended_ns;
}

/* Before the cgroup goes.  Nobody else may have asked for it: then nothing is opened. */
static void tell(struct told *t, struct result_facts *f)
{
	struct create *c = t->create;
	bool awaited = outcome_awaited(c->dir);
	struct err why;

	end_resolver(c, !c->wants_result && !awaited);
	if (!c->wants_result && !awaited && !c->plan.audit)
		return;
	if (!c->wants_result && !cgroup_is_fleeting(c->cgroup))
		watch_open(&c->watch, c->cgroup, WATCH_RESULT, false);
	f->process = c->foreground.lost ? NULL : &c->foreground.usage;
	watch_usage(&c->watch, f);
	watch_network(c->arena, c->dir, f);
	watch_violations(c->arena, c->dir, f);
	result_compose(c->arena, f, &t->result);
	taint_of_result(c->arena, c->dir, &t->result, NULL);
	t->is_set = true;
	evidence_exited(&c->evidence, &t->result);
	/* Somebody may have deleted it meanwhile. */
	if ((c->opts->keep || awaited) && result_write(c->dir, &t->result, &why) < 0)
		log_debug("%s", why.msg);
}

/* The log is open still: what is last is written by us, not by who removes. */
static int remove_all(struct create *c, struct err *e)
{
	struct brig_state s = c->state;
	struct err ignored;

	s.pid = 0;
	s.audit = NULL;
	int r = container_destroy(c->host, c->dir, &s, e);
	const struct audit_record gone = {
		.event = "SandboxDestroyed",
		.action = "run",
		.outcome = r < 0 ? "failed" : "ok",
	};
	if (evidence_write(&c->evidence, &gone, &ignored) < 0)
		log_warn("%s", ignored.msg);
	return r;
}

static int wait_for_end(struct told *t, int *code, struct err *e)
{
	struct create *c = t->create;
	const struct foreground_watch w = {
		.fd = c->warden ? warden_fd(c->warden) : -1,
		.ready = watch,
		.busy = is_busy,
		.ctx = c->warden,
	};
	struct result_facts facts;
	struct err ignored;
	int status = 0;

	c->foreground.watch = &w;
	c->foreground.plain = c->opts->direct;
	/* With a warden of its own they are open already, with what that one needs. */
	if (!c->warden && (c->wants_result || cgroup_is_fleeting(c->cgroup)))
		watch_keep(&c->watch, c->cgroup, WATCH_RESULT, false);

	/* Others may work on it while it runs. */
	store_unlock(c->dir);
	if (c->notify.sock >= 0)
		c->foreground.notify = &c->notify;
	int r = foreground_wait(&c->foreground, c->pid, c->pidfd, c->master, &status, e);
	c->foreground.watch = NULL;
	foreground_end(&c->foreground);
	if (r < 0) {
		/* Nobody watches any more. */
		(void)!destroy(c, &ignored);
		return r;
	}
	gather(c, status, &facts);
	t->end = facts.end;
	*code = c->opts->direct          ? result_code(&facts)
		: c->foreground.ended_by ? 128 + c->foreground.ended_by
					 : foreground_exit_code(status);
	tell(t, &facts);
	if (c->opts->keep)
		return 0;
	struct err gone;
	/* Somebody may have deleted it meanwhile, and made another one of that name. */
	if (store_lock(c->dir, c->id, &gone) < 0)
		return 0;
	return remove_all(c, e);
}

/* --- the verb ----------------------------------------------------------------------------- */

static int run_container(struct told *t, int *code, struct err *e)
{
	struct create *c = t->create;
	struct err ignored;
	int r = create_make(c, true, e);

	if (r < 0)
		return r;
	r = see_it_start(c, e);
	if (r < 0) {
		(void)!destroy(c, &ignored);
		return r;
	}
	if (c->in_foreground) {
		r = wait_for_end(t, code, e);
		resolver_end(&c->resolver);
		return r;
	}
	if (c->notify.sock >= 0) {
		/* Others may work on it meanwhile. */
		own_close(&c->dir);
		notify_wait(&c->notify, c->pid, c->pidfd);
	}
	return 0;
}

static void tell_failure(struct told *t, const struct err *failed)
{
	struct create *c = t->create;
	struct result_facts f;

	watch_facts(&c->state, &f);
	f.id = c->id;
	if (!f.level)
		f.level = c->opts->level ? c->opts->level : c->host->level;
	f.failed = failed;
	result_compose(c->arena, &f, &t->result);
	t->is_set = true;
}

/* Last, for whoever reads may be slow: nothing is left of the sandbox by then. */
static int write_result(struct told *t, int r, struct err *e)
{
	struct err why;

	if (r < 0 && !t->is_set)
		tell_failure(t, e);
	if (!t->is_set || result_target_write(&t->to, &t->result, &why) == 0)
		return r;
	if (r < 0) {
		log_warn("%s", why.msg);
		return r;
	}
	*e = why;
	return -e->code;
}

int container_run(const struct container_host *h, const struct container_create_opts *o, int *code,
		  struct err *e)
{
	own_arena struct arena a = {0};
	struct create c;
	struct told t = {.create = &c, .to = RESULT_TARGET_NONE};
	int r = create_init(&c, h, o, &a, e);

	c.in_foreground = !o->detach;
	*code = 0;
	if (r == 0 && o->result)
		r = result_target_open(o->result, o->result_isolate, &t.to, e);
	bool writes = r == 0 && o->result;
	if (r == 0 && o->dry_run && o->detach)
		r = err_msg(e, EINVAL, "--dry-run and --detach: who would tell what it wrote?");
	/* Orphans of a container without its own pid namespace come to us and are reaped. */
	if (r == 0 && c.in_foreground && !o->no_subreaper &&
	    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		r = err_set(e, errno, "become a subreaper");
	if (r == 0)
		r = run_container(&t, code, e);
	foreground_end(&c.foreground);
	if (r == 0 && o->dry_run) {
		r = layers_dry(&c, &t.changes, e);
		t.result.changes = &t.changes;
	}
	say_why(&c, &t.end); /* when nothing is left of it: it may have to wait for a reader */
	if (writes)
		r = write_result(&t, r, e);
	if (r < 0 && o->direct)
		*code = result_start_code(e);
	result_target_close(&t.to);
	create_done(&c);
	return r;
}
