#ifndef BRIG_SPECS_STATE_H
#define BRIG_SPECS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"
#include "specs/violation.h"

/*
 * <root>/<id>/state.json: what another brig needs to find, judge and remove a container.
 * It is written before anything is made on the host (status creating) and again at each
 * change, by rename.  Private to brig; the OCI state is derived from it.
 */

/* One directory that holds the container's processes in one hierarchy. */
struct cgroup_dir {
	const char
		*hierarchy; /* "" for cgroup2, else the v1 mount's directory name: "cpu,cpuacct" */
	const char *path;   /* absolute directory in the runtime's mount namespace */
	bool kept;          /* was there before brig: not removed (runtime.md, Delete) */
	uint64_t inode;     /* the kernel gives none twice; 0: not known yet, or by an older brig */
};

struct cgroup_record {
	const char *layout;  /* none (also when read as absent), v1, hybrid, v2 */
	const char *manager; /* cgroupfs, systemd, disabled (also when read as absent) */
	const char *unit;    /* systemd: scope name, else NULL */
	bool owned;          /* brig made the directories (false: they were there, not removed) */
	const struct cgroup_dir *dirs;
	size_t n_dirs;
	bool unclaimed; /* not in the file: what is in them may be of others (delete.h) */
};

/*
 * What a cgroup that was there before brig, or is used again, had counted when the container began:
 * taken off what it counts at the end.  -1: not told.
 */
struct state_baseline {
	int64_t cpu_ns, user_ns, system_ns, throttled_ns, throttled;
	int64_t memory_peak, swap_peak, oom_kills, memory_hits;
	int64_t pids_peak, pids_refused;
	int64_t read_bytes, write_bytes, reads, writes;
};

/* What of the audit log was decided when it began. */
struct state_audit {
	const char *path, *sync, *argv, *flows; /* specs/admin.h */
	uint64_t max_bytes;
	uint32_t wait_ms;
	bool required; /* what cannot be written does not happen */
};

/* A shell and its generations (docs/reuse.md). */
struct state_reuse {
	uint64_t generation;   /* from 1 */
	uint64_t uses, resets; /* generations whose program was started; resets that ended well */
	uint64_t max_uses, max_age_ms;      /* 0: no bound */
	uint64_t created_ns, generation_ns; /* CLOCK_BOOTTIME: of the shell, of the generation */
	const char *key;      /* for whom it may be used again; NULL: an older brig's */
	uint64_t max_idle_ms; /* parked longer than that it is not used any more; 0: no bound */
	/* So much used by one generation, in thousandths of its limit, ends the shell; 0: none. */
	struct state_retire_on {
		uint32_t memory, cpu, pids, disk;
	} retire_on;
	const char *retired;     /* why it is not used any more, for good; NULL: it is */
	const char *digests;     /* sha256: of lower.digests; NULL: not asked for */
	const char *packages;    /* sha256: of packages; NULL: not asked for */
	const char *journal;     /* how far a reset has come: destroy create verify; NULL: done */
	const char *plan;        /* sha256: of what was planned, for each generation the same */
	const char *fingerprint; /* sha256: of generation 1 as the kernel showed it */
	uint32_t ids_base;       /* of ids_slot */
	bool hooks;              /* programs of the host run for each generation */
	const char *cpus;        /* that it has been given; NULL: none */
	uint64_t netns; /* of the network namespace that it joins, which stays; 0: one of its own */
	const char *pool;    /* whose member it is (docs/pools.md); NULL */
	const char *boot_id; /* in which boot the shell was made; NULL: an older brig's */
};

