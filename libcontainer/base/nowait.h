#ifndef BRIG_NOWAIT_H
#define BRIG_NOWAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/err.h"

/*
 * Writing to what somebody else has opened, and may never read: without waiting, and without
 * O_NONBLOCK, which belongs to the open file and so would be the others' too.
 */
struct nowait {
	int fd;
	bool flag; /* RWF_NOWAIT is known for it */
	bool regular, fifo;
};
/* The descriptor stays the caller's. */
int nowait_init(struct nowait *n, int fd, struct err *e) MUST_CHECK;
/* As write(2), perhaps less, but EAGAIN where there is no room. */
ssize_t nowait_write(struct nowait *n, const char *buf, size_t len);

#endif
