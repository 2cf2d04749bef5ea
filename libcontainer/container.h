#ifndef BRIG_CONTAINER_H
#define BRIG_CONTAINER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

/*
 * libcontainer's public interface: what a verb of cmd/brig calls.  Everything returned lives in
 * the arena given.  Errors are complete sentences in runc's words where engines match them
 * (container does not exist, container not running ...), without the verb's prefix.
 */

enum container_manager { MANAGER_CGROUPFS, MANAGER_SYSTEMD, MANAGER_DISABLED };
enum container_rootless { ROOTLESS_AUTO, ROOTLESS_TRUE, ROOTLESS_FALSE };

/* What global options decide; constant for one command. */
struct container_host {
	const char *root; /* state root, absolute: /run/brig, rootless $XDG_RUNTIME_DIR/brig */
	bool root_given;  /* by --root: then it must exist for list */
	enum container_manager manager;
	enum container_rootless rootless;
	const char *level;         /* --level before the verb; NULL: not given */
	const char *system_config; /* --system-config; NULL: /etc/brig/brig.json */
	const char *lease;         /* --lease of a verb, or BRIG_LEASE: a token (lease.h); NULL */
	bool lease_given;          /* by the option: then it must be of a lease that holds */
	const char *levels_too;    /* a directory of further levels, before the administrator's: who
				      replays what was learned; NULL */
};

/* How it is connected, docs/egress.md. */
struct container_network {
	/* none, veth; direct mode: pasta, join:PATH, too; NULL: none, create: as config.json has it
	 */
	const char *net;
	const char *const *egress, *const *ingress, *const *resolvers;
	size_t n_egress, n_ingress, n_resolvers;
};

/* Direct mode: what the options of `run` say instead of a config.json. */
struct container_direct {
	const char *rootfs;
	bool host_root;                      /* rootfs is the host's "/" */
	const char *policy_file;             /* --policy FILE, a platform document; NULL */
	const char *const *args;             /* NULL-terminated */
	const char *const *env;              /* NAME=VALUE, or NAME for the caller's */
	const char *const *ro, *const *bind; /* HOST[:PATH] */
	const char *const *write;            /* PATH[:SIZE] */
	size_t n_env, n_ro, n_bind, n_write;
	struct container_network network;
	const uint64_t *net_rate, *net_open, *net_conns; /* NULL: the level's, none */
	const int64_t *net_bytes, *net_bandwidth;
	const char *flows; /* where records of connections go, absolute; NULL: state directory */
	const char *user, *cwd, *language, *pin;
	/* limits; NULL: the level's */
	const int64_t *memory, *swap, *pids;
	const int64_t *fsize, *output, *disk, *inodes;
	const uint64_t *nofile, *wall_ms, *cpu_ms, *grace_ms;
	const char *cpus;      /* 2, 0.5 or 500m; NULL: no quota */
	const char *const *io; /* DEVICE:rbps=N,wbps=N,riops=N,wiops=N */
	size_t n_io;
	bool tty;
	bool readonly; /* at custom; a level decides itself */
};

/* create and run */
struct brig_change; /* specs/change.h */
struct container_create_opts {
	const char *id;
	const char *bundle;         /* directory, absolute */
	const char *config_path;    /* --config FILE; NULL: config.json in the bundle */
	const char *console_socket; /* NULL: none */
	const char *pid_file;
	const char *pidfd_socket;
	unsigned int preserve_fds; /* 3 .. 2+n are passed on */
	bool no_pivot, no_new_keyring;
	const char *level;                       /* NULL: the host's */
	const char *ctx_request, *ctx_principal; /* --ctx, as given; NULL */
	const uint64_t *env_fd;                  /* NULL: none */
	const char *const *secrets;              /* NAME=FD */
	size_t n_secrets;
	const char *const *grants; /* specs/grant.h */
	size_t n_grants;
	const char *const *seccomp; /* --seccomp FILE, absolute: more filters */
	size_t n_seccomp;
	const char *audit;    /* "syscalls": calls that the filter denies notify the warden; NULL */
	uint64_t pin_wait_ms; /* for CPUs that are not free now; 0: not */
	/* create only, docs/reuse.md: a sandbox that can be reset; bounds NULL: none */
	bool reuse;
	const uint64_t *max_uses, *max_age_ms, *max_idle_ms;
	bool digests;          /* list the root's files, for verify --full */
	const char *packages;  /* absolute: a file with digests of some of them; NULL */
	const char *retire_on; /* memory=0.9,...: what one generation may use at most */
	const char *reuse_key; /* NULL: made of policy, level and root */
	const char *pool;      /* whose member it is (pools.h); NULL */
	const struct container_network *network; /* NULL: config.json and annotations alone say */
	bool keep_layers;                        /* docs/layers.md */
	const char *const *volumes;              /* DEST=POLICY */
	size_t n_volumes;
	const struct container_direct *direct; /* run without a bundle; NULL */
	/* run only */
	bool detach, keep, no_subreaper;
	const char *result; /* where to write how it ended: a file, "-" standard output; NULL */
	/* in the foreground: nothing of the host is written, and what would have been is told at
	 * the end: each entry to change, then *changes */
	bool dry_run;
	int (*change)(void *ctx, const struct brig_change *c, struct err *e);
	void *change_ctx;
	bool result_isolate; /* in the form of isolate(1)'s meta file */
	/* run in the foreground, by who has called launch_reexec_sealed: every call is told to who
	 * gets the listener from this socket; NULL: nobody watches */
	const int *observer;
};

