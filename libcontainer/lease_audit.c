#include "lease_audit.h"

#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/sha256.h"
#include "evidence.h"
#include "specs/audit.h"
#include "specs/json_print.h"

static const struct {
	const char *event, *action;
} rows[] = {
	[LEASE_ACQUIRED] = {"LeaseAcquired", "acquire"},
	[LEASE_RENEWED] = {"LeaseRenewed",  "renew"  },
	[LEASE_RELEASED] = {"LeaseReleased", "release"},
	[LEASE_EXPIRED] = {"LeaseExpired",  "expire" },
	[LEASE_REVOKED] = {"LeaseRevoked",  "killall"},
};

/* Names of tenants and of people are not to be found in any log. */
static const char *hashed(struct arena *a, const char *s)
{
	char hex[SHA256_HEX];

	if (!s)
		return NULL;
	sha256_hex(s, strlen(s), hex);
	return arena_printf(a, "sha256:%s", hex);
}

struct audit_record lease_record(struct arena *a, enum lease_event which,
				 const struct brig_lease *l, const char *pool)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	if (pool)
		json_key_str(&o, "pool", pool);
	/* That of its token, which lease.json has, too: the same one from acquire to its end. */
	if (l->token)
		json_key_str(&o, "lease", arena_printf(a, "sha256:%s", l->token));
	if (l->key)
		json_key_str(&o, "key", hashed(a, l->key));
	json_key_uint(&o, "ttl_ms", l->ttl_ms);
	json_end_object(&o);
	return (struct audit_record){
		.event = rows[which].event,
		.action = rows[which].action,
		.principal = hashed(a, l->holder),
		.data = json_done(&o, NULL),
	};
}

int lease_note(const struct brig_state *s, enum lease_event which, const struct brig_lease *l,
	       struct err *e)
{
	own_arena struct arena a = {0};

	if (!s->audit)
		return 0;
	struct evidence v = evidence_of(s);
	const struct audit_record r = lease_record(&a, which, l, v.pool);
	int w = evidence_write(&v, &r, e);

	evidence_close(&v);
	return w;
}

void lease_told(const struct brig_state *s, enum lease_event which, const struct brig_lease *l)
{
	struct err why;

	if (lease_note(s, which, l, &why) < 0)
		log_warn("%s", why.msg);
}
