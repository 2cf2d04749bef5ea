#ifndef BRIG_WARDEN_WARDEN_H
#define BRIG_WARDEN_WARDEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * Watches one sandbox: an epoll over its pidfd, a timerfd, seccomp listeners and a control socket.
 * Hosts: the foreground `run` (its loop polls warden_fd), and a detached process that create makes
 * when the plan needs one (warden/detached.h).
 *
 * What it finds is written to the file "ended" of the state directory (by rename) before the
 * sandbox is killed: one JSON line {"v":1,"reason":"timeout"|"syscall"|"warden-lost", ...}.
 */
struct warden_plan {
	uint64_t wall_ms; /* 0: none; counted from warden_started, while paused too, but not while
			     the machine sleeps (CLOCK_MONOTONIC) */
	bool notify;      /* never-legitimate calls come here: the sandbox is tainted and ended */
};

/* What ended it, also read back by `state` and `run`. */
struct warden_end {
	const char *reason;  /* timeout, syscall, warden-lost, exited (it ended by itself); NULL:
				nothing was seen yet */
	const char *syscall; /* name of the first attempt, NULL: unknown, or of another arch */
	const char *arch;    /* i386, x32 ...: of the first attempt; NULL: the machine's own */
	int64_t nr, count;   /* number; how many attempts were seen (0: none) */
	uint64_t wall_ms;    /* the limit, of reason timeout */
	bool tainted;        /* attempts were seen, whatever came first */
};

struct warden;
struct warden_host {
	int dir;     /* state directory: reopened, so that no lock on it is shared */
	int pidfd;   /* of the sandbox's init; -1: given later by warden_adopt or _started */
	int control; /* of warden_control_make, taken over on success; -1: none */
	/* Ends the whole sandbox (pidfd and cgroup); called again, a few times, until it ends. */
	void (*kill)(void *ctx);
	void *ctx;
	const char *(*syscall_name)(long nr); /* guard/level_filter.h */
	bool record_exit; /* that it ended by itself is written, too: without it, a sandbox that
			     has stopped and has no "ended" lost its warden */
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
/* Handles what is pending without blocking.  An error means that it can watch no more. */
int warden_work(struct warden *w, struct err *e) MUST_CHECK;
/* The sandbox has ended and everything that is to be written is. */
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
int warden_send_started(int fd, struct err *e) MUST_CHECK;
int warden_send_listener(int fd, int listener, struct err *e) MUST_CHECK;
/*
 * For delete, when the sandbox has ended: until its warden has written what it had to and closed
 * the state directory, or ms have passed.  Its process may be there a while longer.
 */
void warden_await_end(int dir, int ms);

/* The file "ended"; absent: reason NULL. */
#define WARDEN_ENDED "ended"
int warden_end_read(struct arena *a, int dir, struct warden_end *out, struct err *e) MUST_CHECK;
int warden_end_parse(struct arena *a, const char *json, size_t len, struct warden_end *out,
		     struct err *e) MUST_CHECK;
char *warden_end_print(struct arena *a, const struct warden_end *end, size_t *len);

/*
 * The socket "warden" of the state directory (SOCK_SEQPACKET, 0600), by which other commands
 * speak to whoever watches.  make is for the host, before anything runs.
 */
#define WARDEN_SOCKET "warden"
int warden_control_make(int dir, struct err *e) MUST_CHECK;
/* start, before it says go: the wall clock runs from here.  "warden lost" when nobody answers. */
int warden_tell_started(int dir, struct err *e) MUST_CHECK;
/* exec and start: a listener of one more process.  The caller closes its own descriptor. */
int warden_tell_listener(int dir, int listener, struct err *e) MUST_CHECK;

#endif
