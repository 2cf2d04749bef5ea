#ifndef BRIG_WARDEN_INTERNAL_H
#define BRIG_WARDEN_INTERNAL_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>

#include "warden/warden.h"

/* What the files of this room share; nothing outside includes it. */

/*
 * Each process that exec makes at high brings a listener; its connection lives until it executes.
 * No connection is taken without a listener's place for each, so that one which is handed over
 * without waiting for an answer is never turned away.
 */
enum { LISTENERS_MAX = 256, CONNS_MAX = 32 };

/* Written to a file when the sandbox is to end; its maker gives them. */
enum { POKES_MAX = 8 };
struct poke {
	int fd;
	bool thaws; /* also for a sandbox that is asked to end */
	char text[16];
};

/* What epoll tells about: the kind in the upper half of its data, the slot in the lower. */
enum source {
	SOURCE_TIMER,
	SOURCE_PIDFD,
	SOURCE_CONTROL,
	SOURCE_CONN,
	SOURCE_CALLS, /* an epoll of its own: all listeners */
	SOURCE_PIDS,
	SOURCE_FLOWS,
	SOURCE_OOM,
	SOURCE_OUTPUT,
	SOURCE_HELPER
};

/* What the one timer is for, in the order in which what is due at once is handled; STILL: it
 * stands still or goes on, ANSWER: a call is answered, TALLY: the file is written.  A grace does
 * not stop the last two. */
enum due {
	DUE_OOM,
	DUE_CPU,
	DUE_WALL,
	DUE_LEASE,
	DUE_GRACE,
	DUE_KILL,
	DUE_DRAIN,
	DUE_PIDS,
	DUE_STILL,
	DUE_ANSWER,
	DUE_TALLY,
	DUES
};

struct clocks {
	int fd;                 /* timerfd, set to the nearest of due */
	uint64_t due[DUES];     /* CLOCK_MONOTONIC in nanoseconds, 0: not set */
	uint64_t armed;         /* what fd is set to */
	uint64_t looked;        /* when the CPU time was looked at */
	int64_t used, base;     /* what it was then, and at the start */
	uint64_t cpus, online;  /* that it can use at once, and after an update */
	uint64_t floor;         /* nanoseconds between looks near the limit */
	unsigned int oom_looks; /* how often the counter will be read again */
	bool oom_notified;      /* ... because the kernel has said that there is something */
};

/* tally.c: violations, a row for each class and name; the rest of a class has one together. */
struct tally_row {
	enum violation_class class_;
	enum violation_response response; /* the hardest so far */
	char *name;                       /* NULL */
	uint32_t hash;
	uint64_t count, told; /* of count, when it was last told */
	int64_t first, last;  /* nanoseconds since 1970 */
};
struct tally {
	struct arena arena;
	struct tally_row *rows[VIOLATION_ROWS];
	size_t n;
	uint64_t counts[VIOLATION_CLASSES];
	uint64_t second; /* when the second began in which so many ... */
	unsigned int now, flows_now;
	uint64_t told, floods, flows_more;
	uint64_t written; /* when the file was; CLOCK_MONOTONIC */
	bool dirty, taints;
	bool lost; /* evidence could not be kept */
	char why[256];
};

/* notify.c: how fast calls are looked at, and those that wait for their answer. */
struct held {
	uint64_t id, due;
	int32_t error;
	unsigned int slot;
};
enum { HELD_MAX = 1024 };
struct calls {
	int epoll; /* -1: none are notified */
	int proc;  /* procfs of our own pid namespace, -1 */
	int listeners[LISTENERS_MAX];
	uint64_t second;
	unsigned int seen, level;
	bool paused;
	struct held *held; /* HELD_MAX of them, when one is */
	size_t n_held;
	uint64_t round; /* when the answers of this round of a flood are due */
	unsigned int in_round;
	unsigned int delays[VIOLATION_CLASSES]; /* 1 << n ms */
	uint64_t delayed[VIOLATION_CLASSES];    /* when */
};

/* respond.c: the freezer, for what is no call. */
struct still {
	int fd; /* -1: none */
	bool v1, ours, more, quarantined;
	unsigned int tenths, tries;
};

