/*
 * A tar archive of what may be collected, in GNU's format: names of any length and bytes (a record
 * of type 'L' before the file), sizes above 8 GiB as binary numbers.  Owner and group are 0.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "fs/collect.h"
#include "fs/walk.h"

enum { BLOCK = 512, NAME = 100, BUFFER = 128 << 10 };

struct tar_header {
	char name[NAME];
	char mode[8], uid[8], gid[8];
	char size[12], mtime[12];
	char sum[8];
	char type;
	char link[NAME];
	char magic[8];
	char user[32], group[32];
	char major[8], minor[8];
	char prefix[155];
	char pad[12];
};
_Static_assert(sizeof(struct tar_header) == BLOCK, "a block");

struct archive {
	struct fs_collect *counts;
	int out;
	const char *top;
	char *buffer;
};

static int put(const struct archive *t, const void *data, size_t len, struct err *e)
{
	int r = file_write_all(t->out, data, len);

	return r < 0 ? err_set(e, -r, "write the archive") : 0;
}

static int pad(const struct archive *t, uint64_t size, struct err *e)
{
	static const char zeros[BLOCK];
	size_t over = (size_t)(size % BLOCK);

	return over ? put(t, zeros, BLOCK - over, e) : 0;
}

/* Digits where they fit, else a number in base 256 with the highest bit set. */
static void number(char *field, size_t width, uint64_t n)
{
	if (n < UINT64_C(1) << (3 * (width - 1))) {
		for (size_t i = width - 1; i-- > 0; n >>= 3)
			field[i] = (char)('0' + (n & 7));
		return;
	}
	for (size_t i = width; i-- > 0; n >>= 8)
		field[i] = (char)(n & 0xff);
	field[0] = (char)0x80;
}

static void finish(struct tar_header *h)
{
	const unsigned char *p = (const unsigned char *)h;
	unsigned int sum = 0;

	memset(h->sum, ' ', sizeof(h->sum));
	for (size_t i = 0; i < sizeof(*h); i++)
		sum += p[i];
	snprintf(h->sum, sizeof(h->sum), "%06o", sum);
	h->sum[7] = ' ';
}

static int header(const struct archive *t, const char *name, size_t len, char type, mode_t mode,
		  uint64_t size, int64_t mtime, struct err *e)
{
	struct tar_header h = {.type = type};

	memcpy(h.name, name, len < NAME ? len : NAME);
	memcpy(h.magic, "ustar  ", sizeof(h.magic));
	number(h.mode, sizeof(h.mode), mode);
	number(h.uid, sizeof(h.uid), 0);
	number(h.gid, sizeof(h.gid), 0);
	number(h.size, sizeof(h.size), size);
	number(h.mtime, sizeof(h.mtime), mtime < 0 ? 0 : (uint64_t)mtime);
	finish(&h);
	return put(t, &h, sizeof(h), e);
}

static int entry(const struct archive *t, const char *name, const struct statx *st, struct err *e)
{
	bool dir = S_ISDIR(st->stx_mode);
	size_t len = strlen(name);

	if (len > NAME) {
		if (header(t, "././@LongLink", 13, 'L', 0644, len + 1, 0, e) < 0 ||
		    put(t, name, len + 1, e) < 0 || pad(t, len + 1, e) < 0)
			return -e->code;
	}
	return header(t, name, len, dir ? '5' : '0', st->stx_mode & 0777, dir ? 0 : st->stx_size,
		      st->stx_mtime.tv_sec, e);
}

static int content(const struct archive *t, int in, const struct statx *st, struct err *e)
{
	for (uint64_t left = st->stx_size; left > 0;) {
		ssize_t n = read(in, t->buffer, left < BUFFER ? left : BUFFER);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read");
		if (n == 0)
			return err_msg(e, ESTALE, "a file changed while it was copied");
		if (put(t, t->buffer, (size_t)n, e) < 0)
			return -e->code;
		left -= (uint64_t)n;
	}
	return pad(t, st->stx_size, e);
}

static int tar_entry(void *ctx, const struct walk_entry *w, struct err *e)
{
	struct archive *t = ctx;
	own_arena struct arena a = {0};
	bool dir = S_ISDIR(w->st->stx_mode);

	if (fs_collect_count(t->counts, w, e) < 0)
		return -e->code;
	if (w->is_mount)
		return WALK_SKIP;
	if (!dir && !S_ISREG(w->st->stx_mode))
		return 0;
	const char *name =
		arena_printf(&a, "%s%s%s%s", t->top, w->len ? "/" : "", w->path, dir ? "/" : "");
	if (dir)
		return entry(t, name, w->st, e);
	own_fd int in = fs_walk_open(w, e);
	if (in < 0 || entry(t, name, w->st, e) < 0)
		return -e->code;
	return content(t, in, w->st, e);
}

int fs_collect_tar(int source, const char *name, int out, struct fs_collect *c, struct err *e)
{
	static const char zeros[2 * BLOCK];
	own_arena struct arena a = {0};
	struct archive t = {.counts = c, .out = out, .top = name};
	struct walk w = {.ctx = &t, .entry = tar_entry, .most = UINT64_MAX};
	struct statx st;

	t.buffer = arena_new(&a, BUFFER);
	if (statx(source, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) < 0)
		return err_set(e, errno, "stat");
	const struct walk_entry one = {.dir = source, .name = "", .path = "", .st = &st};
	int r = S_ISDIR(st.stx_mode) ? fs_walk(source, &w, e) : tar_entry(&t, &one, e);
	return r < 0 ? r : put(&t, zeros, sizeof(zeros), e);
}
