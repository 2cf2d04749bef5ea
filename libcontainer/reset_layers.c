/* reset: what the generation that has ended wrote, where its layers were kept.  docs/layers.md */
#include <string.h>

#include "base/log.h"
#include "layers.h"
#include "layers_open.h"
#include "reset.h"

/* So long a list tells a controller no more than that there is too much. */
enum { ENTRIES_MOST = 1 << 18 };

/* They outlive its warden, for they are open here, too. */
void reset_open_layers(struct reset *r)
{
	r->layers = layers_if_kept(r->arena, r->dir, &r->state);
}

void reset_close_layers(struct reset *r)
{
	if (r->layers)
		layers_close(r->layers);
	r->layers = NULL;
}

static const uint64_t *number(struct arena *a, uint64_t n)
{
	uint64_t *p = arena_new(a, sizeof(*p));

	*p = n;
	return p;
}

void reset_tell_layers(struct reset *r)
{
	const struct layers_query q = {.most = ENTRIES_MOST};
	struct report_changes *c = arena_new(r->arena, sizeof(*c));
	struct brig_change_sums sums;
	struct err why;

	if (!r->layers)
		return;
	if (layers_tell(r->layers, &q, &sums, &why) < 0) {
		log_debug("layers: %s", why.msg);
		return;
	}
	*c = (struct report_changes){
		.added = number(r->arena, sums.added),
		.changed = number(r->arena, sums.changed),
		.deleted = number(r->arena, sums.deleted),
		.bytes = number(r->arena, sums.bytes),
		.untrusted = number(r->arena, sums.executable),
		.outside_writable = number(r->arena, 0), /* its root is read-only, always */
		.truncated = sums.truncated,
	};
	r->report->changes = c;
}
