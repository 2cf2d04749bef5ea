#include "plan_given.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/path.h"
#include "base/str.h"
#include "plan.h"
#include "specs/json_print.h"

/* What is written of config.json must not have in it what only the hash is kept of. */
int plan_context(struct arena *a, const struct container_create_opts *o, struct plan *p,
		 struct err *e)
{
	bool changed;

	if (context_of(a, o->ctx_request, o->ctx_principal, &p->ctx, e) < 0 ||
	    context_annotations(a, &p->config, &p->ctx, &changed, e) < 0)
		return -e->code;
	if (!changed || !p->config_text)
		return 0;
	p->config_text = json_print_object(a, oci_config_type(), &p->config, &p->config_len);
	return 0;
}

/* --- secrets ------------------------------------------------------------------------------ */

static int check_free(struct arena *a, const struct plan *p, struct err *e)
{
	const char dir[] = SECRET_DIRECTORY;

	for (size_t i = 0; i < p->config.n_mounts; i++) {
		const char *dest = p->config.mounts[i].destination;
		const char *path = path_clean(a, dest ? dest : "");
		const char *rest = str_starts(path, dir) ? path + strlen(dir) : NULL;

		if (rest && (!*rest || *rest == '/'))
			return err_msg(e, EEXIST,
				       "mounts[%zu]: %s: --secret makes that directory, and would "
				       "hide it",
				       i, path);
	}
	return 0;
}

static const char *names_of(struct arena *a, const struct secrets *s)
{
	const char *text = "";

	for (size_t i = 0; i < s->n; i++)
		text = arena_printf(a, "%s%s%.*s", text, i ? " " : "",
				    (int)(strrchr(s->files[i].name, '=') - s->files[i].name),
				    s->files[i].name);
	return text;
}

static void note(struct arena *a, const char *field, const char *value, struct plan *p)
{
	const struct policy_decision d = {
		.field = field,
		.value = value,
		.by = BY_FLAG,
		.outcome = OUTCOME_SET,
	};

	if (p->level)
		policy_note(a, &p->level->policy, &d);
}

int plan_secrets(struct arena *a, const struct secrets *s, struct plan *p, struct err *e)
{
	static const char *const fixed[] = {"nosuid",    "nodev",   "noexec",       "ro",
					    "mode=0500", "size=2m", "nr_inodes=128"};
	const size_t n = p->config.n_mounts;

	if (s && s->env >= 0)
		note(a, "process.env", "what --env-fd has", p);
	if (!s || !s->n)
		return 0;
	if (check_free(a, p, e) < 0)
		return -e->code;
	const struct creds_plan *user = &p->process.creds;
	const char **options = arena_array(a, LEN(fixed) + 3, sizeof(*options));
	memcpy(options, fixed, sizeof(fixed));
	options[LEN(fixed)] = arena_printf(a, "uid=%u", user->uid);
	options[LEN(fixed) + 1] = arena_printf(a, "gid=%u", user->gid);
	struct oci_mount *mounts = arena_array(a, n + 1, sizeof(*mounts));
	if (n)
		memcpy(mounts, p->config.mounts, n * sizeof(*mounts));
	mounts[n] = (struct oci_mount){
		.destination = SECRET_DIRECTORY,
		.type = "tmpfs",
		.source = "secrets",
		.options = options,
		.n_options = LEN(fixed) + 2,
	};
	p->config.mounts = mounts;
	p->config.n_mounts = n + 1;
	p->files = (struct fs_files){SECRET_DIRECTORY, user->uid, user->gid, s->files, s->n};
	note(a, "mounts " SECRET_DIRECTORY, names_of(a, s), p);
	return 0;
}
