/*
 * create and run: the runtime's side.  Two tables are read side by side: parent_steps here, the
 * child's in init.c; what they say to each other is drawn in run/sync.h.
 *
 * Crash safety: state.json with the cgroup's directories is on disk before they are made, so
 * that a delete --force finds everything whatever step brig was killed at; the child dies with
 * the runtime until it is ready, and then waits for CREATED, which comes only after its pid is on
 * disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "annotation.h"
#include "base/fdpass.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "container.h"
#include "create.h"
#include "delete.h"
#include "direct.h"
#include "init.h"
#include "net/netdev.h"
#include "plan.h"
#include "process.h"
#include "run/foreground.h"
#include "run/hooks.h"
#include "run/launch.h"
#include "run/notify.h"
#include "run/pidfile.h"
#include "run/spawn.h"
#include "run/sync.h"
#include "status.h"
#include "store.h"

/* --- predicates --------------------------------------------------------------------------- */

static const struct plan *plan_of(const void *ctx)
{
	return &((const struct create *)ctx)->plan;
}
static bool has_console_socket(const void *ctx)
{
	return plan_of(ctx)->console_socket;
}
static bool waits_for_start(const void *ctx)
{
	return !plan_of(ctx)->run;
}
static bool opens_sources(const void *ctx)
{
	return fs_plan_opened_by_runtime(plan_of(ctx)->fs);
}
static bool joins_namespaces(const void *ctx)
{
	return plan_of(ctx)->ns.n_joins;
}
static bool maps_child(const void *ctx)
{
	return plan_of(ctx)->has_idmap && !plan_of(ctx)->staged;
}
static bool attaches(const void *ctx)
{
	return plan_of(ctx)->cgroup_attach;
}
static bool has_resctrl(const void *ctx)
{
	return plan_of(ctx)->resctrl.group;
}
static bool moves_devices(const void *ctx)
{
	const struct oci_linux *l = plan_of(ctx)->config.linux_;

	return l && l->n_net_devices;
}
static bool wants_placed(const void *ctx)
{
	return init_wants_placed(plan_of(ctx));
}
static bool wants_console_fd(const void *ctx)
{
	return init_wants_console_fd(plan_of(ctx));
}
static bool wants_runtime_hooks(const void *ctx)
{
	return init_wants_runtime_hooks(plan_of(ctx));
}
/* config.json's own; a level's goes to the warden. */
static bool has_listener(const void *ctx)
{
	return plan_of(ctx)->seccomp.notify && plan_of(ctx)->seccomp_early;
}
static bool pools_ids(const void *ctx)
{
	return plan_of(ctx)->level && plan_of(ctx)->level->pooled;
}
static bool pins_cpus(const void *ctx)
{
	return plan_of(ctx)->level && plan_of(ctx)->level->pins;
}
static bool has_warden(const void *ctx)
{
	return plan_of(ctx)->level && plan_of(ctx)->level->has_warden;
}
static bool is_late(const void *ctx)
{
	return plan_of(ctx)->level && plan_of(ctx)->level->late;
}
static bool wants_notify(const void *ctx)
{
	return plan_of(ctx)->notify_host;
}
static bool wants_pid_file(const void *ctx)
{
	return ((const struct create *)ctx)->opts->pid_file;
}
static bool wants_pidfd_socket(const void *ctx)
{
	return ((const struct create *)ctx)->opts->pidfd_socket;
}

/* --- before the clone --------------------------------------------------------------------- */

static int claim_id(void *ctx, struct err *e)
{
	struct create *c = ctx;

	c->dir = store_create(c->host, c->id, e);
	return c->dir < 0 ? c->dir : 0;
}

static void release_id(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	/* What could not be removed is found by the state: another delete tries again. */
	if (c->leaves_something)
		return;
	if (store_remove(c->host, c->id, &e) < 0)
		log_warn("%s", e.msg);
	own_close(&c->dir);
}

static int connect_console(void *ctx, struct err *e)
{
	struct create *c = ctx;

	c->console_socket = unix_connect(c->plan.console_socket, e);
	return c->console_socket < 0 ? err_wrap(e, "console socket") : 0;
}

const char *create_directory(const struct create *c)
{
	return arena_printf(c->arena, "%s/%s", c->host->root, c->id);
}

