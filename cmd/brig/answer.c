#include "cmd/brig/answer.h"

#include <stdint.h>
#include <string.h>

#include "cmd/brig/command.h"
#include "lease.h"

int answer_code(enum container_answer answer)
{
	return container_answer_code(answer, CODE_FAILED);
}

/* Anybody can read a command line, and what we fork keeps ours for as long as it lives. */
const char *answer_take_token(struct arena *a, const char *text)
{
	const char *copy = arena_strdup(a, text);

	explicit_bzero((char *)(uintptr_t)text, strlen(text));
	return copy;
}

void answer_lease(struct command *c, const char *lease)
{
	if (!lease)
		return;
	c->host.lease = answer_take_token(c->arena, lease);
	c->host.lease_given = true;
}

int answer_lease_code(const struct err *e, int code)
{
	return lease_refused(e) ? CODE_NOT_ALLOWED : code;
}
