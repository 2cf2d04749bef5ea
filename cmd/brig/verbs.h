#ifndef BRIG_CMD_VERBS_H
#define BRIG_CMD_VERBS_H

#include "cmd/brig/command.h"

/* One verb a file, of the same name; revoke is in grant.c, untaint in taint.c. */
extern const struct verb verb_audit, verb_checkpoint, verb_collect, verb_commit, verb_create,
	verb_delete, verb_diff, verb_discard, verb_doctor, verb_events, verb_exec, verb_features,
	verb_grant, verb_kill, verb_lease, verb_list, verb_pause, verb_policy, verb_pool, verb_ps,
	verb_reset, verb_restore, verb_resume, verb_revoke, verb_run, verb_spec, verb_start,
	verb_state, verb_stats, verb_taint, verb_untaint, verb_update, verb_verify, verb_wait;

/* All of them in the order of the help text, ended by NULL. */
extern const struct verb *const verbs[];

/* NULL: no such verb. */
const struct verb *verb_find(const char *name);

#endif
