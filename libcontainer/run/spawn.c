#include "run/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clone_vm.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "run/sync.h"

bool spawn_needs_stage(uint64_t make, const struct ns_plan *join, bool returns)
{
	/* A cgroup namespace: see fork_stage. */
	if (join->join & (CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWCGROUP))
		return true;
	return !returns && ((make & CLONE_NEWTIME) || join->join);
}

static int write_offsets(const struct oci_time_offsets *o, struct err *e)
{
	char text[160];
	int n = 0;

	if (!o || (!o->monotonic && !o->boottime))
		return 0;
	if (o->monotonic)
		n += snprintf(text, sizeof(text), "monotonic %lld %u\n",
			      (long long)o->monotonic->secs, o->monotonic->nanosecs);
	if (o->boottime)
		n += snprintf(text + n, sizeof(text) - (size_t)n, "boottime %lld %u\n",
			      (long long)o->boottime->secs, o->boottime->nanosecs);
	if (file_poke(AT_FDCWD, "/proc/self/timens_offsets", text, e) < 0)
		return err_wrap(e, "linux: timeOffsets");
	return 0;
}

/* The offsets are frozen once a task is inside (time_namespaces(7)): unshare, write, clone. */
static int make_time_ns(const struct spawn *s, struct err *e)
{
	if (!(s->make & CLONE_NEWTIME))
		return 0;
	if (unshare(CLONE_NEWTIME) < 0)
		return err_set(e, errno, "unshare time namespace");
	return write_offsets(s->offsets, e);
}

static int run_child(void *arg)
{
	const struct spawn *s = arg;

	(void)close(s->sync_peer);
	return s->child(s->ctx);
}

static int clone_child(const struct spawn *s, uint64_t flags, uint64_t extra, pid_t *pid,
		       int *pidfd, struct err *e)
{
	struct clone_args args = {
		.flags = (flags & ~(uint64_t)(CLONE_NEWTIME | CLONE_NEWCGROUP)) | extra |
			 CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)pidfd,
		/* CLONE_PARENT: the child's exit signal is the stage's own (clone(2)). */
		.exit_signal = extra & CLONE_PARENT ? 0 : SIGCHLD,
	};

	if (s->cgroup >= 0) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)(unsigned int)s->cgroup;
	}
	*pidfd = -1;
	/* Before 6.3 memory is not shared with another time namespace (EINVAL). */
	bool timed = (s->make | s->target_ns | (s->join ? s->join->join : 0)) & CLONE_NEWTIME;
	bool share = s->share && !s->staged && !timed && clone_vm_possible();
	pid_t r = share ? clone_vm(&args, run_child, (void *)(uintptr_t)s) : sys_clone3(&args);
	if (r < 0 && s->cgroup >= 0 && errno == EACCES)
		/* It takes a right on the nearest cgroup above both (cgroups(7), delegation). */
		return err_msg(e, EACCES,
			       "clone into the cgroup: permission denied: from the cgroup that "
			       "brig is in it may not move processes there");
	if (r < 0 && errno == ENOSPC)
		return err_msg(e, ENOSPC,
			       "clone: no more namespaces are allowed (user.max_*_namespaces), or "
			       "they are nested too deep");
	if (r < 0)
		return err_set(e, errno, s->cgroup < 0 ? "clone" : "clone into the cgroup");
	if (r == 0)
		_exit(run_child((void *)(uintptr_t)s));
	*pid = r;
	return 0;
}

/* --- direct ------------------------------------------------------------------------------- */

struct way_back {
	int fds[NS_TYPES];
	uint64_t flags[NS_TYPES];
	size_t n;
};

