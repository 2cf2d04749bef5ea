#include "fs/disk.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "fs/plan.h"

const char *const *fs_plan_disks(struct arena *a, const struct fs_plan *p, size_t *n)
{
	const char **list = arena_array(a, p->n_mounts + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < p->n_mounts; i++) {
		const struct fs_mount *m = &p->mounts[i];

		if (m->kind == FS_MOUNT_NEW && str_eq(m->type, "tmpfs") &&
		    !(m->opt.attrs.set & MOUNT_ATTR_RDONLY))
			list[(*n)++] = m->dest;
	}
	return list;
}

bool fs_disk_usage(int root, const char *path, struct fs_disk *out)
{
	own_fd int fd = inroot_open(root, path, O_PATH, INROOT_NO_SYMLINKS, NULL);

	return fd >= 0 && fs_disk_of(fd, out);
}

bool fs_disk_of(int fd, struct fs_disk *out)
{
	struct statfs st;

	if (fstatfs(fd, &st) < 0 || st.f_type != TMPFS_MAGIC)
		return false;
	uint64_t block = (uint64_t)st.f_bsize;
	*out = (struct fs_disk){
		.bytes = (st.f_blocks - st.f_bfree) * block,
		.size = st.f_blocks * block,
		.inodes = st.f_files - st.f_ffree,
		.inodes_max = st.f_files,
	};
	return true;
}
