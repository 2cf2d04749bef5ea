/* Levels by name: the embedded ones, the administrator's, and what they inherit. */
#include "policy/levels.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/rank.h"

#define SUFFIX ".json"

static const struct level_embedded *embedded(const char *name)
{
	for (const struct level_embedded *l = level_embedded; l->name; l++)
		if (str_eq(l->name, name))
			return l;
	return NULL;
}

bool level_is_embedded(const char *name)
{
	return embedded(name);
}

int level_name_check(const char *name, struct err *e)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char inside[] = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
	size_t n = strlen(name);

	if (n == 0 || n > 63 || !strchr(letters, *name) || strspn(name, inside) != n)
		return err_msg(e, EINVAL,
			       "\"%.64s\" is no name of a level: lower case letters, digits and "
			       "- _ . in between",
			       name);
	return 0;
}

/* 'unknown level "x" (custom, high, standard)' */
static int unknown(struct arena *a, const struct admin *admin, const char *name, struct err *e)
{
	const char *const *names;
	const char *all = "";
	size_t n;

	int r = policy_level_names(a, admin, &names, &n, e);
	if (r < 0)
		return r;
	for (size_t i = 0; i < n; i++)
		all = arena_printf(a, "%s%s%s", all, i ? ", " : "", names[i]);
	return err_msg(e, ENOENT, "unknown level \"%.64s\" (%s)", name, all);
}

/*
 * What decides about isolation must not be for everybody to write.
 */
static int check_owner(int fd, const char *path, struct err *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "stat %s", path);
	if (st.st_mode & S_IWOTH)
		return err_msg(e, EPERM, "%s: everybody may write to it; chmod o-w", path);
	return 0;
}

static int read_file(struct arena *a, const char *path, size_t max, char **text, size_t *len,
		     struct err *e)
{
	/* A fifo that nobody writes to must not hold us. */
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	int r = check_owner(fd, path, e);
	return r < 0 ? r : file_read_fd(a, fd, path, max, text, len, e);
}

static int read_level(struct arena *a, const struct admin *admin, const char *name,
		      struct level *out, struct err *e)
{
	const struct level_embedded *own = embedded(name);
	struct err ignored;
	char *text;
	size_t len;

	if (own) {
		int r = level_parse(a, own->json, strlen(own->json), out, e);
		return r < 0 ? err_wrap(e, "level \"%s\"", name) : 0;
	}
	if (level_name_check(name, &ignored) < 0)
		return unknown(a, admin, name, e);
	const char *path = arena_printf(
		a, "%s/%s" SUFFIX, admin->levels_too ? admin->levels_too : admin->levels, name);
	int r = read_file(a, path, LEVEL_MAX_BYTES, &text, &len, e);
	if (r == -ENOENT && admin->levels_too) {
		path = arena_printf(a, "%s/%s" SUFFIX, admin->levels, name);
		r = read_file(a, path, LEVEL_MAX_BYTES, &text, &len, e);
	}
	if (r == -ENOENT)
		return unknown(a, admin, name, e);
	if (r < 0)
		return r;
	r = level_parse(a, text, len, out, e);
	if (r < 0)
		return err_wrap(e, "%s", path);
	if (!str_eq(out->name, name))
		return err_msg(e, EINVAL, "%s: name: \"%.64s\" is not the file's", path, out->name);
	if (!out->extends)
		return err_msg(e, EINVAL, "%s: extends: missing", path);
	if (str_eq(out->extends, "custom"))
		return err_msg(e, EINVAL,
			       "%s: extends: \"custom\" applies nothing; standard, high or a named "
			       "level are extended",
			       path);
	return 0;
}

/* 'level "a": extends: a -> b -> a goes in a circle' */
static int circle(struct arena *a, const struct level_chain *c, struct err *e)
{
	const char *way = "";

	for (size_t i = 0; i < c->n; i++)
		way = arena_printf(a, "%s%s -> ", way, c->levels[i].name);
	return err_msg(e, ELOOP, "level \"%s\": extends: %s%s goes in a circle", c->levels[0].name,
		       way, c->levels[c->n - 1].extends);
}

int level_chain_read(struct arena *a, const struct admin *admin, const char *name,
		     struct level_chain *out, struct err *e)
{
	out->n = 0;
	for (const char *next = name; next; next = out->levels[out->n - 1].extends) {
		for (size_t i = 0; i < out->n; i++)
			if (str_eq(out->levels[i].name, next))
				return circle(a, out, e);
		if (out->n == LEVEL_MAX_CHAIN)
			return err_msg(e, E2BIG, "level \"%s\": extends more than %d levels", name,
				       LEVEL_MAX_CHAIN - 1);
		int r = read_level(a, admin, next, &out->levels[out->n], e);
		if (r < 0 && out->n)
			return err_wrap(e, "level \"%s\": extends", out->levels[out->n - 1].name);
		if (r < 0)
			return r;
		out->n++;
	}
	return 0;
}

