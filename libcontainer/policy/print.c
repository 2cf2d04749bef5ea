/* Decisions as they are kept, listed and written: policy.json and the rows of explain. */
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "specs/json_print.h"
#include "specs/table.h"

enum { FORMAT = 1 };

static const char *const sources[] = {
	[BY_LEVEL] = "level",   [BY_ADMIN] = "admin",       [BY_ANNOTATION] = "annotation",
	[BY_CONFIG] = "config", [BY_DOCUMENT] = "document", [BY_FLAG] = "flag",
	[BY_HOST] = "host",
};
static const char *const outcomes[] = {
	[OUTCOME_SET] = "set",
	[OUTCOME_CUT] = "cut",
	[OUTCOME_REFUSED] = "refused",
	[OUTCOME_RECORDED] = "recorded",
};

const char *policy_source_name(enum policy_source by)
{
	return sources[by];
}

const char *policy_outcome_name(enum policy_outcome outcome)
{
	return outcomes[outcome];
}

void policy_note(struct arena *a, struct policy *p, const struct policy_decision *d)
{
	if (p->n_decisions == p->max_decisions) {
		size_t room = p->max_decisions ? p->max_decisions * 2 : 32;
		struct policy_decision *more = arena_array(a, room, sizeof(*more));

		if (p->n_decisions)
			memcpy(more, p->decisions, p->n_decisions * sizeof(*more));
		p->decisions = more;
		p->max_decisions = room;
	}
	p->decisions[p->n_decisions++] = (struct policy_decision){
		.field = arena_strdup(a, d->field),
		.value = arena_strdup(a, d->value),
		.by = d->by,
		.asked = arena_strdup(a, d->asked),
		.outcome = d->outcome,
		.reason = arena_strdup(a, d->reason),
	};
}

static bool about_level(const char *field)
{
	return str_eq(field, "level") || level_field_find(field);
}

/* The decisions about one field; 0: nobody said anything. */
static size_t rows_of(const struct policy *p, const char *field, struct policy_decision *to)
{
	size_t n = 0;

	for (size_t i = 0; i < p->n_decisions; i++)
		if (str_eq(p->decisions[i].field, field))
			to[n++] = p->decisions[i];
	return n;
}

void policy_rows(struct arena *a, const struct policy *p, const struct policy_decision **out,
		 size_t *n)
{
	struct policy_decision *rows =
		arena_array(a, n_level_fields + p->n_decisions, sizeof(*rows));

	*out = rows;
	*n = rows_of(p, "level", rows);
	for (size_t i = 0; i < n_level_fields; i++) {
		const struct level_field *f = &level_fields[i];
		size_t more = rows_of(p, f->path, rows + *n);

		if (!more)
			rows[*n] = (struct policy_decision){
				.field = f->path,
				.value = level_field_text(a, f, &p->level),
				.by = BY_LEVEL,
			};
		*n += more ? more : 1;
	}
	for (size_t i = 0; i < p->n_decisions; i++)
		if (!about_level(p->decisions[i].field))
			rows[(*n)++] = p->decisions[i];
}

/* policy.json with its words as text. */
struct saved_decision {
	const char *field, *value, *by, *asked, *outcome, *reason;
};
struct saved_exec {
	const char *const *allow;
	size_t n_allow;
};
struct saved_policy {
	int32_t v;
	const struct saved_exec *exec;
	bool direct;
	const char *pod, *digest;
	struct level level;
	struct admin admin;
	struct level_limits asked;
	const struct saved_decision *decisions;
	size_t n_decisions;
};

static const struct json_field saved_decision_fields[] = {
	ROW_STR(saved_decision, "field", field, JSON_REQUIRED),
	ROW_STR(saved_decision, "value", value, JSON_REQUIRED),
	ROW_STR(saved_decision, "by", by, JSON_REQUIRED),
	ROW_STR(saved_decision, "asked", asked, 0),
	ROW_STR(saved_decision, "outcome", outcome, JSON_REQUIRED),
	ROW_STR(saved_decision, "reason", reason, 0),
};
TYPE_CLOSED(saved_decision, NULL);

static const struct json_field saved_exec_fields[] = {
	ROW_STRS(saved_exec, "allow", allow, n_allow, 0),
};
TYPE_CLOSED(saved_exec, NULL);

