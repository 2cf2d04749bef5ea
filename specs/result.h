#ifndef BRIG_SPECS_RESULT_H
#define BRIG_SPECS_RESULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * How a sandbox ended and what it used: <root>/<id>/result.json, `run --result`, `wait`.  Numbers
 * behind pointers and objects that are NULL are not known; nothing is guessed, and 0 means 0.
 * Words and rules: docs/results.md.
 */

/* When a limit or a watcher ended it, or it never began. */
struct result_reason {
	/* timeout lease (of the status timeout) cpu-time memory output syscall audit warden-lost
	 * start-failed; of the status violation its class (specs/violation.h) */
	const char *class_;
	const char *name;             /* of a violation: the target, the limit, the call */
	const uint64_t *limit, *peak; /* bytes or milliseconds, as the class has it */
	const uint64_t *count;        /* processes killed for memory, calls or violations seen */
	const char *syscall, *arch;   /* of the first call; arch only when a foreign one */
	const int64_t *nr;
	const char *message; /* start-failed, audit: the error; else NULL */
};

/* A limit that only refused, as often as the kernel has counted. */
struct result_limit {
	const char *name;      /* pids connections-open ... (specs/network.h) */
	const uint64_t *limit; /* NULL: not known any more */
	uint64_t count;
};

struct result_cpu {
	const uint64_t *total_ms, *user_ms, *system_ms, *throttled_ms;
};
struct result_memory {
	const uint64_t *peak, *oom_kills;
};
struct result_pids {
	const uint64_t *peak;
};
struct result_io {
	const uint64_t *read_bytes, *write_bytes, *reads, *writes;
};
struct result_disk {
	const uint64_t *bytes, *inodes;
	const uint64_t *size; /* that bytes could have come to; NULL: not all are bounded */
};
struct result_output {
	const uint64_t *bytes;
	bool truncated;
};
/* Of the first process and the children it waited for, as its parent is told (getrusage(2)). */
struct result_process {
	const uint64_t *max_rss; /* bytes */
	const uint64_t *voluntary_switches, *forced_switches;
};
struct brig_network; /* specs/network.h */
/* Whose request it was (--ctx). */
struct result_ctx {
	const char *request_id, *principal; /* principal: sha256:HEX; NULL: not given */
};
struct result_violation {
	const char *class_;       /* specs/violation.h */
	const char *name;         /* NULL: not known, or many together */
	const char *response;     /* the hardest given; NULL: the kernel's own */
	const uint64_t *count;    /* NULL: at least one */
	const char *first, *last; /* RFC 3339, UTC; NULL: not known */
};

/* With --dry-run: what would have been written to the host. */
struct brig_change;
struct result_changes {
	uint64_t added, changed, deleted, bytes;
	const struct brig_change *entries; /* specs/change.h; the first ones */
	size_t n_entries;
	bool truncated; /* there are more */
};

struct brig_result {
	int32_t v; /* 1 */
	const char *id;
	uint64_t generation;          /* 1 */
	const char *level;            /* NULL: the start failed before it was known */
	const char *policy;           /* digest; NULL at custom */
	const struct result_ctx *ctx; /* NULL: nothing was said */
	const char *status;           /* enum-like words, see result_statuses */
	const int32_t *exit_code, *signal;
	const char *unknown; /* why neither is known */
	int32_t code;        /* what `run` in direct mode and `wait` exit with */
	const struct result_reason *reason;
	const struct result_limit *limits;
	size_t n_limits;
	const char *started, *ended; /* RFC 3339, UTC */
	const uint64_t *wall_ms;
	const struct result_cpu *cpu;
	const struct result_memory *memory;
	const struct result_pids *pids;
	const struct result_io *io;
	const struct result_disk *disk;
	const struct result_output *output;
	const struct result_process *process;
	const struct brig_network *network;   /* NULL: nobody has watched it; no limits in it */
	const struct result_changes *changes; /* NULL: it was no dry run */
	const struct result_violation *violations;
	size_t n_violations;
	const char *const *taint; /* class:name */
	size_t n_taint;
};

enum { RESULT_MAX_BYTES = 384 << 10 };

/* exited signal timeout cpu-time memory output syscall violation audit warden-lost start-failed
 * unknown; NULL. */
extern const char *const result_statuses[];

/* Strict: unknown properties, words and contradictions are errors with their path. */
int result_parse(struct arena *a, const char *json, size_t len, struct brig_result *out,
		 struct err *e) MUST_CHECK;
/* One line without its end. */
char *result_print(struct arena *a, const struct brig_result *r, size_t *len);
/* The meta file of isolate(1), lines key:value. */
char *result_print_isolate(struct arena *a, const struct brig_result *r, size_t *len);

#endif
