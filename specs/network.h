#ifndef BRIG_SPECS_NETWORK_H
#define BRIG_SPECS_NETWORK_H

#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * What a sandbox with grants has done in the network: the file "network" of the state directory,
 * and the member "network" of result.json.
 */
struct network_name {
	const char *name;    /* as asked for, lower case */
	const char *verdict; /* answered, not-listed, rebound ... */
	uint64_t count;
};
struct network_grant {
	const char *grant; /* its text */
	uint64_t packets, bytes;
};
/* A destination that was refused. */
struct network_denied {
	const char *to;   /* 203.0.113.9:25/tcp */
	const char *name; /* that led there; NULL */
	uint64_t count;
};
struct brig_network {
	int32_t v;                             /* 1 */
	uint64_t connections, denied, ingress; /* as the kernel counted */
	uint64_t lookups, lookups_denied;
	uint64_t flows_lost; /* records that the kernel or a full file dropped */
	/* Of each list at most NETWORK_ROWS, the most frequent ones first; the rest is a number. */
	const struct network_grant *grants; /* used ones */
	size_t n_grants;
	uint64_t grants_others; /* further grants that were used */
	const struct network_name *names;
	size_t n_names;
	uint64_t names_others; /* lookups of further names */
	const struct network_denied *refused;
	size_t n_refused;
	uint64_t refused_others; /* logged refusals of further destinations */
	/* refused by a limit, name: connections-rate, -open, -total, network-bytes */
	const struct network_limit {
		const char *name;
		uint64_t limit, count;
	} * limits;
	size_t n_limits;
};
enum { NETWORK_ROWS = 64, NETWORK_TEXT_MAX = 1024, NETWORK_MAX_BYTES = 256 << 10 };

#define NETWORK_FILE "network"
int network_parse(struct arena *a, const char *json, size_t len, struct brig_network *out,
		  struct err *e) MUST_CHECK;
char *network_print(struct arena *a, const struct brig_network *n, size_t *len);

#endif
