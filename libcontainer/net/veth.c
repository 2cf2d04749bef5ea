/* Slots of the pool: which, whose, and what their addresses are. */
#include "net/veth.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "net/conntrack.h"
#include "net/routes.h"
#include "net/rtnl.h"
#include "net/slots.h"

/* A /30 or /126 each: its own address, the host's, the sandbox's and the last. */
enum { SLOT_BITS = 2, HOST = 1, INSIDE = 2, MIN_PREFIX = 8 };

static int check_pool(const struct egress_address *p, uint8_t family, const char *name,
		      uint32_t *count, struct err *e)
{
	unsigned int bits = family == 4 ? 32 : 128, free_bits;

	if (p->family != family || p->prefix < MIN_PREFIX || p->prefix > bits - SLOT_BITS)
		return err_msg(e, EINVAL, "%s: not a range of IPv%u addresses from /%d to /%u",
			       name, family, MIN_PREFIX, bits - SLOT_BITS);
	free_bits = bits - SLOT_BITS - p->prefix;
	if (free_bits < 31 && *count > UINT32_C(1) << free_bits)
		*count = UINT32_C(1) << free_bits;
	return 0;
}

static int count_slots(const struct veth_config *c, uint32_t *count, struct err *e)
{
	*count = SLOTS_MAX;
	if (check_pool(&c->pool, 4, "pool", count, e) < 0)
		return -e->code;
	return c->pool6.family ? check_pool(&c->pool6, 6, "pool6", count, e) : 0;
}

static struct egress_address nth(const struct egress_address *pool, uint32_t n)
{
	struct egress_address a = *pool;
	unsigned int last = pool->family == 4 ? 3 : 15;

	/* At most 16 bits: the pool's own bits end before. */
	for (unsigned int i = 0; i < sizeof(n); i++)
		a.bytes[last - i] |= (uint8_t)(n >> 8 * i);
	a.prefix = pool->family == 4 ? 32 : 128;
	return a;
}

/* FNV-1a: pools of several configurations have devices of different names. */
static unsigned int pool_hash(const struct egress_address *pool)
{
	uint32_t h = 2166136261;

	for (int i = 0; i < 4; i++)
		h = (h ^ pool->bytes[i]) * 16777619;
	h = (h ^ pool->prefix) * 16777619;
	return (h ^ h >> 16) & 0xffff;
}

static void fill(const struct veth_config *c, uint32_t number, struct veth_slot *out)
{
	*out = (struct veth_slot){.number = number};
	snprintf(out->device, sizeof(out->device), "brg%04x%04x", pool_hash(&c->pool),
		 number & 0xffff);
	out->host = nth(&c->pool, (number << SLOT_BITS) + HOST);
	out->inside = nth(&c->pool, (number << SLOT_BITS) + INSIDE);
	if (!c->pool6.family)
		return;
	out->host6 = nth(&c->pool6, (number << SLOT_BITS) + HOST);
	out->inside6 = nth(&c->pool6, (number << SLOT_BITS) + INSIDE);
}

int veth_slot_of(const struct veth_config *c, uint32_t number, struct veth_slot *out, struct err *e)
{
	uint32_t count;

	if (count_slots(c, &count, e) < 0)
		return -e->code;
	if (number >= count)
		return err_msg(e, ERANGE, "slot %u: the pool has %u", number, count);
	fill(c, number, out);
	return 0;
}

/*
 * Devices of an owner that is gone stay until the kernel has cleaned up behind him, some tens of
 * milliseconds (cleanup_net); longer where something holds the namespace.
 */
struct claiming {
	const struct veth_config *c;
	struct rtnl *host;
	bool sweep; /* nobody else is free: those of dead owners are removed and waited for */
};

static bool has_no_device(uint32_t number, bool used_before, void *ctx)
{
	struct claiming *q = ctx;
	struct veth_slot slot;

	(void)used_before; /* a file that was removed has forgotten it */
	fill(q->c, number, &slot);
	int index = rtnl_link_find(q->host, slot.device);

	if (index >= 0 && q->sweep)
		index = rtnl_link_delete(q->host, index) < 0 ? index : -ENODEV;
	return index == -ENODEV;
}

/*
 * Whoever had the slot before may have ended in whatever way.  Its devices are gone: nothing adds
 * to them any more, and what would still come for one of them is nobody's then.
 */
static int forget_connections(const struct veth_slot *s, struct err *e)
{
	const struct egress_address own[] = {s->inside, s->inside6};
	int r = conntrack_forget(own, s->inside6.family ? 2 : 1, e);

	/* Without ctnetlink nobody can look at them, or remove them. */
	return r == -ENOTSUP ? 0 : r;
}

int veth_claim(const struct veth_config *c, const struct mnl *m, const char *owner,
	       struct veth_slot *out, struct err *e)
{
	own_rtnl struct rtnl host = RTNL_NONE;
	struct claiming q = {c, &host};
	uint32_t count;

	if (count_slots(c, &count, e) < 0 || routes_check_pool(m, &c->pool, e) < 0 ||
	    (c->pool6.family && routes_check_pool(m, &c->pool6, e) < 0) ||
	    rtnl_open(&host, m, e) < 0)
		return err_wrap(e, "veth");
	own_slots struct slots slots = SLOTS_NONE;

	if (slots_open(&slots, c->directory, count, e) < 0)
		return err_wrap(e, "veth");
	int64_t number = slots_take(&slots, owner, has_no_device, &q, e);

	if (number == -EADDRNOTAVAIL) {
		q.sweep = true;
		number = slots_take(&slots, owner, has_no_device, &q, e);
	}
	if (number == -EADDRNOTAVAIL)
		return err_msg(e, EADDRNOTAVAIL,
			       "veth: none of the %u slots of the address pool is free (brig.json, "
			       "egress: \"pool\" names a larger one)",
			       count);
	if (number < 0)
		return err_wrap(e, "veth");
	fill(c, (uint32_t)number, out);
	if (forget_connections(out, e) == 0)
		return 0;
	struct err ignored;
	(void)!slots_give_back(&slots, out->number, owner, &ignored); /* its directory will go */
	return err_wrap(e, "veth");
}

int veth_release(const char *directory, uint32_t number, const char *owner, struct err *e)
{
	own_slots struct slots slots = SLOTS_NONE;

	if (slots_open(&slots, directory, SLOTS_MAX, e) < 0 ||
	    slots_give_back(&slots, number, owner, e) < 0)
		return err_wrap(e, "veth");
	return 0;
}
