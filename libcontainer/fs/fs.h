#ifndef BRIG_FS_FS_H
#define BRIG_FS_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "ns/idmap.h"
#include "specs/runtime.h"

/*
 * The container's file system, made only of mounts held by descriptor.
 *
 *   plan    all words, flags and refusals; no side effect
 *   open    sources as detached mounts (open_tree(OPEN_TREE_CLONE), id-mapped, attributes set),
 *           with the runtime's rights and in its mount namespace: before the clone when brig is
 *           privileged, else by the child inside its user namespace.  The child inherits the
 *           descriptors.
 *   build   in the child, in its new mount namespace, with a user namespace as its uid 0 (after
 *           setuid(0): nobody else may make files on its file systems): propagation of /, the
 *           root attached, every mount attached on a destination found by base/inroot, /dev,
 *           symlinks; fs_console, if wanted, comes between build and enter
 *   enter   pivot_root(".", ".") (or MS_MOVE and chroot with no_pivot), old root detached
 *   seal    read-only root, masked and read-only paths: by descriptor below the new root
 */

struct fs_request {
	const struct oci_config *config;
	const char *bundle; /* absolute */
	bool no_pivot;
	bool rootless; /* brig has no rights on the host: open happens in the child */
	bool has_userns, own_cgroup_ns, own_mount_ns, own_net_ns, joins_net_ns;
	const struct idmap *idmap; /* of the container; NULL without a user namespace */
	enum cgroup_layout cgroup_layout;
	const struct cgroup_view *cgroup_views;
	size_t n_cgroup_views;
	/*
	 * The levels.  late_userns: everything is built by the host's root in a mount namespace
	 * that the host owns, and the process enters its user namespace last; owners, uid= and
	 * gid= are then translated by struct fs_owner, the root and bind mounts are id-mapped.
	 */
	bool late_userns;
	bool untouched;    /* the image is never written: root read-only, nosuid, nodev, missing
			      mount points and the cwd by a skeleton layer */
	bool private_root; /* a copy of the root file system on a tmpfs of its own */
	bool tmpfs_root;   /* the root is an empty tmpfs, made read-only in the end (--rootfs /) */
	uint64_t tmpfs_size, tmpfs_inodes; /* bounds of private_root, tmpfs_root; 0: none */
	/* proc and sys are minimal; NULL: as the config says.  Kept, read by fs_open: the CPUs may
	 * be claimed after the plan. */
	const struct fs_machine *machine;
	const struct fs_files *files; /* kept; NULL: none */
	/* Of the config's mounts (bind mounts of directories), those that are not written: an
	 * overlay each, with the bounds above. */
	const size_t *overlays;
	size_t n_overlays;
};

/* Small files of a user's own; what is in them is read by fs_build. */
struct fs_file {
	const char *name;
	const char *data;
	size_t len;
};
struct fs_files {
	const char *dest;  /* of the last of the config's mounts, a tmpfs */
	uint32_t uid, gid; /* inside */
	const struct fs_file *list;
	size_t n;
};

/* A detached read-only tmpfs with them, of these ids of the host's. */
int fs_files_make(const struct fs_files *files, uint32_t uid, uint32_t gid,
		  struct err *e) MUST_CHECK;

/* What the files of a minimal /proc and /sys tell (high). */
struct fs_machine {
	const char *cpus;    /* list of the CPUs given */
	unsigned int n_cpus; /* how many of them the quota lets work: 0: all in the list */
	uint64_t memory;     /* limit in bytes; 0: the host's */
	uint64_t swap; /* limit of swap alone; 0: none where memory is limited, else the host's */
};

/* The sandbox's ids on the host, known when its range has been claimed. */
struct fs_owner {
	int userns;              /* for id-mapped mounts; -1: mounts are taken as they are (the
				    engine has mapped them, or nothing can be mapped here) */
	const struct idmap *map; /* inside -> host */
};

/* The id on the host of an id inside; without an owner the same.  False: not mapped. */
bool fs_owner_uid(const struct fs_owner *o, uint32_t inside, uint32_t *host);
bool fs_owner_gid(const struct fs_owner *o, uint32_t inside, uint32_t *host);

struct fs_plan;
int fs_plan_make(struct arena *a, const struct fs_request *req, const struct fs_plan **out,
		 struct err *e) MUST_CHECK;
/* Absolute path of the root directory on the host, for state.json. */
const char *fs_plan_rootfs(const struct fs_plan *p);
/* Whether open belongs to the runtime (before the clone) or to the child. */
bool fs_plan_opened_by_runtime(const struct fs_plan *p);

struct fs; /* descriptors of one build */
/* owner: NULL without late_userns; is kept, not copied. */
int fs_open(struct arena *a, const struct fs_plan *p, const struct fs_owner *owner, struct fs **out,
	    struct err *e) MUST_CHECK;
/*
 * What could not be had as wished, a sentence each: bind mounts whose file system cannot be
 * id-mapped.  Known when open has returned.
 */
const char *const *fs_recorded(const struct fs *fs, size_t *n);
/* O_PATH, the caller's: where what is written to mount i of the config goes, when it is one of
 * overlays; -1. */
int fs_upper(const struct fs *fs, size_t i);
/* For a child that shares this memory but not the descriptors: it opens and closes its own. */
struct fs *fs_copy(struct arena *a, const struct fs *fs);
/* Closes what is open; for the runtime's side after the clone. NULL allowed. */
void fs_close(struct fs *fs);

int fs_build(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;
/*
 * A new pseudoterminal of the container's own devpts (TIOCGPTPEER, never a path), slave bound
 * on /dev/console; size may be NULL.  uid is the container's user, as inside.  Both descriptors
 * belong to the caller.
 */
int fs_console(const struct fs_plan *p, struct fs *fs, const struct oci_console_size *size,
	       uint32_t uid, int *master, int *slave, struct err *e) MUST_CHECK;
int fs_enter(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;
int fs_seal(const struct fs_plan *p, struct fs *fs, struct err *e) MUST_CHECK;

/*
 * For exec -t: a pseudoterminal from the devpts at /dev/pts of the current root (checked by
 * fstatfs), by descriptor.  uid: as the caller's user namespace knows it (fs_owner_uid before the
 * container's is entered).
 */
int fs_pty_of_root(const struct oci_console_size *size, uint32_t uid, int *master, int *slave,
		   struct err *e) MUST_CHECK;

/* Words for `features`: every mount option string that is understood, sorted, NULL-terminated. */
const char *const *fs_mount_option_names(struct arena *a);

#endif
