#ifndef BRIG_EVIDENCE_H
#define BRIG_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "base/arena.h"
#include "base/err.h"
#include "container.h"
#include "specs/audit.h"
#include "specs/json_print.h"
#include "specs/result.h"
#include "specs/state.h"
#include "warden/warden.h"

/*
 * What is written to the audit log about one sandbox, or about the host.  A sandbox that is not
 * audited costs a test.  The log is opened by the first record.
 */
enum { EVIDENCE_GRANTS = 1024 };
struct evidence {
	const struct state_audit *audit; /* NULL: nothing is written */
	const char *id, *level, *policy, *request, *principal;
	const char *pool; /* whose member it is; NULL */
	uint64_t generation;
	const char *source; /* cli, warden, expiry */
	struct arena arena; /* the log's */
	struct audit_log *log;
	struct audit_position at; /* of the last record that was written; seq 0: none */
	uint64_t lost;            /* records that could not be written and need not have been */
	uint64_t *used; /* hashes of network grants that were used, EVIDENCE_GRANTS at most */
	size_t n_used;
};

/* Of what state.json says, whose strings are shared; audit NULL: it writes nothing. */
struct evidence evidence_of(const struct brig_state *s);
/* For verbs about no sandbox, and about one that is audited whatever holds (untaint): the
 * administrator's log. */
int evidence_of_host(struct arena *a, const struct container_host *h, struct evidence *out,
		     struct err *e) MUST_CHECK;
/*
 * Members of r that are NULL or 0 are filled in: id, level, policy, request, principal,
 * generation, source, outcome (ok).  What is not required and cannot be written is a warning, and
 * counted: the next record's data cannot tell, the last one's does (SandboxExited, lost).
 */
int evidence_write(struct evidence *v, const struct audit_record *r, struct err *e) MUST_CHECK;
/* Opens the log, as the first write does. */
int evidence_open(struct evidence *v, struct err *e) MUST_CHECK;
void evidence_close(struct evidence *v);

/* One record about s: event, what was done, data (a JSON object, NULL). */
int evidence_note(const struct brig_state *s, const char *event, const char *action,
		  const char *data, struct err *e) MUST_CHECK;
/* The same where the thing itself must go on all the same: removing what is left. */
void evidence_tell(const struct brig_state *s, const char *event, const char *action,
		   const char *data);
/* {"argv":...} as audit.argv has it: hashed with a NUL behind each, plain, or not at all. */
void evidence_argv(struct json_out *o, const char *mode, const char *const *argv);

/* How it ended; written by who composes the result. */
void evidence_exited(struct evidence *v, const struct brig_result *r);
/* The same by a verb that knows it from its state only. */
void evidence_tell_exit(const struct brig_state *s, const struct brig_result *r);

/* For a warden: ctx is the evidence. */
struct warden_reports evidence_reports(struct evidence *v);

#endif
