#include "audit/verify_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/own.h"
#include "base/str.h"

/* --- which there are ------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

uint64_t audit_rotated_number(const char *name, const char *base)
{
	size_t n = strlen(base);
	uint64_t number;

	if (strncmp(name, base, n) != 0 || name[n] != '.' || name[n + 1] == '0')
		return 0;
	return str_u64(name + n + 1, &number) ? number : 0;
}

static int list_rotated(struct arena *a, struct audit_files *f, struct err *e)
{
	size_t room = 0;
	own_fd int fd = openat(f->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);

	if (!d)
		return err_set(e, errno, "look into the directory of %s", f->base);
	(void)take_fd(&fd); /* the stream's */
	for (const struct dirent *de; (de = readdir(d));) {
		uint64_t n = audit_rotated_number(de->d_name, f->base);

		if (!n)
			continue;
		if (f->n_rotated == room) {
			uint64_t *bigger;

			room = room ? room * 2 : 64;
			bigger = arena_array(a, room, sizeof(*bigger));
			if (f->n_rotated)
				memcpy(bigger, f->rotated, f->n_rotated * sizeof(*bigger));
			f->rotated = bigger;
		}
		f->rotated[f->n_rotated++] = n;
	}
	if (f->n_rotated)
		qsort(f->rotated, f->n_rotated, sizeof(*f->rotated), by_number);
	return 0;
}

/* Not blocking, as a FIFO of that name would. */
static int open_regular(int dir, const char *name, uint64_t *size, struct err *e)
{
	struct stat st;
	own_fd int fd = openat(dir, name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return err_set(e, errno, "open %s", name);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "look at %s", name);
	if (!S_ISREG(st.st_mode))
		return err_msg(e, EINVAL, "%s: not a regular file", name);
	*size = (uint64_t)st.st_size;
	return take_fd(&fd);
}

/* --- the lock file -------------------------------------------------------------------------- */

