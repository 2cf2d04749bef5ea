#include "init.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/step.h"
#include "base/str.h"
#include "net/egress.h"
#include "net/netdev.h"
#include "process.h"
#include "run/hooks.h"
#include "run/sync.h"
#include "session.h"
#include "work.h"

/* What the steps share. */
struct child {
	const struct init *in;
	const struct plan *plan;
	struct fs *fs;
	struct process process;
	int given[SYNC_GO_FDS];   /* by start: other work */
	struct plan_process late; /* that */
	int conn; /* where the failure of execve is told: the sync pair, or start's connection */
};

bool init_wants_placed(const struct plan *p)
{
	const struct oci_linux *l = p->config.linux_;

	return p->has_idmap || p->cgroup_attach || (l && (l->n_net_devices || l->intel_rdt));
}

bool init_wants_runtime_hooks(const struct plan *p)
{
	const struct oci_hooks *h = p->config.hooks;

	return h && (h->n_prestart || h->n_create_runtime);
}

bool init_wants_console_fd(const struct plan *p)
{
	return p->process.terminal && !p->console_socket;
}

/* --- predicates --------------------------------------------------------------------------- */

static const struct plan *plan_of(const void *ctx)
{
	return ((const struct child *)ctx)->plan;
}
static bool enters_cgroup(const void *ctx)
{
	return cgroup_enters(((const struct child *)ctx)->in->cgroup);
}
static bool wants_placed(const void *ctx)
{
	return init_wants_placed(plan_of(ctx));
}
static bool in_userns(const void *ctx)
{
	return (plan_of(ctx)->ns.make | plan_of(ctx)->ns.join) & CLONE_NEWUSER;
}
static bool wants_keyring(const void *ctx)
{
	return plan_of(ctx)->new_keyring || plan_of(ctx)->level;
}
static bool own_cgroup_ns(const void *ctx)
{
	return plan_of(ctx)->ns.make & CLONE_NEWCGROUP;
}
static bool own_net_ns(const void *ctx)
{
	return plan_of(ctx)->ns.make & CLONE_NEWNET;
}
static bool denies_egress(const void *ctx)
{
	const struct plan *p = plan_of(ctx);

	return p->level && !p->egress && p->level->egress_deny &&
	       (p->ns.make | p->ns.join) & CLONE_NEWNET;
}
/* Without rules of its own it may be a guest of somebody's. */
static bool meets_rules(const void *ctx)
{
	const struct plan *p = plan_of(ctx);

	return !p->level && !p->egress && p->ns.join & CLONE_NEWNET;
}
/* Before what runs or is said in its network; where there is nothing of that kind, last of all. */
static bool awaits_network_early(const void *ctx)
{
	const struct plan *p = plan_of(ctx);
	const struct oci_hooks *h = p->config.hooks;

	return p->egress && (init_wants_runtime_hooks(p) || (h && h->n_create_container) ||
			     (p->seccomp.notify && p->seccomp_early));
}
static bool awaits_network_late(const void *ctx)
{
	return plan_of(ctx)->egress && !awaits_network_early(ctx);
}
static bool enters_userns(const void *ctx)
{
	return plan_of(ctx)->level && plan_of(ctx)->level->late;
}
static bool has_names(const void *ctx)
{
	return plan_of(ctx)->config.hostname || plan_of(ctx)->config.domainname;
}
static bool wants_procfs(const void *ctx)
{
	return plan_of(ctx)->need_procfs;
}
static bool opens_sources(const void *ctx)
{
	return !((const struct child *)ctx)->in->fs;
}
static bool has_terminal(const void *ctx)
{
	return plan_of(ctx)->process.terminal;
}
static bool wants_runtime_hooks(const void *ctx)
{
	return init_wants_runtime_hooks(plan_of(ctx));
}
static bool has_create_container(const void *ctx)
{
	return plan_of(ctx)->config.hooks && plan_of(ctx)->config.hooks->n_create_container;
}
static bool has_start_container(const void *ctx)
{
	return plan_of(ctx)->config.hooks && plan_of(ctx)->config.hooks->n_start_container;
}
static bool has_program(const void *ctx)
{
	return !plan_of(ctx)->no_program;
}
static bool limits_execution(const void *ctx)
{
	const struct plan *p = plan_of(ctx);

	return p->level && p->level->harden.exec.limited && !p->no_program;
}
static bool waits_for_start(const void *ctx)
{
	return !plan_of(ctx)->run;
}
static bool awaits_grants(const void *ctx)
{
	return !waits_for_start(ctx) && policy_has_held(plan_of(ctx)->policy);
}

