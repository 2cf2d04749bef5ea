#include "delete.h"
#include "evidence.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "annotation.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cpu/pin.h"
#include "cpu/resctrl.h"
#include "grant_held.h"
#include "lease.h"
#include "net/veth.h"
#include "ns/idpool.h"
#include "outcome.h"
#include "quarantine.h"
#include "run/hooks.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"

/* LEAVE_MS: a warden waits three seconds at most for what it tells at the end. */
enum { SOON_MS = 1000, LEAVE_MS = 4000, KILL_WAIT_MS = 10000 };

char *container_hook_state(struct arena *a, const struct brig_state *s, const char *status)
{
	struct oci_state o = {
		.oci_version = s->oci_version,
		.id = s->id,
		.status = status,
		.pid = s->pid,
		.bundle = s->bundle,
		.annotations = s->annotations,
		.n_annotations = s->n_annotations,
	};
	size_t len;

	return oci_state_print(a, &o, true, &len);
}

/*
 * Kills the recorded process, not one that has got its number since (start time), and waits for
 * its end, which is soon.  *pidfd: on it, -1 when there is none.
 */
static int kill_init(const struct brig_state *s, struct cgroup *cg, int *pidfd, struct err *e)
{
	own_fd int fd = process_pidfd(s->pid, s->start_time);
	struct err ignored;

	*pidfd = -1;
	if (fd < 0)
		return 0;
	if (sys_pidfd_send_signal(fd, SIGKILL) < 0 && errno != ESRCH)
		return err_set(e, errno, "kill process %d", (int)s->pid);
	/* v1 keeps a frozen task from dying. */
	if (cg && cgroup_is_frozen(cg) == 1)
		(void)!cgroup_freeze(cg, false, &ignored);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	(void)poll(&p, 1, SOON_MS);
	*pidfd = take_fd(&fd);
	return 0;
}

int container_stop(const struct brig_state *s, struct cgroup *cg, struct err *e)
{
	own_fd int pidfd = -1;
	struct err later;
	int r = kill_init(s, cg, &pidfd, e);

	if (cgroup_signal(cg, SIGKILL, r < 0 ? &later : e) < 0 && r == 0)
		r = -e->code;
	return r;
}

/* Who stands still (SIGSTOP) neither tells what it knows nor ends. */
static void let_go_on(int64_t number, uint64_t start_time)
{
	own_fd int fd = process_pidfd(number, start_time);

	if (fd >= 0)
		(void)sys_pidfd_send_signal(fd, SIGCONT);
}

/* Ends by itself, or at a word, when it has written down what it saw; else it has had its time.
 * word: a signal, 0. */
static void await_helper(int64_t number, uint64_t start_time, int word)
{
	own_fd int fd = process_pidfd(number, start_time);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return;
	if (word)
		(void)sys_pidfd_send_signal(fd, word);
	(void)sys_pidfd_send_signal(fd, SIGCONT);
	if (poll(&p, 1, SOON_MS) == 0)
		(void)sys_pidfd_send_signal(fd, SIGKILL);
}

static void await_resolver(const struct brig_state *s)
{
	/* That of a foreground run waits for its maker's, who may be no more, or stand still. */
	await_helper(s->resolver_pid, s->resolver_start_time, SIGTERM);
}

/* Of brig-expiry, which has the sandbox's mount namespace open, only the grants' file knows. */
static void await_expiry(struct arena *a, int dir)
{
	struct grants g;
	struct err ignored;

	if (grants_load(a, dir, &g, &ignored) == 0)
		await_helper(g.expiry_pid, g.expiry_start_time, 0);
}

/* --- destroy ------------------------------------------------------------------------------ */

struct destroy {
	const struct container_host *host;
	const struct brig_state *state;
	struct arena *arena;
	int dir;
	struct cgroup *cgroup;
	int pidfd;
	bool keeps_shell; /* reset: of one generation only */
	struct err first; /* the first failure; what comes after it is tried all the same */
};

static int go_on(struct destroy *d, int r, const struct err *e)
{
	if (r < 0 && !d->first.code)
		d->first = *e;
	return 0;
}

static bool has_resctrl(const void *ctx)
{
	const struct brig_state *s = ((const struct destroy *)ctx)->state;

	return s->resctrl_group || s->resctrl_monitor;
}

static int kill_process(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	const struct brig_state *s = d->state;
	int r = cgroup_open(d->arena, &s->cgroup, &d->cgroup, e);

	(void)go_on(d, r, e);
	r = kill_init(s, d->cgroup, &d->pidfd, e);
	/* The warden waits for what the resolver has to say. */
	let_go_on(s->resolver_pid, s->resolver_start_time);
	let_go_on(s->warden_pid, s->warden_start_time);
	return go_on(d, r, e);
}

