#ifndef BRIG_FS_APPLY_H
#define BRIG_FS_APPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "fs/diff.h"

/*
 * The changes of an overlay made to the directory below it.  First all of it is looked at, then it
 * is done, one entry at a time: a file is whole or not there.  What is like the sandbox's already
 * is left alone, so that it can be begun anew when it was cut short.
 *
 * Names and contents are the sandbox's; owners are not: a file has that of the one it replaces,
 * else of the directory that it is in.  No setuid, setgid or sticky bit, no attribute, no device.
 */
struct fs_apply {
	const struct fs_layer *layer;
	int64_t since_ns; /* what changed in the directory from then on is somebody else's */
	bool skip;        /* leave out what is no file, directory or link that stays inside */
	bool act;         /* false: only look */
	/* It was begun before, and cut short: change times are ours, too, by then.  Of files the
	 * time of their contents is looked at; of directories, what is in them. */
	bool again;
	const char *temp; /* name of a file that is being written */
	/* counted, done or to be done */
	uint64_t added, changed, deleted, bytes, skipped;
	/* Each entry that is done; escaped nothing. */
	void (*done)(void *ctx, const struct fs_change *c);
	void *ctx;
};

/*
 * -ESTALE: the directory has changed where the sandbox changed it, too; -EOPNOTSUPP: what is not
 * applied; the error names it.
 */
int fs_apply(struct fs_apply *a, struct err *e) MUST_CHECK;

/* Whether a link in a directory so deep below the volume's root leads out of it. */
bool fs_link_leaves(const char *target, size_t len, size_t depth);

#endif
