#ifndef BRIG_PLAN_LEVEL_H
#define BRIG_PLAN_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpu/pin.h"
#include "fs/fs.h"
#include "guard/harden.h"
#include "guard/seccomp.h"
#include "ns/idmap.h"
#include "ns/idpool.h"
#include "policy/policy.h"

/* What a level adds to a plan.  At custom there is none of it. */
struct plan_level {
	struct policy policy;
	const char *state_root;

	/*
	 * The user namespace is entered last (docs/design.md): everything before is built by the
	 * runtime's root.  Not where brig needs the namespace to have any rights at all (rootless).
	 */
	bool late;
	const char *userns_path; /* late, one that exists; NULL: brig makes it */
	/* idmap's host ids count from the first one of a slot of the pool, claimed by create. */
	bool pooled;
	bool map_mounts; /* the ids are brig's choice: root and bind mounts are id-mapped */
	struct idmap idmap;
	struct idpool_config pool;

	struct harden_plan harden;
	bool egress_deny;
	bool pins;
	struct pin_request pin;     /* but for user and host, which create knows */
	struct fs_machine *machine; /* the CPUs are known when they were claimed */
};

struct plan;
struct plan_request;

/*
 * The policy of a config.json, and the config rewritten by it.  *out stays NULL at custom; the
 * policy's digest is only known for a level.
 */
int plan_level_make(struct arena *a, const struct plan_request *req, struct plan *p,
		    struct plan_level **out, struct err *e) MUST_CHECK;
/* Whether something that the caller has open may be handed in. */
bool plan_level_passes_fds(const struct plan_level *l);
/* Takes the user namespace out of ns: who maps what, and when it is entered. */
int plan_level_userns(struct arena *a, struct plan_level *l, struct plan *p,
		      struct err *e) MUST_CHECK;
/* What is known when namespaces and process are: hardening, who watches, CPUs, machine. */
int plan_level_finish(struct arena *a, struct plan_level *l, struct plan *p,
		      struct err *e) MUST_CHECK;
/* Whether the first process can become another user: the kernel then takes its parent-death signal
 * back (commit_creds). */
bool plan_level_may_change_user(const struct plan *p);
/* The level's filter, which notifies or not, with config.json's behind it. */
int plan_level_seccomp(struct arena *a, const struct plan *p, bool notify,
		       struct seccomp_program *io, struct err *e) MUST_CHECK;
/* Hardening alone, for exec: config is the rewritten one of the state directory. */
int plan_level_harden(struct arena *a, const struct policy *policy, const struct oci_config *config,
		      uint64_t make, uint64_t join, struct harden_plan *out,
		      struct err *e) MUST_CHECK;

/*
 * A plain user's sandbox without mappings of its own: the subordinate range, else a single id,
 * recorded.  Written into the config, before a policy looks at which ids there are.
 */
int plan_rootless_ids(struct arena *a, struct plan_level *l, const struct policy_facts *f,
		      struct plan *p, struct err *e) MUST_CHECK;
/* The book of CPUs: the machine's, or the user's own where he may not write that. */
const char *plan_pin_directory(struct arena *a, const struct admin *admin, bool rootless,
			       const char *state_root);
/* Puts the level, and for a plain user the remedy, to an error of the cgroup; returns its code. */
int plan_level_cgroup_error(const struct plan *p, struct err *e);

/* The slot's ids in place of offsets. */
struct idmap plan_level_shift(struct arena *a, const struct idmap *m, uint32_t base);

#endif
