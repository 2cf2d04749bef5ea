#ifndef BRIG_CRIU_CRIU_H
#define BRIG_CRIU_CRIU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "criu/wire.h"

/*
 * The program criu, started when a checkpoint or restore is asked for and never else, as a
 * worker that serves one request on a socket (criu swrk; images/rpc.proto of CRIU 3.15 and
 * later).  Unlike its command line this gives the terminal's master back, tells when
 * namespaces are ready for hooks, and makes the restored process a child of brig.
 *
 *	brig                        criu swrk
 *	  | ---- request --------------> |
 *	  | <--- NOTIFY script [pid|fd]- |   any number of times; it waits for the answer
 *	  | ---- NOTIFY success -------> |
 *	  | <--- response ------------- |
 */

/* Oldest version with everything that is used here: 3.15. */
enum { CRIU_MIN_MAJOR = 3, CRIU_MIN_MINOR = 15 };

enum criu_type {
	CRIU_DUMP = 1,
	CRIU_RESTORE = 2,
	CRIU_NOTIFY = 6,
	CRIU_FEATURE_CHECK = 9,
	CRIU_VERSION = 10,
	CRIU_SINGLE_PRE_DUMP = 13,
};

/* Field numbers of criu_opts, as far as they are used. */
enum criu_opt {
	CRIU_IMAGES_DIR_FD = 1,
	CRIU_PID = 2,
	CRIU_LEAVE_RUNNING = 3,
	CRIU_EXT_UNIX_SK = 4,
	CRIU_TCP_ESTABLISHED = 5,
	CRIU_EVASIVE_DEVICES = 6,
	CRIU_SHELL_JOB = 7,
	CRIU_FILE_LOCKS = 8,
	CRIU_LOG_LEVEL = 9,
	CRIU_LOG_FILE = 10,
	CRIU_PAGE_SERVER = 11,
	CRIU_NOTIFY_SCRIPTS = 12,
	CRIU_ROOT = 13,
	CRIU_PARENT_IMG = 14,
	CRIU_TRACK_MEM = 15,
	CRIU_AUTO_DEDUP = 16,
	CRIU_WORK_DIR_FD = 17,
	CRIU_LINK_REMAP = 18,
	CRIU_EXT_MNT = 23,
	CRIU_MANAGE_CGROUPS = 24,
	CRIU_CG_ROOT = 25,
	CRIU_RST_SIBLING = 26,
	CRIU_INHERIT_FD = 27,
	CRIU_MANAGE_CGROUPS_MODE = 34,
	CRIU_EXTERNAL = 37,
	CRIU_EMPTY_NS = 38,
	CRIU_JOIN_NS = 39,
	CRIU_FREEZE_CGROUP = 44,
	CRIU_TCP_SKIP_IN_FLIGHT = 46,
	CRIU_LAZY_PAGES = 48,
	CRIU_ORPHAN_PTS_MASTER = 50,
	CRIU_LSM_PROFILE = 53,
	CRIU_LSM_MOUNT_CONTEXT = 63,
};

struct criu_reply {
	enum criu_type type;
	bool success;
	const char *script;  /* NOTIFY */
	pid_t pid;           /* NOTIFY setup-namespaces, post-restore; RESTORE */
	const char *message; /* a failure's first error, NULL: not told */
	int64_t version_major, version_minor;
	bool mem_track, lazy_pages;
};

struct criu {
	struct arena *arena;
	pid_t pid;  /* 0: not running */
	int sock;   /* -1 */
	int output; /* what it writes before it has a log file */
};

/* A child that waits with executing criu until the first request: it can be moved meanwhile. */
struct criu_start {
	const int *inherit; /* these become CRIU_FIRST_FD, CRIU_FIRST_FD + 1 ... */
	size_t n_inherit;
	bool check; /* "criu check", which takes no requests: only its last words are of use */
	int (*prepare)(void *ctx, struct err *e); /* in the child, and start waits for it */
	void *ctx;
};
enum { CRIU_FIRST_FD = 4 };

int criu_start(struct criu *c, struct arena *a, const struct criu_start *s,
	       struct err *e) MUST_CHECK;
/* Sends a whole criu_req: type, opts (may be NULL), others set by the caller in more. */
int criu_send(struct criu *c, enum criu_type type, const struct wire_out *opts,
	      const struct wire_out *more, struct err *e) MUST_CHECK;
/* *fd: a descriptor that came with it, -1: none.  -EPIPE: criu has ended, in its own words. */
int criu_receive(struct criu *c, struct criu_reply *r, int *fd, struct err *e) MUST_CHECK;
/* Closes the socket and waits for the end; may be called twice. */
void criu_end(struct criu *c);

/*
 * One request to its response.  notify, called for each notification, owns fd; its failure ends
 * the request.  A failed request is told by its first error, or the first one of the log.
 */
struct criu_call {
	enum criu_type type;
	const struct wire_out *opts;
	int (*notify)(void *ctx, const struct criu_reply *r, int fd, struct err *e);
	void *ctx;
	const char *log; /* path, for the message */
};
int criu_request(struct criu *c, const struct criu_call *call, struct err *e) MUST_CHECK;

/*
 * Whether criu is there, new enough and able to work on this kernel, with what is asked for.
 * Changes nothing on the host.
 */
struct criu_needs {
	bool mem_track, lazy_pages;
};
int criu_probe(struct arena *a, const struct criu_needs *needs, struct err *e) MUST_CHECK;

/* The first error criu wrote before it had a log file; NULL: none.  It may still run. */
const char *criu_spoken(const struct criu *c);
/* The first error in criu's own words, without the place in its source; NULL: none there. */
const char *criu_first_error(struct arena *a, const char *text);

#endif
