#include "fs/overlay.h"

#include <errno.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/mountinfo.h"
#include "fs/tree.h"

/* The kernel stacks file systems two deep (FILESYSTEM_MAX_STACK_DEPTH). */
enum { MAX_DEPTH = 2, MAX_LAYERS = 500 };

bool overlay_is(int fd)
{
	struct statfs sfs;

	return fstatfs(fd, &sfs) == 0 && sfs.f_type == OVERLAYFS_SUPER_MAGIC;
}

void overlay_init(struct arena *a, struct overlay *o, size_t n)
{
	*o = (struct overlay){.layers = arena_array(a, n + 1, sizeof(*o->layers)), .sub = ""};
}

void overlay_add(struct overlay *o, int tree)
{
	memmove(o->layers + 1, o->layers, o->n * sizeof(*o->layers));
	o->layers[0] = (struct overlay_layer){tree, false};
	o->n++;
}

void overlay_close(struct overlay *o)
{
	for (size_t i = 0; i < o->n; i++)
		own_close(&o->layers[i].tree);
	o->n = 0;
}

/* What a line of mountinfo says about the layers. */
struct layer_name {
	const char *path;
	bool data, literal;
};
struct found {
	struct arena *a;
	const char *path; /* asked for */
	struct overlay *o;
	struct layer_name *names;
	size_t n;
	bool seen;
};

static void add_name(struct found *f, const char *path, bool data, bool literal)
{
	if (f->n < MAX_LAYERS)
		f->names[f->n++] = (struct layer_name){path, data, literal};
}

/* a:b::c, where "\:" is a colon of a name and what follows "::" is data only. */
static void add_names(struct found *f, char *list)
{
	char *from = list;
	bool data = false;

	for (char *s = list;; s++) {
		if (*s == '\\' && s[1]) {
			s++;
			continue;
		}
		if (*s && *s != ':')
			continue;
		bool end = !*s;
		*s = '\0';
		if (s == from)
			data = true;
		else
			add_name(f, from, data, false);
		if (end)
			return;
		from = s + 1;
	}
}

/* A backslash before a character stands for that character. */
static char *unescape(struct arena *a, const char *s)
{
	char *out = arena_strdup(a, s), *to = out;

	for (; *s; s++) {
		if (*s == '\\' && s[1])
			s++;
		*to++ = *s;
	}
	*to = '\0';
	return out;
}

/* Without these the same layers read differently (a metacopy file as empty or not at all). */
static bool reading_option(const char *key)
{
	static const char *const keys[] = {"metacopy", "redirect_dir", "userxattr", "verity"};

	for (size_t i = 0; i < LEN(keys); i++)
		if (str_eq(key, keys[i]))
			return true;
	return false;
}

static void read_option(struct found *f, char *word)
{
	char *value = strchr(word, '=');
	struct overlay *o = f->o;

	if (value) {
		*value++ = '\0';
		str_unescape(value);
	}
	if (value && str_eq(word, "upperdir"))
		add_name(f, value, false, false);
	else if (value && str_eq(word, "lowerdir"))
		add_names(f, value);
	else if (value && (str_eq(word, "lowerdir+") || str_eq(word, "datadir+")))
		add_name(f, value, word[0] == 'd', true);
	else if (reading_option(word) && o->n_options < LEN(o->options))
		o->options[o->n_options++] = (struct fs_data){word, value};
}

/* The uppermost layer comes after the lower ones in the options. */
static void upper_first(struct found *f, const char *upper)
{
	size_t last = f->n - 1;

	if (f->n < 2 || f->names[last].path != upper)
		return;
	struct layer_name name = f->names[last];
	memmove(f->names + 1, f->names, last * sizeof(name));
	f->names[0] = name;
}

/* Where path lies in the overlay: below the directory that was mounted at point. */
static int find_sub(struct found *f, const struct mountinfo_row *r, struct err *e)
{
	size_t n = str_eq(r->point, "/") ? 0 : strlen(r->point);

	if (strncmp(f->path, r->point, n) != 0 || (f->path[n] && f->path[n] != '/'))
		return err_msg(e, EINVAL, "%s is not where its mount %s is seen", f->path,
			       r->point);
	f->o->sub = arena_printf(f->a, "%s%s", str_eq(r->root, "/") ? "" : r->root, f->path + n);
	if (str_eq(f->o->sub, "/"))
		f->o->sub = "";
	return 0;
}

