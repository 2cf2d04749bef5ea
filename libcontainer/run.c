/* run: create, start and, in the foreground, wait and delete, in one process. */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "create.h"
#include "delete.h"
#include "plan.h"
#include "run/sync.h"
#include "store.h"

/* After READY: until the workload runs, then poststart hooks. */
static int see_it_start(struct create *c, struct err *e)
{
	const struct oci_hooks *h = c->plan.config.hooks;
	int r = sync_expect_exec(c->sync, c->plan.process.args[0], e);

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

/* It may have been reaped before the warden looked. */
static void last_look(struct create *c, int *code)
{
	enum { TIMED_OUT = 124, BAD_SYSTEM_CALL = 128 + SIGSYS };
	const struct warden_end *end = warden_ended(c->warden);
	struct err ignored;

	(void)!warden_work(c->warden, &ignored);
	if (str_eq(end->reason, "timeout"))
		log_warn("%s was ended: its time of %llu ms was over", c->id,
			 (unsigned long long)end->wall_ms);
	if (str_eq(end->reason, "syscall"))
		log_warn("%s was ended: system call %s, which nothing in a sandbox needs", c->id,
			 end->syscall ? end->syscall
			 : end->arch  ? end->arch
				      : "of no name");
	if (!c->plan.level->policy.direct)
		return;
	if (str_eq(end->reason, "timeout"))
		*code = TIMED_OUT;
	else if (str_eq(end->reason, "syscall"))
		*code = BAD_SYSTEM_CALL;
}

static int wait_for_end(struct create *c, int *code, struct err *e)
{
	const struct foreground_watch w = {
		.fd = c->warden ? warden_fd(c->warden) : -1,
		.ready = watch,
		.ctx = c->warden,
	};
	struct err ignored;
	int status = 0;

	c->foreground.watch = &w;
	c->foreground.plain = c->opts->direct;

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
	*code = c->foreground.ended_by ? 128 + c->foreground.ended_by
				       : foreground_exit_code(status);
	if (c->warden)
		last_look(c, code);
	if (c->opts->keep)
		return 0;
	struct err gone;
	/* Somebody may have deleted it meanwhile, and made another one of that name. */
	if (store_lock(c->dir, c->id, &gone) < 0)
		return 0;
	c->state.pid = 0;
	return container_destroy(c->host, c->dir, &c->state, e);
}

static int run_container(struct create *c, int *code, struct err *e)
{
	struct err ignored;
	int r = create_make(c, true, e);

	if (r < 0)
		return r;
	r = see_it_start(c, e);
	if (r < 0) {
		(void)!destroy(c, &ignored);
		return r;
	}
	if (c->in_foreground)
		return wait_for_end(c, code, e);
	if (c->notify.sock >= 0) {
		/* Others may work on it meanwhile. */
		own_close(&c->dir);
		notify_wait(&c->notify, c->pid, c->pidfd);
	}
	return 0;
}

int container_run(const struct container_host *h, const struct container_create_opts *o, int *code,
		  struct err *e)
{
	own_arena struct arena a = {0};
	struct create c;
	int r = create_init(&c, h, o, &a, e);

	c.in_foreground = !o->detach;
	*code = 0;
	/* Orphans of a container without its own pid namespace come to us and are reaped. */
	if (c.in_foreground && !o->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "become a subreaper");
	if (r == 0)
		r = run_container(&c, code, e);
	foreground_end(&c.foreground);
	create_done(&c);
	return r;
}
