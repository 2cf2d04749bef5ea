/* create and run: what the audit log is told of a sandbox before anything of it runs. */
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "create.h"
#include "plan_audit.h"

bool create_is_audited(const void *ctx)
{
	return ((const struct create *)ctx)->plan.audit;
}

static void print_filter(struct json_out *o, const struct seccomp_program *s)
{
	char hex[SHA256_HEX];

	if (!s->insns)
		return;
	sha256_hex(s->insns, s->n_insns * sizeof(*s->insns), hex);
	json_key_str(o, "seccomp", arena_printf(o->a, "sha256:%s", hex));
}

static const char *data_of(struct create *c)
{
	const struct plan *p = &c->plan;
	struct json_out o;

	json_begin(&o, c->arena, 0);
	json_object(&o);
	json_key_str(&o, "root", c->host->root); /* where verify looks for it */
	json_key_str(&o, "rootfs", c->state.rootfs);
	if (!p->direct)
		json_key_str(&o, "bundle", p->bundle);
	evidence_argv(&o, p->audit->argv, p->no_program ? NULL : p->process.args);
	print_filter(&o, &p->seccomp);
	if (c->state.net)
		json_key_str(&o, "net", c->state.net);
	if (c->state.egress)
		json_key_str(&o, "egress", c->state.egress);
	if (p->watch.warden.denied)
		json_key_bool(&o, "denied_calls", true);
	json_end_object(&o);
	return json_done(&o, NULL);
}

static const char *verb_of(const struct create *c)
{
	return c->before ? "reset" : c->plan.run ? "run" : "create";
}

static const char *grants_data(struct create *c, const char *const *list, size_t n)
{
	struct json_out o;

	json_begin(&o, c->arena, 0);
	json_object(&o);
	json_key(&o, "grants");
	json_strs(&o, list, n);
	json_end_object(&o);
	return json_done(&o, NULL);
}

/* As many as fit in a record each time. */
static int tell_granted(struct create *c, const char *const *list, size_t n, struct err *e)
{
	enum { ROOM = AUDIT_MAX_LINE / 4 };
	int r = 0;

	for (size_t from = 0, to; from < n && r == 0; from = to) {
		size_t used = 0;

		for (to = from; to < n && used < ROOM; to++)
			used += strlen(list[to]);
		const struct audit_record rec = {
			.event = "CapabilityGranted",
			.action = "start",
			.data = grants_data(c, list + from, to - from),
		};

		r = evidence_write(&c->evidence, &rec, e);
	}
	return r;
}

static int tell_denied(struct create *c, const struct policy_granted *g, struct err *e)
{
	struct json_out o;

	json_begin(&o, c->arena, 0);
	json_object(&o);
	json_key_str(&o, "reason", g->denied);
	json_end_object(&o);
	const struct audit_record rec = {
		.event = "CapabilityDenied",
		.action = "start",
		.resource = g->grant.text,
		.outcome = "denied",
		.data = json_done(&o, NULL),
	};

	return evidence_write(&c->evidence, &rec, e);
}

/* What the network has is what the rules are made of, wherever it was asked for. */
static int tell_grants(struct create *c, struct err *e)
{
	const struct plan_egress *x = c->plan.egress;
	const struct policy *p = c->plan.policy;
	size_t n = 0, n_net = x ? x->policy->n_grants : 0, n_all = p ? p->n_grants : 0;
	const char **list = arena_array(c->arena, n_net + n_all + 1, sizeof(*list));
	int r = 0;

	for (size_t i = 0; i < n_net; i++)
		list[n++] = arena_printf(c->arena, "network:%s", x->policy->grants[i].text);
	for (size_t i = 0; i < n_all && r == 0; i++)
		if (p->grants[i].denied)
			r = tell_denied(c, &p->grants[i], e);
		else if (policy_is_held(&p->grants[i]))
			list[n++] = p->grants[i].grant.text;
	return r < 0 ? r : tell_granted(c, list, n, e);
}

int create_audit(void *ctx, struct err *e)
{
	struct create *c = ctx;

	c->evidence = evidence_of(&c->state);
	c->watch.evidence = &c->evidence;
	const struct audit_record r = {
		.event = "SandboxCreated",
		.action = verb_of(c),
		.data = data_of(c),
	};
	int w = evidence_write(&c->evidence, &r, e);
	if (w < 0)
		return w;
	w = tell_grants(c, e);
	if (w < 0)
		create_audit_undo(c);
	return w;
}

void create_audit_undo(void *ctx)
{
	struct create *c = ctx;
	const struct audit_record r = {
		.event = "SandboxDestroyed",
		.action = verb_of(c),
		.outcome = "failed",
	};
	struct err e;

	if (evidence_write(&c->evidence, &r, &e) < 0)
		log_warn("%s", e.msg);
}

void create_audit_refused(struct create *c, const struct err *why)
{
	struct plan *p = &c->plan;
	struct json_out o;
	struct err e;

	/* Nobody knows what holds for it; or its log is what could not be had. */
	if (!p->policy || (!p->audit && plan_audit(c->arena, p, &e) < 0) || !p->audit)
		return;
	const struct brig_state s = {
		.id = c->id,
		.audit = p->audit,
		.level = p->policy->level.name,
		.digest = p->level ? p->policy->digest : NULL,
	};
	json_begin(&o, c->arena, 0);
	json_object(&o);
	json_key_str(&o, "error", why->msg);
	json_end_object(&o);
	struct evidence v = evidence_of(&s);
	const struct audit_record r = {
		.event = "SandboxRefused",
		.action = c->plan.run ? "run" : "create",
		.outcome = "denied",
		.data = json_done(&o, NULL),
	};
	if (evidence_write(&v, &r, &e) < 0)
		log_warn("%s", e.msg);
	evidence_close(&v);
}
