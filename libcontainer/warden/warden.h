#ifndef BRIG_WARDEN_WARDEN_H
#define BRIG_WARDEN_WARDEN_H

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/exitinfo.h"
#include "specs/violation.h"

/*
 * Watches one sandbox: an epoll over its pidfd, a timerfd, seccomp listeners and a control socket.
 * Hosts: the foreground `run` (its loop polls warden_fd), and a detached process that create makes
 * when the plan needs one (warden/detached.h).
 *
 * What it finds is written to the file "ended" of the state directory (by rename) before the
 * sandbox is killed: one JSON line {"v":1,"reason":"timeout"|"syscall"|"warden-lost", ...}.
 */
struct warden_plan {
	uint64_t wall_ms;  /* 0: none; counted from warden_started, while paused too, but not while
			      the machine sleeps (CLOCK_MONOTONIC) */
	uint64_t cpu_ms;   /* 0: none; CPU time of all its processes together */
	uint64_t grace_ms; /* wall and CPU time: SIGTERM to init first, this long; 0: at once */
	uint64_t output;   /* 0: not passed on by the warden; bytes of stdout and stderr together */
	unsigned int cpus; /* how many it can use at once, which paces the looks near the limit of
			      CPU time; 0: as many as are online */
	bool notify;       /* never-legitimate calls, and whatever else is notified, come here */
	/* Every denied call does (--audit syscalls), and is answered as without.  What looks absent
	 * (ENOSYS), or done (0), is only counted and told: programs try it. */
	bool denied;
	/* From the after-th of its class on; until then, and where nothing is said (0), they are
	 * warned of.  Never-legitimate calls of which nothing is said end the sandbox; memory is
	 * oom's and oom_group's. */
	struct {
		enum violation_response response;
		uint64_t after;
	} responses[VIOLATION_CLASSES];
	bool lease;     /* it ends with the lease that it is used by (specs/lease.h) */
	bool oom;       /* a process that is killed for memory ends all (v1: the kernel does not) */
	bool oom_group; /* and so it does by the kernel (v2); neither: it ends nothing else */
	bool counts;    /* what its cgroup counts will be gone when it has ended */
	bool reaps;     /* detached: init becomes its child, whose exit status it learns */
	bool tied;      /* in the foreground: warden/tie.h */
};

struct warden_end;

/*
 * Something the sandbox tried that it may not, or something that was found out about it: for who
 * keeps evidence.  Told are
 * - the first of each class and name, and each time that its response becomes harder;
 * - of the rest at most 20 a second over all; after 1000 of those, of a class and name only each
 *   doubling of its count; none while there are more than 1000 calls a second (anomalous);
 * - at the end, before WARDEN_OVER, what was not told of each class and name (more).
 * So a flood gives a bounded number, however long it is.  Flow records: at most 50 a second, and of
 * what was refused those whose violation is told, too.
 */
enum warden_event_kind {
	WARDEN_VIOLATION, /* class_, name, response, and of calls who and with what */
	WARDEN_FLOW,  /* a record of the resolver's: text is its JSON line; class_ is egress when
			 it was refused, else VIOLATION_CLASSES; more: how many were not told */
	WARDEN_LEASE, /* it is ended because its lease has run out: text is lease.json */
	WARDEN_OVER   /* the sandbox has ended: the last one, before gauges.finish */
};
struct warden_event {
	enum warden_event_kind kind;
	enum violation_class class_;
	enum violation_response response; /* that is given */
	const char *name; /* of the call, the limit, the target, printable; NULL: not known, many */
	uint64_t count;   /* of this class and name so far */
	uint64_t more;    /* of it, since the last one told, that were not told */
	bool anomalous;   /* so many in so short a time that they are not told one by one any more:
			     the first, second, fourth, eighth .. time that this begins */
	/* of calls: */
	const char *arch; /* NULL: this machine's own */
	int64_t nr;       /* -1: not a call, or not known */
	uint64_t args[6];
	pid_t pid;        /* of the thread, as the warden counts, 0: not known */
	const char *comm; /* printable; NULL */
	const char *text;
	size_t len;
};
struct warden_reports {
	void *ctx;
	/* Runs in the warden, confined; in the foreground in brig.  An error: the evidence could
	 * not be kept and must be, so the sandbox ends (reason "audit"); it is not called again but
	 * with WARDEN_OVER.  NULL: nobody keeps it. */
	int (*event)(void *ctx, const struct warden_event *ev, struct err *e);
	/*
	 * In a detached one, once, when it has closed all that was its maker's and before it
	 * confines itself: opens what event needs.  *dir: in which it goes on reading and writing
	 * files, stays ctx's; -1: none, and event writes nothing.  An error fails the start.
	 */
	int (*directory)(void *ctx, int *dir, struct err *e);
};

/*
 * What the sandbox uses, told by the maker, which knows cgroups: the warden itself does not.  In a
 * detached warden they run in that process, confined: what they read they must have open, or be
 * given by take.  All may be NULL.
 */