static const struct json_field policy_fields[] = {
	ROW_NUM(saved_policy, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_BOOL(saved_policy, "direct", direct, JSON_REQUIRED),
	ROW_STR(saved_policy, "pod", pod, 0),
	ROW_STR(saved_policy, "digest", digest, JSON_REQUIRED),
	ROW_OBJ(saved_policy, "exec", exec, saved_exec),
	ROW_OBJS(saved_policy, "decisions", decisions, n_decisions, saved_decision),
	/* these are described by specs/: saved_type() says how */
	ROW_("level", JSON_OBJ, JSON_REQUIRED, .at = ROW_AT(saved_policy, level, struct level)),
	ROW_("admin", JSON_OBJ, JSON_REQUIRED, .at = ROW_AT(saved_policy, admin, struct admin)),
	ROW_("asked", JSON_OBJ, 0, .at = ROW_AT(saved_policy, asked, struct level_limits)),
};

struct saved_type {
	struct json_field fields[LEN(policy_fields)];
	struct json_type type;
};

static const struct json_type *saved_type(struct saved_type *t)
{
	memcpy(t->fields, policy_fields, sizeof(t->fields));
	t->fields[LEN(policy_fields) - 3].sub = level_type();
	t->fields[LEN(policy_fields) - 2].sub = admin_type();
	t->fields[LEN(policy_fields) - 1].sub = json_lookup(level_type(), "engine")->sub;
	t->type = (struct json_type){
		.size = sizeof(struct saved_policy),
		.n_fields = LEN(policy_fields),
		.fields = t->fields,
		.closed = true,
	};
	return &t->type;
}

char *policy_print(struct arena *a, const struct policy *p, size_t *len)
{
	struct saved_decision *rows = arena_array(a, p->n_decisions + 1, sizeof(*rows));
	const struct saved_exec exec = {p->exec.allow, p->exec.n_allow};
	const struct saved_policy saved = {
		.v = FORMAT,
		.exec = p->exec.limited ? &exec : NULL,
		.direct = p->direct,
		.pod = p->pod,
		.digest = p->digest,
		.level = p->level,
		.admin = p->admin,
		.asked = p->asked,
		.decisions = rows,
		.n_decisions = p->n_decisions,
	};
	struct saved_type t;

	for (size_t i = 0; i < p->n_decisions; i++) {
		const struct policy_decision *d = &p->decisions[i];

		rows[i] = (struct saved_decision){
			.field = d->field,
			.value = d->value ? d->value : "",
			.by = sources[d->by],
			.asked = d->asked,
			.outcome = outcomes[d->outcome],
			.reason = d->reason,
		};
	}
	return json_print_object(a, saved_type(&t), &saved, len);
}

static int word_index(const char *const *words, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(words[i], name))
			return (int)i;
	return -1;
}

static int take_decision(struct arena *a, struct policy *p, const struct saved_decision *s,
			 struct err *e)
{
	int by = word_index(sources, LEN(sources), s->by);
	int outcome = word_index(outcomes, LEN(outcomes), s->outcome);

	if (by < 0)
		return err_msg(e, EINVAL, "by: \"%.40s\" is not known", s->by);
	if (outcome < 0)
		return err_msg(e, EINVAL, "outcome: \"%.40s\" is not known", s->outcome);
	policy_note(a, p,
		    &(struct policy_decision){s->field, s->value, (enum policy_source)by, s->asked,
					      (enum policy_outcome)outcome, s->reason});
	return 0;
}

const char *policy_digest(struct arena *a, const struct level *l)
{
	char hex[SHA256_HEX];
	size_t len;
	const char *text = level_print(a, l, &len);

	sha256_hex(text, len, hex);
	return arena_printf(a, "sha256:%s", hex);
}

/* The audit log came later than policy.json: what an older brig recorded says nothing of it. */
static bool came_later(const struct level_field *f)
{
	return str_eq(f->path, "audit");
}

/* What policy_resolve promises of every level must hold for one that was read back. */
static int check_level(struct arena *a, const struct level *l, const char *digest, struct err *e)
{
	for (size_t i = 0; i < n_level_fields; i++) {
		const struct level_field *f = &level_fields[i];

		if (!level_field_may_lack(f) && !came_later(f) && !level_field_given(f, l))
			return err_msg(e, EINVAL, "level: %s: missing", f->path);
		if (level_field_check(f, l, e) < 0)
			return err_wrap(e, "level");
	}
	if (!str_eq(policy_digest(a, l), digest))
		return err_msg(e, EINVAL, "digest: not that of the level");
	return 0;
}

int policy_parse(struct arena *a, const char *json, size_t len, struct policy *out, struct err *e)
{
	struct saved_policy s = {0};
	struct saved_type t;

	*out = (struct policy){0};
	int r = json_read(a, saved_type(&t), json, len, POLICY_MAX_BYTES, &s, e);
	if (r == 0 && s.v != FORMAT)
		r = err_msg(e, EINVAL, "v: format %d is not known", s.v);
	if (r == 0)
		r = check_level(a, &s.level, s.digest, e);
	if (r < 0)
		return r;
	admin_defaults(&s.admin);
	out->level = s.level;
	out->admin = s.admin;
	out->asked = s.asked;
	out->custom = str_eq(s.level.name, "custom");
	out->direct = s.direct;
	out->pod = s.pod;
	out->digest = s.digest;
	if (s.exec)
		out->exec = (struct policy_exec){true, s.exec->allow, s.exec->n_allow};
	for (size_t i = 0; r == 0 && i < s.n_decisions; i++) {
		r = take_decision(a, out, &s.decisions[i], e);
		if (r < 0)
			err_wrap(e, "decisions[%zu]", i);
	}
	return r;
}
