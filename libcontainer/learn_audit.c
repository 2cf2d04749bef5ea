/* A learned policy in the audit log: what it is made of, and from what run. */
#include <string.h>

#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "evidence.h"
#include "learn.h"
#include "policy/policy.h"
#include "specs/json_print.h"

/* Whether such a run was written down, too: its level says so, or the administrator does. */
static int wanted(struct arena *a, const struct container_host *h, const char *level, bool *audited,
		  bool *required, struct err *e)
{
	struct admin admin;
	struct level l;
	int r = policy_admin_load(a, h->system_config, &admin, e);

	if (r == 0)
		r = policy_level_load(a, &admin, level, &l, e);
	if (r < 0)
		return r;
	*required = str_eq(l.audit, "required");
	*audited = *required || str_eq(admin.audit.when, "always") ||
		   (str_eq(l.audit, "on") && !str_eq(admin.audit.when, "never"));
	return 0;
}

static void say_digest(struct arena *a, struct json_out *o, const char *key, const char *text)
{
	char hex[SHA256_HEX];

	if (!text)
		return;
	sha256_hex(text, strlen(text), hex);
	json_key_str(o, key, arena_printf(a, "sha256:%s", hex));
}

int learn_audit(struct arena *a, const struct container_host *h, const char *dir,
		const struct brig_learned *l, const struct learn_files *files, struct err *e)
{
	struct evidence v;
	struct json_out o;
	bool audited, required;
	int r = wanted(a, h, l->level, &audited, &required, e);

	if (r < 0 || !audited)
		return r;
	r = evidence_of_host(a, h, &v, e);
	if (r < 0)
		return required ? r : 0;
	struct state_audit u = *v.audit;
	u.required = required;
	v.audit = &u;
	json_begin(&o, a, 0);
	json_object(&o);
	say_digest(a, &o, "seccomp", files->seccomp);
	say_digest(a, &o, "level", files->level);
	say_digest(a, &o, "learned", files->learned);
	evidence_argv(&o, u.argv, l->command);
	json_end_object(&o);
	const struct audit_record rec = {
		.event = "PolicyRecorded",
		.level = l->level,
		.action = "learn",
		.resource = dir,
		.data = json_done(&o, NULL),
	};
	r = evidence_write(&v, &rec, e);
	evidence_close(&v);
	return r;
}
