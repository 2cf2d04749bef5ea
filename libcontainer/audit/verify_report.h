#ifndef BRIG_AUDIT_VERIFY_REPORT_H
#define BRIG_AUDIT_VERIFY_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/verify.h"

/* Rows of audit_damages, in its order. */
enum damage {
	DAMAGE_EDITED,
	DAMAGE_GAP,
	DAMAGE_REPEATED,
	DAMAGE_REORDERED,
	DAMAGE_INSERTED,
	DAMAGE_TRUNCATED,
	DAMAGE_BEHEADED,
	DAMAGE_REPLACED,
	DAMAGE_ROLLBACK,
	DAMAGE_FORK,
	DAMAGE_TORN,
	DAMAGE_MISSING_FILE,
	DAMAGE_ROTATION,
	DAMAGE_MAC,
	DAMAGE_EPOCH,
	DAMAGE_RESEALED,
	DAMAGE_TIME,
	DAMAGE_VERSION,
	DAMAGE_DUPLICATE_KEY,
	DAMAGE_NOT_CANONICAL,
	DAMAGE_CONTROL,
	DAMAGE_TOO_LONG,
	DAMAGE_LIFECYCLE,
	DAMAGE_HEAD,
	DAMAGES
};

/*
 * Findings on their way to who asked.  A gap may turn out to be lines in another order, so it
 * waits for the lines that follow, and what is found meanwhile waits behind it.
 */
enum { REPORT_QUEUE = 64, REPORT_WAIT = 64, REPORT_DETAIL = 240 };
struct report_row {
	enum damage damage;
	const char *file;
	uint64_t line, seq;
	uint64_t until; /* lines seen when it waits no more; 0: it does not wait */
	uint64_t id;
	char detail[REPORT_DETAIL];
};
struct report {
	const struct audit_verify *asked;
	struct audit_verdict *out;
	const char *file; /* that is being read */
	uint64_t lines;   /* seen, in all files */
	uint64_t last_id;
	size_t n;
	struct report_row rows[REPORT_QUEUE];
};
/* line 0: none in particular. */
void report_add(struct report *r, enum damage d, uint64_t line, uint64_t seq, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* One that may still change; the id to change it by. */
uint64_t report_wait(struct report *r, enum damage d, uint64_t line, uint64_t seq, const char *fmt,
		     ...) __attribute__((format(printf, 5, 6)));
/* False: it has been told, or was changed before. */
bool report_change(struct report *r, uint64_t id, enum damage d, uint64_t line, uint64_t seq,
		   const char *fmt, ...) __attribute__((format(printf, 6, 7)));
/* A line has been read. */
void report_line(struct report *r);
void report_all(struct report *r);

#endif
