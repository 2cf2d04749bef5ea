#ifndef BRIG_WARDEN_INTERNAL_H
#define BRIG_WARDEN_INTERNAL_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stdint.h>

#include "warden/warden.h"

/* What the files of this room share; nothing outside includes it. */

/* Each exec at high brings a listener; connections live for a question and an answer. */
enum { LISTENERS_MAX = 256, CONNS_MAX = 8 };

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
/* Records what waits in a slot, up to a bound. */
int notify_work(struct warden *w, unsigned int slot, uint32_t events, struct err *e) MUST_CHECK;

/* control.c: the same messages on the socket and on the pair between a warden and its maker. */
enum warden_ask { ASK_REPLY = 1, ASK_ADOPT, ASK_STARTED, ASK_LISTENER };
struct warden_msg {
	uint32_t type;
	int32_t code; /* REPLY: 0 or errno */
	char text[248];
};
void control_accept(struct warden *w);
void control_work(struct warden *w, unsigned int slot);
/* Gives fd the next slot; who had it is cut off. */
int control_add(struct warden *w, int fd, struct err *e) MUST_CHECK;
/* why NULL: it went well.  fd -1: none. */
int control_reply(int sock, const struct err *why, int fd) MUST_CHECK;
/* One question and its answer; *got, if not NULL, the descriptor that came with it or -1. */
int control_ask(int sock, enum warden_ask type, int fd, struct err *e) MUST_CHECK;
int control_await(int sock, int *got, struct err *e) MUST_CHECK;

/* confine.c: dir is all that can be opened from here on. */
int warden_confine(int dir, struct err *e) MUST_CHECK;

#endif
