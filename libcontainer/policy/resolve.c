/* Which level holds, and what is left of it after everybody's wishes. */
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "policy/wishes.h"

/* Somebody who names a level. */
struct voice {
	const char *level; /* NULL: does not */
	const char *who;   /* before an error, with ": "; "" for the flag */
	enum policy_source by;
};

static const char *default_level(const struct admin *ad)
{
	return ad->default_level ? ad->default_level : "standard";
}

static const char *minimum_level(const struct admin *ad)
{
	return ad->minimum_level ? ad->minimum_level : "custom";
}

/* The administrator's file must not contradict itself. */
static int check_admin(struct arena *a, const struct admin *ad, struct err *e)
{
	struct level minimum;
	int r = policy_at_least(a, ad, default_level(ad), minimum_level(ad), e);

	if (r < 0)
		return err_wrap(e, "default_level");
	if (r > 0)
		return 0;
	if (policy_level_load(a, ad, minimum_level(ad), &minimum, e) < 0)
		return err_wrap(e, "minimum_level");
	return err_msg(e, EINVAL, "default_level: \"%s\" is weaker than minimum_level \"%s\"",
		       default_level(ad), minimum_level(ad));
}

/* --level may go down to the administrator's minimum. */
static int check_flag(struct arena *a, const struct admin *ad, const char *level, struct err *e)
{
	int r = policy_at_least(a, ad, level, minimum_level(ad), e);

	if (r < 0)
		return err_wrap(e, "--level");
	if (r == 0)
		return err_msg(e, EPERM, "--level: \"%s\" is weaker than the minimum level \"%s\"",
			       level, minimum_level(ad));
	return 0;
}

/* The stricter of the level so far and another; weaker than that and the default is an error. */
static int hear(struct arena *a, struct policy *p, const struct voice *v, struct voice *best,
		struct err *e)
{
	struct policy_decision d = {.field = "level", .by = best->by, .outcome = OUTCOME_RECORDED};

	if (str_eq(v->level, best->level))
		return 0;
	int stricter = policy_at_least(a, &p->admin, v->level, best->level, e);
	if (stricter < 0)
		return err_wrap(e, "%s", v->who);
	if (stricter) {
		*best = *v;
		return 0;
	}
	int r = policy_at_least(a, &p->admin, v->level, default_level(&p->admin), e);
	if (r < 0)
		return err_wrap(e, "%s", v->who);
	if (r == 0)
		return err_msg(e, EPERM,
			       "level \"%s\": %s: \"%s\" is weaker than the default level \"%s\"",
			       best->level, v->who, v->level, default_level(&p->admin));
	r = policy_at_least(a, &p->admin, best->level, v->level, e);
	if (r < 0)
		return r;
	if (r == 0)
		return err_msg(e, EPERM,
			       "level \"%s\": %s: \"%s\": neither of the two extends the other",
			       best->level, v->who, v->level);
	d.value = best->level;
	d.asked = v->level;
	d.reason = arena_printf(a, "%s: the stricter one holds", v->who);
	policy_note(a, p, &d);
	return 0;
}

/* *chosen: name of the level that holds and who decided it; on failure the one so far. */
static int choose(struct arena *a, struct policy *p, const struct policy_request *req,
		  struct voice *chosen, struct err *e)
{
	const char *flag = req->flag_level ? req->flag_level
			   : req->flags    ? req->flags->level
					   : NULL;
	const struct voice others[] = {
		{req->document ? req->document->level : NULL, "policy document: securityLevel",
		 BY_DOCUMENT  },
		{ wishes_annotation(req->config,                          "dev.brig.level"),      "annotation dev.brig.level",
		 BY_ANNOTATION},
	};
	*chosen = (struct voice){default_level(&p->admin), "", BY_LEVEL};
	if (p->admin.default_level)
		*chosen = (struct voice){p->admin.default_level, "default_level", BY_ADMIN};
	int r = check_admin(a, &p->admin, e);

	if (r == 0 && flag)
		r = check_flag(a, &p->admin, flag, e);
	if (r < 0)
		return r;
	if (flag)
		*chosen = (struct voice){flag, "--level", BY_FLAG};
	for (size_t i = 0; r == 0 && i < LEN(others); i++)
		if (others[i].level)
			r = hear(a, p, &others[i], chosen, e);
	return r;
}

