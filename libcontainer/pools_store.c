/*
 * <root>/.pools/NAME: pool.json, the lock (flock on the directory), and making.SERIAL for each
 * member that is being made, locked by its maker: a lock that is free is a maker's that was killed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "plan.h"
#include "pools_internal.h"
#include "reuse.h"
#include "store.h"

#define POOL_FILE "pool.json"
#define MAKING    "making."
enum { LOCK_WAIT_MS = 10000, LOCK_STEP_MS = 2 };

int pools_may(enum container_answer *answer, struct err *e)
{
	if (geteuid() == 0 && !plan_in_user_namespace())
		return 0;
	*answer = ANSWER_NOT_ALLOWED;
	return err_msg(e, EPERM, "only the host's root can have pools so far");
}

static int no_pool(const char *name, struct err *e)
{
	return err_msg(e, ENOENT, "pool does not exist: %s", name);
}

static int open_all(const struct container_host *h, bool make, struct err *e)
{
	own_fd int root = store_root(h, make, e);

	if (root < 0)
		return root;
	if (make && mkdirat(root, STORE_POOLS, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "%s/" STORE_POOLS, h->root);
	int all = openat(root, STORE_POOLS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return all < 0 ? err_set(e, errno, "%s/" STORE_POOLS, h->root) : all;
}

int pools_open(struct pools *p, const struct container_host *h, const char *name, struct arena *a,
	       bool make, struct err *e)
{
	*p = (struct pools){
		.host = h,
		.own = *h,
		.arena = a,
		.name = name,
		.dir = -1,
		.began_ns = reuse_now_ns(),
	};
	if (pool_check_name(name, e) < 0)
		return -e->code;
	own_fd int all = open_all(h, make, e);
	if (all < 0)
		return all == -ENOENT ? no_pool(name, e) : all;
	if (make && mkdirat(all, name, 0700) < 0 && errno != EEXIST)
		return err_set(e, errno, "pool %s", name);
	p->dir = openat(all, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (p->dir < 0)
		return errno == ENOENT ? no_pool(name, e) : err_set(e, errno, "pool %s", name);
	return 0;
}

void pools_close(struct pools *p)
{
	own_close(&p->dir);
}

int pools_lock(const struct pools *p, struct err *e)
{
	const struct timespec pause = {.tv_nsec = LOCK_STEP_MS * 1000000};
	struct stat st;

	for (int ms = 0; flock(p->dir, LOCK_EX | LOCK_NB) < 0; ms += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return err_set(e, errno, "lock pool %s", p->name);
		if (ms >= LOCK_WAIT_MS)
			return err_msg(e, EBUSY, "pool %s is busy: another command works on it",
				       p->name);
		nanosleep(&pause, NULL);
	}
	if (fstat(p->dir, &st) < 0 || st.st_nlink == 0)
		return no_pool(p->name, e);
	return 0;
}

void pools_unlock(const struct pools *p)
{
	(void)flock(p->dir, LOCK_UN); /* cannot fail on a descriptor that was locked */
}

int pools_load(struct pools *p, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(p->arena, p->dir, POOL_FILE, POOL_MAX_BYTES, &text, &len, e);

	if (r == -ENOENT)
		return no_pool(p->name, e);
	if (r == 0 && pool_parse(p->arena, text, len, &p->pool, e) < 0)
		r = err_wrap(e, POOL_FILE);
	if (r == 0 && !str_eq(p->pool.name, p->name))
		r = err_msg(e, EINVAL, POOL_FILE ": name: it is of another pool");
	if (r < 0)
		return err_wrap(e, "pool %s", p->name);
	p->own = *p->host;
	p->own.system_config = p->pool.system_config;
	p->own.level = NULL;
	p->own.lease = NULL;
	p->own.lease_given = false;
	return 0;
}

int pools_save(const struct pools *p, struct err *e)
{
	size_t len;
	const char *text = pool_print(p->arena, &p->pool, &len);

	/* What could not be read again. */
	if (len > POOL_MAX_BYTES)
		return err_msg(e, E2BIG, "pool %s: " POOL_FILE " would have more than %d bytes",
			       p->name, POOL_MAX_BYTES);
	return file_replace(p->dir, POOL_FILE, text, len, 0600, e);
}

static void add_up(struct pool_counters *to, const struct pool_counters *add)
{
	to->acquired += add->acquired;
	to->released += add->released;
	to->waited += add->waited;
	to->expired += add->expired;
	to->reset += add->reset;
	to->created += add->created;
	to->deleted += add->deleted;
	to->tainted += add->tainted;
	to->retired += add->retired;
}

void pools_count(struct pools *p, const struct pool_counters *add)
{
	struct err why;
	int r = pools_lock(p, &why);

	if (r == 0)
		r = pools_load(p, &why);
	if (r == 0) {
		add_up(&p->pool.counters, add);
		r = pools_save(p, &why);
	}
	pools_unlock(p);
	if (r < 0)
		log_debug("%s", why.msg);
}

int pools_remove(struct pools *p, struct err *e)
{
	own_fd int all = open_all(p->host, false, e);
	struct dirent *de;

	if (all < 0)
		return all;
	own_fd int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	if (!d)
		return err_set(e, errno, "pool %s", p->name);
	fd = -1;
	/* pool.json first: without it there is no pool. */
	if (unlinkat(p->dir, POOL_FILE, 0) < 0 && errno != ENOENT)
		return err_set(e, errno, "pool %s", p->name);
	while ((de = readdir(d)))
		if (de->d_name[0] != '.')
			(void)unlinkat(p->dir, de->d_name, 0);
	if (unlinkat(all, p->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return err_set(e, errno, "pool %s", p->name);
	/* The last one takes the directory of all along; others keep it. */
	own_fd int root = store_root(p->host, false, e);
	if (root >= 0)
		(void)unlinkat(root, STORE_POOLS, AT_REMOVEDIR);
	return 0;
}

/* --- who makes members ---------------------------------------------------------------------- */

struct making {
	char name[32];
};

static struct making making_of(uint64_t serial)
{
	struct making m;

	snprintf(m.name, sizeof(m.name), MAKING "%" PRIu64, serial);
	return m;
}

int pools_reserve(struct pools *p, uint64_t serial, struct err *e)
{
	const struct making m = making_of(serial);
	own_fd int fd =
		openat(p->dir, m.name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0)
		return err_set(e, errno, "pool %s: %s", p->name, m.name);
	return take_fd(&fd);
}

void pools_unreserve(struct pools *p, uint64_t serial, int *fd)
{
	(void)unlinkat(p->dir, making_of(serial).name, 0);
	own_close(fd);
}

bool pools_reserved(const struct pools *p, uint64_t serial)
{
	const struct making m = making_of(serial);
	own_fd int fd = openat(p->dir, m.name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return true;
	(void)unlinkat(p->dir, m.name, 0);
	return false;
}

size_t pools_unborn(const struct pools *p)
{
	own_fd int fd = openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *de;
	size_t n = 0;

	if (!d)
		return 0;
	fd = -1;
	while ((de = readdir(d))) {
		uint64_t serial;

		if (!str_starts(de->d_name, MAKING) ||
		    !str_u64(de->d_name + strlen(MAKING), &serial) || !pools_reserved(p, serial))
			continue;
		const char *state =
			arena_printf(p->arena, "%s/%s-%" PRIu64, p->host->root, p->name, serial);
		n += faccessat(AT_FDCWD, state, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	}
	return n;
}
