#include "ns/idpool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "ns/idpool_file.h"
#include "ns/idpool_taken.h"

/* An open pool; lock is held while it is open. */
struct pool {
	const struct idpool_config *c;
	int dir, lock;
	uint32_t slots;
	uint32_t next; /* where to look first: behind the last one given out */
	uint64_t now; /* seconds of CLOCK_BOOTTIME: no clock that somebody sets, and sleep counts */
	struct arena keep;  /* for the call */
	struct arena arena; /* for one slot */
};

static void pool_close(struct pool *p)
{
	own_close(&p->lock);
	own_close(&p->dir);
	arena_free(&p->arena);
	arena_free(&p->keep);
}
#define own_pool __attribute__((cleanup(pool_close)))

enum slot_state { SLOT_FREE, SLOT_QUARANTINED, SLOT_USED };

/* --- Slot files ------------------------------------------------------------------------- */

struct slot_name {
	char text[16];
};

static struct slot_name slot_name(uint32_t slot)
{
	struct slot_name n;

	snprintf(n.text, sizeof(n.text), "%u", slot);
	return n;
}

/* 1: there is one; 0: none, *f is empty.  What cannot be understood is nobody's to give out:
 * -EUCLEAN. */
static int read_slot(struct pool *p, uint32_t slot, struct idpool_file *f, struct err *e)
{
	struct slot_name name = slot_name(slot);
	own_fd int fd = openat(p->dir, name.text, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	char *text;
	size_t len;

	*f = (struct idpool_file){.key = "", .free = true};
	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "open slot %u", slot);
	int r = file_read_fd(&p->arena, fd, name.text, IDPOOL_FILE_MAX, &text, &len, e);
	if (r < 0)
		return r;
	if (!idpool_file_parse(&p->arena, text, len, f))
		return err_msg(e, EUCLEAN, "%s/%u: not a slot file", p->c->directory, slot);
	return 1;
}

static int write_slot(struct pool *p, uint32_t slot, const struct idpool_file *f, struct err *e)
{
	size_t len;
	const char *text = idpool_file_print(&p->arena, f, &len);

	return file_replace(p->dir, slot_name(slot).text, text, len, 0600, e);
}

static bool user_lives(struct pool *p, const char *escaped)
{
	struct stat st;

	/* Only what says that it is gone counts as gone. */
	return stat(idpool_unescape(&p->arena, escaped), &st) == 0 ||
	       (errno != ENOENT && errno != ENOTDIR);
}

/* Drops users that are gone; gives what the slot is. */
static enum slot_state settle(struct pool *p, struct idpool_file *f)
{
	size_t kept = 0;

	for (size_t i = 0; i < f->n_users; i++)
		if (user_lives(p, f->users[i]))
			f->users[kept++] = f->users[i];
	f->n_users = kept;
	if (kept)
		return SLOT_USED;
	if (!f->free) {
		f->free = true;
		f->since = p->now;
	}
	/* A time to come is one of another boot: nothing of that is left.  The seconds are cut
	 * ones: one more makes sure that they have passed. */
	if (p->now < f->since || !p->c->quarantine || p->now - f->since > p->c->quarantine)
		return SLOT_FREE;
	return SLOT_QUARANTINED;
}

/* The state of a slot and its file, which is empty where there is none. */
static int look(struct pool *p, uint32_t slot, struct idpool_file *f, bool *deaths, struct err *e)
{
	int r = read_slot(p, slot, f, e);

	*deaths = false;
	if (r == -EUCLEAN)
		return SLOT_USED;
	if (r < 0)
		return r;
	if (r == 0)
		return SLOT_FREE;
	bool was_free = f->free;
	enum slot_state s = settle(p, f);
	*deaths = f->free && !was_free;
	return (int)s;
}

/* --- The directory ----------------------------------------------------------------------- */

static int check_config(const struct idpool_config *c, uint32_t *slots, struct err *e)
{
	*slots = c->count / IDPOOL_STRIDE;
	/* The last id is (uid_t)-1, which is none. */
	if ((uint64_t)c->first + c->count > UINT32_MAX)
		return err_msg(e, EINVAL, "id pool: %u and %u ids are more than there are",
			       c->first, c->count);
	if (!*slots)
		return err_msg(e, EINVAL, "id pool: %u ids are less than one range of %d", c->count,
			       IDPOOL_STRIDE);
	return 0;
}

