#ifndef BRIG_PLAN_H
#define BRIG_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "container.h"
#include "context.h"
#include "cpu/resctrl.h"
#include "fs/fs.h"
#include "guard/caps.h"
#include "guard/creds.h"
#include "guard/seccomp.h"
#include "learn_program.h"
#include "ns/idmap.h"
#include "ns/namespace.h"
#include "plan_egress.h"
#include "plan_layers.h"
#include "plan_level.h"
#include "plan_seccomp.h"
#include "run/attrs.h"
#include "specs/runtime.h"
#include "specs/state.h"
#include "warden/warden.h"

/*
 * Every decision about one process in a container, made before anything on the host is touched
 * and never changed afterwards.  All user errors are found while it is made.
 */

/* The process: the container's own (create, run) or one more (exec). */
struct plan_process {
	const struct oci_process *spec;
	const char *const *args;
	const char *const *env; /* NULL-terminated; HOME is added inside if it is missing */
	const char *cwd;
	bool terminal, no_new_privs;
	struct caps_plan caps;
	struct creds_plan creds;
	const struct attrs_plan *attrs;
	const char *apparmor, *selinux; /* NULL: none */
	unsigned int preserve_fds;      /* 3 .. 2+n stay open */
};

/* Who watches the sandbox; docs/warden.md. */
struct plan_watch {
	bool wanted; /* else nobody does */
	struct warden_plan warden;
	bool detached; /* a process of its own: nobody stays in the foreground */
	bool encloses; /* and pid 1 of a pid namespace around the sandbox's (warden/detached.h) */
};

struct plan {
	const char *id, *bundle;
	bool privileged; /* brig has CAP_SYS_ADMIN in its user namespace */
	bool nested;     /* and that is not the host's */
	bool direct;     /* config is made of options */
	bool rootless; /* not the host's root: what it may not do is no error where runc's is not */

	const char *config_text; /* as read, for the state directory */
	size_t config_len;
	struct oci_config config;

	struct plan_level *level;    /* NULL: custom */
	const struct policy *policy; /* at custom, too: what is asked of the network */
	struct plan_watch watch;
	struct plan_layers layers;
	const struct state_audit *audit; /* NULL: nothing is written about it */
	struct context ctx;
	const struct plan_egress *egress; /* NULL: no network but lo and what an engine makes */
	struct ns_plan ns;
	bool staged;    /* run/spawn.h */
	bool has_idmap; /* a new user namespace, whose maps brig writes */
	struct idmap idmap;

	enum container_manager manager;
	struct cgroup_host cgroup_host;
	const struct cgroup_plan *cgroup;
	struct cgroup_record cgroup_record;
	bool cgroup_attach; /* processes are moved after the clone */

	struct resctrl_plan resctrl;
	struct fs_files files; /* of --secret; n 0: none */
	const struct fs_plan *fs;
	struct plan_process process;
	struct seccomp_program seccomp;
	const struct plan_observer *observer; /* puts another filter in its place; NULL */
	struct seccomp_program decides; /* what a notified call is answered by: seccomp, but that
					   it notifies of nothing */
	const struct plan_profile *profiles; /* of --seccomp, as read */
	size_t n_profiles;
	bool seccomp_early; /* before the capability drop: without no_new_privs it needs them, and
			       with notifications the listener must be handed over first */
	bool sealed_self;   /* launch_reexec_sealed: the stub cannot protect the binary */
	bool need_procfs;   /* something is written to /proc by the child */
	bool no_program;    /* config.json has no process: there is nothing that start could run */
	bool run;           /* no wait for start */
	bool no_pivot, new_keyring;
	bool host_root; /* the host's programs in an empty root (--rootfs /) */
	const char *console_socket;
	const char *notify_host; /* the caller's NOTIFY_SOCKET, NULL: none */
};

struct secrets;
struct plan_request {
	const struct container_host *host;
	const struct container_create_opts *opts;
	const struct secrets *secrets; /* NULL: none; kept */
	const char *id;
	bool run;
};
int plan_make(struct arena *a, const struct plan_request *req, struct plan *out,
	      struct err *e) MUST_CHECK;

/*
 * What is on disk before anything is made on the host: the config.json, the policy and the
 * compiled filter (for exec) in the state directory dir; and *out, with the status creating, which
 * the caller saves as state.json after them.
 */
int plan_record(struct arena *a, const struct plan *p, int dir, struct brig_state *out,
		struct err *e) MUST_CHECK;

/* policy.json again, with what was recorded meanwhile. */
int plan_save_policy(struct arena *a, const struct plan *p, int dir, struct err *e) MUST_CHECK;

/*
 * The part of a plan that is about one process; linux_ is NULL for exec (no sysctls and the
 * like a second time).  Shared by create and exec.
 */
struct plan_process_request {
	const struct oci_process *spec;
	const struct oci_linux *linux_;
	const struct ns_plan *ns;
	bool has_userns, rootless;
	unsigned int preserve_fds;
};
int plan_process_make(struct arena *a, const struct plan_process_request *req,
		      struct plan_process *out, struct err *e) MUST_CHECK;

/* The ids of the container's user namespace, for a pool counted from 0; NULL: has none. */
const struct idmap *plan_idmap(const struct plan *p);

/*
 * The cgroup once more, with the CPUs that were claimed for it: pinning is the one decision
 * that takes a reservation.  mems: NULL, or the nodes they are on, where config.json says none.
 */
int plan_cgroup_with_cpus(struct arena *a, struct plan *p, const char *cpus, const char *mems,
			  struct err *e) MUST_CHECK;

/* Whether the filter lets the exec stub (run/stub) do its work. */
bool plan_stub_passes(const struct seccomp_program *s);
/* The same of a stub that makes the process (struct launch, birth). */
bool plan_birth_passes(const struct seccomp_program *s);
/* Descriptors from 3 on that the caller passed by LISTEN_FDS; before those of preserve_fds. */
unsigned int plan_listen_fds(void);

/* What stands for the process of a config.json that has none: create needs none, start does. */
extern const struct oci_process plan_no_process;

/* Whether brig itself may mount and clone namespaces here. */
bool plan_is_privileged(void);
/* Whether brig is in a user namespace that does not map all of the host's ids to themselves. */
bool plan_in_user_namespace(void);

#endif
