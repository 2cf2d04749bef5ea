#include "cpu/pin.h"

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

/*
 * Everything happens under an flock of DIRECTORY/lock.  A file appears by rename and goes by
 * unlink, so that whoever is killed leaves either a whole file or a *.tmp that nobody reads; a
 * file whose state directory is gone is removed by the next claim.
 */

enum { MAX_FILE = PATH_MAX + 16384, MAX_SAME_HASH = 16 };

/* --- one file ------------------------------------------------------------------------------ */

bool pin_entry_parse(char *text, size_t len, struct pin_entry *out)
{
	char *second = memchr(text, '\n', len);

	if (!len || !second || text[0] != '/' || text[len - 1] != '\n' || memchr(text, '\0', len) ||
	    second - text >= PATH_MAX)
		return false;
	*second++ = '\0';
	char *end = memchr(second, '\n', (size_t)(text + len - second));
	if (!end || end + 1 != text + len)
		return false;
	*end = '\0';
	out->user = text;
	return str_cpulist(second, out->cpus.bits, CPU_BITS) && cpu_count(&out->cpus) > 0;
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
static int read_entry(struct arena *a, int dir, const char *name, struct pin_entry *out)
{
	struct err e;
	char *text;
	size_t len;
	int r = file_read(a, dir, name, MAX_FILE, &text, &len, &e);

	if (r == -ENOENT)
		return 0;
	if (r == 0 && !pin_entry_parse(text, len, out))
		r = err_msg(&e, EINVAL, "%s: not a reservation", name);
	if (r < 0)
		log_warn("CPU reservations: %s: ignored", e.msg);
	return r < 0 ? r : 1;
}

/* --- the directory ------------------------------------------------------------------------- */

/* Nobody else may have a say in it: it tells whose CPUs are free. */
static int open_dir(const char *path, bool make, struct err *e)
{
	struct stat st;
	int r = make ? file_mkdirs(path, 0700, e) : 0;

	if (r < 0)
		return r;
	own_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", path);
	if (st.st_uid != geteuid() || st.st_mode & 022)
		return err_msg(e, EPERM, "%s: belongs to or may be written by others", path);
	return take_fd(&fd);
}

static int lock_dir(int dir, struct err *e)
{
	own_fd int fd = openat(dir, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r;

	if (fd < 0)
		return err_set(e, errno, "open lock");
	do
		r = flock(fd, LOCK_EX);
	while (r < 0 && errno == EINTR);
	return r < 0 ? err_set(e, errno, "lock") : take_fd(&fd);
}

static bool is_gone(const char *user)
{
	return access(user, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR);
}

static void count_entry(const struct pin_entry *entry, uint16_t uses[CPU_BITS])
{
	for (unsigned int cpu = 0; cpu < CPU_BITS; cpu++)
		if (cpu_has(&entry->cpus, cpu) && uses[cpu] < UINT16_MAX)
			uses[cpu]++;
}

/* Sandboxes on each CPU, but for user's own; files of sandboxes that are gone are removed. */
static int count_uses(int dir, const char *user, uint16_t uses[CPU_BITS], struct err *e)
{
	own_fd int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	own_dir DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct pin_entry entry;
	struct dirent *de;

	if (!d)
		return err_set(e, errno, "read directory");
	(void)take_fd(&fd); /* the stream's now */
	for (errno = 0; (de = readdir(d)); errno = 0) {
		own_arena struct arena scratch = {0};

		if (de->d_name[0] == '.' || str_eq(de->d_name, "lock"))
			continue;
		if (str_ends(de->d_name, ".tmp")) {
			(void)unlinkat(dir, de->d_name,
				       0); /* of who was killed: we have the lock */
			continue;
		}
		if (read_entry(&scratch, dir, de->d_name, &entry) <= 0)
			continue;
		if (str_eq(entry.user, user) || is_gone(entry.user)) {
			if (unlinkat(dir, de->d_name, 0) < 0 && errno != ENOENT)
				return err_set(e, errno, "remove %s", de->d_name);
			continue;
		}
		count_entry(&entry, uses);
	}
	return errno ? err_set(e, errno, "read directory") : 0;
}

/* --- the choice ---------------------------------------------------------------------------- */

/* Of a large host not every core is asked for its siblings: each is a file to read. */
enum { MAX_LOOKED_AT = 16 };

struct choice {
	const struct cpu_set *allowed;
	const uint16_t *uses;
	void (*siblings)(unsigned int cpu, struct cpu_set *out);
	struct cpu_set taken;
};

/* How busy the other threads of the core are; one that this sandbox has got counts too. */
static unsigned int busy_siblings(const struct choice *c, unsigned int cpu)
{
	struct cpu_set core;
	unsigned int busy = 0;

	if (!c->siblings)
		return 0;
	c->siblings(cpu, &core);
	for (unsigned int i = 0; i < CPU_BITS; i++)
		if (i != cpu && cpu_has(&core, i))
			busy += c->uses[i] + cpu_has(&c->taken, i);
	return busy;
}

static bool is_free(const struct choice *c, unsigned int cpu)
{
	return cpu_has(c->allowed, cpu) && !cpu_has(&c->taken, cpu);
}

static unsigned int next_cpu(const struct choice *c)
{
	unsigned int least = UINT_MAX, best = CPU_BITS, best_busy = UINT_MAX, looked_at = 0;

	for (unsigned int cpu = 0; cpu < CPU_BITS; cpu++)
		if (is_free(c, cpu) && c->uses[cpu] < least)
			least = c->uses[cpu];
	for (unsigned int cpu = 0; cpu < CPU_BITS && looked_at < MAX_LOOKED_AT; cpu++) {
		if (!is_free(c, cpu) || c->uses[cpu] != least)
			continue;
		unsigned int busy = busy_siblings(c, cpu);
		if (busy < best_busy) {
			best = cpu;
			best_busy = busy;
		}
		if (!busy)
			break;
		looked_at++;
	}
	return best;
}

void pin_choose(const struct cpu_set *allowed, const uint16_t uses[CPU_BITS], unsigned int count,
		void (*siblings)(unsigned int cpu, struct cpu_set *out), struct cpu_set *out)
{
	struct choice c = {.allowed = allowed, .uses = uses, .siblings = siblings};

	for (unsigned int i = 0; i < (count ? count : 1); i++) {
		unsigned int cpu = next_cpu(&c);

		if (cpu == CPU_BITS)
			break;
		cpu_add(&c.taken, cpu);
	}
	*out = c.taken;
}

/* --- claim and release --------------------------------------------------------------------- */

static int read_allowed(const char *list, struct cpu_set *out, struct err *e)
{
	if (list && !str_cpulist(list, out->bits, CPU_BITS))
		return err_msg(e, EINVAL, "\"%.100s\" is no list of CPUs", list);
	if (!list && !cpu_own(out))
		return err_set(e, errno, "sched_getaffinity");
	return cpu_count(out) ? 0 : err_msg(e, EINVAL, "no CPU is allowed");
}

static int save(struct arena *a, int dir, const char *user, const char *cpus, struct err *e)
{
	const char *text = arena_printf(a, "%s\n%s\n", user, cpus);
	char name[NAME_MAX + 1];
	struct stat st;

	for (unsigned int n = 0; n < MAX_SAME_HASH; n++) {
		file_name(name, user, n);
		if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
			return file_replace(dir, name, text, strlen(text), 0600, e);
	}
	return err_msg(e, EEXIST, "%s: no free name left", name);
}

static int claim(struct arena *a, const struct pin_request *req, const char **cpus, struct err *e)
{
	own_arena struct arena scratch = {0};
	uint16_t *uses = arena_array(&scratch, CPU_BITS, sizeof(*uses));
	struct cpu_set allowed, chosen;
	int r = read_allowed(req->allowed, &allowed, e);

	if (r < 0)
		return r;
	own_fd int dir = open_dir(req->directory, true, e);
	if (dir < 0)
		return dir;
	own_fd int lock = lock_dir(dir, e);
	if (lock < 0 || count_uses(dir, req->user, uses, e) < 0)
		return -e->code;
	pin_choose(&allowed, uses, req->count, cpu_smt_active() ? cpu_siblings : NULL, &chosen);
	*cpus = cpu_list(a, &chosen);
	return save(&scratch, dir, req->user, *cpus, e);
}

int pin_claim(struct arena *a, const struct pin_request *req, const char **cpus, struct err *e)
{
	if (req->user[0] != '/' || strchr(req->user, '\n') || strlen(req->user) >= PATH_MAX)
		return err_msg(e, EINVAL, "CPU reservations: \"%s\" is no absolute path",
			       req->user);
	return claim(a, req, cpus, e) < 0 ? err_wrap(e, "CPU reservations: %s", req->directory) : 0;
}

int pin_release(const char *directory, const char *user, struct err *e)
{
	own_fd int dir = open_dir(directory, false, e);
	char name[NAME_MAX + 1];
	struct pin_entry entry;

	if (dir == -ENOENT)
		return 0;
	own_fd int lock = dir < 0 ? -1 : lock_dir(dir, e);
	if (lock < 0)
		return err_wrap(e, "CPU reservations: %s", directory);
	for (unsigned int n = 0; n < MAX_SAME_HASH; n++) {
		own_arena struct arena scratch = {0};

		file_name(name, user, n);
		if (read_entry(&scratch, dir, name, &entry) <= 0 || !str_eq(entry.user, user))
			continue;
		if (unlinkat(dir, name, 0) < 0 && errno != ENOENT)
			return err_set(e, errno, "CPU reservations: remove %s", name);
	}
	return 0;
}
