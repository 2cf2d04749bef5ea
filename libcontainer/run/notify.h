#ifndef BRIG_RUN_NOTIFY_H
#define BRIG_RUN_NOTIFY_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * sd_notify(3) for what runs inside, when brig itself was started with NOTIFY_SOCKET.
 *
 * The container has a socket of its own: the directory STATE/notify is bound to NOTIFY_DIR
 * inside when the container is made, the socket in it is made by who will listen (run, or start
 * when it has a NOTIFY_SOCKET).  Of what comes only READY= and STATUS= lines are passed on to
 * the host's socket; a main pid is named by brig, never by the program.
 */
#define NOTIFY_DIR    "/run/notify"
#define NOTIFY_SOCKET NOTIFY_DIR "/notify.sock"
#define NOTIFY_STATE  "notify" /* below the state directory */

struct notify {
	const char *host; /* path, or @name of an abstract socket */
	int sock;         /* ours, -1: none */
};

/* The caller's socket, NULL: none, or of a kind that is not understood (with a warning). */
const char *notify_host(void);
/* STATE/notify: dir is the state directory. */
int notify_make_dir(int dir, struct err *e) MUST_CHECK;
/* The socket in it.  0 with n->sock -1: the directory is not there, nobody offered the socket. */
int notify_listen(struct notify *n, int dir, struct err *e) MUST_CHECK;
/*
 * Takes one message and passes on what is allowed; with pid > 0 and READY=1 also MAINPID.
 * 1: READY=1 was in it, 0: not.  A host's socket that takes nothing is a warning.
 */
int notify_relay(const struct notify *n, pid_t pid);
/* Until READY=1 has been passed on, and taken (sd_notify_barrier(3)), or the process has ended. */
void notify_wait(const struct notify *n, pid_t pid, int pidfd);
void notify_close(struct notify *n);

#endif
