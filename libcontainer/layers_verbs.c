/* diff and discard.  docs/layers.md */
#include "layers_verbs.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"
#include "cgroup/cgroup.h"
#include "evidence.h"
#include "layers.h"
#include "lease.h"
#include "plan.h"
#include "store.h"
#include "warden/warden.h"

enum { WORDS_MS = 3500, END_MS = 10000 };

/* --- what they share ---------------------------------------------------------------------- */

static int look(const struct container_host *h, struct layers_call *c, struct err *e)
{
	struct cgroup *cg = NULL;

	if (store_load(c->dir, c->arena, &c->state, e) < 0 ||
	    lease_check(h, c->dir, &c->state, LEASE_TO_TEND, &c->answer, e) < 0 ||
	    cgroup_open(c->arena, &c->state.cgroup, &cg, e) < 0)
		return -e->code;
	c->status = status_of(c->dir, &c->state, cg);
	cgroup_close(cg);
	if (!c->state.reuse) {
		c->answer = ANSWER_REFUSED;
		return err_msg(e, ENODATA,
			       "container %s keeps no layers (create --reuse --keep-layers)",
			       c->id);
	}
	int r = layers_open(c->arena, c->dir, &c->state, &c->layers, e);
	if (r == -ENODATA || r == -ESTALE)
		c->answer = ANSWER_REFUSED;
	return r;
}

int layers_call_begin(const struct container_host *h, const char *id, struct arena *a,
		      struct layers_call *out, struct err *e)
{
	*out = (struct layers_call){.id = id, .arena = a, .dir = -1, .answer = ANSWER_FAILED};
	if (geteuid() != 0 || plan_in_user_namespace()) {
		out->answer = ANSWER_NOT_ALLOWED;
		return err_msg(e, EPERM, "only the host's root can look at layers so far");
	}
	out->dir = store_open(h, id, STORE_LOCKED, e);
	if (out->dir == -EBUSY)
		out->answer = ANSWER_BUSY;
	if (out->dir < 0)
		return out->dir;
	int r = look(h, out, e);
	if (r < 0)
		layers_call_end(out);
	return r;
}

void layers_call_end(struct layers_call *c)
{
	layers_close(&c->layers);
	own_close(&c->dir);
}

/* --- diff --------------------------------------------------------------------------------- */

static void tell_head(struct layers_call *c, struct brig_changes *out)
{
	struct brig_change_layer *list = arena_array(c->arena, c->layers.n + 1, sizeof(*list));

	for (size_t i = 0; i < c->layers.n; i++) {
		const struct brig_layer *l = &c->layers.names[i];

		list[i] = (struct brig_change_layer){l->path, l->kind, l->source};
	}
	*out = (struct brig_changes){
		.v = 1,
		.id = c->id,
		.generation = c->state.reuse->generation,
		.status = status_name(c->status),
		.layers = list,
		.n_layers = c->layers.n,
	};
}

int container_diff(const struct container_host *h, const struct container_diff_opts *o,
		   struct arena *a, struct brig_changes *out, enum container_answer *answer,
		   struct err *e)
{
	const struct layers_query q = {
		.hash = o->hash,
		.most = o->most ? *o->most : 0,
		.each = o->each,
		.ctx = o->ctx,
	};
	struct layers_call c;

	*out = (struct brig_changes){0};
	int r = layers_call_begin(h, o->id, a, &c, e);
	if (r < 0) {
		*answer = c.answer;
		return r;
	}
	store_unlock(c.dir);
	tell_head(&c, out);
	r = o->begin ? o->begin(o->ctx, out, e) : 0;
	if (r == 0)
		r = layers_tell(&c.layers, &q, &out->changes, e);
	/* Of one that runs, or a volume of the host's. */
	if (r == -ESTALE)
		c.answer = ANSWER_BUSY;
	layers_call_end(&c);
	*answer = c.answer;
	return r;
}

/* --- discard ------------------------------------------------------------------------------ */

/* It has written the result before it does nothing but hold. */
static int end_holder(struct layers_call *c, struct err *e)
{
	own_fd int fd = process_pidfd(c->state.warden_pid, c->state.warden_start_time);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return 0;
	warden_await_end(c->dir, WORDS_MS);
	if (warden_presence(c->dir) == WARDEN_LISTENS) {
		c->answer = ANSWER_BUSY;
		return err_msg(e, EBUSY, "container %s: its warden has not told how it ended yet",
			       c->id);
	}
	if (sys_pidfd_send_signal(fd, SIGKILL) < 0 && errno != ESRCH)
		return err_set(e, errno, "end the warden");
	return poll(&p, 1, END_MS) > 0 ? 0 : err_msg(e, ETIMEDOUT, "the warden does not end");
}

int container_discard(const struct container_host *h, const char *id, enum container_answer *answer,
		      struct err *e)
{
	own_arena struct arena a = {0};
	struct layers_call c;
	int r = layers_call_begin(h, id, &a, &c, e);

	*answer = c.answer;
	if (r < 0)
		return r;
	layers_close(&c.layers);
	if (c.status != STATUS_STOPPED) {
		c.answer = ANSWER_BUSY;
		r = err_msg(e, EBUSY,
			    "container %s is %s: its layers are dropped when it has ended", id,
			    status_name(c.status));
	}
	if (r == 0)
		r = end_holder(&c, e);
	if (r == 0 && c.state.audit)
		evidence_tell(&c.state, "SandboxDiscarded", "discard", NULL);
	layers_call_end(&c);
	*answer = c.answer;
	return r;
}
