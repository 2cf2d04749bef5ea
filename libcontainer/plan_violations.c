#include "plan_violations.h"

#include "base/own.h"
#include "base/str.h"
#include "specs/violation.h"

static void take_rule(struct warden_plan *io, enum violation_class c,
		      const struct violation_rule *r)
{
	int response = r ? violation_response_find(r->response) : -1;

	if (response < 0)
		return;
	io->responses[c].response = (enum violation_response)response;
	io->responses[c].after = r->after ? *r->after : 1;
}

static bool answers(const struct warden_plan *p, enum violation_class c)
{
	return p->responses[c].after && p->responses[c].response > RESPONSE_WARN;
}

void plan_violations(const struct level *l, struct warden_plan *io)
{
	const struct level_violations *v = &l->violations;

	take_rule(io, VIOLATION_SYSCALL, v->syscall);
	take_rule(io, VIOLATION_TERMINAL, v->terminal);
	take_rule(io, VIOLATION_DENIED, v->denied);
	take_rule(io, VIOLATION_PIDS, v->pids);
	take_rule(io, VIOLATION_EGRESS, v->egress);
	/* Of these the kernel can only kill the process. */
	bool spared = v->syscall && io->responses[VIOLATION_SYSCALL].response != RESPONSE_TERMINATE;
	io->denied = io->denied || answers(io, VIOLATION_DENIED);
	io->notify = io->notify || io->denied || spared || str_eq(l->seccomp.violation, "notify") ||
		     answers(io, VIOLATION_TERMINAL);
}

bool plan_violations_watched(const struct warden_plan *p)
{
	return p->notify || answers(p, VIOLATION_PIDS) || answers(p, VIOLATION_EGRESS);
}

bool plan_violations_freeze(const struct warden_plan *p)
{
	for (int c = 0; c < VIOLATION_CLASSES; c++) {
		enum violation_response r = p->responses[c].response;
		bool by_call =
			c == VIOLATION_SYSCALL || c == VIOLATION_TERMINAL || c == VIOLATION_DENIED;

		if (r == RESPONSE_QUARANTINE || (r == RESPONSE_THROTTLE && !by_call))
			return true;
	}
	return false;
}
