#include "plan_layers.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "fs/mountinfo.h"
#include "plan.h"
#include "specs/layer.h"

#define KEEP_LAYERS "dev.brig.reuse.layers"
#define VOLUMES     "dev.brig.reuse.volumes"

const char *const volume_policies[] = {"refuse", "overlay", "wipe", "keep", NULL};

bool plan_layers_knows(const char *annotation)
{
	return str_eq(annotation, KEEP_LAYERS) || str_eq(annotation, VOLUMES);
}

const struct plan_volume *plan_layers_volume(const struct plan_layers *l, size_t index)
{
	for (size_t i = 0; i < l->n_volumes; i++)
		if (l->volumes[i].index == index)
			return &l->volumes[i];
	return NULL;
}

const size_t *plan_layers_overlays(struct arena *a, const struct plan_layers *l, size_t *n)
{
	size_t *list = arena_array(a, l->n_volumes + 1, sizeof(*list));

	*n = 0;
	for (size_t i = 0; i < l->n_volumes; i++)
		if (l->volumes[i].policy == VOLUME_OVERLAY)
			list[(*n)++] = l->volumes[i].index;
	return list;
}

/* --- the volumes -------------------------------------------------------------------------- */

/* What else the kernel would show there, below the directory, is not in an overlay. */
static bool is_recursive(const struct oci_mount *m)
{
	return oci_mount_has(m, "rbind");
}

static void find_volumes(struct arena *a, struct plan *p)
{
	const struct oci_config *c = &p->config;
	struct plan_volume *list = arena_array(a, c->n_mounts + 1, sizeof(*list));
	size_t n = 0;

	for (size_t i = 0; i < c->n_mounts; i++) {
		const struct oci_mount *m = &c->mounts[i];

		if (!oci_mount_is_bind(m) || oci_mount_is_readonly(m) || !m->source ||
		    !m->destination)
			continue;
		list[n++] = (struct plan_volume){
			.path = path_clean(a, m->destination),
			.source = m->source[0] == '/'
					  ? m->source
					  : arena_printf(a, "%s/%s", p->bundle, m->source),
			.index = i,
		};
	}
	p->layers.volumes = list;
	p->layers.n_volumes = n;
}

/* --- what is asked ------------------------------------------------------------------------ */

static int set_policy(struct arena *a, struct plan *p, const char *dest, const char *word,
		      struct err *e)
{
	struct plan_volume *list = (struct plan_volume *)(uintptr_t)p->layers.volumes;
	const char *path = path_clean(a, dest);
	struct plan_volume *v = NULL;
	int policy = -1;

	p->layers.asked = true;
	for (size_t i = 0; i < p->layers.n_volumes; i++)
		if (str_eq(list[i].path, path))
			v = &list[i];
	for (int i = 0; volume_policies[i]; i++)
		if (str_eq(volume_policies[i], word))
			policy = i;
	if (policy < 0)
		return err_msg(e, EINVAL,
			       "volume %.200s: \"%.40s\" is none of overlay, wipe, keep, refuse",
			       dest, word);
	if (!v)
		return err_msg(e, EINVAL, "volume %.200s: no writable bind mount is there", dest);
	v->policy = (enum volume_policy)policy;
	return 0;
}

static int read_volumes(struct arena *a, struct plan *p, const char *text, struct err *e)
{
	const struct oci_map *map;
	size_t n;

	if (layer_volumes_parse(a, text, &map, &n, e) < 0)
		return err_wrap(e, "annotation " VOLUMES);
	for (size_t i = 0; i < n; i++)
		if (set_policy(a, p, map[i].key, map[i].value, e) < 0)
			return err_wrap(e, "annotation " VOLUMES);
	return 0;
}

static int read_annotations(struct arena *a, struct plan *p, struct err *e)
{
	for (size_t i = 0; i < p->config.n_annotations; i++) {
		const struct oci_map *m = &p->config.annotations[i];

		if (str_eq(m->key, KEEP_LAYERS)) {
			if (!str_eq(m->value, "true") && !str_eq(m->value, "false"))
				return err_msg(e, EINVAL,
					       "annotation " KEEP_LAYERS
					       ": \"%.40s\" is not true or false",
					       m->value);
			p->layers.keep = str_eq(m->value, "true");
			p->layers.asked = p->layers.asked || p->layers.keep;
		}
		if (str_eq(m->key, VOLUMES) && read_volumes(a, p, m->value, e) < 0)
			return -e->code;
	}
	return 0;
}