/* --- steps -------------------------------------------------------------------------------- */

static int begin(void *ctx, struct err *e)
{
	(void)ctx;
	return session_begin(e);
}

static int enter_cgroup(void *ctx, struct err *e)
{
	return cgroup_enter(((struct child *)ctx)->in->cgroup, e);
}

static int await_placed(void *ctx, struct err *e)
{
	return sync_expect(((struct child *)ctx)->in->sync, SYNC_PLACED, e);
}

static int harden(void *ctx, struct err *e)
{
	(void)ctx;
	return session_harden(e);
}

static int keyring(void *ctx, struct err *e)
{
	(void)ctx;
	return session_keyring(e);
}

static int cgroup_namespace(void *ctx, struct err *e)
{
	(void)ctx;
	/* After the move: the namespace's root is where the process is now (cgroup_namespaces(7)).
	 */
	if (unshare(CLONE_NEWCGROUP) < 0)
		return err_set(e, errno, "unshare cgroup namespace");
	return 0;
}

static int loopback(void *ctx, struct err *e)
{
	(void)ctx;
	return net_loopback_up(e);
}

/* Before anything of the workload's exists in the namespace. */
static int egress(void *ctx, struct err *e)
{
	(void)ctx;
	return egress_deny_all(e);
}

static int check_others_rules(void *ctx, struct err *e)
{
	const struct caps_plan *c = &plan_of(ctx)->process.caps;

	return egress_check_caps(
		c->bounding | c->effective | c->permitted | c->inheritable | c->ambient, e);
}

static int host_names(void *ctx, struct err *e)
{
	struct child *c = ctx;
	const char *host = c->plan->config.hostname, *domain = c->plan->config.domainname;

	if (host && sethostname(host, strlen(host)) < 0)
		return err_set(e, errno, "hostname %s", host);
	if (domain && setdomainname(domain, strlen(domain)) < 0)
		return err_set(e, errno, "domainname %s", domain);
	return 0;
}

static int open_procfs(void *ctx, struct err *e)
{
	struct child *c = ctx;

	c->process.proc = procfd_open(e);
	return c->process.proc < 0 ? c->process.proc : 0;
}

static int early_attributes(void *ctx, struct err *e)
{
	struct child *c = ctx;

	int r = c->plan->level ? harden_sysctls(&c->plan->level->harden, c->process.proc, e) : 0;

	return r < 0 ? r : attrs_apply_early(c->plan->process.attrs, c->process.proc, e);
}

static int become_root(void *ctx, struct err *e)
{
	(void)ctx;
	return session_become_root(e);
}

static int late_sysctls(void *ctx, struct err *e)
{
	struct child *c = ctx;

	return attrs_apply_sysctls_late(c->plan->process.attrs, c->process.proc, e);
}

static int open_sources(void *ctx, struct err *e)
{
	struct child *c = ctx;

	return fs_open(c->in->arena, c->plan->fs, c->in->owner, &c->fs, e);
}

static int build_fs(void *ctx, struct err *e)
{
	struct child *c = ctx;

	return fs_build(c->plan->fs, c->fs, e);
}

static int console(void *ctx, struct err *e)
{
	struct child *c = ctx;
	const struct oci_process *spec = c->plan->process.spec;
	own_fd int master = -1;
	int r = fs_console(c->plan->fs, c->fs, spec->console_size, c->plan->process.creds.uid,
			   &master, &c->process.slave, e);

	if (r < 0)
		return r;
	if (init_wants_console_fd(c->plan))
		return sync_send_fd(c->in->sync, SYNC_CONSOLE, master, e);
	/* runc sends the terminal's name as the message; receivers read it to find the end. */
	return fd_send(c->in->console_socket, "/dev/ptmx", sizeof("/dev/ptmx"), &master, 1,
		       c->plan->console_socket, e);
}

