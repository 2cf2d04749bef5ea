#include "specs/result.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/change.h"
#include "specs/change_table.h"
#include "specs/json_print.h"
#include "specs/network.h"
#include "specs/network_table.h"
#include "specs/table.h"
#include "specs/violation.h"

enum { FORMAT = 1, SHOWN = 64, CODE_MAX = 255, SIGNAL_MAX = 64, TIME_MAX = 40 };

enum { REQ = JSON_REQUIRED };

const char *const result_statuses[] = {
	"exited",    "signal", "timeout",     "cpu-time",     "memory",  "output", "syscall",
	"violation", "audit",  "warden-lost", "start-failed", "unknown", NULL,
};

static int check_word(const char *key, const char *s, struct err *e)
{
	for (const char *const *w = result_statuses; *w; w++)
		if (str_eq(*w, s))
			return 0;
	return err_msg(e, EINVAL, "%s: \"%.*s\" is no such word", key, SHOWN, s);
}

/* What becomes part of messages and tables: of the letters of the kernel's and of brig's names. */
static int check_name(const char *key, const char *s, const char *also, struct err *e)
{
	for (const char *p = s; p && *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || strchr(also, *p)) ||
		    p - s > SHOWN)
			return err_msg(e, EINVAL, "%s: \"%.*s\" is no such name", key, SHOWN, s);
	return 0;
}

/* Some are chosen by the sandbox: names that it asked for. */
static int check_target(const char *key, const char *s, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return err_msg(e, EINVAL, "%s: not of printable letters", key);
	if (n > VIOLATION_NAME_MAX)
		return err_msg(e, E2BIG, "%s: longer than %d letters", key, VIOLATION_NAME_MAX);
	return 0;
}

static int check_time(const char *key, const char *s, struct err *e)
{
	if (s && (strlen(s) > TIME_MAX || strspn(s, "0123456789-T:.Z") != strlen(s)))
		return err_msg(e, EINVAL, "%s: \"%.*s\" is no time", key, SHOWN, s);
	return 0;
}

static int check_range(const char *key, const int32_t *n, int32_t least, int32_t most,
		       struct err *e)
{
	if (n && (*n < least || *n > most))
		return err_msg(e, ERANGE, "%s: %d does not fit", key, *n);
	return 0;
}

static int check_reason(struct arena *a, void *object, struct err *e)
{
	const struct result_reason *r = object;

	(void)a;
	if (violation_class_find(r->class_) < 0 && !str_eq(r->class_, "lease") &&
	    check_word("class", r->class_, e) < 0)
		return -e->code;
	if (check_target("name", r->name, e) < 0 || check_name("syscall", r->syscall, "_", e) < 0)
		return -e->code;
	return check_name("arch", r->arch, "_", e);
}

static int check_limit(struct arena *a, void *object, struct err *e)
{
	(void)a;
	return check_name("name", ((const struct result_limit *)object)->name, "-_", e);
}

static int check_violation(struct arena *a, void *object, struct err *e)
{
	const struct result_violation *v = object;

	(void)a;
	if (violation_class_find(v->class_) < 0)
		return err_msg(e, EINVAL, "class: \"%.*s\" is no such word", SHOWN, v->class_);
	if (v->response && violation_response_find(v->response) < 0)
		return err_msg(e, EINVAL, "response: \"%.*s\" is no such word", SHOWN, v->response);
	if (check_time("first", v->first, e) < 0 || check_time("last", v->last, e) < 0)
		return -e->code;
	return check_target("name", v->name, e);
}

/* class:name */
static int check_taint(const char *s, struct err *e)
{
	return check_target("taint", strchr(s, ':') ? strchr(s, ':') + 1 : s, e);
}

/* What says how the first process ended must say one thing. */
static int check_end(const struct brig_result *r, struct err *e)
{
	if (check_range("exitCode", r->exit_code, 0, CODE_MAX, e) < 0 ||
	    check_range("signal", r->signal, 1, SIGNAL_MAX, e) < 0 ||
	    check_range("code", &r->code, 0, CODE_MAX, e) < 0)
		return -e->code;
	if (!!r->exit_code + !!r->signal + !!r->unknown > 1)
		return err_msg(e, EINVAL, "exitCode, signal and unknown exclude each other");
	if (str_eq(r->status, "exited") && !r->exit_code)
		return err_msg(e, EINVAL, "exitCode: missing");
	if (str_eq(r->status, "signal") && !r->signal)
		return err_msg(e, EINVAL, "signal: missing");
	return 0;
}

