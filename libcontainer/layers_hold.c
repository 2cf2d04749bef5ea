/* create: what its sandbox writes is held by the warden, from before anything is written. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "create.h"
#include "fs/diff.h"
#include "fs/fs.h"
#include "layers.h"
#include "specs/layer.h"
#include "status.h"

/* Mount points, and what a tmpfs was told to begin with (tmpcopyup). */
enum { ENTRIES = 32768 };

struct holding {
	struct create *c;
	struct brig_layer layers[WARDEN_LAYERS];
	int fds[WARDEN_LAYERS];
	size_t n;
	/* of the layer that is looked at */
	struct brig_layer_entry *entries;
	size_t n_entries;
};

static int take_entry(void *ctx, const struct fs_base *b)
{
	struct holding *h = ctx;

	h->entries[h->n_entries++] = (struct brig_layer_entry){
		.path = *b->path ? change_escape(h->c->arena, b->path, strlen(b->path)) : ".",
		.ino = b->ino,
		.ctime_ns = b->ctime_ns,
		.mode = b->mode,
		.uid = b->uid,
		.gid = b->gid,
	};
	return 0;
}

static int add_tmpfs(struct holding *h, int root, const char *path, struct err *e)
{
	if (h->n == WARDEN_LAYERS)
		return err_msg(e, E2BIG, "more than %d writable places", WARDEN_LAYERS);
	own_fd int fd = inroot_open(root, path, O_PATH | O_DIRECTORY, INROOT_NO_SYMLINKS, e);
	if (fd < 0)
		return err_wrap(e, "writable place");
	h->entries = arena_array(h->c->arena, ENTRIES + 1, sizeof(*h->entries));
	h->n_entries = 0;
	if (fs_diff_base(fd, ENTRIES, take_entry, h, e) < 0)
		return err_wrap(e, "what is in %s", path);
	h->layers[h->n] = (struct brig_layer){
		.path = path,
		.kind = "tmpfs",
		.entries = h->entries,
		.n_entries = h->n_entries,
	};
	h->fds[h->n++] = take_fd(&fd);
	return 0;
}

static int add_overlay(struct holding *h, const struct plan_volume *v, int *upper, struct err *e)
{
	struct stat st;

	if (v->policy != VOLUME_OVERLAY)
		return 0;
	if (h->n == WARDEN_LAYERS)
		return err_msg(e, E2BIG, "more than %d writable places", WARDEN_LAYERS);
	if (*upper < 0 || stat(v->source, &st) < 0)
		return err_msg(e, ENOENT, "volume %s: %s is gone", v->path, v->source);
	h->layers[h->n] = (struct brig_layer){
		.path = v->path,
		.kind = "overlay",
		.source = v->source,
		.dev = st.st_dev,
		.ino = st.st_ino,
		.since_ns = h->c->uppers_since_ns,
	};
	h->fds[h->n++] = take_fd(upper);
	return 0;
}

void layers_take_uppers(struct create *c)
{
	const struct plan_layers *l = &c->plan.layers;
	struct timespec now = {0};

	/* The clock of the files' times, which lags behind: what changes later is not before it. */
	(void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
	c->uppers_since_ns = now.tv_sec * 1000000000 + now.tv_nsec;
	c->uppers = arena_array(c->arena, l->n_volumes + 1, sizeof(*c->uppers));
	for (size_t i = 0; i < l->n_volumes; i++)
		c->uppers[i] = l->keep || l->dry ? fs_upper(c->fs, l->volumes[i].index) : -1;
}

void layers_close_uppers(struct create *c)
{
	for (size_t i = 0; c->uppers && i < c->plan.layers.n_volumes; i++)
		own_close(&c->uppers[i]);
}

static int add_all(struct holding *h, struct err *e)
{
	const struct brig_state *s = &h->c->state;
	char letter;
	own_fd int proc = process_open(h->c->pid, process_birth(h->c->pid), &letter);
	own_fd int root = proc < 0 ? -1 : openat(proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	int r = 0;

	if (root < 0)
		return err_msg(e, ESRCH, "its first process has ended");
	for (size_t i = 0; i < s->n_disk && r == 0; i++)
		r = add_tmpfs(h, root, s->disk[i], e);
	for (size_t i = 0; i < h->c->plan.layers.n_volumes && r == 0 && h->c->uppers; i++)
		r = add_overlay(h, &h->c->plan.layers.volumes[i], &h->c->uppers[i], e);
	return r;
}

static int save(const struct holding *h, struct err *e)
{
	const struct brig_layers l = {.v = 1, .layers = h->layers, .n_layers = h->n};
	size_t len;
	const char *text = layers_print(h->c->arena, &l, &len);

	return file_replace(h->c->dir, LAYERS_FILE, text, len, 0600, e);
}

int layers_hold(void *ctx, struct err *e)
{
	struct create *c = ctx;
	struct holding h = {.c = c};
	int r = add_all(&h, e);

	/* First what it is, then that it is held: what is held without a name is nobody's. */
	if (r == 0)
		r = save(&h, e);
	if (r == 0)
		r = warden_detached_layers(&c->detached, h.fds, h.n, e);
	for (size_t i = 0; i < h.n; i++)
		own_close(&h.fds[i]);
	return r;
}
