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
	uint64_t wall_ms; /* 0: none; counted from warden_started */
	bool notify;      /* never-legitimate calls come here: the sandbox is tainted and ended */
};

/* What ended it, also read back by `state` and `run`. */
struct warden_end {
	const char *reason;  /* timeout, syscall, warden-lost; NULL: it ended by itself */
	const char *syscall; /* its name, of reason syscall */
	int64_t nr, count;   /* number; how many attempts were seen */
	uint64_t wall_ms;    /* the limit, of reason timeout */
	bool tainted;
};

struct warden;
/*
 * dir: state directory (a descriptor that the warden keeps a copy of).  kill: ends the whole
 * sandbox (pidfd and cgroup), called at most a few times.
 */
struct warden_host {
	int dir;
	int pidfd; /* of the sandbox's init; may be given later by warden_started */
	void (*kill)(void *ctx);
	void *ctx;
	const char *(*syscall_name)(long nr); /* guard/level_filter.h */
};
int warden_open(struct arena *a, const struct warden_plan *p, const struct warden_host *h,
		struct warden **out, struct err *e) MUST_CHECK;
void warden_close(struct warden *w); /* NULL allowed */
/* Readable when there is work; for a loop of somebody else's. */
int warden_fd(const struct warden *w);
/* Takes over a seccomp listener. */
int warden_listener(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* The workload runs from now on. */
int warden_started(struct warden *w, int pidfd, struct err *e) MUST_CHECK;
/* Handles what is pending without blocking. */
int warden_work(struct warden *w, struct err *e) MUST_CHECK;
const struct warden_end *warden_ended(const struct warden *w);

/*
 * The sandbox's side: connects to the control socket in the state directory dir, before the
 * descriptor is out of reach; then says that the workload starts, and hands over the listener
 * of its filter (nothing is answered: the messages wait in the socket).
 */
int warden_connect(int dir, struct err *e) MUST_CHECK;
int warden_send_started(int fd, struct err *e) MUST_CHECK;
int warden_send_listener(int fd, int listener, struct err *e) MUST_CHECK;

/* The file "ended"; absent: reason NULL. */
int warden_end_read(struct arena *a, int dir, struct warden_end *out, struct err *e) MUST_CHECK;
int warden_end_parse(struct arena *a, const char *json, size_t len, struct warden_end *out,
		     struct err *e) MUST_CHECK;
char *warden_end_print(struct arena *a, const struct warden_end *end, size_t *len);

#endif