static bool has_detached(const void *ctx)
{
	return ((const struct destroy *)ctx)->state->warden_pid;
}

static bool has_writer(const void *ctx)
{
	const struct destroy *d = ctx;

	/* reset has let it tell, and ended it. */
	return d->state->audit && d->state->warden_pid && !d->keeps_shell;
}

static void kill_warden(const struct brig_state *s)
{
	own_fd int fd = process_pidfd(s->warden_pid, s->warden_start_time);

	if (fd >= 0)
		(void)sys_pidfd_send_signal(fd, SIGKILL);
}

/*
 * Its init is dead, so it is about to write the result and to tell the audit log: what it knows is
 * more, and of two who tell one would be too many.  One that does not is not waited for again.
 */
static int let_warden_tell(void *ctx, struct err *e)
{
	const struct destroy *d = ctx;

	(void)e;
	warden_await_end(d->dir, LEAVE_MS);
	if (warden_presence(d->dir) == WARDEN_LISTENS)
		kill_warden(d->state);
	return 0;
}

static bool is_awaited(const void *ctx)
{
	const struct destroy *d = ctx;

	/* A foreground run has written it, and knows better. */
	return d->state->pid > 0 && outcome_awaited(d->dir);
}

static bool has_log(const void *ctx)
{
	const struct destroy *d = ctx;

	return d->state->audit && d->state->pid > 0;
}

/* reset has, before it destroys anything. */
static bool is_told(const struct destroy *d)
{
	return d->keeps_shell && faccessat(d->dir, STORE_RESULT, F_OK, 0) == 0;
}

static bool wants_telling(const void *ctx)
{
	return (is_awaited(ctx) || has_log(ctx)) && !is_told(ctx);
}

/* Who wrote the result has told the audit log before: a foreground run, a warden, which has been
 * waited for by now, reset, or who waited for its end. */
static bool is_untold(const struct destroy *d)
{
	return has_log(d) && faccessat(d->dir, STORE_RESULT, F_OK, 0) < 0;
}

/* For those who wait, as long as there is something to tell it from. */
static int tell_waiting(void *ctx, struct err *e)
{
	const struct destroy *d = ctx;
	bool untold = is_untold(d);
	struct outcome o;
	struct brig_result r;
	struct err ignored;

	(void)e;
	if (!untold && !is_awaited(d))
		return 0;
	outcome_open(&o, d->dir, d->state, d->cgroup);
	if (outcome_await(&o, 0, &ignored) == 0) {
		outcome_tell(d->arena, &o, true, &r);
		if (result_write(d->dir, &r, &ignored) < 0)
			log_debug("%s", ignored.msg);
		if (untold)
			evidence_tell_exit(d->state, &r);
	}
	outcome_close(&o);
	return 0;
}

static bool was_awaited(const void *ctx)
{
	return outcome_awaited(((const struct destroy *)ctx)->dir);
}

static int let_waiting_go(void *ctx, struct err *e)
{
	(void)e;
	outcome_let_go(((const struct destroy *)ctx)->dir);
	return 0;
}

static int remove_cgroup(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return d->cgroup ? go_on(d, cgroup_destroy(d->cgroup, e), e) : 0;
}

static int remove_resctrl(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	const struct brig_state *s = d->state;

	return go_on(d, resctrl_remove(s->resctrl_group, s->resctrl_monitor, e), e);
}

/* Before the rest, which another delete needs to try again. */
static int check_gone(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	struct pollfd p = {.fd = d->pidfd, .events = POLLIN};

	/* Sub-cgroups that were frozen are thawed by now. */
	if (!d->first.code && d->pidfd >= 0 && poll(&p, 1, KILL_WAIT_MS) == 0)
		return err_msg(e, EBUSY, "process %d does not end", (int)d->state->pid);
	if (!d->first.code)
		return 0;
	*e = d->first;
	return -e->code;
}

/*
 * From the copy made at create: the bundle's file may have changed or gone.  They must run
 * (runtime.md, Lifecycle 13), so a destroy that was killed while they ran has to run them again;
 * one that was killed later must not.
 */
