/* reset: how near a generation came to its limits. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

#include "base/own.h"
#include "fs/disk.h"
#include "reset.h"
#include "reuse_policy.h"
#include "store.h"
#include "warden/warden.h"

static const char *decimal(struct arena *a, int64_t n)
{
	return n < 0 ? NULL : arena_printf(a, "%" PRIi64 ".%03" PRIi64, n / 1000, n % 1000);
}

void reset_tell_use(struct arena *a, const struct brig_result *result,
		    const struct oci_resources *limits, struct brig_report *out)
{
	struct report_peak *p = arena_new(a, sizeof(*p));
	struct report_changes *c = arena_new(a, sizeof(*c));
	uint64_t *none = arena_new(a, sizeof(*none)); /* its root is read-only, always */
	struct reuse_use u;

	reuse_use_of(result, limits, &u);
	*p = (struct report_peak){
		.memory_ratio = decimal(a, u.memory),
		.cpu_ratio = decimal(a, u.cpu),
		.pids_ratio = decimal(a, u.pids),
		.disk_ratio = decimal(a, u.disk),
	};
	out->peak = p;
	out->ran_ms = result->wall_ms;
	c->outside_writable = none;
	if (!out->changes)
		out->changes = c;
}

/* --- what it had written ---------------------------------------------------------------------- */

static const uint64_t *more_than(struct arena *a, const uint64_t *n, uint64_t at_first)
{
	uint64_t *more = arena_new(a, sizeof(*more));

	*more = n && *n > at_first ? *n - at_first : 0;
	return n ? more : NULL;
}

/* Of a generation in which nothing has run yet, in the places that its result counts. */
static bool fresh_disks(struct arena *a, const struct brig_state *s, struct fs_disk *sum)
{
	own_fd int root = open(arena_printf(a, "/proc/%" PRIi64 "/root", s->pid),
			       O_PATH | O_DIRECTORY | O_CLOEXEC);
	size_t n = s->n_disk < WARDEN_DISKS ? s->n_disk : WARDEN_DISKS;
	struct fs_disk d;

	*sum = (struct fs_disk){0};
	for (size_t i = 0; i < n; i++) {
		if (root < 0 || !fs_disk_usage(root, s->disk[i], &d))
			return false;
		sum->inodes += d.inodes;
		sum->bytes += d.bytes;
	}
	return n > 0;
}

void reset_tell_changes(struct reset *r)
{
	const struct result_disk *d = r->result.disk;
	struct report_changes *c = arena_new(r->arena, sizeof(*c));
	struct fs_disk fresh;

	/* Where its layers were kept that is known better. */
	if (!r->has_result || !r->report->changes || r->report->changes->added || !d ||
	    !fresh_disks(r->arena, &r->create.state, &fresh))
		return;
	*c = *r->report->changes;
	c->added = more_than(r->arena, d->inodes, fresh.inodes);
	c->bytes = more_than(r->arena, d->bytes, fresh.bytes);
	r->report->changes = c;
}

/* --- too much of it --------------------------------------------------------------------------- */

static int retire(struct reset *r, const char *why, struct err *e)
{
	struct state_reuse u = *r->state.reuse;
	struct brig_state s = r->state;

	u.retired = why;
	u.uses = r->uses;
	/* Else somebody would count this use a second time. */
	s.status = "running";
	s.reuse = &u;
	return store_save(r->dir, &s, e);
}

int reset_check_use(struct reset *r, struct err *e)
{
	const struct oci_linux *l = r->create.plan.config.linux_;
	const struct oci_resources *limits = l ? l->resources : NULL;
	struct reuse_use use;

	if (!r->has_result)
		return 0;
	reset_tell_use(r->arena, &r->result, limits, r->report);
	reuse_use_of(&r->result, limits, &use);
	const char *why = reuse_overused(r->arena, r->state.reuse, &use);
	if (!why)
		return 0;
	r->answer = ANSWER_REFUSED;
	r->report->refused = why;
	if (!r->opts->check && retire(r, why, e) < 0)
		return -e->code;
	return err_msg(e, EKEYREJECTED, "container %s is not to be used again: %s", r->opts->id,
		       why);
}
