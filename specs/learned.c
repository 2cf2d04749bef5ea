#include "specs/learned.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { REQ = JSON_REQUIRED };

static const struct json_field learned_call_fields[] = {
	ROW_STR(learned_call, "name", name, REQ),
	ROW_NUM(learned_call, "count", count, 0, JSON_U64, uint64_t),
};
TYPE(learned_call, NULL);

static const struct json_field learned_denied_fields[] = {
	ROW_STR(learned_denied, "name", name, REQ),
	ROW_STR(learned_denied, "arch", arch, 0),
	ROW_STR(learned_denied, "answer", answer, REQ),
	ROW_NUM(learned_denied, "count", count, 0, JSON_U64, uint64_t),
};
TYPE(learned_denied, NULL);

static const struct json_field learned_path_fields[] = {
	ROW_STR(learned_path, "path", path, REQ),
	ROW_NUM(learned_path, "count", count, 0, JSON_U64, uint64_t),
	ROW_NUM(learned_path, "files", files, 0, JSON_U64, uint64_t),
};
TYPE(learned_path, NULL);

static const struct json_field learned_paths_fields[] = {
	ROW_OBJS(learned_paths, "read", read, n_read, learned_path),
	ROW_OBJS(learned_paths, "write", write, n_write, learned_path),
	ROW_OBJS(learned_paths, "execute", execute, n_execute, learned_path),
	ROW_OBJS(learned_paths, "absent", absent, n_absent, learned_path),
	ROW_NUM(learned_paths, "more", more, 0, JSON_U64, uint64_t),
	ROW_NUM(learned_paths, "unread", unread, 0, JSON_U64, uint64_t),
};
TYPE(learned_paths, NULL);

static const struct json_field learned_address_fields[] = {
	ROW_STR(learned_address, "how", how, REQ),
	ROW_STR(learned_address, "to", to, REQ),
	ROW_NUM(learned_address, "count", count, 0, JSON_U64, uint64_t),
};
TYPE(learned_address, NULL);

static const struct json_field learned_name_fields[] = {
	ROW_STR(learned_name, "name", name, REQ),
	ROW_STR(learned_name, "verdict", verdict, 0),
	ROW_NUM(learned_name, "count", count, 0, JSON_U64, uint64_t),
};
TYPE(learned_name, NULL);

/* "--name", "--name value": what becomes two words of a command line. */
static int check_learned(struct arena *a, void *object, struct err *e)
{
	const struct brig_learned *l = object;

	(void)a;
	if (l->v != LEARNED_VERSION)
		return err_msg(e, EINVAL, "v: %d is not %d", l->v, LEARNED_VERSION);
	if (!l->n_command)
		return err_msg(e, EINVAL, "command: empty");
	for (size_t i = 0; i < l->n_flags; i++)
		if (!str_starts(l->flags[i], "--") || strlen(l->flags[i]) < 3 ||
		    l->flags[i][2] == ' ')
			return err_msg(e, EINVAL, "flags[%zu]: \"%.80s\" is no option", i,
				       l->flags[i]);
	return 0;
}

static const struct json_field brig_learned_fields[] = {
	ROW_NUM(brig_learned, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_learned, "time", time, 0),
	ROW_STR(brig_learned, "level", level, REQ),
	ROW_STR(brig_learned, "levelFile", level_file, 0),
	ROW_STRS(brig_learned, "command", command, n_command, REQ),
	ROW_NUM(brig_learned, "exit", exit, 0, JSON_I32, int32_t),
	ROW_STRS(brig_learned, "flags", flags, n_flags, 0),
	ROW_NUM(brig_learned, "total", total, 0, JSON_U64, uint64_t),
	ROW_OBJS(brig_learned, "calls", calls, n_calls, learned_call),
	ROW_STRS(brig_learned, "closure", closure, n_closure, 0),
	ROW_STRS(brig_learned, "missing", missing, n_missing, 0),
	ROW_OBJS(brig_learned, "denied", denied, n_denied, learned_denied),
	ROW_STRS(brig_learned, "families", families, n_families, 0),
	ROW_BOOL(brig_learned, "makesCode", makes_code, 0),
	ROW_SUB(brig_learned, "paths", paths, learned_paths, 0),
	ROW_OBJS(brig_learned, "addresses", addresses, n_addresses, learned_address),
	ROW_OBJS(brig_learned, "names", names, n_names, learned_name),
};
TYPE(brig_learned, check_learned);

char *learned_print(struct arena *a, const struct brig_learned *l, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 2);
	json_print_type(&o, &brig_learned_type_, l);
	return json_done(&o, len);
}

int learned_parse(struct arena *a, const char *json, size_t len, struct brig_learned *out,
		  struct err *e)
{
	*out = (struct brig_learned){0};
	return json_read(a, &brig_learned_type_, json, len, LEARNED_MAX_BYTES, out, e);
}
