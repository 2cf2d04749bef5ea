#include "resolver.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "resolver_internal.h"
#include "run/sync.h"

enum { END_WAIT_MS = 2000, ROOM = 8 << 20 };

struct birth {
	const struct resolver_plan *plan;
	int link, control;
	pid_t maker;
};

/* --- the process -------------------------------------------------------------------------- */

static void default_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN); /* of who reads the flow records */
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int leave_maker(const struct birth *b, struct err *e)
{
	const struct resolver_plan *p = b->plan;
	int keep[] = {b->link,
		      b->control,
		      p->dir,
		      p->init,
		      p->nft,
		      p->log,
		      p->udp,
		      p->tcp,
		      p->flows,
		      p->warden,
		      p->upstream_netns,
		      p->upstream_userns};
	int null = fds_null_streams(p->flows);

	/* What the log was opened on is closed below. */
	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	if (null < 0)
		return err_set(e, -null, "resolver: standard streams");
	if (chdir("/") < 0)
		return err_set(e, errno, "resolver: leave the caller");
	/* Engines wait for the end of what they gave to create. */
	fds_close_all_but(3, keep, LEN(keep));
	/* Fails for who leads a group already, which a child just born does not. */
	(void)setsid();
	(void)umask(077);
	(void)prctl(PR_SET_NAME, "brig-resolver");
	default_signals();
	return 0;
}

/* Sockets stay in the namespace in which they were made; those that ask are made later. */
static int go_upstream(const struct resolver_plan *p, struct err *e)
{
	if (p->upstream_netns < 0)
		return 0;
	/* Then it has all capabilities there, of which it keeps the one that it would keep here. */
	if (p->upstream_userns >= 0 && setns(p->upstream_userns, CLONE_NEWUSER) < 0)
		return err_set(e, errno,
			       "resolver: join the user namespace of the network where it asks");
	if (setns(p->upstream_netns, CLONE_NEWNET) < 0)
		return err_set(e, errno, "resolver: join the network namespace where it asks");
	(void)close(p->upstream_netns);
	if (p->upstream_userns >= 0)
		(void)close(p->upstream_userns);
	return 0;
}

static int tie(const struct birth *b, struct err *e)
{
	if (!b->plan->dies_with_maker)
		return 0;
	/* Here, because a change of rights that adds some takes it back (commit_creds,
	 * kernel/cred.c). */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(e, errno, "resolver: parent-death signal");
	/* 0: the maker is outside our pid namespace, whose pid 1 dies with it. */
	pid_t now = getppid();
	return now && now != b->maker ? err_msg(e, ESRCH, "resolver: its maker has died") : 0;
}

static int make_network(const struct birth *b, int netns, struct resolver_sockets *s, struct err *e)
{
	const struct resolver_early *early = b->plan->early;
	int r = early->connect ? early->connect(early->ctx, netns, e) : 0;

	if (r == 0 && early->connect)
		r = sync_send(b->link, SYNC_NETWORK, e);
	if (r == 0 && setns(netns, CLONE_NEWNET) < 0)
		r = err_set(e, errno, "resolver: enter the network namespace");
	return r < 0 ? r : early->secure(early->ctx, s, e);
}

/* Who asks from outside goes back. */
static int begin_early(const struct birth *b, struct resolver_plan *p, struct err *e)
{
	struct resolver_sockets s;
	int given[SYNC_GO_FDS];
	own_fd int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);

	if (host < 0)
		return err_set(e, errno, "resolver: its own network namespace");
	int r = tie(b, e);
	if (r == 0)
		r = p->early->prepare(p->early->ctx, e);
	if (r == 0)
		r = sync_expect_go(b->link, given, e);
	if (r < 0)
		return r;
	own_fd int netns = given[0];
	p->init = given[1];
	if (netns < 0 || (p->init < 0 && !p->waits_for_word))
		return err_msg(e, EMFILE, "resolver: it was given nothing");
	r = make_network(b, netns, &s, e);
	if (r == 0 && !p->policy->resolves_inside && setns(host, CLONE_NEWNET) < 0)
		r = err_set(e, errno, "resolver: go back to its own network namespace");
	p->nft = s.nft;
	p->log = s.log;
	p->udp = s.udp;
	p->tcp = s.tcp;
	return r;
}

static int begin(const struct birth *b, struct resolver_plan *p, struct err *e)
{
	int r = leave_maker(b, e);

	if (r == 0 && p->early)
		return begin_early(b, p, e);
	if (r == 0)
		r = go_upstream(p, e);
	return r < 0 ? r : tie(b, e);
}

static int settle(const struct birth *b, struct resolver_plan *p, struct arena *a,
		  struct watcher **w, struct err *e)
{
	int r = begin(b, p, e);

	if (r < 0)
		return r;
	/* A duplicate would share the lock that its maker holds on it (flock(2)). */
	int dir = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "resolver: state directory");
	(void)close(p->dir);
	r = watcher_open(a, p, dir, b->control, w, e);
	return r < 0 ? r : resolver_confine(dir, p->keeps_net_admin, e);
}

