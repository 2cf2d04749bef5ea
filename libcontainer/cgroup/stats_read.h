#ifndef BRIG_CGROUP_STATS_READ_H
#define BRIG_CGROUP_STATS_READ_H

#include "cgroup/internal.h"
#include "cgroup/jsonbuf.h"

/* One report in the making. */
struct stats {
	const struct cgroup *cg;
	bool v2;
	struct json_out j;
};

/* A file of the controller without its last newline, in the arena; NULL if there is none. */
char *stats_text(const struct stats *st, enum cg_ctrl c, const char *file);
/* A file of one number ("max" counts as UINT64_MAX). */
bool stats_u64(const struct stats *st, enum cg_ctrl c, const char *file, uint64_t *v);
/* The same, added as a member if the file is there. */
void stats_put_u64(struct stats *st, enum cg_ctrl c, const char *file, const char *key);
/* "psi" from a pressure file of cgroup2. */
void stats_psi(struct stats *st, const char *file);

void stats_memory(struct stats *st);
void stats_blkio(struct stats *st);
void stats_hugetlb(struct stats *st);

#endif
