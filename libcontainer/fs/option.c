#include "fs/option.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "fs/fs.h"

enum kind {
	ATTR,        /* attribute of the mount */
	TREE_ATTR,   /* attribute of the mount and all below */
	PROPAGATION, /* value: MS_*; tree: recursive */
	SUPER,       /* flag of the superblock: an fsconfig flag of the name in word */
	SWITCH,      /* value: a bool of struct fs_options, by offset */
	NOTHING,     /* understood, without effect in the kernel's mount interface of today */
};

struct option {
	const char *name;
	uint64_t set, clear; /* ATTR, TREE_ATTR; PROPAGATION: set */
	const char *word;    /* SUPER */
	size_t flag;         /* SWITCH */
	enum kind kind;
	bool tree;
};

#define ATTRS(name, set, clear)                                                                    \
	{                                                                                          \
		name, set, clear, NULL, 0, ATTR, false                                             \
	}
#define TREE(name, set, clear)                                                                     \
	{                                                                                          \
		name, set, clear, NULL, 0, TREE_ATTR, true                                         \
	}
#define PROPAGATE(name, type, tree)                                                                \
	{                                                                                          \
		name, type, 0, NULL, 0, PROPAGATION, tree                                          \
	}
#define SUPERBLOCK(name, word)                                                                     \
	{                                                                                          \
		name, 0, 0, word, 0, SUPER, false                                                  \
	}
#define SWITCHES(name, member)                                                                     \
	{                                                                                          \
		name, 0, 0, NULL, offsetof(struct fs_options, member), SWITCH, false               \
	}
#define IGNORED(name)                                                                              \
	{                                                                                          \
		name, 0, 0, NULL, 0, NOTHING, false                                                \
	}

/*
 * Sorted by name.  The access time mode is one field of two bits in the kernel: to set it all of
 * it must be cleared.  relatime is mode 0, so to clear another mode means relatime.
 */