static int claim_ids(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_level *l = c->plan.level;

	return idpool_claim(&l->pool, l->policy.pod, create_directory(c), &c->slot, e);
}

static void release_ids(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (idpool_release(&c->plan.level->pool, c->slot.slot, create_directory(c), &e) < 0)
		log_warn("%s", e.msg);
}

static int claim_cpus(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct pin_request *r = &c->plan.level->pin;
	const char *cpus;

	r->user = create_directory(c);
	int code = pin_claim(c->arena, r, &cpus, e);
	if (code == 0 && c->plan.level->machine)
		c->plan.level->machine->cpus = cpus;
	return code < 0 ? code : plan_cgroup_with_cpus(c->arena, &c->plan, cpus, e);
}

static void release_cpus(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (pin_release(c->plan.level->pin.directory, create_directory(c), &e) < 0)
		log_warn("%s", e.msg);
}

static int make_userns(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_level *l = c->plan.level;

	c->idmap = l->pooled ? plan_level_shift(c->arena, &l->idmap, c->slot.base) : l->idmap;
	if (l->userns_path) {
		c->userns = open(l->userns_path, O_RDONLY | O_CLOEXEC);
		if (c->userns < 0)
			return err_set(e, errno, "open %s", l->userns_path);
	} else {
		c->userns = idmap_userns(&c->idmap, e);
		if (c->userns < 0)
			return c->userns;
	}
	c->owner = (struct fs_owner){l->map_mounts ? c->userns : -1, &c->idmap};
	return 0;
}

static int listen_for_start(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	/* By descriptor: the state root may have a longer name than sun_path takes. */
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" STORE_START, c->dir);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
		return err_set(e, errno, "start socket");
	c->listen = take_fd(&fd);
	return 0;
}

static int save_first_state(void *ctx, struct err *e)
{
	struct create *c = ctx;

	int r = plan_record(c->arena, &c->plan, c->dir, &c->state, e);

	if (r < 0)
		return r;
	if (pools_ids(c)) {
		c->state.ids_directory = c->plan.level->pool.directory;
		c->state.ids_slot = c->slot.slot;
	}
	return store_save(c->dir, &c->state, e);
}

static void drop_cgroup(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (cgroup_destroy(c->cgroup, &e) < 0) {
		log_warn("%s", e.msg);
		c->leaves_something = true;
	}
	cgroup_close(c->cgroup);
	c->cgroup = NULL;
}

static int make_cgroup(void *ctx, struct err *e)
{
	struct create *c = ctx;

	int r = cgroup_create(c->arena, c->plan.cgroup, &c->cgroup, e);

	if (r < 0)
		return c->plan.level ? plan_level_cgroup_error(&c->plan, e) : r;
	r = cgroup_enter_open(c->cgroup, e);
	if (r < 0) {
		drop_cgroup(c);
		return r;
	}
	/* What could not be made (rootless) must not be taken for ours when others make it. */
	if (!c->plan.cgroup_attach)
		c->state.cgroup = cgroup_get_record(c->arena, c->cgroup);
	if (c->plan.rootless && !c->plan.cgroup_attach && !c->state.cgroup.owned &&
	    !c->state.private_pid_ns)
		log_warn("Creating a rootless container with no cgroup and no private pid "
			 "namespace. Such configuration is strongly discouraged: its processes "
			 "cannot all be found to kill them");
	return 0;
}

/* run listens itself; for a created container start does. */
static int make_notify(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = notify_make_dir(c->dir, e);

	c->notify.host = c->plan.notify_host;
	return r < 0 || !c->plan.run ? r : notify_listen(&c->notify, c->dir, e);
}

/* Bind mounts that could not be had as wished: known only now. */
static int record_mounts(struct create *c, struct err *e)
{
	size_t n;
	const char *const *text = fs_recorded(c->fs, &n);

	for (size_t i = 0; i < n; i++) {
		const struct policy_decision d = {
			.field = "mounts",
			.value = text[i],
			.by = BY_HOST,
			.outcome = OUTCOME_RECORDED,
		};

		policy_note(c->arena, &c->plan.level->policy, &d);
	}
	return n ? plan_save_policy(c->arena, &c->plan, c->dir, e) : 0;
}

