#ifndef BRIG_POOL_POOL_H
#define BRIG_POOL_POOL_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/egress.h"
#include "specs/report.h"
#include "specs/state.h"

/*
 * A parked generation as the kernel shows it, looked at from outside: nothing that runs in it is
 * asked, and what brig wrote down counts only as what is compared.  docs/reuse.md
 */
struct pool_subject {
	const struct brig_state *state;
	const char *directory; /* state directory, absolute */
	int dir;
	int proc;        /* of its first process, O_PATH; -1: it has none */
	int root;        /* the root that it sees, O_PATH; -1 */
	bool plain_user; /* its maker's ids are not its own: what counts them tells nothing */
	const struct pool_home *home;
	const int *cgroups; /* its directories, as in the state; -errno: it cannot be opened */
	const struct pool_shell *shell; /* looked at before; NULL: not yet */
};

/* Opened once for all who look there; closed by pool_cgroups_close. */
const int *pool_cgroups_open(struct arena *a, const struct cgroup_record *c);
void pool_cgroups_close(const int *fds, const struct cgroup_record *c);

/* Our own namespaces, known before another is entered. */
enum { POOL_NAMESPACES = 8 };
struct pool_home {
	uint64_t inodes[POOL_NAMESPACES];
};
struct pool_home pool_home(void);

/* What the namespaces of a parked one say from within; -1: it could not be asked. */
struct pool_inside {
	int64_t ipc;     /* SysV objects */
	int64_t sockets; /* of every kind */
	int64_t conntrack, neighbours, routes;
	int64_t devices;        /* beside lo */
	int64_t lo_bytes;       /* received on it */
	int64_t learned;        /* neighbours that nobody has set */
	int64_t learned_routes; /* redirects, sizes of packets */
	int64_t metrics;        /* of TCP */
	/* of brig's own rules: addresses that lookups have opened; what was let through */
	int64_t opened, counted;
	const struct egress_address *own; /* global addresses of its devices beside lo */
	size_t n_own;
	const char *text; /* sysctls that a level or config.json sets, rules, what is up */
};
/*
 * A look by a thread, which enters for good and ends there: nobody has to come back, and who began
 * it asks other things meanwhile.  *l stays where it is until pool_look_end, which waits; what
 * seen points to lives as long as l->arena, which is the caller's.
 */
struct pool_look {
	pid_t pid;
	pthread_t thread;
	struct arena arena;
	struct pool_inside seen;
	int result;
	struct err why;
};
int pool_look_begin(struct pool_look *l, pid_t pid, struct err *e) MUST_CHECK;
int pool_look_end(struct pool_look *l, struct err *e) MUST_CHECK;
/* With the user namespace, which gives a plain user the right to; there is no way back. */
int pool_look_from_inside(struct arena *a, pid_t pid, struct pool_inside *out,
			  struct err *e) MUST_CHECK;

/*
 * Canonical text of what it may and has: mounts, namespaces, ids, capabilities, limits, cgroups,
 * sysctls, filter, program and environment, root.  The same for each generation.
 */
const char *pool_fingerprint(struct arena *a, const char *outside, const struct pool_inside *in);
/* All of it but what is seen from within. */
const char *pool_fingerprint_outside(struct arena *a, const struct pool_subject *s);
/* The part of it that is given from outside: policy, limits of its cgroups, files, lower root. */
const char *pool_fingerprint_given(struct arena *a, const struct pool_subject *s);
/* How many things it tells of that could not be read: it is like no other then.  *first: one. */
size_t pool_count_unreadable(struct arena *a, const char *text, const char **first);
/* The first line of now that is not in before, for people; NULL: there is none. */
const char *pool_difference(struct arena *a, const char *before, const char *now);

/* A row for each thing that could be left over, in the arena. */
void pool_residue(struct arena *a, const struct pool_subject *s, const struct pool_inside *in,
		  const struct report_check **out, size_t *n);

/*
 * Rows about the host alone, where earlier generations could have left something: they can be
 * looked at while the next one is made, when all of the last is gone.
 */
enum { POOL_ROWS = 32 };
struct pool_shell {
	const struct report_check *rows[POOL_ROWS];
	const char *text; /* of the fingerprint */
	const int *cgroups;
};
void pool_look_at_shell(struct arena *a, const struct pool_subject *s, struct pool_shell *out);
/* The other rows that nobody has to go inside for. */
void pool_look_outside(struct arena *a, const struct pool_subject *s, struct pool_shell *out);

/* What no row can tell; *n of them. */
const char *const *pool_not_covered(struct arena *a, const struct pool_subject *s, size_t *n);

#endif
