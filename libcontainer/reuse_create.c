/* What create and reset do for a sandbox that can be used again.  docs/reuse.md */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/own.h"
#include "create.h"
#include "reuse.h"
#include "reuse_lower.h"
#include "store.h"
#include "verify.h"
#include "volumes.h"

/* What the shell is known by goes on. */
static void carry_over(const struct brig_state *from, struct brig_state *to)
{
	to->created = from->created;
	to->ctx_request = from->ctx_request;
	to->ctx_principal = from->ctx_principal;
}

/* Which one it is: behind its path may be another one later. */
static int note_joined(struct create *c, struct err *e)
{
	const struct ns_plan *ns = &c->plan.ns;
	struct stat st;

	for (size_t i = 0; i < ns->n_joins; i++) {
		if (ns->joins[i].flag != CLONE_NEWNET)
			continue;
		if (stat(ns->joins[i].path, &st) < 0)
			return err_set(e, errno, "network namespace %s", ns->joins[i].path);
		c->reuse->netns = (uint64_t)st.st_ino;
	}
	return 0;
}

int reuse_begin(struct create *c, struct err *e)
{
	c->state.reuse = c->reuse;
	c->reuse->cpus = c->cpus;
	c->reuse->ids_base = c->slot.base;
	if (!c->before && note_joined(c, e) < 0)
		return -e->code;
	if (c->before) {
		carry_over(c->before, &c->state);
		return 0;
	}
	if (reuse_take_lower(c->arena, c->state.rootfs, c->opts->digests, c->opts->packages, c->dir,
			     c->reuse, e) < 0 ||
	    volumes_begin(c, e) < 0)
		return -e->code;
	return reuse_save_request(c->arena, c->host, c->opts, &c->plan, c->dir, e);
}

int reuse_take(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct verify v = {
		.arena = c->arena,
		.state = &c->state,
		.directory = create_directory(c),
		.dir = c->dir,
	};
	int r = verify_take(&v, &c->reuse->fingerprint, e);

	return r < 0 ? r : store_save(c->dir, &c->state, e);
}

int reuse_streams_away(struct reuse_streams *s, struct err *e)
{
	enum { ABOVE = 10 };
	own_fd int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return err_set(e, errno, "open /dev/null");
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		s->saved[fd] = fcntl(fd, F_DUPFD_CLOEXEC, ABOVE);
		if (s->saved[fd] < 0 || dup2(null, fd) < 0)
			return err_set(e, errno, "descriptor %d", fd);
		s->away[fd] = true;
	}
	return 0;
}

void reuse_streams_back(struct reuse_streams *s)
{
	for (int fd = 0; fd <= STDERR_FILENO; fd++) {
		if (!s->away[fd])
			continue;
		if (dup2(s->saved[fd], fd) < 0)
			log_warn("descriptor %d is lost", fd);
		own_close(&s->saved[fd]);
		s->away[fd] = false;
	}
}