/* --- what can be -------------------------------------------------------------------------- */

struct below {
	char source[PATH_MAX];
	bool found;
};

static int look_below(const struct mountinfo_row *row, void *ctx, struct err *e)
{
	struct below *b = ctx;
	size_t n = strlen(b->source);

	(void)e;
	b->found = b->found || (strncmp(row->point, b->source, n) == 0 && row->point[n] == '/');
	return 0;
}

/* An overlay is over one mount, and one mount is emptied. */
static int check_alone(const struct plan_volume *v, const char *word, struct err *e)
{
	struct below b = {.found = false};

	if (!realpath(v->source, b.source))
		return err_set(e, errno, "volume %.200s: %.200s", v->path, v->source);
	if (mountinfo_each(look_below, &b, e) < 0)
		return -e->code;
	return b.found ? err_msg(e, EBUSY, "volume %.200s: %s: something is mounted below %.200s",
				 v->path, word, v->source)
		       : 0;
}

static int check_volume(const struct plan *p, const struct plan_volume *v, struct err *e)
{
	const char *word = volume_policies[v->policy];
	struct stat st;

	if (v->policy != VOLUME_OVERLAY && v->policy != VOLUME_WIPE)
		return 0;
	if (!p->level || !p->level->late)
		return err_msg(e, EOPNOTSUPP,
			       "volume %.200s: %s: only at a level, and by the host's root",
			       v->path, word);
	if (stat(v->source, &st) < 0)
		return err_set(e, errno, "volume %.200s: %.200s", v->path, v->source);
	if (!S_ISDIR(st.st_mode))
		return err_msg(e, ENOTDIR, "volume %.200s: %s: %.200s is no directory", v->path,
			       word, v->source);
	return is_recursive(&p->config.mounts[v->index]) ? check_alone(v, word, e) : 0;
}

/* Whatever it may write of the host's is not written. */
static int plan_dry(struct plan *p, struct err *e)
{
	struct plan_volume *list = (struct plan_volume *)(uintptr_t)p->layers.volumes;

	if (!p->level || !p->level->late)
		return err_msg(e, EOPNOTSUPP,
			       "--dry-run: only at a level, and by the host's root so far");
	if (!p->config.root->readonly)
		return err_msg(e, EOPNOTSUPP, "--dry-run: its root file system is writable");
	p->layers.dry = true;
	for (size_t i = 0; i < p->layers.n_volumes; i++)
		list[i].policy = VOLUME_OVERLAY;
	return 0;
}

int plan_layers(struct arena *a, const struct container_create_opts *o, struct plan *p,
		struct err *e)
{
	find_volumes(a, p);
	if (read_annotations(a, p, e) < 0)
		return -e->code;
	if (o->keep_layers)
		p->layers.keep = p->layers.asked = true;
	for (size_t i = 0; i < o->n_volumes; i++) {
		const char *eq = strrchr(o->volumes[i], '=');

		if (!eq || eq == o->volumes[i])
			return err_msg(e, EINVAL, "--volume %.200s: not DEST=POLICY",
				       o->volumes[i]);
		const char *dest = arena_strndup(a, o->volumes[i], (size_t)(eq - o->volumes[i]));
		if (set_policy(a, p, dest, eq + 1, e) < 0)
			return -e->code;
	}
	if (o->dry_run && plan_dry(p, e) < 0)
		return -e->code;
	if (p->layers.keep && (!p->level || !p->level->late))
		return err_msg(e, EOPNOTSUPP,
			       "--keep-layers: only at a level, and by the host's root so far");
	for (size_t i = 0; i < p->layers.n_volumes; i++)
		if (check_volume(p, &p->layers.volumes[i], e) < 0)
			return -e->code;
	return 0;
}
