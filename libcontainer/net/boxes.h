#ifndef BRIG_NET_BOXES_H
#define BRIG_NET_BOXES_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/egress.h"

/* An address as a number; of IPv4 the low 32 bits. */
typedef unsigned __int128 box_address;

/* Addresses x ports, all ends inclusive, of one family and protocol. */
struct box {
	uint8_t family, proto; /* 4 or 6 */
	box_address first, last;
	uint16_t first_port, last_port;
	uint32_t id;
};

/* More is an error: each is an element of the kernel's set. */
enum { BOXES_MAX = 65536 };

/*
 * The same points in boxes that do not overlap, as the kernel's interval sets want them; where some
 * do, the one that comes first in the list has the point.  Address ranges are prefixes: two of them
 * are apart, or one is within the other.  E2BIG beyond BOXES_MAX.
 */
int boxes_disjoint(struct arena *a, const struct box *list, size_t n, struct box **out,
		   size_t *n_out, struct err *e) MUST_CHECK;

/* A range of addresses, without ports. */
struct box_range {
	uint8_t family;
	box_address first, last;
};
/* Sorts, and merges what overlaps or touches; returns how many are left. */
size_t boxes_merge(struct box_range *list, size_t n);

void box_ends(const struct egress_address *address, box_address *first, box_address *last);
/* Network order; 4 or 16 bytes. */
void box_bytes(box_address address, uint8_t family, uint8_t *out);

#endif