struct warden_gauges {
	void *ctx;
	/* detached: descriptors sent by warden_detached_meters, kinds as the maker numbers them;
	 * taken over */
	void (*take)(void *ctx, const uint8_t *kinds, const int *fds, size_t n);
	/* Used since the start in nanoseconds, -1: unknown. */
	int64_t (*cpu_ns)(void *ctx);
	/* Processes killed for memory since the start, -1: unknown. */
	int64_t (*oom_kills)(void *ctx);
	/* Readable when that may have grown, -1: none; oom_drained empties it. */
	int (*oom_fd)(void *ctx);
	void (*oom_drained)(void *ctx);
	/* Reads all that it has, now: init has ended or oom_fd says something, and systemd
	 * removes a scope as soon as it is empty.  What cannot be read later is what was read then.
	 */
	void (*look)(void *ctx);
	/* Forks refused by the limit of processes since the start, -1: unknown. */
	int64_t (*pids_refused)(void *ctx);
	/* The file that tells them, for EPOLLPRI; -1: nobody is woken (v1), it is looked at now
	 * and then. */
	int (*pids_fd)(void *ctx);
	/* The roots of its writable layers (O_PATH), sent by warden_send_started; taken over. */
	void (*disks)(void *ctx, const int *fds, size_t n);
	/* The last thing a detached warden does for its sandbox: writes the result. */
	void (*finish)(void *ctx, int dir, const struct warden_end *end, const struct exit_info *x);
};

/* What ended it, also read back by `state` and `run`. */
struct warden_end {
	const char
		*reason; /* timeout, lease, cpu-time, memory, output, syscall, violation, audit,
			    warden-lost, exited (it ended by itself); NULL: nothing was seen yet */
	const char *class_, *name; /* of reason violation: what it was; name NULL: not known */
	const char *message;       /* of reason audit: why it could not be kept; NULL */
	const char *syscall; /* name of the first attempt, NULL: unknown, or of another arch */
	const char *arch;    /* i386, x32 ...: of the first attempt; NULL: the machine's own */
	int64_t nr, count;   /* number; how many never-legitimate calls were seen (0: none) */
	uint64_t wall_ms;    /* the limit, of reason timeout */
	uint64_t cpu_ms;     /* the limit, of reason cpu-time */
	uint64_t output;     /* the limit, where there was more, perhaps after another reason */
	uint64_t passed;     /* bytes of output passed on so far */
	uint64_t started_ns; /* CLOCK_MONOTONIC of warden_started; 0: not yet */
	uint64_t ended_ns;   /* of the end of init */
	bool tainted;        /* by violations (specs/violation.h), whatever came first */
};

/* A pipe of the sandbox's, non-blocking here, and where it is passed on to. */
struct warden_stream {
	int from, to;
};
enum { WARDEN_STREAMS = 2 };

struct warden;
struct warden_host {
	int dir;     /* state directory: reopened, so that no lock on it is shared */
	int pidfd;   /* of the sandbox's init; -1: given later by warden_adopt or _started */
	int control; /* of warden_control_make, taken over on success; -1: none */
	/* Ends the whole sandbox (pidfd and cgroup); called again, a few times, until it ends. */
	void (*kill)(void *ctx);
	/* Asks it to: SIGTERM to its init, which is thawed.  false: it will not hear of it (as pid
	 * 1 without a handler), so that there is nothing to wait for.  NULL: never asked. */
	bool (*term)(void *ctx);
	void *ctx;
	const char *(*syscall_name)(long nr); /* guard/level_filter.h */
	/* What the filter says of a call that was notified: SECCOMP_RET_ERRNO | code is what it is
	 * answered with, else it is never-legitimate (an ioctl that types into a terminal is not
	 * when it is USER_NOTIF).  NULL: all are. */
	uint32_t (*decide)(void *ctx, const struct seccomp_data *call);
	void *decide_ctx;
	struct warden_reports reports;
	/* With a limit of output: taken over on success; SIGPIPE must not end its process. */
	const struct warden_stream *streams;
	size_t n_streams;
	bool own_pidns;   /* its process is pid 1 of a pid namespace that it alone has mounts of */
	bool record_exit; /* that it ended by itself is written, too: without it, a sandbox that
			     has stopped and has no "ended" lost its warden */
	struct warden_gauges gauges;
};
/* w is in the arena, its descriptors are open until warden_close. */
int warden_open(struct arena *a, const struct warden_plan *p, const struct warden_host *h,
		struct warden **out, struct err *e) MUST_CHECK;
