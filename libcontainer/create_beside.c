/*
 * create and run: what the runtime does beside the child, from its birth until it is ready; the
 * other side of each meeting is in init.c, what is said there in run/sync.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "create.h"
#include "delete.h"
#include "net/netdev.h"
#include "run/notify.h"
#include "run/pidfile.h"
#include "run/spawn.h"
#include "run/sync.h"
#include "status.h"
#include "store.h"

int create_write_maps(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return idmap_write(&c->plan.idmap, c->pid, c->plan.privileged, e);
}

int create_attach(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = cgroup_attach(c->cgroup, c->pid, e);

	if (r == 0)
		r = store_claim(c->dir, e);
	if (r == 0)
		c->state.cgroup = cgroup_get_record(c->arena, c->cgroup);
	return r;
}

int create_apply_resctrl(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return resctrl_apply(&c->plan.resctrl, c->pid, e);
}

void create_drop_resctrl(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (resctrl_remove(c->state.resctrl_group, c->state.resctrl_monitor, &e) < 0)
		log_warn("%s", e.msg);
}

int create_move_devices(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct oci_linux *l = c->plan.config.linux_;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)c->pid);
	own_fd int ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0)
		return err_set(e, errno, "open %s", path);
	return netdev_move(c->arena, l->net_devices, l->n_net_devices, ns, e);
}

int create_tell_placed(void *ctx, struct err *e)
{
	return sync_send(((struct create *)ctx)->sync, SYNC_PLACED, e);
}

/* run writes it while the child is still busy; create when the child is ready. */
static int save_state(struct create *c, const char *status, struct err *e)
{
	c->state.status = status;
	c->state.pid = c->pid;
	c->state.start_time = process_start_time(c->pid);
	if (c->plan.run)
		c->state.started_ns = clock_monotonic_ns();
	if (c->in_foreground)
		c->state.runner_pid = getpid();
	return store_save(c->dir, &c->state, e);
}

int create_save_running(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return c->plan.run ? save_state(c, "running", e) : 0;
}

int create_save_created(void *ctx, struct err *e)
{
	struct create *c = ctx;

	/* It waits for start, which refuses it until it was looked at. */
	if (c->before)
		c->reuse->journal = "verify";
	return save_state(c, "created", e);
}

int create_write_pid_file(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return pidfile_write(c->opts->pid_file, c->pid, e);
}

int create_send_pidfd(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return pidfd_send(c->opts->pidfd_socket, c->pidfd, e);
}

int create_await_console(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = sync_expect_fd(c->sync, SYNC_CONSOLE, &c->master, e);

	if (r < 0)
		return r;
	return foreground_console(&c->foreground, c->master,
				  c->plan.process.spec->console_size != NULL, e);
}

int create_runtime_hooks(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct oci_hooks *h = c->plan.config.hooks;
	int r = sync_expect(c->sync, SYNC_MOUNTED, e);

	if (r < 0)
		return r;
	c->state.pid = c->pid;
	/* The status the conformance suite wants; runtime.md counts hooks after step 2. */
	const char *state = container_hook_state(c->arena, &c->state, "created");
	r = hooks_run("prestart", h->prestart, h->n_prestart, state, &c->hook_output, e);
	if (r == 0)
		r = hooks_run("createRuntime", h->create_runtime, h->n_create_runtime, state,
			      &c->hook_output, e);
	return r < 0 ? r : sync_send(c->sync, SYNC_HOOKS_DONE, e);
}

int create_serve_listener(void *ctx, struct err *e)
{
	struct create *c = ctx;
	own_fd int listener = -1;
	int r = sync_expect_fd(c->sync, SYNC_LISTENER, &listener, e);

	if (r < 0)
		return r;
	c->state.pid = c->pid;
	r = seccomp_send_listener(c->arena, &c->plan.seccomp, listener, c->pid,
				  container_hook_state(c->arena, &c->state, "creating"), e);
	return r < 0 ? r : sync_send(c->sync, SYNC_LISTENER_DONE, e);
}

int create_await_ready(void *ctx, struct err *e)
{
	return sync_expect(((struct create *)ctx)->sync, SYNC_READY, e);
}

/* It has undone its parent-death signal: whose child it is from now on may die before it. */
int create_let_go(void *ctx, struct err *e)
{
	(void)e;
	spawn_let_go(&((struct create *)ctx)->hold);
	return 0;
}

int create_tell_created(void *ctx, struct err *e)
{
	return sync_send(((struct create *)ctx)->sync, SYNC_CREATED, e);
}
