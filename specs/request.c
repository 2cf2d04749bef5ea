#include "specs/request.h"

#include <errno.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

const char *const request_managers[] = {"cgroupfs", "systemd", "disabled", NULL};

static int check_request(struct arena *a, void *object, struct err *e)
{
	const struct brig_request *r = object;
	const struct {
		const char *name, *path;
	} paths[] = {
		{"bundle",       r->bundle       },
		{"systemConfig", r->system_config},
		{"pidFile",      r->pid_file     },
	};
	size_t i = 0;

	(void)a;
	if (r->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", r->v);
	if (r->profiles > REQUEST_PROFILES)
		return err_msg(e, ERANGE, "profiles: %u does not fit", r->profiles);
	for (i = 0; i < LEN(paths); i++)
		if (paths[i].path && paths[i].path[0] != '/')
			return err_msg(e, EINVAL, "%s: \"%.*s\" is not absolute", paths[i].name,
				       SHOWN, paths[i].path);
	for (i = 0; request_managers[i]; i++)
		if (str_eq(request_managers[i], r->manager))
			return 0;
	return err_msg(e, EINVAL, "manager: \"%.*s\" is no such word", SHOWN, r->manager);
}

static const struct json_field brig_request_fields[] = {
	ROW_NUM(brig_request, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_request, "bundle", bundle, REQ),
	ROW_STR(brig_request, "level", level, 0),
	ROW_STR(brig_request, "systemConfig", system_config, 0),
	ROW_STR(brig_request, "manager", manager, REQ),
	ROW_STR(brig_request, "pidFile", pid_file, 0),
	ROW_STR(brig_request, "audit", audit, 0),
	ROW_STR(brig_request, "pool", pool, 0),
	ROW_BOOL(brig_request, "keepKeyring", keep_keyring, 0),
	ROW_STR(brig_request, "net", net, 0),
	ROW_STRS(brig_request, "egress", egress, n_egress, 0),
	ROW_STRS(brig_request, "ingress", ingress, n_ingress, 0),
	ROW_STRS(brig_request, "resolvers", resolvers, n_resolvers, 0),
	ROW_NUM(brig_request, "pinWaitMs", pin_wait_ms, 0, JSON_U64, uint64_t),
	ROW_BOOL(brig_request, "keepLayers", keep_layers, 0),
	ROW_STRS(brig_request, "volumes", volumes, n_volumes, 0),
	ROW_NUM(brig_request, "profiles", profiles, 0, JSON_U32, uint32_t),
	ROW_STRS(brig_request, "rlimits", rlimits, n_rlimits, 0),
	ROW_STR(brig_request, "affinity", affinity, 0),
	ROW_STR(brig_request, "coredumpFilter", coredump_filter, 0),
	ROW_NUM(brig_request, "oomScoreAdj", oom_score_adj, 0, JSON_I32, int32_t),
	ROW_NUM(brig_request, "umask", umask, 0, JSON_U32, uint32_t),
};
TYPE_CLOSED(brig_request, check_request);

int request_parse(struct arena *a, const char *json, size_t len, struct brig_request *out,
		  struct err *e)
{
	*out = (struct brig_request){0};
	return json_read(a, &brig_request_type_, json, len, REQUEST_MAX_BYTES, out, e);
}

char *request_print(struct arena *a, const struct brig_request *r, size_t *len)
{
	return json_print_object(a, &brig_request_type_, r, len);
}
