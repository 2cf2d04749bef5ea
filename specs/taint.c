/* The file "taint" of a state directory: strict, for what it says decides about reuse. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/json_text.h"
#include "specs/table.h"
#include "specs/violation.h"

enum { FORMAT = 1, BY_MAX = 256 };

enum { REQ = JSON_REQUIRED };

struct taints_file {
	int32_t v;
	const struct brig_taint *rows;
	size_t n_rows;
	const char *cleared, *cleared_reason;
};

/* --- texts -------------------------------------------------------------------------------- */

/* U+0000 to U+001F, U+007F to U+009F: what moves a terminal's cursor, or worse. */
static bool is_control(const char *s)
{
	unsigned char c = (unsigned char)s[0];

	return c < ' ' || c == 0x7f || (c == 0xc2 && ((unsigned char)s[1] & 0xe0) == 0x80);
}

static int check_line(const char *key, const char *s, size_t max, struct err *e)
{
	size_t n = strlen(s);

	if (!n)
		return err_msg(e, EINVAL, "%s: empty", key);
	if (n > max)
		return err_msg(e, E2BIG, "%s: longer than %zu bytes", key, max);
	if (!utf8_valid(s, n))
		return err_msg(e, EINVAL, "%s: not UTF-8", key);
	for (size_t i = 0; i < n; i++)
		if (is_control(s + i))
			return err_msg(e, EINVAL, "%s: control characters", key);
	return 0;
}

int taint_check_reason(const char *s, struct err *e)
{
	return check_line("reason", s, TAINT_REASON_MAX, e);
}

int taint_check_class(const char *s, struct err *e)
{
	size_t n = strlen(s);

	if (!n || n > TAINT_CLASS_MAX || strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return err_msg(e, EINVAL, "class: not 1 to %d small letters, digits and dashes",
			       TAINT_CLASS_MAX);
	return 0;
}

/* Of one form only: which of two is later is then told by their letters. */
static int check_time(const char *key, const char *s, struct err *e)
{
	static const char form[] = "0000-00-00T00:00:00.000Z";
	bool ok = strlen(s) == strlen(form);

	for (size_t i = 0; ok && form[i]; i++)
		ok = form[i] == '0' ? s[i] >= '0' && s[i] <= '9' : s[i] == form[i];
	return ok ? 0 : err_msg(e, EINVAL, "%s: not a time as %s", key, form);
}

/* --- the file ----------------------------------------------------------------------------- */

static int check_row(struct arena *a, void *object, struct err *e)
{
	const struct brig_taint *t = object;

	(void)a;
	if (taint_check_reason(t->reason, e) < 0 || taint_check_class(t->class_, e) < 0 ||
	    check_time("time", t->time, e) < 0)
		return -e->code;
	return check_line("by", t->by, BY_MAX, e);
}

static int check_file(struct arena *a, void *object, struct err *e)
{
	const struct taints_file *f = object;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	if (f->n_rows > TAINT_ROWS)
		return err_msg(e, E2BIG, "taint: more than %d", TAINT_ROWS);
	if (!f->cleared != !f->cleared_reason)
		return err_msg(e, EINVAL, "cleared and clearedReason belong together");
	if (!f->cleared)
		return 0;
	if (check_time("cleared", f->cleared, e) < 0)
		return -e->code;
	return check_line("clearedReason", f->cleared_reason, TAINT_REASON_MAX, e);
}

static const struct json_field brig_taint_fields[] = {
	ROW_STR(brig_taint, "reason", reason, REQ),
	ROW_STR(brig_taint, "class", class_, REQ),
	ROW_STR(brig_taint, "time", time, REQ),
	ROW_STR(brig_taint, "by", by, REQ),
};
TYPE_CLOSED(brig_taint, check_row);

static const struct json_field taints_file_fields[] = {
	ROW_NUM(taints_file, "v", v, REQ, JSON_I32, int32_t),
	ROW_OBJS(taints_file, "taint", rows, n_rows, brig_taint),
	ROW_STR(taints_file, "cleared", cleared, 0),
	ROW_STR(taints_file, "clearedReason", cleared_reason, 0),
};
TYPE_CLOSED(taints_file, check_file);

int taints_parse(struct arena *a, const char *json, size_t len, struct brig_taints *out,
		 struct err *e)
{
	struct taints_file f = {0};

	*out = (struct brig_taints){0};
	if (json_read(a, &taints_file_type_, json, len, TAINT_MAX_BYTES, &f, e) < 0)
		return err_wrap(e, TAINT_FILE);
	*out = (struct brig_taints){f.rows, f.n_rows, f.cleared, f.cleared_reason};
	return 0;
}

char *taints_print(struct arena *a, const struct brig_taints *t, size_t *len)
{
	const struct taints_file f = {FORMAT, t->rows, t->n_rows, t->cleared, t->cleared_reason};
	return json_print_object(a, &taints_file_type_, &f, len);
}
