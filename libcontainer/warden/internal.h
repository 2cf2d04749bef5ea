#ifndef BRIG_WARDEN_INTERNAL_H
#define BRIG_WARDEN_INTERNAL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "warden/warden.h"

/* What the kernel reports for this build's own calls; for <linux/audit.h> in who uses it. */
#if defined(__x86_64__)
#define OWN_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OWN_ARCH AUDIT_ARCH_AARCH64
#else
#error "which audit architecture is this?"
#endif

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
	char text[16];
};

/* What epoll tells about: the kind in the upper half of its data, the slot in the lower. */
enum source { SOURCE_TIMER, SOURCE_PIDFD, SOURCE_CONTROL, SOURCE_CONN, SOURCE_LISTENER };

struct warden {
	struct warden_plan plan;
	struct warden_host host;
	struct warden_end end;
	int64_t written; /* end.count as it is in the file */
	int epoll, dir, timer, control, pidfd;
	int conns[CONNS_MAX]; /* -1: free */
	unsigned int next_conn;
	int link; /* slot of the connection to the maker, -1: none (any more) */
	int own;  /* slot of the sandbox's own connection, -1: none yet or any more */
	bool had_own;
	struct poke pokes[POKES_MAX];
	size_t n_pokes;
	int listeners[LISTENERS_MAX];
	bool started, over;
	unsigned int kills;
};

int warden_watch(struct warden *w, int fd, enum source kind, unsigned int slot,
		 struct err *e) MUST_CHECK;
void warden_unwatch(struct warden *w, int *fd); /* and closes it */

/* Attempts were seen, or the time is up: written down first, then killed. */
void warden_finish(struct warden *w, const char *reason);
int warden_end_write(int dir, const struct warden_end *end, struct err *e) MUST_CHECK;

/* notify.c */
int notify_probe(struct err *e) MUST_CHECK;
int notify_add(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* How many more it takes. */
size_t notify_places(const struct warden *w);
/* Records what waits in a slot, up to a bound. */
int notify_work(struct warden *w, unsigned int slot, uint32_t events, struct err *e) MUST_CHECK;

/* control.c: the same messages on the socket and on the pair between a warden and its maker. */
enum warden_ask { ASK_REPLY = 1, ASK_ADOPT, ASK_POKE, ASK_STARTED, ASK_LISTENER };
enum { NO_ANSWER = 1 };
struct warden_msg {
	uint32_t type;
	int32_t code;   /* REPLY: 0 or errno; else NO_ANSWER: nobody waits for one */
	char text[248]; /* POKE: what is written */
};
void control_accept(struct warden *w);
void control_work(struct warden *w, unsigned int slot);
/* Gives fd a slot; when there is none, the oldest but the maker's and the sandbox's own is cut off.
 */
int control_add(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* why NULL: it went well.  fd -1: none. */
int control_reply(int sock, const struct err *why, int fd) MUST_CHECK;
/* One question and its answer; text: NULL, or for POKE. */
int control_ask(int sock, enum warden_ask type, int fd, const char *text, struct err *e) MUST_CHECK;
/* *got, if not NULL: the descriptor that came with the answer or -1. */
int control_await(int sock, int *got, struct err *e) MUST_CHECK;

/* confine.c: dir is all that can be opened from here on. */
int warden_confine(int dir, struct err *e) MUST_CHECK;

#endif
