/*
 * A file of the log begins: the first, or the next one.  It gets its first record under another
 * name, so that FILE is never without one:
 *
 *   FILE.new made, LogRotated in it   a crash leaves FILE.new, which the next begins again
 *   FILE -> FILE.SEQ                  a crash leaves no FILE: audit_begin() goes on from FILE.SEQ
 *   FILE.new -> FILE                  a crash leaves an old line in the lock file: the tail is read
 *   the lock file's line
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "audit/internal.h"
#include "audit/verify_files.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"

#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

/* --- A file under its other name --------------------------------------------------------- */

static int make_new(struct audit_log *l, struct audit_last *last, const struct audit_record *r,
		    size_t n, struct err *e)
{
	struct stat st;

	if (unlinkat(l->dir, l->new_name, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "audit log %s: remove %s", l->path, l->new_name);
	own_fd int fd = openat(l->dir, l->new_name,
			       O_RDWR | O_APPEND | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "audit log %s: make %s", l->path, l->new_name);
	last->size = 0;
	last->ino = st.st_ino;
	last->dev = st.st_dev;
	for (size_t i = 0; i < n; i++) {
		int bad = audit_put_record(l, fd, last, "", &r[i], e);

		if (bad < 0)
			return bad;
	}
	if (l->sync != AUDIT_SYNC_NONE && fdatasync(fd) < 0)
		return err_set(e, errno, "audit log %s: sync %s", l->path, l->new_name);
	return take_fd(&fd);
}

/* FILE.new becomes FILE, which is not there or is empty; fd is then the log's. */
static int show_new(struct audit_log *l, int fd, const struct audit_last *last, struct err *e)
{
	if (renameat(l->dir, l->new_name, l->dir, l->name) < 0)
		return err_set(e, errno, "audit log %s: rename %s", l->path, l->new_name);
	if (l->sync != AUDIT_SYNC_NONE)
		(void)fdatasync(l->dir); /* some file systems have no such thing for a directory */
	own_close(&l->file);
	l->file = fd;
	l->file_ino = (ino_t)last->ino;
	l->file_dev = (dev_t)last->dev;
	audit_last_write(l, last);
	return 0;
}

static int begin_with(struct audit_log *l, struct audit_last *last, const struct audit_record *r,
		      size_t n, struct err *e)
{
	own_fd int fd = make_new(l, last, r, n, e);
	int bad = fd < 0 ? fd : show_new(l, fd, last, e);

	if (bad == 0)
		(void)take_fd(&fd);
	return bad;
}

static const char *rotated_data(struct arena *a, const struct audit_last *last, const char *file)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "log", last->log);
	json_key_str(&o, "file", file);
	json_end_object(&o);
	return json_done(&o, NULL);
}

/* --- Rotation --------------------------------------------------------------------------- */

