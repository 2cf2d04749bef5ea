/* What a level says, what holds for a container and why, and whether a file is in order. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "container.h"
#include "io_device.h"
#include "plan.h"
#include "policy/levels.h"
#include "policy/policy.h"
#include "policy/rank.h"
#include "specs/policy_doc.h"
#include "store.h"

int container_policy_names(const struct container_host *h, struct arena *a, const char *const **out,
			   size_t *n, struct err *e)
{
	struct admin ad;
	int r = policy_admin_load(a, h->system_config, &ad, e);

	return r < 0 ? r : policy_level_names(a, &ad, out, n, e);
}

/* The first level of the chain that says something about the field. */
static const char *origin(const struct level_chain *c, const struct level_field *f)
{
	size_t i = 0;

	while (i + 1 < c->n && !level_field_given(f, &c->levels[i]))
		i++;
	return c->levels[i].name;
}

int container_policy_show(const struct container_host *h, const char *name, struct arena *a,
			  struct container_policy *out, struct err *e)
{
	struct level_chain *c = arena_new(a, sizeof(*c));
	struct container_policy_row *rows = arena_array(a, n_level_fields, sizeof(*rows));
	struct admin ad;
	struct level l;

	if (policy_admin_load(a, h->system_config, &ad, e) < 0 ||
	    level_chain_read(a, &ad, name, c, e) < 0 || level_chain_merge(a, c, &l, e) < 0)
		return -e->code;
	for (size_t i = 0; i < n_level_fields; i++)
		rows[i] = (struct container_policy_row){
			.field = level_fields[i].path,
			.value = level_field_text(a, &level_fields[i], &l),
			.by = origin(c, &level_fields[i]),
			.about = level_fields[i].about,
		};
	*out = (struct container_policy){
		.level = l.name,
		.extends = l.extends,
		.summary = l.summary,
		.document = level_print(a, &l, NULL),
		.rows = rows,
		.n_rows = n_level_fields,
	};
	/* The digest of a policy that nobody changes: policy_resolve leaves the summary out too. */
	l.summary = NULL;
	out->digest = policy_digest(a, &l);
	return 0;
}

static void take_rows(struct arena *a, const struct policy *p, struct container_policy *out)
{
	const struct policy_decision *d;
	struct container_policy_row *rows;

	policy_rows(a, p, &d, &out->n_rows);
	rows = arena_array(a, out->n_rows, sizeof(*rows));
	for (size_t i = 0; i < out->n_rows; i++)
		rows[i] = (struct container_policy_row){
			.field = d[i].field,
			.value = d[i].value,
			.by = policy_source_name(d[i].by),
			.outcome = policy_outcome_name(d[i].outcome),
			.asked = d[i].asked,
			.reason = d[i].reason,
		};
	out->rows = rows;
}

static int read_config(struct arena *a, const char *path, struct oci_config *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path, OCI_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	r = oci_config_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}

/* What create would make of the bundle's config.json; nothing is made. */
static int apply(struct arena *a, const struct container_host *h, const char *bundle,
		 struct policy *p, struct oci_config *c, struct err *e)
{
	struct policy_facts facts = {
		.rootless = !plan_is_privileged(),
		.nested = plan_in_user_namespace(),
		.state_root = h->root,
	};

	if (p->custom)
		return 0;
	if (policy_facts_read(&facts, e) < 0 || io_devices_find(a, p, c, bundle, e) < 0 ||
	    policy_apply(a, p, &facts, c, e) < 0)
		return err_wrap(e, "level %s", p->level.name);
	return 0;
}

static int resolve(struct arena *a, const struct container_host *h,
		   const struct container_policy_query *q, struct policy *out, struct err *e)
{
	struct policy_wishes document;
	struct oci_config config = {0};
	struct policy_doc doc;
	struct policy_request req = {
		.flag_level = q->level ? q->level : h->level,
		.system_config = h->system_config,
		.direct = q->direct || q->policy_file,
	};

	if (q->bundle) {
		if (read_config(a, arena_printf(a, "%s/config.json", q->bundle), &config, e) < 0)
			return -e->code;
		req.config = &config;
	}
	if (q->policy_file) {
		if (policy_doc_load(a, q->policy_file, &doc, e) < 0 ||
		    policy_wishes_document(a, &doc, &document, e) < 0)
			return -e->code;
		req.document = &document;
	}
	int r = policy_resolve(a, &req, out, e);
	return r < 0 || !q->bundle ? r : apply(a, h, q->bundle, out, &config, e);
}

static int saved(struct arena *a, const struct container_host *h, const char *id,
		 struct policy *out, struct err *e)
{
	struct brig_state s;
	char *text;
	size_t len;
	own_fd int dir = store_open(h, id, STORE_UNLOCKED, e);

	if (dir < 0)
		return dir;
	if (store_load(dir, a, &s, e) < 0)
		return -e->code;
	int r = file_read(a, dir, STORE_POLICY, POLICY_MAX_BYTES, &text, &len, e);
	if (r == -ENOENT)
		return err_msg(e, ENOENT, "container %s has no policy: its level is \"%s\"", id,
			       s.level);
	if (r == 0)
		r = policy_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, "container %s: " STORE_POLICY, id) : 0;
}

int container_policy_explain(const struct container_host *h, const struct container_policy_query *q,
			     struct arena *a, struct container_policy *out, struct err *e)
{
	struct policy p = {0};
	int r = q->id ? saved(a, h, q->id, &p, e) : resolve(a, h, q, &p, e);

	*out = (struct container_policy){0};
	/* What a level refuses of a bundle is a row as well, so there is an answer and an error. */
	if (r < 0 && (q->id || !p.digest))
		return r;
	out->level = p.level.name;
	out->extends = p.level.extends;
	out->digest = p.digest;
	out->direct = p.direct;
	take_rows(a, &p, out);
	return r;
}
