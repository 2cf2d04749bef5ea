#include <errno.h>
#include <stdio.h>

#include "criu/criu.h"

enum { REQ_KEEP_OPEN = 4, REQ_FEATURES = 5 };
enum { FEATURE_MEM_TRACK = 1, FEATURE_LAZY_PAGES = 2 };

static int ask(struct criu *c, enum criu_type type, const struct wire_out *more,
	       struct criu_reply *r, struct err *e)
{
	int fd;

	if (criu_send(c, type, NULL, more, e) < 0 || criu_receive(c, r, &fd, e) < 0)
		return -e->code;
	return 0;
}

static int check_version(struct criu *c, char *name, size_t size, struct err *e)
{
	struct wire_out more = {.arena = c->arena};
	struct criu_reply r;

	wire_bool(&more, REQ_KEEP_OPEN, true);
	if (ask(c, CRIU_VERSION, &more, &r, e) < 0)
		return -e->code;
	snprintf(name, size, "criu %lld.%lld", (long long)r.version_major,
		 (long long)r.version_minor);
	if (r.version_major < CRIU_MIN_MAJOR ||
	    (r.version_major == CRIU_MIN_MAJOR && r.version_minor < CRIU_MIN_MINOR))
		return err_msg(e, ENOTSUP, "%s is too old: %d.%d or later is needed", name,
			       CRIU_MIN_MAJOR, CRIU_MIN_MINOR);
	return 0;
}

/* A worker keeps its early messages to itself; the command that checks says them. */
static int kernel_error(struct arena *a, const char *name, struct err *e)
{
	const struct criu_start check = {.check = true};
	struct criu c;
	struct criu_reply r;
	int fd;

	if (criu_start(&c, a, &check, e) < 0)
		return -e->code;
	if (criu_receive(&c, &r, &fd, e) == 0)
		(void)err_msg(e, EBADMSG, "criu check fails");
	criu_end(&c);
	e->code = ENOTSUP;
	return err_wrap(e, "%s cannot work on this kernel", name);
}

/* Asking for features makes criu look at the kernel, which is where it gives up. */
static int check_kernel(struct criu *c, const char *name, const struct criu_needs *needs,
			struct err *e)
{
	struct wire_out more = {.arena = c->arena}, features = {.arena = c->arena};
	struct criu_reply r;

	wire_bool(&features, FEATURE_MEM_TRACK, needs->mem_track);
	wire_bool(&features, FEATURE_LAZY_PAGES, needs->lazy_pages);
	wire_message(&more, REQ_FEATURES, &features);
	if (ask(c, CRIU_FEATURE_CHECK, &more, &r, e) < 0)
		return -e->code;
	if (!r.success)
		return kernel_error(c->arena, name, e);
	if (needs->mem_track && !r.mem_track)
		return err_msg(e, ENOTSUP, "%s: this kernel does not track memory changes", name);
	if (needs->lazy_pages && !r.lazy_pages)
		return err_msg(e, ENOTSUP, "%s: no lazy pages on this kernel", name);
	return 0;
}

int criu_probe(struct arena *a, const struct criu_needs *needs, struct err *e)
{
	const struct criu_start plain = {0};
	struct criu c;
	char name[64];
	int r = criu_start(&c, a, &plain, e);

	if (r < 0)
		return r;
	r = check_version(&c, name, sizeof(name), e);
	if (r == 0)
		r = check_kernel(&c, name, needs, e);
	criu_end(&c);
	return r;
}
