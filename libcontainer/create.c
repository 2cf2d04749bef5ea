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
#include <poll.h>
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
#include "base/unixat.h"
#include "container.h"
#include "create.h"
#include "delete.h"
#include "direct.h"
#include "init.h"
#include "layers.h"
#include "plan.h"
#include "process.h"
#include "reuse.h"
#include "run/foreground.h"
#include "run/hooks.h"
#include "run/launch.h"
#include "run/notify.h"
#include "run/spawn.h"
#include "run/sync.h"
#include "store.h"

/* --- predicates --------------------------------------------------------------------------- */

static const struct plan *plan_of(const void *ctx)
{
	return &((const struct create *)ctx)->plan;
}
/* reset: what the shell has is not claimed again, nor given back. */
static bool is_first(const void *ctx)
{
	return !((const struct create *)ctx)->before;
}
static bool is_reusable(const void *ctx)
{
	return ((const struct create *)ctx)->reuse;
}
static bool takes_fingerprint(const void *ctx)
{
	return is_reusable(ctx) && is_first(ctx);
}
static bool has_meanwhile(const void *ctx)
{
	return ((const struct create *)ctx)->meanwhile;
}
static bool keeps_layers(const void *ctx)
{
	return plan_of(ctx)->layers.keep;
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
static bool has_warden(const void *ctx)
{
	return plan_of(ctx)->watch.wanted;
}
static bool is_reaped_by_warden(const void *ctx)
{
	return plan_of(ctx)->watch.warden.reaps;
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

/*
 * Who makes it owns it: not where a user namespace of the configuration is to.  The child is born
 * in it as in a joined one, so the runtime must be allowed to go back (run/spawn.h).
 */
bool create_makes_net(const void *ctx)
{
	const struct plan *p = plan_of(ctx);

	return p->privileged && !p->nested && p->ns.make & CLONE_NEWNET &&
	       !((p->ns.make | p->ns.join) & CLONE_NEWUSER);
}

int create_begin_net(void *ctx, struct err *e)
{
	return ns_ahead_begin(&((struct create *)ctx)->net_ahead, e);
}

static bool begins_net(const void *ctx)
{
	return is_first(ctx) && create_makes_net(ctx);
}

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
	/* Where the table is full, its descriptor is what the removal lacks. */
	ns_ahead_drop(&c->net_ahead);
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

static int listen_for_start(void *ctx, struct err *e)
{
	struct create *c = ctx;

	c->listen = unixat_listen(c->dir, STORE_START, 1, e);
	return c->listen < 0 ? err_wrap(e, "start") : 0;
}

static int save_first_state(void *ctx, struct err *e)
{
	struct create *c = ctx;

	if (cgroup_check_vacant(c->arena, c->plan.cgroup, e) < 0 ||
	    plan_record(c->arena, &c->plan, c->dir, &c->state, e) < 0)
		return -e->code;
	if (create_has_veth(c))
		create_note_slot(c);
	if (pools_ids(c)) {
		c->state.ids_directory = c->plan.level->pool.directory;
		c->state.ids_slot = c->slot.slot;
	}
	if (is_first(c)) {
		c->state.cgroup = cgroup_found_record(c->arena, &c->state.cgroup);
		if (create_check_others(c, e) < 0)
			return -e->code;
	}
	if (c->reuse && reuse_begin(c, e) < 0)
		return -e->code;
	return store_save(c->dir, &c->state, e);
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
	if (r == 0)
		layers_take_uppers(c);
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
	return c->plan.run && (!c->plan.egress || create_gives_net(c)) &&
	       c->plan.ns.make & CLONE_NEWPID && !wants_placed(c) && !wants_console_fd(c) &&
	       !wants_runtime_hooks(c) && !has_listener(c) && !create_awaits_grants(c);
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

/* Nobody but the child has them afterwards. */
static int spawn_with_secrets(struct create *c, const struct spawn *s, struct err *e)
{
	const char *const *env = c->plan.process.env;

	if (c->secrets.n_vars)
		c->plan.process.env = secrets_env(c->arena, &c->secrets, env);
	secrets_hand_over(&c->secrets);
	int r = spawn(s, &c->pid, &c->pidfd, e);
	c->plan.process.env = env;
	secrets_end(&c->secrets);
	return r;
}

/* Its first process has nothing to say to us then, and shares our memory. */
static int give_net(struct create *c, struct init *in, struct err *e)
{
	int r = resolver_give(&c->resolver, c->net_ahead.fd, -1, e);

	if (r < 0)
		return r;
	c->net_given = true;
	in->resolver = c->resolver.link;
	in->resolver_connects = create_has_veth(c);
	return 0;
}

/* The one that was made ahead takes the place of the one to make. */
static int take_net(struct create *c, struct ns_plan *p, struct err *e)
{
	int r = ns_ahead_await(&c->net_ahead, e);

	if (r < 0)
		return r;
	p->make &= ~(uint64_t)CLONE_NEWNET;
	p->join |= CLONE_NEWNET;
	p->joins[p->n_joins++] = (struct ns_join){CLONE_NEWNET, "its own", c->net_ahead.fd};
	return 0;
}

static int clone_child(void *ctx, struct err *e)
{
	struct create *c = ctx;
	bool hard = is_born_hard(&c->plan);
	struct ns_plan namespaces = c->plan.ns;
	int fds[2];

	if (create_makes_net(c) && take_net(c, &namespaces, e) < 0)
		return -e->code;
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
		.resolver = -1,
		.console_socket = c->console_socket,
		.hook_output = &c->hook_output,
		.foreground = c->in_foreground ? &c->foreground : NULL,
		.owner = is_late(c) ? &c->owner : NULL,
		.userns = c->userns,
		.warden = c->warden_end,
		.output = c->output.write_ends,
		.shows_parked = c->reuse && !c->plan.privileged,
		.disks = c->wants_result || c->detached.pid ? c->state.disk : NULL,
	};
	if (is_late(c))
		(void)idmap_uid_to_host(&c->idmap, c->plan.process.creds.uid, &in.host_uid);
	struct spawn s = {
		.make = namespaces.make,
		.join = &namespaces,
		.target = -1,
		.staged = c->plan.staged,
		.enclose = create_is_tied(c) ? c->tie.pidfd : c->detached.pidns,
		.hold = is_reaped_by_warden(c) ? &c->hold : NULL,
		.share = has_no_meetings(c),
		.cgroup = c->plan.cgroup_attach ? -1 : cgroup_spawn_fd(c->cgroup),
		.offsets = c->plan.config.linux_ ? c->plan.config.linux_->time_offsets : NULL,
		.sync = fds[1],
		.sync_peer = fds[0],
		.map = map_stage,
		.child = init_main,
		.ctx = &in,
	};
	int r = create_is_tied(c) ? warden_tie_await(&c->tie, e) : 0;
	if (r == 0 && c->plan.egress && s.share)
		r = give_net(c, &in, e);
	struct reuse_streams streams = {0};
	if (r == 0 && c->before)
		r = reuse_streams_away(&streams, e);
	if (r == 0)
		r = spawn_with_secrets(c, &s, e);
	reuse_streams_back(&streams);

	(void)close(fds[1]);
	close_sources(c);
	ns_ahead_drop(&c->net_ahead);
	own_close(&c->listen);
	own_close(&c->console_socket);
	own_close(&c->warden_end);
	create_output_cloned(&c->output);
	return r;
}

void create_kill_child(struct create *c)
{
	struct pollfd p = {.fd = c->pidfd, .events = POLLIN};

	(void)sys_pidfd_send_signal(c->pidfd, SIGKILL);
	while (poll(&p, 1, -1) < 0 && errno == EINTR)
		;
	(void)waitpid(c->pid, NULL, 0); /* or its warden does */
	spawn_let_go(&c->hold);
	own_close(&c->pidfd);
}

static void kill_child(void *ctx)
{
	create_kill_child(ctx);
}

static int meanwhile(void *ctx, struct err *e)
{
	struct create *c = ctx;

	(void)e;
	c->meanwhile(c);
	return 0;
}

static const struct step steps[] = {
	{"begin network",    begins_net,            create_begin_net,      NULL,                STEP_NAMED},
	{"claim id",         is_first,              claim_id,              release_id,          STEP_PLAIN},
	{"console socket",   has_console_socket,    connect_console,       NULL,                STEP_PLAIN},
	{"start socket",     waits_for_start,       listen_for_start,      NULL,                STEP_NAMED},
	{"id range",         pools_ids,             create_claim_ids,      create_release_ids,  STEP_PLAIN},
	{"cpus",             create_pins,           create_cpus,           create_cpus_end,     STEP_PLAIN},
	{"address slot",     create_has_veth,       create_claim_slot,     create_release_slot, STEP_NAMED},
	{"first state",      NULL,                  save_first_state,      NULL,                STEP_NAMED},
	{"cgroup",           NULL,                  create_cgroup,         create_drop_cgroup,  STEP_NAMED},
	{"fresh cgroup",     is_reusable,           create_check_fresh,    NULL,                STEP_PLAIN},
	{"notify socket",    wants_notify,          make_notify,           NULL,                STEP_PLAIN},
	{"audit",            create_is_audited,     create_audit,          create_audit_undo,   STEP_PLAIN},
	{"warden",           has_warden,            create_warden,         create_warden_end,   STEP_NAMED},
	{"tie",              create_is_tied,        create_tie,            create_tie_end,      STEP_NAMED},
	{"user namespace",   is_late,               create_userns,         NULL,                STEP_PLAIN},
	{"open sources",     opens_sources,         open_sources,          close_sources,       STEP_PLAIN},
	{"open namespaces",  joins_namespaces,      open_namespaces,       close_namespaces,    STEP_PLAIN},
	{"prepare stub",     NULL,                  prepare_stub,          NULL,                STEP_NAMED},
	{"warden ready",     create_has_detached,   create_warden_ready,   NULL,                STEP_NAMED},
	{"resolver",         create_resolves_early, create_resolver,       create_rules_end,    STEP_NAMED},
	{"clone",            NULL,                  clone_child,           kill_child,          STEP_PLAIN},
	{"id maps",          maps_child,            create_write_maps,     NULL,                STEP_NAMED},
	{"attach to cgroup", attaches,              create_attach,         NULL,                STEP_NAMED},
	{"cpu partition",    create_pins_cores,     create_partition,      NULL,                STEP_NAMED},
	{"adopt",            has_warden,            create_adopt,          NULL,                STEP_NAMED},
	{"resctrl",          has_resctrl,           create_apply_resctrl,  create_drop_resctrl, STEP_NAMED},
	{"network devices",  moves_devices,         create_move_devices,   NULL,                STEP_NAMED},
	{"open network",     create_has_egress,     create_open_netns,     NULL,                STEP_PLAIN},
	{"tell placed",      wants_placed,          create_tell_placed,    NULL,                STEP_NAMED},
	{"connect network",  create_has_connection, create_connect,        create_disconnect,   STEP_NAMED},
	{"egress rules",     create_has_egress,     create_rules,          create_rules_end,    STEP_NAMED},
	{"tell network",     create_has_egress,     create_tell_network,   NULL,                STEP_NAMED},
	{"save running",     NULL,                  create_save_running,   NULL,                STEP_NAMED},
	{"pid file",         wants_pid_file,        create_write_pid_file, NULL,                STEP_PLAIN},
	{"pidfd socket",     wants_pidfd_socket,    create_send_pidfd,     NULL,                STEP_PLAIN},
	{"await console",    wants_console_fd,      create_await_console,  NULL,                STEP_PLAIN},
	{"runtime hooks",    wants_runtime_hooks,   create_runtime_hooks,  NULL,                STEP_PLAIN},
	{"listener",         has_listener,          create_serve_listener, NULL,                STEP_PLAIN},
	{"meanwhile",        has_meanwhile,         meanwhile,             NULL,                STEP_PLAIN},
	{"await ready",      NULL,                  create_await_ready,    NULL,                STEP_PLAIN},
	{"grants",           create_has_grants,     create_grants,         NULL,                STEP_NAMED},
	{"tell granted",     create_awaits_grants,  create_tell_granted,   NULL,                STEP_NAMED},
	{"let go",           is_reaped_by_warden,   create_let_go,         NULL,                STEP_NAMED},
	{"save created",     waits_for_start,       create_save_created,   NULL,                STEP_NAMED},
	{"layers",           keeps_layers,          layers_hold,           NULL,                STEP_NAMED},
	{"fingerprint",      takes_fingerprint,     reuse_take,            NULL,                STEP_NAMED},
	{"tell created",     waits_for_start,       create_tell_created,   NULL,                STEP_NAMED},
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
		.net_ahead = NS_AHEAD_NONE,
		.warden_end = -1,
		.detached = WARDEN_DETACHED_NONE,
		.watch = WATCH_NONE(&c->state),
		.wants_result = o->result || o->keep,
		.output = {.write_ends = {-1, -1}},
		.hold = SPAWN_HOLD_NONE,
		.tie = WARDEN_TIE_NONE,
		.secrets = SECRETS_NONE,
		.netns = -1,
		.netns_userns = -1,
		.pasta = PASTA_NONE,
		.resolver = RESOLVER_NONE,
		.foreground = {.signals = -1,          .tty = -1},
		.notify = {.sock = -1                     },
		.hook_output = HOOK_OUTPUT_KEPT,
	};
	unsigned int passed = o->preserve_fds + plan_listen_fds();
	int r = process_check_preserved(passed, e);
	int keep[SECRET_KEEPS + 1];

	if (r == 0)
		r = secrets_open(o->env_fd, o->secrets, o->n_secrets, passed, &c->secrets, e);
	if (r == 0) {
		size_t n = secrets_keep(&c->secrets, log_fd(), keep);

		keep[n++] = o->observer ? *o->observer : -1;
		process_close_all_but(passed, keep, n);
	}
	c->id = o->id;
	return r < 0 || o->id ? r : direct_id(a, &c->id, e);
}

void create_done(struct create *c)
{
	secrets_end(&c->secrets);
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
	ns_ahead_drop(&c->net_ahead);
	own_close(&c->warden_end);
	spawn_let_go(&c->hold);
	warden_tie_end(&c->tie);
	warden_detached_leave(&c->detached);
	warden_close(c->warden);
	evidence_close(&c->evidence);
	create_output_close(&c->output);
	layers_close_uppers(c);
	own_close(&c->netns);
	own_close(&c->netns_userns);
	pasta_end(&c->pasta);
	resolver_leave(&c->resolver);
	watch_close(&c->watch);
	own_close(&c->sync);
	own_close(&c->pidfd);
	own_close(&c->master);
}

/* Of the caller's terminal: the program sees it from its start on. */
static void take_size(struct create *c)
{
	const struct oci_process *had = c->plan.process.spec;
	struct oci_console_size *size = arena_new(c->arena, sizeof(*size));

	if (!init_wants_console_fd(&c->plan) || had->console_size ||
	    !foreground_size(&size->height, &size->width))
		return;
	struct oci_process *spec = arena_new(c->arena, sizeof(*spec));
	*spec = *had;
	spec->console_size = size;
	c->plan.process.spec = spec;
}

int create_plan(struct create *c, bool run, struct err *e)
{
	struct plan_request req = {
		.host = c->host,
		.opts = c->opts,
		.secrets = &c->secrets,
		.id = c->id,
		.run = run,
	};
	int r = store_check_id(c->id, e);

	if (r < 0)
		return r;
	r = plan_make(c->arena, &req, &c->plan, e);
	if (r < 0)
		create_audit_refused(c, e);
	if (r == 0 && c->plan.sealed_self)
		r = launch_reexec_sealed(e);
	if (r == 0 && c->plan.observer)
		r = learn_send_original(c->plan.observer, e);
	if (r == 0 && c->plan.level)
		r = process_check_standard(e);
	if (r == 0 && !c->plan.level)
		r = annotation_hook_output(&c->plan.config, &c->hook_output, e);
	if (r == 0 && !c->before)
		r = reuse_plan(c->arena, c->opts, &c->plan, &c->reuse, e);
	/* It can be read once only, and whoever writes it may never end: nothing is made yet. */
	if (r == 0)
		r = secrets_read(c->arena, &c->secrets, e);
	if (r == 0)
		take_size(c);
	/* Not before: over a re-execution what it blocks would become the caller's mask. */
	return r == 0 && c->in_foreground ? foreground_begin(&c->foreground, e) : r;
}

int create_again(struct create *c, struct err *e)
{
	return steps_run("reset create", steps, LEN(steps), c, e);
}

int create_make(struct create *c, bool run, struct err *e)
{
	int r = create_plan(c, run, e);

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
