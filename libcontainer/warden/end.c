/* The file "ended": why a sandbox ended, as JSON. */
#include <errno.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"
#include "warden/internal.h"

enum { END_MAX_BYTES = 4096, FORMAT = 1, SHOWN = 64 };

struct end_file {
	int32_t v;
	const char *reason, *syscall, *arch;
	int64_t nr, count;
	uint64_t wall_ms;
	bool tainted;
};

/* What becomes part of messages is no longer and of no other letters than the kernel's names. */
static int check_name(const char *key, const char *name, struct err *e)
{
	size_t n = name ? strlen(name) : 0;

	if (n > SHOWN || (n && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != n))
		return err_msg(e, EINVAL, "%s: \"%.*s\" is no such name", key, SHOWN, name);
	return 0;
}

static int check_end(struct arena *a, void *object, struct err *e)
{
	static const char *const reasons[] = {"timeout", "syscall", "warden-lost", "exited"};
	const struct end_file *f = object;
	bool known = false;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	for (size_t i = 0; i < LEN(reasons); i++)
		known = known || str_eq(f->reason, reasons[i]);
	if (!known)
		return err_msg(e, EINVAL, "reason: \"%.*s\" is no such word", SHOWN, f->reason);
	if (f->count < 0)
		return err_msg(e, ERANGE, "count: %lld does not fit", (long long)f->count);
	if (f->tainted != (f->count > 0) || (str_eq(f->reason, "syscall") && !f->tainted))
		return err_msg(e, EINVAL, "tainted: does not fit count and reason");
	int r = check_name("syscall", f->syscall, e);
	return r < 0 ? r : check_name("arch", f->arch, e);
}

static const struct json_field end_file_fields[] = {
	ROW_NUM(end_file, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(end_file, "reason", reason, JSON_REQUIRED),
	ROW_STR(end_file, "syscall", syscall, 0),
	ROW_STR(end_file, "arch", arch, 0),
	ROW_NUM(end_file, "nr", nr, 0, JSON_I64, int64_t),
	ROW_NUM(end_file, "count", count, 0, JSON_I64, int64_t),
	ROW_NUM(end_file, "wallMs", wall_ms, 0, JSON_U64, uint64_t),
	ROW_BOOL(end_file, "tainted", tainted, 0),
};
TYPE(end_file, check_end);

int warden_end_parse(struct arena *a, const char *json, size_t len, struct warden_end *out,
		     struct err *e)
{
	struct end_file f = {0};
	int r = json_read(a, &end_file_type_, json, len, END_MAX_BYTES, &f, e);

	if (r < 0)
		return err_wrap(e, WARDEN_ENDED);
	*out = (struct warden_end){
		.reason = f.reason,
		.syscall = f.syscall,
		.arch = f.arch,
		.nr = f.nr,
		.count = f.count,
		.wall_ms = f.wall_ms,
		.tainted = f.tainted,
	};
	return 0;
}

char *warden_end_print(struct arena *a, const struct warden_end *end, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_int(&o, "v", FORMAT);
	json_key_str(&o, "reason", end->reason);
	if (end->syscall)
		json_key_str(&o, "syscall", end->syscall);
	if (end->arch)
		json_key_str(&o, "arch", end->arch);
	if (end->count > 0) {
		json_key_int(&o, "nr", end->nr);
		json_key_int(&o, "count", end->count);
	}
	if (str_eq(end->reason, "timeout"))
		json_key_uint(&o, "wallMs", end->wall_ms);
	json_key_bool(&o, "tainted", end->tainted);
	json_end_object(&o);
	return json_done(&o, len);
}

int warden_end_read(struct arena *a, int dir, struct warden_end *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, dir, WARDEN_ENDED, END_MAX_BYTES, &text, &len, e);

	if (r == -ENOENT) {
		*out = (struct warden_end){0};
		return 0;
	}
	return r < 0 ? r : warden_end_parse(a, text, len, out, e);
}

int warden_end_write(int dir, const struct warden_end *end, struct err *e)
{
	own_arena struct arena a = {0};
	size_t len;
	const char *text = warden_end_print(&a, end, &len);

	return file_replace(dir, WARDEN_ENDED, text, len, 0600, e);
}
