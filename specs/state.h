#ifndef BRIG_SPECS_STATE_H
#define BRIG_SPECS_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"

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
};

struct cgroup_record {
	const char *layout;  /* none (also when read as absent), v1, hybrid, v2 */
	const char *manager; /* cgroupfs, systemd, disabled (also when read as absent) */
	const char *unit;    /* systemd: scope name, else NULL */
	bool owned;          /* brig made the directories (false: they were there, not removed) */
	const struct cgroup_dir *dirs;
	size_t n_dirs;
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
	int64_t warden_pid;         /* a detached warden, 0: none */
	uint64_t warden_start_time;
	bool private_pid_ns; /* the container has its own pid namespace: its init's death ends it */
	struct cgroup_record cgroup;
	const char *resctrl_group;   /* directory made for intelRdt, NULL: none */
	const char *resctrl_monitor; /* its mon_groups directory, NULL: none */
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
struct oci_state {
	const char *oci_version, *id, *status;
	int64_t pid;
	const char *bundle, *rootfs, *created, *owner;
	const struct oci_map *annotations;
	size_t n_annotations;
	/* Not compact, at a level: an object "brig"; level NULL: none. */
	const char *level, *digest, *ended;
	bool tainted;
};
char *oci_state_print(struct arena *a, const struct oci_state *s, bool compact, size_t *len);

#endif
