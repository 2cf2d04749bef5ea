#include "late_given.h"

#include <errno.h>

#include "base/own.h"
#include "fs/fs.h"
#include "grant_internal.h"
#include "grant_mount.h"
#include "ns/idmap.h"
#include "secret.h"

int late_given_check(struct arena *a, const struct container_start_opts *o, struct err *e)
{
	struct brig_grant g;

	for (size_t i = 0; i < o->n_grants; i++)
		if (grant_read(a, o->grants[i], &g, e) < 0)
			return err_wrap(e, "--grant");
	return 0;
}

int late_grants(const struct container_host *h, struct arena *a, int dir,
		const struct brig_state *s, const struct container_start_opts *o, struct err *e)
{
	struct change c = {.arena = a, .host = h, .id = s->id, .dir = dir, .state = *s};
	struct brig_grant g;
	const char *place;

	for (size_t i = 0; i < o->n_grants; i++)
		if (grant_read(a, o->grants[i], &g, e) < 0 || grant_give(&c, &g, &place, e) < 0)
			return err_wrap(e, "--grant");
	return 0;
}

int late_secrets(struct arena *a, const struct brig_state *s, const struct work *w, struct err *e)
{
	const struct fs_files files = {.list = w->secrets.files, .n = w->secrets.n};
	struct grant_target t;
	struct idmap map;
	uint32_t uid, gid;

	if (idmap_read(a, (pid_t)s->pid, &map, e) < 0)
		return -e->code;
	if (!idmap_uid_to_host(&map, w->uid, &uid) || !idmap_gid_to_host(&map, w->gid, &gid))
		return err_msg(e, EINVAL, "uid %u or gid %u is not mapped", w->uid, w->gid);
	own_fd int tree = fs_files_make(&files, uid, gid, e);
	if (tree < 0)
		return err_wrap(e, "--secret");
	if (grant_target_open(s, &t, e) < 0)
		return -e->code;
	int r = grant_attach_run(&t, &SECRET_DIRECTORY[sizeof("/run")], tree, e);
	grant_target_close(&t);
	return r < 0 ? err_wrap(e, "--secret") : 0;
}
