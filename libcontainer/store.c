#include "store.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

enum { LOCK_WAIT_MS = 10000, MAX_TRIES = 10 };

int store_check_id(const char *id, struct err *e)
{
	size_t n = id ? strlen(id) : 0;
	bool ok = n > 0 && n <= NAME_MAX && !str_eq(id, ".") && !str_eq(id, "..") &&
		  !str_eq(id, STORE_POOLS);

	if (n == 0)
		return err_msg(e, EINVAL, "container id cannot be empty");
	for (const char *p = id; ok && *p; p++)
		ok = isalnum((unsigned char)*p) || strchr("_+-.", *p);
	if (!ok)
		return err_msg(e, EINVAL, "invalid container ID format: %.80s", id);
	return 0;
}

int store_root(const struct container_host *h, bool make, struct err *e)
{
	int fd = open(h->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT && make) {
		int r = file_mkdirs(h->root, 0700, e);

		if (r < 0)
			return r;
		fd = open(h->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0)
		return err_set(e, errno, "state root %s", h->root);
	return fd;
}

static int gone(const char *id, struct err *e)
{
	return err_msg(e, ENOENT, "container does not exist: %s", id);
}

int store_lock(int dir, const char *id, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct stat st;

	for (int ms = 0; flock(dir, LOCK_EX | LOCK_NB) < 0; ms += 2) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, errno, "lock container %s", id);
		if (ms >= LOCK_WAIT_MS)
			return err_msg(e, EBUSY,
				       "container %s is busy: another command works on it", id);
		nanosleep(&pause, NULL);
	}
	if (fstat(dir, &st) < 0 || st.st_nlink == 0)
		return gone(id, e);
	return 0;
}

int store_create(const struct container_host *h, const char *id, struct err *e)
{
	own_fd int root = store_root(h, true, e);
	own_fd int dir = -1;

	if (root < 0)
		return root;
	if (mkdirat(root, id, 0700) < 0) {
		if (errno == EEXIST)
			return err_msg(e, EEXIST, "container with given ID already exists: %s", id);
		return err_set(e, errno, "state directory %s/%s", h->root, id);
	}
	dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0) {
		int r = err_set(e, errno, "state directory %s/%s", h->root, id);

		(void)unlinkat(root, id, AT_REMOVEDIR); /* empty: nothing else is removed */
		return r;
	}
	/* A delete that took the empty directory for a half-made one, or a look at the lock. */
	int r = store_lock(dir, id, e);
	return r < 0 ? r : take_fd(&dir);
}

int store_open(const struct container_host *h, const char *id, enum store_locking lock,
	       struct err *e)
{
	int r = store_check_id(id, e);

	if (r < 0)
		return r;
	own_fd int root = open(h->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0 && errno == ENOENT)
		return gone(id, e);
	if (root < 0)
		return err_set(e, errno, "state root %s", h->root);
	own_fd int dir = openat(root, id, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (dir < 0 && (errno == ENOENT || errno == ENOTDIR))
		return gone(id, e);
	if (dir < 0)
		return err_set(e, errno, "state directory %s/%s", h->root, id);
	if (lock == STORE_LOCKED) {
		r = store_lock(dir, id, e);
		if (r < 0)
			return r;
	}
	return take_fd(&dir);
}

void store_unlock(int dir)
{
	(void)flock(dir, LOCK_UN); /* cannot fail on a descriptor that was locked */
}

bool store_is_locked(int dir)
{
	/* The lock belongs to the open file description: a second one asks like a stranger. */
	own_fd int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return again >= 0 && flock(again, LOCK_SH | LOCK_NB) < 0 && errno == EWOULDBLOCK;
}

/* In place: what a crash leaves half written is not needed, state.json is whole then. */
static void save_copy(int dir, const char *text, size_t len)
{
	own_fd int fd = openat(dir, STORE_COPY, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd >= 0 && (file_write_all(fd, text, len) < 0 || ftruncate(fd, (off_t)len) < 0))
		(void)unlinkat(dir, STORE_COPY, 0); /* an older one would be worse than none */
}

int store_save(int dir, const struct brig_state *s, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text = state_print(&a, s, &len);

	if (file_replace(dir, STORE_STATE, text, len, 0600, e) < 0)
		return err_wrap(e, "state of %s", s->id);
	/* Once there is a process to find; a step more or less of the way there is not worth it. */
	if (s->pid > 0 && !(s->reuse && s->reuse->journal))
		save_copy(dir, text, len);
	return 0;
}

int store_claim(int dir, struct err *e)
{
	own_fd int fd =
		openat(dir, STORE_CLAIMED, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

	return fd < 0 ? err_set(e, errno, "create %s", STORE_CLAIMED) : 0;
}

int store_load(int dir, struct arena *a, struct brig_state *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, STORE_STATE, STATE_MAX_BYTES, &text, &len, e);

	if (r == -ENOENT)
		return err_msg(e, ENOENT,
			       "container does not exist: it has no state yet, or no more");
	return r < 0 ? r : state_parse(a, text, len, out, e);
}

int store_remove(const struct container_host *h, const char *id, struct err *e)
{
	own_fd int root = store_root(h, false, e);

	if (root < 0)
		return root;
	own_fd int dir = openat(root, id, O_PATH | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	/* First, so that a removal that is cut short is not taken for damage. */
	if (dir >= 0) {
		(void)unlinkat(dir, STORE_COPY, 0);
		(void)unlinkat(dir, STORE_CLAIMED, 0);
	}
	own_close(&dir);
	/* A warden whose maker was killed before its pid was on disk may have a last word. */
	int r = file_remove_tree(root, id, e);
	for (int tries = 0; r == -ENOTEMPTY && tries < MAX_TRIES; tries++)
		r = file_remove_tree(root, id, e);
	return r;
}
