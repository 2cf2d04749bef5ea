#ifndef BRIG_SPECS_GRANT_H
#define BRIG_SPECS_GRANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What a sandbox is allowed beside its level, as text: KIND:..., then words after a space.  In a
 * path a space, a colon and a backslash have a backslash before them; control characters are
 * refused.
 *
 *   filesystem:read:PATH        of the host, read-only: at a start at its own path, later below
 *                               /run/grants
 *   filesystem:write:PATH[:SIZE]
 *                               a writable place of its own of that size, never the host's
 *   network:GRANT               specs/egress.h
 *   memory:limit:SIZE           100MB, 64M, 1GiB
 *   cpu:limit:N                 50%, 1.5, 500m
 *   exec:deny                   no program but the first one (with its interpreter)
 *   exec:allow:PATH             that file, or what is below that directory, besides
 *   words                       ttl=30s  until=2026-11-22T12:00:00Z
 */
enum grant_kind {
	GRANT_READ,
	GRANT_WRITE,
	GRANT_NETWORK,
	GRANT_MEMORY,
	GRANT_CPU,
	GRANT_EXEC_DENY,
	GRANT_EXEC_ALLOW,
	GRANT_KINDS
};
struct brig_grant {
	enum grant_kind kind;
	const char *text;    /* canonical, with its words; what state and audit call it */
	const char *target;  /* canonical, without its words; what revoke may name */
	const char *path;    /* READ, WRITE, EXEC_ALLOW: absolute, no "." nor ".." */
	uint64_t size;       /* WRITE (0: the level's), MEMORY: bytes */
	uint64_t millis;     /* CPU: thousandths of one */
	const char *network; /* NETWORK: the text behind it, words included */
	uint64_t ttl_ms;     /* 0: as long as the sandbox */
	uint64_t until_ns;   /* CLOCK_REALTIME, 0: not said */
};
enum { GRANT_TEXT_MAX = 4096, GRANTS_MAX = 256 };
#define GRANT_TTL_MAX (UINT64_C(366) * 24 * 3600 * 1000)
/* The text alone: the same at any time.  grant_settle makes a ttl of "until". */
int grant_parse(struct arena *a, const char *text, struct brig_grant *out,
		struct err *e) MUST_CHECK;
/*
 * What remains until until_ns as ttl_ms, and in network; text and target stay.  ETIME: it is over
 * already.  now_ns: CLOCK_REALTIME.
 */
int grant_settle(struct arena *a, struct brig_grant *io, uint64_t now_ns, struct err *e) MUST_CHECK;
/* Whether what (canonical or not) means this grant: its text, its target, its path, or of the
 * network its name or address. */
bool grant_is_meant(const struct brig_grant *g, const char *what);
/* filesystem:read ... */
const char *grant_kind_name(enum grant_kind kind);
/* Whether who has `may` has all of `asked`: what a lease or an exec may pass on. */
bool grant_covers(const struct brig_grant *may, const struct brig_grant *asked);

/* The file "grants" of the state directory: what is in force but network (egress.json has that),
 * for revoke, expiry and state. */
struct grant_held {
	const char *text;
	const char *place; /* where it was attached inside; NULL */
	uint64_t mount_id; /* of the mount, as mountinfo has it; 0 */
	uint64_t ends_ns;  /* CLOCK_BOOTTIME; 0: with the sandbox */
	/* MEMORY, CPU: bytes or thousandths that revoke goes back to; -1: no limit; 0: of a start,
	 * there is nothing to go back to */
	int64_t before;
	bool used;
};
#define GRANTS_FILE "grants"
enum { GRANTS_MAX_BYTES = 4 << 20 };
struct grants {
	struct grant_held *rows;
	size_t n;
	uint64_t area;      /* mount id of /run/grants, 0: it was not needed yet */
	int64_t expiry_pid; /* the process that ends those with a time; 0: none */
	uint64_t expiry_start_time;
};
char *grants_print(struct arena *a, const struct grants *g, size_t *len);
/* There is room for one row more. */
int grants_parse(struct arena *a, const char *json, size_t len, struct grants *out,
		 struct err *e) MUST_CHECK;

#endif
