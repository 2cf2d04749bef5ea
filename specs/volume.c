#include "specs/volume.h"

#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

static int check_volume(struct arena *a, void *object, struct err *e)
{
	static const char *const policies[] = {"overlay", "wipe", "keep"};
	const struct brig_volume *v = object;
	bool known = false;

	(void)a;
	for (size_t i = 0; i < LEN(policies); i++)
		known = known || str_eq(v->policy, policies[i]);
	if (!known)
		return err_msg(e, EINVAL, "policy: \"%.*s\" is no such word", SHOWN, v->policy);
	if (v->path[0] != '/' || v->source[0] != '/')
		return err_msg(e, EINVAL, "path: not absolute");
	return v->mode > 07777 ? err_msg(e, ERANGE, "mode: %u does not fit", v->mode) : 0;
}

static int check_volumes(struct arena *a, void *object, struct err *e)
{
	const struct brig_volumes *v = object;

	(void)a;
	return v->v == FORMAT ? 0 : err_msg(e, EINVAL, "v: format %d is not known", v->v);
}

static const struct json_field brig_volume_fields[] = {
	ROW_STR(brig_volume, "path", path, REQ),
	ROW_STR(brig_volume, "source", source, REQ),
	ROW_STR(brig_volume, "policy", policy, REQ),
	ROW_NUM(brig_volume, "dev", dev, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_volume, "ino", ino, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_volume, "mode", mode, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_volume, "uid", uid, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_volume, "gid", gid, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_volume, "flags", flags, 0, JSON_U32, uint32_t),
};
TYPE_CLOSED(brig_volume, check_volume);

static const struct json_field brig_volumes_fields[] = {
	ROW_NUM(brig_volumes, "v", v, REQ, JSON_I32, int32_t),
	ROW_OBJS(brig_volumes, "volumes", volumes, n_volumes, brig_volume),
};
TYPE_CLOSED(brig_volumes, check_volumes);

int volumes_parse(struct arena *a, const char *json, size_t len, struct brig_volumes *out,
		  struct err *e)
{
	*out = (struct brig_volumes){0};
	return json_read(a, &brig_volumes_type_, json, len, VOLUMES_FILE_MAX, out, e);
}

char *volumes_print(struct arena *a, const struct brig_volumes *v, size_t *len)
{
	return json_print_object(a, &brig_volumes_type_, v, len);
}
