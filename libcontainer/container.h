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
	const char *const *egress;
	size_t n_env, n_ro, n_bind, n_write, n_egress;
	const char *user, *cwd, *language, *pin;
	const int64_t *memory, *pids;
	const uint64_t *nofile;
	uint64_t wall_ms; /* 0: the level's */
	const char *cpus; /* 2, 0.5 or 500m; NULL: no quota */
	bool tty;
	bool readonly; /* at custom; a level decides itself */
};

/* create and run */
struct container_create_opts {
	const char *id;
	const char *bundle;         /* directory, absolute */
	const char *config_path;    /* --config FILE; NULL: config.json in the bundle */
	const char *console_socket; /* NULL: none */
	const char *pid_file;
	const char *pidfd_socket;
	unsigned int preserve_fds; /* 3 .. 2+n are passed on */
	bool no_pivot, no_new_keyring;
	const char *level;                     /* NULL: the host's */
	const struct container_direct *direct; /* run without a bundle; NULL */
	/* run only */
	bool detach, keep, no_subreaper;
};

int container_create(const struct container_host *h, const struct container_create_opts *o,
		     struct err *e) MUST_CHECK;
/* *code: exit code of the container (128 + n for a signal); 0 when detached. */
int container_run(const struct container_host *h, const struct container_create_opts *o, int *code,
		  struct err *e) MUST_CHECK;
int container_start(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;
/* sig 0 only checks; all: every process of the cgroup, an empty one is no error. */
int container_kill(const struct container_host *h, const char *id, int sig, bool all,
		   struct err *e) MUST_CHECK;
/* force: kills first; an unknown id is success. */
int container_delete(const struct container_host *h, const char *id, bool force,
		     struct err *e) MUST_CHECK;
int container_pause(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;
int container_resume(const struct container_host *h, const char *id, struct err *e) MUST_CHECK;

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
};
int container_exec(const struct container_host *h, const struct container_exec_opts *o, int *code,
		   struct err *e) MUST_CHECK;

/* One line of list and the answer of state. */
struct container_info {
	const char *oci_version, *id;
	const char *status;                            /* creating created running paused stopped */
	int64_t pid;                                   /* 0 when stopped */
	const char *bundle, *rootfs, *created, *owner; /* owner: a user name or number */
	/* At a level, else NULL: its name, the digest of the policy, what the warden ended it for.
	 */
	const char *level, *digest, *ended;
	bool tainted;
	const struct oci_map *annotations;
	size_t n_annotations;
};
int container_state(const struct container_host *h, const char *id, struct arena *a,
		    struct container_info *out, struct err *e) MUST_CHECK;
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

#endif