static int open_sources(void *ctx, struct err *e)
{
	struct create *c = ctx;

	int r = fs_open(c->arena, c->plan.fs, is_late(c) ? &c->owner : NULL, &c->fs, e);

	/* In a user namespace that does not own this mount namespace (unshare -Ur) only the child,
	 * in a mount namespace of its own, may clone mounts. */
	if (r == -EPERM) {
		c->fs = NULL;
		return 0;
	}
	return r < 0 || !c->plan.level ? r : record_mounts(c, e);
}

static void close_sources(void *ctx)
{
	struct create *c = ctx;

	fs_close(c->fs);
	c->fs = NULL;
}

static int open_namespaces(void *ctx, struct err *e)
{
	return ns_open(&((struct create *)ctx)->plan.ns, e);
}

static void close_namespaces(void *ctx)
{
	ns_close(&((struct create *)ctx)->plan.ns);
}

static int prepare_stub(void *ctx, struct err *e)
{
	struct create *c = ctx;

	c->stub = exec_image_prepare(e);
	return c->stub < 0 ? c->stub : 0;
}

static int map_stage(void *ctx, pid_t stage, struct err *e)
{
	const struct plan *p = ((const struct init *)ctx)->plan;

	return idmap_write(&p->idmap, stage, p->privileged, e);
}

/*
 * Nothing to tell each other between the clone and the execve; and nobody else sees the child,
 * whose memory is the runtime's until then.
 */
static bool has_no_meetings(const struct create *c)
{
	return c->plan.run && c->plan.ns.make & CLONE_NEWPID && !wants_placed(c) &&
	       !wants_console_fd(c) && !wants_runtime_hooks(c) && !has_listener(c);
}

/*
 * Processes of a pid namespace that is not its own see the child from its birth on: it must not
 * be dumpable for an instant (CVE-2016-9962), also not to who has CAP_SYS_PTRACE in a joined
 * user namespace only.  Not where an unprivileged runtime has to write its id maps, which the
 * child waits for (init.c, harden).
 */
static bool is_born_hard(const struct plan *p)
{
	return !(p->ns.make & CLONE_NEWPID) && (p->privileged || !p->has_idmap);
}

