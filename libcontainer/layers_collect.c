/* collect: what a sandbox wrote, copied out.  docs/layers.md */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "evidence.h"
#include "fs/collect.h"
#include "layers_verbs.h"
#include "specs/change.h"
#include "specs/json_print.h"
#include "store.h"

static const struct fs_collect bounds = {.max_bytes = 1 << 30, .max_files = 65536};

/* Not by text alone: ".." of a path with a symlink in it leads elsewhere. */
static bool is_plain(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 2 && p[0] == '.' && p[1] == '.')
			return false;
		p += n + (p[n] == '/');
	}
	return path[0] == '/';
}

static const char *words_of(struct layers_call *c)
{
	const char *text = "";

	for (size_t i = 0; i < c->layers.n; i++)
		text = arena_printf(c->arena, "%s%s%s", text, i ? ", " : "",
				    c->layers.names[i].path);
	return text;
}

static int open_source(struct layers_call *c, const char *source, const char **name, struct err *e)
{
	const char *rest = NULL, *clean;

	if (!is_plain(source))
		return err_msg(e, EINVAL, "source: not an absolute path, or with \"..\" in it");
	clean = path_clean(c->arena, source);
	const struct brig_layer *l = layers_find(&c->layers, clean, &rest);
	if (!l)
		return err_msg(e, ENOENT, "source %.200s: in none of its layers: %.200s", source,
			       words_of(c));
	const char *slash = strrchr(clean, '/');
	*name = slash && slash[1] ? slash + 1 : "layer";
	int fd = fs_collect_open(c->layers.list[l - c->layers.names].root, rest, e);
	return fd < 0 ? err_wrap(e, "source %.200s", source) : fd;
}

static const char *report_of(struct layers_call *c, const char *source, const struct fs_collect *n)
{
	struct json_out o;

	json_begin(&o, c->arena, 0);
	json_object(&o);
	json_key_int(&o, "v", 1);
	json_key_str(&o, "id", c->id);
	json_key_uint(&o, "generation", c->state.reuse->generation);
	json_key_str(&o, "source", change_escape(c->arena, source, strlen(source)));
	json_key_uint(&o, "files", n->files);
	json_key_uint(&o, "directories", n->directories);
	json_key_uint(&o, "bytes", n->bytes);
	json_key(&o, "skipped");
	json_object(&o);
	json_key_uint(&o, "symlinks", n->symlinks);
	json_key_uint(&o, "special", n->special);
	json_key_uint(&o, "mounts", n->mounts);
	json_end_object(&o);
	json_end_object(&o);
	return json_done(&o, NULL);
}

/* Twice: what would be too much is not begun with. */
static int collect(struct layers_call *c, const struct container_collect_opts *o,
		   struct fs_collect *n, struct err *e)
{
	const char *name = NULL;
	struct fs_collect before = *n;
	own_fd int source = open_source(c, o->source, &name, e);

	if (source < 0 || fs_collect_measure(source, &before, e) < 0)
		return -e->code;
	return o->destination ? fs_collect_copy(source, o->destination, n, e)
			      : fs_collect_tar(source, name, o->tar, n, e);
}

int container_collect(const struct container_host *h, const struct container_collect_opts *o,
		      struct arena *a, const char **report, enum container_answer *answer,
		      struct err *e)
{
	struct fs_collect n = bounds;
	struct layers_call c;

	*report = NULL;
	*answer = ANSWER_FAILED;
	if (o->max_bytes)
		n.max_bytes = *o->max_bytes < 0 ? UINT64_MAX : (uint64_t)*o->max_bytes;
	if (o->max_files)
		n.max_files = *o->max_files;
	n.archive = !o->destination;
	int r = layers_call_begin(h, o->id, a, &c, e);
	if (r < 0) {
		*answer = c.answer;
		return r;
	}
	store_unlock(c.dir);
	r = collect(&c, o, &n, e);
	if (r == -ESTALE)
		c.answer = ANSWER_BUSY;
	if (r == 0) {
		*report = report_of(&c, o->source, &n);
		if (c.state.audit)
			evidence_tell(&c.state, "SandboxCollected", "collect", *report);
	}
	layers_call_end(&c);
	*answer = c.answer;
	return r;
}
