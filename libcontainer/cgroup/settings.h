#ifndef BRIG_CGROUP_SETTINGS_H
#define BRIG_CGROUP_SETTINGS_H

#include "cgroup/internal.h"

/*
 * Limits as data: which file of which controller gets which text, in which order.  Made by
 * resources_v1.c and resources_v2.c without touching the host, written by settings_apply.
 */
enum {
	SET_OPTIONAL = 1, /* a missing or retired file is passed over */
	SET_RETRY = 2,    /* EINVAL: once more after the other files of this controller */
	SET_ELSE = 4,     /* missing: the next setting counts; present: the next one is skipped */
	SET_KEEP = 8,     /* not set back when a later one fails */
	SET_BY_LINE = 16, /* the file has a line per device: set back line by line */
};

struct setting {
	enum cg_ctrl ctrl;
	const char *file, *value;
	const char *unset; /* SET_BY_LINE: the text after the device that removes the line */
	unsigned int flags;
};

struct settings {
	struct arena *a;
	struct setting *v;
	size_t n, cap;
};

void settings_add(struct settings *s, enum cg_ctrl c, unsigned int flags, const char *file,
		  const char *value);
void settings_addf(struct settings *s, enum cg_ctrl c, unsigned int flags, const char *file,
		   const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* A line for one device: value is "KEY text". */
void settings_add_line(struct settings *s, enum cg_ctrl c, const char *file, const char *unset,
		       const char *value);

/* Old contents of what settings_apply wrote, newest last. */
struct undo_list {
	struct arena *a;
	struct setting *v;
	size_t n, cap;
};

/*
 * Writes all in order.  With undo the old contents are kept there; on failure they are
 * written back first.  The message names the file.
 */
int settings_apply(struct cgroup *cg, const struct settings *s, struct undo_list *undo,
		   struct err *e) MUST_CHECK;
/* Writes the old contents back, as well as possible. */
void settings_undo(const struct cgroup *cg, const struct undo_list *undo);
/* Controllers that s writes to. */
uint32_t settings_ctrls(const struct settings *s);

/*
 * oci_resources to settings; update: for a live cgroup, whose directory then gives the values
 * that a new one depends on (NULL when making a plan).  Devices are not part of an update.
 */
int settings_v1(struct settings *s, const struct oci_resources *r, const struct cgroup *live,
		struct err *e) MUST_CHECK;
int settings_v2(struct settings *s, const struct oci_resources *r, const struct cgroup *live,
		struct err *e) MUST_CHECK;
/* What no layout takes: negative sizes and the like. */
int settings_check(const struct oci_resources *r, struct err *e) MUST_CHECK;

#endif