/* The sandbox of a Kubernetes pod, as containerd and CRI-O name it; its shape is theirs. */
static int find_pod(const struct oci_config *c, const char **pod, struct err *e)
{
	static const char *const names[] = {"io.kubernetes.cri.sandbox-id",
					    "io.kubernetes.cri-o.SandboxID"};

	for (size_t i = 0; i < LEN(names); i++) {
		const char *id = wishes_annotation(c, names[i]);

		if (!id || !*id)
			continue;
		for (const char *p = id; *p; p++)
			if (!isalnum((unsigned char)*p) && !strchr("_.-", *p))
				return err_msg(e, EINVAL, "annotation %s: \"%.80s\" is no id",
					       names[i], id);
		if (strlen(id) > 128)
			return err_msg(e, EINVAL, "annotation %s: longer than an id", names[i]);
		*pod = id;
		return 0;
	}
	return 0;
}

/* Flags first: they alone may widen, and what others ask for narrows the outcome. */
static int hear_wishes(struct arena *a, struct policy *p, const struct policy_request *req,
		       struct err *e)
{
	struct policy_wishes asked = {0};
	struct level minimum;
	int r = 0;

	if (req->flags && req->direct)
		r = policy_level_load(a, &p->admin, minimum_level(&p->admin), &minimum, e);
	if (r == 0 && req->flags)
		r = wishes_merge(a, p, req->flags, BY_FLAG, req->direct ? &minimum : NULL, e);
	if (r == 0 && req->document)
		r = wishes_merge(a, p, req->document, BY_DOCUMENT, NULL, e);
	if (r == 0 && p->custom)
		r = wishes_none(req->config, e);
	if (r == 0)
		r = p->custom ? wishes_network(a, req->config, &asked, e)
			      : wishes_annotations(a, req->config, &asked, e);
	if (r == 0)
		r = wishes_merge(a, p, &asked, BY_ANNOTATION, NULL, e);
	return r < 0 ? r : network_finish(a, p, e);
}

int policy_resolve(struct arena *a, const struct policy_request *req, struct policy *out,
		   struct err *e)
{
	struct voice chosen;

	*out = (struct policy){.direct = req->direct};
	int r = policy_admin_load(a, req->system_config, &out->admin, e);

	out->admin.levels_too = req->levels_too;
	if (r < 0)
		return r;
	r = choose(a, out, req, &chosen, e);
	if (r < 0) {
		struct err ignored;

		/* Whether that it is refused is written down, a level says. */
		(void)!policy_level_load(a, &out->admin, chosen.level, &out->level, &ignored);
		return r;
	}
	r = policy_level_load(a, &out->admin, chosen.level, &out->level, e);
	if (r < 0)
		return *chosen.who ? err_wrap(e, "%s", chosen.who) : r;
	/* No part of what holds: the digest is of that alone. */
	out->level.summary = NULL;
	out->custom = str_eq(out->level.name, "custom");
	policy_note(a, out,
		    &(struct policy_decision){"level", out->level.name, chosen.by, NULL,
					      OUTCOME_SET, *chosen.who ? chosen.who : NULL});
	r = hear_wishes(a, out, req, e);
	if (r == 0)
		r = find_pod(req->config, &out->pod, e);
	if (r == 0)
		out->digest = policy_digest(a, &out->level);
	return r;
}

bool policy_writable(const struct level *l, const char *path, struct policy_bounds *out)
{
	const struct level_writable *w = &l->writable;
	bool listed = false;

	for (size_t i = 0; i < w->n_paths; i++)
		listed = listed || str_eq(w->paths[i], path);
	*out = (struct policy_bounds){
		.size = w->size ? *w->size : 0,
		.inodes = w->inodes ? *w->inodes : 0,
		.noexec = w->noexec && *w->noexec,
	};
	for (size_t i = 0; listed && i < w->n_own; i++) {
		if (!str_eq(w->own[i].path, path))
			continue;
		out->size = w->own[i].size ? *w->own[i].size : out->size;
		out->noexec = out->noexec || (w->own[i].noexec && *w->own[i].noexec);
	}
	return listed;
}
