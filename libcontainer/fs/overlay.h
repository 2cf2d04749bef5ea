#ifndef BRIG_FS_OVERLAY_H
#define BRIG_FS_OVERLAY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "fs/option.h"

/*
 * Read-only overlays of mounts held by descriptor.  An overlay mount itself cannot be id-mapped,
 * but made anew from id-mapped copies of its layers it shows the same files with the owners
 * wanted.  The layers stand in its line of mountinfo.
 */

struct overlay_layer {
	int tree;
	bool data; /* content of metacopy files only ("datadir+") */
};

struct overlay {
	struct overlay_layer *layers; /* the uppermost first */
	size_t n;
	struct fs_data options[4]; /* how its layers are to be read: metacopy and the like */
	size_t n_options;
	const char *sub; /* the directory wanted, in the overlay; "": all of it */
};

/* An overlay of nothing yet, with room for n layers; freed with overlay_close. */
void overlay_init(struct arena *a, struct overlay *o, size_t n);
void overlay_add(struct overlay *o, int tree); /* as the uppermost; the tree is the overlay's */
void overlay_close(struct overlay *o);
/* Mounts the tree upon what path shows. */
int overlay_attach(int tree, const char *path, struct err *e) MUST_CHECK;

/*
 * The layers of the overlay that the directory path lies on, id-mapped with userns (-1: not),
 * with room for one more.  Layers that lie on an overlay are made anew too.  place: see
 * overlay_mount.
 */
int overlay_read(struct arena *a, const char *path, int userns, const char *place,
		 struct overlay *out, struct err *e) MUST_CHECK;
/*
 * The layers as one detached read-only mount with the attributes attrs.  Kernels up to 6.12 or so
 * take attached layers only: then they are mounted upon one another at place, a directory of the
 * caller's own mount namespace which it is going to cover anyway.
 */
int overlay_mount(struct overlay *o, const char *place, uint64_t attrs, struct err *e) MUST_CHECK;
bool overlay_is(int fd);

#endif
