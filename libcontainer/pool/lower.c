#include "pool/lower.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/inroot.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "base/text.h"

enum { CHUNK = 256 << 10 };

struct walk {
	struct text t;
	dev_t dev;
	uint64_t entries, bytes;
	char *chunk;
};

static int too_much(const char *what, uint64_t most, struct err *e)
{
	return err_msg(e, E2BIG, "root file system: more than %" PRIu64 " %s", most, what);
}

/* --- one file ------------------------------------------------------------------------------ */

/*
 * It is looked at before it is opened for reading: a device or fifo that took its place meanwhile
 * must not be.
 */
static int open_file(int dir, const char *name)
{
	char path[64];
	struct stat st;
	own_fd int at = openat(dir, name, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (at < 0 || fstat(at, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ESTALE;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	int fd = open(path, O_RDONLY | O_NOATIME | O_CLOEXEC);
	if (fd < 0 && errno == EPERM) /* another's file, and we are not its owner */
		fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* More than room is too much. */
static int hash_fd(int fd, char *chunk, uint64_t room, char hex[SHA256_HEX], uint64_t *len)
{
	int r = sha256_fd(fd, room + 1, chunk, CHUNK, hex, len);

	return r == 0 && *len > room ? -E2BIG : r;
}

/* --- a line -------------------------------------------------------------------------------- */

static bool is_escaped(char c)
{
	return (unsigned char)c <= ' ' || c == '\\' || c == 0x7f;
}

static void add_escaped(struct text *t, const char *s)
{
	for (; *s; s++)
		if (is_escaped(*s))
			text_addf(t, "\\x%02x", (unsigned char)*s);
		else
			text_add(t, s, 1);
}

static char type_of(const struct stat *st)
{
	static const struct {
		mode_t type;
		char letter;
	} types[] = {
		{S_IFREG,  'f'},
                {S_IFDIR,  'd'},
                {S_IFLNK,  'l'},
                {S_IFCHR,  'c'},
		{S_IFBLK,  'b'},
                {S_IFIFO,  'p'},
                {S_IFSOCK, 's'},
	};

	for (size_t i = 0; i < LEN(types); i++)
		if ((st->st_mode & S_IFMT) == types[i].type)
			return types[i].letter;
	return '?';
}

static int digest_of(struct walk *w, int dir, const char *name, const struct stat *st,
		     char hex[SHA256_HEX], uint64_t *size)
{
	char target[PATH_MAX];

	snprintf(hex, SHA256_HEX, "-");
	*size = 0;
	if (S_ISLNK(st->st_mode)) {
		ssize_t n = readlinkat(dir, name, target, sizeof(target));

		if (n < 0)
			return -errno;
		sha256_hex(target, (size_t)n, hex);
		*size = (uint64_t)n;
	} else if (S_ISREG(st->st_mode)) {
		own_fd int fd = open_file(dir, name);
		int r = fd < 0 ? fd : hash_fd(fd, w->chunk, LOWER_BYTES - w->bytes, hex, size);

		w->bytes += *size;
		return r;
	} else if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode)) {
		*size = st->st_rdev;
	}
	return 0;
}

static int add_line(struct walk *w, int dir, const char *name, const char *path,
		    const struct stat *st, char letter, struct err *e)
{
	char hex[SHA256_HEX];
	uint64_t size;
	int r = digest_of(w, dir, name, st, hex, &size);

	if (r == -E2BIG)
		return too_much("bytes", LOWER_BYTES, e);
	/* What cannot be read is told of: it must not be like what was. */
	if (r < 0)
		snprintf(hex, sizeof(hex), "unreadable-%d", -r);
	text_addf(&w->t, "%c %o %u:%u %" PRIu64 " %s ", letter, st->st_mode & 07777, st->st_uid,
		  st->st_gid, size, hex);
	add_escaped(&w->t, path);
	text_add(&w->t, "\n", 1);
	if (++w->entries > LOWER_ENTRIES)
		return too_much("names", LOWER_ENTRIES, e);
	return w->t.len > LOWER_TEXT ? too_much("bytes of names", LOWER_TEXT, e) : 0;
}

/* --- the walk ------------------------------------------------------------------------------ */

/* As lines are ordered: by what is printed. */
static int by_name(const void *a, const void *b)
{
	const char *s = *(const char *const *)a, *t = *(const char *const *)b;

	while (*s && *s == *t) {
		s++;
		t++;
	}
	int x = *s && is_escaped(*s) ? '\\' : (unsigned char)*s;
	int y = *t && is_escaped(*t) ? '\\' : (unsigned char)*t;
	return x != y ? x - y : (unsigned char)*s - (unsigned char)*t;
}

/* fd becomes the list's; a directory lists its names in no order. */
static int names_of(struct arena *a, int fd, const char ***out, size_t *n, struct err *e)
{
	own_dir DIR *d = fdopendir(fd);
	struct dirent *de;
	size_t room = 0;

	*out = NULL;
	*n = 0;
	if (!d) {
		(void)close(fd);
		return err_set(e, errno, "list a directory");
	}
	while ((de = readdir(d))) {
		if (str_eq(de->d_name, ".") || str_eq(de->d_name, ".."))
			continue;
		if (*n > LOWER_ENTRIES)
			return too_much("names", LOWER_ENTRIES, e);
		if (*n == room) {
			const char **more = arena_array(a, room ? room * 2 : 32, sizeof(*more));

			if (*n)
				memcpy(more, *out, *n * sizeof(*more));
			*out = more;
			room = room ? room * 2 : 32;
		}
		(*out)[(*n)++] = arena_strdup(a, de->d_name);
	}
	if (*n)
		qsort(*out, *n, sizeof(**out), by_name);
	return 0;
}

static int walk(struct walk *w, int dir, const char *path, int depth, struct err *e);

static int visit(struct walk *w, int dir, const char *name, const char *path, int depth,
		 struct err *e)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "%s", path);
	/* Files of an overlay may have a device of their own, directories have its. */
	bool mount = S_ISDIR(st.st_mode) && st.st_dev != w->dev;
	if (add_line(w, dir, name, path, &st, mount ? 'm' : type_of(&st), e) < 0)
		return -e->code;
	if (!S_ISDIR(st.st_mode) || mount)
		return 0;
	own_fd int sub = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (sub < 0)
		return err_set(e, errno, "%s", path);
	return walk(w, sub, path, depth + 1, e);
}