static int run_poststop(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	struct oci_config c;
	struct err ignored;
	char *text;
	size_t len;

	(void)e;
	if (faccessat(d->dir, STORE_POSTSTOP, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	    file_read(d->arena, d->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, &ignored) < 0 ||
	    !strstr(text, "\"poststop\"") ||
	    oci_config_parse(d->arena, text, len, &c, &ignored) < 0 || !c.hooks)
		return 0;
	struct brig_state stopped = *d->state;
	stopped.pid = 0;
	struct hook_output output = HOOK_OUTPUT_KEPT;
	/* Paths of the host that at a level no annotation may name. */
	if (str_eq(d->state->level, "custom") && annotation_hook_output(&c, &output, &ignored) < 0)
		log_warn("%s", ignored.msg);
	hooks_run_all("poststop", c.hooks->poststop, c.hooks->n_poststop,
		      container_hook_state(d->arena, &stopped, "stopped"), &output);
	hook_output_close(&output);
	if (file_replace(d->dir, STORE_POSTSTOP, "", 0, 0600, &ignored) < 0)
		log_warn("%s", ignored.msg);
	return 0;
}

/*
 * It ends with the sandbox's init, but may still wait for that one to be reaped, so as to write
 * down how it ended.  Those who wait for that have it; the directory that it writes to goes next.
 */
static int end_warden(void *ctx, struct err *e)
{
	const struct destroy *d = ctx;

	(void)e;
	kill_warden(d->state);
	/* Its process may be there a while longer; what it had open is not. */
	warden_await_end(d->dir, SOON_MS);
	return 0;
}

static bool has_resolver(const void *ctx)
{
	return ((const struct destroy *)ctx)->state->resolver_pid;
}

static int end_resolver(void *ctx, struct err *e)
{
	(void)e;
	await_resolver(((const struct destroy *)ctx)->state);
	return 0;
}

static bool ends_shell(const void *ctx)
{
	return !((const struct destroy *)ctx)->keeps_shell;
}

static bool has_grants(const void *ctx)
{
	return faccessat(((const struct destroy *)ctx)->dir, GRANTS_FILE, F_OK, 0) == 0;
}

static int end_expiry(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	(void)e;
	await_expiry(d->arena, d->dir);
	return 0;
}

static bool has_slot(const void *ctx)
{
	return ends_shell(ctx) && ((const struct destroy *)ctx)->state->net_directory;
}

static bool has_ids(const void *ctx)
{
	return ends_shell(ctx) && ((const struct destroy *)ctx)->state->ids_directory;
}

static bool has_cpus(const void *ctx)
{
	return ends_shell(ctx) && ((const struct destroy *)ctx)->state->cpus_directory;
}

static const char *directory(const struct destroy *d)
{
	return arena_printf(d->arena, "%s/%s", d->host->root, d->state->id);
}

/* Nothing of the sandbox runs any more: the range may go to another. */
static int release_ids(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	/* Where the pool begins and ends does not matter to a slot that is given back. */
	const struct idpool_config c = {
		.directory = d->state->ids_directory,
		.count = UINT32_MAX,
		.quarantine = UINT32_MAX,
	};

	return idpool_release(&c, d->state->ids_slot, directory(d), e);
}

static int forget_connections(void *ctx, struct err *e)
{
	return delete_forget_connections(((const struct destroy *)ctx)->state, e);
}

static int release_slot(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return veth_release(d->state->net_directory, d->state->net_slot, directory(d), e);
}

static int release_cpus(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return pin_release(d->state->cpus_directory, directory(d), e);
}

static bool is_audited(const void *ctx)
{
	return ends_shell(ctx) && ((const struct destroy *)ctx)->state->audit;
}

/* What is left is removed, whether that can be written down or not. */
static int tell_audit(void *ctx, struct err *e)
{
	(void)e;
	evidence_tell(((const struct destroy *)ctx)->state, "SandboxDestroyed", "delete", NULL);
	return 0;
}

static int remove_state(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return store_remove(d->host, d->state->id, e);
}

/* What state.json is needed for comes before it; each step finds nothing to do in a second run. */
static const struct step steps[] = {
	{"kill process",       NULL,          kill_process,       NULL, STEP_PLAIN},
	{"await warden",       has_writer,    let_warden_tell,    NULL, STEP_PLAIN},
	{"tell waiting",       wants_telling, tell_waiting,       NULL, STEP_PLAIN},
	{"remove cgroup",      NULL,          remove_cgroup,      NULL, STEP_PLAIN},
	{"remove resctrl",     has_resctrl,   remove_resctrl,     NULL, STEP_PLAIN},
	{"check gone",         NULL,          check_gone,         NULL, STEP_PLAIN},
	{"end warden",         has_detached,  end_warden,         NULL, STEP_PLAIN},
	{"end resolver",       has_resolver,  end_resolver,       NULL, STEP_PLAIN},
	{"end expiry",         has_grants,    end_expiry,         NULL, STEP_PLAIN},
	{"poststop hooks",     NULL,          run_poststop,       NULL, STEP_PLAIN},
	{"release ids",        has_ids,       release_ids,        NULL, STEP_PLAIN},
	{"release cpus",       has_cpus,      release_cpus,       NULL, STEP_PLAIN},
	{"forget connections", has_slot,      forget_connections, NULL, STEP_PLAIN},
	{"release slot",       has_slot,      release_slot,       NULL, STEP_PLAIN},
	{"let waiting go",     was_awaited,   let_waiting_go,     NULL, STEP_PLAIN},
	{"audit",              is_audited,    tell_audit,         NULL, STEP_PLAIN},
	{"remove state",       ends_shell,    remove_state,       NULL, STEP_PLAIN},
};

static int destroy(struct destroy d, const char *table, struct err *e)
{
	own_arena struct arena a = {0};

	d.arena = &a;
	d.pidfd = -1;
	int r = steps_run(table, steps, LEN(steps), &d, e);

	own_close(&d.pidfd);
	cgroup_close(d.cgroup);
	return r;
}

int container_destroy(const struct container_host *h, int dir, const struct brig_state *s,
		      struct err *e)
{
	const struct destroy d = {.host = h, .state = s, .dir = dir};

	return destroy(d, "delete", e);
}

int container_destroy_generation(const struct container_host *h, int dir,
				 const struct brig_state *s, struct err *e)
{
	const struct destroy d = {.host = h, .state = s, .dir = dir, .keeps_shell = true};

	return destroy(d, "reset destroy", e);
}

/* --- delete ------------------------------------------------------------------------------- */

/*
 * Before waiting for the lock: whoever holds it is waiting for a process of the container, or, a
 * grant, for its resolver; or is its brig-expiry.
 */
static void kill_first(const struct container_host *h, const char *id)
{
	own_arena struct arena a = {0};
	struct err ignored;
	struct brig_state s;
	struct cgroup *cg = NULL;
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, &ignored);

	if (dir < 0 || delete_load(dir, id, false, &a, &s, &ignored) < 0)
		return;
	if (cgroup_open(&a, &s.cgroup, &cg, &ignored) == 0)
		(void)!container_stop(&s, cg, &ignored); /* destroy does it again and reports */
	cgroup_close(cg);
	if (store_is_locked(dir)) {
		await_resolver(&s);
		await_expiry(&a, dir);
	}
}

