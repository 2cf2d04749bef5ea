#ifndef BRIG_SPECS_REPORT_H
#define BRIG_SPECS_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What reset and verify say of a sandbox that can be used again: one JSON object.  Members and the
 * questions that they answer: docs/reuse.md.  What is not known is left out; 0 means 0.
 */

/* One thing that was looked at in the kernel. */
struct report_check {
	const char *name;
	const int64_t *value, *limit; /* NULL: it is no number; there is no bound */
	bool ok;
	const char *detail; /* what is wrong, or was compared; NULL */
};

/* Of the generation that has ended: used, as a part of what it was allowed; decimal numbers. */
struct report_peak {
	const char *memory_ratio, *cpu_ratio, *pids_ratio, *disk_ratio;
};

/* What the generation that has ended had written; it is all gone. */
struct report_changes {
	const uint64_t *added;            /* files in its writable places */
	const uint64_t *changed;          /* that a volume had before */
	const uint64_t *deleted;          /* the same */
	const uint64_t *bytes;            /* in all of them */
	const uint64_t *untrusted;        /* of them, that can be executed */
	const uint64_t *outside_writable; /* elsewhere: its root is read-only */
	bool truncated;                   /* there was more than was counted */
};

/* A writable bind mount: what becomes of what is written there. */
struct report_volume {
	const char *path, *source;
	const char *policy; /* overlay wipe keep */
};

/* The files that create was told to trust, by their digests (--packages). */
struct report_packages {
	uint64_t listed;
	const char *const *differ; /* paths: changed or gone, as many as are shown */
	size_t n_differ;
};

/* The record of the audit log that tells of it (SandboxReset). */
struct report_audit {
	uint64_t seq;
	const char *hash; /* SHA-256 of its line */
};

/* What start --expect-gen takes: nothing but time and the host itself can have changed it then. */
struct report_valid {
	uint64_t generation;
};

struct brig_report {
	int32_t v;      /* 1 */
	const char *op; /* reset check verify */
	const char *id;
	const char *status;     /* created running paused stopped */
	uint64_t from_gen, gen; /* that was replaced; that is there now */
	bool clean;
	const struct report_valid *valid_for; /* of one that is clean; NULL */
	const char *refused;                  /* why it may not be used again; NULL: it may */
	const char *ms;                       /* what it took, a decimal number */
	const char *fingerprint;
	const bool *fingerprint_match; /* with generation 1; NULL: not taken */
	const struct report_check *checks;
	size_t n_checks;
	uint64_t uses;
	const uint64_t *max_uses, *max_age_s;
	uint64_t age_s, gen_age_s;
	const uint64_t *idle_s, *max_idle_s; /* parked so long; NULL: it is not parked */
	const uint64_t *ran_ms; /* the program of the generation that ended; NULL: not known */
	const struct report_peak *peak;
	const struct report_changes *changes;
	const struct report_volume *volumes;
	size_t n_volumes;
	const struct report_packages *packages; /* NULL: not asked for */
	const struct report_audit *audit;       /* NULL: nothing is written about it */
	const char *const *taint;               /* class:name */
	size_t n_taint;
	const char *evidence; /* directory in which it is kept; NULL */
	const char *const *not_covered;
	size_t n_not_covered;
};

enum { REPORT_MAX_BYTES = 256 << 10 };

/* Strict: unknown properties, words and contradictions are errors with their path. */
int report_parse(struct arena *a, const char *json, size_t len, struct brig_report *out,
		 struct err *e) MUST_CHECK;
/* One more row, of a number that is to be 0; NULL: it is not known.  detail stays the caller's. */
void report_add_check(struct arena *a, struct brig_report *r, const char *name,
		      const int64_t *value, bool ok, const char *detail);
/* One line without its end. */
char *report_print(struct arena *a, const struct brig_report *r, size_t *len);

#endif
