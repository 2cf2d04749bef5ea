#ifndef BRIG_CMD_ANSWER_H
#define BRIG_CMD_ANSWER_H

#include "container.h"

/* The exit code of what could not be had (command.h). */
int answer_code(enum container_answer answer);

/* --lease goes before BRIG_LEASE. */
#define LEASE_ROW(AT)                                                                              \
	{                                                                                          \
		"lease", NULL, OPT_STRING, (AT), "TOKEN",                                          \
			"of the lease it is used by (docs/pools.md)", NULL, NULL                   \
	}
struct command;
/* A copy of a word of our command line or environment, which has it no more. */
const char *answer_take_token(struct arena *a, const char *text);
void answer_lease(struct command *c, const char *lease);
/* Of a verb without an answer: CODE_NOT_ALLOWED for want of a lease, else code. */
struct err;
int answer_lease_code(const struct err *e, int code);

#endif
