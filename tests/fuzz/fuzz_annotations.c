/*
 * Annotations, lines of NAME=VALUE: an error, or a level that is nowhere weaker than the one they
 * were put onto.  The first byte chooses the level and the mode.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/rank.h"
#include "policy/wishes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_NOTES = 16 };

static void split(char *text, struct oci_config *c, struct oci_map *notes)
{
	char *rest = text, *line;

	while (c->n_annotations < MAX_NOTES && (line = strsep(&rest, "\n"))) {
		char *value = strchr(line, '=');

		if (!value)
			continue;
		*value = '\0';
		notes[c->n_annotations++] = (struct oci_map){line, value + 1};
	}
	c->annotations = notes;
}

static void narrower(struct arena *a, const struct level *l, const struct level *base)
{
	for (size_t i = 0; i < n_level_fields; i++)
		if (level_field_weaker(a, &level_fields[i], l, base))
			abort();
	for (size_t i = 0; i < l->writable.n_paths; i++) {
		struct policy_bounds b;
		struct err e;

		if (!policy_writable(l, l->writable.paths[i], &b) || !b.size ||
		    b.size > *base->writable.size || b.inodes > *base->writable.inodes)
			abort();
		if (level_path_check(l->writable.paths[i], &e) < 0)
			abort();
	}
}

/* A tenant's grants: nobody stands behind them, and none is for private addresses. */
static void tenants(const struct policy *p, bool high)
{
	if ((high && p->network.n_grants) || p->network.n_grants > EGRESS_MAX_GRANTS)
		abort();
	for (size_t i = 0; i < p->network.n_grants; i++)
		if (p->network.grants[i].backing != EGRESS_ASKED || p->network.grants[i].private_)
			abort();
	for (size_t i = 0; i < p->network.n_ingress; i++)
		if (p->network.ingress[i].from != EGRESS_FROM_NODE)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};
	struct admin ad = {.levels = "/nonexistent"};
	struct oci_map notes[MAX_NOTES];
	struct oci_config c = {0};
	struct policy_wishes w = {0};
	struct policy p = {0};
	struct level base;
	struct err e = {0};

	if (!size)
		return 0;
	split(arena_strndup(&a, (const char *)data + 1, size - 1), &c, notes);
	if (policy_level_load(&a, &ad, *data & 1 ? "high" : "standard", &base, &e) < 0)
		abort();
	p.level = base;
	p.direct = *data & 2;
	e.msg[0] = '\0';
	if (wishes_annotations(&a, &c, &w, &e) < 0 ||
	    wishes_merge(&a, &p, &w, BY_ANNOTATION, NULL, &e) < 0 ||
	    network_finish(&a, &p, &e) < 0) {
		if (!e.msg[0])
			abort();
		return 0;
	}
	narrower(&a, &p.level, &base);
	tenants(&p, *data & 1);
	for (size_t i = 0; i < p.n_io; i++) {
		const uint64_t *r = p.io[i].rates;

		if (strchr(p.io[i].device, '/') || !(r[0] | r[1] | r[2] | r[3]))
			abort();
	}
	return 0;
}
