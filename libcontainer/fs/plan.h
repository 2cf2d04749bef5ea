#ifndef BRIG_FS_PLAN_H
#define BRIG_FS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup/cgroup.h"
#include "fs/fs.h"
#include "fs/option.h"
#include "ns/idmap.h"
#include "specs/runtime.h"

struct fs_text; /* fs/machine.h */

/* What fs_plan_make decided; shared by the files of this room only. */

enum fs_mount_kind {
	FS_MOUNT_NEW,     /* a file system of some type */
	FS_MOUNT_BIND,    /* a copy of a mount of the host */
	FS_MOUNT_REMOUNT, /* changes what is there */
	FS_MOUNT_CGROUP,  /* the container's cgroups in the host's layout */
};

struct fs_mount {
	enum fs_mount_kind kind;
	size_t index;     /* in config.mounts */
	const char *dest; /* absolute, cleaned */
	const char *source;
	const char *type;
	struct fs_options opt;
	const char *long_data;        /* not NULL: too long for fsconfig */
	const struct idmap *idmap;    /* not NULL: id-map the source with it */
	bool plain_dir;               /* proc, sysfs: no symlink on the way to the mount point */
	bool late_readonly;           /* tmpfs with ro: not before everything is in it */
	const struct fs_files *files; /* not NULL: what is in this tmpfs */
	bool overlay;                 /* a volume that is not written (volume.h) */
	bool keep_mode;               /* tmpfs without mode=: as the directory below has it */
};

struct fs_device {
	const char *path; /* absolute, cleaned */
	mode_t type;      /* S_IFCHR ... */
	mode_t mode;
	dev_t rdev;
	uint32_t uid, gid;
	bool listed; /* in linux.devices, not a default device */
};

struct fs_plan {
	const char *rootfs;           /* absolute, resolved on the host */
	uint64_t default_propagation; /* of the root and of bind mounts: MS_SLAVE or MS_PRIVATE */
	uint64_t root_propagation;    /* of the root in the end, 0: leave */
	bool root_propagation_recursive;
	bool peers; /* rootfsPropagation is shared: bind mounts stay peers of the host's */
	bool readonly, no_pivot, rootless, has_userns, own_cgroup_ns, own_net_ns;
	bool late_userns, untouched, private_root, tmpfs_root; /* as in struct fs_request */
	uint64_t tmpfs_size, tmpfs_inodes;
	const char *cwd; /* absolute, cleaned; NULL: none to be made */
	const struct fs_mount *mounts;
	size_t n_mounts;
	bool make_devices; /* false: /dev is the host's, by a bind mount */
	bool bind_devices; /* mknod is not possible: the host's nodes are bound */
	const struct fs_device *devices;
	size_t n_devices;
	const char *const *masked, *const *readonly_paths;
	size_t n_masked, n_readonly_paths;
	enum cgroup_layout cgroup_layout;
	const struct cgroup_view *views;
	size_t n_views;
	const struct fs_machine
		*machine; /* of a minimal /proc and /sys; NULL: as the config says */
};

/* Descriptors of one build. */
struct fs {
	const struct fs_owner *owner;  /* NULL: ids are taken as they are */
	const struct fs_mount *mounts; /* the plan's, with host ids in uid= and gid= */
	const char **recorded;         /* see fs_recorded */
	size_t n_recorded;
	int root;                    /* the root's tree, attached by build */
	bool rebuild;                /* an overlay that has to be made anew from id-mapped layers */
	int devpts;                  /* the container's devpts mount, -1: none mounted by brig */
	int null;                    /* a mount of /dev/null that is one, for masks */
	int mask;                    /* an empty read-only tmpfs, for masks */
	const struct fs_text *texts; /* for a minimal /proc and /sys */
	int made;                    /* what brig made for a minimal /proc and /sys, or -1 */
	int *trees;  /* one for each mount: source before, mount after it was attached; or -1 */
	int *uppers; /* the same, of volumes that are not written: their tmpfs */
	size_t n_trees;
	int image;  /* the image itself, where the root is an overlay over it; or -1 */
	bool carry; /* something is mounted below it */
	dev_t root_dev;
	ino_t root_ino;
	bool root_on_slash; /* attached on "/" instead of the rootfs path */
};

#endif
