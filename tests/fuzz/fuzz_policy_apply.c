/* config.json at standard and high: an error, or a result within the level that stays as it is. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "../unit/policy_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *level, const char *why)
{
	fprintf(stderr, "%s: %s\n", level, why);
	abort();
}

static void apply(struct arena *a, const char *level, bool direct, const uint8_t *data, size_t size)
{
	struct policy_facts f = fixture_facts();
	struct policy p;
	struct oci_config c;
	struct err e = {0};

	f.rootless = size & 1;
	f.own_ids = 1;
	if (fixture_policy(a, level, direct, &p, &e) < 0)
		fail(level, e.msg);
	if (oci_config_parse(a, (const char *)data, size, &c, &e) < 0)
		return;
	if (policy_apply(a, &p, &f, &c, &e) < 0) {
		if (!e.code || !e.msg[0])
			fail(level, "no message");
		return;
	}
	const char *why = policy_within(&p, &f, &c);
	if (why)
		fail(level, why);
	const char *first = within_print(a, &c);
	if (policy_apply(a, &p, &f, &c, &e) < 0)
		fail(level, e.msg);
	if (strcmp(first, within_print(a, &c)) != 0)
		fail(level, "a second time changes it");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	own_arena struct arena a = {0};

	apply(&a, "standard", false, data, size);
	apply(&a, "high", size & 2, data, size);
	return 0;
}
