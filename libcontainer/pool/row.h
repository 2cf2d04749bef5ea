#ifndef BRIG_POOL_ROW_H
#define BRIG_POOL_ROW_H

#include <stdbool.h>
#include <stdint.h>

#include "pool/pool.h"

/* What a row of the report is counted from; -1: it could not be asked. */
struct pool_row {
	struct arena *a;
	const struct pool_subject *s;
	const struct pool_inside *in;
	const char *detail; /* of the row, set by who finds something */
};

/* ids.c: the ids of the host that are its users'. */
enum { POOL_ID_RANGES = 340 }; /* as many lines as the kernel takes */
struct pool_ids {
	struct {
		uint32_t first, size;
	} list[POOL_ID_RANGES];
	size_t n;
};
/* False: that cannot be told. */
bool pool_ids_of(const struct pool_row *l, struct pool_ids *out);
bool pool_ids_have(const struct pool_ids *ids, uint32_t id);

/* residue_host.c */
int64_t pool_count_mounts(struct pool_row *l);
int64_t pool_lost_warden(struct pool_row *l);
int64_t pool_lost_resolver(struct pool_row *l);

/* residue_network.c: beside what brig has made there itself. */
int64_t pool_count_sockets(struct pool_row *l);
int64_t pool_count_neighbours(struct pool_row *l);
int64_t pool_count_routes(struct pool_row *l);
int64_t pool_count_devices(struct pool_row *l);
int64_t pool_count_lo_bytes(struct pool_row *l);
int64_t pool_count_host(struct pool_row *l);
int64_t pool_count_metrics(struct pool_row *l);
int64_t pool_count_opened(struct pool_row *l);
int64_t pool_count_let_through(struct pool_row *l);
int64_t pool_lost_slot(struct pool_row *l);
/* Whether that file of the state directory is one that its name service has from the beginning. */
bool pool_is_resolvers(const struct pool_row *l, const char *name);

#endif