/* What becomes of asking for something that may not be, beside the error: the verb's exit code. */
enum container_answer {
	ANSWER_FAILED,      /* brig could not */
	ANSWER_BUSY,        /* another works on it, it runs, its generation moved: ask again */
	ANSWER_REFUSED,     /* tainted, retired, not made to be used again */
	ANSWER_NOT_ALLOWED, /* to this caller */
};
enum {
	CODE_BUSY = 75,        /* what was asked for is not so yet: try again */
	CODE_REFUSED = 76,     /* it may not be, or cannot be with this container */
	CODE_NOT_ALLOWED = 77, /* the caller may not ask for it */
};
/* The exit code of an answer; of ANSWER_FAILED failed. */
int container_answer_code(enum container_answer answer, int failed);

int container_create(const struct container_host *h, const struct container_create_opts *o,
		     struct err *e) MUST_CHECK;
/* *code: exit code of the container (128 + n for a signal); 0 when detached; in direct mode also
 * that of a failure: 126 and 127 for execve, else 125. */
int container_run(const struct container_host *h, const struct container_create_opts *o, int *code,
		  struct err *e) MUST_CHECK;
struct container_start_opts {
	const char *id;
	/* of one made with `create --reuse`: only if it is this generation; NULL: whatever it is */
	const uint64_t *expect_gen;
	/* late work for such a one (specs/work.h), "-": standard input; NULL: as create had it */
	const char *process_file;
	const uint64_t *env_fd; /* more of its environment; NULL: none */
	/* files and trees of the host, SRC:DST, into writable places of such a one */
	const char *const *inputs;
	size_t n_inputs;
	/* limits of this generation, none above its plan's; NULL: the plan's */
	const int64_t *memory, *pids;
	const char *cpus;
	const uint64_t *wall_ms, *cpu_ms;
	/* of the grants of its plan those that it keeps, "none"; n 0: all of them */
	const char *const *egress;
	size_t n_egress;
	/* a second start of the same generation with the same key succeeds without doing anything,
	 * one with another key is ANSWER_BUSY; NULL: none */
	const char *idempotency_key;
	/* for this generation only: NAME=FD of --secret, and what is granted before it begins */
	const char *const *secrets, *const *grants;
	size_t n_secrets, n_grants;
};
int container_start(const struct container_host *h, const struct container_start_opts *o,
		    enum container_answer *answer, struct err *e) MUST_CHECK;

struct brig_report; /* specs/report.h */
/* A new generation of one made with `create --reuse`, or with check only what would become of it:
 * docs/reuse.md. */
struct container_reset_opts {
	const char *id;
	const uint64_t *expect_gen; /* NULL: whatever it is when reset begins */
	bool check, kill;
	const char *keep_evidence; /* directory, absolute: of one that is not clean; NULL */
};
/* *out is filled as far as it is known on failure, too; its v is 0 when nothing is. */
int container_reset(const struct container_host *h, const struct container_reset_opts *o,
		    struct arena *a, struct brig_report *out, enum container_answer *answer,
		    struct err *e) MUST_CHECK;