static int open_dir(const struct idpool_config *c, bool make, struct err *e)
{
	own_fd int fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 && errno == ENOENT && make) {
		int r = file_mkdirs(c->directory, 0700, e);

		if (r < 0)
			return err_wrap(e, "id pool");
		fd = open(c->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "id pool: open %s", c->directory);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_msg(e, EPERM,
			       "id pool: %s is not the caller's alone: want owner %u and mode 0700",
			       c->directory, (unsigned int)geteuid());
	return take_fd(&fd);
}

static int write_hint(struct pool *p, uint32_t next, struct err *e)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%010u %010u\n", p->c->first, next);

	/* Of one length always: no moment at which the rest of an old one follows. */
	if (pwrite(p->lock, text, (size_t)n, 0) != n)
		return err_set(e, errno, "id pool: write %s/lock", p->c->directory);
	return 0;
}

/* Every slot file of the directory.  Returns what visit does if that is not 0. */
static int each_slot(struct pool *p, int (*visit)(struct pool *, uint32_t, void *, struct err *),
		     void *arg, struct err *e)
{
	own_dir DIR *d = fdopendir(openat(p->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "id pool: read %s", p->c->directory);
	for (errno = 0; (de = readdir(d)); errno = 0) {
		uint32_t slot;
		int r = str_u32(de->d_name, &slot) ? visit(p, slot, arg, e) : 0;

		arena_free(&p->arena);
		if (r != 0)
			return r;
	}
	return errno ? err_set(e, errno, "id pool: read %s", p->c->directory) : 0;
}

static int refuse_used(struct pool *p, uint32_t slot, void *was_first, struct err *e)
{
	struct idpool_file f;
	bool deaths;
	int state = look(p, slot, &f, &deaths, e);

	if (state < 0)
		return state;
	if (state == SLOT_FREE)
		return unlinkat(p->dir, slot_name(slot).text, 0) < 0
			       ? err_set(e, errno, "id pool: remove slot %u", slot)
			       : 0;
	int r = deaths ? write_slot(p, slot, &f, e) : 0;
	if (r < 0)
		return r;
	return err_msg(e, EBUSY,
		       "id pool: %s has ranges of a pool that begins at %u, not at %u: wait until "
		       "their sandboxes are deleted and %u seconds more, or name another directory",
		       p->c->directory, *(uint32_t *)was_first, p->c->first, p->c->quarantine);
}

/* Slot numbers mean ids only together with the pool's first id: another one is not mixed in. */
static int read_hint(struct pool *p, struct err *e)
{
	char text[32] = "", *space;
	uint32_t first = 0, next;
	ssize_t n = pread(p->lock, text, sizeof(text) - 1, 0);

	if (n < 0)
		return err_set(e, errno, "id pool: read %s/lock", p->c->directory);
	if (n > 0 && text[n - 1] == '\n' && (space = strchr(text, ' '))) {
		text[n - 1] = *space = '\0';
		if (str_u32(text, &first) && str_u32(space + 1, &next) && first == p->c->first) {
			p->next = next < p->slots ? next : 0;
			return 0;
		}
	}
	int r = each_slot(p, refuse_used, &first, e);
	return r < 0 ? r : write_hint(p, 0, e);
}

static int pool_open(struct pool *p, const struct idpool_config *c, bool make, struct err *e)
{
	struct timespec t;
	int r;

	*p = (struct pool){.c = c, .dir = -1, .lock = -1};
	r = check_config(c, &p->slots, e);
	if (r < 0)
		return r;
	p->dir = open_dir(c, make, e);
	if (p->dir < 0)
		return p->dir;
	p->lock = openat(p->dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (p->lock < 0)
		return err_set(e, errno, "id pool: open %s/lock", c->directory);
	do
		r = flock(p->lock, LOCK_EX);
	while (r < 0 && errno == EINTR);
	if (r < 0 || clock_gettime(CLOCK_BOOTTIME, &t) < 0)
		return err_set(e, errno, "id pool: lock %s/lock", c->directory);
	p->now = (uint64_t)t.tv_sec;
	return 0;
}

/* --- Keys -------------------------------------------------------------------------------- */

struct key_name {
	char text[NAME_MAX + 1];
};

static int key_name(const char *key, struct key_name *out, struct err *e)
{
	if ((size_t)snprintf(out->text, sizeof(out->text), "key.%s", key) >= sizeof(out->text))
		return err_msg(e, ENAMETOOLONG, "id pool: pod key \"%.40s...\" is too long", key);
	return 0;
}

/* The slot that a key's link names; it may be another's meanwhile. */
static bool key_read(struct pool *p, const struct key_name *name, uint32_t *slot)
{
	char text[16];
	ssize_t n = readlinkat(p->dir, name->text, text, sizeof(text) - 1);

	if (n < 0)
		return false;
	text[n] = '\0';
	return str_u32(text, slot) && *slot < p->slots;
}

static int key_write(struct pool *p, const char *key, uint32_t slot, struct err *e)
{
	struct key_name name = {""};
	int r = key_name(key, &name, e);

	if (r < 0)
		return r;
	if ((unlinkat(p->dir, name.text, 0) < 0 && errno != ENOENT) ||
	    symlinkat(slot_name(slot).text, p->dir, name.text) < 0)
		return err_set(e, errno, "id pool: link %s", name.text);
	return 0;
}

/* The slot's new owner has another key. */
static void key_forget(struct pool *p, const char *key, uint32_t slot)
{
	struct err ignored;
	struct key_name name = {""};
	uint32_t named;

	/* A link that stays is looked at twice and then not believed. */
	if (key[0] && key_name(key, &name, &ignored) == 0 && key_read(p, &name, &named) &&
	    named == slot)
		(void)unlinkat(p->dir, name.text, 0);
}

/* --- Claims ------------------------------------------------------------------------------ */

static int add_user(struct pool *p, uint32_t slot, struct idpool_file *f, const char *user,
		    struct err *e)
{
	const char **users = arena_array(&p->arena, f->n_users + 1, sizeof(*users));

	for (size_t i = 0; i < f->n_users; i++) {
		if (str_eq(f->users[i], user))
			return 0;
		users[i] = f->users[i];
	}
	users[f->n_users++] = user;
	f->users = users;
	f->free = false;
	return write_slot(p, slot, f, e);
}

/* 1: the pod has a slot, and *slot is it.  Its quarantine is against others. */
static int join_pod(struct pool *p, const struct idpool_taken *t, const char *key, const char *user,
		    uint32_t *slot, struct err *e)
{
	struct idpool_file f;
	struct key_name name = {""};
	int r = key_name(key, &name, e);

	if (r < 0 || !key_read(p, &name, slot))
		return r;
	r = read_slot(p, *slot, &f, e);
	if (r == -EUCLEAN || (r > 0 && !str_eq(f.key, key)))
		return 0;
	if (r <= 0)
		return r;
	if (settle(p, &f) != SLOT_USED && idpool_is_taken(t, *slot))
		return 0;
	r = add_user(p, *slot, &f, user, e);
	return r < 0 ? r : 1;
}

static int give_out(struct pool *p, uint32_t slot, const struct idpool_file *old, const char *key,
		    const char *user, struct err *e)
{
	struct idpool_file f = {.key = key, .free = true};
	int r = 0;

	key_forget(p, old->key, slot);
	/* The link first: a slot of a key that no link leads to would not be found again. */
	if (key[0])
		r = key_write(p, key, slot, e);
	if (r == 0)
		r = add_user(p, slot, &f, user, e);
	if (r == 0)
		r = write_hint(p, (slot + 1) % p->slots, e);
	return r;
}

struct tally {
	uint32_t taken, used, quarantined;
};

static int exhausted(const struct pool *p, const struct tally *n, struct err *e)
{
	return err_msg(
		e, EAGAIN,
		"id pool: exhausted: of %u ranges from %u on %u are in use, %u in quarantine "
		"(%u s) and %u belong to users of the host: raise ids.count in brig.json or "
		"delete sandboxes",
		p->slots, p->c->first, n->used, n->quarantined, p->c->quarantine, n->taken);
}

static int find_free(struct pool *p, const struct idpool_taken *t, const char *key,
		     const char *user, uint32_t *out, struct err *e)
{
	struct tally n = {0};

	for (uint32_t i = 0; i < p->slots; i++) {
		uint32_t slot = (uint32_t)(((uint64_t)p->next + i) % p->slots);
		struct idpool_file f;
		bool deaths;

		arena_free(&p->arena);
		if (idpool_is_taken(t, slot)) {
			n.taken++;
			continue;
		}
		int state = look(p, slot, &f, &deaths, e);
		if (state < 0)
			return state;
		if (state == SLOT_FREE) {
			*out = slot;
			return give_out(p, slot, &f, key, user, e);
		}
		n.used += state == SLOT_USED;
		n.quarantined += state == SLOT_QUARANTINED;
		int r = deaths ? write_slot(p, slot, &f, e) : 0;
		if (r < 0)
			return r;
	}
	return exhausted(p, &n, e);
}

int idpool_claim(const struct idpool_config *c, const char *key, const char *user,
		 struct idpool_slot *out, struct err *e)
{
	struct idpool_taken t;
	own_pool struct pool p;
	int r = pool_open(&p, c, true, e);

	if (r == 0)
		r = read_hint(&p, e);
	if (r < 0)
		return r;
	if (user[0] != '/')
		return err_msg(e, EINVAL, "id pool: user %s: not an absolute path", user);
	key = idpool_escape(&p.keep, key ? key : "", "/");
	user = idpool_escape(&p.keep, user, "");
	t.first = c->first;
	t.slots = p.slots;
	r = idpool_taken_read(&t, c->etc ? c->etc : "/etc", e);
	if (r < 0)
		return err_wrap(e, "id pool");
	r = key[0] ? join_pod(&p, &t, key, user, &out->slot, e) : 0;
	if (r == 0)
		r = find_free(&p, &t, key, user, &out->slot, e);
	if (r < 0)
		return str_starts(e->msg, "id pool: ") ? r : err_wrap(e, "id pool");
	out->base = c->first + out->slot * IDPOOL_STRIDE;
	return 0;
}

int idpool_release(const struct idpool_config *c, uint32_t slot, const char *user, struct err *e)
{
	own_pool struct pool p;
	struct idpool_file f = {0};
	size_t kept = 0;
	int r = pool_open(&p, c, false, e);

	if (r == -ENOENT)
		return 0;
	if (r == 0)
		r = read_slot(&p, slot, &f, e);
	if (r == 0)
		return 0;
	if (r < 0)
		return str_starts(e->msg, "id pool: ") ? r : err_wrap(e, "id pool");
	user = idpool_escape(&p.keep, user, "");
	for (size_t i = 0; i < f.n_users; i++)
		if (!str_eq(f.users[i], user))
			f.users[kept++] = f.users[i];
	if (kept == f.n_users)
		return 0; /* released, or given to somebody else meanwhile */
	f.n_users = kept;
	(void)settle(&p, &f); /* what state it has now does not matter here */
	if (write_slot(&p, slot, &f, e) < 0)
		return err_wrap(e, "id pool");
	return 0;
}

static int count_one(struct pool *p, uint32_t slot, void *arg, struct err *e)
{
	struct tally *n = arg;
	struct idpool_file f;
	bool deaths;
	int state = look(p, slot, &f, &deaths, e);

	if (state < 0)
		return state;
	n->used += state == SLOT_USED;
	n->quarantined += state == SLOT_QUARANTINED;
	return 0;
}

int idpool_count(const struct idpool_config *c, uint32_t *total, uint32_t *used,
		 uint32_t *quarantined, struct err *e)
{
	struct idpool_taken t = {.first = c->first};
	struct tally n = {0};
	own_pool struct pool p;
	int r = pool_open(&p, c, false, e);

	if (r < 0 && r != -ENOENT)
		return r;
	if (r == 0)
		r = each_slot(&p, count_one, &n, e);
	else
		r = 0; /* nobody has claimed any */
	t.slots = p.slots;
	if (r == 0)
		r = idpool_taken_read(&t, c->etc ? c->etc : "/etc", e);
	if (r < 0)
		return str_starts(e->msg, "id pool: ") ? r : err_wrap(e, "id pool");
	for (uint32_t i = 0; i < p.slots; i++)
		n.taken += idpool_is_taken(&t, i);
	*total = p.slots - n.taken;
	*used = n.used;
	*quarantined = n.quarantined;
	return 0;
}