static int read_row(const struct mountinfo_row *r, void *ctx, struct err *e)
{
	struct found *f = ctx;
	const char *upper = NULL;
	char *save = NULL;

	f->seen = true;
	if (!str_eq(r->type, "overlay") || !r->super)
		return err_msg(e, EINVAL, "%s: a mount of type %s, not overlay", f->path, r->type);
	char *text = arena_strdup(f->a, r->super);
	for (char *w = strtok_r(text, ",", &save); w; w = strtok_r(NULL, ",", &save)) {
		size_t before = f->n;

		read_option(f, w);
		if (str_eq(w, "upperdir") && f->n > before)
			upper = f->names[before].path;
	}
	if (upper && f->n)
		upper_first(f, upper);
	return find_sub(f, r, e);
}

static int layer_tree(struct arena *a, const char *path, int userns, const char *place, int depth,
		      struct err *e);

/* The path as it was given, with escapes or without: the kernel shows some of both. */
static int open_layer(struct arena *a, const struct layer_name *name, int userns, const char *place,
		      int depth, struct err *e)
{
	const char *plain = name->literal ? name->path : unescape(a, name->path);

	if (name->path[0] != '/')
		return err_msg(
			e, EINVAL,
			"layer %s: a relative path, whose start is not known: the engine has "
			"to mount its overlay with absolute ones",
			name->path);
	int tree = layer_tree(a, plain, userns, place, depth, e);
	if (tree == -ENOENT && !str_eq(plain, name->path))
		tree = layer_tree(a, name->path, userns, place, depth, e);
	return tree < 0 ? err_wrap(e, "layer %s", plain) : tree;
}

static int read_layers(struct arena *a, const char *path, int userns, const char *place, int depth,
		       struct overlay *out, struct err *e)
{
	own_fd int dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct found f = {.a = a, .path = path, .o = out};

	if (dir < 0)
		return err_set(e, errno, "open %s", path);
	f.names = arena_array(a, MAX_LAYERS, sizeof(*f.names));
	*out = (struct overlay){.sub = ""};
	int r = mountinfo_of(dir, read_row, &f, e);
	if (r < 0)
		return r;
	if (!f.seen || !f.n)
		return err_msg(e, EINVAL, "the layers of the overlay on %s are not known", path);
	out->layers = arena_array(a, f.n + 1, sizeof(*out->layers));
	for (size_t i = 0; i < f.n; i++) {
		int tree = open_layer(a, &f.names[i], userns, place, depth, e);

		if (tree < 0) {
			overlay_close(out);
			return err_wrap(e, "overlay on %s", path);
		}
		out->layers[out->n++] = (struct overlay_layer){tree, f.names[i].data};
	}
	return 0;
}

int overlay_read(struct arena *a, const char *path, int userns, const char *place,
		 struct overlay *out, struct err *e)
{
	return read_layers(a, path, userns, place, 1, out, e);
}

static int layer_tree(struct arena *a, const char *path, int userns, const char *place, int depth,
		      struct err *e)
{
	own_fd int tree = tree_clone(AT_FDCWD, path, false, e);
	struct overlay inner;

	if (tree < 0)
		return tree;
	int r = tree_set(tree, NULL, 0, userns, false, e);
	if (r == 0)
		return take_fd(&tree);
	if (r != -EINVAL || !overlay_is(tree))
		return r;
	if (depth >= MAX_DEPTH)
		return err_msg(e, ELOOP, "overlays stacked deeper than the kernel does");
	r = read_layers(a, path, userns, place, depth + 1, &inner, e);
	if (r < 0)
		return r;
	r = overlay_mount(&inner, place, 0, e);
	overlay_close(&inner);
	return r;
}

/* How layers are named: by descriptor since Linux 6.13, one by one since 6.8, before in one word.
 */
enum form { BY_FD, BY_NAME, IN_ONE_WORD, N_FORMS };

static int add_layer(int fs, const struct overlay_layer *l, enum form form, struct err *e)
{
	const char *key = l->data ? "datadir+" : "lowerdir+";
	char name[32];
	int r;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", l->tree);
	r = form == BY_FD ? fsconfig(fs, FSCONFIG_SET_FD, key, NULL, l->tree)
			  : fsconfig(fs, FSCONFIG_SET_STRING, key, name, 0);
	return r < 0 ? err_set(e, errno, "overlay: add layer") : 0;
}

