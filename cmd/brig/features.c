#include <stdio.h>

#include "cmd/brig/verbs.h"

static int features(struct command *c, struct err *e)
{
	(void)e; /* nothing here can fail */
	puts(container_features(&c->host, c->arena));
	return 0;
}

const struct verb verb_features = {
	.name = "features",
	.summary = "print what this build understands, as JSON",
	.usage = "",
	.text = "   The OCI runtime-spec's features document; what `doctor` finds on this host is "
		"in its\n"
		"   annotations dev.brig.level.* and dev.brig.host.*.\n",
	.order = OPT_MIXED,
	.run = features,
};
