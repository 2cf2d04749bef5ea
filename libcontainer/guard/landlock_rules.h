#ifndef BRIG_GUARD_LANDLOCK_RULES_H
#define BRIG_GUARD_LANDLOCK_RULES_H

#include <stdint.h>

/* The kernel's calls, for landlock*.c. */

/* linux/landlock.h of Linux 6.1 ends at version 2. */
enum {
	FS_EXECUTE = 1 << 0,
	FS_WRITE_FILE = 1 << 1,
	FS_REMOVE_DIR = 1 << 4,
	FS_REMOVE_FILE = 1 << 5,
	FS_MAKE_CHAR = 1 << 6,
	FS_MAKE_DIR = 1 << 7,
	FS_MAKE_REG = 1 << 8,
	FS_MAKE_SOCK = 1 << 9,
	FS_MAKE_FIFO = 1 << 10,
	FS_MAKE_BLOCK = 1 << 11,
	FS_MAKE_SYM = 1 << 12,
	FS_REFER = 1 << 13,     /* 2, Linux 5.19 */
	FS_TRUNCATE = 1 << 14,  /* 3, Linux 6.2 */
	FS_IOCTL_DEV = 1 << 15, /* 5, Linux 6.10 */
};

/* A longer struct than the kernel knows is taken as long as the rest is zero. */
struct landlock_attr {
	uint64_t fs, net, scoped;
};

/* As the calls: -1 and errno. */
int landlock_make(const struct landlock_attr *attr);
int landlock_allow(int ruleset, int fd, uint64_t access);
int landlock_enter(int ruleset);

#endif
