/*
 * A box loses what boxes of higher rank have of it.  With prefixes sorted by address, those within
 * a prefix stand right behind it, and those around it are found by links upwards; the rest is never
 * looked at.  What a box loses it loses by ports first: strips of other ports stay whole.
 */
#include "net/boxes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct ranked {
	struct box box;
	size_t rank; /* place in the list: smaller wins */
	size_t up;   /* the nearest one before that has all of its addresses, or NONE */
};
#define NONE SIZE_MAX

struct list {
	struct arena *arena;
	struct box *at;
	size_t n, max;
};

static void append(struct list *l, const struct box *b)
{
	if (l->n == l->max) {
		size_t max = l->max ? l->max * 2 : 64;
		struct box *more = arena_array(l->arena, max, sizeof(*more));

		if (l->n)
			memcpy(more, l->at, l->n * sizeof(*more));
		l->at = more;
		l->max = max;
	}
	l->at[l->n++] = *b;
}

#define COMPARE(x, y) (((x) > (y)) - ((x) < (y)))

static int by_address(const void *p, const void *q)
{
	const struct ranked *x = p, *y = q;
	int r = COMPARE(x->box.family, y->box.family);

	r = r ? r : COMPARE(x->box.proto, y->box.proto);
	r = r ? r : COMPARE(x->box.first, y->box.first);
	r = r ? r : COMPARE(y->box.last, x->box.last); /* the wider one first */
	return r ? r : COMPARE(x->rank, y->rank);
}

static bool same_kind(const struct box *x, const struct box *y)
{
	return x->family == y->family && x->proto == y->proto;
}

static bool overlap(const struct box *x, const struct box *y)
{
	return x->first <= y->last && y->first <= x->last && x->first_port <= y->last_port &&
	       y->first_port <= x->last_port;
}

static void link_upwards(struct ranked *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t up = i ? i - 1 : NONE;

		while (up != NONE &&
		       (!same_kind(&r[up].box, &r[i].box) || r[up].box.last < r[i].box.first))
			up = same_kind(&r[up].box, &r[i].box) ? r[up].up : NONE;
		r[i].up = up;
	}
}

/* What is left of a box, which overlaps the hole: up to four boxes. */
static void split(struct list *left, struct box b, const struct box *hole)
{
	struct box part = b;

	if (b.first_port < hole->first_port) {
		part.last_port = (uint16_t)(hole->first_port - 1);
		append(left, &part);
		b.first_port = hole->first_port;
	}
	part = b;
	if (b.last_port > hole->last_port) {
		part.first_port = (uint16_t)(hole->last_port + 1);
		append(left, &part);
		b.last_port = hole->last_port;
	}
	part = b;
	if (b.first < hole->first) {
		part.last = hole->first - 1;
		append(left, &part);
	}
	part = b;
	if (b.last > hole->last) {
		part.first = hole->last + 1;
		append(left, &part);
	}
}

/* left: the pieces of one box; those before the hole's first address are finished if the holes come
 * in order of address. */
static void take_away(struct list *left, const struct box *hole, struct list *finished)
{
	size_t n = left->n, kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct box b = left->at[i];

		if (finished && b.last < hole->first)
			append(finished, &b);
		else if (overlap(&b, hole))
			split(left, b, hole);
		else
			left->at[kept++] = b;
	}
	/* What split has put behind. */
	memmove(left->at + kept, left->at + n, (left->n - n) * sizeof(*left->at));
	left->n = kept + left->n - n;
}

static int remainder_of(const struct ranked *r, size_t n, size_t i, struct list *left,
			struct list *out, struct err *e)
{
	const struct ranked *own = &r[i];

	left->n = 0;
	append(left, &own->box);
	for (size_t up = own->up; up != NONE && left->n; up = r[up].up)
		if (r[up].rank < own->rank && overlap(&r[up].box, &own->box))
			take_away(left, &r[up].box, NULL);
	for (size_t k = i + 1;
	     k < n && left->n && same_kind(&r[k].box, &own->box) && r[k].box.first <= own->box.last;
	     k++) {
		if (r[k].rank < own->rank && overlap(&r[k].box, &own->box))
			take_away(left, &r[k].box, out);
		if (left->n + out->n > BOXES_MAX)
			break;
	}
	if (left->n + out->n > BOXES_MAX)
		return err_msg(e, E2BIG,
			       "egress: overlapping CIDR grants make more than %d separate ranges",
			       BOXES_MAX);
	for (size_t k = 0; k < left->n; k++)
		append(out, &left->at[k]);
	return 0;
}

int boxes_disjoint(struct arena *a, const struct box *list, size_t n, struct box **out,
		   size_t *n_out, struct err *e)
{
	struct ranked *r = arena_array(a, n + 1, sizeof(*r));
	struct list left = {.arena = a}, all = {.arena = a};

	for (size_t i = 0; i < n; i++)
		r[i] = (struct ranked){.box = list[i], .rank = i};
	qsort(r, n, sizeof(*r), by_address);
	link_upwards(r, n);
	for (size_t i = 0; i < n; i++)
		if (remainder_of(r, n, i, &left, &all, e) < 0)
			return -e->code;
	*out = all.at;
	*n_out = all.n;
	return 0;
}

static int by_range(const void *p, const void *q)
{
	const struct box_range *x = p, *y = q;
	int r = COMPARE(x->family, y->family);

	return r ? r : COMPARE(x->first, y->first);
}

size_t boxes_merge(struct box_range *list, size_t n)
{
	size_t kept = 0;

	if (n == 0)
		return 0;
	qsort(list, n, sizeof(*list), by_range);
	for (size_t i = 1; i < n; i++) {
		struct box_range *to = &list[kept];

		/* last + 1 may be 0 again; then nothing is behind it. */
		if (list[i].family == to->family &&
		    (list[i].first <= to->last || list[i].first - 1 == to->last)) {
			if (list[i].last > to->last)
				to->last = list[i].last;
		} else {
			list[++kept] = list[i];
		}
	}
	return n ? kept + 1 : 0;
}

void box_ends(const struct egress_address *address, box_address *first, box_address *last)
{
	int bits = address->family == 4 ? 32 : 128;
	box_address v = 0, host;

	for (int i = 0; i < bits / 8; i++)
		v = v << 8 | address->bytes[i];
	/* Shifting by all of its bits is not defined. */
	host = address->prefix == 0      ? ~(box_address)0
	       : address->prefix >= bits ? 0
					 : ((box_address)1 << (bits - address->prefix)) - 1;
	if (bits == 32)
		host &= UINT32_MAX;
	*first = v & ~host;
	*last = v | host;
}

void box_bytes(box_address address, uint8_t family, uint8_t *out)
{
	for (int i = family == 4 ? 3 : 15; i >= 0; i--, address >>= 8)
		out[i] = (uint8_t)address;
}
