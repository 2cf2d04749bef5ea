#ifndef BRIG_TESTS_POLICY_FIXTURE_H
#define BRIG_TESTS_POLICY_FIXTURE_H

#include <string.h>

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

#endif
