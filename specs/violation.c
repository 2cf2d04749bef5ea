#include "specs/violation.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1, SHOWN = 64, TIME_MAX = 40, REQ = JSON_REQUIRED };

const char *const violation_classes[] = {"syscall", "terminal", "denied", "pids",
					 "egress",  "memory",   "manual", NULL};
const char *const violation_responses[] = {"warn",       "deny",      "throttle",
					   "quarantine", "terminate", NULL};
_Static_assert(LEN(violation_classes) == VIOLATION_CLASSES + 1, "a word for each class");
_Static_assert(LEN(violation_responses) == VIOLATION_RESPONSES + 1, "a word for each response");

static int index_of(const char *const *words, const char *word)
{
	for (int i = 0; word && words[i]; i++)
		if (str_eq(words[i], word))
			return i;
	return -1;
}

int violation_class_find(const char *word)
{
	return index_of(violation_classes, word);
}

int violation_response_find(const char *word)
{
	return index_of(violation_responses, word);
}

bool violation_taints(enum violation_class c, enum violation_response r)
{
	if (c == VIOLATION_MEMORY)
		return false; /* too large, not hostile */
	return c == VIOLATION_SYSCALL || c == VIOLATION_MANUAL || r >= RESPONSE_QUARANTINE;
}

#define BIT(r)  (1U << (r))
#define ANY     (BIT(VIOLATION_RESPONSES) - 1)
#define NO_CALL (ANY & ~BIT(RESPONSE_DENY))

/* A refused fork or connection has failed already, and what is out of memory is killed. */
static const unsigned int allowed[VIOLATION_CLASSES] = {
	[VIOLATION_SYSCALL] = ANY,
	[VIOLATION_TERMINAL] = ANY,
	[VIOLATION_DENIED] = ANY,
	[VIOLATION_PIDS] = NO_CALL,
	[VIOLATION_EGRESS] = NO_CALL,
	[VIOLATION_MEMORY] = BIT(RESPONSE_WARN) | BIT(RESPONSE_TERMINATE),
	[VIOLATION_MANUAL] = 0,
};

bool violation_allows(enum violation_class c, enum violation_response r)
{
	return c < VIOLATION_CLASSES && r < VIOLATION_RESPONSES && allowed[c] & BIT(r);
}

int violation_rule_check(enum violation_class c, const struct violation_rule *r, struct err *e)
{
	int answer = violation_response_find(r->response);

	if (answer < 0)
		return err_msg(e, EINVAL,
			       "response: \"%.*s\" is none of warn, deny, throttle, "
			       "quarantine, terminate",
			       SHOWN, r->response);
	if (!violation_allows(c, (enum violation_response)answer))
		return err_msg(e, EINVAL, "response: \"%s\" is nothing that can be done about %s",
			       r->response, violation_classes[c]);
	if (r->after && !*r->after)
		return err_msg(e, ERANGE, "after: 0 does not fit");
	return 0;
}

/* --- the file ----------------------------------------------------------------------------- */

struct violations_file {
	int32_t v;
	const struct brig_violation *rows;
	size_t n_rows;
};

/* Some are chosen by the sandbox: names that it asked for. */
static int check_name(const char *s, struct err *e)
{
	size_t n = s ? strlen(s) : 0;

	for (size_t i = 0; i < n; i++)
		if (s[i] < ' ' || s[i] > '~')
			return err_msg(e, EINVAL, "name: not of printable letters");
	if (n > VIOLATION_NAME_MAX)
		return err_msg(e, E2BIG, "name: longer than %d letters", VIOLATION_NAME_MAX);
	return 0;
}

static int check_time(const char *key, const char *s, struct err *e)
{
	if (strlen(s) > TIME_MAX || strspn(s, "0123456789-T:.Z") != strlen(s))
		return err_msg(e, EINVAL, "%s: \"%.*s\" is no time", key, SHOWN, s);
	return 0;
}

static int check_row(struct arena *a, void *object, struct err *e)
{
	const struct brig_violation *v = object;
	int c = violation_class_find(v->class_), r = violation_response_find(v->response);

	(void)a;
	if (c < 0 || c == VIOLATION_MANUAL)
		return err_msg(e, EINVAL, "class: \"%.*s\" is no such word", SHOWN, v->class_);
	if (r < 0 || !violation_allows((enum violation_class)c, (enum violation_response)r))
		return err_msg(e, EINVAL, "response: \"%.*s\" is no such word of class %s", SHOWN,
			       v->response, v->class_);
	if (!v->count)
		return err_msg(e, ERANGE, "count: 0 does not fit");
	if (v->taints != violation_taints((enum violation_class)c, (enum violation_response)r))
		return err_msg(e, EINVAL, "taints: does not fit class and response");
	if (check_name(v->name, e) < 0 || check_time("first", v->first, e) < 0)
		return -e->code;
	return check_time("last", v->last, e);
}

static const struct json_field brig_violation_fields[] = {
	ROW_STR(brig_violation, "class", class_, REQ),
	ROW_STR(brig_violation, "name", name, 0),
	ROW_STR(brig_violation, "response", response, REQ),
	ROW_NUM(brig_violation, "count", count, REQ, JSON_U64, uint64_t),
	ROW_STR(brig_violation, "first", first, REQ),
	ROW_STR(brig_violation, "last", last, REQ),
	ROW_BOOL(brig_violation, "taints", taints, REQ),
};
TYPE_CLOSED(brig_violation, check_row);

static int check_file(struct arena *a, void *object, struct err *e)
{
	const struct violations_file *f = object;

	(void)a;
	if (f->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", f->v);
	if (f->n_rows > VIOLATION_ROWS)
		return err_msg(e, E2BIG, "violations: more than %d rows", VIOLATION_ROWS);
	return 0;
}

static const struct json_field violations_file_fields[] = {
	ROW_NUM(violations_file, "v", v, REQ, JSON_I32, int32_t),
	ROW_OBJS(violations_file, "violations", rows, n_rows, brig_violation),
};
TYPE_CLOSED(violations_file, check_file);

char *violations_print(struct arena *a, const struct brig_violation *rows, size_t n, size_t *len)
{
	const struct violations_file f = {.v = FORMAT, .rows = rows, .n_rows = n};
	return json_print_object(a, &violations_file_type_, &f, len);
}

int violations_parse(struct arena *a, const char *json, size_t len, struct brig_violation **out,
		     size_t *n, struct err *e)
{
	struct violations_file f = {0};
	int r = json_read(a, &violations_file_type_, json, len, VIOLATIONS_MAX_BYTES, &f, e);

	if (r < 0)
		return err_wrap(e, VIOLATIONS_FILE);
	*n = f.n_rows;
	*out = arena_array(a, f.n_rows + 1, sizeof(**out));
	if (f.n_rows)
		memcpy(*out, f.rows, f.n_rows * sizeof(**out));
	return 0;
}
