/* What changes a live container: kill, pause, resume, update. */
#include "control.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "cpu/resctrl.h"
#include "evidence.h"
#include "lease.h"
#include "status.h"
#include "store.h"
#include "touched.h"

/* A container found by its id; close with control_done. */
struct control {
	struct arena arena;
	int dir;
	struct brig_state state;
	struct cgroup *cgroup;
	enum status status;
};

static void control_done(struct control *c)
{
	cgroup_close(c->cgroup);
	own_close(&c->dir);
	arena_free(&c->arena);
}

static int control_load(struct control *c, struct err *e)
{
	if (store_load(c->dir, &c->arena, &c->state, e) < 0 ||
	    cgroup_open(&c->arena, &c->state.cgroup, &c->cgroup, e) < 0)
		return -e->code;
	c->status = status_of(c->dir, &c->state, c->cgroup);
	return 0;
}

static int control_open(struct control *c, const struct container_host *h, const char *id,
			enum store_locking lock, struct err *e)
{
	*c = (struct control){.dir = store_open(h, id, lock, e)};
	if (c->dir < 0)
		return c->dir;
	int r = control_load(c, e);
	if (r < 0)
		control_done(c);
	return r;
}

static int signal_init(const struct brig_state *s, int sig, struct err *e)
{
	own_fd int pidfd = process_pidfd(s->pid, s->start_time);

	if (pidfd < 0)
		return err_msg(e, ESRCH, "container not running");
	if (sys_pidfd_send_signal(pidfd, sig) < 0)
		return errno == ESRCH ? err_msg(e, ESRCH, "container not running")
				      : err_set(e, errno, "signal %d", sig);
	return 0;
}

static int send_signal(struct control *c, int sig, bool all, struct err *e)
{
	struct err ignored;

	/* Without a cgroup (rootless) the end of the first process is that of its pid namespace. */
	if (all && (c->state.cgroup.owned || c->status == STATUS_STOPPED))
		return cgroup_signal(c->cgroup, sig, e);
	if (c->status == STATUS_STOPPED || c->status == STATUS_CREATING)
		return err_msg(e, ESRCH, "container not running");
	int r = signal_init(&c->state, sig, e);
	/* Without a pid namespace of its own the others would outlive the first process. */
	if (r == 0 && sig == SIGKILL && !c->state.private_pid_ns)
		r = cgroup_signal(c->cgroup, sig, e);
	/* v1 keeps a frozen task from dying. */
	if (r == 0 && sig == SIGKILL && c->status == STATUS_PAUSED)
		(void)!cgroup_freeze(c->cgroup, false, &ignored);
	return r;
}

static int kill_it(struct control *c, int sig, bool all, struct err *e)
{
	struct err ignored;

	/* It is sent in any case. */
	if (sig && touched_note(c->dir, &c->state, "kill", &ignored) < 0)
		log_debug("%s", ignored.msg);
	int r = send_signal(c, sig, all, e);
	if (r == 0 && sig && c->state.audit)
		evidence_tell(&c->state, "SandboxSignalled", "kill",
			      arena_printf(&c->arena, "{\"signal\":%d,\"all\":%s}", sig,
					   all ? "true" : "false"));
	return r;
}

int container_kill(const struct container_host *h, const char *id, int sig, bool all, struct err *e)
{
	struct control c;
	int r = control_open(&c, h, id, STORE_UNLOCKED, e);

	if (r < 0)
		return r;
	r = kill_it(&c, sig, all, e);
	control_done(&c);
	return r;
}

/* Behind the lock nobody gives it to anybody else, or makes another of it. */
static int check_holder(const struct control *c, const struct holder *who, struct err *e)
{
	own_arena struct arena a = {0};
	const struct state_reuse *u = c->state.reuse;
	struct brig_lease l = {0};

	if (lease_read(&a, c->dir, &l, e) < 0)
		return err_wrap(e, "container %s", c->state.id);
	if (!u || u->journal || u->generation != who->generation || !lease_is_of(&l, who->token))
		return err_msg(e, ESTALE, "container %s: generation %" PRIu64 " is nobody's more",
			       c->state.id, who->generation);
	return 0;
}

int control_kill_held(int dir, const char *id, const struct holder *who, struct err *e)
{
	struct control c = {.dir = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
	int r = c.dir < 0 ? err_set(e, errno, "container %s", id) : store_lock(c.dir, id, e);

	if (r == 0)
		r = control_load(&c, e);
	if (r == 0)
		r = check_holder(&c, who, e);
	if (r == 0)
		r = kill_it(&c, SIGKILL, true, e);
	control_done(&c);
	return r;
}

int container_pause(const struct container_host *h, const char *id, struct err *e)
{
	struct control c;
	int r = control_open(&c, h, id, STORE_LOCKED, e);

	if (r < 0)
		return r;
	if (lease_check(h, c.dir, &c.state, LEASE_TO_TEND, NULL, e) < 0)
		r = -e->code;
	else if (c.status != STATUS_RUNNING && c.status != STATUS_CREATED)
		r = err_msg(e, EINVAL, "container not running or created: %s",
			    status_name(c.status));
	else
		r = cgroup_freeze(c.cgroup, true, e);
	if (r == 0)
		evidence_tell(&c.state, "SandboxPaused", "pause", NULL);
	control_done(&c);
	return r;
}

int container_resume(const struct container_host *h, const char *id, struct err *e)
{
	struct control c;
	int r = control_open(&c, h, id, STORE_LOCKED, e);

	if (r < 0)
		return r;
	if (lease_check(h, c.dir, &c.state, LEASE_TO_TEND, NULL, e) < 0)
		r = -e->code;
	else if (c.status != STATUS_PAUSED)
		r = err_msg(e, EINVAL, "container not paused");
	/* It lets it go on, what quarantine has stopped, too: not without its record. */
	if (r == 0)
		r = evidence_note(&c.state, "SandboxResumed", "resume", NULL, e);
	if (r == 0)
		r = cgroup_freeze(c.cgroup, false, e);
	control_done(&c);
	return r;
}

int container_update(const struct container_host *h, const char *id, const struct oci_resources *r,
		     const struct oci_intel_rdt *rdt, struct arena *a, struct err *e)
{
	struct control c;
	struct resctrl_before before = {.dir = -1};
	int ret = control_open(&c, h, id, STORE_LOCKED, e);

	if (ret < 0)
		return ret;
	if (c.status == STATUS_STOPPED || c.status == STATUS_CREATING)
		ret = err_msg(e, ESRCH, "container not running");
	/* What is parked would not be what was verified any more. */
	if (ret == 0)
		ret = lease_check(h, c.dir, &c.state, LEASE_TO_USE, NULL, e);
	/* It may widen: not without its record. */
	if (ret == 0)
		ret = evidence_note(&c.state, "SandboxUpdated", "update", NULL, e);
	if (ret == 0)
		ret = touched_note(c.dir, &c.state, "update", e);
	/* First: it is what a host does not have, and a cgroup undoes what it has not done whole.
	 */
	if (ret == 0 && rdt)
		ret = resctrl_update(a, id, rdt, &before, e);
	if (ret == 0)
		ret = cgroup_update(a, c.cgroup, r, e);
	if (ret < 0)
		resctrl_put_back(&before);
	own_close(&before.dir);
	control_done(&c);
	return ret;
}