static int walk(struct walk *w, int dir, const char *path, int depth, struct err *e)
{
	own_arena struct arena a = {0};
	const char **names;
	size_t n;
	int again = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (again < 0)
		return err_set(e, errno, "%s", path);
	if (depth > LOWER_DEPTH) {
		(void)close(again);
		return too_much("directories deep", LOWER_DEPTH, e);
	}
	if (names_of(&a, again, &names, &n, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n; i++) {
		const char *below = arena_printf(&a, "%s/%s", path, names[i]);

		if (visit(w, dir, names[i], below, depth, e) < 0)
			return -e->code;
	}
	return 0;
}

int lower_list(struct arena *a, const char *root, const char **out, size_t *len, struct err *e)
{
	own_fd int fd = open(root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct walk w = {.t = {.a = a}};
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "open %s", root);
	w.dev = st.st_dev;
	w.chunk = arena_new(a, CHUNK);
	int r = walk(&w, fd, "", 0, e);
	*out = w.t.s ? w.t.s : "";
	*len = w.t.len;
	return r;
}

/* --- comparing ----------------------------------------------------------------------------- */

static const char *path_of(const char *line, size_t len)
{
	int blanks = 0;

	for (size_t i = 0; i < len; i++)
		if (line[i] == ' ' && ++blanks == 5)
			return line + i + 1;
	return line + len;
}

/* The order of the walk: what is below a directory comes before the name behind it. */
static int order(const char *a, size_t n, const char *b, size_t m)
{
	size_t i = 0;

	while (i < n && i < m && a[i] == b[i])
		i++;
	int x = i == n ? 0 : a[i] == '/' ? 1 : (unsigned char)a[i] + 1;
	int y = i == m ? 0 : b[i] == '/' ? 1 : (unsigned char)b[i] + 1;
	return x - y;
}

static void tell(struct arena *a, const char **first, const char *what, const char *path,
		 const char *end)
{
	enum { SHOWN = 200 };
	size_t n = (size_t)(end - path);

	if (!*first)
		*first = arena_printf(a, "%s: %.*s", what, (int)(n < SHOWN ? n : SHOWN), path);
}

uint64_t lower_compare(struct arena *a, const char *before, const char *now, const char **first)
{
	uint64_t differ = 0;

	*first = NULL;
	while (*before || *now) {
		size_t n = strcspn(before, "\n"), m = strcspn(now, "\n");
		const char *old = path_of(before, n), *new = path_of(now, m);
		int o = !*before ? 1
			: !*now  ? -1
				 : order(old, (size_t)(before + n - old), new,
					 (size_t)(now + m - new));

		if (o != 0 || n != m || memcmp(before, now, n) != 0) {
			differ++;
			if (o < 0)
				tell(a, first, "gone", old, before + n);
			else
				tell(a, first, o > 0 ? "new" : "changed", new, now + m);
		}
		if (o <= 0)
			before += n + (before[n] == '\n');
		if (o >= 0)
			now += m + (now[m] == '\n');
	}
	return differ;
}

/* --- packages ------------------------------------------------------------------------------ */

static int parse_line(char *line, struct lower_package *out)
{
	uint8_t bytes[SHA256_BYTES];
	enum { DIGITS = SHA256_HEX - 1 };

	if (strlen(line) < DIGITS + 3 || line[DIGITS] != ' ' ||
	    (line[DIGITS + 1] != ' ' && line[DIGITS + 1] != '*'))
		return -EINVAL;
	line[DIGITS] = '\0';
	*out = (struct lower_package){line, line + DIGITS + 2};
	return hex_read(line, bytes);
}

int lower_packages_parse(struct arena *a, char *text, struct lower_packages *out, struct err *e)
{
	size_t lines = 1;
	char *line, *rest = text;

	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	if (lines > LOWER_PACKAGES)
		return err_msg(e, E2BIG, "more than %d lines", LOWER_PACKAGES);
	*out = (struct lower_packages){.list = arena_array(a, lines, sizeof(*out->list))};
	for (size_t i = 1; (line = strsep(&rest, "\n")); i++) {
		if (!*line)
			continue;
		if (parse_line(line, &out->list[out->n]) < 0)
			return err_msg(e, EINVAL, "line %zu: not \"SHA256  PATH\"", i);
		out->n++;
	}
	return out->n ? 0 : err_msg(e, EINVAL, "no line in it");
}

/* Links lead within the root. */
static bool is_whole(int root, const struct lower_package *p, char *chunk)
{
	char hex[SHA256_HEX], path[64];
	struct stat st;
	uint64_t len;
	own_fd int at = inroot_open(root, p->path, O_PATH, 0, NULL);

	if (at < 0 || fstat(at, &st) < 0 || !S_ISREG(st.st_mode))
		return false;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd >= 0 && hash_fd(fd, chunk, LOWER_BYTES, hex, &len) == 0 &&
	       strcasecmp(hex, p->digest) == 0;
}

int lower_packages_check(struct arena *a, const char *root, const struct lower_packages *p,
			 const char *const **differ, size_t *n, struct err *e)
{
	const char **list = arena_array(a, p->n + 1, sizeof(*list));
	own_fd int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char *chunk = arena_new(a, CHUNK);

	*n = 0;
	if (fd < 0)
		return err_set(e, errno, "open %s", root);
	for (size_t i = 0; i < p->n; i++)
		if (!is_whole(fd, &p->list[i], chunk))
			list[(*n)++] = p->list[i].path;
	*differ = list;
	return 0;
}
