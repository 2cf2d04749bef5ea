/* Rates of block devices that were asked for, put into linux.resources.blockIO. */
#include <inttypes.h>
#include <string.h>

#include "base/own.h"
#include "policy/apply.h"

/* One of the four lists of config.json. */
struct rates {
	const struct oci_throttle_device **v;
	size_t *n;
	const char *field;
};

static char *text(struct apply *x, const struct policy_io *io, uint64_t rate)
{
	return arena_printf(x->a, "%" PRId64 ":%" PRId64 " %" PRIu64, io->major, io->minor, rate);
}

/* The smaller one holds; to the kernel a rate of 0 is none. */
static void lower(struct apply *x, const struct rates *to, const struct policy_io *io,
		  uint64_t rate)
{
	static const char reason[] = "a smaller one was asked for";
	struct oci_throttle_device *list = arena_array(x->a, *to->n + 1, sizeof(*list));
	bool given = false;

	for (size_t i = 0; i < *to->n; i++) {
		struct oci_throttle_device *d = &list[i];

		*d = (*to->v)[i];
		if (d->major != io->major || d->minor != io->minor)
			continue;
		given = true;
		if (d->rate && d->rate <= rate)
			continue;
		apply_cut(x, to->field, text(x, io, d->rate), text(x, io, rate), reason);
		d->rate = rate;
	}
	if (!given) {
		list[(*to->n)++] = (struct oci_throttle_device){io->major, io->minor, rate};
		apply_set(x, to->field, text(x, io, rate), io->who);
	}
	*to->v = list;
}

int apply_io(struct apply *x, struct oci_resources *r, struct err *e)
{
	struct oci_block_io *b = arena_new(x->a, sizeof(*b));
	const struct rates lists[POLICY_IO_RATES] = {
		{&b->read_bps,   &b->n_read_bps,   "linux.resources.blockIO.throttleReadBpsDevice" },
		{&b->write_bps,  &b->n_write_bps,  "linux.resources.blockIO.throttleWriteBpsDevice"},
		{&b->read_iops,  &b->n_read_iops,  "linux.resources.blockIO.throttleReadIOPSDevice"},
		{&b->write_iops, &b->n_write_iops,
		 "linux.resources.blockIO.throttleWriteIOPSDevice"                                 },
	};

	if (!x->p->n_io)
		return 0;
	if (r->block_io)
		*b = *r->block_io;
	for (size_t i = 0; i < x->p->n_io; i++) {
		const struct policy_io *io = &x->p->io[i];

		if (io->major < 0)
			return apply_refuse(x, "linux.resources.blockIO", io->device,
					    "nobody looked which device it is", e);
		for (size_t k = 0; k < POLICY_IO_RATES; k++)
			if (io->rates[k])
				lower(x, &lists[k], io, io->rates[k]);
	}
	r->block_io = b;
	return 0;
}
