#include <errno.h>
#include <regex.h>

#include "cmd/brig/answer.h"
#include "cmd/brig/verbs.h"

struct delete_opts {
	bool force, regex;
	const char *evidence, *lease;
};

#define AT(member) offsetof(struct delete_opts, member)

static const struct opt options[] = {
	{"force",         "f",  OPT_FLAG,   AT(force),    NULL,
	 "kill the container first, whoever has it leased; an unknown id is no error",  NULL, NULL},
	{"regex",         NULL, OPT_FLAG,   AT(regex),    NULL,
	 "the id is an extended regular expression: delete every container it matches", NULL, NULL},
	{"keep-evidence", NULL, OPT_STRING, AT(evidence), "DIR",
	 "of one that is tainted, keep what is known of it in this directory",          NULL, NULL},
	LEASE_ROW(AT(lease)),
	{NULL,            NULL, OPT_FLAG,   0,            NULL,  NULL,                  NULL, NULL},
};

/* Goes on after a failure; the first one is the error of the whole. */
static int delete_matching(struct command *c, const regex_t *re, struct container_delete_opts *d,
			   struct err *e)
{
	struct container_info *list;
	struct err here;
	size_t n;
	int r = container_list(&c->host, c->arena, &list, &n, e), first = 0;

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (regexec(re, list[i].id, 0, NULL, 0) != 0)
			continue;
		d->id = list[i].id;
		if (container_delete_with(&c->host, d, &here) < 0 && first == 0)
			first = err_msg(e, here.code, "%s: %s", list[i].id, here.msg);
	}
	return r < 0 ? r : first;
}

static int delete_regex(struct command *c, struct container_delete_opts *d, struct err *e)
{
	char why[128];
	regex_t re;
	int r = regcomp(&re, c->args[0], REG_EXTENDED | REG_NOSUB);

	if (r != 0) {
		regerror(r, &re, why, sizeof(why));
		return err_msg(e, EINVAL, "invalid regular expression \"%s\": %s", c->args[0], why);
	}
	r = delete_matching(c, &re, d, e);
	regfree(&re);
	return r;
}

static int delete (struct command *c, struct err *e)
{
	const struct delete_opts *o = c->opts;

	struct container_delete_opts d = {.id = c->args[0], .force = o->force};

	if (command_path(c->arena, o->evidence, &d.keep_evidence, e) < 0)
		return -e->code;
	answer_lease(c, o->lease);
	int r = o->regex ? delete_regex(c, &d, e) : container_delete_with(&c->host, &d, e);
	if (r < 0)
		c->code = answer_lease_code(e, c->code);
	return r;
}

const struct verb verb_delete = {
	.name = "delete",
	.summary = "delete what a container holds on this host",
	.usage = "<container-id>",
	.options = options,
	.options_size = sizeof(struct delete_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.wants_id = true,
	.run = delete,
};
