#ifndef BRIG_POOL_NFT_H
#define BRIG_POOL_NFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/sha256.h"

/* The nf_tables of the network namespace we are in. */
struct nft_seen {
	bool unreadable;
	char digest[SHA256_HEX];        /* of tables, chains, rules, sets; "": there are none */
	uint8_t elements[SHA256_BYTES]; /* of those that do not run out, in any order */
	size_t n_elements;
	/* of brig's own table: */
	int64_t learned; /* addresses that lookups have opened */
	int64_t counted; /* packets and bytes let through, and refused for their number */
};
void pool_nft_look(struct arena *a, struct nft_seen *out);
/* One datagram of any of its dumps, for fuzzing. */
void pool_nft_parse(struct arena *a, const void *buf, size_t n, struct nft_seen *out);
/* Lines of a fingerprint. */
const char *pool_nft_text(struct arena *a, const struct nft_seen *s);

#endif
