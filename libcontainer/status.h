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
/* The same, also of a zombie. */
uint64_t process_birth(pid_t pid);

/*
 * A pidfd of the process that is meant; -1: it is gone.  Between the two looks the number cannot
 * have changed hands: the descriptor holds it.
 */
int process_pidfd(int64_t pid, uint64_t start_time);

/*
 * The /proc directory of the process that is meant, as an O_PATH descriptor: what is opened below
 * it later is of no other process.  -ESRCH: it is gone.  *state: its letter in /proc/PID/stat.
 */
int process_open(pid_t pid, uint64_t start_time, char *state) MUST_CHECK;

/*
 * What state.json and the kernel say together: dead or reused pid -> stopped, frozen -> paused,
 * else as written.  dir: the state directory (a container whose maker was killed is stopped).
 * cg may be NULL: paused is then not told.
 */
enum status status_from(int dir, const struct brig_state *s, bool alive, bool frozen);
enum status status_of(int dir, const struct brig_state *s, const struct cgroup *cg);

#endif
