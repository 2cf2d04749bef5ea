#include "specs/admin.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/egress_ceiling.h"
#include "specs/grant.h"
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
	if (check_dir("cpu: directory", ad->cpu_directory, e) < 0)
		return -e->code;
	return check_dir("levels", ad->levels, e);
}

static const struct json_field admin_ids_fields[] = {
	ROW_NUM(admin_ids, "first", first, 0, JSON_ID, uint32_t),
	ROW_NUM(admin_ids, "count", count, 0, JSON_U32, uint32_t),
	ROW_STR(admin_ids, "directory", directory, 0),
	ROW_NUM(admin_ids, "quarantine", quarantine, 0, JSON_U32, uint32_t),
};
TYPE_CLOSED(admin_ids, check_ids);

/* "none" is a whole ceiling. */
static int check_ceiling(struct arena *a, const struct admin_egress *g, struct err *e)
{
	struct egress_ceiling entry;

	for (size_t i = 0; i < g->n_ceiling; i++) {
		if (str_eq(g->ceiling[i], "none") && g->n_ceiling > 1)
			return err_msg(e, EINVAL, "ceiling[%zu]: none stands alone", i);
		if (!str_eq(g->ceiling[i], "none") &&
		    egress_ceiling_parse(a, g->ceiling[i], &entry, e) < 0)
			return err_wrap(e, "ceiling[%zu]", i);
	}
	return 0;
}

static int check_addresses(const char *name, const char *const *list, size_t n, bool hosts,
			   struct err *e)
{
	struct egress_address x;

	for (size_t i = 0; i < n; i++) {
		if (egress_address_parse(list[i], &x, e) < 0)
			return err_wrap(e, "%s[%zu]", name, i);
		if (hosts && x.prefix != (x.family == 6 ? 128 : 32))
			return err_msg(e, EINVAL, "%s[%zu]: \"%.60s\" is more than one address",
				       name, i, list[i]);
	}
	return 0;
}

/* Slots of /30 and /126; more than 2^20 of them nobody counts. */
static int check_pool(const char *name, const char *text, uint8_t family, struct err *e)
{
	uint8_t least = family == 6 ? 48 : 10, most = family == 6 ? 126 : 30;
	struct egress_address x;

	if (!text)
		return 0;
	if (egress_address_parse(text, &x, e) < 0)
		return err_wrap(e, "%s", name);
	if (x.family != family || x.prefix < least || x.prefix > most)
		return err_msg(e, EINVAL, "%s: \"%.60s\" is no IPv%u range of /%u to /%u", name,
			       text, family, least, most);
	return 0;
}

static int check_egress(struct arena *a, void *object, struct err *e)
{
	const struct admin_egress *g = object;
	struct egress_grant grant;

	if (check_ceiling(a, g, e) < 0)
		return -e->code;
	if (g->n_allow > EGRESS_MAX_GRANTS)
		return err_msg(e, E2BIG, "allow: %zu grants; %d are the most", g->n_allow,
			       EGRESS_MAX_GRANTS);
	for (size_t i = 0; i < g->n_allow; i++)
		if (egress_grant_parse(a, g->allow[i], &grant, e) < 0)
			return err_wrap(e, "allow[%zu]", i);
	if (check_addresses("never", g->never, g->n_never, false, e) < 0 ||
	    check_addresses("resolvers", g->resolvers, g->n_resolvers, true, e) < 0 ||
	    check_pool("pool", g->pool, 4, e) < 0 || check_pool("pool6", g->pool6, 6, e) < 0 ||
	    check_dir("directory", g->directory, e) < 0)
		return -e->code;
	return check_dir("pasta", g->pasta, e);
}

static int check_ingress(struct arena *a, void *object, struct err *e)
{
	const struct admin_ingress *g = object;
	struct egress_address address;
	enum egress_from from;

	(void)a;
	for (size_t i = 0; i < g->n_ceiling; i++) {
		if (str_eq(g->ceiling[i], "none") && g->n_ceiling > 1)
			return err_msg(e, EINVAL, "ceiling[%zu]: none stands alone", i);
		if (!str_eq(g->ceiling[i], "none") &&
		    egress_from_parse(g->ceiling[i], &from, &address, e) < 0)
			return err_wrap(e, "ceiling[%zu]", i);
	}
	return 0;
}

static const struct json_field admin_egress_fields[] = {
	ROW_STRS(admin_egress, "ceiling", ceiling, n_ceiling, 0),
	ROW_STRS(admin_egress, "allow", allow, n_allow, 0),
	ROW_STRS(admin_egress, "never", never, n_never, 0),
	ROW_STRS(admin_egress, "resolvers", resolvers, n_resolvers, 0),
	ROW_STR(admin_egress, "pool", pool, 0),
	ROW_STR(admin_egress, "pool6", pool6, 0),
	ROW_STR(admin_egress, "directory", directory, 0),
	ROW_STR(admin_egress, "pasta", pasta, 0),
};
TYPE_CLOSED(admin_egress, check_egress);

