#include "specs/report.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, REQ = JSON_REQUIRED };

static const char *const ops[] = {"reset", "check", "verify", NULL};
static const char *const statuses[] = {"creating", "created", "running", "paused", "stopped", NULL};

static int check_word(const char *name, const char *s, const char *const *words, struct err *e)
{
	for (; *words; words++)
		if (str_eq(s, *words))
			return 0;
	return err_msg(e, EINVAL, "%s: \"%.*s\" is no such word", name, SHOWN, s);
}

/* Digits, and perhaps a point and digits: what is printed as a number. */
static int check_decimal(const char *name, const char *s, struct err *e)
{
	size_t n = s ? strspn(s, "0123456789") : 0;
	const char *rest = s ? s + n : "";
	bool ok = n > 0 && n <= 20 && (s[0] != '0' || n == 1);

	if (!s)
		return 0;
	if (ok && *rest == '.') {
		size_t digits = strspn(rest + 1, "0123456789");

		ok = digits > 0 && digits <= 9;
		rest += 1 + digits;
	}
	return ok && !*rest ? 0 : err_msg(e, EINVAL, "%s: \"%.*s\" is no number", name, SHOWN, s);
}

static int check_peak(struct arena *a, void *object, struct err *e)
{
	const struct report_peak *p = object;

	(void)a;
	if (check_decimal("memory_ratio", p->memory_ratio, e) < 0 ||
	    check_decimal("cpu_ratio", p->cpu_ratio, e) < 0 ||
	    check_decimal("pids_ratio", p->pids_ratio, e) < 0)
		return -e->code;
	return check_decimal("disk_ratio", p->disk_ratio, e);
}

