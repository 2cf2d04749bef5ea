/*
 * The log as its writers see it.  An append:
 *
 *   the lock; the lock file's line agrees with size and inode of FILE, or the tail is read and what
 *   is wrong with it written down; the record in one write; the line; the lock is left; a record of
 *   security is written through to the disk (after the lock: others need not wait for the disk)
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

#ifndef BRIG_VERSION
#define BRIG_VERSION "0.1.0"
#endif

/* --- Opening ---------------------------------------------------------------------------- */

/*
 * Who writes: not a pid alone, which comes again.  /proc/self is the pid as the host's procfs has
 * it, also for a warden that is pid 1 of its own namespace.
 */
static void name_writer(struct audit_log *l)
{
	char self[16] = "";
	struct timespec ts;

	if (readlinkat(AT_FDCWD, "/proc/self", self, sizeof(self) - 1) <= 0)
		snprintf(self, sizeof(self), "%d", (int)getpid());
	(void)clock_gettime(CLOCK_BOOTTIME, &ts); /* since Linux 2.6.39 */
	snprintf(l->writer, sizeof(l->writer), "brig/%s pid=%s start=%lld", BRIG_VERSION, self,
		 (long long)ts.tv_sec * 1000 + ts.tv_nsec / 1000000);
	l->pid = getpid();
}

static int open_directory(struct audit_log *l, const char *dir, struct err *e)
{
	enum { FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC };
	struct stat st;

	l->dir = open(dir, FLAGS);
	if (l->dir < 0 && errno == ENOENT) {
		int r = file_mkdirs(dir, 0700, e);

		if (r < 0)
			return err_wrap(e, "audit log %s", l->path);
		l->dir = open(dir, FLAGS);
	}
	if (l->dir < 0 || fstat(l->dir, &st) < 0)
		return err_set(e, errno, "audit log %s: open its directory", l->path);
	if (st.st_uid != l->uid && st.st_uid != 0)
		return err_msg(e, EPERM, "audit log %s: its directory belongs to another user",
			       l->path);
	if (st.st_mode & 022)
		return err_msg(e, EPERM, "audit log %s: its directory can be written by others",
			       l->path);
	return 0;
}

