#include <errno.h>

#include "cmd/brig/verbs.h"

struct taint_opts {
	const char *reason, *class_;
};

#define AT(member) offsetof(struct taint_opts, member)

static const struct opt options[] = {
	{"reason", NULL, OPT_STRING, AT(reason), "TEXT", "why, in one line",               NULL, NULL},
	{"class",  NULL, OPT_STRING, AT(class_), "WORD", "of what kind (default: manual)", NULL,
	 NULL											},
	{NULL,     NULL, OPT_FLAG,   0,          NULL,   NULL,                             NULL, NULL},
};

static const struct opt reason_alone[] = {
	{"reason", NULL, OPT_STRING, AT(reason), "TEXT", "why, in one line", NULL, NULL},
	{NULL,     NULL, OPT_FLAG,   0,          NULL,   NULL,               NULL, NULL},
};

static int needs_reason(const struct taint_opts *o, struct err *e)
{
	return o->reason ? 0 : err_msg(e, EINVAL, "--reason TEXT is needed");
}

static int code_of(int r)
{
	switch (-r) {
	case EPERM:
		return CODE_NOT_ALLOWED;
	case EBUSY:
		return CODE_BUSY;
	case EOPNOTSUPP:
	case ENOSPC:
		return CODE_REFUSED;
	default:
		return CODE_FAILED;
	}
}

static int taint(struct command *c, struct err *e)
{
	const struct taint_opts *o = c->opts;
	int r = needs_reason(o, e);

	if (r == 0)
		r = container_taint(&c->host, c->args[0], o->reason, o->class_, e);
	if (r < 0)
		c->code = code_of(r);
	return r;
}

static int untaint(struct command *c, struct err *e)
{
	const struct taint_opts *o = c->opts;
	int r = needs_reason(o, e);

	if (r == 0)
		r = container_untaint(&c->host, c->args[0], o->reason, e);
	if (r < 0)
		c->code = code_of(r);
	return r;
}

const struct verb verb_taint = {
	.name = "taint",
	.summary = "say that a container is not to be taken for what it was",
	.usage = "<container-id>",
	.text = "   A tainted container can be looked at and deleted as any other; it is never "
		"used\n"
		"   again.  state, list and its result tell of it.  For root only.\n"
		"   Exit codes: 75 another command works on it; 76 it has too many reasons "
		"already;\n"
		"   77 not root.\n",
	.options = options,
	.options_size = sizeof(struct taint_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = taint,
};

const struct verb verb_untaint = {
	.name = "untaint",
	.summary = "take that back, and what its violations said so far",
	.usage = "<container-id>",
	.text = "   For root only, and only where it can be written to the audit log.\n"
		"   Exit codes: 75 another command works on it; 76 it cannot be audited; 77 not "
		"root.\n",
	.options = reason_alone,
	.options_size = sizeof(struct taint_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = untaint,
};
