#include "fs/mountinfo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"

/* 36 35 98:0 /root /point rw,noatime master:1 - type source options (proc(5)) */
static bool parse(char *line, struct mountinfo_row *r)
{
	char *save = NULL, *words[5], *w = NULL;
	uint64_t id, parent;

	line[strcspn(line, "\n")] = '\0';
	for (size_t i = 0; i < LEN(words); i++) {
		words[i] = strtok_r(i ? NULL : line, " ", &save);
		if (!words[i])
			return false;
	}
	if (!str_u64(words[0], &id) || !str_u64(words[1], &parent))
		return false;
	do
		w = strtok_r(NULL, " ", &save);
	while (w && !str_eq(w, "-"));
	r->id = (unsigned int)id;
	r->parent = (unsigned int)parent;
	r->root = words[3];
	r->point = words[4];
	r->type = w ? strtok_r(NULL, " ", &save) : NULL;
	w = r->type ? strtok_r(NULL, " ", &save) : NULL;
	r->super = w ? strtok_r(NULL, " ", &save) : NULL;
	str_unescape(r->root);
	str_unescape(r->point);
	return r->type != NULL;
}

int mountinfo_each(mountinfo_row_fn *row, void *ctx, struct err *e)
{
	own_file FILE *f = fopen("/proc/self/mountinfo", "re");
	own_free char *line = NULL;
	struct mountinfo_row r;
	size_t size = 0;

	if (!f)
		return err_set(e, errno, "open /proc/self/mountinfo");
	while (getline(&line, &size, f) > 0) {
		int end = parse(line, &r) ? row(&r, ctx, e) : 0;

		if (end)
			return end < 0 ? end : 0;
	}
	return 0;
}

/* statmount(2), Linux 6.8 (options: 6.11); linux/mount.h of that time. */
struct stat_mount {
	uint32_t size, mnt_opts;
	uint64_t mask;
	uint32_t sb_dev[2];
	uint64_t sb_magic;
	uint32_t sb_flags, fs_type;
	uint64_t mnt_id, mnt_parent_id;
	uint32_t mnt_id_old, mnt_parent_id_old;
	uint64_t attr, propagation, peer_group, master, propagate_from;
	uint32_t mnt_root, mnt_point;
	uint64_t more[50];
	char text[];
};
_Static_assert(sizeof(struct stat_mount) == 512, "statmount(2): strings follow 512 bytes");

enum {
	NR_STATMOUNT = 457, /* the same number everywhere */
	STATX_UNIQUE_ID = 0x4000,
	WANT_MNT_ROOT = 0x8,
	WANT_MNT_POINT = 0x10,
	WANT_FS_TYPE = 0x20,
	WANT_OPTIONS = 0x80,
	WANT_ALL = WANT_MNT_ROOT | WANT_MNT_POINT | WANT_FS_TYPE | WANT_OPTIONS,
	/* Options of an overlay with 500 layers are about that long. */
	STATMOUNT_SIZE = 256 << 10,
};

/* False: this kernel cannot tell. */
static bool stat_mount(int fd, struct stat_mount *out)
{
	struct {
		uint32_t size, spare;
		uint64_t id, param;
	} req = {.size = 24, .param = WANT_ALL};
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_UNIQUE_ID, &stx) < 0 ||
	    !(stx.stx_mask & STATX_UNIQUE_ID))
		return false;
	req.id = stx.stx_mnt_id;
	return syscall(NR_STATMOUNT, &req, out, STATMOUNT_SIZE, 0) == 0 &&
	       (out->mask & WANT_ALL) == WANT_ALL;
}

struct search {
	unsigned int id;
	mountinfo_row_fn *row;
	void *ctx;
};

static int match(const struct mountinfo_row *r, void *ctx, struct err *e)
{
	const struct search *s = ctx;

	if (r->id != s->id)
		return 0;
	int end = s->row(r, s->ctx, e);
	return end < 0 ? end : 1;
}

int mountinfo_of(int fd, mountinfo_row_fn *row, void *ctx, struct err *e)
{
	own_free struct stat_mount *st = malloc(STATMOUNT_SIZE);
	struct search s = {.row = row, .ctx = ctx};
	int r;

	if (st && stat_mount(fd, st)) {
		const struct mountinfo_row found = {
			.root = st->text + st->mnt_root,
			.point = st->text + st->mnt_point,
			.type = st->text + st->fs_type,
			.super = st->text + st->mnt_opts,
		};

		r = row(&found, ctx, e);
		return r < 0 ? r : 0;
	}
	r = mountinfo_id(fd, &s.id, e);
	return r < 0 ? r : mountinfo_each(match, &s, e);
}

int mountinfo_id(int fd, unsigned int *id, struct err *e)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &stx) < 0)
		return err_set(e, errno, "statx");
	if (!(stx.stx_mask & STATX_MNT_ID))
		return err_msg(e, ENOSYS, "the kernel does not tell mount ids (5.8 and later do)");
	*id = (unsigned int)stx.stx_mnt_id;
	return 0;
}
