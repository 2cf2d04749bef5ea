#ifndef BRIG_RUN_FOREGROUND_H
#define BRIG_RUN_FOREGROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "base/err.h"

struct notify;

/* One more descriptor that foreground_wait looks at; ready's error ends the wait. */
struct foreground_watch {
	int fd; /* -1: none */
	int (*ready)(void *ctx, struct err *e);
	/* Whether it still has to do when the process has ended, which is then waited for, but not
	 * after one more signal that ends things.  NULL: never. */
	bool (*busy)(void *ctx);
	void *ctx;
};

/*
 * brig in the foreground of a container: forwards signals, relays the terminal, waits for the
 * end.  begin blocks the signals (before the clone, so that none is lost) and end sets all back,
 * the host's terminal mode included.
 */
struct foreground {
	int signals; /* signalfd, -1 */
	int tty;     /* host terminal in raw mode, -1 none */
	bool tty_owned;
	void *saved; /* terminal mode */
	unsigned long long mask[16];
	const struct notify *notify;          /* whose messages are relayed meanwhile; NULL: none */
	const struct foreground_watch *watch; /* NULL: none */
	bool plain;                           /* signals end the program as if it were no pid 1 */
	int ended_by;                         /* the one that did, 0: none */
	struct rusage usage;                  /* of the process that was waited for */
	uint64_t later;                       /* signals that foreground_await kept for it */
	bool lost;                            /* somebody else reaped it: its status is made up */
};

int foreground_begin(struct foreground *f, struct err *e) MUST_CHECK;
void foreground_end(struct foreground *f);
/* For the child: the signal mask as it was before begin. */
void foreground_child(const struct foreground *f);
/*
 * Until fd can be read: 0; or the process of pidfd has ended and has left nothing to read: 1, for
 * who holds a copy of the other end may be another.  -EINTR: before that came a signal that ends
 * things, ended_by, and nothing runs yet that it could be sent to; others wait for foreground_wait.
 * Where no foreground was begun signals do what they do.
 */
int foreground_await(struct foreground *f, int fd, int pidfd, struct err *e) MUST_CHECK;
/* The size of the host's terminal, if there is one. */
bool foreground_size(uint64_t *height, uint64_t *width);
/*
 * Puts the host's terminal (stdin, stdout, stderr, /dev/tty: the first that is one) into raw
 * mode; none at all is no error.  Its size goes to master unless has_size.
 */
int foreground_console(struct foreground *f, int master, bool has_size, struct err *e) MUST_CHECK;
/*
 * Until pid has ended: signals go to it, bytes between the host and master (-1: none).  Reaps
 * other children meanwhile (brig may be a subreaper).  *status as of waitpid.
 */
int foreground_wait(struct foreground *f, pid_t pid, int pidfd, int master, int *status,
		    struct err *e) MUST_CHECK;

/* Whether pid has said something about a signal that, as pid 1, it would else never get. */
bool foreground_minds(pid_t pid, int sig);

/* What a waitpid status is as the exit code of run, exec and restore: 128 + n for a signal. */
int foreground_exit_code(int status);

#endif
