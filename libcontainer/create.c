/*
 * create and run: the runtime's side.  Two tables are read side by side: parent_steps here, the
 * child's in init.c; what they say to each other is drawn in run/sync.h.
 *
 * Crash safety: state.json with the cgroup's directories is on disk before they are made, so
 * that a delete --force finds everything whatever step brig was killed at; the child dies with
 * the runtime until it is ready, and then waits for CREATED, which comes only after its pid is on
 * disk.
 */
#include <sched.h>

#include "annotation.h"
#include "base/fdpass.h"
#include "base/log.h"
#include "base/own.h"
#include "base/step.h"
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
bool create_has_listener(const void *ctx)
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
bool create_is_late(const void *ctx)
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

static int meanwhile(void *ctx, struct err *e)
{
	struct create *c = ctx;

	(void)e;
	c->meanwhile(c);
	return 0;
}

static const struct step steps[] = {
	{"begin network",    begins_net,            create_begin_net,      NULL,                 STEP_NAMED},
	{"claim id",         is_first,              claim_id,              release_id,           STEP_PLAIN},
	{"console socket",   has_console_socket,    connect_console,       NULL,                 STEP_PLAIN},
	{"start socket",     waits_for_start,       listen_for_start,      NULL,                 STEP_NAMED},
	{"id range",         pools_ids,             create_claim_ids,      create_release_ids,   STEP_PLAIN},
	{"cpus",             create_pins,           create_cpus,           create_cpus_end,      STEP_PLAIN},
	{"address slot",     create_has_veth,       create_claim_slot,     create_release_slot,  STEP_NAMED},
	{"first state",      NULL,                  save_first_state,      NULL,                 STEP_NAMED},
	{"cgroup",           NULL,                  create_cgroup,         create_drop_cgroup,   STEP_NAMED},
	{"fresh cgroup",     is_reusable,           create_check_fresh,    NULL,                 STEP_PLAIN},
	{"notify socket",    wants_notify,          make_notify,           NULL,                 STEP_PLAIN},
	{"audit",            create_is_audited,     create_audit,          create_audit_undo,    STEP_PLAIN},
	{"warden",           has_warden,            create_warden,         create_warden_end,    STEP_NAMED},
	{"tie",              create_is_tied,        create_tie,            create_tie_end,       STEP_NAMED},
	{"user namespace",   create_is_late,        create_userns,         NULL,                 STEP_PLAIN},
	{"open sources",     opens_sources,         create_open_sources,   create_close_sources, STEP_PLAIN},
	{"open namespaces",  joins_namespaces,      open_namespaces,       close_namespaces,     STEP_PLAIN},
	{"prepare stub",     NULL,                  prepare_stub,          NULL,                 STEP_NAMED},
	{"warden ready",     create_has_detached,   create_warden_ready,   NULL,                 STEP_NAMED},
	{"resolver",         create_resolves_early, create_resolver,       create_rules_end,     STEP_NAMED},
	{"clone",            NULL,                  create_clone,          create_clone_undo,    STEP_PLAIN},
	{"id maps",          maps_child,            create_write_maps,     NULL,                 STEP_NAMED},
	{"attach to cgroup", attaches,              create_attach,         NULL,                 STEP_NAMED},
	{"cpu partition",    create_pins_cores,     create_partition,      NULL,                 STEP_NAMED},
	{"adopt",            has_warden,            create_adopt,          NULL,                 STEP_NAMED},
	{"resctrl",          has_resctrl,           create_apply_resctrl,  create_drop_resctrl,  STEP_NAMED},
	{"network devices",  moves_devices,         create_move_devices,   NULL,                 STEP_NAMED},
	{"open network",     create_has_egress,     create_open_netns,     NULL,                 STEP_PLAIN},
	{"tell placed",      wants_placed,          create_tell_placed,    NULL,                 STEP_NAMED},
	{"connect network",  create_has_connection, create_connect,        create_disconnect,    STEP_NAMED},
	{"egress rules",     create_has_egress,     create_rules,          create_rules_end,     STEP_NAMED},
	{"tell network",     create_has_egress,     create_tell_network,   NULL,                 STEP_NAMED},
	{"save running",     NULL,                  create_save_running,   NULL,                 STEP_NAMED},
	{"pid file",         wants_pid_file,        create_write_pid_file, NULL,                 STEP_PLAIN},
	{"pidfd socket",     wants_pidfd_socket,    create_send_pidfd,     NULL,                 STEP_PLAIN},
	{"await console",    wants_console_fd,      create_await_console,  NULL,                 STEP_PLAIN},
	{"runtime hooks",    wants_runtime_hooks,   create_runtime_hooks,  NULL,                 STEP_PLAIN},
	{"listener",         create_has_listener,   create_serve_listener, NULL,                 STEP_PLAIN},
	{"meanwhile",        has_meanwhile,         meanwhile,             NULL,                 STEP_PLAIN},
	{"await ready",      NULL,                  create_await_ready,    NULL,                 STEP_PLAIN},
	{"grants",           create_has_grants,     create_grants,         NULL,                 STEP_NAMED},
	{"tell granted",     create_awaits_grants,  create_tell_granted,   NULL,                 STEP_NAMED},
	{"let go",           is_reaped_by_warden,   create_let_go,         NULL,                 STEP_NAMED},
	{"save created",     waits_for_start,       create_save_created,   NULL,                 STEP_NAMED},
	{"layers",           keeps_layers,          layers_hold,           NULL,                 STEP_NAMED},
	{"fingerprint",      takes_fingerprint,     reuse_take,            NULL,                 STEP_NAMED},
	{"tell created",     waits_for_start,       create_tell_created,   NULL,                 STEP_NAMED},
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
