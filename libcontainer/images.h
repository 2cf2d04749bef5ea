#ifndef BRIG_IMAGES_H
#define BRIG_IMAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "criu/wire.h"
#include "specs/runtime.h"

/*
 * What checkpoint and restore share: the directories of the images, the options that criu is
 * given for both, and what of a container criu cannot save because it belongs to the host.
 * Names of the latter are runc's, so that either runtime restores images of the other.
 */
struct images {
	struct arena *arena;
	int dir, work;        /* -1: not open; work may be -1: the same */
	bool made, made_work; /* by this command */
	const char *log;      /* path of criu's log */
	const struct container_criu_opts *opts;
};

/* Mistakes in options, found before anything is touched. */
int images_check(const struct container_criu_opts *o, struct err *e) MUST_CHECK;
/* make: the image directory is made (0700) if it is missing; the work directory always is. */
int images_open(struct images *im, struct arena *a, const struct container_criu_opts *o, bool make,
		const char *log, struct err *e) MUST_CHECK;
/*
 * The same directories as a process in another mount namespace sees them: criu makes mounts below
 * its work directory, which must be in its own.
 */
int images_enter(struct images *im, pid_t pid, struct err *e) MUST_CHECK;
void images_close(struct images *im);
/* Removes what open made if nothing is in it. */
void images_discard(struct images *im);
/* Fields of criu_opts that both take. */
void images_common(const struct images *im, struct wire_out *opts);

/*
 * A mount that belongs to the host.  dest: as the container's mountinfo names it, symlinks of
 * the image resolved; key: what stands for it in the images.
 */
struct images_mount {
	const char *dest, *key, *source;
};
/* What masked files are bound to; masked directories are a tmpfs of the container's own. */
#define IMAGES_MASK "/dev/null"
/* Bind mounts and device nodes that are bound.  rootfs: the root's directory on the host. */
int images_mounts(struct arena *a, const struct oci_config *c, const char *bundle,
		  const char *rootfs, struct images_mount **out, size_t *n,
		  struct err *e) MUST_CHECK;
/* An ext_mount_map: at a checkpoint from a place to its key, at a restore from a key to a source.
 */
void images_add_mount(struct arena *a, struct wire_out *opts, const char *from, const char *to);
/* The path that dest has below rootfs when every symlink is followed. */
const char *images_resolve(struct arena *a, int rootfs, const char *dest);
bool images_is_bind(const struct oci_mount *m);

/* Network and pid namespaces given by path stay the host's: the name they have in the images. */
const char *images_external_ns(const struct oci_namespace *ns);

/*
 * descriptors.json: three strings, what was open as descriptors 0 to 2.  pipe:[INODE] and
 * file[MOUNT:INODE] are the host's and are given to criu again at restore.
 */
#define IMAGES_DESCRIPTORS "descriptors.json"
enum { IMAGES_STDIO = 3 };
int images_save_stdio(const struct images *im, pid_t pid, struct wire_out *opts,
		      struct err *e) MUST_CHECK;
int images_load_stdio(const struct images *im, const char *names[IMAGES_STDIO],
		      struct err *e) MUST_CHECK;

#endif
