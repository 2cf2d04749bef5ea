#ifndef BRIG_CREATE_H
#define BRIG_CREATE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "evidence.h"
#include "fs/fs.h"
#include "net/mnl.h"
#include "net/pasta.h"
#include "net/veth.h"
#include "ns/ahead.h"
#include "ns/idmap.h"
#include "ns/idpool.h"
#include "plan.h"
#include "resolver.h"
#include "run/foreground.h"
#include "run/hooks.h"
#include "run/notify.h"
#include "run/spawn.h"
#include "secret.h"
#include "specs/state.h"
#include "warden/detached.h"
#include "warden/tie.h"
#include "warden/warden.h"
#include "watch.h"

/* With a limit of output: pipes between the sandbox and its warden. */
struct create_output {
	struct warden_stream streams[WARDEN_STREAMS]; /* the warden's */
	size_t n_streams;
	int write_ends[WARDEN_STREAMS]; /* the sandbox's; -1, the second: as the first */
};

/* What the steps of create and run share, on the runtime's side. */
struct create {
	const struct container_host *host;
	const struct container_create_opts *opts;
	const char *id;
	struct arena *arena;
	struct secrets secrets;
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
	struct ns_ahead
		net_ahead;     /* its network namespace, where the host's user namespace owns it */
	struct warden *warden; /* in the foreground */
	struct warden_detached detached;
	int warden_end; /* the sandbox's end: connected */
	struct watch watch;
	struct evidence evidence;
	bool wants_result; /* somebody will ask how it ended */
	struct create_output output;
	struct warden_tie tie;
	struct spawn_hold hold; /* until the warden has the child */
	/* with egress rules: */
	struct mnl mnl;
	bool has_mnl;
	struct veth_slot veth;
	int netns, netns_userns; /* the sandbox's and, where it is not ours, its owner; -1 */
	bool rules_were_there;   /* of the pod: not a second time */
	bool net_given; /* to the resolver, before the child was born, which waits for it */
	struct pasta pasta;
	struct resolver resolver;
	struct cgroup *cgroup;
	struct fs *fs;
	pid_t pid;
	int pidfd;
	int master; /* foreground terminal */
	struct foreground foreground;
	bool in_foreground;
	bool leaves_something; /* undoing has failed somewhere */
	/* A sandbox that can be used again (reuse.h), NULL: once. */
	struct state_reuse *reuse;
	const struct brig_state
		*before; /* reset: of the shell that is there, its directory is dir */
	int *uppers; /* by volume of the plan, with keep: where what is written to it goes; -1 */
	int64_t uppers_since_ns;
	const char *cpus;                    /* that it has been given; before: that it had */
	void (*meanwhile)(struct create *c); /* while the child makes itself ready; NULL */
	struct notify notify;
	struct hook_output hook_output;
};

/* What the caller left open is looked at and closed before anything else is opened. */
int create_init(struct create *c, const struct container_host *h,
		const struct container_create_opts *o, struct arena *a, struct err *e) MUST_CHECK;
void create_done(struct create *c);
/* Every decision about it; changes nothing but what the foreground needs. */
int create_plan(struct create *c, bool run, struct err *e) MUST_CHECK;
/* The steps of both verbs up to READY (run) or CREATED (create). */
int create_make(struct create *c, bool run, struct err *e) MUST_CHECK;
/* Step, the first: makes the network namespace while the other steps before the clone run.  It has
 * no undo: create_done lets it go. */
bool create_makes_net(const void *ctx);
int create_begin_net(void *ctx, struct err *e) MUST_CHECK;
/* The same of what is planned already: the next generation. */
int create_again(struct create *c, struct err *e) MUST_CHECK;
/* Absolute path of the state directory: who a range of ids or a CPU is claimed for. */
const char *create_directory(const struct create *c);
/* It has a user namespace that is entered last (level). */
bool create_is_late(const void *ctx);
/* config.json's own listener of its filter; a level's goes to the warden. */
bool create_has_listener(const void *ctx);

/* Steps of create_sources.c. */
int create_open_sources(void *ctx, struct err *e) MUST_CHECK;
void create_close_sources(void *ctx);
/* Step of create_clone.c, and its undo. */
int create_clone(void *ctx, struct err *e) MUST_CHECK;
void create_clone_undo(void *ctx);
/* Ends the child, and waits until it has ended. */
void create_kill_child(struct create *c);

/* Step: the first record of the audit log, before anything runs; its undo is one, too. */
bool create_is_audited(const void *ctx);
int create_audit(void *ctx, struct err *e) MUST_CHECK;
void create_audit_undo(void *ctx);
/* When it is refused before it begins; what cannot be written is a warning. */
void create_audit_refused(struct create *c, const struct err *why);

