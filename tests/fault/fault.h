// SPDX-License-Identifier: LGPL-2.1-or-later
#ifndef BRIG_TESTS_FAULT_H
#define BRIG_TESTS_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * What the fault tests share.  They run as pid 1 of a pid, mount and network namespace of their
 * own (tests/fault/run), so every process, mount and device that is there beside their own was left
 * over, and a namespace without a process or mount cannot be.  Working directory: the scratch one,
 * with state/ (the state root), NAME.json (templates of config.json) and b/rootfs.
 */

/* --- TAP ---------------------------------------------------------------------------------- */

/* why: "" passes, else what went wrong, one finding a line. */
void tell(const char *why, const char *format, ...) __attribute__((format(printf, 2, 3)));
int tell_done(void); /* prints the plan; the exit status */
/* Appends a finding. */
void find(char **why, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* --- the runtime -------------------------------------------------------------------------- */

/* How one command is run. */
struct way {
	const char *step, *kind; /* made to fail there, NULL: not */
	const char *list;        /* file for the names of steps */
	const char *hide;        /* what the machine is to lack, NULL: nothing */
	const char *level;       /* NULL: level() */
	bool terminal;           /* its standard streams are a terminal */
	bool no_output;          /* not into the file out, which has what an earlier one said */
};

enum { STATUS_HANGS = 1000 };

/* The level at which brig runs; the next one of $LEVELS, false: there is no more. */
const char *level(void);
bool next_level(void);
/*
 * An id of ours, told from those of another program that runs beside at another level or in another
 * run of the stage (FAULT_RUN): the cgroups are the machine's; static.
 */
const char *id_prefix(void);
const char *named(const char *name);
/* Starts brig with these arguments (NULL-terminated, globals are added); its pid. */
pid_t brig_start(const struct way *w, const char *const *args);
/* Waits; exit status, 128 + n for a signal, STATUS_HANGS after 20 s (it is killed then). */
int brig_wait(pid_t pid);
int brig(const struct way *w, const char *const *args);
#define BRIG(w, ...) brig((w), (const char *const[]){__VA_ARGS__, NULL})
/* What the last brig() printed. */
const char *output(void);
/* b/config.json of the template NAME for this id; the audit log begins anew. */
void use_config(const char *name, const char *id);
/* Listening sockets console.sock, pidfd.sock and notify.sock that take everything unread. */
void sockets_open(void);
void sockets_close(void);

/*
 * How many of n rounds are done: FAULT_PERCENT of them, 30 where that is not set; two at least.
 * A long run (make soak) does all.
 */
int rounds(int n);

/* --- what is left ------------------------------------------------------------------------- */

/* How it is before anything was started. */
void left_baseline(void);
/*
 * Processes, cgroup directories, mounts, state directories, id ranges, CPU reservations and
 * networks of anything we have started; an audit log that is not intact, or that misses an end.
 */
void find_left(char **why);
/*
 * Of networks: devices and namespaces behind them, as soon as the kernel has cleaned up, tables of
 * nft beside the host's own, sockets and address slots.
 */
void find_net_left(char **why);
/* audit verify; a last line without an end is what a killed writer may leave. */
void find_log(char **why);
/* It was full, so the ends of sandboxes may be missing. */
void left_log_full(bool yes);
void net_drop_void_claims(void);
/*
 * A brig killed before it could write down what it had claimed leaves a claim for a state
 * directory that is gone, which does not count: the next who claims takes it.
 */
void left_drop_void_claims(void);
/* Only the processes; allowed: as many may be there. */
void find_processes(char **why, size_t allowed);
/* The first process of this name (comm), 0: none. */
pid_t process_named(const char *name);
void reap(void);
void nap_ms(long ms);

#endif