/* Never over a file that is there; not every file system knows RENAME_NOREPLACE. */
static int put_away(const struct audit_log *l, const char *as)
{
	struct stat st;

	if (renameat2(l->dir, l->name, l->dir, as, RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS)
		return -errno;
	if (fstatat(l->dir, as, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return -EEXIST;
	return renameat(l->dir, l->name, l->dir, as) < 0 ? -errno : 0;
}

int audit_rotate(struct audit_log *l, struct audit_last *last, struct err *e)
{
	own_arena struct arena arena = {0};
	const char *as = arena_printf(&arena, "%s.%llu", l->name, (unsigned long long)last->seq);
	struct audit_last next = *last;
	const struct audit_record r = {
		.event = "LogRotated",
		.data = rotated_data(&arena, last, as),
	};
	struct err ignored; /* the record that comes next may have room all the same */
	own_fd int fd = make_new(l, &next, &r, 1, &ignored);

	/* What the new file names must not be lost where the new file is not. */
	if (fd >= 0 && l->sync != AUDIT_SYNC_NONE && fdatasync(l->file) < 0)
		return err_set(e, errno, "audit log %s: sync", l->path);
	/* No room, append only (chattr +a), a name that is taken: it goes on as it is. */
	if (fd < 0 || put_away(l, as) < 0) {
		(void)unlinkat(l->dir, l->new_name, 0); /* made again by the next */
		return 0;
	}
	int bad = show_new(l, fd, &next, e);
	if (bad < 0)
		return bad;
	(void)take_fd(&fd);
	*last = next;
	return 0;
}

/* --- There is no FILE ------------------------------------------------------------------- */

static int newest(struct audit_log *l, uint64_t *seq, struct err *e)
{
	own_fd int fd = openat(l->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return err_set(e, errno, "audit log %s: read its directory", l->path);
	(void)take_fd(&fd); /* the stream's */
	for (const struct dirent *entry; (entry = readdir(d));) {
		uint64_t n = audit_rotated_number(entry->d_name, l->name);

		if (n > *seq)
			*seq = n;
	}
	return 0;
}

/* Opens the newest of the files put away; -ENOENT: there is none. */
static int open_newest(struct audit_log *l, struct arena *a, const struct audit_last *known,
		       const char **name, struct err *e)
{
	enum { FLAGS = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK };
	uint64_t seq = known ? known->seq : 0;

	/* Killed between two renames: what the lock file names is the one. */
	*name = arena_printf(a, "%s.%llu", l->name, (unsigned long long)seq);
	int fd = seq ? openat(l->dir, *name, FLAGS) : -1;
	if (fd >= 0)
		return fd;
	if (l->confined)
		return err_msg(
			e, EPERM,
			"audit log %s: it has gone, and a confined process does not begin it",
			l->path);
	seq = 0;
	int r = newest(l, &seq, e);
	if (r < 0)
		return r;
	if (!seq)
		return -ENOENT;
	*name = arena_printf(a, "%s.%llu", l->name, (unsigned long long)seq);
	fd = openat(l->dir, *name, FLAGS);
	return fd < 0 ? err_set(e, errno, "audit log %s: open %s", l->path, *name) : fd;
}

static int go_on(struct audit_log *l, struct arena *a, int old, const char *name,
		 const struct audit_last *known, struct audit_last *last, struct err *e)
{
	struct audit_record r[2] = {{.event = "LogRotated"}, {.event = "LogRepaired"}};
	struct audit_tail t;
	struct stat st;

	if (fstat(old, &st) < 0)
		return err_set(e, errno, "audit log %s: stat %s", l->path, name);
	int bad = audit_check_file(l, &st, name, false, e);
	if (bad == 0)
		bad = audit_tail_read(a, old, (uint64_t)st.st_size, name, known, &t, e);
	*last = (struct audit_last){0};
	if (bad == 0)
		bad = audit_log_id(old, name, last->log, e);
	if (bad < 0)
		return bad;
	last->seq = t.record.seq;
	memcpy(last->hash, t.hash, sizeof(last->hash));
	last->keyed = t.record.epoch || (known && known->keyed);
	r[0].data = rotated_data(a, last, name);
	r[1].data = audit_repair_data(a, NULL, known, t.record.seq);
	return begin_with(l, last, r, t.contradicts ? 2 : 1, e);
}

static void machine_hash(char out[SHA256_HEX])
{
	char id[64];
	ssize_t n = file_peek(AT_FDCWD, "/etc/machine-id", id, sizeof(id));

	out[0] = '\0';
	if (n > 0)
		sha256_hex(id, (size_t)n, out);
}

static const char *opened_data(struct arena *a, const char *id, const struct audit_key *key,
			       const struct audit_last *lost)
{
	char machine[SHA256_HEX];
	struct json_out o;

	machine_hash(machine);
	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "log", id);
	if (machine[0])
		json_key_str(&o, "machine", arena_printf(a, "sha256:%s", machine));
	json_key_str(&o, "format", "brig-audit/1");
	json_key_uint(&o, "epoch_records", AUDIT_EPOCH_RECORDS);
	json_key_uint(&o, "epoch_seconds", AUDIT_EPOCH_SECONDS);
	if (key)
		json_key_str(&o, "key", arena_printf(a, "sha256:%s", key->first));
	if (lost) {
		json_key(&o, "lost");
		json_object(&o);
		json_key_uint(&o, "seq", lost->seq);
		json_key_str(&o, "hash", lost->hash);
		json_end_object(&o);
	}
	json_end_object(&o);
	return json_done(&o, NULL);
}

static int open_new(struct audit_log *l, struct arena *a, const struct audit_last *known,
		    struct audit_last *last, struct err *e)
{
	uint8_t id[SHA256_BYTES] = {0};
	char digits[SHA256_HEX];
	struct audit_key key = {0};

	*last = (struct audit_last){0};
	if (getrandom(id, (LOG_ID - 1) / 2, 0) < 0)
		return err_set(e, errno, "audit log %s: random bytes", l->path);
	hex_of(id, digits);
	memcpy(last->log, digits, LOG_ID - 1);
	int bad = audit_key_for(l, 1, &key, e);
	if (bad < 0 && bad != -ENOKEY)
		return bad;
	last->keyed = bad == 0;
	const struct audit_record r = {
		.event = "LogOpened",
		.data = opened_data(a, last->log, last->keyed ? &key : NULL,
				    known && known->seq ? known : NULL),
	};
	audit_key_wipe(&key);
	return begin_with(l, last, &r, 1, e);
}

int audit_begin(struct audit_log *l, const struct audit_last *known, struct audit_last *last,
		struct err *e)
{
	own_arena struct arena arena = {0};
	const char *name;
	own_fd int old = open_newest(l, &arena, known, &name, e);

	if (old >= 0)
		return go_on(l, &arena, old, name, known, last, e);
	return old == -ENOENT ? open_new(l, &arena, known, last, e) : old;
}
