#ifndef BRIG_CGROUP_CONVERT_H
#define BRIG_CGROUP_CONVERT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

/* v1 scales to v2 scales; 0 means unset on both sides. */

/*
 * cpu.shares 2..262144 (1024 by default) to cpu.weight 1..10000 (100): the curve of the OCI
 * runtimes, 10^((l^2 + 125 l) / 612 - 7/34) with l = log2(shares), rounded up, which goes
 * through all three points.
 */
uint64_t cg_shares_to_weight(uint64_t shares);
/* blkio.weight 10..1000 to io.weight 1..10000. */
uint64_t cg_blkio_to_io_weight(uint64_t weight);
/*
 * memory.memsw.limit_in_bytes counts memory and swap, memory.swap.max only swap.  limit and
 * memsw: -1 unlimited, 0 unset.  *set false: nothing to write.
 */
int cg_memsw_to_swap(int64_t limit, int64_t memsw, int64_t *swap, bool *set,
		     struct err *e) MUST_CHECK;

#endif
