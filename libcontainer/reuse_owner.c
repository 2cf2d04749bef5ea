/* Whose a sandbox that can be used again is: the host's root's, or a plain user's. */
#include <errno.h>
#include <unistd.h>

#include "base/str.h"
#include "reuse.h"

bool reuse_is_plain_users(const struct brig_state *s)
{
	return !s->late_userns;
}

int reuse_check_join(const struct brig_state *s, bool parked, struct err *e)
{
	if (!parked || !s->reuse || !reuse_is_plain_users(s))
		return 0;
	return err_msg(e, EBUSY,
		       "container %s is parked: a plain user's takes no other process before it is "
		       "started",
		       s->id);
}

static bool has_directory(const struct cgroup_record *c, const char *path)
{
	for (size_t i = 0; i < c->n_dirs; i++)
		if (str_eq(c->dirs[i].path, path))
			return true;
	return false;
}

/* A plain user's is below the cgroup of who runs brig, which may be another session's. */
int reuse_check_cgroup(const struct brig_state *s, const struct plan *p, struct err *e)
{
	const struct cgroup_record *c = &s->cgroup;

	/* systemd's is where its unit's name says. */
	if (c->unit)
		return 0;
	for (size_t i = 0; i < c->n_dirs; i++)
		if (!has_directory(&p->cgroup_record, c->dirs[i].path))
			return err_msg(e, ESTALE,
				       "container %s is in cgroup %s: from the cgroup that this "
				       "command is in its next generation would be in another",
				       s->id, c->dirs[i].path);
	return 0;
}

int reuse_check_owner(const struct brig_state *s, enum container_answer *answer, struct err *e)
{
	if (plan_in_user_namespace()) {
		*answer = ANSWER_NOT_ALLOWED;
		return err_msg(e, EPERM,
			       "container %s: not from within a user namespace, whose ids are not "
			       "the host's",
			       s->id);
	}
	if (s->owner == geteuid())
		return 0;
	*answer = ANSWER_NOT_ALLOWED;
	return err_msg(e, EPERM, "container %s is user %u's, who alone can reset and verify it",
		       s->id, s->owner);
}
