/* delete: what it is that is deleted, also where state.json does not say it any more. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "delete.h"
#include "store.h"

static int check_id(const struct brig_state *s, const char *file, const char *id, struct err *e)
{
	return str_eq(s->id, id)
		       ? 0
		       : err_msg(e, EBADMSG, "%s is of another container: %.80s", file, s->id);
}

static int load_copy(int dir, const char *id, struct arena *a, struct brig_state *s, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, STORE_COPY, STATE_MAX_BYTES, &text, &len, e);

	if (r == 0)
		r = state_parse(a, text, len, s, e);
	return r < 0 ? r : check_id(s, STORE_COPY, id, e);
}

int delete_load(int dir, const char *id, bool tells, struct arena *a, struct brig_state *s,
		struct err *e)
{
	struct err ignored;
	int r = store_load(dir, a, s, e);

	if (r == 0)
		r = check_id(s, STORE_STATE, id, e);
	if (r < 0) {
		if (load_copy(dir, id, a, s, &ignored) < 0)
			return r;
		if (tells)
			log_warn("%s: %s: its copy is used", id, e->msg);
	}
	/* From the first state on the cgroup has a name; whose it is is known when it was made. */
	s->cgroup.unclaimed = str_eq(s->status, "creating") && s->pid == 0 &&
			      faccessat(dir, STORE_CLAIMED, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
	return 0;
}

int delete_unknown(const struct container_host *h, int dir, const char *id, bool force,
		   struct err *e)
{
	bool made = faccessat(dir, STORE_CLAIMED, F_OK, AT_SYMLINK_NOFOLLOW) == 0;

	/* Its maker was killed before it had made anything else, or nobody made anything. */
	if (!made && (e->code == ENOENT || (force && faccessat(dir, STORE_CONFIG, F_OK, 0) < 0))) {
		log_debug("state of %s: %s", id, e->msg);
		return store_remove(h, id, e);
	}
	if (!force)
		return -e->code;
	return err_msg(e, EBADMSG,
		       "%s and its copy are damaged or gone, so its processes and cgroup are not "
		       "known and "
		       "nothing was removed: end them, then remove %s/%s",
		       STORE_STATE, h->root, id);
}
