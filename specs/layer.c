#include "specs/layer.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "specs/change.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

/* No part of it goes up or stays. */
static bool is_plain(const char *path)
{
	for (const char *p = path; *p;) {
		size_t n = strcspn(p, "/");

		if (n == 0 || (p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.'))))
			return false;
		p += n + (p[n] == '/' && p[n + 1]);
		if (*p == '/')
			return false;
	}
	return *path;
}

static int check_entry(struct arena *a, void *object, struct err *e)
{
	const struct brig_layer_entry *l = object;
	size_t len;

	if (!str_eq(l->path, ".") && !is_plain(l->path))
		return err_msg(e, EINVAL, "path: \"%.*s\" leads elsewhere", SHOWN, l->path);
	const char *bytes = change_unescape(a, l->path, &len);
	return bytes && strlen(bytes) == len ? 0
					     : err_msg(e, EINVAL, "path: not escaped as names are");
}

static int check_layer(struct arena *a, void *object, struct err *e)
{
	const struct brig_layer *l = object;
	bool overlay = str_eq(l->kind, "overlay");

	(void)a;
	if (!overlay && !str_eq(l->kind, "tmpfs"))
		return err_msg(e, EINVAL, "kind: \"%.*s\" is no such word", SHOWN, l->kind);
	if (l->path[0] != '/' || (l->source && l->source[0] != '/'))
		return err_msg(e, EINVAL, "path: not absolute");
	if (overlay != !!l->source || (overlay && l->n_entries))
		return err_msg(e, EINVAL, "source: does not fit the kind");
	return 0;
}

static int check_layers(struct arena *a, void *object, struct err *e)
{
	const struct brig_layers *l = object;

	(void)a;
	return l->v == FORMAT ? 0 : err_msg(e, EINVAL, "v: format %d is not known", l->v);
}

static const struct json_field brig_layer_entry_fields[] = {
	ROW_STR(brig_layer_entry, "path", path, REQ),
	ROW_NUM(brig_layer_entry, "ino", ino, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_layer_entry, "ctimeNs", ctime_ns, REQ, JSON_I64, int64_t),
	ROW_NUM(brig_layer_entry, "mode", mode, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_layer_entry, "uid", uid, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_layer_entry, "gid", gid, REQ, JSON_U32, uint32_t),
};
TYPE_CLOSED(brig_layer_entry, check_entry);

static const struct json_field brig_layer_fields[] = {
	ROW_STR(brig_layer, "path", path, REQ),
	ROW_STR(brig_layer, "kind", kind, REQ),
	ROW_STR(brig_layer, "source", source, 0),
	ROW_NUM(brig_layer, "dev", dev, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_layer, "ino", ino, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_layer, "sinceNs", since_ns, 0, JSON_I64, int64_t),
	ROW_OBJS(brig_layer, "entries", entries, n_entries, brig_layer_entry),
};
TYPE_CLOSED(brig_layer, check_layer);

static const struct json_field brig_layers_fields[] = {
	ROW_NUM(brig_layers, "v", v, REQ, JSON_I32, int32_t),
	ROW_OBJS(brig_layers, "layers", layers, n_layers, brig_layer),
};
TYPE_CLOSED(brig_layers, check_layers);

int layers_parse(struct arena *a, const char *json, size_t len, struct brig_layers *out,
		 struct err *e)
{
	*out = (struct brig_layers){0};
	return json_read(a, &brig_layers_type_, json, len, LAYERS_MAX_BYTES, out, e);
}

char *layers_print(struct arena *a, const struct brig_layers *l, size_t *len)
{
	return json_print_object(a, &brig_layers_type_, l, len);
}

/* --- volumes ------------------------------------------------------------------------------ */

struct volumes {
	const struct oci_map *volumes;
	size_t n_volumes;
};
static const struct json_field volumes_fields[] = {
	ROW_MAP(volumes, "volumes", volumes, n_volumes),
};
TYPE_CLOSED(volumes, NULL);

/* Tables describe objects of known keys: it becomes the value of one.  Whatever leaves that object
 * is an unknown property, one given twice, or text after the document. */
int layer_volumes_parse(struct arena *a, const char *text, const struct oci_map **out, size_t *n,
			struct err *e)
{
	const char *whole = arena_printf(a, "{\"volumes\":%s}", text);
	struct volumes v = {0};

	*n = 0;
	if (strlen(text) > VOLUMES_MAX_BYTES)
		return err_msg(e, EFBIG, "more than %d bytes", VOLUMES_MAX_BYTES);
	if (json_read(a, &volumes_type_, whole, strlen(whole), VOLUMES_MAX_BYTES + 64, &v, e) < 0)
		return -e->code;
	*out = v.volumes;
	*n = v.n_volumes;
	return 0;
}