void warden_close(struct warden *w); /* NULL allowed */
/* Readable when there is work; for a loop of somebody else's. */
int warden_fd(const struct warden *w);
/* Whose end is the sandbox's end; a copy is kept. */
int warden_adopt(struct warden *w, int pidfd, struct err *e) MUST_CHECK;
/* Takes over a seccomp listener (on success); anything else than one is EINVAL. */
int warden_listener(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* The workload runs from now on; a second time changes nothing.  pidfd: as warden_adopt, -1. */
int warden_started(struct warden *w, int pidfd, struct err *e) MUST_CHECK;
/* A process beside it, two at most (pidfd, a copy is kept) without which the sandbox may not go on:
 * when it ends first, "warden-lost" ends the sandbox. */
int warden_helper(struct warden *w, int pidfd, struct err *e) MUST_CHECK;
/* For who writes the result: until the helper has ended, too, or ms have passed. */
void warden_await_helper(const struct warden *w, int ms);
/*
 * With throttle or quarantine as a response: freezer.state (v1) or cgroup.freeze of its cgroup,
 * open for reading and writing; a copy is kept.
 */
int warden_freezer(struct warden *w, int fd, bool v1, struct err *e) MUST_CHECK;
/* Takes over (on success) a socket (SOCK_SEQPACKET) on which a resolver tells flow records:
 * warden_flow_send. */
int warden_flows(struct warden *w, int fd, struct err *e) MUST_CHECK;
/*
 * The resolver's side, never waiting: one record as a JSON line (specs/flow.h); lost: how many, and
 * how many refused ones among them, could not be sent since one was.  False: there is no room.
 */
struct warden_flow {
	const char *text;
	size_t len;
	uint64_t lost, lost_refused;
};
bool warden_flow_send(int fd, const struct warden_flow *f);
/* Whether a record is of something that was refused, and not only found to be nowhere. */
struct brig_flow;
bool warden_flow_refused(const struct brig_flow *f);
/* Handles what is pending without blocking.  An error means that it can watch no more. */
int warden_work(struct warden *w, struct err *e) MUST_CHECK;
/* The sandbox has ended and everything that is to be written is, its output too. */
bool warden_over(const struct warden *w);
/* Writes down that nobody watches any more, and kills. */
void warden_give_up(struct warden *w);
const struct warden_end *warden_ended(const struct warden *w);

/*
 * The sandbox's side: connects to the control socket in the state directory dir, before the
 * descriptor is out of reach; then says that the workload starts, and hands over the listener
 * of its filter (nothing is answered: the messages wait in the socket).  Of a warden's
 * connections the first is the sandbox's own: it is never cut off, however long it waits.
 */
int warden_connect(int dir, struct err *e) MUST_CHECK;
/* disks: n of them, at most WARDEN_DISKS, for gauges.disks; they stay the caller's. */
enum { WARDEN_DISKS = 16 };
int warden_send_started(int fd, const int *disks, size_t n, struct err *e) MUST_CHECK;
int warden_send_listener(int fd, int listener, struct err *e) MUST_CHECK;
/* Whether anybody listens there now; never waits.  NONE: nobody ever has.  UNKNOWN: that cannot be
 * found out (no descriptor is left). */
enum warden_presence { WARDEN_LISTENS, WARDEN_GONE, WARDEN_NONE, WARDEN_UNKNOWN };
enum warden_presence warden_presence(int dir);
/*
 * For delete, when the sandbox has ended: until its warden has written what it had to and closed
 * the state directory, or ms have passed.  Its process may be there a while longer.
 */
void warden_await_end(int dir, int ms);

/* Where a detached one that holds what its sandbox writes has it open (warden_detached_layers). */
enum { WARDEN_LAYERS = 24, WARDEN_LAYER_FD = 200 };

/* The file "ended"; absent: reason NULL. */
#define WARDEN_ENDED "ended"
int warden_end_read(struct arena *a, int dir, struct warden_end *out, struct err *e) MUST_CHECK;
int warden_end_parse(struct arena *a, const char *json, size_t len, struct warden_end *out,
		     struct err *e) MUST_CHECK;
char *warden_end_print(struct arena *a, const struct warden_end *end, size_t *len);

/* The file "violations"; absent: none.  Opens and reads only: for a confined warden, too. */
int warden_violations_read(struct arena *a, int dir, struct brig_violation **out, size_t *n,
			   struct err *e) MUST_CHECK;

/*
 * The socket "warden" of the state directory (SOCK_SEQPACKET, 0600), by which other commands
 * speak to whoever watches.  make is for the host, before anything runs.
 */
#define WARDEN_SOCKET "warden"
int warden_control_make(int dir, struct err *e) MUST_CHECK;
/* start, before it says go: the wall clock runs from here.  "warden lost" when nobody answers. */
int warden_tell_started(int dir, struct err *e) MUST_CHECK;
/* start, before its program begins: limits of time that are tighter than planned; 0: as they are.
 * EPERM: they are not. */
int warden_tell_times(int dir, uint64_t wall_ms, uint64_t cpu_ms, struct err *e) MUST_CHECK;
/* start, before its program begins: what is passed on goes to these. */
int warden_tell_output(int dir, const int fds[WARDEN_STREAMS], struct err *e) MUST_CHECK;
/* grant: as warden_helper. */
int warden_tell_helper(int dir, int pidfd, struct err *e) MUST_CHECK;
/* exec and start: a listener of one more process.  The caller closes its own descriptor. */
int warden_tell_listener(int dir, int listener, struct err *e) MUST_CHECK;

#endif