/* Steps, ctx is the struct create: a warden that waits, its undo, and its sandbox. */
int create_warden(void *ctx, struct err *e) MUST_CHECK;
void create_warden_end(void *ctx);
/* A detached one is made while other things are: before anything runs it is confined. */
bool create_has_detached(const void *ctx);
int create_warden_ready(void *ctx, struct err *e) MUST_CHECK;
int create_adopt(void *ctx, struct err *e) MUST_CHECK;
/* Steps: what the sandbox dies with, where its own parent-death signal may be taken back. */
bool create_is_tied(const void *ctx);
int create_tie(void *ctx, struct err *e) MUST_CHECK;
void create_tie_end(void *ctx);

/* Steps: a range of ids, its undo, and the user namespace that has them. */
int create_claim_ids(void *ctx, struct err *e) MUST_CHECK;
void create_release_ids(void *ctx);
int create_userns(void *ctx, struct err *e) MUST_CHECK;
/* Steps: the cgroup, its undo, and that nobody else has used it. */
int create_cgroup(void *ctx, struct err *e) MUST_CHECK;
void create_drop_cgroup(void *ctx);
int create_check_fresh(void *ctx, struct err *e) MUST_CHECK;
/* A cgroup that was there before may be the one that another container is deleted with. */
int create_check_others(const struct create *c, struct err *e) MUST_CHECK;

/* Steps: a place in the book of CPUs, its undo, and for exclusive ones a partition of their own. */
bool create_pins(const void *ctx);
bool create_pins_cores(const void *ctx);
int create_cpus(void *ctx, struct err *e) MUST_CHECK;
void create_cpus_end(void *ctx);
int create_partition(void *ctx, struct err *e) MUST_CHECK;

/* libmnl, at its first use. */
int create_load_mnl(struct create *c, struct err *e) MUST_CHECK;
/* Steps of create_network.c, in the order of the table. */
bool create_has_egress(const void *ctx);
bool create_has_veth(const void *ctx);
bool create_has_connection(const void *ctx);
bool create_resolves_early(const void *ctx);
int create_claim_slot(void *ctx, struct err *e) MUST_CHECK;
void create_note_slot(struct create *c);
void create_release_slot(void *ctx);
bool create_gives_net(const struct create *c);
int create_resolver(void *ctx, struct err *e) MUST_CHECK;
int create_open_netns(void *ctx, struct err *e) MUST_CHECK;
int create_connect(void *ctx, struct err *e) MUST_CHECK;
void create_disconnect(void *ctx);
int create_rules(void *ctx, struct err *e) MUST_CHECK;
void create_rules_end(void *ctx);
int create_tell_network(void *ctx, struct err *e) MUST_CHECK;

/* Steps of create_grants.c. */
bool create_has_grants(const void *ctx);
int create_grants(void *ctx, struct err *e) MUST_CHECK;
/* run: the program waits until its grants are known; create's waits for start anyway. */
bool create_awaits_grants(const void *ctx);
int create_tell_granted(void *ctx, struct err *e) MUST_CHECK;

/* create_output.c */
/* apart: two pipes, as a later start may give two places for what is one here. */
int create_output_make(struct create_output *o, bool apart, struct err *e) MUST_CHECK;
/* The sandbox has its ends. */
void create_output_cloned(struct create_output *o);
/* A warden of ours has the others. */
void create_output_taken(struct create_output *o);
void create_output_close(struct create_output *o);

/* Steps of create_beside.c, ctx is the struct create, in the order of the table. */
int create_write_maps(void *ctx, struct err *e) MUST_CHECK;
int create_attach(void *ctx, struct err *e) MUST_CHECK;
int create_apply_resctrl(void *ctx, struct err *e) MUST_CHECK;
void create_drop_resctrl(void *ctx);
int create_move_devices(void *ctx, struct err *e) MUST_CHECK;
int create_tell_placed(void *ctx, struct err *e) MUST_CHECK;
int create_save_running(void *ctx, struct err *e) MUST_CHECK;
int create_save_created(void *ctx, struct err *e) MUST_CHECK;
int create_write_pid_file(void *ctx, struct err *e) MUST_CHECK;
int create_send_pidfd(void *ctx, struct err *e) MUST_CHECK;
int create_await_console(void *ctx, struct err *e) MUST_CHECK;
int create_runtime_hooks(void *ctx, struct err *e) MUST_CHECK;
int create_serve_listener(void *ctx, struct err *e) MUST_CHECK;
int create_await_ready(void *ctx, struct err *e) MUST_CHECK;
int create_let_go(void *ctx, struct err *e) MUST_CHECK;
int create_tell_created(void *ctx, struct err *e) MUST_CHECK;

#endif
