#ifndef BRIG_CGROUP_TREE_H
#define BRIG_CGROUP_TREE_H

#include "base/err.h"

enum cg_order { CG_PARENT_FIRST, CG_CHILDREN_FIRST };

/*
 * Calls fn with a descriptor of the cgroup fd and of each one below it; directories that
 * vanish meanwhile are passed over.  A negative answer of fn ends the walk and is returned.
 */
int cg_tree_walk(int fd, enum cg_order order, int (*fn)(int fd, void *ctx), void *ctx) MUST_CHECK;

/* rmdir of everything below fd, deepest first; what is busy stays. */
void cg_tree_prune(int fd);

#endif
