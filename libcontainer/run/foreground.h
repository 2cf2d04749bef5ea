#ifndef BRIG_RUN_FOREGROUND_H
#define BRIG_RUN_FOREGROUND_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

struct notify;

/* One more descriptor that foreground_wait looks at; ready's error ends the wait. */
struct foreground_watch {
	int fd; /* -1: none */
	int (*ready)(void *ctx, struct err *e);
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
};

int foreground_begin(struct foreground *f, struct err *e) MUST_CHECK;
void foreground_end(struct foreground *f);
/* For the child: the signal mask as it was before begin. */
void foreground_child(const struct foreground *f);
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

/* What a waitpid status is as the exit code of run, exec and restore: 128 + n for a signal. */
int foreground_exit_code(int status);

#endif
