#ifndef BRIG_SPECS_REQUEST_H
#define BRIG_SPECS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * <root>/<id>/request.json: what `create --reuse` was asked for, beside the config.json it read
 * (request.config.json), so that each generation is planned from the same input.  Nothing of the
 * caller's own is in it: no descriptors, no environment, no secrets.
 */
struct brig_request {
	int32_t v; /* 1 */
	const char *bundle;
	const char *level;         /* --level; NULL: as brig.json and the annotations say */
	const char *system_config; /* --system-config; NULL: /etc/brig/brig.json */
	const char *manager;       /* cgroupfs systemd disabled */
	const char *pid_file;      /* NULL: none */
	const char *audit;         /* --audit; NULL */
	const char *pool;          /* whose member it is; NULL */
	bool keep_keyring;         /* --no-new-keyring */
	const char *net;           /* --net; NULL: as config.json has it */
	const char *const *egress, *const *ingress, *const *resolvers;
	size_t n_egress, n_ingress, n_resolvers;
	uint64_t pin_wait_ms;
	bool keep_layers;
	const char *const *volumes; /* DEST=POLICY */
	size_t n_volumes;
	uint32_t profiles; /* files of --seccomp that are kept beside this one */
	/* What a process has from who made it, where config.json does not say: */
	const char *const *rlimits; /* RESOURCE:SOFT:HARD in numbers */
	size_t n_rlimits;
	const char *affinity; /* CPUs, a list */
	const char *coredump_filter;
	int32_t oom_score_adj;
	uint32_t umask;
};

enum { REQUEST_MAX_BYTES = 64 << 10, REQUEST_PROFILES = 1024 };

/* cgroupfs systemd disabled, NULL */
extern const char *const request_managers[];

/* Strict: unknown properties, paths that are not absolute are errors with their path. */
int request_parse(struct arena *a, const char *json, size_t len, struct brig_request *out,
		  struct err *e) MUST_CHECK;
/* One line without its end. */
char *request_print(struct arena *a, const struct brig_request *r, size_t *len);

#endif
