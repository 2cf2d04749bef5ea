#ifndef BRIG_VERIFY_H
#define BRIG_VERIFY_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/report.h"
#include "specs/state.h"

/* What a parked generation is, asked of the kernel.  docs/reuse.md */
struct verify {
	struct arena *arena;
	const struct brig_state *state;
	const char *directory; /* state directory, absolute */
	int dir;
	const char *text;               /* the fingerprint's */
	const struct pool_shell *shell; /* its rows, where they were looked at before */
};

/* Into v->shell, while the next generation is made: the last one has ended, v->state has the pid.
 */
void verify_look_at_shell(struct verify *v);

/* What there is to be seen of it; v->text, too. */
struct verify_seen {
	const char *digest; /* NULL: there is no process */
	const struct report_check *checks;
	size_t n_checks;
	const char *const *not_covered;
	size_t n_not_covered;
};
struct pool_subject;
struct pool_shell;
/* As root of its user namespace, in a process of its own: where brig is a plain user's. */
int verify_see_as_owner(struct verify *v, const struct pool_subject *s, struct verify_seen *out,
			struct err *e) MUST_CHECK;

/* Takes the fingerprint of generation 1 into its state directory; *out: its sha256. */
int verify_take(struct verify *v, const char **out, struct err *e) MUST_CHECK;
/* Rows, fingerprint and whether it matches; out->clean: it is, but for taint. */
int verify_look(struct verify *v, struct brig_report *out, struct err *e) MUST_CHECK;
/* What a look that is not clean means. */
enum verify_found {
	VERIFY_CLEAN,
	VERIFY_RESIDUE, /* or what nobody can tell from it */
	VERIFY_UNKNOWN, /* nothing was found, but something could not be asked */
	VERIFY_ENDED,   /* its first process has ended, which explains all of it */
	VERIFY_TOUCHED, /* a verb has changed it since it was made, and that is all */
};
enum verify_found verify_judge(const struct brig_report *r, bool ended);
/* Once more from the beginning where something could not be asked, a few times. */
int verify_look_again(struct verify *v, struct brig_report *out, enum verify_found *found,
		      struct err *e) MUST_CHECK;
/* Of one that is clean: what start --expect-gen takes. */
void verify_tell_valid(struct arena *a, struct brig_report *out);
/* Names of the rows that are not ok, for people. */
const char *verify_findings(struct arena *a, const struct brig_report *r);
/* It is not what it should be: tainted for good, class residue; its fingerprint's text is kept. */
int verify_taint(struct verify *v, const char *findings, struct err *e) MUST_CHECK;

#endif
