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
#include "base/str.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "cpu/resctrl.h"
#include "run/hooks.h"
#include "status.h"
#include "store.h"

enum { KILL_WAIT_MS = 10000 };

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

/* The recorded process, not one that has got its number since (start time). */
static int kill_init(const struct brig_state *s, struct err *e)
{
	pid_t pid = (pid_t)s->pid;

	if (pid <= 0 || process_start_time(pid) != s->start_time)
		return 0;
	own_fd int pidfd = sys_pidfd_open(pid, 0);
	if (pidfd < 0 || process_start_time(pid) != s->start_time)
		return 0;
	if (sys_pidfd_send_signal(pidfd, SIGKILL) < 0 && errno != ESRCH)
		return err_set(e, errno, "kill process %d", (int)pid);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	if (poll(&p, 1, KILL_WAIT_MS) == 0)
		return err_msg(e, EBUSY, "process %d does not end", (int)pid);
	return 0;
}

static int remove_cgroup(struct arena *a, const struct brig_state *s, struct err *e)
{
	struct cgroup *cg = NULL;
	int r = cgroup_open(a, &s->cgroup, &cg, e);

	if (r == 0)
		r = cgroup_destroy(cg, e);
	cgroup_close(cg);
	return r;
}

/* From the copy made at create: the bundle's file may have changed or gone. */
static void run_poststop(struct arena *a, int dir, const struct brig_state *s)
{
	struct oci_config c;
	struct err e;
	char *text;
	size_t len;

	if (file_read(a, dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, &e) < 0 ||
	    !strstr(text, "\"poststop\"") || oci_config_parse(a, text, len, &c, &e) < 0 || !c.hooks)
		return;
	struct brig_state stopped = *s;
	stopped.pid = 0;
	struct hook_output output;
	if (annotation_hook_output(&c, &output, &e) < 0)
		log_warn("%s", e.msg);
	hooks_run_all("poststop", c.hooks->poststop, c.hooks->n_poststop,
		      container_hook_state(a, &stopped, "stopped"), &output);
	hook_output_close(&output);
}

int container_destroy(const struct container_host *h, int dir, const struct brig_state *s,
		      struct err *e)
{
	own_arena struct arena a = {0};
	struct err later;
	int r = kill_init(s, e);

	if (remove_cgroup(&a, s, r < 0 ? &later : e) < 0 && r == 0)
		r = -e->code;
	if (resctrl_remove(s->resctrl_group, s->resctrl_monitor, r < 0 ? &later : e) < 0 && r == 0)
		r = -e->code;
	if (r < 0)
		return r;
	run_poststop(&a, dir, s);
	return store_remove(h, s->id, e);
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
	if (kill_init(&s, &ignored) == 0 && cgroup_open(&a, &s.cgroup, &cg, &ignored) == 0)
		(void)!cgroup_signal(cg, SIGKILL, &ignored); /* destroy does it again and reports */
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
