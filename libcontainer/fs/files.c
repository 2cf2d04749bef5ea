#include "fs/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sys.h"
#include "fs/owner.h"
#include "fs/tree.h"

enum { OPTIONS = 16 };

int fs_files_tree(const struct fs_mount *m, uint64_t attrs, struct err *e)
{
	struct fs_data data[OPTIONS] = {
		{"noswap", NULL}
        };
	struct err ignored;

	if (m->opt.n_data < OPTIONS) {
		memcpy(data + 1, m->opt.data, m->opt.n_data * sizeof(*data));
		int tree = tree_new(m->type, m->source, data, m->opt.n_data + 1, attrs, &ignored);

		if (tree >= 0)
			return tree;
		log_debug("%s: its pages may be swapped out: %s", m->dest, ignored.msg);
	}
	return tree_new(m->type, m->source, m->opt.data, m->opt.n_data, attrs, e);
}

static int write_file(const struct fs_file *f, int tree, uint32_t uid, uint32_t gid, struct err *e)
{
	own_fd int fd =
		openat(tree, f->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);

	if (fd < 0)
		return err_set(e, errno, "make %s", f->name);
	int r = file_write_all(fd, f->data, f->len);
	if (r < 0)
		return err_set(e, -r, "write %s", f->name);
	return fchown(fd, uid, gid) < 0 ? err_set(e, errno, "own %s", f->name) : 0;
}

static int bare_tree(uint32_t uid, uint32_t gid, struct err *e)
{
	const uint64_t attrs = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
	char owner[16], group[16];
	const struct fs_data data[] = {
		{"noswap",    NULL  },
                {"mode",      "0500"},
                {"size",      "2m"  },
		{"nr_inodes", "128" },
                {"uid",       owner },
                {"gid",       group },
	};
	struct err ignored;

	snprintf(owner, sizeof(owner), "%u", uid);
	snprintf(group, sizeof(group), "%u", gid);
	int tree = tree_new("tmpfs", "secrets", data, LEN(data), attrs, &ignored);
	return tree >= 0 ? tree : tree_new("tmpfs", "secrets", data + 1, LEN(data) - 1, attrs, e);
}

int fs_files_make(const struct fs_files *files, uint32_t uid, uint32_t gid, struct err *e)
{
	static const struct fs_attrs sealed = {.set = MOUNT_ATTR_RDONLY};
	own_fd int tree = bare_tree(uid, gid, e);
	int r = tree < 0 ? tree : 0;

	for (size_t i = 0; i < files->n && r == 0; i++)
		r = write_file(&files->list[i], tree, uid, gid, e);
	if (r == 0)
		r = tree_set(tree, &sealed, 0, -1, false, e);
	return r < 0 ? r : take_fd(&tree);
}

int fs_files_write(const struct fs *fs, const struct fs_files *files, int tree, struct err *e)
{
	uint32_t uid, gid;
	int r = 0;

	if (!fs_owner_uid(fs->owner, files->uid, &uid) ||
	    !fs_owner_gid(fs->owner, files->gid, &gid))
		return err_msg(e, EINVAL, "uid %u or gid %u is not mapped", files->uid, files->gid);
	for (size_t i = 0; i < files->n && r == 0; i++)
		r = write_file(&files->list[i], tree, uid, gid, e);
	return r;
}
