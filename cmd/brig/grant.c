#include <errno.h>
#include <stdio.h>

#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"
#include "lease.h"

struct grant_opts {
	bool strict; /* revoke */
	const char *lease;
};

#define AT(member) offsetof(struct grant_opts, member)

static int code_of(int r, const struct err *e)
{
	if (lease_refused(e))
		return CODE_NOT_ALLOWED;
	if (r == -ERANGE || r == -EOPNOTSUPP)
		return CODE_REFUSED;
	return r == -EACCES || r == -EPERM ? CODE_NOT_ALLOWED : CODE_FAILED;
}

static int give(struct command *c, struct err *e)
{
	const struct grant_opts *o = c->opts;
	const char *place;

	answer_lease(c, o->lease);
	int r = container_grant(&c->host, c->args[0], c->args[1], c->arena, &place, e);

	if (r < 0)
		c->code = code_of(r, e);
	else if (place)
		printf("%s\n", place);
	return r;
}

static int take_back(struct command *c, struct err *e)
{
	const struct grant_opts *o = c->opts;
	struct container_revoked got;

	answer_lease(c, o->lease);
	int r = container_revoke(&c->host, c->args[0], c->args[1], o->strict, &got, e);

	if (r < 0)
		c->code = code_of(r, e);
	else if (got.killed)
		printf("killed %zu that had some of it open\n", got.users);
	else if (got.users)
		printf("%zu still have some of it open: revoke --strict kills them\n", got.users);
	return r;
}

static const struct opt grant_options[] = {
	LEASE_ROW(AT(lease)),
	{NULL, NULL, OPT_FLAG, 0, NULL, NULL, NULL, NULL},
};

const struct verb verb_grant = {
	.name = "grant",
	.summary = "let a running container read, write, reach or use more",
	.usage = "<container-id> <grant>",
	.text = "   filesystem:read:/docs          a path of the host, shown below /run/grants\n"
		"   filesystem:write:/data:64M     an empty writable place below /run/grants\n"
		"   network:api.example.org:443    what --egress takes\n"
		"   memory:limit:1G  cpu:limit:50% another limit\n"
		"   Behind it ttl=30s or until=2026-11-22T12:00:00Z.  The same once more begins "
		"its\n"
		"   time anew.  Printed is where it is found inside.  docs/grants.md\n"
		"   Exit codes: 76 beyond the administrator's ceiling, or not possible with this\n"
		"   container; 77 not allowed to the caller.\n",
	.options = grant_options,
	.options_size = sizeof(struct grant_opts),
	.order = OPT_MIXED,
	.min_args = 2,
	.wants_id = true,
	.run = give,
};

static const struct opt revoke_options[] = {
	LEASE_ROW(AT(lease)),
	{"strict", NULL, OPT_FLAG, AT(strict), NULL,
		     "kill who has some of it open, mapped or as working directory", NULL, NULL},
	{NULL,     NULL, OPT_FLAG, 0,          NULL, NULL,               NULL, NULL},
};

const struct verb verb_revoke = {
	.name = "revoke",
	.summary = "take back what a running container was granted",
	.usage = "<container-id> <grant>",
	.text = "   <grant> with or without its words; network:NAME without ports means "
		"everything\n"
		"   that was granted to it, and cuts its connections.\n"
		"   Exit codes as of grant.\n",
	.options = revoke_options,
	.options_size = sizeof(struct grant_opts),
	.order = OPT_MIXED,
	.min_args = 2,
	.wants_id = true,
	.run = take_back,
};
