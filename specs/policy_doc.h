#ifndef BRIG_SPECS_POLICY_DOC_H
#define BRIG_SPECS_POLICY_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct json_type;

/*
 * A sandbox platform's document (`run --policy FILE`), in the words such platforms use; a
 * property that stands at the top in one and in a group in another may be at either place.
 * What is not known is an error: ignoring it would not do what it asks.
 */
struct policy_doc_resources {
	const char *cpu;               /* 2, 0.5, 500m */
	const char *memory;            /* 512Mi */
	const char *ephemeral_storage; /* bytes over all writable paths */
	const char *cpu_pinning;       /* none, cpus, cores; true is cpus, false is not said */
	const char *pids;
};

struct policy_doc_egress {
	const char *domain; /* further properties are for the egress engine */
};

struct policy_doc_network {
	const struct policy_doc_egress *egress;
	size_t n_egress;
	const bool *ingress;
};

struct policy_doc_filesystem {
	const bool *read_only_root;
	const char *const *writable_paths; /* path[:size[:noexec]] */
	size_t n_writable_paths;
};

struct policy_doc_security {
	const uint32_t *run_as_user, *run_as_group;
};

struct policy_doc_profile {
	const char *language;
};

struct policy_doc {
	const char *security_level;
	const char *runtime; /* python:3.10; for people and for images */
	const char *language, *timeout, *cpu_pinning;
	const bool *read_only_root;
	const char *const *writable_paths;
	size_t n_writable_paths;
	const uint32_t *run_as_user, *run_as_group;
	struct policy_doc_profile profile;
	struct policy_doc_resources resources;
	struct policy_doc_network network;
	struct policy_doc_filesystem filesystem;
	struct policy_doc_security security;
};

enum { POLICY_DOC_MAX_BYTES = 1 << 20 };

/* A property at both its places is an error; afterwards the upper one has it. */
int policy_doc_parse(struct arena *a, const char *json, size_t len, struct policy_doc *out,
		     struct err *e) MUST_CHECK;
char *policy_doc_print(struct arena *a, const struct policy_doc *d, size_t *len);
const struct json_type *policy_doc_type(void);

#endif