static int check_own(const struct level *l, struct err *e)
{
	for (size_t i = 0; i < l->writable.n_own; i++) {
		const struct level_own *o = &l->writable.own[i];
		bool listed = false;

		for (size_t k = 0; k < l->writable.n_paths; k++)
			listed = listed || str_eq(l->writable.paths[k], o->path);
		if (!listed)
			return err_msg(e, EINVAL, "writable.own[%zu]: \"%.80s\" is none of paths",
				       i, o->path);
		if (o->size && l->writable.size && *o->size > *l->writable.size)
			return err_msg(e, EINVAL,
				       "writable.own[%zu]: size: \"%llu\" is weaker than \"%llu\" "
				       "of writable.size",
				       i, (unsigned long long)*o->size,
				       (unsigned long long)*l->writable.size);
	}
	return 0;
}

/* Puts what l says onto *out, which is the level that it extends. */
static int extend(struct arena *a, const struct level *l, struct level *out, struct err *e)
{
	const struct level parent = *out;
	int r = 0;

	for (size_t i = 0; r == 0 && i < n_level_fields; i++)
		r = level_field_check(&level_fields[i], l, e);
	for (size_t i = 0; r == 0 && i < n_level_fields; i++) {
		const struct level_field *f = &level_fields[i];

		if (!level_field_given(f, l))
			continue;
		const char *weaker = level_field_weaker(a, f, l, &parent);
		if (weaker)
			r = err_msg(e, EPERM, "%s: %s of level \"%s\"", f->path, weaker,
				    parent.name);
		level_field_copy(f, out, l);
		level_field_settle(f, out);
	}
	out->v = l->v;
	out->name = l->name;
	out->extends = l->extends;
	out->summary = l->summary;
	if (l->writable.own) {
		out->writable.own = l->writable.own;
		out->writable.n_own = l->writable.n_own;
	}
	if (r == 0)
		r = check_own(out, e);
	return r < 0 ? err_wrap(e, "level \"%s\"", l->name) : 0;
}

int level_chain_merge(struct arena *a, const struct level_chain *c, struct level *out,
		      struct err *e)
{
	int r = 0;

	*out = (struct level){0};
	for (size_t i = c->n; r == 0 && i > 0; i--)
		r = extend(a, &c->levels[i - 1], out, e);
	return r;
}

int policy_level_load(struct arena *a, const struct admin *admin, const char *name,
		      struct level *out, struct err *e)
{
	struct level_chain c;
	int r = level_chain_read(a, admin, name, &c, e);

	return r < 0 ? r : level_chain_merge(a, &c, out, e);
}

int policy_at_least(struct arena *a, const struct admin *admin, const char *level,
		    const char *minimum, struct err *e)
{
	struct level_chain c;

	/* Everything extends custom in the end. */
	if (str_eq(level, minimum) || str_eq(minimum, "custom"))
		return 1;
	int r = level_chain_read(a, admin, level, &c, e);
	for (size_t i = 0; r == 0 && i < c.n; i++)
		if (str_eq(c.levels[i].name, minimum))
			return 1;
	return r;
}

/* Names of files NAME.json in the administrator's directory that are no embedded level. */
static size_t directory_names(struct arena *a, DIR *d, const char **names, size_t max)
{
	const struct dirent *de;
	struct err ignored;
	size_t n = 0;

	while (n < max && (de = readdir(d))) {
		size_t len = strlen(de->d_name);

		if (!str_ends(de->d_name, SUFFIX))
			continue;
		const char *name = arena_strndup(a, de->d_name, len - strlen(SUFFIX));
		if (level_name_check(name, &ignored) == 0 && !embedded(name))
			names[n++] = name;
	}
	return n;
}

int policy_level_names(struct arena *a, const struct admin *admin, const char *const **out,
		       size_t *n, struct err *e)
{
	enum { MOST = 1024 };
	const char **names = arena_array(a, MOST, sizeof(*names));

	*n = 0;
	for (const struct level_embedded *l = level_embedded; l->name; l++)
		names[(*n)++] = l->name;
	own_dir DIR *d = opendir(admin->levels);
	if (!d && errno != ENOENT)
		return err_set(e, errno, "levels: %s", admin->levels);
	if (d)
		*n += directory_names(a, d, names + *n, MOST - 1 - *n);
	str_sort(names, *n);
	*out = names;
	return 0;
}

int policy_admin_load(struct arena *a, const char *path, struct admin *out, struct err *e)
{
	const char *file = path ? path : "/etc/brig/brig.json";
	char *text;
	size_t len;

	*out = (struct admin){0};
	int r = read_file(a, file, ADMIN_MAX_BYTES, &text, &len, e);
	if (r == -ENOENT && !path) {
		admin_defaults(out);
		return 0;
	}
	if (r < 0)
		return r;
	r = admin_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, "%s", file) : 0;
}
