#ifndef BRIG_CMD_VERBS_H
#define BRIG_CMD_VERBS_H

#include "cmd/brig/command.h"

/* One verb a file, of the same name. */
extern const struct verb verb_checkpoint, verb_create, verb_delete, verb_doctor, verb_events,
	verb_exec, verb_features, verb_kill, verb_list, verb_pause, verb_policy, verb_ps,
	verb_restore, verb_resume, verb_run, verb_spec, verb_start, verb_state, verb_update;

/* All of them in the order of the help text, ended by NULL. */
extern const struct verb *const verbs[];

/* NULL: no such verb. */
const struct verb *verb_find(const char *name);

#endif
