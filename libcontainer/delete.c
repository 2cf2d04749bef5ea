#include "delete.h"

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
#include "ns/idpool.h"
#include "run/hooks.h"
#include "status.h"
#include "store.h"
#include "warden/warden.h"

enum { SOON_MS = 1000, KILL_WAIT_MS = 10000 };

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
	pid_t pid = (pid_t)s->pid;
	struct err ignored;

	*pidfd = -1;
	if (pid <= 0 || process_start_time(pid) != s->start_time)
		return 0;
	own_fd int fd = sys_pidfd_open(pid, 0);
	if (fd < 0 || process_start_time(pid) != s->start_time)
		return 0;
	if (sys_pidfd_send_signal(fd, SIGKILL) < 0 && errno != ESRCH)
		return err_set(e, errno, "kill process %d", (int)pid);
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

/* --- destroy ------------------------------------------------------------------------------ */

struct destroy {
	const struct container_host *host;
	const struct brig_state *state;
	struct arena *arena;
	int dir;
	struct cgroup *cgroup;
	int pidfd;
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
	int r = cgroup_open(d->arena, &d->state->cgroup, &d->cgroup, e);

	(void)go_on(d, r, e);
	return go_on(d, kill_init(d->state, d->cgroup, &d->pidfd, e), e);
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

/* From the copy made at create: the bundle's file may have changed or gone. */
static int run_poststop(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	struct oci_config c;
	struct err ignored;
	char *text;
	size_t len;

	(void)e;
	if (file_read(d->arena, d->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, &ignored) < 0 ||
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
	return 0;
}

static bool has_detached(const void *ctx)
{
	return ((const struct destroy *)ctx)->state->warden_pid;
}

/*
 * It ends with the sandbox's init, after its last words into the directory that goes next.  Who
 * does not: it lost its sandbox before it could adopt it, or is stopped.
 */
static int end_warden(void *ctx, struct err *e)
{
	struct destroy *d = ctx;
	pid_t pid = (pid_t)d->state->warden_pid;

	(void)e;
	warden_await_end(d->dir, SOON_MS);
	own_fd int fd = sys_pidfd_open(pid, 0);
	/* Gone, or only waiting for its sandbox's init to be reaped: then the signal does nothing.
	 */
	if (fd >= 0 && process_start_time(pid) == d->state->warden_start_time)
		(void)sys_pidfd_send_signal(fd, SIGKILL);
	return 0;
}

static bool has_ids(const void *ctx)
{
	return ((const struct destroy *)ctx)->state->ids_directory;
}

static bool has_cpus(const void *ctx)
{
	return ((const struct destroy *)ctx)->state->cpus_directory;
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

static int release_cpus(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return pin_release(d->state->cpus_directory, directory(d), e);
}

static int remove_state(void *ctx, struct err *e)
{
	struct destroy *d = ctx;

	return store_remove(d->host, d->state->id, e);
}

/* What state.json is needed for comes before it; each step finds nothing to do in a second run. */
static const struct step steps[] = {
	{"kill process",   NULL,         kill_process,   NULL, STEP_PLAIN},
	{"remove cgroup",  NULL,         remove_cgroup,  NULL, STEP_PLAIN},
	{"remove resctrl", has_resctrl,  remove_resctrl, NULL, STEP_PLAIN},
	{"check gone",     NULL,         check_gone,     NULL, STEP_PLAIN},
	{"end warden",     has_detached, end_warden,     NULL, STEP_PLAIN},
	{"poststop hooks", NULL,         run_poststop,   NULL, STEP_PLAIN},
	{"release ids",    has_ids,      release_ids,    NULL, STEP_PLAIN},
	{"release cpus",   has_cpus,     release_cpus,   NULL, STEP_PLAIN},
	{"remove state",   NULL,         remove_state,   NULL, STEP_PLAIN},
};

int container_destroy(const struct container_host *h, int dir, const struct brig_state *s,
		      struct err *e)
{
	own_arena struct arena a = {0};
	struct destroy d = {.host = h, .state = s, .arena = &a, .dir = dir, .pidfd = -1};
	int r = steps_run("delete", steps, LEN(steps), &d, e);

	own_close(&d.pidfd);
	cgroup_close(d.cgroup);
	return r;
}

/* --- delete ------------------------------------------------------------------------------- */

/* Before waiting for the lock: whoever holds it is waiting for a process of the container. */
static void kill_first(const struct container_host *h, const char *id)
{
	own_arena struct arena a = {0};
	struct err ignored;
	struct brig_state s;
	struct cgroup *cg = NULL;
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, &ignored);

	if (dir < 0 || store_load(dir, &a, &s, &ignored) < 0)
		return;
	if (cgroup_open(&a, &s.cgroup, &cg, &ignored) == 0)
		(void)!container_stop(&s, cg, &ignored); /* destroy does it again and reports */
	cgroup_close(cg);
}

/* A state directory without a readable state.json: its maker was killed before it had made
 * anything else, or somebody damaged it. */
static int remove_half_made(const struct container_host *h, const char *id, bool force,
			    struct err *e)
{
	if (!force && e->code != ENOENT)
		return -e->code;
	log_debug("state of %s: %s", id, e->msg);
	return store_remove(h, id, e);
}

int container_delete(const struct container_host *h, const char *id, bool force, struct err *e)
{
	own_arena struct arena a = {0};
	struct brig_state s;
	struct cgroup *cg = NULL;

	if (force)
		kill_first(h, id);
	own_fd int dir = store_open(h, id, STORE_LOCKED, e);
	if (dir < 0)
		return force && e->code == ENOENT ? 0 : dir;
	if (store_load(dir, &a, &s, e) < 0)
		return remove_half_made(h, id, force, e);
	if (!force) {
		if (cgroup_open(&a, &s.cgroup, &cg, e) < 0)
			return -e->code;
		enum status st = status_of(dir, &s, cg);

		cgroup_close(cg);
		if (st != STATUS_STOPPED && st != STATUS_CREATED)
			return err_msg(e, EBUSY,
				       "cannot delete container %s that is not stopped: %s", id,
				       status_name(st));
	}
	return container_destroy(h, dir, &s, e);
}