/*
 * Whether a parked one is as generation 1 was, and nothing of another generation is left; changes
 * nothing.  An error: it is not, or that cannot be told.
 */
struct container_verify_opts {
	const char *id;
	bool full; /* the files of its root, too, as create has listed them */
};
int container_verify(const struct container_host *h, const struct container_verify_opts *o,
		     struct arena *a, struct brig_report *out, enum container_answer *answer,
		     struct err *e) MUST_CHECK;

/* What a generation wrote, for one that keeps its layers: docs/layers.md */
struct brig_change; /* specs/change.h */
struct brig_changes;
struct container_diff_opts {
	const char *id;
	bool hash;
	const uint64_t *most; /* entries looked at; NULL: as many as there may be */
	/* The head (id .. layers), once, then each entry; not 0 ends it.  What they get lives until
	 * they return. */
	int (*begin)(void *ctx, const struct brig_changes *head, struct err *e);
	int (*each)(void *ctx, const struct brig_change *c, struct err *e);
	void *ctx;
};
/* *out: head and sums, as far as they are known on failure, too. */
int container_diff(const struct container_host *h, const struct container_diff_opts *o,
		   struct arena *a, struct brig_changes *out, enum container_answer *answer,
		   struct err *e) MUST_CHECK;
struct container_collect_opts {
	const char *id, *source; /* absolute in the container */
	const char *destination; /* not there yet; NULL: a tar archive to tar */
	int tar;
	const int64_t *max_bytes;  /* NULL: 1 GiB */
	const uint64_t *max_files; /* files and directories; NULL: 65536 */
};
/* *report: one JSON object, NULL when it failed. */
int container_collect(const struct container_host *h, const struct container_collect_opts *o,
		      struct arena *a, const char **report, enum container_answer *answer,
		      struct err *e) MUST_CHECK;
struct container_commit_opts {
	const char *id;
	const char *volume; /* where it is in the container; NULL: the only one, or all */
	bool skip;  /* leave out what is neither file, directory nor a link that stays inside */
	bool check; /* only tell */
};
/* *report: one JSON object, of what was done on failure, too; NULL: nothing was. */
int container_commit(const struct container_host *h, const struct container_commit_opts *o,
		     struct arena *a, const char **report, enum container_answer *answer,
		     struct err *e) MUST_CHECK;
/* Ends the warden of one that has ended, and with it what it holds. */
int container_discard(const struct container_host *h, const char *id, enum container_answer *answer,
		      struct err *e) MUST_CHECK;

/* sig 0 only checks; all: every process of the cgroup, an empty one is no error. */
int container_kill(const struct container_host *h, const char *id, int sig, bool all,
		   struct err *e) MUST_CHECK;
/* force: kills first, whoever has it leased; an unknown id is success. */
int container_delete(const struct container_host *h, const char *id, bool force,
		     struct err *e) MUST_CHECK;
struct container_delete_opts {
	const char *id;
	bool force;
	const char *keep_evidence; /* directory, absolute: of one that is tainted; NULL */
};
/* What cannot be kept is not deleted. */
int container_delete_with(const struct container_host *h, const struct container_delete_opts *o,
			  struct err *e) MUST_CHECK;
