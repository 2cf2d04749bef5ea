#ifndef BRIG_CREATE_H
#define BRIG_CREATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "fs/fs.h"
#include "ns/idmap.h"
#include "ns/idpool.h"
#include "plan.h"
#include "run/foreground.h"
#include "run/hooks.h"
#include "run/notify.h"
#include "specs/state.h"
#include "warden/detached.h"
#include "warden/warden.h"

/* What the steps of create and run share, on the runtime's side. */
struct create {
	const struct container_host *host;
	const struct container_create_opts *opts;
	const char *id;
	struct arena *arena;
	struct plan plan;
	struct brig_state state;
	int dir;            /* state directory, locked */
	int console_socket; /* connected */
	int listen;         /* start socket */
	int stub;
	int sync; /* our end */
	/* At a level: the ids claimed, the user namespace that has them. */
	struct idpool_slot slot;
	struct idmap idmap;
	int userns;
	struct fs_owner owner;
	struct warden *warden; /* in the foreground */
	struct warden_detached detached;
	int warden_end; /* the sandbox's end: connected */
	struct cgroup *cgroup;
	struct fs *fs;
	pid_t pid;
	int pidfd;
	int master; /* foreground terminal */
	struct foreground foreground;
	bool in_foreground;
	bool leaves_something; /* undoing has failed somewhere */
	struct notify notify;
	struct hook_output hook_output;
};

/* What the caller left open is looked at and closed before anything else is opened. */
int create_init(struct create *c, const struct container_host *h,
		const struct container_create_opts *o, struct arena *a, struct err *e) MUST_CHECK;
void create_done(struct create *c);
/* The steps of both verbs up to READY (run) or CREATED (create). */
int create_make(struct create *c, bool run, struct err *e) MUST_CHECK;
/* Absolute path of the state directory: who a range of ids or a CPU is claimed for. */
const char *create_directory(const struct create *c);
void create_kill_child(struct create *c);

/* Steps, ctx is the struct create: a warden that waits, its undo, and its sandbox. */
int create_warden(void *ctx, struct err *e) MUST_CHECK;
void create_warden_end(void *ctx);
int create_adopt(void *ctx, struct err *e) MUST_CHECK;

#endif
