#ifndef BRIG_NS_SUBID_H
#define BRIG_NS_SUBID_H

#include <stdint.h>
#include <sys/types.h>

#include "base/arena.h"
#include "base/err.h"
#include "ns/idmap.h"

/*
 * What a plain user may map beside his own ids: subuid(5), subgid(5), newuidmap(1).  Ranges that
 * only a directory service gives out (libsubid) are not seen.
 */

struct subid_range {
	uint32_t first, count; /* count 0: none */
};

/*
 * The largest range of the user in text, the content of such a file; a line names him by number
 * or by name, which may be NULL.
 */
struct subid_range subid_find(const char *text, uid_t uid, const char *name);

struct subid {
	struct subid_range uids, gids;
	const char *missing; /* why there is no range; NULL: there is */
};

/* Of the calling user, with the files in the directory etc. */
int subid_read(struct arena *a, const char *etc, struct subid *out, struct err *e) MUST_CHECK;

/*
 * The map of a sandbox of a plain user: inside, 0 is he himself, and id N the Nth of his range.
 * all: as many ids from 0 to IDPOOL_RANGE - 1 as there are; else only 0 and the n named ones.  An
 * id that is out of range, or comes on top of 0 .. 65535, gets a line from the end of the range.
 */
int subid_lines(struct arena *a, uint32_t own, const struct subid_range *r, bool all,
		const uint32_t *ids, size_t n, const struct oci_id_mapping **out, size_t *n_out,
		struct err *e) MUST_CHECK;

#endif