int container_pause(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;
int container_resume(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;

/*
 * What a running sandbox may do, from now on, or not any more (specs/grant.h, docs/grants.md).
 * place: where it is found inside, NULL: nowhere.  ERANGE: beyond the administrator's ceiling;
 * EOPNOTSUPP: such a thing cannot be granted to this one, or not taken back; EPERM: the path may
 * not be seen; ENOENT: nothing like it is granted.
 */
int container_grant(const struct container_host *h, const char *id, const char *what,
		    struct arena *a, const char **place, struct err *e) MUST_CHECK;
/*
 * what: a grant's text, with or without its words; of the network also a name or an address, which
 * means everything granted to that: what is connected by it is cut.  Of a place: what the sandbox
 * has open, mapped or as working directory there stays; strict: who has it so is killed.
 */
struct container_revoked {
	size_t users; /* processes that had, or still have, some of it */
	bool killed;  /* and were killed for it */
};
int container_revoke(const struct container_host *h, const char *id, const char *what, bool strict,
		     struct container_revoked *out, struct err *e) MUST_CHECK;

/*
 * Says that a container is not to be taken for what it was any more, and takes that and what its
 * violations said back.  The host's root only (EPERM); EBUSY: another command works on it.  class_:
 * NULL: manual.  untaint: EALREADY: it is not tainted; nothing happens that cannot be audited.
 */
int container_taint(const struct container_host *h, const char *id, const char *reason,
		    const char *class_, struct err *e) MUST_CHECK;
int container_untaint(const struct container_host *h, const char *id, const char *reason,
		      struct err *e) MUST_CHECK;

struct container_exec_opts {
	const char *id;
	const char *process_file; /* --process: a whole process document; else the fields below */
	const char *const *args;  /* NULL-terminated */
	const char *const *env;   /* added to the container's, NULL-terminated, may be NULL */
	const char *cwd, *user;   /* NULL: the container's */
	const uint32_t *groups;   /* --additional-gids */
	size_t n_groups;
	const char *const *caps;    /* --cap, NULL-terminated, may be NULL */
	const char *const *cgroups; /* --cgroup, NULL-terminated, may be NULL */
	const char *apparmor, *process_label;
	bool tty, detach, no_new_privs, ignore_paused;
	const char *console_socket, *pid_file, *pidfd_socket;
	unsigned int preserve_fds;
	const char *ctx_request, *ctx_principal; /* --ctx, as given; NULL */
	const uint64_t *env_fd;                  /* NULL: none */
};
int container_exec(const struct container_host *h, const struct container_exec_opts *o, int *code,
		   struct err *e) MUST_CHECK;

struct oci_grant; /* specs/state.h */
/* One line of list and the answer of state. */
struct state_reuse;
struct taint_row;
struct container_info {
	const char *oci_version, *id;
	const char *status;                            /* creating created running paused stopped */
	int64_t pid;                                   /* 0 when stopped */
	const char *bundle, *rootfs, *created, *owner; /* owner: a user name or number */
	/* At a level, else NULL: its name, the digest of the policy, what the warden ended it for.
	 */
	const char *level, *digest, *ended;
	const struct state_reuse *reuse; /* specs/state.h; NULL: it is used once */
	const struct taint_row *taint;   /* specs/violation.h */
	size_t n_taint;                  /* 0: it is not tainted */
	int64_t warden_pid;              /* of a live one with a detached warden, 0: none */
	const char *net, *egress; /* as in struct oci_state; egress NULL: no rules of its own */
	bool netns_below;
	int64_t resolver_pid;
	const struct oci_grant *grants; /* specs/state.h; state only, of a live one */
	size_t n_grants;
	const int32_t *code; /* stopped, at a level: what wait exits with; NULL: not known */
	const struct oci_map *annotations;
	size_t n_annotations;
};
int container_state(const struct container_host *h, const char *id, struct arena *a,
		    struct container_info *out, struct err *e) MUST_CHECK;
struct brig_result; /* specs/result.h */
/*
 * Until it has ended, *ms at most (NULL: for ever), then -ETIMEDOUT; one that has is no error.
 * -ESTALE: it was reset meanwhile, and how the generation that was there has ended nobody knows.
 */
int container_wait(const struct container_host *h, const char *id, const uint64_t *ms,
		   struct arena *a, struct brig_result *out, struct err *e) MUST_CHECK;
/* Sorted by id.  Directories that are no container are skipped with a warning. */
int container_list(const struct container_host *h, struct arena *a, struct container_info **out,
		   size_t *n, struct err *e) MUST_CHECK;
int container_pids(const struct container_host *h, const char *id, struct arena *a, pid_t **out,
		   size_t *n, struct err *e) MUST_CHECK;

/* rdt: new schemata, NULL: none. */
int container_update(const struct container_host *h, const char *id, const struct oci_resources *r,
		     const struct oci_intel_rdt *rdt, struct arena *a, struct err *e) MUST_CHECK;

/* One "data" object of events --stats, as JSON text. */
int container_stats(const struct container_host *h, const char *id, struct arena *a, char **json,
		    struct err *e) MUST_CHECK;
/*
 * Calls emit for each event until the container stops: type "stats" each interval with the
 * object, type "oom" with NULL.  emit returning non-zero ends it.
 */
int container_events(const struct container_host *h, const char *id, uint64_t interval_ms,
		     int (*emit)(void *ctx, const char *type, const char *json), void *ctx,
		     struct err *e) MUST_CHECK;

/* What both checkpoint and restore tell the program criu (docs/checkpoint.md). */
struct container_criu_opts {
	const char *id;
	const char *image_path;   /* directory, absolute */
	const char *work_path;    /* of logs, absolute; NULL: image_path */
	const char *cgroups_mode; /* soft full strict ignore; NULL: soft */
	/* namespaces made without their content, NULL-terminated, may be NULL; the network
	 * namespace always is one of them */
	const char *const *empty_ns;
	bool tcp_established, skip_in_flight, ext_unix_sk, shell_job, lazy_pages, file_locks,
		auto_dedup;
};
struct container_checkpoint_opts {
	struct container_criu_opts criu;
	const char *parent_path; /* images of a pre-dump, relative to image_path; NULL: none */
	const char *page_server; /* ADDRESS:PORT, NULL: none */
	int status_fd;           /* gets a zero byte when lazy pages can be fetched; -1: none */
	bool leave_running, pre_dump;
};
/* The container is deleted afterwards, unless it is left running or only pre-dumped. */
int container_checkpoint(const struct container_host *h, const struct container_checkpoint_opts *o,
			 struct err *e) MUST_CHECK;

struct container_restore_opts {
	struct container_criu_opts criu;
	const char *bundle;         /* directory, absolute */
	const char *console_socket; /* NULL: none */
	const char *pid_file;
	const char *lsm_profile, *lsm_mount_context;
	bool detach, no_subreaper;
};
/* A new container from images; *code as for container_run. */
int container_restore(const struct container_host *h, const struct container_restore_opts *o,
		      int *code, struct err *e) MUST_CHECK;

/* A level, or the policy of a container, as rows: `policy show` and `policy explain`. */
struct container_policy_row {
	const char *field, *value;
	const char *by;      /* level admin annotation config document flag host; show: a level */
	const char *outcome; /* set cut refused recorded; show: NULL */
	const char *asked, *reason; /* NULL: nothing else was asked for; none needed */
	const char *about;          /* show: what the field is */
};
struct container_policy {
	const char *level, *extends, *summary; /* the last two may be NULL */
	const char *digest;
	const char *document; /* show: the level as JSON with all it inherits */
	bool direct;
	const struct container_policy_row *rows;
	size_t n_rows;
};
/* What `policy explain` is asked about: a container, a bundle, or nothing but levels. */
struct container_policy_query {
	const char *level;       /* NULL: the host's */
	const char *id;          /* what holds for that container */
	const char *bundle;      /* absolute; what would hold for a container of it */
	const char *policy_file; /* a platform's document; direct mode */
	bool direct;
};
/* Names of all levels, sorted. */
int container_policy_names(const struct container_host *h, struct arena *a, const char *const **out,
			   size_t *n, struct err *e) MUST_CHECK;
int container_policy_show(const struct container_host *h, const char *name, struct arena *a,
			  struct container_policy *out, struct err *e) MUST_CHECK;
/* Refused by the level, a bundle still has rows: out->level is set then, beside the error. */
int container_policy_explain(const struct container_host *h, const struct container_policy_query *q,
			     struct arena *a, struct container_policy *out,
			     struct err *e) MUST_CHECK;
/* Reads one file: *kind is level, system (brig.json), document or config; NULL: cannot be told. */
int container_policy_check(const struct container_host *h, const char *path, struct arena *a,
			   const char **kind, struct err *e) MUST_CHECK;

/*
 * `policy learn`: a run whose every call is seen, and what is made of it in the directory dir:
 * learned.json, seccomp.json and at a level NAME.json.  docs/learn.md
 */
struct brig_learned; /* specs/learned.h */
struct container_learn_opts {
	const struct container_create_opts *create;
	const char *dir;          /* absolute; made if it is not there */
	const char *name;         /* of the level file, without its end */
	const char *const *flags; /* "--name value": what the run was given, for the next one */
	size_t n_flags;
};
/* *code as for container_run. */
int container_learn(const struct container_host *h, const struct container_learn_opts *o,
		    struct arena *a, struct brig_learned *out, int *code, struct err *e) MUST_CHECK;
/* What `policy learn` wrote in dir. */
int container_learned(const char *dir, struct arena *a, struct brig_learned *out,
		      struct err *e) MUST_CHECK;

/* `policy check --replay`: once more, under what was learned. */
struct container_replay_row {
	const char *name, *arch, *answer; /* as in struct learned_denied, or learned_name */
	uint64_t count;
	bool expected; /* it was denied when it was learned, too */
};
struct container_replay {
	int code; /* the program's */
	const struct container_replay_row *rows;
	size_t n_rows;
	size_t unexpected; /* of them */
};
int container_replay(const struct container_host *h, const struct container_create_opts *o,
		     const char *dir, const struct brig_learned *learned, struct arena *a,
		     struct container_replay *out, struct err *e) MUST_CHECK;

/* The default config.json of `brig spec`; level: asked for by annotation, NULL: the host's. */
char *container_default_spec(struct arena *a, bool rootless, bool cgroup2, const char *level);
/*
 * `features`: the OCI features document (features.md), indented, with what doctor found as
 * annotations.
 */
char *container_features(const struct container_host *h, struct arena *a);

/* `doctor`: what this host can enforce. */
enum container_found { FOUND_YES, FOUND_NO, FOUND_UNKNOWN };
enum container_need {
	NEED_NOT,      /* the level does not use it */
	NEED_WISHED,   /* used where it is there, recorded where it is not */
	NEED_REQUIRED, /* without it nothing starts at that level */
};
struct container_check {
	const char *mechanism;
	enum container_need standard, high;
	enum container_found found;
	const char *detail; /* NULL: nothing to say */
	const char *remedy; /* what the administrator can do; NULL when it was found */
};
struct container_doctor {
	const char *kernel; /* release */
	bool privileged;
	bool standard, high; /* can be enforced */
	const struct container_check *checks;
	size_t n_checks;
};
void container_doctor(const struct container_host *h, struct arena *a,
		      struct container_doctor *out);
/* yes no unknown; - recorded required */
const char *container_found_word(enum container_found f);
const char *container_need_word(enum container_need n);

/*
 * The audit log (docs/audit.md).  path: its file, NULL: the one that the administrator has (or of
 * a plain user, the user).  Reading needs no right but to read.
 */
struct audit_record;  /* specs/audit.h */
struct audit_finding; /* specs/audit_verdict.h */
struct audit_verdict;

struct container_audit_filter {
	const char *id, *event, *severity; /* severity: that, and worse ones; NULL: any */
	const char *since; /* a sequence number, a time, or a duration before now; NULL: all */
};
/* One line; r NULL: no record.  Not 0: no more of them, and that is what is returned. */
typedef int (*container_audit_line)(void *ctx, const struct audit_record *r, const char *text,
				    size_t len);
int container_audit_show(const struct container_host *h, const char *path,
			 const struct container_audit_filter *f, container_audit_line line,
			 void *ctx, struct err *e) MUST_CHECK;
/* The last n; follow: then those that come, over rotations, for ever. */
int container_audit_tail(const struct container_host *h, const char *path,
			 const struct container_audit_filter *f, uint64_t n, bool follow,
			 container_audit_line line, void *ctx, struct err *e) MUST_CHECK;
/* Its head as JSON, to be kept elsewhere. */
int container_audit_head(const struct container_host *h, const char *path, struct arena *a,
			 char **json, struct err *e) MUST_CHECK;
/*
 * Records from since on (0: all), then the head of the last one.  Behind a later beginning than
 * the log's the head of the record before comes first.  Lines that are no records are left out:
 * *left tells how many.
 */
int container_audit_export(const struct container_host *h, const char *path, uint64_t since,
			   int (*put)(void *ctx, const char *text, size_t len), void *ctx,
			   uint64_t *left, struct err *e) MUST_CHECK;

struct container_audit_check {
	const char *path;
	const char *heads; /* a file of heads, a line each; "-": standard input; NULL: none */
	const char *key;   /* a file with K(0) as digits; NULL: MACs are not computed */
	bool record;       /* the verdict goes into the log (of the administrator) */
	/* called for each finding, `most` times at most */
	void (*found)(void *ctx, const struct audit_finding *f);
	void *ctx;
	size_t most;
};
/* Damage is no error: see specs/audit_verdict.h. */
int container_audit_verify(const struct container_host *h, const struct container_audit_check *c,
			   struct arena *a, struct audit_verdict *out, struct err *e) MUST_CHECK;
/* A new key for a log that has none: K(0) as digits, which is written down nowhere else. */
int container_audit_key(const struct container_host *h, const char *path, char hex[65],
			struct err *e) MUST_CHECK;

#endif
