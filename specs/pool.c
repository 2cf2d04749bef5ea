#include "specs/pool.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

int pool_check_name(const char *name, struct err *e)
{
	size_t n = name ? strlen(name) : 0;
	bool ok = n > 0 && n <= POOL_NAME_MAX && name[0] != '.';

	for (size_t i = 0; ok && i < n; i++)
		ok = isalnum((unsigned char)name[i]) || strchr("_+-.", name[i]);
	if (!ok)
		return err_msg(e, EINVAL, "\"%.*s\" is no name of a pool", SHOWN, name ? name : "");
	return 0;
}

static int check_path(const char *name, const char *path, struct err *e)
{
	if (path && path[0] != '/')
		return err_msg(e, EINVAL, "%s: \"%.*s\" is not absolute", name, SHOWN, path);
	return 0;
}

int pool_check(const struct brig_pool *p, struct err *e)
{
	if (pool_check_name(p->name, e) < 0)
		return err_wrap(e, "name");
	if (check_path("bundle", p->bundle, e) < 0 ||
	    check_path("systemConfig", p->system_config, e) < 0 ||
	    check_path("evidence", p->evidence, e) < 0)
		return -e->code;
	if (check_path("packages", p->packages, e) < 0)
		return -e->code;
	for (size_t i = 0; i < p->n_seccomp; i++)
		if (check_path("seccomp", p->seccomp[i], e) < 0)
			return -e->code;
	if (p->net && !str_eq(p->net, "none") && !str_eq(p->net, "veth"))
		return err_msg(e, EINVAL, "net: \"%.*s\" is none of none, veth", SHOWN, p->net);
	if (!p->max || p->max > POOL_MEMBERS_MAX)
		return err_msg(e, ERANGE, "max: %u is not 1 to %d", p->max, POOL_MEMBERS_MAX);
	if (p->min > p->max)
		return err_msg(e, ERANGE, "min: %u is above max, which is %u", p->min, p->max);
	return 0;
}

static int check_pool(struct arena *a, void *object, struct err *e)
{
	const struct brig_pool *p = object;

	(void)a;
	if (p->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", p->v);
	return pool_check(p, e);
}

#define ROW_COUNT_OF(n) ROW_NUM(pool_counters, #n, n, 0, JSON_U64, uint64_t)

static const struct json_field pool_counters_fields[] = {
	ROW_COUNT_OF(acquired), ROW_COUNT_OF(released), ROW_COUNT_OF(waited),
	ROW_COUNT_OF(expired),  ROW_COUNT_OF(reset),    ROW_COUNT_OF(created),
	ROW_COUNT_OF(deleted),  ROW_COUNT_OF(tainted),  ROW_COUNT_OF(retired),
};
TYPE_CLOSED(pool_counters, NULL);

static const struct json_field brig_pool_fields[] = {
	ROW_NUM(brig_pool, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_pool, "name", name, REQ),
	ROW_STR(brig_pool, "bundle", bundle, REQ),
	ROW_STR(brig_pool, "level", level, 0),
	ROW_STR(brig_pool, "systemConfig", system_config, 0),
	ROW_NUM(brig_pool, "min", min, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_pool, "max", max, REQ, JSON_U32, uint32_t),
	ROW_NUM(brig_pool, "maxUses", max_uses, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_pool, "maxAgeMs", max_age_ms, 0, JSON_U64, uint64_t),
	ROW_NUM(brig_pool, "maxIdleMs", max_idle_ms, 0, JSON_U64, uint64_t),
	ROW_STR(brig_pool, "retireOn", retire_on, 0),
	ROW_STR(brig_pool, "evidence", evidence, 0),
	ROW_NUM(brig_pool, "shrinkMs", shrink_ms, 0, JSON_U64, uint64_t),
	ROW_BOOL(brig_pool, "keepLayers", keep_layers, 0),
	ROW_STR(brig_pool, "net", net, 0),
	ROW_STRS(brig_pool, "egress", egress, n_egress, 0),
	ROW_STRS(brig_pool, "ingress", ingress, n_ingress, 0),
	ROW_STRS(brig_pool, "resolvers", resolvers, n_resolvers, 0),
	ROW_STRS(brig_pool, "volumes", volumes, n_volumes, 0),
	ROW_BOOL(brig_pool, "digests", digests, 0),
	ROW_STR(brig_pool, "packages", packages, 0),
	ROW_STRS(brig_pool, "seccomp", seccomp, n_seccomp, 0),
	ROW_NUM(brig_pool, "serial", serial, REQ, JSON_U64, uint64_t),
	ROW_BOOL(brig_pool, "draining", draining, 0),
	ROW_SUB(brig_pool, "counters", counters, pool_counters, REQ),
};
TYPE_CLOSED(brig_pool, check_pool);

int pool_parse(struct arena *a, const char *json, size_t len, struct brig_pool *out, struct err *e)
{
	*out = (struct brig_pool){0};
	return json_read(a, &brig_pool_type_, json, len, POOL_MAX_BYTES, out, e);
}

char *pool_print(struct arena *a, const struct brig_pool *p, size_t *len)
{
	return json_print_object(a, &brig_pool_type_, p, len);
}

bool pool_member_id(const char *pool, const char *id, uint64_t *serial)
{
	size_t n = strlen(pool);

	if (strncmp(pool, id, n) != 0 || id[n] != '-')
		return false;
	const char *digits = id + n + 1;
	/* As it is printed: no other spelling of the same number. */
	return *digits >= '1' && *digits <= '9' && str_u64(digits, serial);
}
