/* commit: what a sandbox wrote to volumes that are not written becomes the host's.  docs/layers.md
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/path.h"
#include "base/step.h"
#include "base/str.h"
#include "evidence.h"
#include "fs/apply.h"
#include "layers_verbs.h"
#include "specs/change.h"
#include "specs/json_print.h"

/* So many names of what was done are told when not all could be. */
enum { NAMED = 1000 };

struct commit {
	struct layers_call call;
	const struct container_commit_opts *opts;
	struct fs_apply done[WARDEN_LAYERS]; /* by layer */
	bool chosen[WARDEN_LAYERS];
	bool again[WARDEN_LAYERS]; /* it was begun with before */
	bool acted;
	size_t layer;
	/* what was done before it failed */
	const char *names[NAMED];
	size_t n_names, more;
};

static const struct brig_layer *layer_of(const struct commit *c, size_t i)
{
	return &c->call.layers.names[i];
}

/* In the state directory, from before the first change to after the last. */
static const char *begun(const struct commit *c, size_t i)
{
	return arena_printf(c->call.arena, "commit.%zu", i);
}

static int choose(struct commit *c, struct err *e)
{
	const char *wanted = c->opts->volume ? path_clean(c->call.arena, c->opts->volume) : NULL;
	size_t n = 0;

	for (size_t i = 0; i < c->call.layers.n; i++) {
		const struct brig_layer *l = layer_of(c, i);

		c->chosen[i] = l->source && (!wanted || str_eq(wanted, l->path));
		c->again[i] = faccessat(c->call.dir, begun(c, i), F_OK, 0) == 0;
		n += c->chosen[i];
	}
	if (n)
		return 0;
	c->call.answer = ANSWER_REFUSED;
	return wanted ? err_msg(e, ENOENT, "%.200s is no overlay volume of container %s",
				c->opts->volume, c->call.id)
		      : err_msg(e, ENOENT, "container %s has no overlay volume", c->call.id);
}

static void remember(void *ctx, const struct fs_change *f)
{
	static const char *const ops[] = {
		[FS_ADDED] = "added", [FS_CHANGED] = "changed", [FS_DELETED] = "deleted"};
	struct commit *c = ctx;
	struct arena *a = c->call.arena;

	c->acted = true;
	if (c->n_names == NAMED) {
		c->more++;
		return;
	}
	c->names[c->n_names++] =
		arena_printf(a, "%s %s/%s", ops[f->op], layer_of(c, c->layer)->path,
			     change_escape(a, f->entry->path, f->entry->len));
}

static int apply(struct commit *c, bool act, struct err *e)
{
	for (size_t i = 0; i < c->call.layers.n; i++) {
		if (!c->chosen[i])
			continue;
		c->layer = i;
		c->done[i] = (struct fs_apply){
			.layer = &c->call.layers.list[i],
			.since_ns = layer_of(c, i)->since_ns,
			.skip = c->opts->skip,
			.act = act,
			.again = c->again[i],
			.temp = arena_printf(c->call.arena, ".brig-commit.%.200s", c->call.id),
			.done = remember,
			.ctx = c,
		};
		int r = fs_apply(&c->done[i], e);
		if (r < 0)
			return err_wrap(e, "volume %.200s", layer_of(c, i)->path);
	}
	return 0;
}

static void print_volume(const struct commit *c, size_t i, struct json_out *o)
{
	const struct fs_apply *d = &c->done[i];

	json_object(o);
	json_key_str(o, "path", layer_of(c, i)->path);
	json_key_str(o, "source", layer_of(c, i)->source);
	json_key_uint(o, "added", d->added);
	json_key_uint(o, "changed", d->changed);
	json_key_uint(o, "deleted", d->deleted);
	json_key_uint(o, "bytes", d->bytes);
	json_key_uint(o, "skipped", d->skipped);
	json_end_object(o);
}

