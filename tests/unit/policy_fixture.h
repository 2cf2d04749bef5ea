#ifndef BRIG_TESTS_POLICY_FIXTURE_H
#define BRIG_TESTS_POLICY_FIXTURE_H

#include <string.h>

#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "policy/policy.h"
#include "policy_within.h"

/* A policy of a shipped level as it is without annotations, files or flags. */
static inline int fixture_policy(struct arena *a, const char *level, bool direct,
				 struct policy *out, struct err *e)
{
	*out = (struct policy){.direct = direct, .custom = strcmp(level, "custom") == 0};
	out->admin.levels = "/nonexistent";
	return policy_level_load(a, &out->admin, level, &out->level, e);
}

/* A host of which nothing depends on the machine the tests run on. */
static inline struct policy_facts fixture_facts(void)
{
	struct policy_facts f = {.state_root = "/run/brig", .bundle = "/nonexistent/bundle"};

	for (size_t i = 0; i < RLIM_NLIMITS; i++)
		f.hard[i] = 20000;
	return f;
}

/* The decision about a field that begins so; NULL: none. */
static inline const struct policy_decision *fixture_decision(const struct policy *p,
							     const char *field)
{
	for (size_t i = 0; i < p->n_decisions; i++)
		if (strncmp(p->decisions[i].field, field, strlen(field)) == 0)
			return &p->decisions[i];
	return NULL;
}

static inline const struct oci_mount *fixture_mount(const struct oci_config *c, const char *dest)
{
	const struct oci_mount *last = NULL;

	for (size_t i = 0; i < c->n_mounts; i++)
		if (strcmp(c->mounts[i].destination, dest) == 0)
			last = &c->mounts[i];
	return last;
}

static inline const struct oci_namespace *fixture_namespace(const struct oci_config *c,
							    const char *type)
{
	for (size_t i = 0; i < c->linux_->n_namespaces; i++)
		if (strcmp(c->linux_->namespaces[i].type, type) == 0)
			return &c->linux_->namespaces[i];
	return NULL;
}

/* --- small documents --------------------------------------------------------------------- */

#define BASE_NS "{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"network\"}"

struct made {
	struct arena a;
	struct oci_config c;
	struct policy p;
	struct policy_facts f;
	struct err e;
	int r;
};

static inline void made_free(struct made *m)
{
	arena_free(&m->a);
}
#define own_made __attribute__((cleanup(made_free))) struct made

/* top: members of the document; linux: members of "linux" beside namespaces. */
static inline void read_config(struct made *m, const char *level, const char *top,
			       const char *linux_)
{
	const char *text = arena_printf(&m->a,
					"{\"ociVersion\":\"1.2.0\",\"root\":{\"path\":\"r\"}%s%s,"
					"\"linux\":{\"namespaces\":[" BASE_NS "]%s%s}}",
					*top ? "," : "", top, *linux_ ? "," : "", linux_);

	m->f = fixture_facts();
	CHECK(oci_config_parse(&m->a, text, strlen(text), &m->c, &m->e) == 0);
	CHECK(fixture_policy(&m->a, level, false, &m->p, &m->e) == 0);
}

static inline void run(struct made *m)
{
	m->r = policy_apply(&m->a, &m->p, &m->f, &m->c, &m->e);
	const char *why = m->r < 0 ? NULL : policy_within(&m->p, &m->f, &m->c);
	if (why)
		fprintf(stderr, "not within: %s\n", why);
	CHECK(!why);
}

static inline void make(struct made *m, const char *level, const char *top, const char *linux_)
{
	read_config(m, level, top, linux_);
	run(m);
}

/* Field of the decision, how it came out, what was asked and what holds. */
static inline void decided(const struct made *m, const char *field, enum policy_outcome outcome,
			   const char *asked, const char *value)
{
	const struct policy_decision *d = fixture_decision(&m->p, field);

	if (!d)
		fprintf(stderr, "nothing decided about %s\n", field);
	CHECK(d && d->outcome == outcome && d->reason);
	if (d && asked)
		CHECK_STR(d->asked, asked);
	if (d && value)
		CHECK_STR(d->value, value);
}

#define MOUNT(dest, type, source, options)                                                         \
	"\"mounts\":[{\"destination\":\"" dest "\",\"type\":\"" type "\",\"source\":\"" source     \
	"\",\"options\":[" options "]}]"

#endif
