#ifndef BRIG_FS_OPTION_H
#define BRIG_FS_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/* Mount option strings of config.md as what the kernel's mount calls want. */

/* Attributes to set and to clear, as in struct mount_attr: cleared first, then set. */
struct fs_attrs {
	uint64_t set, clear;
};

struct fs_data { /* one fsconfig: a flag when value is NULL */
	const char *key, *value;
};

enum { FS_MAX_PROPAGATION = 4 };

struct fs_options {
	struct fs_attrs attrs, recursive; /* recursive: the r* words, the whole tree */
	struct {
		uint64_t type; /* MS_SHARED, MS_SLAVE, MS_PRIVATE, MS_UNBINDABLE */
		bool recursive;
	} propagation[FS_MAX_PROPAGATION]; /* in the order given: slave, shared is not shared, slave
					    */
	size_t n_propagation;
	bool bind, recursive_bind, remount, copy_up, idmap, recursive_idmap;
	bool unmapped; /* a read-only bind keeps the ids it has: what only root may read stays so */
	struct fs_data *data; /* of the file system: everything else, in order */
	size_t n_data;
};

/*
 * Reads the n option words of one mount.  A word that is in no table is data of the file system.
 * Errors name the option.
 */
int fs_options_parse(struct arena *a, const char *const *words, size_t n, struct fs_options *out,
		     struct err *e) MUST_CHECK;
/* The value of the last data option key, NULL if there is none. */
const char *fs_options_data(const struct fs_options *o, const char *key);
/* linux.rootfsPropagation and the propagation options; false: no such word. */
bool fs_propagation_word(const char *word, uint64_t *type, bool *recursive);

#endif
