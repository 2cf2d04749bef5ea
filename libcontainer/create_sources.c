/* create and run: what of the host is mounted, opened with the runtime's rights before the clone.
 */
#include <errno.h>

#include "create.h"
#include "layers.h"

/* Bind mounts that could not be had as wished: known only now. */
static int record_mounts(struct create *c, struct err *e)
{
	size_t n;
	const char *const *text = fs_recorded(c->fs, &n);

	for (size_t i = 0; i < n; i++) {
		const struct policy_decision d = {
			.field = "mounts",
			.value = text[i],
			.by = BY_HOST,
			.outcome = OUTCOME_RECORDED,
		};

		policy_note(c->arena, &c->plan.level->policy, &d);
	}
	return n ? plan_save_policy(c->arena, &c->plan, c->dir, e) : 0;
}

int create_open_sources(void *ctx, struct err *e)
{
	struct create *c = ctx;

	int r = fs_open(c->arena, c->plan.fs, create_is_late(c) ? &c->owner : NULL, &c->fs, e);

	/* In a user namespace that does not own this mount namespace (unshare -Ur) only the child,
	 * in a mount namespace of its own, may clone mounts. */
	if (r == -EPERM) {
		c->fs = NULL;
		return 0;
	}
	if (r == 0)
		layers_take_uppers(c);
	return r < 0 || !c->plan.level ? r : record_mounts(c, e);
}

void create_close_sources(void *ctx)
{
	struct create *c = ctx;

	fs_close(c->fs);
	c->fs = NULL;
}
