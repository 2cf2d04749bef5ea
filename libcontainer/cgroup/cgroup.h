#ifndef BRIG_CGROUP_CGROUP_H
#define BRIG_CGROUP_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/runtime.h"
#include "specs/state.h"

/*
 * One interface over cgroup v1, hybrid (v1 controllers, cgroup2 beside them) and v2, with the
 * cgroupfs or the systemd manager.  Life: plan (pure) -> create -> spawn or attach -> [update,
 * freeze, kill, stats] -> destroy.  Everything after create also works from a cgroup_record of
 * state.json, because each verb is a process of its own.
 */

enum cgroup_layout { CGROUP_NONE, CGROUP_V1, CGROUP_HYBRID, CGROUP_V2 };
enum cgroup_manager { CGROUP_CGROUPFS, CGROUP_SYSTEMD, CGROUP_DISABLED };

/* What the host has, read once per command, without parsing mountinfo on the usual layouts. */
struct cgroup_host {
	enum cgroup_layout layout;
	struct cgroup_mount {
		const char *hierarchy;  /* "" for cgroup2, else "cpu,cpuacct", "name=systemd" ... */
		const char *mountpoint; /* /sys/fs/cgroup/... */
		const char *own_path;   /* of the calling process, from /proc/self/cgroup */
	} * mounts;
	size_t n_mounts;
};
int cgroup_host_probe(struct arena *a, struct cgroup_host *out, struct err *e) MUST_CHECK;

struct cgroup_request {
	const char *id;
	enum cgroup_manager manager;
	bool rootless;         /* no right to make cgroups is no error unless limits are asked */
	bool required;         /* it is, and so are its limits; v2: an OOM kill ends all of it */
	bool own_namespace;    /* the container gets its own cgroup namespace */
	bool delegate;         /* a read-write cgroup mount: chown the delegation files (v2) */
	uint32_t delegate_uid; /* host uid to own them */
	const struct oci_linux *linux_; /* cgroupsPath and resources; may be NULL */
};

/* All decisions; refuses what the layout cannot do (unified on v1, bad cpusets ...). */
struct cgroup_plan;
int cgroup_plan_make(struct arena *a, const struct cgroup_host *host,
		     const struct cgroup_request *req, const struct cgroup_plan **out,
		     struct err *e) MUST_CHECK;
/* What create will make, for state.json, known before it is made. */
struct cgroup_record cgroup_plan_record(const struct cgroup_plan *p);
/* The same, with what is there already marked as kept. */
struct cgroup_record cgroup_found_record(struct arena *a, const struct cgroup_record *r);
/* True when the runtime must move processes after the clone (systemd makes the scope then). */
bool cgroup_plan_needs_attach(const struct cgroup_plan *p);

/* Open handle of the container's directories. */
struct cgroup;

/*
 * Before the directories are written down as the container's: what is written down is killed by
 * the next delete --force, however far brig got.  Processes of others there are an error.
 */
int cgroup_check_vacant(struct arena *a, const struct cgroup_plan *p, struct err *e) MUST_CHECK;
/* Makes the directories and applies the limits; refuses a non-empty or frozen cgroup. Cleans
 * up its own part on failure.  With the systemd manager the unit is made by attach instead. */
int cgroup_create(struct arena *a, const struct cgroup_plan *p, struct cgroup **out,
		  struct err *e) MUST_CHECK;
/* A handle on what an earlier command made.  Directories that are gone are left out, and those that
 * others have made in their place. */
int cgroup_open(struct arena *a, const struct cgroup_record *r, struct cgroup **out,
		struct err *e) MUST_CHECK;
void cgroup_close(struct cgroup *cg); /* closes descriptors; NULL allowed */
/* Same record, with what is only known after creation. */
struct cgroup_record cgroup_get_record(struct arena *a, const struct cgroup *cg);

/*
 * cgroup2 directory for CLONE_INTO_CGROUP (v2 and hybrid), owned by the handle; -1 where there
 * is none: v1, systemd before its scope runs, a v2 cgroup that passes controllers on.
 */
int cgroup_spawn_fd(const struct cgroup *cg);
/*
 * The way into v1 directories: the child moves itself, which is ten times quicker than being
 * moved (enter.c).  Opened by the runtime before the clone; entered by the single-threaded child.
 */
bool cgroup_enters(const struct cgroup *cg);
int cgroup_enter_open(struct cgroup *cg, struct err *e) MUST_CHECK;
int cgroup_enter(struct cgroup *cg, struct err *e) MUST_CHECK;
/* Moves pid into every hierarchy (v1, hybrid, systemd scope). */
int cgroup_attach(struct cgroup *cg, pid_t pid, struct err *e) MUST_CHECK;
/*
 * For exec: as cgroup_attach, but where the container has made sub-cgroups and given them
 * controllers (v2, EBUSY), pid joins the sub-cgroup that the container's process of is in.
 */
