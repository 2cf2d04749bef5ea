#ifndef BRIG_SPECS_AUDIT_H
#define BRIG_SPECS_AUDIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * A line of the audit log, format brig-audit/1 (docs/audit.md): one JSON object, keys in the order
 * of this struct, what is not known left out.  The bytes of a line are what is hashed, so they are
 * canonical: a line that does not print as it was is not one.
 */
struct audit_record {
	int32_t v;          /* 1 */
	uint64_t seq;       /* 1 ... , over all files of a log */
	const char *ts;     /* RFC 3339, UTC, microseconds */
	uint64_t mono;      /* CLOCK_BOOTTIME, microseconds */
	const char *boot;   /* boot_id of the kernel */
	const char *writer; /* brig/0.1.0 pid=123 start=456: when it opened the log, CLOCK_BOOTTIME
			       ms */
	const char *event;  /* of audit_events */
	const char *severity;       /* debug info notice warning error critical */
	const char *id;             /* of the sandbox */
	uint64_t generation;        /* 0: none */
	const char *level, *policy; /* policy: the digest of what holds */
	const char *action, *resource;
	const char *outcome;   /* ok denied failed */
	const char *source;    /* cli warden resolver expiry */
	const char *request;   /* --ctx request_id */
	const char *principal; /* sha256: of --ctx principal */
	const char *data;      /* a JSON object of the event's, as it is printed; NULL */
	const char *prev;      /* SHA-256 of the line before, with its end; 64 zeros: the first */
	const uint64_t *epoch; /* of the key, NULL: there is none */
	const char *mac;       /* HMAC-SHA256(key of the epoch, the line up to ,"mac") */
};

struct audit_event {
	const char *name;
	const char *severity; /* unless the record says otherwise */
	bool security;        /* written through to the disk before anything goes on */
};
/* LogOpened LogRotated LogRepaired SandboxCreated ... ; ends with a NULL name. */
extern const struct audit_event audit_events[];
const struct audit_event *audit_event_find(const char *name);
extern const char *const audit_severities[]; /* debug ... critical, NULL */

/* Bytes as printed, escapes and all: a line without its end, a text, the data of an event. */
enum { AUDIT_MAX_LINE = 32 << 10, AUDIT_MAX_TEXT = 4096, AUDIT_MAX_DATA = 16 << 10 };

/*
 * Strict: unknown keys, keys twice, wrong order, anything that would print differently.  The line
 * comes without its end.  -EMSGSIZE: longer than a line may be; -EILSEQ: a control character or
 * NUL in it; -EPROTONOSUPPORT: another version; -EEXIST: a key twice; -EINVAL: anything else.
 */
int audit_record_parse(struct arena *a, const char *line, size_t len, struct audit_record *out,
		       struct err *e) MUST_CHECK;
/*
 * One line without its end.  What is longer than its member may be (AUDIT_MAX_TEXT at most) is cut
 * and ends in an ellipsis; control characters, line separators and what turns the direction of text
 * are escaped; bytes that are not UTF-8 become U+FFFD.  data that is no JSON object becomes
 * {"unreadable": the text}, what is too long of it {"cut": its length, "sha256": its hash}.
 * With an epoch and no mac: the bytes that the mac is made of, so without the closing bracket.
 */
char *audit_record_print(struct arena *a, const struct audit_record *r, size_t *len);

#endif
