/* The file "grants" of a state directory. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/grant.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1 };

struct held_file {
	int32_t v;
	const struct grant_held *grants;
	size_t n_grants;
	uint64_t area;
	int64_t expiry_pid;
	uint64_t expiry_start_time;
};

static int check_held(struct arena *a, void *object, struct err *e)
{
	const struct grant_held *h = object;
	struct brig_grant g;

	if (h->place && *h->place != '/')
		return err_msg(e, EINVAL, "place: \"%.80s\" is not an absolute path", h->place);
	if (h->before < -1)
		return err_msg(e, ERANGE, "before: %lld", (long long)h->before);
	if (grant_parse(a, h->text, &g, e) < 0)
		return err_wrap(e, "grant");
	if (!str_eq(g.text, h->text))
		return err_msg(e, EINVAL, "grant: \"%.80s\" is not as brig writes it", h->text);
	return 0;
}

static const struct json_field grant_held_fields[] = {
	ROW_STR(grant_held, "grant", text, JSON_REQUIRED),
	ROW_STR(grant_held, "place", place, 0),
	ROW_NUM(grant_held, "mountId", mount_id, 0, JSON_U64, uint64_t),
	ROW_NUM(grant_held, "endsNs", ends_ns, 0, JSON_U64, uint64_t),
	ROW_NUM(grant_held, "before", before, 0, JSON_I64, int64_t),
	ROW_BOOL(grant_held, "used", used, 0),
};
TYPE_CLOSED(grant_held, check_held);

static int check_file(struct arena *a, void *object, struct err *e)
{
	const struct held_file *f = object;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	if (f->n_grants > GRANTS_MAX)
		return err_msg(e, E2BIG, "grants: %zu; %d are the most", f->n_grants, GRANTS_MAX);
	return f->expiry_pid < 0 || f->expiry_pid > INT32_MAX
		       ? err_msg(e, ERANGE, "expiryPid: %lld", (long long)f->expiry_pid)
		       : 0;
}

static const struct json_field held_file_fields[] = {
	ROW_NUM(held_file, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_OBJS(held_file, "grants", grants, n_grants, grant_held),
	ROW_NUM(held_file, "area", area, 0, JSON_U64, uint64_t),
	ROW_NUM(held_file, "expiryPid", expiry_pid, 0, JSON_I64, int64_t),
	ROW_NUM(held_file, "expiryStartTime", expiry_start_time, 0, JSON_U64, uint64_t),
};
TYPE_CLOSED(held_file, check_file);

char *grants_print(struct arena *a, const struct grants *g, size_t *len)
{
	const struct held_file f = {
		.v = FORMAT,
		.grants = g->rows,
		.n_grants = g->n,
		.area = g->area,
		.expiry_pid = g->expiry_pid,
		.expiry_start_time = g->expiry_start_time,
	};
	return json_print_object(a, &held_file_type_, &f, len);
}

int grants_parse(struct arena *a, const char *json, size_t len, struct grants *out, struct err *e)
{
	struct held_file f = {0};
	int r = json_read(a, &held_file_type_, json, len, GRANTS_MAX_BYTES, &f, e);

	*out = (struct grants){0};
	if (r < 0)
		return r;
	out->rows = arena_array(a, f.n_grants + 1, sizeof(*out->rows));
	if (f.n_grants)
		memcpy(out->rows, f.grants, f.n_grants * sizeof(*out->rows));
	out->n = f.n_grants;
	out->area = f.area;
	out->expiry_pid = f.expiry_pid;
	out->expiry_start_time = f.expiry_start_time;
	return 0;
}