struct warden {
	struct warden_plan plan;
	struct warden_host host;
	struct warden_end end;
	int epoll, dir, control, pidfd;
	int room; /* for "ended", -1: used */
	struct clocks clocks;
	int conns[CONNS_MAX]; /* -1: free */
	unsigned int next_conn;
	int link; /* slot of the connection to the maker, -1: none (any more) */
	int own;  /* slot of the sandbox's own connection, -1: none yet or any more */
	bool had_own;
	struct poke pokes[POKES_MAX];
	size_t n_pokes;
	int status;        /* /proc/PID/status of init, for a grace; -1 */
	int second_helper; /* another; -1 */
	int helper;        /* pidfd of a process that the sandbox may not be without; -1 */
	struct calls calls;
	struct tally tally;
	struct still still;
	int flows;    /* of a resolver; -1 */
	int64_t pids; /* forks refused, as far as they were counted */
	int doom;     /* class whose response ends it, -1 */
	char *doom_name;
	struct stream *streams[WARDEN_STREAMS]; /* NULL: not passed on */
	uint64_t taken;                         /* bytes read of them */
	bool full;                              /* and there was one more than the limit */
	size_t n_layers; /* detached: descriptors from WARDEN_LAYER_FD on, kept after the end */
	bool started;
	bool gone; /* init has ended */
	bool over; /* and everything is written */
	unsigned int kills;
};

int warden_watch(struct warden *w, int fd, enum source kind, unsigned int slot,
		 struct err *e) MUST_CHECK;
/* By hand, with what epoll is asked for: epoll is w's own or calls'. */
int warden_watch_for(int epoll, int fd, uint32_t events, enum source kind, unsigned int slot,
		     struct err *e) MUST_CHECK;
void warden_unwatch(struct warden *w, int *fd); /* and closes it */

/* Whatever it was: written down first, then killed.  Of several reasons the first one counts. */
void warden_finish(struct warden *w, const char *reason);
/* A limit: as finish, but memory comes before it, and grace may be given. */
void warden_limit(struct warden *w, const char *reason, bool graceful);
/* Init has ended, and what it left to pass on is not waited for any longer. */
void warden_close_end(struct warden *w);
void warden_kill(struct warden *w);
bool warden_init_ended(const struct warden *w);
/* A file with room for what may have to be written when the disk is full; -1: none. */
int warden_end_reserve(int dir);
int warden_end_write(int dir, int *reserved, const struct warden_end *end,
		     struct err *e) MUST_CHECK;

/* clocks.c */
int clocks_open(struct clocks *c, const struct warden_plan *p, struct err *e) MUST_CHECK;
void clocks_close(struct clocks *c);
uint64_t clocks_ms(uint64_t ms); /* in nanoseconds, or the most there are */
/* From now on; ns 0: not any more. */
void clocks_set(struct clocks *c, enum due which, uint64_t ns);
/* Whether what is to be limited can be read. */
int clocks_check(const struct warden *w, struct err *e) MUST_CHECK;
/* Before it begins, tighter ones; EPERM: they are not, EBUSY: it has begun. */
struct warden_times;
int clocks_tighten(struct warden *w, const struct warden_times *t, struct err *e) MUST_CHECK;
/* The workload begins: all its limits of time run.  Of a detached warden it may say so before its
 * maker has said who it is: then once more when that is known. */
int clocks_start(struct warden *w, struct err *e) MUST_CHECK;
/* Nothing limits it any more, nor is it made to stand still. */
void clocks_stop(struct clocks *c);
/* After every change: winds the timer. */
int clocks_wind(struct clocks *c, struct err *e) MUST_CHECK;
/* What is due. */
int clocks_work(struct warden *w, struct err *e) MUST_CHECK;

/* All counters, before what was counted may be gone. */
void warden_look(struct warden *w);

/* lease.c: when its lease has run out it is ended, else it is looked at again then. */
void lease_work(struct warden *w);

/* oom.c */
int oom_watch(struct warden *w, struct err *e) MUST_CHECK;
/* It was notified of, or a look was due. */
void oom_work(struct warden *w, bool notified);
/* Whether a process of the sandbox was killed for memory; waits a moment where one may be being
 * killed just now. */
bool oom_seen(struct warden *w);

/* output.c */
int output_open(struct arena *a, struct warden *w, struct err *e) MUST_CHECK;
/* Before anything was written; the descriptors are the warden's if it succeeds. */
int output_redirect(struct warden *w, const int to[WARDEN_STREAMS], struct err *e) MUST_CHECK;
void output_close(struct warden *w);
void output_work(struct warden *w, unsigned int slot);
/* When init has ended: whether nothing is left that could be passed on. */
bool output_drained(struct warden *w);

