#ifndef BRIG_CGROUP_TEXT_H
#define BRIG_CGROUP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Readers of the kernel's cgroup texts.  All work on a writable, terminated buffer, which they
 * cut into pieces, and skip lines that they do not understand: newer kernels add lines.
 */

/* One line of /proc/PID/cgroup: "4:memory:/a", "0::/b", "1:name=systemd:/". */
struct cg_self {
	const char *hierarchy, *path;
};
/* The next good line from *text, which moves on; false at the end. */
bool cg_self_next(char **text, struct cg_self *out);

/* One line of /proc/PID/mountinfo, of a cgroup or cgroup2 file system only. */
struct cg_mountinfo {
	const char *root, *mountpoint, *options; /* options: of the super block */
	bool v2;
};
bool cg_mountinfo_next(char **text, struct cg_mountinfo *out);
/* True when every word of list is among the options, both separated by commas. */
bool cg_options_have(const char *options, const char *list);

/* The next "key value" line (memory.stat, cpu.stat, memory.events, cgroup.events). */
bool cg_flat_next(char **text, const char **key, uint64_t *value);
/* The value of one key; text stays whole. False if absent. */
bool cg_flat_get(const char *text, const char *key, uint64_t *value);

/* "max" or a number; UINT64_MAX for max. */
bool cg_limit(const char *text, uint64_t *value);

/* cpu.pressure and the like; a missing "full" line has no avg10. Numbers stay text: "0.12". */
struct cg_psi_line {
	const char *avg10, *avg60, *avg300;
	uint64_t total;
};
struct cg_psi {
	struct cg_psi_line some, full;
};
bool cg_psi_parse(char *text, struct cg_psi *out);

/*
 * One value of io.stat ("8:0 rbytes=1 wbytes=2") or of a v1 blkio file ("8:0 Read 1", "8:0 5";
 * the sum lines without a device are skipped).  op is "" where there is none.
 */
struct cg_io {
	uint32_t major, minor;
	const char *op;
	uint64_t value;
};
struct cg_io_iter {
	char *text; /* what is left */
	char *line; /* rest of the current io.stat line */
	uint32_t major, minor;
};
bool cg_io_stat_next(struct cg_io_iter *it, struct cg_io *out);
bool cg_blkio_next(struct cg_io_iter *it, struct cg_io *out);

/* One pid per line; 0 is skipped. False at the end. */
bool cg_pid_next(char **text, int *pid);

/* Lines "MAJOR:MINOR rest" or "NAME rest": rest of the line with this first word, or NULL. */
const char *cg_line_of(char *text, const char *word);

#endif
