#ifndef BRIG_CGROUP_INTERNAL_H
#define BRIG_CGROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"

/* What the files of this room share; nothing outside includes it. */

/* Controllers by their v2 name where both have one. */
enum cg_ctrl {
	CG_CPU,
	CG_CPUACCT,
	CG_CPUSET,
	CG_MEMORY,
	CG_DEVICES,
	CG_FREEZER,
	CG_IO, /* v1: blkio */
	CG_PIDS,
	CG_HUGETLB,
	CG_NET_CLS,
	CG_NET_PRIO,
	CG_RDMA,
	CG_PERF,
	CG_MISC,
	CG_DMEM,
	CG_CORE, /* no controller: files named cgroup.* */
	CG_N_CTRL
};
#define CG_BIT(c) (UINT32_C(1) << (c))

/* Controllers of a list separated by any of seps; unknown words and name=X count nothing. */
uint32_t cg_ctrls(const char *list, const char *seps);
const char *cg_ctrl_name(enum cg_ctrl c, bool v2);
/* All of a mask, for errors: "memory, pids". */
struct cg_names {
	char text[160];
};
const char *cg_ctrl_names(struct cg_names *out, uint32_t mask, bool v2);

/* One directory of the container. */
struct cg_dir {
	const char *hierarchy; /* as in struct cgroup_mount */
	const char *mount;     /* NULL in a handle opened from a record */
	const char *path;      /* absolute; NULL: could not be made (rootless) */
	uint32_t ctrls;
	int fd;           /* O_RDONLY directory, -1 until needed */
	int tasks;        /* v1: open for cgroup_enter; -1: not */
	size_t made_from; /* length of the first directory that create made, 0: none made */
	bool is_new;      /* create made the directory itself */
	bool kept;        /* it was there before: not removed */
};

struct cgroup_plan {
	enum cgroup_layout layout;
	enum cgroup_manager manager;
	const char *unit, *slice; /* systemd */
	bool rootless, required, path_given, own_namespace, delegate;
	uint32_t delegate_uid;
	struct cg_dir *dirs;
	size_t n_dirs;
	const struct cgroup_dir *record_dirs; /* the same, as state.json has them */
	const struct cgroup_host *host;
	const struct oci_resources *resources; /* may be NULL */
	const struct settings *settings;       /* resources as file contents, in order */
	uint32_t needed;                       /* controllers that settings write to */
	bool limits;                      /* something beyond the default device rules is asked */
	const struct bpf_rule *dev_rules; /* v2: evaluated by the device program */
	size_t n_dev_rules;
};

struct cgroup {
	struct arena *a; /* of the command: outlives the handle */
	enum cgroup_layout layout;
	enum cgroup_manager manager;
	const char *unit;
	bool owned, rootless;
	bool unclaimed; /* nothing in there is killed */
	struct cg_dir *dirs;
	size_t n_dirs;
	const struct cgroup_plan *plan; /* NULL in a handle opened from a record */
};

/* The directory that has the controller's files; NULL: not in this cgroup.  v2: the one. */
struct cg_dir *cg_find(const struct cgroup *cg, enum cg_ctrl c);
/* The cgroup2 directory (v2 and hybrid), NULL without one. */
struct cg_dir *cg_unified(const struct cgroup *cg);
/* The directory whose process list counts. */
struct cg_dir *cg_primary(const struct cgroup *cg);

/* Files of a directory.  cg_peek: length or -errno, no message, as file_peek. */
int cg_open_file(const struct cg_dir *d, const char *file, int flags);
ssize_t cg_peek(const struct cg_dir *d, const char *file, char *buf, size_t size);
int cg_poke(const struct cg_dir *d, const char *file, const char *text, struct err *e) MUST_CHECK;
/* Opens the directory itself if it is not open yet: the descriptor or -errno. */
int cg_dirfd(struct cg_dir *d);
/* 1 populated, 0 not, -errno: sub-cgroups count. */
int cg_populated(const struct cg_dir *d);
/* True when the directory has sub-directories; no readdir is needed for that. */
bool cg_has_children(int fd);

/* dirs.c */
int cg_make(struct cg_dir *d, struct err *e) MUST_CHECK; /* with parents; EEXIST is success */
void cg_unmake(struct cg_dir *d);                        /* removes what cg_make made */
int cg_cpuset_inherit(const struct cg_dir *d, struct err *e) MUST_CHECK;
int cg_enable_controllers(const struct cg_dir *d, uint32_t needed, uint32_t wanted,
			  struct err *e) MUST_CHECK;
int cg_check_usable(const struct cgroup *cg, struct cg_dir *d, struct err *e) MUST_CHECK;
/* chown of the directory and the files of /sys/kernel/cgroup/delegate. */
int cg_delegate(struct cg_dir *d, uint32_t uid, struct err *e) MUST_CHECK;
/* All directories of the handle, then the limits of the plan. */
int cg_make_all(struct cgroup *cg, struct err *e) MUST_CHECK;
void cg_unmake_all(struct cgroup *cg);

/* freeze.c: thaws a directory and everything below it, as well as possible */
void cg_thaw_tree(int fd);
/* "1" when processes put here would stop at once, ancestors included. */
bool cg_effectively_frozen(const struct cgroup *cg);

/* signal.c: pids of the tree below fd; 0s (outside our pid namespace) are left out */
int cg_tree_pids(struct arena *a, int fd, pid_t **out, size_t *n);

/* meters.c: with open_file for each file: a descriptor or -errno */
struct cgroup_meters;
typedef int (*cg_opener)(void *ctx, struct cg_dir *d, const char *file);
void cg_meters_open(const struct cgroup *cg, uint32_t set, cg_opener open_file, void *ctx,
		    struct cgroup_meters *out);

/* systemd.c */
int cg_systemd_plan(struct arena *a, struct cgroup_plan *p, const struct cgroup_request *req,
		    struct err *e) MUST_CHECK;
int cg_systemd_start(struct cgroup *cg, pid_t pid, struct err *e) MUST_CHECK;
/* systemd moves pid to the unit or a sub-cgroup of it. */
int cg_systemd_attach(const struct cgroup *cg, const char *sub, pid_t pid,
		      struct err *e) MUST_CHECK;
int cg_systemd_stop(const struct cgroup *cg, struct err *e) MUST_CHECK;
int cg_systemd_set(struct cgroup *cg, struct arena *a, const struct oci_resources *r,
		   struct err *e) MUST_CHECK;

#endif