static int remember(struct way_back *back, uint64_t flag, struct err *e)
{
	static const struct {
		uint64_t flag;
		const char *path;
	} own[] = {
		{CLONE_NEWPID,    "/proc/self/ns/pid"   },
                {CLONE_NEWTIME,   "/proc/self/ns/time"  },
		{CLONE_NEWNET,    "/proc/self/ns/net"   },
                {CLONE_NEWIPC,    "/proc/self/ns/ipc"   },
		{CLONE_NEWUTS,    "/proc/self/ns/uts"   },
                {CLONE_NEWCGROUP, "/proc/self/ns/cgroup"},
	};

	for (size_t i = 0; i < LEN(own); i++) {
		if (own[i].flag != flag)
			continue;
		int fd = open(own[i].path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return err_set(e, errno, "open %s", own[i].path);
		back->fds[back->n] = fd;
		back->flags[back->n++] = flag;
		return 0;
	}
	return err_msg(e, EINVAL, "%s namespace cannot be left again", ns_name(flag));
}

/* Failing to go back would run hooks and clean-up in the container's namespaces. */
static void go_back(struct way_back *back)
{
	while (back->n > 0) {
		back->n--;
		if (setns(back->fds[back->n], (int)back->flags[back->n]) < 0)
			abort();
		(void)close(back->fds[back->n]);
	}
}

static int enter_for_child(const struct spawn *s, struct way_back *back, struct err *e)
{
	for (size_t i = 0; s->join && i < s->join->n_joins; i++) {
		const struct ns_join *j = &s->join->joins[i];

		if (j->fd < 0)
			continue;
		int r = remember(back, j->flag, e);
		if (r < 0)
			return r;
		if (setns(j->fd, (int)j->flag) < 0)
			return err_set(e, errno, "join %s namespace %s", ns_name(j->flag), j->path);
	}
	for (uint64_t flag = CLONE_NEWTIME; flag <= CLONE_NEWPID; flag <<= 1) {
		if (!(s->target_ns & NS_FOR_CHILDREN & flag))
			continue;
		int r = remember(back, flag, e);
		if (r < 0)
			return r;
		if (setns(s->target, (int)flag) < 0)
			return err_set(e, errno, "join %s namespace of the container",
				       ns_name(flag));
	}
	if (!(s->make & CLONE_NEWTIME))
		return 0;
	int r = remember(back, CLONE_NEWTIME, e);
	return r < 0 ? r : make_time_ns(s, e);
}

static int spawn_direct(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e)
{
	struct way_back back = {0};
	int r = enter_for_child(s, &back, e);

	if (r == 0)
		r = clone_child(s, s->make, 0, pid, pidfd, e);
	go_back(&back);
	return r;
}

/* --- staged ------------------------------------------------------------------------------- */

static int stage_join(const struct spawn *s, struct err *e)
{
	bool again[NS_TYPES] = {false};
	const struct ns_join *user = NULL;

	/* What the host owns must be joined before its rights are given up, what belongs to the
	 * joined user namespace only after. */
	for (size_t i = 0; s->join && i < s->join->n_joins; i++) {
		const struct ns_join *j = &s->join->joins[i];

		if (j->fd < 0)
			continue;
		if (j->flag == CLONE_NEWUSER)
			user = j;
		else if (setns(j->fd, (int)j->flag) < 0) {
			if (errno != EPERM || !(s->join->join & CLONE_NEWUSER))
				return err_set(e, errno, "join %s namespace %s", ns_name(j->flag),
					       j->path);
			again[i] = true;
		}
	}
	if (user && setns(user->fd, CLONE_NEWUSER) < 0)
		return err_set(e, errno, "join user namespace %s", user->path);
	for (size_t i = 0; s->join && i < s->join->n_joins; i++) {
		const struct ns_join *j = &s->join->joins[i];

		if (again[i] && setns(j->fd, (int)j->flag) < 0)
			return err_set(e, errno, "join %s namespace %s", ns_name(j->flag), j->path);
	}
	if (s->target_ns && setns(s->target, (int)s->target_ns) < 0)
		return err_set(e, errno, "join the container's namespaces");
	return 0;
}

/*
 * The stage has a pair of its own to the runtime: on the child's a message of the child, which
 * runs already, could come before the stage's that says who the child is.
 */
struct stage {
	const struct spawn *s;
	int runtime, mine; /* the two ends */
};

static int stage_userns(const struct stage *st, struct err *e)
{
	if (!(st->s->make & CLONE_NEWUSER))
		return 0;
	if (unshare(CLONE_NEWUSER) < 0)
		return err_set(e, errno, "unshare user namespace");
	int r = sync_send(st->mine, SYNC_USERNS, e);
	return r < 0 ? r : sync_expect(st->mine, SYNC_MAPPED, e);
}

/* Without the stage's end, whose closing tells the runtime that the stage has died. */
static int staged_child(void *ctx)
{
	const struct stage *st = ctx;

	(void)close(st->mine);
	return st->s->child(st->s->ctx);
}

/*
 * Who waits for the end of file on any other descriptor of the child's must not wait for the
 * stage.  The child's own parent-death signal comes from here until it has undone it.
 */
static _Noreturn void stay(int mine)
{
	char c;

	if (mine > 3)
		(void)close_range(3, (unsigned int)mine - 1, 0);
	(void)close_range((unsigned int)mine + 1, ~0U, 0);
	while (read(mine, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

static int stage(struct stage *st, struct err *e)
{
	struct spawn s = *st->s;
	pid_t pid = -1;
	int pidfd = -1;
	int r = stage_join(&s, e);

	if (r == 0)
		r = stage_userns(st, e);
	if (r == 0)
		r = make_time_ns(&s, e);
	s.child = staged_child;
	s.ctx = st;
	if (r == 0)
		r = clone_child(&s, s.make & ~(uint64_t)CLONE_NEWUSER, s.hold ? 0 : CLONE_PARENT,
				&pid, &pidfd, e);
	if (r < 0)
		return r;
	/* Numbers of a pid namespace of its own mean nothing to the runtime. */
	r = s.enclose > 0 ? sync_send_fd(st->mine, SYNC_PID, pidfd, e)
			  : sync_send_pid(st->mine, pid, e);
	if (r == 0 && s.hold)
		stay(st->mine);
	return r;
}

/* The pid of a child as /proc, which is of the runtime's pid namespace, has it. */
static int pid_of(int pidfd, pid_t *pid, struct err *e)
{
	char path[64], text[1024];
	int64_t n = 0;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	if (file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return err_set(e, errno, "read %s", path);
	char *line = strstr(text, "\nPid:\t");
	if (line) {
		line += strlen("\nPid:\t");
		line[strcspn(line, "\n")] = '\0';
	}
	if (!line || !str_i64(line, &n) || n <= 0 || n > INT32_MAX)
		return err_msg(e, ESRCH, "%s: no pid of the container process", path);
	*pid = (pid_t)n;
	return 0;
}

static int serve_stage(const struct stage *st, pid_t stage_pid, pid_t *pid, int *pidfd,
		       struct err *e)
{
	const struct spawn *s = st->s;

	if (s->make & CLONE_NEWUSER) {
		int r = sync_expect(st->runtime, SYNC_USERNS, e);

		if (r == 0)
			r = s->map(s->ctx, stage_pid, e);
		if (r == 0)
			r = sync_send(st->runtime, SYNC_MAPPED, e);
		if (r < 0)
			return r;
	}
	if (s->enclose <= 0)
		return sync_expect_pid(st->runtime, pid, e);
	int r = sync_expect_fd(st->runtime, SYNC_PID, pidfd, e);
	if (r == 0)
		r = pid_of(*pidfd, pid, e);
	if (r < 0 && *pidfd >= 0) {
		(void)sys_pidfd_send_signal(*pidfd, SIGKILL);
		/* Not ours with hold: who takes it over reaps it. */
		(void)waitid(P_PIDFD, (id_t)*pidfd, NULL, WEXITED);
		own_close(pidfd);
	}
	return r;
}

/*
 * From inside a cgroup namespace no process outside can be put into a cgroup below it (ENOENT,
 * cgroup-v2.rst, nsdelegate): a stage that joins one is born in the cgroup, and so is its child.
 */
static int fork_stage(struct spawn *s, uint64_t extra, pid_t *pid, struct err *e)
{
	uint64_t joined = s->target_ns | (s->join ? s->join->join : 0);
	struct clone_args args = {
		.flags = extra,
		.exit_signal = extra & CLONE_PARENT ? 0 : SIGCHLD, /* as in clone_child */
	};

	if (s->cgroup >= 0 && joined & CLONE_NEWCGROUP) {
		args.flags |= CLONE_INTO_CGROUP;
		args.cgroup = (uint64_t)(unsigned int)s->cgroup;
		s->cgroup = -1;
	}
	*pid = args.flags ? sys_clone3(&args) : fork();
	if (*pid < 0)
		return err_set(e, errno,
			       args.flags & CLONE_INTO_CGROUP ? "clone into the cgroup" : "fork");
	return 0;
}

/* Goes to the pid namespace for good, forks the stage there as the runtime's child, and ends. */
static int fork_by_another(struct spawn *s, pid_t *pid, struct err *e)
{
	int fds[2];

	if (sync_pair(fds, e) < 0)
		return -e->code;
	own_fd int runtime = fds[0], mine = fds[1];
	pid_t other = fork();
	if (other < 0)
		return err_set(e, errno, "fork");
	if (other == 0) {
		struct err why;
		int r = setns(s->enclose, CLONE_NEWPID) < 0
				? err_set(&why, errno, "enter the warden's pid namespace")
				: fork_stage(s, CLONE_PARENT, pid, &why);

		if (r == 0 && *pid == 0)
			return 0;
		if (r < 0 || sync_send_pid(mine, *pid, &why) < 0)
			sync_fail(mine, &why);
		_exit(0);
	}
	own_close(&mine);
	int r = sync_expect_pid(runtime, pid, e);
	(void)waitpid(other, NULL, 0);
	return r;
}

/*
 * clone(CLONE_NEWPID) is refused to who is not itself in the pid namespace that its children go
 * to (copy_pid_ns, kernel/pid_namespace.c): so the stage is born in it.  The way back is shut to
 * root in an engine's user namespace, which does not own the host's pid namespace.
 */
static int fork_enclosed(struct spawn *s, pid_t *pid, struct err *e)
{
	struct way_back back = {0};
	int r = remember(&back, CLONE_NEWPID, e);

	if (r == 0 && setns(back.fds[0], CLONE_NEWPID) < 0) {
		(void)close(back.fds[0]);
		return fork_by_another(s, pid, e);
	}
	if (r == 0 && setns(s->enclose, CLONE_NEWPID) < 0)
		r = err_set(e, errno, "enter the warden's pid namespace");
	if (r == 0)
		r = fork_stage(s, 0, pid, e);
	/* Not in the stage: where it is from now on, it stays. */
	if (r < 0 || *pid > 0)
		go_back(&back);
	return r;
}

static int spawn_staged(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e)
{
	struct spawn copy = *s;
	pid_t stage_pid;
	int fds[2];

	if (sync_pair(fds, e) < 0)
		return -e->code;
	own_fd int runtime = fds[0], mine = fds[1];
	struct stage st = {&copy, runtime, mine};
	int r = s->enclose > 0 ? fork_enclosed(&copy, &stage_pid, e)
			       : fork_stage(&copy, 0, &stage_pid, e);

	if (r < 0)
		return r;
	if (stage_pid == 0) {
		/* Alone it must not outlive the runtime; the child has its own end of the pair. */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		struct err why;

		(void)close(runtime);
		if (stage(&st, &why) < 0)
			sync_fail(mine, &why);
		_exit(0);
	}
	own_close(&mine);
	*pidfd = -1;
	r = serve_stage(&st, stage_pid, pid, pidfd, e);
	if (r == 0 && s->hold) {
		*s->hold = (struct spawn_hold){take_fd(&runtime), stage_pid};
		return 0;
	}
	if (r < 0)
		(void)kill(stage_pid, SIGKILL);
	(void)waitpid(stage_pid, NULL, 0);
	if (r < 0 || *pidfd >= 0)
		return r;
	*pidfd = sys_pidfd_open(*pid, 0);
	if (*pidfd < 0)
		return err_set(e, errno, "pidfd_open");
	return 0;
}

void spawn_let_go(struct spawn_hold *h)
{
	if (h->link < 0)
		return;
	own_close(&h->link);
	while (waitpid(h->stage, NULL, 0) < 0 && errno == EINTR)
		;
}

int spawn(const struct spawn *s, pid_t *pid, int *pidfd, struct err *e)
{
	return s->staged ? spawn_staged(s, pid, pidfd, e) : spawn_direct(s, pid, pidfd, e);
}