static int runtime_hooks(void *ctx, struct err *e)
{
	struct child *c = ctx;
	int r = sync_send(c->in->sync, SYNC_MOUNTED, e);

	return r < 0 ? r : sync_expect(c->in->sync, SYNC_HOOKS_DONE, e);
}

static int await_network(void *ctx, struct err *e)
{
	const struct init *in = ((struct child *)ctx)->in;

	if (in->resolver < 0)
		return sync_expect(in->sync, SYNC_NETWORK, e);
	if (in->resolver_connects && sync_expect(in->resolver, SYNC_NETWORK, e) < 0)
		return err_wrap(e, "connect network");
	return sync_expect(in->resolver, SYNC_READY, e) < 0 ? err_wrap(e, "egress rules") : 0;
}

/* For hooks that run inside: the pid is the one seen there (runtime.md, State). */
static const char *state_inside(struct child *c)
{
	struct oci_state s = {
		.oci_version = c->plan->config.oci_version,
		.id = c->plan->id,
		.status = "created",
		.pid = getpid(),
		.bundle = c->plan->bundle,
		.annotations = c->plan->config.annotations,
		.n_annotations = c->plan->config.n_annotations,
	};
	size_t len;

	return oci_state_print(c->in->arena, &s, true, &len);
}

static int create_container_hooks(void *ctx, struct err *e)
{
	struct child *c = ctx;
	const struct oci_hooks *h = c->plan->config.hooks;

	return hooks_run("createContainer", h->create_container, h->n_create_container,
			 state_inside(c), c->in->hook_output, e);
}

static int enter_root(void *ctx, struct err *e)
{
	struct child *c = ctx;
	int r = fs_enter(c->plan->fs, c->fs, e);

	if (r < 0)
		return r;
	c->process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->process.root < 0)
		return err_set(e, errno, "open the container's root");
	/* As the peers do: a working directory that the image lacks is made; at a level it has come
	 * with the mount points. */
	struct err ignored;
	if (c->plan->level)
		return 0;
	own_fd int cwd = inroot_mkdirs(c->process.root, c->plan->process.cwd, 0, &ignored);
	(void)cwd;
	return 0;
}

static int seal_root(void *ctx, struct err *e)
{
	struct child *c = ctx;

	return fs_seal(c->plan->fs, c->fs, e);
}

static int privileged(void *ctx, struct err *e)
{
	struct child *c = ctx;
	int r = process_stdio(&c->process, e);

	if (r == 0)
		r = process_labels(&c->process, e);
	return r < 0 ? r : process_privileged(&c->process, e);
}

static int enter_userns(void *ctx, struct err *e)
{
	return process_enter_userns(&((struct child *)ctx)->process, e);
}

static int rights(void *ctx, struct err *e)
{
	return process_rights(&((struct child *)ctx)->process, e);
}

static int early_filter(void *ctx, struct err *e)
{
	return process_filter_early(&((struct child *)ctx)->process, e);
}

static int user(void *ctx, struct err *e)
{
	return process_user(&((struct child *)ctx)->process, e);
}

static int find_program(void *ctx, struct err *e)
{
	return process_find(&((struct child *)ctx)->process, e);
}

static int limit_execution(void *ctx, struct err *e)
{
	return process_limit_execution(&((struct child *)ctx)->process, e);
}

