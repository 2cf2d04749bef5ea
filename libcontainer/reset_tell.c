/* reset: what it writes down about itself. */
#include "base/log.h"
#include "base/str.h"
#include "evidence.h"
#include "quarantine.h"
#include "reset.h"
#include "reuse.h"
#include "specs/json_print.h"

void reset_tell_idle(struct reset *r)
{
	const struct state_reuse *u = r->state.reuse;
	uint64_t now = reuse_now_ns(), *idle = arena_new(r->arena, sizeof(*idle));

	if (r->started || u->journal || r->status != STATUS_CREATED)
		return;
	*idle = now > u->generation_ns ? (now - u->generation_ns) / 1000000000 : 0;
	r->report->idle_s = idle;
}

bool reset_is_audited(const void *ctx)
{
	return ((const struct reset *)ctx)->create.state.audit;
}

static const char *data_of(const struct reset *r)
{
	const struct brig_report *p = r->report;
	struct json_out o;

	json_begin(&o, r->arena, 0);
	json_object(&o);
	json_key_uint(&o, "from_gen", p->from_gen);
	json_key_uint(&o, "gen", p->gen);
	json_key_bool(&o, "clean", p->clean);
	if (p->fingerprint)
		json_key_str(&o, "fingerprint", p->fingerprint);
	if (p->fingerprint_match)
		json_key_bool(&o, "fingerprint_match", *p->fingerprint_match);
	json_key_uint(&o, "uses", p->uses);
	json_end_object(&o);
	return json_done(&o, NULL);
}

int reset_tell_audit(void *ctx, struct err *e)
{
	struct reset *r = ctx;
	struct evidence v = evidence_of(&r->create.state);
	const struct audit_record rec = {
		.event = "SandboxReset",
		.action = "reset",
		.outcome = r->report->clean ? "ok" : "failed",
		.data = data_of(r),
	};
	int w = evidence_write(&v, &rec, e);

	if (w == 0 && v.at.seq) {
		struct report_audit *u = arena_new(r->arena, sizeof(*u));

		*u = (struct report_audit){v.at.seq, arena_strdup(r->arena, v.at.hash)};
		r->report->audit = u;
	}
	evidence_close(&v);
	return w;
}

void reset_tell_dirty(struct reset *r)
{
	struct err e;

	if (reset_is_audited(r) && reset_tell_audit(r, &e) < 0)
		log_warn("%s", e.msg);
}

void reset_keep_evidence(struct reset *r, const struct brig_state *s, uint64_t generation,
			 struct err *e)
{
	const struct quarantine q = {
		.arena = r->arena,
		.where = r->opts->keep_evidence,
		.to = r->evidence,
		.dir = r->dir,
		.state = s,
		.generation = generation,
		.report = r->report,
		.layers = r->layers,
	};
	struct err why, first = *e;

	if (r->evidence < 0 || r->opts->check)
		return;
	if (quarantine_keep(&q, &r->report->evidence, &why) < 0)
		(void)err_msg(e, first.code, "%s; not kept: %s", first.msg, why.msg);
}