/* notify.c */
int calls_open(struct warden *w, struct err *e) MUST_CHECK;
void calls_close(struct warden *w);
int calls_add(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* How many more it takes. */
size_t calls_places(const struct warden *w);
/* Handles what waits in the listeners, up to a bound. */
int calls_work(struct warden *w, struct err *e) MUST_CHECK;
/* Answers that are due. */
void calls_due(struct warden *w);

/* comm.c: procfs of this process's pid namespace, made anew where it is its own; -1: none. */
int comm_open(bool own_pidns);
/* What a thread calls itself, printable; NULL: not known. */
enum { COMM_MAX = 32 };
const char *comm_read(int proc, pid_t pid, char buf[COMM_MAX]);

/* tally.c */
struct attempt {
	enum violation_class class_;
	const char *name; /* NULL: not known */
	uint64_t n;       /* so often */
	bool probes;      /* nothing but warned of: programs try what may be absent */
	const char *arch; /* of a foreign call */
	const struct seccomp_notif *call; /* NULL: none, or gone before it was read */
};
/* Counts, remembers and tells; *told, if not NULL: whether this one was. */
enum violation_response tally_add(struct warden *w, const struct attempt *t, bool *told);
/* Too many to be told. */
void tally_flood(struct warden *w, const struct attempt *t);
/* A record of the resolver's, what is refused with its violation. */
void tally_flow(struct warden *w, const char *text, size_t len, const char *target, uint64_t lost);
/* The lease that it was ended for. */
void tally_lease(struct warden *w, const char *text, size_t len);
/* When the file is to be written again; now: whatever it is. */
void tally_write(struct warden *w, bool now);
/* Nothing comes any more. */
void tally_close(struct warden *w);

/* respond.c: what a response asks for that is no answer to a call. */
void respond(struct warden *w, const struct attempt *t, enum violation_response r);
void respond_due(struct warden *w);
/* It is in quarantine, and nobody has let it go on. */
bool respond_holds(const struct warden *w);

/* pids.c */
int pids_watch(struct warden *w, struct err *e) MUST_CHECK;
void pids_work(struct warden *w);

/* flows.c */
void flows_work(struct warden *w);

/* control.c: the same messages on the socket and on the pair between a warden and its maker. */
enum warden_ask {
	ASK_REPLY = 1,
	ASK_ADOPT,
	ASK_POKE,
	ASK_STARTED,
	ASK_LISTENER,
	ASK_METERS, /* several descriptors */
	ASK_STATUS,
	ASK_HELPER,
	ASK_FREEZER, /* flags: v1 */
	ASK_FLOWS,
	ASK_TIMES,  /* text: struct warden_times */
	ASK_LAYERS, /* several descriptors */
	ASK_OUTPUT  /* two descriptors: where standard output and error go to from now on */
};
enum { NO_ANSWER = 1 };
/* ASK_TIMES: tighter limits of time, 0: as planned; and how many CPUs are online, which a confined
 * warden may not ask. */
struct warden_times {
	uint64_t wall_ms, cpu_ms, online;
};
struct warden_msg {
	uint32_t type;
	int32_t code;   /* REPLY: 0 or errno; else NO_ANSWER: nobody waits for one */
	char text[244]; /* POKE: what is written; METERS: a byte each, their kinds */
	uint32_t flags; /* POKE: it thaws; FREEZER: v1 */
};
void control_accept(struct warden *w);
void control_work(struct warden *w, unsigned int slot);
/* Whatever has been said by now. */
void control_hear(struct warden *w);
/* Gives fd a slot; when there is none, the oldest but the maker's and the sandbox's own is cut off.
 */
int control_add(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* why NULL: it went well.  fd -1: none. */
int control_reply(int sock, const struct err *why, int fd) MUST_CHECK;
/* Without waiting for the answer, which is still to be read by control_await. */
int control_tell(int sock, const struct warden_msg *m, const int *fds, size_t n,
		 struct err *e) MUST_CHECK;
/* One question and its answer. */
int control_ask(int sock, const struct warden_msg *m, const int *fds, size_t n,
		struct err *e) MUST_CHECK;
/* *got, if not NULL: the descriptor that came with the answer or -1. */
int control_await(int sock, int *got, struct err *e) MUST_CHECK;

/* layers.c: each to the number at which it is looked for.  What is not taken is the caller's. */
int warden_layers_take(struct warden *w, const int *fds, size_t n, struct err *e) MUST_CHECK;
/* Until somebody kills us, with nothing else open that others wait for. */
_Noreturn void warden_layers_hold(struct warden *w);

/* confine.c: dir, for evidence audit, and proc for reading are all that can be opened from here on;
 * -1: none. */
int warden_confine(int dir, int audit, int proc, struct err *e) MUST_CHECK;

#endif