static int check_result(struct arena *a, void *object, struct err *e)
{
	const struct brig_result *r = object;

	(void)a;
	if (r->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", r->v);
	if (!*r->id || strchr(r->id, '/') || str_eq(r->id, ".") || str_eq(r->id, ".."))
		return err_msg(e, EINVAL, "id: \"%.*s\" is no container id", SHOWN, r->id);
	if (!r->generation)
		return err_msg(e, ERANGE, "generation: 0 does not fit");
	if (check_word("status", r->status, e) < 0 || check_end(r, e) < 0 ||
	    check_time("started", r->started, e) < 0 || check_time("ended", r->ended, e) < 0)
		return -e->code;
	for (size_t i = 0; i < r->n_taint; i++)
		if (check_taint(r->taint[i], e) < 0)
			return -e->code;
	return 0;
}

#define ROW_COUNTED(T, n, m) ROW_OPT(T, n, m, JSON_U64, uint64_t)

static const struct json_field result_reason_fields[] = {
	ROW_STR(result_reason, "class", class_, REQ),
	ROW_STR(result_reason, "name", name, 0),
	ROW_COUNTED(result_reason, "limit", limit),
	ROW_COUNTED(result_reason, "peak", peak),
	ROW_COUNTED(result_reason, "count", count),
	ROW_STR(result_reason, "syscall", syscall, 0),
	ROW_STR(result_reason, "arch", arch, 0),
	ROW_OPT(result_reason, "nr", nr, JSON_I64, int64_t),
	ROW_STR(result_reason, "message", message, 0),
};
TYPE_CLOSED(result_reason, check_reason);

static const struct json_field result_limit_fields[] = {
	ROW_STR(result_limit, "name", name, REQ),
	ROW_COUNTED(result_limit, "limit", limit),
	ROW_NUM(result_limit, "count", count, REQ, JSON_U64, uint64_t),
};
TYPE_CLOSED(result_limit, check_limit);

static const struct json_field result_cpu_fields[] = {
	ROW_COUNTED(result_cpu, "totalMs", total_ms),
	ROW_COUNTED(result_cpu, "userMs", user_ms),
	ROW_COUNTED(result_cpu, "systemMs", system_ms),
	ROW_COUNTED(result_cpu, "throttledMs", throttled_ms),
};
TYPE_CLOSED(result_cpu, NULL);

static const struct json_field result_memory_fields[] = {
	ROW_COUNTED(result_memory, "peak", peak),
	ROW_COUNTED(result_memory, "oomKills", oom_kills),
};
TYPE_CLOSED(result_memory, NULL);

static const struct json_field result_pids_fields[] = {
	ROW_COUNTED(result_pids, "peak", peak),
};
TYPE_CLOSED(result_pids, NULL);

static const struct json_field result_io_fields[] = {
	ROW_COUNTED(result_io, "readBytes", read_bytes),
	ROW_COUNTED(result_io, "writeBytes", write_bytes),
	ROW_COUNTED(result_io, "reads", reads),
	ROW_COUNTED(result_io, "writes", writes),
};
TYPE_CLOSED(result_io, NULL);

static const struct json_field result_disk_fields[] = {
	ROW_COUNTED(result_disk, "bytes", bytes),
	ROW_COUNTED(result_disk, "inodes", inodes),
	ROW_COUNTED(result_disk, "size", size),
};
TYPE_CLOSED(result_disk, NULL);

static const struct json_field result_output_fields[] = {
	ROW_COUNTED(result_output, "bytes", bytes),
	ROW_BOOL(result_output, "truncated", truncated, 0),
};
TYPE_CLOSED(result_output, NULL);

static const struct json_field result_process_fields[] = {
	ROW_COUNTED(result_process, "maxRssBytes", max_rss),
	ROW_COUNTED(result_process, "voluntarySwitches", voluntary_switches),
	ROW_COUNTED(result_process, "forcedSwitches", forced_switches),
};
TYPE_CLOSED(result_process, NULL);

static const struct json_field result_violation_fields[] = {
	ROW_STR(result_violation, "class", class_, REQ),
	ROW_STR(result_violation, "name", name, 0),
	ROW_STR(result_violation, "response", response, 0),
	ROW_COUNTED(result_violation, "count", count),
	ROW_STR(result_violation, "first", first, 0),
	ROW_STR(result_violation, "last", last, 0),
};
TYPE_CLOSED(result_violation, check_violation);

static int check_ctx(struct arena *a, void *object, struct err *e)
{
	const struct result_ctx *c = object;
	int r = check_target("requestId", c->request_id, e);

	(void)a;
	return r < 0 ? r : check_target("principal", c->principal, e);
}

static const struct json_field result_ctx_fields[] = {
	ROW_STR(result_ctx, "requestId", request_id, 0),
	ROW_STR(result_ctx, "principal", principal, 0),
};
TYPE_CLOSED(result_ctx, check_ctx);

static const struct json_field result_changes_fields[] = {
	ROW_NUM(result_changes, "added", added, REQ, JSON_U64, uint64_t),
	ROW_NUM(result_changes, "changed", changed, REQ, JSON_U64, uint64_t),
	ROW_NUM(result_changes, "deleted", deleted, REQ, JSON_U64, uint64_t),
	ROW_NUM(result_changes, "bytes", bytes, REQ, JSON_U64, uint64_t),
	ROW_BOOL(result_changes, "truncated", truncated, REQ),
	ROW_OBJS(result_changes, "entries", entries, n_entries, brig_change),
};
TYPE_CLOSED(result_changes, NULL);

static const struct json_field brig_result_fields[] = {
	ROW_NUM(brig_result, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_result, "id", id, REQ),
	ROW_NUM(brig_result, "generation", generation, REQ, JSON_U64, uint64_t),
	ROW_STR(brig_result, "level", level, 0),
	ROW_STR(brig_result, "policy", policy, 0),
	ROW_OBJ(brig_result, "ctx", ctx, result_ctx),
	ROW_STR(brig_result, "status", status, REQ),
	ROW_OPT(brig_result, "exitCode", exit_code, JSON_I32, int32_t),
	ROW_OPT(brig_result, "signal", signal, JSON_I32, int32_t),
	ROW_STR(brig_result, "unknown", unknown, 0),
	ROW_NUM(brig_result, "code", code, REQ, JSON_I32, int32_t),
	ROW_OBJ(brig_result, "reason", reason, result_reason),
	ROW_OBJS(brig_result, "limits", limits, n_limits, result_limit),
	ROW_STR(brig_result, "started", started, 0),
	ROW_STR(brig_result, "ended", ended, 0),
	ROW_COUNTED(brig_result, "wallMs", wall_ms),
	ROW_OBJ(brig_result, "cpu", cpu, result_cpu),
	ROW_OBJ(brig_result, "memory", memory, result_memory),
	ROW_OBJ(brig_result, "pids", pids, result_pids),
	ROW_OBJ(brig_result, "io", io, result_io),
	ROW_OBJ(brig_result, "disk", disk, result_disk),
	ROW_OBJ(brig_result, "output", output, result_output),
	ROW_OBJ(brig_result, "process", process, result_process),
	ROW_OBJ(brig_result, "network", network, brig_network),
	ROW_OBJ(brig_result, "changes", changes, result_changes),
	ROW_OBJS(brig_result, "violations", violations, n_violations, result_violation),
	ROW_STRS(brig_result, "taint", taint, n_taint, 0),
};
TYPE_CLOSED(brig_result, check_result);

int result_parse(struct arena *a, const char *json, size_t len, struct brig_result *out,
		 struct err *e)
{
	*out = (struct brig_result){0};
	int r = json_read(a, &brig_result_type_, json, len, RESULT_MAX_BYTES, out, e);

	return r < 0 ? err_wrap(e, "result.json") : 0;
}

char *result_print(struct arena *a, const struct brig_result *r, size_t *len)
{
	return json_print_object(a, &brig_result_type_, r, len);
}
