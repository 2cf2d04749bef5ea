#ifndef BRIG_STATUS_H
#define BRIG_STATUS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "cgroup/cgroup.h"
#include "specs/state.h"

enum status { STATUS_CREATING, STATUS_CREATED, STATUS_RUNNING, STATUS_PAUSED, STATUS_STOPPED };

const char *status_name(enum status s);

/* Start time of a process (field 22 of /proc/PID/stat, clock ticks after boot); 0: it is gone
 * or a zombie.  With the pid it names a process for good. */
uint64_t process_start_time(pid_t pid);

/*
 * What state.json and the kernel say together: dead or reused pid -> stopped, frozen -> paused,
 * else as written.  dir: the state directory (a container whose maker was killed is stopped).
 * cg may be NULL: paused is then not told.
 */
enum status status_of(int dir, const struct brig_state *s, const struct cgroup *cg);

#endif
