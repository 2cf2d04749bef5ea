#include "layers_open.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "layers.h"
#include "specs/change.h"
#include "status.h"

/* --- what was there ----------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct fs_base *)a)->path, ((const struct fs_base *)b)->path);
}

static void take_base(struct arena *a, const struct brig_layer *from, struct fs_layer *to)
{
	struct fs_base *list = arena_array(a, from->n_entries + 1, sizeof(*list));
	size_t len;

	for (size_t i = 0; i < from->n_entries; i++) {
		const struct brig_layer_entry *l = &from->entries[i];

		list[i] = (struct fs_base){
			.path = str_eq(l->path, ".") ? "" : change_unescape(a, l->path, &len),
			.ino = l->ino,
			.ctime_ns = l->ctime_ns,
			.mode = l->mode,
			.uid = l->uid,
			.gid = l->gid,
		};
	}
	if (from->n_entries)
		qsort(list, from->n_entries, sizeof(*list), by_path);
	to->base = list;
	to->n_base = from->n_entries;
}

/* --- what is there ------------------------------------------------------------------------ */

/* What is at that path now must be what was mounted. */
static int open_lower(const struct brig_layer *l, struct err *e)
{
	own_fd int fd = open(l->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_set(e, errno, "volume %s: open %s", l->path, l->source);
	return st.st_dev == l->dev && st.st_ino == l->ino
		       ? take_fd(&fd)
		       : err_msg(e, ESTALE, "volume %s: %s is another directory by now", l->path,
				 l->source);
}

static int gone(const struct brig_state *s, struct err *e)
{
	return err_msg(e, ESTALE,
		       "the layers of container %s are gone: discarded, or its warden was killed",
		       s->id);
}

static int open_one(struct arena *a, int proc, size_t i, const struct brig_state *s,
		    struct layers *out, struct err *e)
{
	const struct brig_layer *l = &out->names[i];
	char path[32];

	out->list[i] = (struct fs_layer){.root = -1, .lower = -1};
	out->n = i + 1;
	snprintf(path, sizeof(path), "fd/%d", WARDEN_LAYER_FD + (int)i);
	out->list[i].root = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (out->list[i].root < 0)
		return errno == ENOENT || errno == ESRCH ? gone(s, e)
							 : err_set(e, errno, "layer %s", l->path);
	take_base(a, l, &out->list[i]);
	if (!l->source)
		return 0;
	out->list[i].lower = open_lower(l, e);
	return out->list[i].lower < 0 ? out->list[i].lower : 0;
}

void layers_close(struct layers *l)
{
	for (size_t i = 0; i < l->n; i++) {
		own_close(&l->list[i].root);
		own_close(&l->list[i].lower);
	}
	l->n = 0;
}

int layers_open(struct arena *a, int dir, const struct brig_state *s, struct layers *out,
		struct err *e)
{
	struct brig_layers names;
	char *text, letter;
	size_t len;

	*out = (struct layers){.n = 0};
	int r = file_read(a, dir, LAYERS_FILE, LAYERS_MAX_BYTES, &text, &len, e);
	if (r == -ENOENT)
		return err_msg(e, ENODATA, "container %s keeps no layers (create --keep-layers)",
			       s->id);
	if (r < 0)
		return r;
	if (layers_parse(a, text, len, &names, e) < 0)
		return err_wrap(e, LAYERS_FILE);
	if (names.n_layers > WARDEN_LAYERS)
		return err_msg(e, E2BIG, LAYERS_FILE ": more than %d layers", WARDEN_LAYERS);
	own_fd int proc = process_open((pid_t)s->warden_pid, s->warden_start_time, &letter);
	if (proc < 0)
		return gone(s, e);
	out->names = names.layers;
	for (size_t i = 0; i < names.n_layers && r == 0; i++)
		r = open_one(a, proc, i, s, out, e);
	if (r < 0)
		layers_close(out);
	return r;
}

struct layers *layers_if_kept(struct arena *a, int dir, const struct brig_state *s)
{
	struct layers *l = arena_new(a, sizeof(*l));
	struct err why;
	int r = layers_open(a, dir, s, l, &why);

	if (r < 0 && r != -ENODATA)
		log_debug("layers: %s", why.msg);
	return r < 0 ? NULL : l;
}

const struct brig_layer *layers_find(const struct layers *l, const char *path, const char **rest)
{
	const struct brig_layer *best = NULL;
	size_t most = 0;

	for (size_t i = 0; i < l->n; i++) {
		const char *at = l->names[i].path;
		size_t n = strlen(at);

		if (n < most || strncmp(path, at, n) != 0 || (path[n] && path[n] != '/'))
			continue;
		best = &l->names[i];
		most = n;
		*rest = path[n] ? path + n + 1 : "";
	}
	return best;
}
