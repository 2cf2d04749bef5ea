#ifndef BRIG_AUDIT_VERIFIER_H
#define BRIG_AUDIT_VERIFIER_H

/*
 * What the files of the verifier share:
 *
 *   verify.c          the log as a whole: file after file, and what must have been there
 *   verify_records.c  a line: what stands where; first records, links between files, torn lines
 *   verify_heads.c    a record in its place: heads, the lock file, times
 *   verify_chain.c    sequence and hashes     verify_seal.c    MACs and epochs
 *   verify_life.c     sandboxes               verify_line.c    lines that are no records
 *   verify_report.c   findings                verify_files.c   files and their lines
 */
#include "audit/verify.h"
#include "audit/verify_chain.h"
#include "audit/verify_files.h"
#include "audit/verify_life.h"
#include "audit/verify_report.h"
#include "audit/verify_seal.h"

/* Lines that are no records and of which it is not known yet why. */
struct stray_lines {
	uint64_t line, count; /* of the first one; 0: there are none */
	char *text;           /* of the last one */
	size_t len;
};

struct verifier {
	const struct audit_verify *asked;
	struct audit_verdict *out;
	struct arena arena; /* as long as it runs */
	struct audit_files files;
	size_t file;              /* which is read */
	uint64_t file_records;    /* seen in it */
	bool file_damaged;        /* its first line was no record */
	bool cut;                 /* the file before it has lost its end, as has been told */
	struct audit_head *heads; /* by number, of this log */
	size_t n_heads, next_head;
	bool heads_checked; /* against the log's id */
	struct stray_lines stray;
	struct report report;
	struct chain chain;
	struct seal seal;
	struct lives lives;
};

/* --- verify_heads.c */
void verify_sort_heads(struct verifier *v);
/* The log's id is known: heads and a lock file of another one are told and not looked at. */
void verify_log_id(struct verifier *v, uint64_t line);
/* A record is in its place behind before: for the chain. */
void verify_reached(void *ctx, const struct point *before, struct point *p);
void verify_set_place(struct audit_place *to, const struct point *p);

/* --- verify_records.c */
void verify_take_line(struct verifier *v, const struct audit_line *line);
/* The file has ended: lines that are no records have none behind them. */
void verify_end_strays(struct verifier *v);

#endif