static int check_report(struct arena *a, void *object, struct err *e)
{
	const struct brig_report *r = object;

	(void)a;
	if (r->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", r->v);
	if (check_word("op", r->op, ops, e) < 0 ||
	    check_word("status", r->status, statuses, e) < 0 || check_decimal("ms", r->ms, e) < 0)
		return -e->code;
	if (!r->gen)
		return err_msg(e, ERANGE, "gen: 0 does not fit");
	/* What is said in one word must not be what the rows do not say. */
	if (r->clean && (r->refused || r->n_taint))
		return err_msg(e, EINVAL, "clean: it is refused or tainted");
	if (r->valid_for && (!r->clean || r->valid_for->generation != r->gen))
		return err_msg(e, EINVAL, "valid_for: not this one, or it is not clean");
	if (r->clean && r->fingerprint_match && !*r->fingerprint_match)
		return err_msg(e, EINVAL, "clean: the fingerprint does not match");
	if (r->clean && r->packages && r->packages->n_differ)
		return err_msg(e, EINVAL, "clean: packages differ");
	for (size_t i = 0; r->clean && i < r->n_checks; i++)
		if (!r->checks[i].ok)
			return err_msg(e, EINVAL, "clean: checks[%zu] is not ok", i);
	return 0;
}

static const struct json_field report_check_fields[] = {
	ROW_STR(report_check, "name", name, REQ),
	ROW_OPT(report_check, "value", value, JSON_I64, int64_t),
	ROW_OPT(report_check, "limit", limit, JSON_I64, int64_t),
	ROW_BOOL(report_check, "ok", ok, REQ),
	ROW_STR(report_check, "detail", detail, 0),
};
TYPE_CLOSED(report_check, NULL);

static const struct json_field report_peak_fields[] = {
	ROW_TEXT(report_peak, "memory_ratio", memory_ratio),
	ROW_TEXT(report_peak, "cpu_ratio", cpu_ratio),
	ROW_TEXT(report_peak, "pids_ratio", pids_ratio),
	ROW_TEXT(report_peak, "disk_ratio", disk_ratio),
};
TYPE_CLOSED(report_peak, check_peak);

static const struct json_field report_changes_fields[] = {
	ROW_OPT(report_changes, "added", added, JSON_U64, uint64_t),
	ROW_OPT(report_changes, "changed", changed, JSON_U64, uint64_t),
	ROW_OPT(report_changes, "deleted", deleted, JSON_U64, uint64_t),
	ROW_OPT(report_changes, "bytes", bytes, JSON_U64, uint64_t),
	ROW_OPT(report_changes, "untrusted", untrusted, JSON_U64, uint64_t),
	ROW_OPT(report_changes, "outside_writable", outside_writable, JSON_U64, uint64_t),
	ROW_BOOL(report_changes, "truncated", truncated, 0),
};
TYPE_CLOSED(report_changes, NULL);

static const struct json_field report_packages_fields[] = {
	ROW_NUM(report_packages, "listed", listed, REQ, JSON_U64, uint64_t),
	ROW_STRS(report_packages, "differ", differ, n_differ, 0),
};
TYPE_CLOSED(report_packages, NULL);

static int check_audit(struct arena *a, void *object, struct err *e)
{
	const struct report_audit *u = object;
	uint8_t bytes[SHA256_BYTES];

	(void)a;
	if (!u->seq)
		return err_msg(e, ERANGE, "seq: 0 does not fit");
	return hex_read(u->hash, bytes) < 0
		       ? err_msg(e, EINVAL, "hash: \"%.*s\" is none", SHOWN, u->hash)
		       : 0;
}

static const struct json_field report_audit_fields[] = {
	ROW_NUM(report_audit, "seq", seq, REQ, JSON_U64, uint64_t),
	ROW_STR(report_audit, "hash", hash, REQ),
};
TYPE_CLOSED(report_audit, check_audit);

static int check_volume(struct arena *a, void *object, struct err *e)
{
	static const char *const policies[] = {"overlay", "wipe", "keep", NULL};
	const struct report_volume *v = object;

	(void)a;
	if (v->path[0] != '/' || v->source[0] != '/')
		return err_msg(e, EINVAL, "path: not absolute");
	return check_word("policy", v->policy, policies, e);
}

static const struct json_field report_volume_fields[] = {
	ROW_STR(report_volume, "path", path, REQ),
	ROW_STR(report_volume, "source", source, REQ),
	ROW_STR(report_volume, "policy", policy, REQ),
};
TYPE_CLOSED(report_volume, check_volume);

static const struct json_field report_valid_fields[] = {
	ROW_NUM(report_valid, "generation", generation, REQ, JSON_U64, uint64_t),
};
TYPE_CLOSED(report_valid, NULL);

static const struct json_field brig_report_fields[] = {
	ROW_NUM(brig_report, "v", v, REQ, JSON_I32, int32_t),
	ROW_STR(brig_report, "op", op, REQ),
	ROW_STR(brig_report, "id", id, REQ),
	ROW_STR(brig_report, "status", status, REQ),
	ROW_NUM(brig_report, "from_gen", from_gen, REQ, JSON_U64, uint64_t),
	ROW_NUM(brig_report, "gen", gen, REQ, JSON_U64, uint64_t),
	ROW_BOOL(brig_report, "clean", clean, REQ),
	ROW_OBJ(brig_report, "valid_for", valid_for, report_valid),
	ROW_STR(brig_report, "refused", refused, 0),
	ROW_TEXT(brig_report, "ms", ms),
	ROW_STR(brig_report, "fingerprint", fingerprint, 0),
	ROW_OPT(brig_report, "fingerprint_match", fingerprint_match, JSON_BOOL, bool),
	ROW_OBJS(brig_report, "checks", checks, n_checks, report_check),
	ROW_NUM(brig_report, "uses", uses, REQ, JSON_U64, uint64_t),
	ROW_OPT(brig_report, "max_uses", max_uses, JSON_U64, uint64_t),
	ROW_NUM(brig_report, "age_s", age_s, REQ, JSON_U64, uint64_t),
	ROW_OPT(brig_report, "max_age_s", max_age_s, JSON_U64, uint64_t),
	ROW_NUM(brig_report, "gen_age_s", gen_age_s, REQ, JSON_U64, uint64_t),
	ROW_OPT(brig_report, "idle_s", idle_s, JSON_U64, uint64_t),
	ROW_OPT(brig_report, "max_idle_s", max_idle_s, JSON_U64, uint64_t),
	ROW_OPT(brig_report, "ran_ms", ran_ms, JSON_U64, uint64_t),
	ROW_OBJ(brig_report, "peak", peak, report_peak),
	ROW_OBJ(brig_report, "changes", changes, report_changes),
	ROW_OBJ(brig_report, "packages", packages, report_packages),
	ROW_OBJ(brig_report, "audit", audit, report_audit),
	ROW_OBJS(brig_report, "volumes", volumes, n_volumes, report_volume),
	ROW_STRS(brig_report, "taint", taint, n_taint, 0),
	ROW_STR(brig_report, "evidence", evidence, 0),
	ROW_STRS(brig_report, "not_covered", not_covered, n_not_covered, 0),
};
TYPE_CLOSED(brig_report, check_report);

int report_parse(struct arena *a, const char *json, size_t len, struct brig_report *out,
		 struct err *e)
{
	*out = (struct brig_report){0};
	return json_read(a, &brig_report_type_, json, len, REPORT_MAX_BYTES, out, e);
}

/* --- text --------------------------------------------------------------------------------- */

static void print_str(struct json_out *o, const char *key, const char *s)
{
	if (s)
		json_key_str(o, key, s);
}

static void print_decimal(struct json_out *o, const char *key, const char *s)
{
	if (!s)
		return;
	json_key(o, key);
	json_raw(o, s);
}

static void print_count(struct json_out *o, const char *key, const uint64_t *n)
{
	if (n)
		json_key_uint(o, key, *n);
}

static void print_checks(struct json_out *o, const struct brig_report *r)
{
	json_key(o, "checks");
	json_array(o);
	for (size_t i = 0; i < r->n_checks; i++)
		json_print_type(o, &report_check_type_, &r->checks[i]);
	json_end_array(o);
}

static void print_volumes(struct json_out *o, const struct brig_report *r)
{
	json_key(o, "volumes");
	json_array(o);
	for (size_t i = 0; i < r->n_volumes; i++)
		json_print_type(o, &report_volume_type_, &r->volumes[i]);
	json_end_array(o);
}

static void print_peak(struct json_out *o, const struct report_peak *p)
{
	json_key(o, "peak");
	json_object(o);
	print_decimal(o, "memory_ratio", p->memory_ratio);
	print_decimal(o, "cpu_ratio", p->cpu_ratio);
	print_decimal(o, "pids_ratio", p->pids_ratio);
	print_decimal(o, "disk_ratio", p->disk_ratio);
	json_end_object(o);
}

static void print_packages(struct json_out *o, const struct report_packages *p)
{
	json_key(o, "packages");
	json_object(o);
	json_key_uint(o, "listed", p->listed);
	json_key(o, "differ");
	json_strs(o, p->differ, p->n_differ);
	json_end_object(o);
}

static void print_ages(struct json_out *o, const struct brig_report *r)
{
	json_key_uint(o, "uses", r->uses);
	print_count(o, "max_uses", r->max_uses);
	json_key_uint(o, "age_s", r->age_s);
	print_count(o, "max_age_s", r->max_age_s);
	json_key_uint(o, "gen_age_s", r->gen_age_s);
	print_count(o, "idle_s", r->idle_s);
	print_count(o, "max_idle_s", r->max_idle_s);
	print_count(o, "ran_ms", r->ran_ms);
}

static void print_verdict(struct json_out *o, const struct brig_report *r)
{
	json_key_int(o, "v", r->v);
	json_key_str(o, "op", r->op);
	json_key_str(o, "id", r->id);
	json_key_str(o, "status", r->status);
	json_key_uint(o, "from_gen", r->from_gen);
	json_key_uint(o, "gen", r->gen);
	json_key_bool(o, "clean", r->clean);
	if (r->valid_for) {
		json_key(o, "valid_for");
		json_print_type(o, &report_valid_type_, r->valid_for);
	}
	print_str(o, "refused", r->refused);
	print_decimal(o, "ms", r->ms);
	print_str(o, "fingerprint", r->fingerprint);
	if (r->fingerprint_match)
		json_key_bool(o, "fingerprint_match", *r->fingerprint_match);
}

void report_add_check(struct arena *a, struct brig_report *r, const char *name,
		      const int64_t *value, bool ok, const char *detail)
{
	static const int64_t none = 0;
	struct report_check *list = arena_array(a, r->n_checks + 1, sizeof(*list));
	int64_t *copy = value ? arena_new(a, sizeof(*copy)) : NULL;

	if (copy)
		*copy = *value;
	if (r->n_checks)
		memcpy(list, r->checks, r->n_checks * sizeof(*list));
	list[r->n_checks++] = (struct report_check){
		.name = name,
		.value = copy,
		.limit = &none,
		.ok = ok,
		.detail = detail,
	};
	r->checks = list;
}

char *report_print(struct arena *a, const struct brig_report *r, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	print_verdict(&o, r);
	print_checks(&o, r);
	print_ages(&o, r);
	if (r->peak)
		print_peak(&o, r->peak);
	if (r->changes) {
		json_key(&o, "changes");
		json_print_type(&o, &report_changes_type_, r->changes);
	}
	if (r->packages)
		print_packages(&o, r->packages);
	if (r->audit) {
		json_key(&o, "audit");
		json_print_type(&o, &report_audit_type_, r->audit);
	}
	if (r->n_volumes)
		print_volumes(&o, r);
	json_key(&o, "taint");
	json_strs(&o, r->taint, r->n_taint);
	print_str(&o, "evidence", r->evidence);
	json_key(&o, "not_covered");
	json_strs(&o, r->not_covered, r->n_not_covered);
	json_end_object(&o);
	return json_done(&o, len);
}