/* It is only asked for two seconds: a look must not wait for a writer that hangs. */
static void lock_shared(int fd)
{
	const struct timespec pause = {.tv_nsec = 10 * 1000 * 1000};

	for (int i = 0; i < 200 && flock(fd, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK; i++)
		(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
}

/* hold.c writes it; anything else says nothing. */
static void read_lock(int fd, struct audit_files *f)
{
	enum { LINE = 288 };
	char line[LINE + 1] = "", log[33], hash[65];
	unsigned long long seq;
	int end = 0;

	if (pread(fd, line, LINE, 0) != LINE || line[LINE - 1] != '\n' ||
	    sscanf(line, "brig-audit-lock/1 log=%32[0-9a-f] seq=%20llu hash=%64[0-9a-f] %n", log,
		   &seq, hash, &end) != 3 ||
	    !end || strlen(log) != sizeof(log) - 1 || strlen(hash) != sizeof(hash) - 1)
		return;
	f->lock_seq = seq;
	memcpy(f->lock_hash, hash, sizeof(hash));
	memcpy(f->lock_log, log, sizeof(log));
}

/* In this order the lock file knows of no record that is not seen, with the lock or without. */
static int open_all(struct arena *a, struct audit_files *f, struct err *e)
{
	own_fd int lock = openat(f->dir, arena_printf(a, "%s.lock", f->base),
				 O_RDONLY | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);

	/* With it no rotation comes between the list and the newest file. */
	if (lock >= 0)
		lock_shared(lock);
	int r = list_rotated(a, f, e);
	if (r < 0)
		return r;
	if (lock >= 0)
		read_lock(lock, f);
	f->newest = open_regular(f->dir, f->base, &f->size, e);
	return f->newest < 0 && (e->code != ENOENT || (!f->n_rotated && !f->lock_seq)) ? f->newest
										       : 0;
}

int audit_files_open(struct arena *a, const char *path, struct audit_files *out, struct err *e)
{
	const char *slash = strrchr(path, '/');
	const char *parent = !slash ? "." : slash == path ? "/" : NULL;

	*out = (struct audit_files){.dir = -1, .newest = -1};
	out->base = arena_strdup(a, slash ? slash + 1 : path);
	if (!parent)
		parent = arena_strndup(a, path, (size_t)(slash - path));
	out->dir = open(parent, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->dir < 0)
		return err_set(e, errno, "open %s", parent);
	int r = open_all(a, out, e);
	if (r < 0)
		audit_files_close(out);
	return r;
}

void audit_files_close(struct audit_files *f)
{
	own_close(&f->dir);
	own_close(&f->newest);
}

const char *audit_files_name(struct arena *a, const struct audit_files *f, size_t i)
{
	return i < f->n_rotated
		       ? arena_printf(a, "%s.%llu", f->base, (unsigned long long)f->rotated[i])
		       : f->base;
}

int audit_files_get(const struct audit_files *f, size_t i, uint64_t *size, struct err *e)
{
	own_arena struct arena scratch = {0};

	if (i < f->n_rotated)
		return open_regular(f->dir, audit_files_name(&scratch, f, i), size, e);
	*size = f->size;
	int fd = fcntl(f->newest, F_DUPFD_CLOEXEC, 0);
	return fd < 0 ? err_set(e, errno, "open %s", f->base) : fd;
}

/* --- lines ---------------------------------------------------------------------------------- */

void audit_lines_begin(struct arena *a, struct audit_lines *l, int fd, uint64_t size)
{
	*l = (struct audit_lines){.fd = fd, .left = size, .buffer = l->buffer};
	if (!l->buffer)
		l->buffer = arena_new(a, AUDIT_LINE_ROOM + 1);
}

/* Moves what is left to the front and fills up; 0: nothing more comes. */
static int fill(struct audit_lines *l, struct err *e)
{
	ssize_t n;

	memmove(l->buffer, l->buffer + l->at, l->have - l->at);
	l->have -= l->at;
	l->at = 0;
	size_t room = AUDIT_LINE_ROOM - l->have;
	if (room > l->left)
		room = (size_t)l->left;
	if (!room)
		return 0;
	do
		n = read(l->fd, l->buffer + l->have, room);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "read");
	l->have += (size_t)n;
	l->left = n ? l->left - (uint64_t)n : 0;
	return n > 0;
}

/* Throws away up to the end of a line that has no room. */
static int skip(struct audit_lines *l, struct audit_line *out, struct err *e)
{
	for (;;) {
		char *end = memchr(l->buffer + l->at, '\n', l->have - l->at);

		if (end) {
			out->size += (uint64_t)(end - l->buffer) + 1 - l->at;
			l->at = (size_t)(end - l->buffer) + 1;
			out->ended = true;
			return 0;
		}
		out->size += l->have - l->at;
		l->at = l->have;
		int r = fill(l, e);
		if (r <= 0)
			return r;
	}
}

int audit_lines_next(struct audit_lines *l, struct audit_line *out, struct err *e)
{
	char *end;
	int more = 1;

	while (!(end = memchr(l->buffer + l->at, '\n', l->have - l->at)) && more > 0 &&
	       l->have - l->at < AUDIT_LINE_ROOM)
		more = fill(l, e);
	if (more < 0)
		return more;
	size_t len = (end ? (size_t)(end - l->buffer) : l->have) - l->at;
	if (!end && !len)
		return 0;
	*out = (struct audit_line){
		.text = l->buffer + l->at,
		.len = len,
		.number = ++l->count,
		.size = len + (end != NULL),
		.ended = end,
	};
	l->buffer[l->at + len] = '\0';
	l->at += len + (end != NULL);
	if (end || len < AUDIT_LINE_ROOM)
		return 1;
	out->cut = true;
	out->text = ""; /* what is read from here on goes over it */
	out->len = 0;
	l->at = l->have;
	int r = skip(l, out, e);
	return r < 0 ? r : 1;
}
