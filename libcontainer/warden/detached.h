#ifndef BRIG_WARDEN_DETACHED_H
#define BRIG_WARDEN_DETACHED_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"
#include "warden/warden.h"

/*
 * A warden that lives on when create has gone: pid 1 of a pid namespace around the sandbox's, so
 * that the kernel ends the sandbox when its warden dies, however that was.  Forked, never
 * executed anew; it has the state directory, what ends the sandbox, and nothing else open.
 *
 *	create                              warden
 *	   | warden_detach: clone3(NEWPID)     |
 *	   | <--- reply, its pid namespace --- |  confined, its loop runs
 *	   | spawn (enclose)                   |
 *	   | warden_detached_adopt: pidfd ---> |  from now on it ends with the sandbox
 *	   | warden_detached_leave             |
 *
 * When its maker dies before there is something to watch, it ends.  It stays in the maker's
 * cgroup: the sandbox's is killed and removed as a whole.  Who reaps its maker's orphans reaps
 * it; not before the sandbox's init has been reaped (pid_namespaces(7)).
 */

struct warden_detach {
	struct warden_plan plan;
	int dir; /* state directory */
	const char *(*syscall_name)(long nr);
	uint32_t (*decide)(void *ctx, const struct seccomp_data *call); /* warden/warden.h */
	void *decide_ctx;
	struct warden_reports reports; /* of its maker's memory, too */
	/* false: no pid namespace around the sandbox's (a joined one, a runtime that may make
	 * none): then a warden that is killed leaves the sandbox running, unwatched */
	bool enclose;
	const struct warden_stream *streams; /* warden/warden.h; they stay the caller's */
	size_t n_streams;
	struct warden_gauges gauges; /* of its maker's memory, as it was when it was forked */
};

struct warden_detached {
	pid_t pid; /* 0: none */
	int pidfd; /* -1 */
	int pidns; /* for run/spawn.h, enclose; -1: not enclosed */
	int link;  /* -1 */
	/* warden_detached_hurry */
	bool hurried;
	unsigned int owed; /* answers */
};
#define WARDEN_DETACHED_NONE                                                                       \
	((struct warden_detached){.pid = 0, .pidfd = -1, .pidns = -1, .link = -1})

/* Makes the control socket and the process, which then settles by itself. */
int warden_detach(const struct warden_detach *d, struct warden_detached *out,
		  struct err *e) MUST_CHECK;
/* Until it is confined; enclosed: and has sent its pid namespace. */
int warden_detached_await(struct warden_detached *w, bool enclosed, struct err *e) MUST_CHECK;
/*
 * From hurry to settle poke, status, meters and adopt do not wait for their answers: each is a turn
 * of both processes.  settle is for all of them, and says what went wrong first.
 */
void warden_detached_hurry(struct warden_detached *w);
int warden_detached_settle(struct warden_detached *w, struct err *e) MUST_CHECK;
/*
 * When the sandbox is to end, beside SIGKILL to its init, text is written to fd: "1" to
 * cgroup.kill, "THAWED" to a v1 freezer.state; what thaws also before it is asked to end.  The
 * descriptor stays the caller's.
 */
int warden_detached_poke(struct warden_detached *w, int fd, const char *text, bool thaws,
			 struct err *e) MUST_CHECK;
/* With a grace: /proc/PID/status of its init, which tells whether asking has a point. */
int warden_detached_status(struct warden_detached *w, int fd, struct err *e) MUST_CHECK;
/* As warden_helper. */
int warden_detached_helper(const struct warden_detached *w, int pidfd, struct err *e) MUST_CHECK;
/* As warden_freezer and warden_flows, but both descriptors stay the caller's. */
int warden_detached_freezer(const struct warden_detached *w, int fd, bool v1,
			    struct err *e) MUST_CHECK;
int warden_detached_flows(const struct warden_detached *w, int fd, struct err *e) MUST_CHECK;
int warden_detached_adopt(struct warden_detached *w, int pidfd, struct err *e) MUST_CHECK;
/* For gauges.take, in one message: n descriptors, at most WARDEN_METERS; they stay the caller's. */
enum { WARDEN_METERS = 24 };
int warden_detached_meters(struct warden_detached *w, const uint8_t *kinds, const int *fds,
			   size_t n, struct err *e) MUST_CHECK;
/*
 * Directories (O_PATH) of what the sandbox writes, at most WARDEN_LAYERS, once; they stay the
 * caller's.  From then on the warden does not end with the sandbox: until it is killed they are its
 * descriptors from WARDEN_LAYER_FD on, in that order.
 */
int warden_detached_layers(const struct warden_detached *w, const int *fds, size_t n,
			   struct err *e) MUST_CHECK;
/* run --detach: a created sandbox's start tells it by warden_tell_started. */
int warden_detached_started(const struct warden_detached *w, struct err *e) MUST_CHECK;
/* The descriptor stays the caller's. */
int warden_detached_listener(const struct warden_detached *w, int fd, struct err *e) MUST_CHECK;
/* Closes what the maker has of it; it lives on. */
void warden_detached_leave(struct warden_detached *w);
/* Kills and reaps it, the undo.  It has not ended before the sandbox's init was reaped, which is
 * waited for, but not for ever. */
void warden_detached_end(struct warden_detached *w);

#endif
