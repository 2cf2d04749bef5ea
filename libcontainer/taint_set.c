/* taint and untaint: what somebody says about a sandbox, beside what it did. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "evidence.h"
#include "plan.h"
#include "result.h"
#include "specs/json_print.h"
#include "store.h"
#include "taint.h"

struct change {
	const struct container_host *host;
	struct arena arena;
	const char *id, *reason, *class_;
	int dir;
	struct brig_state state;
	const char *now;
};

static int must_be_root(struct err *e)
{
	if (geteuid() == 0 && !plan_in_user_namespace())
		return 0;
	return err_msg(e, EPERM, "only the host's root may say so");
}

static int begin(struct change *c, struct err *e)
{
	char text[64];

	if (must_be_root(e) < 0 || taint_check_reason(c->reason, e) < 0 ||
	    taint_check_class(c->class_, e) < 0)
		return -e->code;
	c->dir = store_open(c->host, c->id, STORE_LOCKED, e);
	if (c->dir < 0)
		return c->dir;
	if (store_load(c->dir, &c->arena, &c->state, e) < 0)
		return -e->code;
	clock_rfc3339(text, sizeof(text), 3);
	c->now = arena_strdup(&c->arena, text);
	return 0;
}

static void end(struct change *c)
{
	own_close(&c->dir);
	arena_free(&c->arena);
}

static int save(struct change *c, const struct brig_taints *t, struct err *e)
{
	size_t len;
	const char *text = taints_print(&c->arena, t, &len);

	return file_replace(c->dir, TAINT_FILE, text, len, 0600, e);
}

static const char *data_of(struct change *c)
{
	struct json_out o;

	json_begin(&o, &c->arena, 0);
	json_object(&o);
	json_key_str(&o, "class", c->class_);
	json_key_str(&o, "reason", c->reason);
	json_key_uint(&o, "uid", getuid());
	json_end_object(&o);
	return json_done(&o, NULL);
}

/* --- taint -------------------------------------------------------------------------------- */

/* First it holds, then it is told of: a log that cannot be written must not keep it from holding.
 */
static int taint(struct change *c, struct err *e)
{
	struct brig_taints t;

	if (taint_load(&c->arena, c->dir, &t, e) < 0)
		return -e->code;
	if (t.n_rows >= TAINT_ROWS)
		return err_msg(e, ENOSPC, "container %s: it is tainted for %d reasons, no more fit",
			       c->id, TAINT_ROWS);
	struct brig_taint *rows = arena_array(&c->arena, t.n_rows + 1, sizeof(*rows));
	if (t.n_rows)
		memcpy(rows, t.rows, t.n_rows * sizeof(*rows));
	rows[t.n_rows++] = (struct brig_taint){
		.reason = c->reason,
		.class_ = c->class_,
		.time = c->now,
		.by = arena_printf(&c->arena, "uid=%u", getuid()),
	};
	t.rows = rows;
	if (save(c, &t, e) < 0)
		return -e->code;
	struct err why;
	if (evidence_note(&c->state, "SandboxTainted", "taint", data_of(c), &why) < 0)
		return err_msg(e, EIO, "it is tainted, but that is not in the audit log: %s",
			       why.msg);
	return 0;
}

int container_taint(const struct container_host *h, const char *id, const char *reason,
		    const char *class_, struct err *e)
{
	struct change c = {
		.host = h,
		.id = id,
		.reason = reason,
		.class_ = class_ ? class_ : violation_classes[VIOLATION_MANUAL],
		.dir = -1,
	};
	int r = begin(&c, e);

	if (r == 0)
		r = taint(&c, e);
	end(&c);
	return r;
}

/* --- untaint ------------------------------------------------------------------------------ */

static bool is_tainted(struct change *c)
{
	struct brig_result result;
	struct taint t;
	struct err ignored;

	if (result_read(&c->arena, c->dir, &result, &ignored) == 0)
		taint_of_result(&c->arena, c->dir, &result, &t);
	else
		taint_of(&c->arena, c->dir, &t);
	return t.n;
}

/* On the record first: nobody may take it back unseen. */
static int audit_untaint(struct change *c, struct err *e)
{
	const struct audit_record r = {
		.event = "SandboxUntainted", .action = "untaint", .data = data_of(c)};
	struct evidence log = evidence_of(&c->state), host;
	struct state_audit required;
	int w = 0;

	/* Whatever was decided for this sandbox. */
	if (!log.audit) {
		w = evidence_of_host(&c->arena, c->host, &host, e);
		log.audit = w < 0 ? NULL : host.audit;
	}
	if (w == 0) {
		required = *log.audit;
		required.required = true;
		log.audit = &required;
		w = evidence_write(&log, &r, e);
	}
	evidence_close(&log);
	if (w == 0)
		return 0;
	struct err why = *e;
	return err_msg(e, EOPNOTSUPP, "container %s stays tainted, as that cannot be audited: %s",
		       c->id, why.msg);
}

/* What cannot be read any more goes with it. */
static int untaint(struct change *c, struct err *e)
{
	const struct brig_taints none = {.cleared = c->now, .cleared_reason = c->reason};

	if (!is_tainted(c))
		return err_msg(e, EALREADY, "container %s is not tainted", c->id);
	return audit_untaint(c, e) < 0 ? -e->code : save(c, &none, e);
}

int container_untaint(const struct container_host *h, const char *id, const char *reason,
		      struct err *e)
{
	struct change c = {
		.host = h,
		.id = id,
		.reason = reason,
		.class_ = violation_classes[VIOLATION_MANUAL],
		.dir = -1,
	};
	int r = begin(&c, e);

	if (r == 0)
		r = untaint(&c, e);
	end(&c);
	return r;
}
