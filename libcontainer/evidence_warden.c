/*
 * What a warden writes to the audit log: in a detached one confined, with nothing but the log's
 * directory.  How often it is asked is the warden's to bound.
 */
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "evidence.h"
#include "lease_audit.h"
#include "names/hash.h"
#include "specs/flow.h"

/* What a class is called in the log, and what its first record stands for. */
static const struct row {
	const char *event, *action;
} rows[VIOLATION_CLASSES] = {
	[VIOLATION_SYSCALL] = {"SystemCallAttempt",     "syscall"},
	[VIOLATION_TERMINAL] = {"SystemCallAttempt",     "syscall"},
	[VIOLATION_DENIED] = {"SystemCallAttempt",     "syscall"},
	[VIOLATION_PIDS] = {"ResourceLimitExceeded", "fork"   },
	[VIOLATION_EGRESS] = {"NetworkAccess",         "connect"},
	[VIOLATION_MEMORY] = {"ResourceLimitExceeded", "memory" },
	[VIOLATION_MANUAL] = {"SandboxTainted",        "taint"  },
};

static void print_call(struct json_out *o, const struct warden_event *ev)
{
	if (ev->nr < 0)
		return;
	json_key_int(o, "nr", ev->nr);
	if (ev->arch)
		json_key_str(o, "arch", ev->arch);
	json_key(o, "args");
	json_array(o);
	for (size_t i = 0; i < LEN(ev->args); i++)
		json_uint(o, ev->args[i]);
	json_end_array(o);
}

static const char *data_of(struct arena *a, const struct warden_event *ev)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	json_key_str(&o, "class", violation_classes[ev->class_]);
	if (ev->class_ == VIOLATION_PIDS || ev->class_ == VIOLATION_MEMORY)
		json_key_str(&o, "type", ev->name);
	print_call(&o, ev);
	if (ev->pid)
		json_key_int(&o, "pid", ev->pid);
	if (ev->comm)
		json_key_str(&o, "program", ev->comm);
	json_key_uint(&o, "count", ev->count);
	if (ev->more)
		json_key_uint(&o, "untold", ev->more);
	json_key_str(&o, "response", violation_responses[ev->response]);
	json_end_object(&o);
	return json_done(&o, NULL);
}

static int tell_violation(struct evidence *v, const struct warden_event *ev, struct err *e)
{
	own_arena struct arena a = {0};
	bool taints = violation_taints(ev->class_, ev->response);
	struct audit_record r = {
		.event = rows[ev->class_].event,
		.action = rows[ev->class_].action,
		.severity = taints ? "critical" : NULL,
		.resource = ev->name,
		.outcome = "denied",
		.data = data_of(&a, ev),
	};
	int w = evidence_write(v, &r, e);

	if (w == 0 && ev->anomalous) {
		r.event = "AnomalousActivity";
		r.severity = NULL;
		w = evidence_write(v, &r, e);
	}
	if (w == 0 && taints) {
		r.event = "ViolationDetected";
		r.severity = "critical";
		r.action = violation_responses[ev->response];
		w = evidence_write(v, &r, e);
	}
	return w;
}

/* Two that meet by their hash: of the second the first use is not told, nothing else. */
static bool is_first_use(struct evidence *v, const char *grant)
{
	uint64_t h = names_hash(0, grant);

	if (!v->used)
		v->used = arena_array(&v->arena, EVIDENCE_GRANTS, sizeof(*v->used));
	for (size_t i = 0; i < v->n_used; i++)
		if (v->used[i] == h)
			return false;
	if (v->n_used == EVIDENCE_GRANTS)
		return false;
	v->used[v->n_used++] = h;
	return true;
}

static int tell_flow(struct evidence *v, const struct warden_event *ev, struct err *e)
{
	own_arena struct arena a = {0};
	const char *mode = v->audit->flows;
	struct brig_flow f;
	struct err bad;

	if (flow_parse(&a, ev->text, ev->len, &f, &bad) < 0)
		return 0; /* the resolver's, who parses hostile bytes: not believed */
	bool denied = str_eq(f.event, "denied") ||
		      (str_eq(f.event, "lookup") && !str_eq(f.verdict, "answered"));
	size_t len;
	struct audit_record r = {
		.event = "NetworkAccess",
		.action = f.event,
		.resource = f.name ? f.name : f.to,
		.outcome = denied ? "denied" : "ok",
		.severity = denied ? NULL : "info",
		.source = "resolver",
		.data = flow_print(&a, &f, &len),
	};
	int w = 0;
	/* What was denied comes as a violation, too, which bounds how often. */
	if (str_eq(mode, "all"))
		w = evidence_write(v, &r, e);
	if (w == 0 && f.grant && str_eq(f.event, "connect") && is_first_use(v, f.grant)) {
		r.event = "CapabilityUsed";
		r.action = "use";
		r.resource = arena_printf(&a, "network:%s", f.grant);
		w = evidence_write(v, &r, e);
	}
	return w;
}

/* What it was ended for. */
static int tell_lease(struct evidence *v, const struct warden_event *ev, struct err *e)
{
	own_arena struct arena a = {0};
	struct brig_lease l;
	struct err bad;

	if (lease_parse(&a, ev->text, ev->len, &l, &bad) < 0)
		return 0;
	const struct audit_record r = lease_record(&a, LEASE_EXPIRED, &l, v->pool);

	return evidence_write(v, &r, e);
}

static int event(void *ctx, const struct warden_event *ev, struct err *e)
{
	struct evidence *v = ctx;

	if (!v->audit)
		return 0;
	/* In the foreground it is the verb's evidence, too. */
	const char *before = v->source;
	int r = 0;

	v->source = "warden";
	if (ev->kind == WARDEN_VIOLATION)
		r = tell_violation(v, ev, e);
	else if (ev->kind == WARDEN_FLOW)
		r = tell_flow(v, ev, e);
	else if (ev->kind == WARDEN_LEASE)
		r = tell_lease(v, ev, e);
	v->source = before;
	return r;
}

/* In a detached warden: what the log had open was its maker's. */
static int directory(void *ctx, int *dir, struct err *e)
{
	struct evidence *v = ctx;

	*dir = -1;
	if (!v->audit)
		return 0;
	v->log = NULL;
	v->source = "warden";
	int r = evidence_open(v, e);
	if (r == 0) {
		*dir = audit_confine(v->log);
		r = *dir < 0 ? err_set(e, -*dir, "audit: the log's directory") : 0;
	}
	if (r == 0 || v->audit->required)
		return r;
	/* Confined it could open nothing. */
	v->audit = NULL;
	*dir = -1;
	return 0;
}

struct warden_reports evidence_reports(struct evidence *v)
{
	return (struct warden_reports){.ctx = v, .event = event, .directory = directory};
}
