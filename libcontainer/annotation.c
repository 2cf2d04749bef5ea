#include "annotation.h"

#include <errno.h>
#include <fcntl.h>

#include "base/own.h"
#include "base/str.h"

#define PREFIX "run.oci."

static const char *find(const struct oci_config *c, const char *key)
{
	for (size_t i = 0; i < c->n_annotations; i++)
		if (str_eq(c->annotations[i].key, key))
			return c->annotations[i].value;
	return NULL;
}

/* A path of the host; NULL in *path: not given. */
static int find_path(const struct oci_config *c, const char *key, const char **path, struct err *e)
{
	*path = find(c, key);
	if (*path && (*path)[0] != '/')
		return err_msg(e, EINVAL, "annotations: %s: \"%.80s\" is not an absolute path", key,
			       *path);
	return 0;
}

static int set_receiver(struct arena *a, struct oci_config *c, struct err *e)
{
	const char *path;
	int r = find_path(c, PREFIX "seccomp.receiver", &path, e);

	if (r < 0 || !path || !c->linux_ || !c->linux_->seccomp ||
	    c->linux_->seccomp->listener_path)
		return r;
	struct oci_linux *l = arena_new(a, sizeof(*l));
	struct oci_seccomp *s = arena_new(a, sizeof(*s));
	*l = *c->linux_;
	*s = *l->seccomp;
	s->listener_path = path;
	l->seccomp = s;
	c->linux_ = l;
	return 0;
}

int annotation_apply(struct arena *a, struct oci_config *c, struct err *e)
{
	if (!c->n_annotations)
		return 0;
	const char *handler = find(c, PREFIX "handler");

	if (handler && *handler)
		return err_msg(e, ENOTSUP,
			       "annotations: " PREFIX "handler: no handler \"%.40s\": brig "
			       "executes programs itself only",
			       handler);
	return set_receiver(a, c, e);
}

void annotation_creds(const struct oci_config *c, struct creds_plan *creds)
{
	const char *keep = find(c, PREFIX "keep_original_groups");

	if (!keep || str_eq(keep, "0") || str_eq(keep, "false"))
		return;
	creds->keep_groups = true;
	creds->groups = NULL;
	creds->n_groups = 0;
}

static int open_output(const struct oci_config *c, const char *key, int *fd, struct err *e)
{
	const char *path;
	int r = find_path(c, key, &path, e);

	if (r < 0 || !path)
		return r;
	/* Not to wait for the reader of a pipe. */
	*fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0600);
	if (*fd < 0 || fcntl(*fd, F_SETFL, O_APPEND) < 0)
		return err_set(e, errno, "annotations: %s: open %s", key, path);
	return 0;
}

int annotation_hook_output(const struct oci_config *c, struct hook_output *out, struct err *e)
{
	*out = HOOK_OUTPUT_KEPT;
	if (!c->hooks || !c->n_annotations)
		return 0;
	int r = open_output(c, PREFIX "hooks.stdout", &out->out, e);
	return r < 0 ? r : open_output(c, PREFIX "hooks.stderr", &out->err, e);
}