static const struct option options[] = {
	SUPERBLOCK("async", "async"),
	ATTRS("atime", 0, MOUNT_ATTR__ATIME),
	SWITCHES("bind", bind),
	SWITCHES("brig.unmapped", unmapped),
	IGNORED("defaults"),
	ATTRS("dev", 0, MOUNT_ATTR_NODEV),
	ATTRS("diratime", 0, MOUNT_ATTR_NODIRATIME),
	SUPERBLOCK("dirsync", "dirsync"),
	ATTRS("exec", 0, MOUNT_ATTR_NOEXEC),
	SWITCHES("idmap", idmap),
	/* SB_I_VERSION cannot be set through fsconfig; file systems that keep one always do. */
	IGNORED("iversion"),
	SUPERBLOCK("lazytime", "lazytime"),
	IGNORED("loud"),
	/* Mandatory locks are gone since Linux 5.15. */
	IGNORED("mand"),
	ATTRS("noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
	ATTRS("nodev", MOUNT_ATTR_NODEV, 0),
	ATTRS("nodiratime", MOUNT_ATTR_NODIRATIME, 0),
	ATTRS("noexec", MOUNT_ATTR_NOEXEC, 0),
	IGNORED("noiversion"),
	SUPERBLOCK("nolazytime", "nolazytime"),
	IGNORED("nomand"),
	/* The next two take back an earlier word only: a mode cannot be "not relatime". */
	IGNORED("norelatime"),
	ATTRS("nostrictatime", 0, MOUNT_ATTR_STRICTATIME),
	ATTRS("nosuid", MOUNT_ATTR_NOSUID, 0),
	ATTRS("nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0),
	PROPAGATE("private", MS_PRIVATE, false),
	TREE("ratime", 0, MOUNT_ATTR__ATIME),
	SWITCHES("rbind", recursive_bind),
	TREE("rdev", 0, MOUNT_ATTR_NODEV),
	TREE("rdiratime", 0, MOUNT_ATTR_NODIRATIME),
	ATTRS("relatime", 0, MOUNT_ATTR__ATIME),
	SWITCHES("remount", remount),
	TREE("rexec", 0, MOUNT_ATTR_NOEXEC),
	SWITCHES("ridmap", recursive_idmap),
	TREE("rnoatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME),
	TREE("rnodev", MOUNT_ATTR_NODEV, 0),
	TREE("rnodiratime", MOUNT_ATTR_NODIRATIME, 0),
	TREE("rnoexec", MOUNT_ATTR_NOEXEC, 0),
	TREE("rnorelatime", 0, MOUNT_ATTR__ATIME),
	TREE("rnostrictatime", 0, MOUNT_ATTR__ATIME),
	TREE("rnosuid", MOUNT_ATTR_NOSUID, 0),
	TREE("rnosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0),
	ATTRS("ro", MOUNT_ATTR_RDONLY, 0),
	PROPAGATE("rprivate", MS_PRIVATE, true),
	TREE("rrelatime", 0, MOUNT_ATTR__ATIME),
	TREE("rro", MOUNT_ATTR_RDONLY, 0),
	TREE("rrw", 0, MOUNT_ATTR_RDONLY),
	PROPAGATE("rshared", MS_SHARED, true),
	PROPAGATE("rslave", MS_SLAVE, true),
	TREE("rstrictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
	TREE("rsuid", 0, MOUNT_ATTR_NOSUID),
	TREE("rsymfollow", 0, MOUNT_ATTR_NOSYMFOLLOW),
	PROPAGATE("runbindable", MS_UNBINDABLE, true),
	ATTRS("rw", 0, MOUNT_ATTR_RDONLY),
	PROPAGATE("shared", MS_SHARED, false),
	IGNORED("silent"),
	PROPAGATE("slave", MS_SLAVE, false),
	ATTRS("strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME),
	ATTRS("suid", 0, MOUNT_ATTR_NOSUID),
	ATTRS("symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW),
	SUPERBLOCK("sync", "sync"),
	SWITCHES("tmpcopyup", copy_up),
	PROPAGATE("unbindable", MS_UNBINDABLE, false),
};

static const struct option *find(const char *name)
{
	size_t low = 0, high = LEN(options);

	while (low < high) {
		size_t mid = (low + high) / 2;
		int c = strcmp(name, options[mid].name);

		if (c == 0)
			return &options[mid];
		if (c < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

bool fs_propagation_word(const char *word, uint64_t *type, bool *recursive)
{
	const struct option *o = find(word);

	if (!o || o->kind != PROPAGATION)
		return false;
	*type = o->set;
	*recursive = o->tree;
	return true;
}

const char *const *fs_mount_option_names(struct arena *a)
{
	const char **names = arena_array(a, LEN(options) + 1, sizeof(*names));

	for (size_t i = 0; i < LEN(options); i++)
		names[i] = options[i].name;
	return names;
}

const char *fs_options_data(const struct fs_options *o, const char *key)
{
	for (size_t i = o->n_data; i-- > 0;)
		if (str_eq(o->data[i].key, key))
			return o->data[i].value ? o->data[i].value : "";
	return NULL;
}

/* A later word wins over an earlier one. */
static void fold(struct fs_attrs *at, const struct option *o)
{
	at->set = (at->set & ~o->clear) | o->set;
	/* nostrictatime alone must not change another mode of a bind mount. */
	if (o->clear == MOUNT_ATTR_STRICTATIME)
		return;
	at->clear = (at->clear & ~o->set) | o->clear;
	/* mount_setattr(2): EINVAL unless the whole field is cleared. */
	if (at->set & MOUNT_ATTR__ATIME)
		at->clear |= MOUNT_ATTR__ATIME;
}

static int apply(struct fs_options *out, const struct option *o, struct err *e)
{
	switch (o->kind) {
	case ATTR:
		fold(&out->attrs, o);
		break;
	case TREE_ATTR:
		fold(&out->recursive, o);
		break;
	case PROPAGATION:
		if (out->n_propagation == FS_MAX_PROPAGATION)
			return err_msg(e, EINVAL, "more than %d propagation options",
				       FS_MAX_PROPAGATION);
		out->propagation[out->n_propagation].type = o->set;
		out->propagation[out->n_propagation++].recursive = o->tree;
		break;
	case SUPER:
		out->data[out->n_data++].key = o->word;
		break;
	case SWITCH:
		*(bool *)((char *)out + o->flag) = true;
		break;
	case NOTHING:
		break;
	}
	return 0;
}

/* One data option, or several with commas between (a backslash keeps one: overlay's lowerdir). */
static void add_data(struct arena *a, struct fs_options *out, const char *text)
{
	while (*text) {
		size_t n = 0;

		while (text[n] && (text[n] != ',' || (n && text[n - 1] == '\\')))
			n++;
		if (n) {
			char *word = arena_strndup(a, text, n), *eq = strchr(word, '=');
			struct fs_data *d = &out->data[out->n_data++];

			if (eq)
				*eq++ = '\0';
			d->key = word;
			d->value = eq;
		}
		text += n + (text[n] == ',');
	}
}

static size_t count_words(const char *const *words, size_t n)
{
	size_t count = n;

	for (size_t i = 0; i < n; i++)
		for (const char *s = words[i]; *s; s++)
			count += *s == ',';
	return count;
}

int fs_options_parse(struct arena *a, const char *const *words, size_t n, struct fs_options *out,
		     struct err *e)
{
	*out = (struct fs_options){0};
	out->data = arena_array(a, count_words(words, n) + 1, sizeof(*out->data));
	for (size_t i = 0; i < n; i++) {
		const struct option *o = find(words[i]);

		if (!o && (words[i][0] == '=' || strchr(words[i], '\n')))
			return err_msg(e, EINVAL, "option \"%s\": no name", words[i]);
		if (!o)
			add_data(a, out, words[i]);
		else if (apply(out, o, e) < 0)
			return err_wrap(e, "option \"%s\"", words[i]);
	}
	out->bind |= out->recursive_bind;
	out->idmap |= out->recursive_idmap;
	return 0;
}