struct brig_state {
	int32_t v;               /* format of this file: 1 */
	const char *oci_version; /* of the bundle's config.json */
	const char *id;
	const char *status;  /* creating, created, running: as last written; see status.h */
	int64_t pid;         /* 0: none yet */
	uint64_t start_time; /* field 22 of /proc/PID/stat, so that a reused pid is noticed */
	const char *bundle, *rootfs;
	const char *created;       /* RFC 3339 with nanoseconds, UTC */
	uint32_t owner;            /* uid that ran brig */
	const char *level;         /* custom */
	const char *digest;        /* of the effective policy, NULL at custom */
	bool late_userns;          /* no namespace but the user one is owned by the user one */
	const char *ids_directory; /* NULL: no range of ids is held */
	uint32_t ids_slot;
	const char *cpus_directory; /* NULL: no CPUs are reserved */
	const char *net_directory;  /* NULL: no slot of addresses is held */
	uint32_t net_slot;
	const char *net_device;           /* the host's end of its pair of devices; NULL */
	const char *const *net_addresses; /* its own of that slot */
	size_t n_net_addresses;
	const char *net;      /* none veth pasta join, with grants; NULL: without */
	const char *egress;   /* digest of the egress policy, NULL: deny-all, or none */
	bool netns_below;     /* its network namespace is owned by a user namespace below ours */
	int64_t resolver_pid; /* 0: none */
	uint64_t resolver_start_time;
	int64_t warden_pid; /* a detached warden, 0: none */
	uint64_t warden_start_time;
	uint64_t started_ns; /* CLOCK_MONOTONIC when the program was let go; 0: not yet, or unknown
			      */
	int64_t runner_pid;  /* the brig in whose foreground it runs, 0: none */
	bool filter_kills;   /* the level's filter kills by SIGSYS */
	bool oom_ends_all;   /* a level's memory limit: a kill for memory ends all of it */
	const struct state_baseline *baseline; /* NULL: it began with nothing counted */
	bool private_pid_ns; /* the container has its own pid namespace: its init's death ends it */
	struct cgroup_record cgroup;
	const struct state_audit *audit; /* NULL: nothing is written about it */
	const struct state_reuse *reuse; /* NULL: it is used once */
	bool audit_calls; /* denied calls notify the warden; so they do in processes of exec */
	const char *ctx_request;     /* --ctx, NULL: not given */
	const char *ctx_principal;   /* sha256: of it */
	const char *resctrl_group;   /* directory made for intelRdt, NULL: none */
	const char *resctrl_monitor; /* its mon_groups directory, NULL: none */
	/* writable tmpfs mounts, where nothing inside can mount over them: what stats looks at */
	const char *const *disk;
	size_t n_disk;
	const struct oci_map *annotations;
	size_t n_annotations;
};

enum { STATE_MAX_BYTES = 8 << 20 };

/*
 * The file is trusted to be brig's own, not to be whole: a wrong type, a pid no process can
 * have, a directory that is not absolute or goes up by ".." are errors with their path.  Every
 * string of struct brig_state but unit and the resctrl ones must be set before it is printed,
 * and is set after it was read.
 */

int state_parse(struct arena *a, const char *json, size_t len, struct brig_state *out,
		struct err *e) MUST_CHECK;
/* JSON text in the arena, one line. */
char *state_print(struct arena *a, const struct brig_state *s, size_t *len);
const struct json_type *state_type(void);

/*
 * The OCI state (runtime.md, State), indented by two spaces as runc prints it, keys in runc's
 * order: ociVersion id pid status bundle rootfs created [annotations] owner.
 * For hooks and seccomp agents: compact is one line with only the spec's properties.
 */
struct oci_grant {
	const char *grant, *place, *ends; /* place, ends NULL: nowhere, with the sandbox */
};
struct oci_state {
	const char *oci_version, *id, *status;
	int64_t pid;
	const char *bundle, *rootfs, *created, *owner;
	const struct oci_map *annotations;
	size_t n_annotations;
	/* Not compact, at a level or with egress rules: an object "brig"; level NULL: none. */
	const char *level, *digest, *ended;
	const int32_t *code;             /* NULL: it runs, or nobody knows */
	const struct state_reuse *reuse; /* at a level; NULL: it is used once */
	const struct taint_row *taint;
	size_t n_taint;     /* at custom, too: with one there is an object "brig" */
	int64_t warden_pid; /* a process of its own that watches it; 0: none */
	/* With egress rules of its own, at custom too; egress NULL: without. */
	const char *net, *egress;
	bool netns_below;     /* the rules' namespace is owned below brig's user namespace */
	int64_t resolver_pid; /* 0: none, or not any more */
	const struct oci_grant *grants; /* in force */
	size_t n_grants;
};
/* What state and list tell of a shell: a member "reuse"; u NULL: none. */
struct json_out;
void state_print_reuse(struct json_out *o, const struct state_reuse *u);
char *oci_state_print(struct arena *a, const struct oci_state *s, bool compact, size_t *len);

#endif
