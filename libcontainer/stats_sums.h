#ifndef BRIG_STATS_SUMS_H
#define BRIG_STATS_SUMS_H

#include "stats.h"

/* Fills s->sums from s->sandboxes. */
void stats_sum(struct arena *a, struct stats *s);

#endif
