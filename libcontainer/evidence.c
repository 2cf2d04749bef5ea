/* What the verbs write to the audit log.  docs/audit.md tells each event. */
#include "evidence.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "plan.h"
#include "plan_audit.h"
#include "policy/policy.h"

struct evidence evidence_of(const struct brig_state *s)
{
	return (struct evidence){
		.audit = s->audit,
		.id = s->id,
		.level = s->level,
		.policy = s->digest,
		.request = s->ctx_request,
		.principal = s->ctx_principal,
		.pool = s->reuse ? s->reuse->pool : NULL,
		.generation = s->reuse ? s->reuse->generation : 1,
		.source = "cli",
	};
}

int evidence_of_host(struct arena *a, const struct container_host *h, struct evidence *out,
		     struct err *e)
{
	struct admin admin = {0};
	int r = policy_admin_load(a, h->system_config, &admin, e);

	if (r < 0)
		return r;
	struct state_audit *u = arena_new(a, sizeof(*u));
	const struct state_audit *found = plan_audit_of_admin(
		a, &admin.audit, !plan_is_privileged() || plan_in_user_namespace());
	if (!found)
		return err_msg(e, ENOENT, "where the audit log is cannot be told: no HOME is set");
	*u = *found;
	u->required = true;
	*out = (struct evidence){.audit = u, .source = "cli"};
	return 0;
}

int evidence_open(struct evidence *v, struct err *e)
{
	const struct state_audit *u = v->audit;
	const struct audit_config c = {
		.path = u->path,
		.max_bytes = u->max_bytes,
		.wait_ms = u->wait_ms,
		.sync = str_eq(u->sync, "all")    ? AUDIT_SYNC_ALL
			: str_eq(u->sync, "none") ? AUDIT_SYNC_NONE
						  : AUDIT_SYNC_SECURITY,
	};

	return audit_open(&v->arena, &c, &v->log, e);
}

static void or_own(const char **member, const char *own)
{
	if (!*member)
		*member = own;
}

int evidence_write(struct evidence *v, const struct audit_record *r, struct err *e)
{
	struct audit_record out = *r;

	if (!v->audit)
		return 0;
	or_own(&out.id, v->id);
	or_own(&out.level, v->level);
	or_own(&out.policy, v->policy);
	or_own(&out.request, v->request);
	or_own(&out.principal, v->principal);
	or_own(&out.source, v->source);
	or_own(&out.outcome, "ok");
	if (!out.generation)
		out.generation = v->generation;
	int w = v->log ? 0 : evidence_open(v, e);
	if (w == 0)
		w = audit_append(v->log, &out, &v->at, e);
	if (w == 0)
		return 0;
	if (v->audit->required)
		return err_wrap(e, "audit: %s cannot be written, and must be", r->event);
	v->lost++;
	log_warn("audit: %s is not written: %s", r->event, e->msg);
	return 0;
}

void evidence_close(struct evidence *v)
{
	audit_close(v->log);
	v->log = NULL;
	arena_free(&v->arena);
	v->used = NULL;
	v->n_used = 0;
}

int evidence_note(const struct brig_state *s, const char *event, const char *action,
		  const char *data, struct err *e)
{
	struct evidence v = evidence_of(s);
	const struct audit_record r = {.event = event, .action = action, .data = data};
	int w = evidence_write(&v, &r, e);

	evidence_close(&v);
	return w;
}

void evidence_tell(const struct brig_state *s, const char *event, const char *action,
		   const char *data)
{
	struct err e;

	if (!s->audit)
		return;
	if (evidence_note(s, event, action, data, &e) < 0)
		log_warn("%s", e.msg);
}

/* --- what records say --------------------------------------------------------------------- */

static const char *hash_of(struct arena *a, const char *const *argv)
{
	char hex[SHA256_HEX];
	size_t n = 0, at = 0;

	for (const char *const *s = argv; *s; s++)
		n += strlen(*s) + 1;
	char *all = arena_new(a, n + 1);
	for (const char *const *s = argv; *s; s++) {
		memcpy(all + at, *s, strlen(*s) + 1);
		at += strlen(*s) + 1;
	}
	sha256_hex(all, n, hex);
	return arena_printf(a, "sha256:%s", hex);
}

void evidence_argv(struct json_out *o, const char *mode, const char *const *argv)
{
	size_t n = 0;

	if (!argv || str_eq(mode, "none"))
		return;
	json_key(o, "argv");
	while (argv[n])
		n++;
	if (str_eq(mode, "plain"))
		json_strs(o, argv, n);
	else
		json_str(o, hash_of(o->a, argv));
}

static void key_number(struct json_out *o, const char *key, const uint64_t *n)
{
	if (n)
		json_key_uint(o, key, *n);
}

void evidence_exited(struct evidence *v, const struct brig_result *r)
{
	own_arena struct arena a = {0};
	struct json_out o;
	struct err e;

	if (!v->audit)
		return;
	json_begin(&o, &a, 0);
	json_object(&o);
	json_key_str(&o, "status", r->status);
	if (r->reason && r->reason->class_)
		json_key_str(&o, "class", r->reason->class_);
	if (r->exit_code)
		json_key_int(&o, "exit_code", *r->exit_code);
	if (r->signal)
		json_key_int(&o, "signal", *r->signal);
	key_number(&o, "wall_ms", r->wall_ms);
	if (r->memory)
		key_number(&o, "memory_peak", r->memory->peak);
	if (r->cpu)
		key_number(&o, "cpu_ms", r->cpu->total_ms);
	if (r->n_taint) {
		json_key(&o, "taint");
		json_strs(&o, r->taint, r->n_taint);
	}
	if (v->lost)
		json_key_uint(&o, "lost", v->lost);
	json_end_object(&o);
	const struct audit_record rec = {
		.event = "SandboxExited",
		.action = "exit",
		.outcome = str_eq(r->status, "exited") ? "ok" : "failed",
		.data = json_done(&o, NULL),
	};
	if (evidence_write(v, &rec, &e) < 0)
		log_warn("%s", e.msg);
}

void evidence_tell_exit(const struct brig_state *s, const struct brig_result *r)
{
	struct evidence v = evidence_of(s);

	evidence_exited(&v, r);
	evidence_close(&v);
}
