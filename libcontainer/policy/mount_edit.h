#ifndef BRIG_POLICY_MOUNT_EDIT_H
#define BRIG_POLICY_MOUNT_EDIT_H

#include "policy/apply.h"

/* One mount of config.json while the level looks at it. */
struct mount_edit {
	struct oci_mount m;
	const char *field;  /* mounts[3] /dev/shm */
	const char *dest;   /* cleaned */
	const char **words; /* the options; room for MOUNT_EDIT_MORE more */
	size_t n_words;
	bool bind, recursive;
};

enum { MOUNT_EDIT_MORE = 16 };

void mount_edit_begin(struct apply *x, const char *field, const struct oci_mount *m,
		      struct mount_edit *out);
/* Stores the options and notes them if they changed. */
void mount_edit_end(struct apply *x, struct mount_edit *m, const char *reason);

bool mount_edit_has(const struct mount_edit *m, const char *word);
/* Takes a word out, or, ending in '=', the option with any value. */
void mount_edit_drop(struct mount_edit *m, const char *word);
void mount_edit_add(struct mount_edit *m, const char *word);
/* The value behind "key=", the last one as the kernel takes it; NULL without. */
const char *mount_edit_value(const struct mount_edit *m, const char *key);

/* Sets nosuid, nodev, noexec, ro: the opposite words go. */
void mount_edit_force(struct mount_edit *m, const char *word);
/* No more than what the level gives a tmpfs. */
void mount_edit_bound_tmpfs(struct apply *x, struct mount_edit *m);
/* "key=" with a number between 1 and most, smaller ones stay. */
void mount_edit_bound(struct apply *x, struct mount_edit *m, const char *key, uint64_t most);
/* uid= and gid= of ids that the sandbox does not have are EINVAL for the kernel. */
void mount_edit_drop_unmapped(struct apply *x, struct mount_edit *m);
/* shared and rshared: what the sandbox mounts would appear on the host. */
void mount_edit_unshare(struct mount_edit *m);

/* Whether the source of a bind mount may be seen in a sandbox.  *device: a default device node. */
int apply_source(struct apply *x, const struct mount_edit *m, bool *device,
		 struct err *e) MUST_CHECK;

/* What goes into every sandbox that config.json does not have; see apply_own.c. */
struct mount_list {
	struct oci_mount *v;
	size_t n;
};
void apply_own_first(struct apply *x, const struct mount_list *given, struct mount_list *out);
void apply_own_dev(struct apply *x, const struct mount_list *given, struct mount_list *out);
int apply_own_writable(struct apply *x, const struct mount_list *given, struct mount_list *out,
		       struct err *e) MUST_CHECK;
size_t apply_own_max(const struct apply *x);

enum { APPLY_MAX_PTYS = 64 };

#endif
