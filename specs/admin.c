#include "specs/admin.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum {
	FORMAT = 1,
	POOL_FIRST = 268435456,
	POOL_COUNT = 1342177280,
	RANGE = 65536,
	QUARANTINE = 60
};

static int check_dir(const char *name, const char *path, struct err *e)
{
	if (path && *path != '/')
		return err_msg(e, EINVAL, "%s: \"%.80s\" is not an absolute path", name, path);
	return 0;
}

void admin_defaults(struct admin *out)
{
	if (!out->ids.count) {
		out->ids.count = POOL_COUNT;
		if (!out->ids.first)
			out->ids.first = POOL_FIRST;
	}
	if (!out->ids.directory)
		out->ids.directory = "/run/brig-ids";
	if (!out->ids.quarantine)
		out->ids.quarantine = QUARANTINE;
	if (!out->levels)
		out->levels = "/etc/brig/levels";
	out->v = FORMAT;
}

static int check_ids(struct arena *a, void *object, struct err *e)
{
	const struct admin_ids *ids = object;

	(void)a;
	if (!ids->first != !ids->count)
		return err_msg(e, EINVAL, "first and count are given together");
	if (ids->first && ids->first < RANGE)
		return err_msg(e, ERANGE, "first: %u is below %d: those ids are the host's",
			       ids->first, RANGE);
	if (ids->first && ids->count < RANGE)
		return err_msg(e, ERANGE, "count: %u is less than the %d ids of one range",
			       ids->count, RANGE);
	/* 4294967295 is "no id" to the kernel. */
	if ((uint64_t)ids->first + ids->count > UINT32_MAX)
		return err_msg(e, ERANGE, "first %u and count %u reach past 4294967294", ids->first,
			       ids->count);
	return check_dir("directory", ids->directory, e);
}

static int check_admin(struct arena *a, void *object, struct err *e)
{
	const struct admin *ad = object;

	(void)a;
	if (ad->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", ad->v);
	for (size_t i = 0; i < ad->n_hooks_allowed; i++)
		if (*ad->hooks_allowed[i] != '/')
			return err_msg(e, EINVAL,
				       "hooks_allowed[%zu]: \"%.80s\" is not an absolute path", i,
				       ad->hooks_allowed[i]);
	for (size_t i = 0; i < ad->n_env_allow; i++)
		if (!*ad->env_allow[i] || strchr(ad->env_allow[i], '='))
			return err_msg(e, EINVAL, "env: allow[%zu]: \"%.80s\" is no name", i,
				       ad->env_allow[i]);
	for (size_t i = 0; i < ad->n_egress_ceiling; i++)
		if (!*ad->egress_ceiling[i])
			return err_msg(e, EINVAL, "egress: ceiling[%zu]: empty", i);
	return check_dir("levels", ad->levels, e);
}

static const struct json_field admin_ids_fields[] = {
	ROW_NUM(admin_ids, "first", first, 0, JSON_ID, uint32_t),
	ROW_NUM(admin_ids, "count", count, 0, JSON_U32, uint32_t),
	ROW_STR(admin_ids, "directory", directory, 0),
	ROW_NUM(admin_ids, "quarantine", quarantine, 0, JSON_U32, uint32_t),
};
TYPE_CLOSED(admin_ids, check_ids);

/* Objects of the file whose only member is one of struct admin itself. */
static const struct json_field env_fields[] = {
	ROW_STRS(admin, "allow", env_allow, n_env_allow, 0),
};
static const struct json_field egress_fields[] = {
	ROW_STRS(admin, "ceiling", egress_ceiling, n_egress_ceiling, 0),
};
static const struct json_field cpu_fields[] = {
	ROW_OPT(admin, "exclusive_max", cpu_exclusive_max, JSON_U32, uint32_t),
};
static const struct json_type env_type = {sizeof(struct admin), LEN(env_fields), env_fields, NULL,
					  true};
static const struct json_type egress_type = {sizeof(struct admin), LEN(egress_fields),
					     egress_fields, NULL, true};
static const struct json_type cpu_type = {sizeof(struct admin), LEN(cpu_fields), cpu_fields, NULL,
					  true};
#define ROW_SELF(n, type) ROW_(n, JSON_OBJ, 0, .at = 0, .sub = &(type))

static const struct json_field admin_fields[] = {
	ROW_NUM(admin, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(admin, "default_level", default_level, 0),
	ROW_STR(admin, "minimum_level", minimum_level, 0),
	ROW_STR(admin, "levels", levels, 0),
	ROW_SUB(admin, "ids", ids, admin_ids, 0),
	ROW_STRS(admin, "hooks_allowed", hooks_allowed, n_hooks_allowed, 0),
	ROW_SELF("env", env_type),
	ROW_SELF("egress", egress_type),
	ROW_SELF("cpu", cpu_type),
};
TYPE_CLOSED(admin, check_admin);

const struct json_type *admin_type(void)
{
	return &admin_type_;
}

int admin_parse(struct arena *a, const char *json, size_t len, struct admin *out, struct err *e)
{
	*out = (struct admin){0};
	int r = json_read(a, &admin_type_, json, len, ADMIN_MAX_BYTES, out, e);

	if (r == 0)
		admin_defaults(out);
	return r;
}
