#ifndef BRIG_CMD_LAUNCH_H
#define BRIG_CMD_LAUNCH_H

#include "cmd/brig/command.h"

/* What create and run share. */
struct launch_opts {
	struct container_create_opts create;
	struct opt_list ctx, secrets;
	struct opt_list grant;
	struct opt_list seccomp; /* becomes create.seccomp */
};

/* How it is connected: of run in direct mode, of create with --reuse. */
struct network_opts {
	const char *net;
	struct opt_list egress, ingress, resolver;
};
struct container_network launch_network(const struct network_opts *o);

#define SECCOMP_ROW(AT, WHEN)                                                                      \
	{                                                                                          \
		"seccomp", NULL, OPT_LIST, (AT), "FILE",                                           \
			WHEN "one more system call filter, in the form of linux.seccomp", NULL,    \
			NULL                                                                       \
	}
/* Makes the paths of --seccomp absolute. */
int launch_seccomp(struct command *c, struct opt_list *list, struct err *e) MUST_CHECK;

extern const struct opt launch_options[];
extern const char launch_text[];

/*
 * The directory of --bundle (NULL or "": the working directory) itself, not a name of it: what
 * state.json tells must stay true.
 */
int launch_bundle(struct arena *a, const char *given, const char **out, struct err *e) MUST_CHECK;
/* The same of a file that others are to read later. */
int launch_file(struct arena *a, const char *option, const char *given, const char **out,
		struct err *e) MUST_CHECK;
/* Makes the paths of what create and run share absolute. */
int launch_paths(struct command *c, struct err *e) MUST_CHECK;
/* Takes the id from the arguments and makes the paths absolute. */
int launch_prepare(struct command *c, struct err *e) MUST_CHECK;

#endif
