#include "net/slots.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"

/*
 * 1 KiB, four in a page: tmpfs copies within a page without looking for signals
 * (generic_perform_write), so none is ever half written.  Holes read as zeros: never used.
 */
enum { RECORD_SIZE = 1024, MAGIC = 0x42726c31, MAX_TRIES = 64 };
enum slot_state { SLOT_NEVER, SLOT_OWNED = 0x6f776e31, SLOT_FREED = 0x66726565 };

struct record {
	uint32_t state;
	char owner[RECORD_SIZE - sizeof(uint32_t)];
};
struct header {
	uint32_t magic, record_size, next;
	char zeros[RECORD_SIZE - 3 * sizeof(uint32_t)];
};
_Static_assert(sizeof(struct record) == RECORD_SIZE && sizeof(struct header) == RECORD_SIZE,
	       "records of one size");
_Static_assert((int)SLOTS_OWNER_MAX < (int)sizeof(((struct record *)0)->owner), "room");

void slots_close(struct slots *s)
{
	own_close(&s->fd);
}

static int damaged(const struct slots *s, const char *what, struct err *e)
{
	return err_msg(
		e, EUCLEAN,
		"%s: %s: the file is damaged (remove it when no sandbox with --net veth runs)",
		s->path, what);
}

static int write_at(const struct slots *s, off_t at, const void *data, struct err *e)
{
	ssize_t n = pwrite(s->fd, data, RECORD_SIZE, at);

	if (n == RECORD_SIZE)
		return 0;
	return err_set(e, n < 0 ? errno : ENOSPC, "write %s", s->path);
}

/* What is behind the end of the file was never used: zeros. */
static int read_at(const struct slots *s, off_t at, void *data, struct err *e)
{
	ssize_t n = pread(s->fd, data, RECORD_SIZE, at);

	if (n < 0)
		return err_set(e, errno, "read %s", s->path);
	if (n && n < RECORD_SIZE)
		return damaged(s, "cut off", e);
	if (!n)
		memset(data, 0, RECORD_SIZE);
	return 0;
}

static off_t place(uint32_t number)
{
	return ((off_t)number + 1) * RECORD_SIZE;
}

static int read_record(const struct slots *s, uint32_t number, struct record *r, struct err *e)
{
	char what[32];

	if (read_at(s, place(number), r, e) < 0)
		return -e->code;
	bool text = r->owner[0] == '/' && memchr(r->owner, '\0', sizeof(r->owner));

	if (r->state == SLOT_NEVER || r->state == SLOT_FREED || (r->state == SLOT_OWNED && text))
		return 0;
	snprintf(what, sizeof(what), "slot %u", number);
	return damaged(s, what, e);
}

static int write_header(const struct slots *s, struct err *e)
{
	struct header h = {MAGIC, RECORD_SIZE, s->next};

	return write_at(s, 0, &h, e);
}

static int read_header(struct slots *s, struct err *e)
{
	struct header h;
	struct stat st;

	if (fstat(s->fd, &st) < 0)
		return err_set(e, errno, "stat %s", s->path);
	if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
		return damaged(s, "not a file of this user", e);
	if (st.st_size == 0)
		return write_header(s, e);
	if (read_at(s, 0, &h, e) < 0)
		return -e->code;
	if (h.magic != MAGIC || h.record_size != RECORD_SIZE)
		return damaged(s, "header", e);
	s->next = h.next;
	return 0;
}

static int open_directory(const char *directory, struct err *e)
{
	struct stat st;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "make %s", directory);
	own_fd int dir = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0 || fstat(dir, &st) < 0)
		return err_set(e, errno, "open %s", directory);
	if (st.st_uid != geteuid() || st.st_mode & (S_IWGRP | S_IWOTH))
		return err_msg(e, EPERM, "%s: others may write to it (mode %o, uid %u)", directory,
			       st.st_mode & 07777, st.st_uid);
	return take_fd(&dir);
}

/* The file with its lock; a file that was removed while we waited for that is not the one. */
static int open_locked(int dir, const char *path, struct err *e)
{
	for (int tries = 0; tries < MAX_TRIES; tries++) {
		own_fd int fd = openat(dir, "slots",
				       O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NOCTTY, 0600);
		struct stat st;

		if (fd < 0)
			return err_set(e, errno, "open %s", path);
		while (flock(fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return err_set(e, errno, "lock %s", path);
		if (fstat(fd, &st) == 0 && st.st_nlink)
			return take_fd(&fd);
	}
	return err_set(e, EBUSY, "lock %s", path);
}

int slots_open(struct slots *s, const char *directory, uint32_t count, struct err *e)
{
	*s = SLOTS_NONE;
	s->count = count < SLOTS_MAX ? count : SLOTS_MAX;
	if (snprintf(s->path, sizeof(s->path), "%s/slots", directory) >= (int)sizeof(s->path))
		return err_set(e, ENAMETOOLONG, "%.64s...", directory);
	own_fd int dir = open_directory(directory, e);

	if (dir < 0)
		return dir;
	s->fd = open_locked(dir, s->path, e);
	int r = s->fd < 0 ? s->fd : read_header(s, e);

	if (r < 0)
		slots_close(s);
	return r;
}

static bool owner_lives(const struct record *r)
{
	struct stat st;

	/* Only what says that it is gone counts as gone. */
	return r->state == SLOT_OWNED &&
	       (stat(r->owner, &st) == 0 || (errno != ENOENT && errno != ENOTDIR));
}

int64_t slots_take(struct slots *s, const char *owner, slots_usable *usable, void *ctx,
		   struct err *e)
{
	struct record r;

	if (!owner || owner[0] != '/' || strlen(owner) > SLOTS_OWNER_MAX)
		return err_msg(e, EINVAL, "slot: the owner is no absolute path of at most %d bytes",
			       SLOTS_OWNER_MAX);
	for (uint32_t i = 0; i < s->count; i++) {
		uint32_t number = (uint32_t)(((uint64_t)s->next + i) % s->count);

		if (read_record(s, number, &r, e) < 0)
			return -e->code;
		if (owner_lives(&r) || (usable && !usable(number, r.state != SLOT_NEVER, ctx)))
			continue;
		/* First the place to look next: killed in between, a number is passed over. */
		s->next = number + 1;
		r = (struct record){.state = SLOT_OWNED};
		memcpy(r.owner, owner, strlen(owner));
		if (write_header(s, e) < 0 || write_at(s, place(number), &r, e) < 0)
			return -e->code;
		return number;
	}
	return -EADDRNOTAVAIL;
}

int slots_give_back(struct slots *s, uint32_t number, const char *owner, struct err *e)
{
	struct record r;

	if (number >= SLOTS_MAX)
		return 0;
	if (read_record(s, number, &r, e) < 0)
		return -e->code;
	if (r.state != SLOT_OWNED || strcmp(r.owner, owner) != 0)
		return 0;
	r = (struct record){.state = SLOT_FREED};
	return write_at(s, place(number), &r, e) < 0 ? -e->code : 1;
}

int slots_is_owner(struct slots *s, uint32_t number, const char *owner, struct err *e)
{
	struct record r;

	if (number >= SLOTS_MAX)
		return 0;
	if (read_record(s, number, &r, e) < 0)
		return -e->code;
	return r.state == SLOT_OWNED && strcmp(r.owner, owner) == 0;
}

int slots_used(struct slots *s, uint32_t *used, struct err *e)
{
	struct record r;

	*used = 0;
	for (uint32_t i = 0; i < s->count; i++) {
		if (read_record(s, i, &r, e) < 0)
			return -e->code;
		*used += owner_lives(&r);
	}
	return 0;
}