/* The log's file as it is now.  1: there is none, or an empty one. */
static int open_file(struct audit_log *l, struct stat *st, struct err *e)
{
	enum { TRIES = 8 }; /* somebody without the lock replaces it again and again */

	for (int i = 0; i < TRIES; i++) {
		if (fstatat(l->dir, l->name, st, AT_SYMLINK_NOFOLLOW) < 0)
			return errno == ENOENT ? 1 : err_set(e, errno, "audit log %s", l->path);
		int r = audit_check_file(l, st, l->name, false, e);
		if (r < 0)
			return r;
		if (!st->st_size)
			return 1;
		if (l->file >= 0 && st->st_ino == l->file_ino && st->st_dev == l->file_dev)
			return 0;
		own_close(&l->file);
		l->file = openat(l->dir, l->name,
				 O_RDWR | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
		if (l->file < 0 && errno == ENOENT)
			continue;
		if (l->file < 0 || fstat(l->file, st) < 0)
			return err_set(e, errno, "audit log %s: open", l->path);
		l->file_ino = st->st_ino;
		l->file_dev = st->st_dev;
	}
	return err_msg(e, EAGAIN, "audit log %s: it is replaced all the time", l->path);
}

/* With the lock: FILE is open and *last is what it ends with. */
static int ready(struct audit_log *l, struct audit_last *last, struct err *e)
{
	struct audit_last known;
	bool knows = audit_last_read(l, &known);
	struct stat st;
	int r = open_file(l, &st, e);

	if (r < 0)
		return r;
	if (r > 0)
		return audit_begin(l, knows ? &known : NULL, last, e);
	if (!knows || known.size != (uint64_t)st.st_size || known.ino != st.st_ino ||
	    known.dev != st.st_dev)
		return audit_repair(l, &st, knows ? &known : NULL, last, e);
	*last = known;
	return 0;
}

static int name_files(struct arena *a, struct audit_log *l, const char *path, struct err *e)
{
	const char *slash = strrchr(path, '/');

	if (path[0] != '/' || !slash[1] || strlen(slash + 1) > AUDIT_NAME)
		return err_msg(e, EINVAL, "audit log %s: not an absolute path of a file", path);
	l->path = arena_strdup(a, path);
	l->name = l->path + (slash - path) + 1;
	l->lock_name = arena_printf(a, "%s.lock", l->name);
	l->key_name = arena_printf(a, "%s.key", l->name);
	l->new_name = arena_printf(a, "%s.new", l->name);
	return open_directory(l, slash == path ? "/" : arena_strndup(a, path, slash - path), e);
}

/* Without the lock where there is something in it: who appends looks again. */
static int make_first(struct audit_log *l, struct err *e)
{
	struct audit_last last;
	struct stat st;
	int r = open_file(l, &st, e);

	if (r <= 0)
		return r;
	r = audit_lock(l, e);
	if (r < 0)
		return r;
	r = ready(l, &last, e);
	audit_unlock(l);
	return r;
}

int audit_open(struct arena *a, const struct audit_config *c, struct audit_log **out, struct err *e)
{
	struct audit_log *l = arena_new(a, sizeof(*l));

	*l = (struct audit_log){
		.max_bytes = c->max_bytes,
		.wait_ms = c->wait_ms,
		.sync = c->sync,
		.dir = -1,
		.lock = -1,
		.file = -1,
		.uid = geteuid(),
	};
	/* A line without it is a line still: /proc may be another one's. */
	if (file_peek(AT_FDCWD, "/proc/sys/kernel/random/boot_id", l->boot, sizeof(l->boot)) < 0)
		l->boot[0] = '\0';
	name_writer(l);
	int r = name_files(a, l, c->path, e);
	if (r == 0)
		r = audit_lock_open(l, e);
	if (r == 0)
		r = make_first(l, e);
	if (r < 0) {
		audit_close(l);
		return r;
	}
	*out = l;
	return 0;
}

void audit_close(struct audit_log *l)
{
	if (!l)
		return;
	own_close(&l->file);
	own_close(&l->lock);
	own_close(&l->dir);
}

/* The lock is opened anew by who appends first: the one open is shared with the parent. */
int audit_confine(struct audit_log *l)
{
	own_close(&l->file);
	own_close(&l->lock);
	name_writer(l);
	l->confined = true;
	return l->dir;
}

/* --- Appending -------------------------------------------------------------------------- */

static int check_record(const struct audit_record *r, const struct audit_event **event,
			struct err *e)
{
	const char *const *word = audit_severities;

	*event = audit_event_find(r->event);
	if (!*event || str_starts(r->event, "Log"))
		return err_msg(e, EINVAL, "audit log: %s is no event to be written",
			       r->event ? r->event : "nothing");
	while (r->severity && *word && !str_eq(*word, r->severity))
		word++;
	if (r->severity && !*word)
		return err_msg(e, EINVAL, "audit log: %s is no severity", r->severity);
	return 0;
}

/* flock is the file description's, and that is shared after a fork. */
static int own_lock(struct audit_log *l, struct err *e)
{
	if (!l->confined && l->pid != getpid()) {
		own_close(&l->lock);
		name_writer(l);
	}
	return audit_lock(l, e);
}

static int append(struct audit_log *l, const struct audit_record *r, struct audit_position *at,
		  struct err *e)
{
	struct audit_last last;
	int bad = ready(l, &last, e);

	if (bad == 0 && l->max_bytes && last.size > l->max_bytes && !l->confined)
		bad = audit_rotate(l, &last, e);
	if (bad == 0)
		bad = audit_put_record(l, l->file, &last, "", r, e);
	if (bad < 0)
		return bad;
	audit_last_write(l, &last);
	if (at) {
		at->seq = last.seq;
		memcpy(at->hash, last.hash, sizeof(at->hash));
	}
	return 0;
}

int audit_append(struct audit_log *l, const struct audit_record *r, struct audit_position *at,
		 struct err *e)
{
	const struct audit_event *event;
	int bad = check_record(r, &event, e);

	if (bad == 0)
		bad = own_lock(l, e);
	if (bad < 0)
		return bad;
	bad = append(l, r, at, e);
	audit_unlock(l);
	if (bad < 0)
		return bad;
	if ((l->sync == AUDIT_SYNC_ALL || (l->sync == AUDIT_SYNC_SECURITY && event->security)) &&
	    fdatasync(l->file) < 0)
		return err_set(e, errno, "audit log %s: sync", l->path);
	return 0;
}

/* --- A key ------------------------------------------------------------------------------ */

static int make_key(struct audit_log *l, char hex[SHA256_HEX], struct err *e)
{
	struct audit_key key = {0};
	struct audit_last last;
	char data[128];
	int r = ready(l, &last, e);

	if (r < 0)
		return r;
	if (last.keyed)
		return err_msg(e, EEXIST, "audit log %s: it has a key", l->path);
	r = audit_key_create(l, last.seq + 1, &key, e);
	if (r < 0)
		return r;
	hex_of(key.k, hex);
	snprintf(data, sizeof(data), "{\"key\":\"sha256:%s\"}", key.first);
	audit_key_wipe(&key);
	const struct audit_record keyed = {.event = "LogKeyed", .data = data};
	last.keyed = true;
	r = audit_put_record(l, l->file, &last, "", &keyed, e);
	if (r < 0)
		return r;
	audit_last_write(l, &last);
	if (l->sync != AUDIT_SYNC_NONE && fdatasync(l->file) < 0)
		return err_set(e, errno, "audit log %s: sync", l->path);
	return 0;
}

int audit_key_make(struct audit_log *l, char hex[65], struct err *e)
{
	int r = own_lock(l, e);

	if (r < 0)
		return r;
	r = make_key(l, hex, e);
	audit_unlock(l);
	if (r < 0)
		explicit_bzero(hex, SHA256_HEX);
	return r;
}
