#include "cmd/brig/verbs.h"

#include "base/str.h"

const struct verb *const verbs[] = {
	&verb_checkpoint, &verb_create,  &verb_delete, &verb_doctor,   &verb_events,
	&verb_exec,       &verb_kill,    &verb_list,   &verb_pause,    &verb_policy,
	&verb_ps,         &verb_restore, &verb_resume, &verb_run,      &verb_spec,
	&verb_start,      &verb_state,   &verb_update, &verb_features, NULL,
};

const struct verb *verb_find(const char *name)
{
	for (const struct verb *const *v = verbs; *v; v++)
		if (str_eq((*v)->name, name))
			return *v;
	return NULL;
}