static _Noreturn void live(const struct birth *b)
{
	struct resolver_plan plan = *b->plan;
	struct arena a = {0};
	struct watcher *w;
	struct err why;

	/* Tables for the most that there may be, of which most starts use a few pages. */
	arena_reserve(&a, ROOM);
	if (settle(b, &plan, &a, &w, &why) < 0) {
		sync_fail(b->link, &why);
		_exit(1);
	}
	if (sync_send(b->link, SYNC_READY, &why) < 0)
		_exit(1);
	(void)close(b->link);
	_exit(watcher_run(w));
}

/* --- its maker ---------------------------------------------------------------------------- */

static int fork_here(const struct birth *b, uint64_t flags, pid_t *pid, struct err *e)
{
	struct clone_args args = {
		.flags = flags,
		/* CLONE_PARENT: the exit signal is the caller's own (clone(2)). */
		.exit_signal = flags & CLONE_PARENT ? 0 : SIGCHLD,
	};

	*pid = sys_clone3(&args);
	if (*pid < 0)
		return err_set(e, errno, "resolver: clone");
	if (*pid == 0)
		live(b);
	return 0;
}

/* Goes to the pid namespace for good, forks there for us, and ends. */
static int fork_enclosed(const struct birth *b, int peer, pid_t *pid, struct err *e)
{
	int fds[2];

	if (sync_pair(fds, e) < 0)
		return -e->code;
	own_fd int ours = fds[0], its = fds[1];
	pid_t other = fork();
	if (other < 0)
		return err_set(e, errno, "resolver: fork");
	if (other == 0) {
		struct err why;
		int r = 0;

		(void)close(peer);
		if (setns(b->plan->pidns, CLONE_NEWPID) < 0)
			r = err_set(&why, errno, "resolver: enter the warden's pid namespace");
		if (r == 0)
			r = fork_here(b, CLONE_PARENT, pid, &why);
		if (r < 0 || sync_send_pid(its, *pid, &why) < 0)
			sync_fail(its, &why);
		_exit(0);
	}
	own_close(&its);
	int r = sync_expect_pid(ours, pid, e);
	(void)waitpid(other, NULL, 0);
	return r;
}

static int fork_it(struct birth *b, int peer, struct resolver *out, struct err *e)
{
	pid_t pid;
	int r;

	b->maker = getpid();
	if (b->plan->pidns >= 0) {
		r = fork_enclosed(b, peer, &pid, e);
	} else {
		/* The maker's end of the pair, open in it, is closed with everything else. */
		r = fork_here(b, 0, &pid, e);
	}
	if (r < 0)
		return r;
	/* Ours, and not reaped: the number is still its. */
	out->pid = pid;
	out->pidfd = sys_pidfd_open(pid, 0);
	return out->pidfd < 0 ? err_set(e, errno, "resolver: pidfd_open") : 0;
}

int resolver_start(const struct resolver_plan *p, struct resolver *out, struct err *e)
{
	int fds[2];

	*out = RESOLVER_NONE;
	own_fd int control = resolver_control_make(p->dir, e);
	if (control < 0)
		return control;
	if (sync_pair(fds, e) < 0)
		return err_wrap(e, "resolver");
	own_fd int link = fds[0], its = fds[1];
	struct birth b = {.plan = p, .link = its, .control = control};
	int r = fork_it(&b, link, out, e);
	own_close(&its);
	if (r < 0)
		resolver_end(out);
	else
		out->link = take_fd(&link);
	return r;
}

int resolver_give(const struct resolver *r, int netns, int init, struct err *e)
{
	int code = sync_send_go(r->link, (const int[]){netns, init}, init < 0 ? 1 : 2, e);

	return code == -EPIPE || code == -ECONNRESET ? 0 : code;
}

int resolver_await_network(struct resolver *r, struct err *e)
{
	int code = sync_expect(r->link, SYNC_NETWORK, e);

	if (code < 0)
		resolver_end(r);
	return code;
}

int resolver_await(struct resolver *r, struct err *e)
{
	int code = sync_expect(r->link, SYNC_READY, e);

	own_close(&r->link);
	if (code < 0)
		resolver_end(r);
	return code;
}

void resolver_leave(struct resolver *r)
{
	own_close(&r->link);
	own_close(&r->pidfd);
	r->pid = 0;
}

/* Not reaped by anybody but us: the number is still its. */
static void signal_it(const struct resolver *r, int sig)
{
	if (r->pid > 0 && r->pidfd < 0)
		(void)kill(r->pid, sig);
	else if (r->pid > 0)
		(void)sys_pidfd_send_signal(r->pidfd, sig);
}

void resolver_tell(const struct resolver *r)
{
	signal_it(r, SIGTERM);
}

void resolver_kill(const struct resolver *r)
{
	signal_it(r, SIGKILL);
}

void resolver_end(struct resolver *r)
{
	struct pollfd p = {.fd = r->pidfd, .events = POLLIN};

	if (r->pid > 0) {
		resolver_kill(r);
		(void)poll(&p, r->pidfd >= 0, END_WAIT_MS);
		(void)waitpid(r->pid, NULL, WNOHANG); /* else whoever reaps our orphans does */
	}
	resolver_leave(r);
}
