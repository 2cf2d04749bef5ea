#ifndef BRIG_SPECS_VIOLATION_H
#define BRIG_SPECS_VIOLATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What a sandbox tried that it may not, what becomes of it, and what is remembered.
 * docs/violations.md
 */
enum violation_class {
	VIOLATION_SYSCALL,  /* never-legitimate calls */
	VIOLATION_TERMINAL, /* ioctls that type into somebody's terminal */
	VIOLATION_DENIED,   /* other calls that the filter denies; seen with --audit syscalls */
	VIOLATION_PIDS,     /* forks refused by the limit of processes */
	VIOLATION_EGRESS,   /* connections and names refused */
	VIOLATION_MEMORY,   /* processes killed for memory */
	VIOLATION_MANUAL,   /* the verb taint */
	VIOLATION_CLASSES
};
extern const char *const violation_classes[]; /* syscall ... manual, NULL */
int violation_class_find(const char *word);   /* -1: no such word */

/* From mild to hard; all are written down. */
enum violation_response {
	RESPONSE_WARN,       /* nothing else: what was denied stays denied */
	RESPONSE_DENY,       /* the call fails with EPERM (syscall: instead of the end) */
	RESPONSE_THROTTLE,   /* who tries waits, longer each time; other classes: the sandbox stands
				still for a tenth of each second more */
	RESPONSE_QUARANTINE, /* frozen and tainted, for somebody to look at */
	RESPONSE_TERMINATE,  /* tainted and ended; the class is the reason */
	VIOLATION_RESPONSES
};
extern const char *const violation_responses[]; /* warn deny throttle quarantine terminate, NULL */
int violation_response_find(const char *word);  /* -1: no such word */
/* Whether the sandbox is not to be reused after it: quarantine, terminate, and syscall always;
 * memory never, which says nothing about what it meant to do. */
bool violation_taints(enum violation_class c, enum violation_response r);

/* Of one class, in a level's "violations". */
struct violation_rule {
	const char *response;  /* of those that the class may have */
	const uint64_t *after; /* the how manieth of its class is answered so; NULL: the first */
};
/* Whether a class may be answered so (`memory` is never denied, a fork is never throttled by call).
 */
bool violation_allows(enum violation_class c, enum violation_response r);
int violation_rule_check(enum violation_class c, const struct violation_rule *r,
			 struct err *e) MUST_CHECK;

/* What is remembered: a row for each class and name. */
struct brig_violation {
	const char *class_;
	const char *name;     /* the call, the limit, the target; NULL */
	const char *response; /* the hardest one given */
	uint64_t count;
	const char *first, *last; /* RFC 3339, UTC, milliseconds */
	bool taints;
};
/*
 * The file "violations" of the state directory, by whoever watches; printed and parsed in whole.
 * name NULL: that is not known, or the row stands for many, when there are VIOLATION_ROWS.  Names
 * are printable ASCII; the sandbox has chosen some of them.
 */
enum { VIOLATION_ROWS = 256, VIOLATION_NAME_MAX = 128, VIOLATIONS_MAX_BYTES = 256 << 10 };
#define VIOLATIONS_FILE "violations"
char *violations_print(struct arena *a, const struct brig_violation *rows, size_t n, size_t *len);
int violations_parse(struct arena *a, const char *json, size_t len, struct brig_violation **out,
		     size_t *n, struct err *e) MUST_CHECK;

/*
 * The file "taint" of the state directory, written under its lock by taint and untaint.  What
 * holds: its rows, and violations that taint and were last seen after `cleared`.
 */
struct brig_taint {
	const char *reason;    /* as it was given */
	const char *class_;    /* of the verb's --class, else manual */
	const char *time, *by; /* RFC 3339; uid=0 or principal */
};
struct brig_taints {
	const struct brig_taint *rows;
	size_t n_rows;
	const char *cleared, *cleared_reason; /* by untaint; NULL: never */
};
#define TAINT_FILE "taint"
enum { TAINT_ROWS = 64, TAINT_MAX_BYTES = 512 << 10 };
char *taints_print(struct arena *a, const struct brig_taints *t, size_t *len);
/* Strict: unknown properties, texts with control characters, times of another form are errors. */
int taints_parse(struct arena *a, const char *json, size_t len, struct brig_taints *out,
		 struct err *e) MUST_CHECK;
/* Of one line, in words: 1 to TAINT_REASON_MAX bytes of UTF-8 without control characters. */
enum { TAINT_REASON_MAX = 1024, TAINT_CLASS_MAX = 32 };
int taint_check_reason(const char *s, struct err *e) MUST_CHECK;
/* Small letters, digits and dashes. */
int taint_check_class(const char *s, struct err *e) MUST_CHECK;

/* What taints a sandbox now, wherever it is written down: a row for each reason or violation. */
struct taint_row {
	const char *class_;
	const char *name;         /* of a violation: the call, the limit; NULL */
	const char *reason;       /* of the verb; NULL: a violation's */
	const char *by;           /* of the verb; NULL */
	uint64_t count;           /* 0: at least once */
	const char *first, *last; /* NULL: not known */
};

#endif