static int check_stopped(struct arena *a, int dir, const struct brig_state *s, struct err *e)
{
	struct cgroup *cg = NULL;

	/* What a reset that was cut short had made is nobody's. */
	if (s->reuse && s->reuse->journal)
		return 0;
	if (cgroup_open(a, &s->cgroup, &cg, e) < 0)
		return -e->code;
	enum status st = status_of(dir, s, cg);

	cgroup_close(cg);
	if (st == STATUS_STOPPED || st == STATUS_CREATED)
		return 0;
	return err_msg(e, EBUSY, "cannot delete container %s that is not stopped: %s", s->id,
		       status_name(st));
}

int container_delete_with(const struct container_host *h, const struct container_delete_opts *o,
			  struct err *e)
{
	own_arena struct arena a = {0};
	struct brig_state s;
	own_fd int to = o->keep_evidence ? quarantine_open(o->keep_evidence, e) : -1;

	if (o->keep_evidence && to < 0)
		return to;
	if (o->force)
		kill_first(h, o->id);
	own_fd int dir = store_open(h, o->id, STORE_LOCKED, e);
	if (dir < 0)
		return o->force && e->code == ENOENT ? 0 : dir;
	if (delete_load(dir, o->id, o->force, &a, &s, e) < 0)
		return delete_unknown(h, dir, o->id, o->force, e);
	if (!o->force && (lease_check(h, dir, &s, LEASE_TO_TEND, NULL, e) < 0 ||
			  check_stopped(&a, dir, &s, e) < 0))
		return -e->code;
	if (to >= 0 && delete_keep_evidence(&a, to, o->keep_evidence, dir, &s, e) < 0)
		return -e->code;
	return container_destroy(h, dir, &s, e);
}

int container_delete(const struct container_host *h, const char *id, bool force, struct err *e)
{
	const struct container_delete_opts o = {.id = id, .force = force};

	return container_delete_with(h, &o, e);
}