int cgroup_attach_beside(struct cgroup *cg, pid_t of, pid_t pid, struct err *e) MUST_CHECK;
/* exec --cgroup: a path below the container's cgroup, or ctrl[,ctrl]:path entries (v1).
 * subs: n entries as given on the command line.  *spawn_fd as cgroup_spawn_fd. */
int cgroup_attach_sub(struct cgroup *cg, const char *const *subs, size_t n, pid_t pid,
		      struct err *e) MUST_CHECK;

/*
 * New limits on a live cgroup; on failure what was already changed is set back and the error
 * says which one failed.  intelRdt is not its business.
 */
int cgroup_update(struct arena *a, struct cgroup *cg, const struct oci_resources *r,
		  struct err *e) MUST_CHECK;

/*
 * What the directory above the container's lets its cpuset have, as lists (cpuset.c); NULL: not
 * told, or no cpuset.
 */
struct cgroup_cpuset {
	const char *cpus, *mems;
};
void cgroup_plan_cpuset(struct arena *a, const struct cgroup_plan *p, struct cgroup_cpuset *out);
/*
 * cgroup v2: makes the container's cpuset a partition of its own, so that its CPUs are nobody
 * else's, and back.  -errno with the reason where the kernel does not: nothing has changed then.
 */
int cgroup_partition(struct cgroup *cg, struct err *e) MUST_CHECK;
void cgroup_partition_end(struct cgroup *cg);

/* Freezes or thaws and waits until the kernel has done so. */
int cgroup_freeze(struct cgroup *cg, bool freeze, struct err *e) MUST_CHECK;
/*
 * For a process that may open nothing (a warden): freezer.state (*v1: "FROZEN", "THAWED") or
 * cgroup.freeze ("1", "0"), for reading and writing.
 */
int cgroup_freezer_open(const struct cgroup *cg, bool *v1, struct err *e) MUST_CHECK;
/* 1 frozen, 0 not, -errno. */
int cgroup_is_frozen(const struct cgroup *cg);

/* All processes, sub-cgroups included, into the arena. */
int cgroup_pids(struct arena *a, const struct cgroup *cg, pid_t **out, size_t *n,
		struct err *e) MUST_CHECK;
/* Sends sig to all of them; SIGKILL uses cgroup.kill where it exists, else freeze, kill, thaw
 * and repeats until nothing is left to signal. */
int cgroup_signal(const struct cgroup *cg, int sig, struct err *e) MUST_CHECK;

/*
 * How a process that may open nothing (a warden) ends what is in the cgroup: text is written to
 * fd, which is the caller's.  cgroup.kill where it exists; on v1 the freezer, which keeps a paused
 * process from dying.  asks: also what only thaws, so that one that is asked to end hears of it.
 * Returns how many of out there are; what is not there is left out.
 */
struct cgroup_ending {
	int fd;
	const char *text;
	bool thaws;
};
enum { CGROUP_ENDINGS = 3 };
size_t cgroup_endings(const struct cgroup *cg, bool asks, struct cgroup_ending out[CGROUP_ENDINGS]);

/* Kills what is left, waits (bounded, 10 s) and removes the directories with sub-cgroups
 * (frozen, threaded ones included) and the systemd unit.  Gone already is success.  Of an unclaimed
 * record only empty directories are removed; the rest stays, which is told and is no error. */
int cgroup_destroy(struct cgroup *cg, struct err *e) MUST_CHECK;

/*
 * Directory to show as the container's own cgroup in a mount of type cgroup, for fs/.  Where
 * source is NULL (systemd chooses it) or was not made (rootless), the directory that
 * /proc/self/cgroup tells below mount is the one; with rootless it is the runtime's, and shown
 * read-only.
 */
struct cgroup_view {
	const char *name;    /* directory below the mount: "" for v2, "cpu,cpuacct" ... for v1 */
	const char *source;  /* absolute host path of the container's directory there, or NULL */
	const char *options; /* v1: mount data of the hierarchy ("cpu,cpuacct", "name=systemd") */
	const char *mount;   /* where the host has the hierarchy; NULL: source is there for sure */
};
/* The views of the planned container: on v1/hybrid one per hierarchy, on v2 one. */
size_t cgroup_plan_views(struct arena *a, const struct cgroup_plan *p, struct cgroup_view **out);
enum cgroup_layout cgroup_plan_layout(const struct cgroup_plan *p);

#endif