/* why NULL: all of it.  Else what was done, by name. */
static const char *report_of(struct commit *c, const struct err *why)
{
	struct json_out o;

	json_begin(&o, c->call.arena, 0);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "id", c->call.id);
	json_key_uint(&o, "generation", c->call.state.reuse->generation);
	json_key_bool(&o, "applied", !c->opts->check && !why);
	json_key(&o, "volumes");
	json_array(&o);
	for (size_t i = 0; i < c->call.layers.n; i++)
		if (c->done[i].layer)
			print_volume(c, i, &o);
	json_end_array(&o);
	if (why) {
		json_key_str(&o, "error", why->msg);
		json_key(&o, "done");
		json_strs(&o, c->names, c->n_names);
		json_key_uint(&o, "done_more", c->more);
	}
	json_end_object(&o);
	return json_done(&o, NULL);
}

static enum container_answer answer_of(int r)
{
	return r == -ESTALE || r == -EOPNOTSUPP ? ANSWER_REFUSED
	       : r == -EBUSY                    ? ANSWER_BUSY
						: ANSWER_FAILED;
}

/* Written down before the first change: where that must be and cannot, nothing is changed. */
static int tell(struct commit *c, struct err *e)
{
	return c->call.state.audit ? evidence_note(&c->call.state, "SandboxCommitted", "commit",
						   report_of(c, NULL), e)
				   : 0;
}

static bool is_for_real(const void *ctx)
{
	return !((const struct commit *)ctx)->opts->check;
}

static int look(void *ctx, struct err *e)
{
	return apply(ctx, false, e);
}

static int tell_before(void *ctx, struct err *e)
{
	return tell(ctx, e);
}

/* What it does changes the times that tell a conflict: one that is cut short has to be known. */
static int begin(void *ctx, struct err *e)
{
	const struct commit *c = ctx;
	int r = 0;

	for (size_t i = 0; i < c->call.layers.n && r == 0; i++)
		if (c->chosen[i] && !c->again[i])
			r = file_replace(c->call.dir, begun(c, i), "", 0, 0600, e);
	return r;
}

static int act(void *ctx, struct err *e)
{
	const struct commit *c = ctx;
	int r = apply(ctx, true, e);

	/* One that stays makes the next one look less closely, no more. */
	for (size_t i = 0; i < c->call.layers.n && r == 0; i++)
		if (c->chosen[i])
			(void)unlinkat(c->call.dir, begun(c, i), 0);
	return r;
}

/* Cut short anywhere it can be begun anew: what is done is like the sandbox's by then. */
static const struct step steps[] = {
	{"look",  NULL,        look,        NULL, STEP_PLAIN},
	{"audit", is_for_real, tell_before, NULL, STEP_PLAIN},
	{"begin", is_for_real, begin,       NULL, STEP_PLAIN},
	{"apply", is_for_real, act,         NULL, STEP_PLAIN},
};

static int run(struct commit *c, const char **report, struct err *e)
{
	if (c->call.status != STATUS_STOPPED) {
		c->call.answer = ANSWER_BUSY;
		return err_msg(e, EBUSY, "container %s is %s: what it wrote is not whole yet",
			       c->call.id, status_name(c->call.status));
	}
	if (choose(c, e) < 0)
		return -e->code;
	int r = steps_run("commit", steps, LEN(steps), c, e);
	if (r == 0 || c->acted)
		*report = report_of(c, r < 0 ? e : NULL);
	if (r < 0 && c->acted && c->call.state.audit)
		evidence_tell(&c->call.state, "SandboxCommitted", "commit cut short",
			      arena_printf(c->call.arena, "{\"done\":%zu}", c->n_names + c->more));
	if (r < 0)
		c->call.answer = answer_of(r);
	return r;
}

int container_commit(const struct container_host *h, const struct container_commit_opts *o,
		     struct arena *a, const char **report, enum container_answer *answer,
		     struct err *e)
{
	struct commit c = {.opts = o};

	*report = NULL;
	/* The lock is held to the end: neither a reset nor another commit comes between. */
	int r = layers_call_begin(h, o->id, a, &c.call, e);
	if (r == 0) {
		r = run(&c, report, e);
		layers_call_end(&c.call);
	}
	*answer = c.call.answer;
	return r;
}
