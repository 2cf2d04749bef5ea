#ifndef BRIG_SPECS_ADMIN_H
#define BRIG_SPECS_ADMIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct json_type;

/* /etc/brig/brig.json: what the administrator of the host decides.  Absent: all as below. */
struct admin_ids {
	uint32_t first, count; /* the pool: 268435456 .. +1342177280 */
	const char *directory; /* bookkeeping, NULL: /run/brig-ids */
	uint32_t quarantine;   /* seconds before a released range is given out again: 60 */
};

struct admin_egress {
	/* how far requests may go (specs/egress_ceiling.h); NULL: as the level has it */
	const char *const *ceiling;
	const char *const *allow;     /* grants that every sandbox has */
	const char *const *never;     /* addresses that none reaches, beside the built-in ones */
	const char *const *resolvers; /* addresses; none: those of resolv.conf */
	size_t n_ceiling, n_allow, n_never, n_resolvers;
	const char *pool, *pool6; /* NULL: 10.201.0.0/16, fd62:7269:6700::/64 */
	const char *directory;    /* bookkeeping of --net veth, NULL: /run/brig-net */
	const char *pasta;        /* program, NULL: searched in PATH */
};

struct admin_ingress {
	const char *const *ceiling; /* node, any, addresses; NULL: node */
	size_t n_ceiling;
};

struct admin_audit {
	const char *when;          /* level (where a level says so), always, never; NULL: level */
	const char *path;          /* NULL: /var/log/brig/audit.jsonl, of a plain user
				      $XDG_STATE_HOME/brig/audit.jsonl */
	const char *sync;          /* security (NULL), all, none */
	const char *argv;          /* hash (NULL), plain, none */
	const char *flows;         /* denied (NULL), all, none */
	const uint64_t *max_bytes; /* of a file, then it is rotated; NULL: 64 MiB, 0: never */
	const uint32_t *wait;      /* milliseconds for the lock; NULL: 2000 */
};

struct admin_grants {
	const char *const *paths; /* of the host, which filesystem:read of a tenant may name, and
				     what is below them */
	size_t n_paths;
	const int64_t *memory; /* bytes, that grants on running sandboxes may raise to; NULL: not
				  beyond what it was started with */
	const char *cpus;      /* 2, 0.5, 500m, 50%; NULL as memory */
};

struct admin {
	int32_t v;                 /* 1 */
	const char *default_level; /* NULL: standard */
	const char *minimum_level; /* NULL: custom */
	const char *levels;        /* directory, NULL: /etc/brig/levels */
	struct admin_ids ids;
	const char *const *hooks_allowed; /* absolute paths */
	size_t n_hooks_allowed;
	const char *const *env_allow; /* names kept whatever the patterns say */
	size_t n_env_allow;
	struct admin_egress egress;
	struct admin_ingress ingress;
	struct admin_audit audit;
	struct admin_grants grants;
	bool cross_tenant; /* a used sandbox of a pool may be given to another key */
	const uint32_t *cpu_exclusive_max; /* CPUs; NULL: all of the host but one core */
	const char *cpu_directory;         /* bookkeeping, NULL: /run/brig-cpus */
	/* Not of the file: a directory of levels that is looked in first, by who replays what was
	 * learned; NULL. */
	const char *levels_too;
};

enum { ADMIN_MAX_BYTES = 1 << 20 };

/* What the file leaves out is set afterwards, but for the levels. */
int admin_parse(struct arena *a, const char *json, size_t len, struct admin *out,
		struct err *e) MUST_CHECK;
/* A zeroed struct gets what holds without a file. */
void admin_defaults(struct admin *out);
const struct json_type *admin_type(void);

#endif
