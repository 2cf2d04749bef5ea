/* create and run, at a level: the ids that the sandbox gets, and its user namespace. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"
#include "create.h"

int create_claim_ids(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_level *l = c->plan.level;

	if (c->before) {
		c->slot = (struct idpool_slot){c->before->ids_slot, c->reuse->ids_base};
		return 0;
	}
	return idpool_claim(&l->pool, l->policy.pod, create_directory(c), &c->slot, e);
}

void create_release_ids(void *ctx)
{
	struct create *c = ctx;
	struct err e;

	if (c->before)
		return;
	if (idpool_release(&c->plan.level->pool, c->slot.slot, create_directory(c), &e) < 0)
		log_warn("%s", e.msg);
}

int create_userns(void *ctx, struct err *e)
{
	struct create *c = ctx;
	const struct plan_level *l = c->plan.level;

	c->idmap = l->pooled ? plan_level_shift(c->arena, &l->idmap, c->slot.base) : l->idmap;
	if (l->userns_path) {
		c->userns = open(l->userns_path, O_RDONLY | O_CLOEXEC);
		if (c->userns < 0)
			return err_set(e, errno, "open %s", l->userns_path);
	} else {
		c->userns = idmap_userns(&c->idmap, e);
		if (c->userns < 0)
			return c->userns;
	}
	c->owner = (struct fs_owner){l->map_mounts ? c->userns : -1, &c->idmap};
	return 0;
}
