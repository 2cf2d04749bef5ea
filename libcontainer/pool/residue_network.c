/* Rows of the network.  What brig makes there for each generation is not counted. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/conntrack.h"
#include "net/slots.h"
#include "pool/row.h"

enum { MOST = 64 << 10 };

static bool has_veth(const struct pool_row *l)
{
	return str_eq(l->s->state->net, "veth");
}

/* One that others have made, and that stays: what is set in it is the fingerprint's business. */
static bool is_joined(const struct pool_row *l)
{
	return l->s->state->reuse && l->s->state->reuse->netns;
}

static int64_t beside(int64_t n, int64_t own)
{
	return n < 0 ? n : n - own;
}

/* --- what it has ------------------------------------------------------------------------------ */

/* Its name service listens at UDP and TCP. */
static int64_t listeners(struct pool_row *l)
{
	struct egress_policy p;
	struct err ignored;
	char *text;
	size_t len;

	if (!l->s->state->resolver_pid ||
	    file_read(l->a, l->s->dir, "egress.json", 4 << 20, &text, &len, &ignored) < 0 ||
	    egress_parse(l->a, text, len, &p, &ignored) < 0)
		return 0;
	return p.has_names ? 2 : 0;
}

int64_t pool_count_sockets(struct pool_row *l)
{
	return beside(l->in->sockets, listeners(l));
}

/* With veth each end knows the other's address, for ever. */
int64_t pool_count_neighbours(struct pool_row *l)
{
	if (is_joined(l))
		return l->in->learned;
	return beside(l->in->neighbours, has_veth(l) ? (int64_t)l->in->n_own : 0);
}

/* Of IPv4: to its net, and the default one.  Where it was joined, what was learned. */
int64_t pool_count_routes(struct pool_row *l)
{
	return is_joined(l) ? l->in->learned_routes : beside(l->in->routes, has_veth(l) ? 2 : 0);
}

int64_t pool_count_devices(struct pool_row *l)
{
	return is_joined(l) ? 0 : beside(l->in->devices, has_veth(l));
}

/* Nobody can set a device's counters back. */
int64_t pool_count_lo_bytes(struct pool_row *l)
{
	return is_joined(l) ? 0 : l->in->lo_bytes;
}

/* A reply to one of these would come to this generation. */
int64_t pool_count_host(struct pool_row *l)
{
	struct err e;
	int64_t n;

	if (!has_veth(l))
		return 0;
	if (conntrack_count(l->in->own, l->in->n_own, &n, &e) == 0)
		return n;
	l->detail = arena_strdup(l->a, e.msg);
	return -1;
}

int64_t pool_count_metrics(struct pool_row *l)
{
	return l->in->metrics;
}

int64_t pool_count_opened(struct pool_row *l)
{
	return l->in->opened;
}

int64_t pool_count_let_through(struct pool_row *l)
{
	return l->in->counted;
}

/* --- what must be there ----------------------------------------------------------------------- */

int64_t pool_lost_slot(struct pool_row *l)
{
	const struct brig_state *st = l->s->state;
	own_slots struct slots slots = SLOTS_NONE;
	struct err e;
	int r;

	if (!st->net_directory)
		return 0;
	r = slots_open(&slots, st->net_directory, SLOTS_MAX, &e);
	if (r == 0)
		r = slots_is_owner(&slots, st->net_slot, l->s->directory, &e);
	if (r < 0)
		l->detail = arena_strdup(l->a, e.msg);
	else if (r == 0)
		l->detail = arena_printf(l->a, "slot %u is another's", st->net_slot);
	return r < 0 ? -1 : !r;
}

/* Its socket; and the room for what it tells at the end, which is empty until then. */
bool pool_is_resolvers(const struct pool_row *l, const char *name)
{
	char first[2] = "";

	if (!l->s->state->resolver_pid)
		return false;
	return str_eq(name, "egress") ||
	       (str_eq(name, "network") &&
		(file_peek(l->s->dir, name, first, sizeof(first)) < 0 || !first[0]));
}
