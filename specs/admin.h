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
	const char *const *egress_ceiling; /* read and checked; used by allow lists */
	size_t n_egress_ceiling;
	const uint32_t *cpu_exclusive_max;
};

enum { ADMIN_MAX_BYTES = 1 << 20 };

/* What the file leaves out is set afterwards, but for the levels. */
int admin_parse(struct arena *a, const char *json, size_t len, struct admin *out,
		struct err *e) MUST_CHECK;
/* A zeroed struct gets what holds without a file. */
void admin_defaults(struct admin *out);
const struct json_type *admin_type(void);

#endif