static const struct json_field admin_ingress_fields[] = {
	ROW_STRS(admin_ingress, "ceiling", ceiling, n_ceiling, 0),
};
TYPE_CLOSED(admin_ingress, check_ingress);

static int check_words(const char *name, const char *s, const char *const *words, struct err *e)
{
	if (!s)
		return 0;
	for (; *words; words++)
		if (str_eq(s, *words))
			return 0;
	return err_msg(e, EINVAL, "%s: \"%.64s\" is no such word", name, s);
}

static int check_audit(struct arena *a, void *object, struct err *e)
{
	static const char *const when[] = {"level", "always", "never", NULL};
	static const char *const sync[] = {"security", "all", "none", NULL};
	static const char *const argv[] = {"hash", "plain", "none", NULL};
	static const char *const flows[] = {"denied", "all", "none", NULL};
	const struct admin_audit *u = object;

	(void)a;
	if (u->path && (*u->path != '/' || u->path[strlen(u->path) - 1] == '/'))
		return err_msg(e, EINVAL, "path: \"%.64s\" is no absolute path of a file", u->path);
	if (check_words("when", u->when, when, e) < 0 ||
	    check_words("sync", u->sync, sync, e) < 0 || check_words("argv", u->argv, argv, e) < 0)
		return -e->code;
	return check_words("flows", u->flows, flows, e);
}

enum { MAX_WAIT_MS = 60000 };

static const struct json_field admin_audit_fields[] = {
	ROW_STR(admin_audit, "when", when, 0),
	ROW_STR(admin_audit, "path", path, 0),
	ROW_STR(admin_audit, "sync", sync, 0),
	ROW_STR(admin_audit, "argv", argv, 0),
	ROW_STR(admin_audit, "flows", flows, 0),
	ROW_OPT(admin_audit, "max_bytes", max_bytes, JSON_U64, uint64_t),
	ROW_OPT_MAX(admin_audit, "wait", wait, JSON_U32, uint32_t, MAX_WAIT_MS),
};
TYPE_CLOSED(admin_audit, check_audit);

static int check_grants(struct arena *a, void *object, struct err *e)
{
	const struct admin_grants *g = object;
	struct brig_grant grant;

	for (size_t i = 0; i < g->n_paths; i++)
		if (grant_parse(a, arena_printf(a, "filesystem:read:%s", g->paths[i]), &grant, e) <
			    0 ||
		    grant.ttl_ms || grant.until_ns)
			return err_msg(e, EINVAL,
				       "paths[%zu]: \"%.80s\" is no absolute path as a grant has "
				       "it",
				       i, g->paths[i]);
	if (g->memory && *g->memory < 1)
		return err_msg(e, ERANGE, "memory: %lld is no limit", (long long)*g->memory);
	if (g->cpus && grant_parse(a, arena_printf(a, "cpu:limit:%s", g->cpus), &grant, e) < 0)
		return err_wrap(e, "cpus");
	return 0;
}

static const struct json_field admin_grants_fields[] = {
	ROW_STRS(admin_grants, "paths", paths, n_paths, 0),
	ROW_OPT(admin_grants, "memory", memory, JSON_I64, int64_t),
	ROW_TEXT(admin_grants, "cpus", cpus),
};
TYPE_CLOSED(admin_grants, check_grants);

/* Objects of the file whose only member is one of struct admin itself. */
static const struct json_field env_fields[] = {
	ROW_STRS(admin, "allow", env_allow, n_env_allow, 0),
};
static const struct json_field cpu_fields[] = {
	ROW_OPT(admin, "exclusive_max", cpu_exclusive_max, JSON_U32, uint32_t),
	ROW_STR(admin, "directory", cpu_directory, 0),
};
static const struct json_type env_type = {sizeof(struct admin), LEN(env_fields), env_fields, NULL,
					  true};
static const struct json_type cpu_type = {sizeof(struct admin), LEN(cpu_fields), cpu_fields, NULL,
					  true};
static const struct json_field reuse_fields[] = {
	ROW_BOOL(admin, "cross_tenant", cross_tenant, 0),
};
static const struct json_type reuse_type = {sizeof(struct admin), LEN(reuse_fields), reuse_fields,
					    NULL, true};
#define ROW_SELF(n, type) ROW_(n, JSON_OBJ, 0, .at = 0, .sub = &(type))

static const struct json_field admin_fields[] = {
	ROW_NUM(admin, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(admin, "default_level", default_level, 0),
	ROW_STR(admin, "minimum_level", minimum_level, 0),
	ROW_STR(admin, "levels", levels, 0),
	ROW_SUB(admin, "ids", ids, admin_ids, 0),
	ROW_STRS(admin, "hooks_allowed", hooks_allowed, n_hooks_allowed, 0),
	ROW_SELF("env", env_type),
	ROW_SUB(admin, "egress", egress, admin_egress, 0),
	ROW_SUB(admin, "ingress", ingress, admin_ingress, 0),
	ROW_SELF("cpu", cpu_type),
	ROW_SELF("reuse", reuse_type),
	ROW_SUB(admin, "audit", audit, admin_audit, 0),
	ROW_SUB(admin, "grants", grants, admin_grants, 0),
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
