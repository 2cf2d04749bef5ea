#include "cmd/brig/verbs.h"

#include "base/str.h"

const struct verb *const verbs[] = {
	&verb_audit,  &verb_checkpoint, &verb_collect, &verb_commit,   &verb_create, &verb_delete,
	&verb_diff,   &verb_discard,    &verb_doctor,  &verb_events,   &verb_exec,   &verb_grant,
	&verb_kill,   &verb_lease,      &verb_list,    &verb_pause,    &verb_policy, &verb_pool,
	&verb_ps,     &verb_reset,      &verb_restore, &verb_resume,   &verb_revoke, &verb_run,
	&verb_spec,   &verb_start,      &verb_state,   &verb_stats,    &verb_taint,  &verb_untaint,
	&verb_update, &verb_verify,     &verb_wait,    &verb_features, NULL,
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (str_eq((*v)->name, name))
			return *v;
	return NULL;
}
