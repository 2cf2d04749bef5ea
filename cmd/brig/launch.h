#ifndef BRIG_CMD_LAUNCH_H
#define BRIG_CMD_LAUNCH_H

#include "cmd/brig/command.h"

/* What create and run share. */
struct launch_opts {
	struct container_create_opts create;
};

extern const struct opt launch_options[];
extern const char launch_text[];

/*
 * The directory of --bundle (NULL or "": the working directory) itself, not a name of it: what
 * state.json tells must stay true.
 */
int launch_bundle(struct arena *a, const char *given, const char **out, struct err *e) MUST_CHECK;
/* Makes the paths of what create and run share absolute. */
int launch_paths(struct command *c, struct err *e) MUST_CHECK;
/* Takes the id from the arguments and makes the paths absolute. */
int launch_prepare(struct command *c, struct err *e) MUST_CHECK;

#endif
