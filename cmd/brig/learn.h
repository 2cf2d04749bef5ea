#ifndef BRIG_CMD_LEARN_H
#define BRIG_CMD_LEARN_H

#include "cmd/brig/direct.h"

/* policy's options: those of learn are run's. */
struct policy_opts {
	struct run_opts run; /* first: direct_options count from here */
	const char *format, *output, *name, *replay;
	bool direct;
};

/* `policy learn ... -o DIR -- PROGRAM`, args are the program and its arguments. */
int learn(struct command *c, struct err *e) MUST_CHECK;
/* `policy check --replay DIR [-- PROGRAM]` */
int replay(struct command *c, bool json, struct err *e) MUST_CHECK;

#endif
