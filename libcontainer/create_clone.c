/* create and run: the birth of the container's first process. */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "create.h"
#include "init.h"
#include "reuse.h"
#include "run/sync.h"

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
	const struct plan *p = &c->plan;

	return p->run && (!p->egress || create_gives_net(c)) && p->ns.make & CLONE_NEWPID &&
	       !init_wants_placed(p) && !init_wants_console_fd(p) && !init_wants_runtime_hooks(p) &&
	       !create_has_listener(c) && !create_awaits_grants(c);
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

/* What the child is told, which has it as it is at the clone. */
static struct init tell_child(struct create *c, int sync)
{
	bool late = create_is_late(c);
	struct init in = {
		.plan = &c->plan,
		.arena = c->arena,
		.fs = c->fs ? fs_copy(c->arena, c->fs) : NULL,
		.cgroup = c->cgroup,
		.sync = sync,
		.listen = c->listen,
		.stub = c->stub,
		.resolver = -1,
		.console_socket = c->console_socket,
		.hook_output = &c->hook_output,
		.foreground = c->in_foreground ? &c->foreground : NULL,
		.owner = late ? &c->owner : NULL,
		.userns = c->userns,
		.warden = c->warden_end,
		.output = c->output.write_ends,
		.shows_parked = c->reuse && !c->plan.privileged,
		.disks = c->wants_result || c->detached.pid ? c->state.disk : NULL,
	};

	if (late)
		(void)idmap_uid_to_host(&c->idmap, c->plan.process.creds.uid, &in.host_uid);
	return in;
}

static int give_birth(struct create *c, struct ns_plan *namespaces, int sync, struct err *e)
{
	struct init in = tell_child(c, sync);
	struct spawn s = {
		.make = namespaces->make,
		.join = namespaces,
		.target = -1,
		.staged = c->plan.staged,
		.enclose = create_is_tied(c) ? c->tie.pidfd : c->detached.pidns,
		.hold = c->plan.watch.warden.reaps ? &c->hold : NULL,
		.share = has_no_meetings(c),
		.cgroup = c->plan.cgroup_attach ? -1 : cgroup_spawn_fd(c->cgroup),
		.offsets = c->plan.config.linux_ ? c->plan.config.linux_->time_offsets : NULL,
		.sync = sync,
		.sync_peer = c->sync,
		.map = map_stage,
		.child = init_main,
		.ctx = &in,
	};
	struct reuse_streams streams = {0};
	int r = create_is_tied(c) ? warden_tie_await(&c->tie, e) : 0;

	if (r == 0 && c->plan.egress && s.share)
		r = give_net(c, &in, e);
	if (r == 0 && c->before)
		r = reuse_streams_away(&streams, e);
	if (r == 0)
		r = spawn_with_secrets(c, &s, e);
	reuse_streams_back(&streams);
	return r;
}

int create_clone(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct ns_plan namespaces = c->plan.ns;
	int fds[2];

	if (create_makes_net(c) && take_net(c, &namespaces, e) < 0)
		return -e->code;
	if (is_born_hard(&c->plan) && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_DUMPABLE");
	if (sync_pair(fds, e) < 0)
		return -e->code;
	c->sync = fds[0];
	int r = give_birth(c, &namespaces, fds[1], e);

	(void)close(fds[1]);
	create_close_sources(c);
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

void create_clone_undo(void *ctx)
{
	create_kill_child(ctx);
}