/* fsconfig(2) takes 255 bytes. */
static int add_word(int fs, const struct overlay *o, struct err *e)
{
	char list[256];
	size_t at = 0;

	for (size_t i = 0; i < o->n; i++) {
		int n = snprintf(list + at, sizeof(list) - at, "%s/proc/self/fd/%d", i ? ":" : "",
				 o->layers[i].tree);

		at += (size_t)n;
		if (at >= sizeof(list) || o->layers[i].data)
			return err_msg(e, E2BIG,
				       "overlay: %zu layers, refused one by one, are too many "
				       "before Linux 6.8",
				       o->n);
	}
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir", list, 0) < 0)
		return err_set(e, errno, "overlay: lowerdir");
	return 0;
}

static int add_layers(int fs, const struct overlay *o, enum form form, struct err *e)
{
	int r = 0;

	if (form == IN_ONE_WORD)
		return add_word(fs, o, e);
	for (size_t i = 0; i < o->n && r == 0; i++)
		r = add_layer(fs, &o->layers[i], form, e);
	return r;
}

static int add_options(int fs, const struct overlay *o, struct err *e)
{
	for (size_t i = 0; i < o->n_options; i++) {
		const struct fs_data *d = &o->options[i];

		if (fsconfig(fs, d->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, d->key,
			     d->value, 0) < 0)
			return err_set(e, errno, "overlay: %s", d->key);
	}
	return 0;
}

/* The kernel's own words, if it left any. */
static int say_why(int fs, int code, struct err *e)
{
	char text[256];
	ssize_t n = read(fs, text, sizeof(text) - 1);

	if (n <= 2)
		return err_set(e, code, "overlay: create");
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return err_set(e, code, "overlay: create: %s", text + 2);
}

int overlay_attach(int tree, const char *path, struct err *e)
{
	if (move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_set(e, errno, "attach on %s", path);
	return 0;
}

static int new_overlay(const struct overlay *o, enum form form, uint64_t attrs, struct err *e)
{
	own_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return err_set(e, errno, "file system type overlay");
	int r = add_layers(fs, o, form, e);
	if (r == 0)
		r = add_options(fs, o, e);
	if (r < 0)
		return r;
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", "overlay", 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return say_why(fs, errno, e);
	int tree = fsmount(fs, FSMOUNT_CLOEXEC, (unsigned int)(attrs | MOUNT_ATTR_RDONLY));
	return tree >= 0 ? tree : say_why(fs, errno, e);
}

/*
 * Kernels that lack a form say EBADF (6.12, to descriptors of O_PATH) or EOPNOTSUPP; those before
 * 6.5 take any key, and the whole is invalid then.
 */
static bool is_unknown_form(int r)
{
	return r == -EINVAL || r == -EBADF || r == -EOPNOTSUPP;
}

static int attach_layers(const struct overlay *o, const char *place, struct err *e)
{
	int r = 0;

	for (size_t i = 0; i < o->n && r == 0; i++)
		r = overlay_attach(o->layers[i].tree, place, e);
	return r;
}

/*
 * Detached layers first, by descriptor: the names that the overlay shows inside (mountinfo) are
 * "/" then, while attached ones would tell the place.  By name they are /proc/self/fd/N.  They are
 * attached afterwards all the same: they go with the old root, at once, where the kernel waits
 * for each detached mount that is closed (0.03 ms).
 */
int overlay_mount(struct overlay *o, const char *place, uint64_t attrs, struct err *e)
{
	own_fd int tree = new_overlay(o, BY_FD, attrs, e);
	int r = tree >= 0 || is_unknown_form(tree) ? attach_layers(o, place, e) : 0;

	if (r < 0)
		return r;
	for (enum form form = BY_NAME; form < N_FORMS && is_unknown_form(tree); form++)
		tree = new_overlay(o, form, attrs, e);
	if (tree < 0)
		return -e->code;
	if (!*o->sub)
		return take_fd(&tree);
	/* A part of a mount can be copied out of an attached one only. */
	r = overlay_attach(tree, place, e);
	return r < 0 ? r : tree_clone(tree, o->sub + 1, false, e);
}