static int clone_child(void *ctx, struct err *e)
{
	struct create *c = ctx;
	bool hard = is_born_hard(&c->plan);
	int fds[2];

	if (hard && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	if (sync_pair(fds, e) < 0)
		return -e->code;
	c->sync = fds[0];
	struct init in = {
		.plan = &c->plan,
		.arena = c->arena,
		.fs = c->fs ? fs_copy(c->arena, c->fs) : NULL,
		.cgroup = c->cgroup,
		.sync = fds[1],
		.listen = c->listen,
		.stub = c->stub,
		.console_socket = c->console_socket,
		.hook_output = &c->hook_output,
		.foreground = c->in_foreground ? &c->foreground : NULL,
		.owner = is_late(c) ? &c->owner : NULL,
		.userns = c->userns,
		.warden = c->warden_end,
	};
	if (is_late(c))
		(void)idmap_uid_to_host(&c->idmap, c->plan.process.creds.uid, &in.host_uid);
	struct spawn s = {
		.make = c->plan.ns.make,
		.join = &c->plan.ns,
		.target = -1,
		.staged = c->plan.staged,
		.enclose = c->detached.pidns,
		.share = has_no_meetings(c),
		.cgroup = c->plan.cgroup_attach ? -1 : cgroup_spawn_fd(c->cgroup),
		.offsets = c->plan.config.linux_ ? c->plan.config.linux_->time_offsets : NULL,
		.sync = fds[1],
		.sync_peer = fds[0],
		.map = map_stage,
		.child = init_main,
		.ctx = &in,
	};
	int r = spawn(&s, &c->pid, &c->pidfd, e);

	(void)close(fds[1]);
	close_sources(c);
	own_close(&c->listen);
	own_close(&c->console_socket);
	own_close(&c->warden_end);
	return r;
}

void create_kill_child(struct create *c)
{
	(void)sys_pidfd_send_signal(c->pidfd, SIGKILL);
	while (waitpid(c->pid, NULL, 0) < 0 && errno == EINTR)
		;
	own_close(&c->pidfd);
}

static void kill_child(void *ctx)
{
	create_kill_child(ctx);
}

/* --- beside the child --------------------------------------------------------------------- */

static int write_maps(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return idmap_write(&c->plan.idmap, c->pid, c->plan.privileged, e);
}

static int attach(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = cgroup_attach(c->cgroup, c->pid, e);

	if (r == 0)
		c->state.cgroup = cgroup_get_record(c->arena, c->cgroup);
	return r;
}

static int apply_resctrl(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return resctrl_apply(&c->plan.resctrl, c->pid, e);
}

static void drop_resctrl(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (resctrl_remove(c->state.resctrl_group, c->state.resctrl_monitor, &e) < 0)
		log_warn("%s", e.msg);
}

static int move_devices(void *ctx, struct err *e)
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

static int tell_placed(void *ctx, struct err *e)
{
	return sync_send(((struct create *)ctx)->sync, SYNC_PLACED, e);
}

/* run writes it while the child is still busy; create when the child is ready. */
static int save_state(struct create *c, const char *status, struct err *e)
{
	c->state.status = status;
	c->state.pid = c->pid;
	c->state.start_time = process_start_time(c->pid);
	return store_save(c->dir, &c->state, e);
}

static int save_running(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return c->plan.run ? save_state(c, "running", e) : 0;
}

static int save_created(void *ctx, struct err *e)
{
	return save_state(ctx, "created", e);
}

static int write_pid_file(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return pidfile_write(c->opts->pid_file, c->pid, e);
}

static int send_pidfd(void *ctx, struct err *e)
{
	struct create *c = ctx;

	return pidfd_send(c->opts->pidfd_socket, c->pidfd, e);
}

static int await_console(void *ctx, struct err *e)
{
	struct create *c = ctx;
	int r = sync_expect_fd(c->sync, SYNC_CONSOLE, &c->master, e);

	if (r < 0)
		return r;
	return foreground_console(&c->foreground, c->master,
				  c->plan.process.spec->console_size != NULL, e);
}

static int runtime_hooks(void *ctx, struct err *e)
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

static int serve_listener(void *ctx, struct err *e)
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

static int await_ready(void *ctx, struct err *e)
{
	return sync_expect(((struct create *)ctx)->sync, SYNC_READY, e);
}

static int tell_created(void *ctx, struct err *e)
{
	return sync_send(((struct create *)ctx)->sync, SYNC_CREATED, e);
}

static const struct step steps[] = {
	{"claim id",         NULL,                claim_id,         release_id,        STEP_PLAIN},
	{"console socket",   has_console_socket,  connect_console,  NULL,              STEP_PLAIN},
	{"start socket",     waits_for_start,     listen_for_start, NULL,              STEP_NAMED},
	{"id range",         pools_ids,           claim_ids,        release_ids,       STEP_PLAIN},
	{"cpus",             pins_cpus,           claim_cpus,       release_cpus,      STEP_PLAIN},
	{"first state",      NULL,                save_first_state, NULL,              STEP_NAMED},
	{"cgroup",           NULL,                make_cgroup,      drop_cgroup,       STEP_NAMED},
	{"notify socket",    wants_notify,        make_notify,      NULL,              STEP_PLAIN},
	{"warden",           has_warden,          create_warden,    create_warden_end, STEP_NAMED},
	{"user namespace",   is_late,             make_userns,      NULL,              STEP_PLAIN},
	{"open sources",     opens_sources,       open_sources,     close_sources,     STEP_PLAIN},
	{"open namespaces",  joins_namespaces,    open_namespaces,  close_namespaces,  STEP_PLAIN},
	{"prepare stub",     NULL,                prepare_stub,     NULL,              STEP_NAMED},
	{"clone",            NULL,                clone_child,      kill_child,        STEP_PLAIN},
	{"id maps",          maps_child,          write_maps,       NULL,              STEP_NAMED},
	{"attach to cgroup", attaches,            attach,           NULL,              STEP_NAMED},
	{"adopt",            has_warden,          create_adopt,     NULL,              STEP_NAMED},
	{"resctrl",          has_resctrl,         apply_resctrl,    drop_resctrl,      STEP_NAMED},
	{"network devices",  moves_devices,       move_devices,     NULL,              STEP_NAMED},
	{"tell placed",      wants_placed,        tell_placed,      NULL,              STEP_NAMED},
	{"save running",     NULL,                save_running,     NULL,              STEP_NAMED},
	{"pid file",         wants_pid_file,      write_pid_file,   NULL,              STEP_PLAIN},
	{"pidfd socket",     wants_pidfd_socket,  send_pidfd,       NULL,              STEP_PLAIN},
	{"await console",    wants_console_fd,    await_console,    NULL,              STEP_PLAIN},
	{"runtime hooks",    wants_runtime_hooks, runtime_hooks,    NULL,              STEP_PLAIN},
	{"listener",         has_listener,        serve_listener,   NULL,              STEP_PLAIN},
	{"await ready",      NULL,                await_ready,      NULL,              STEP_PLAIN},
	{"save created",     waits_for_start,     save_created,     NULL,              STEP_NAMED},
	{"tell created",     waits_for_start,     tell_created,     NULL,              STEP_NAMED},
};

/* --- both verbs --------------------------------------------------------------------------- */

/* What the caller left open is looked at and closed before anything else is opened. */
int create_init(struct create *c, const struct container_host *h,
		const struct container_create_opts *o, struct arena *a, struct err *e)
{
	*c = (struct create){
		.host = h,
		.opts = o,
		.arena = a,
		.dir = -1,
		.console_socket = -1,
		.listen = -1,
		.stub = -1,
		.sync = -1,
		.pid = -1,
		.pidfd = -1,
		.master = -1,
		.userns = -1,
		.warden_end = -1,
		.detached = WARDEN_DETACHED_NONE,
		.foreground = {.signals = -1, .tty = -1},
		.notify = {.sock = -1            },
		.hook_output = HOOK_OUTPUT_KEPT,
	};
	unsigned int passed = o->preserve_fds + plan_listen_fds();
	int r = process_check_preserved(passed, e);
	if (r == 0)
		process_close_all_but(passed, (int[]){log_fd()}, 1);
	c->id = o->id;
	return r < 0 || o->id ? r : direct_id(a, &c->id, e);
}

void create_done(struct create *c)
{
	cgroup_close(c->cgroup);
	if (c->fs)
		fs_close(c->fs);
	ns_close(&c->plan.ns);
	notify_close(&c->notify);
	hook_output_close(&c->hook_output);
	own_close(&c->dir);
	own_close(&c->console_socket);
	own_close(&c->listen);
	own_close(&c->stub);
	own_close(&c->userns);
	own_close(&c->warden_end);
	warden_detached_leave(&c->detached);
	warden_close(c->warden);
	own_close(&c->sync);
	own_close(&c->pidfd);
	own_close(&c->master);
}

/* The steps of both verbs up to READY (run) or CREATED (create). */
int create_make(struct create *c, bool run, struct err *e)
{
	struct plan_request req = {.host = c->host, .opts = c->opts, .id = c->id, .run = run};
	int r = store_check_id(c->id, e);

	if (r < 0)
		return r;
	r = plan_make(c->arena, &req, &c->plan, e);
	if (r == 0 && c->plan.sealed_self)
		r = launch_reexec_sealed(e);
	if (r == 0 && c->plan.level)
		r = process_check_standard(e);
	if (r == 0 && !c->plan.level)
		r = annotation_hook_output(&c->plan.config, &c->hook_output, e);
	/* Not before: over a re-execution what it blocks would become the caller's mask. */
	if (r == 0 && c->in_foreground)
		r = foreground_begin(&c->foreground, e);
	if (r < 0)
		return r;
	r = steps_run(run ? "run" : "create", steps, LEN(steps), c, e);
	if (r < 0 && c->plan.config.hooks && c->plan.config.hooks->n_poststop && c->pid > 0) {
		/* runtime.md, Lifecycle: after a failed hook it goes on with 12 and 13. */
		c->state.pid = 0;
		hooks_run_all("poststop", c->plan.config.hooks->poststop,
			      c->plan.config.hooks->n_poststop,
			      container_hook_state(c->arena, &c->state, "stopped"),
			      &c->hook_output);
	}
	return r;
}

int container_create(const struct container_host *h, const struct container_create_opts *o,
		     struct err *e)
{
	own_arena struct arena a = {0};
	struct create c;

	int r = create_init(&c, h, o, &a, e);
	if (r == 0)
		r = create_make(&c, false, e);
	create_done(&c);
	return r;
}
