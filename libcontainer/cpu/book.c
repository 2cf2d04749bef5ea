#include "cpu/book.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"

enum { MAX_FILE = PATH_MAX + 16384, MAX_SAME_HASH = 16 };

static const char exclusive_word[] = "exclusive";

/* --- one file ------------------------------------------------------------------------------ */

/* The line at *at ends there and *at is behind it; NULL: there is none. */
static char *cut_line(char **at, const char *end)
{
	char *line = *at, *stop = memchr(line, '\n', (size_t)(end - line));

	if (!stop)
		return NULL;
	*stop = '\0';
	*at = stop + 1;
	return line;
}

bool book_parse(char *text, size_t len, struct book_entry *out)
{
	char *at = text, *end = text + len;

	if (!len || text[0] != '/' || text[len - 1] != '\n' || memchr(text, '\0', len))
		return false;
	const char *user = cut_line(&at, end), *cpus = cut_line(&at, end);
	const char *kind = at < end ? cut_line(&at, end) : NULL;
	if (!user || !cpus || at != end || strlen(user) >= PATH_MAX)
		return false;
	if (kind && !str_eq(kind, exclusive_word))
		return false;
	*out = (struct book_entry){.user = user, .exclusive = kind};
	return str_cpulist(cpus, out->cpus.bits, CPU_BITS) && cpu_count(&out->cpus) > 0;
}

char *book_print(struct arena *a, const struct book_entry *entry)
{
	return arena_printf(a, "%s\n%s\n%s%s", entry->user, cpu_list(a, &entry->cpus),
			    entry->exclusive ? exclusive_word : "", entry->exclusive ? "\n" : "");
}

/* FNV-1a: names only have to be short and without slashes, equal ones are told apart by n. */
static void file_name(char name[NAME_MAX + 1], const char *user, unsigned int n)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (const char *s = user; *s; s++)
		hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	snprintf(name, NAME_MAX + 1, "%016" PRIx64 "-%u", hash, n);
}

/* 1: read, 0: not there (any more), -errno: it is there and says nothing. */
static int read_entry(struct arena *a, int dir, const char *name, struct book_entry *out)
{
	struct err e;
	char *text;
	size_t len;
	int r = file_read(a, dir, name, MAX_FILE, &text, &len, &e);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && !book_parse(text, len, out))
		r = err_msg(&e, EINVAL, "%s: not a reservation", name);
	if (r < 0)
		log_warn("CPU reservations: %s: ignored", e.msg);
	return r < 0 ? r : 1;
}

/* --- the directory ------------------------------------------------------------------------- */

/* Nobody else may have a say in it: it tells whose CPUs are free. */
int book_open(struct book *b, const char *directory, bool make, struct err *e)
{
	struct stat st;
	int r = make ? file_mkdirs(directory, 0700, e) : 0;

	*b = BOOK_CLOSED;
	if (r < 0)
		return r;
	own_fd int fd = open(directory, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", directory);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_msg(e, EPERM, "%s: belongs to or may be written by others", directory);
	b->dir = take_fd(&fd);
	return 0;
}

static bool is_gone(const char *user)
{
	return access(user, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void add_page(struct arena *a, struct book *b, size_t *room, const char *name,
		     const struct book_entry *entry)
{
	if (b->n == *room) {
		*room = *room ? *room * 2 : 16;
		struct book_page *more = arena_array(a, *room, sizeof(*more));

		if (b->n)
			memcpy(more, b->pages, b->n * sizeof(*more));
		b->pages = more;
	}
	b->pages[b->n++] = (struct book_page){arena_strdup(a, name), *entry};
}

static int read_all(struct arena *a, struct book *b, bool tidy, struct err *e)
{
	own_fd int fd = openat(b->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct book_entry entry;
	struct dirent *de;
	size_t room = 0;

	b->n = 0;
	if (!d)
		return err_set(e, errno, "read directory");
	(void)take_fd(&fd); /* the stream's now */
	for (errno = 0; (de = readdir(d)); errno = 0) {
		if (de->d_name[0] == '.' || str_eq(de->d_name, "lock"))
			continue;
		/* Half a file, of who was killed: we have the lock. */
		if (str_ends(de->d_name, ".tmp")) {
			if (tidy)
				(void)unlinkat(b->dir, de->d_name, 0);
			continue;
		}
		if (read_entry(a, b->dir, de->d_name, &entry) <= 0)
			continue;
		if (!is_gone(entry.user))
			add_page(a, b, &room, de->d_name, &entry);
		else if (tidy && unlinkat(b->dir, de->d_name, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, "remove %s", de->d_name);
	}
	return errno ? err_set(e, errno, "read directory") : 0;
}

int book_lock_only(struct book *b, struct err *e)
{
	own_fd int fd = openat(b->dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return err_set(e, errno, "open lock");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0)
		return err_set(e, errno, "lock");
	b->lock = take_fd(&fd);
	return 0;
}

int book_lock(struct arena *a, struct book *b, struct err *e)
{
	int r = book_lock_only(b, e);

	return r < 0 ? r : read_all(a, b, true, e);
}

int book_read(struct arena *a, struct book *b, struct err *e)
{
	return read_all(a, b, false, e);
}

void book_unlock(struct book *b)
{
	own_close(&b->lock);
	b->lock = -1;
}

void book_close(struct book *b)
{
	book_unlock(b);
	own_close(&b->dir);
	b->dir = -1;
}

/* --- changes ------------------------------------------------------------------------------- */

int book_remove(struct book *b, size_t i, struct err *e)
{
	if (unlinkat(b->dir, b->pages[i].name, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "remove %s", b->pages[i].name);
	b->pages[i] = b->pages[--b->n];
	return 0;
}

/*
 * The new file first: killed in between, the sandbox holds both, and its state directory, if
 * that is all that is left of it, lets go of both.
 */
int book_save(struct arena *a, struct book *b, const struct book_entry *entry, struct err *e)
{
	const char *text = book_print(a, entry);
	char name[NAME_MAX + 1];
	bool written = false;
	struct stat st;

	for (unsigned int n = 0; n < MAX_SAME_HASH && !written; n++) {
		file_name(name, entry->user, n);
		if (fstatat(b->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
			continue;
		if (file_replace(b->dir, name, text, strlen(text), 0600, e) < 0)
			return -e->code;
		written = true;
	}
	if (!written)
		return err_msg(e, EEXIST, "%s: no free name left", name);
	for (size_t i = b->n; i-- > 0;)
		if (str_eq(b->pages[i].entry.user, entry->user) && book_remove(b, i, e) < 0)
			return -e->code;
	return 0;
}

int book_forget(struct book *b, const char *user, struct err *e)
{
	char name[NAME_MAX + 1];
	struct book_entry entry;

	for (unsigned int n = 0; n < MAX_SAME_HASH; n++) {
		own_arena struct arena scratch = {0};

		file_name(name, user, n);
		if (read_entry(&scratch, b->dir, name, &entry) <= 0 || !str_eq(entry.user, user))
			continue;
		if (unlinkat(b->dir, name, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, "remove %s", name);
	}
	return 0;
}