static int ready(void *ctx, struct err *e)
{
	struct child *c = ctx;

	/* What is kept while it waits: nothing that leads outside, nor the lock on the state. */
	const struct hook_output *hooks = c->in->hook_output;
	int observer = c->plan->observer ? c->plan->observer->sock : -1;
	int keep[] = {c->in->sync, c->in->listen, c->in->stub,       log_fd(),
		      hooks->out,  hooks->err,    c->process.warden, observer};

	process_close_all_but(c->plan->process.preserve_fds, keep, LEN(keep));
	/* A plain user could not look into his own else.  Nothing else is in it until it is let go:
	 * exec refuses. */
	if (c->in->shows_parked && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	/* From here on the runtime may go: a created container waits for start without it. */
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	return sync_send(c->in->sync, SYNC_READY, e);
}

/* What is a grant is looked up by paths, which the program could change. */
static int await_grants(void *ctx, struct err *e)
{
	return sync_expect(((struct child *)ctx)->in->sync, SYNC_GRANTED, e);
}

/* As pid 1 signals without a handler are dropped: a created container ends by TERM and the like
 * as any process would.  execve sets these back to the default. */
static void end_by_signal(int sig)
{
	_exit(128 + sig);
}

static int await_start(void *ctx, struct err *e)
{
	static const int ending[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
	struct child *c = ctx;

	int r = sync_expect(c->in->sync, SYNC_CREATED, e);
	if (r < 0)
		return r;
	/* What the log was opened on belongs to create's caller, who is gone. */
	if (log_fd() >= 0)
		(void)close(log_fd());
	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	for (size_t i = 0; i < LEN(ending); i++)
		(void)signal(ending[i], end_by_signal);
	/* Last: who sees it closed knows that it is parked. */
	(void)close(c->in->sync);
	for (;;) {
		struct err ignored;

		c->conn = accept4(c->in->listen, NULL, NULL, SOCK_CLOEXEC);
		if (c->conn < 0 && errno != EINTR && errno != ECONNABORTED)
			return err_set(e, errno, "wait for start");
		/* A start that was killed before it said go has not happened. */
		if (c->conn >= 0 && sync_expect_go(c->conn, c->given, &ignored) == 0)
			break;
		if (c->conn >= 0)
			(void)close(c->conn);
	}
	(void)close(c->in->listen);
	return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ? err_set(e, errno, "PR_SET_DUMPABLE") : 0;
}

/* Its errors are those of the program that start named. */
static int late_work(void *ctx, struct err *e)
{
	struct child *c = ctx;

	if (c->given[0] < 0)
		return 0;
	c->late = c->plan->process;
	return work_take(&c->process, &c->late, c->given, e);
}

/* The hook's program is the image's: it gets no more than the workload does. */
static int confine_hook(const void *ctx)
{
	const struct plan *p = ctx;
	struct err ignored;
	int none;

	return p->seccomp_early ? 0 : seccomp_install(&p->seccomp, &none, &ignored);
}

static int start_container_hooks(void *ctx, struct err *e)
{
	struct child *c = ctx;
	const struct oci_hooks *h = c->plan->config.hooks;
	const struct hooks_guard guard = {confine_hook, c->plan};
	struct hook_output how = *c->in->hook_output;

	how.guard = &guard;
	return hooks_run("startContainer", h->start_container, h->n_start_container,
			 state_inside(c), &how, e);
}

static int execute(void *ctx, struct err *e)
{
	struct child *c = ctx;

	return process_exec(&c->process, c->conn, e);
}

/*
 * The order is full of traps; the reasons:
 * - harden after placed: an unprivileged runtime cannot write the maps of a non-dumpable child;
 * - early attributes before become root: net.* sysctls and oom_score_adj check the kuid, which is
 *   still the host's root; late sysctls after it: ipc ones check that of the namespace;
 * - cgroup namespace after placed: it is rooted where the process is;
 * - loopback after early attributes, disable_ipv6 among them: else lo gets addresses of IPv6 and
 *   loses them again;
 * - network before the first hook's program that is in it;
 * - everything that needs a capability or the host's paths before user;
 * - at a level the user namespace comes after all that builds: only then is nothing of the
 *   sandbox's owned by it (mounts, network, /proc);
 * - rlimits before it: raising one takes a capability over the host's;
 * - bounding set, securebits after it: entering resets them.
 */
static const struct step steps[] = {
	{"session",               NULL,                 begin,                  NULL, STEP_NAMED},
	{"enter cgroup",          enters_cgroup,        enter_cgroup,           NULL, STEP_NAMED},
	{"await placed",          wants_placed,         await_placed,           NULL, STEP_NAMED},
	{"harden",                NULL,                 harden,                 NULL, STEP_NAMED},
	{"keyring",               wants_keyring,        keyring,                NULL, STEP_NAMED},
	{"cgroup namespace",      own_cgroup_ns,        cgroup_namespace,       NULL, STEP_NAMED},
	{"egress",                denies_egress,        egress,                 NULL, STEP_NAMED},
	{"others' rules",         meets_rules,          check_others_rules,     NULL, STEP_PLAIN},
	{"host names",            has_names,            host_names,             NULL, STEP_NAMED},
	{"open procfs",           wants_procfs,         open_procfs,            NULL, STEP_NAMED},
	{"early attributes",      wants_procfs,         early_attributes,       NULL, STEP_NAMED},
	{"loopback",              own_net_ns,           loopback,               NULL, STEP_NAMED},
	{"become root",           in_userns,            become_root,            NULL, STEP_NAMED},
	{"late sysctls",          wants_procfs,         late_sysctls,           NULL, STEP_NAMED},
	{"open sources",          opens_sources,        open_sources,           NULL, STEP_NAMED},
	{"file system",           NULL,                 build_fs,               NULL, STEP_NAMED},
	{"console",               has_terminal,         console,                NULL, STEP_NAMED},
	{"await network",         awaits_network_early, await_network,          NULL, STEP_PLAIN},
	{"runtime hooks",         wants_runtime_hooks,  runtime_hooks,          NULL, STEP_NAMED},
	{"createContainer hooks", has_create_container, create_container_hooks, NULL, STEP_PLAIN},
	{"enter root",            NULL,                 enter_root,             NULL, STEP_NAMED},
	{"seal root",             NULL,                 seal_root,              NULL, STEP_NAMED},
	{"privileged",            NULL,                 privileged,             NULL, STEP_PLAIN},
	{"user namespace",        enters_userns,        enter_userns,           NULL, STEP_NAMED},
	{"rights",                NULL,                 rights,                 NULL, STEP_NAMED},
	{"early filter",          NULL,                 early_filter,           NULL, STEP_NAMED},
	{"user",		  NULL,                 user,                   NULL, STEP_NAMED},
	{"find program",          has_program,          find_program,           NULL, STEP_PLAIN},
	{"execution",             limits_execution,     limit_execution,        NULL, STEP_NAMED},
	{"await network late",    awaits_network_late,  await_network,          NULL, STEP_PLAIN},
	{"ready",                 NULL,                 ready,                  NULL, STEP_NAMED},
	{"await grants",          awaits_grants,        await_grants,           NULL, STEP_NAMED},
	{"await start",           waits_for_start,      await_start,            NULL, STEP_NAMED},
	{"late work",             waits_for_start,      late_work,              NULL, STEP_PLAIN},
	{"startContainer hooks",  has_start_container,  start_container_hooks,  NULL, STEP_PLAIN},
	{"execute",               NULL,                 execute,                NULL, STEP_PLAIN},
};

int init_main(void *ctx)
{
	const struct init *in = ctx;
	struct err e;
	struct child c = {
		.in = in,
		.plan = in->plan,
		.fs = in->fs,
		.conn = in->sync,
		.process =
			{
				  .arena = in->arena,
				  .plan = &in->plan->process,
				  .seccomp = &in->plan->seccomp,
				  .observer = in->plan->observer,
				  .seccomp_early = in->plan->seccomp_early,
				  .skip_stub = in->plan->sealed_self,
				  .root = -1,
				  .proc = -1,
				  .sync = in->sync,
				  .stub = in->stub,
				  .slave = -1,
				  .harden = in->plan->level ? &in->plan->level->harden : NULL,
				  .userns = in->userns,
				  .host_uid = in->host_uid,
				  .warden = in->warden,
				  .dies_with_warden = in->foreground,
				  .announces = true,
				  .output = in->output,
				  .disks = in->disks,
				  },
	};

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (in->foreground)
		foreground_child(in->foreground);
	process_reset_signals();
	if (steps_run("child", steps, LEN(steps), &c, &e) < 0)
		sync_fail(c.conn, &e);
	return 1;
}
