#ifndef BRIG_CMD_GIVEN_H
#define BRIG_CMD_GIVEN_H

#include "cmd/brig/launch.h"

/* What the caller hands in and says of itself: --ctx, --env-fd, --secret. */
extern const struct opt given_options[];

/* Puts the lists of create and run where container.h has them. */
int given_take(struct launch_opts *o, struct err *e) MUST_CHECK;
/* The words of --ctx; those that are not given stay NULL. */
int given_ctx(const struct opt_list *list, const char **request, const char **principal,
	      struct err *e) MUST_CHECK;

#endif
