#include "cmd/brig/given.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

#define AT(member) offsetof(struct launch_opts, member)

const struct opt given_options[] = {
	{"ctx",    NULL, OPT_LIST,      AT(ctx),           "KEY=VALUE",
	 "whose request it is: request_id, principal (only its hash is kept)", NULL, NULL},
	{"env-fd", NULL, OPT_MAYBE_U64, AT(create.env_fd), "FD",
	 "read more environment, NAME=VALUE lines, from this descriptor",      NULL, NULL},
	{"secret", NULL, OPT_LIST,      AT(secrets),       "NAME=FD",
	 "make /run/secrets/NAME of what this descriptor has",                 NULL, NULL},
	{NULL,     NULL, OPT_FLAG,      0,                 NULL,        NULL,  NULL, NULL},
};

int given_ctx(const struct opt_list *list, const char **request, const char **principal,
	      struct err *e)
{
	const struct {
		const char *key;
		const char **to;
	} keys[] = {
		{"request_id=", request  },
		{"principal=",  principal},
	};

	for (size_t i = 0; i < list->n; i++) {
		size_t k = 0;

		while (k < LEN(keys) && !str_starts(list->items[i], keys[k].key))
			k++;
		/* Not its text, which may be a principal. */
		if (k == LEN(keys))
			return err_msg(e, EINVAL, "--ctx: not request_id=VALUE or principal=VALUE");
		if (*keys[k].to)
			return err_msg(e, EINVAL, "--ctx %s is given twice", keys[k].key);
		*keys[k].to = list->items[i] + strlen(keys[k].key);
	}
	return 0;
}

int given_take(struct launch_opts *o, struct err *e)
{
	o->create.secrets = o->secrets.items;
	o->create.n_secrets = o->secrets.n;
	return given_ctx(&o->ctx, &o->create.ctx_request, &o->create.ctx_principal, e);
}
