#ifndef BRIG_POLICY_POLICY_H
#define BRIG_POLICY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>

#include "base/arena.h"
#include "base/err.h"
#include "specs/admin.h"
#include "specs/egress.h"
#include "specs/grant.h"
#include "specs/level.h"
#include "specs/runtime.h"

/*
 * From level file, administrator's file, annotations, config.json and the caller's wishes to one
 * policy, and from there to the config.json that is really carried out.
 *
 *   resolve   which level, with everything it inherits, tightened by what is asked for
 *   apply     rewrites config.json so that it stays within the policy: what still leaves a
 *             working program is cut, what would change the request's meaning is refused
 *
 * No side effects but reading files.  At level custom apply changes nothing.
 */

enum policy_source { BY_LEVEL, BY_ADMIN, BY_ANNOTATION, BY_CONFIG, BY_DOCUMENT, BY_FLAG, BY_HOST };
enum policy_outcome { OUTCOME_SET, OUTCOME_CUT, OUTCOME_REFUSED, OUTCOME_RECORDED };

/* A row of `policy explain`. */
struct policy_decision {
	const char
		*field; /* path in the level or in config.json: root.readonly, mounts[3].options */
	const char *value; /* what holds, as text */
	enum policy_source by;
	const char *asked; /* what was asked for instead; NULL: nothing else was */
	enum policy_outcome outcome;
	const char *reason; /* NULL: none needed */
};

/*
 * What somebody wants changed on top of a level: the same struct whether it comes from
 * annotations, a platform document or flags.  NULL and 0: not said.
 */
struct policy_wishes {
	const char *level;
	const char *language;
	const bool *root_readonly, *root_private;
	struct policy_write {
		const char *path;
		const uint64_t *size; /* bytes */
		bool noexec;
	} * write;
	size_t n_write;
	const char *pin;                         /* none, cpus, cores */
	const int64_t *memory, *pids, *swap;     /* limits */
	const uint64_t *nofile, *disk, *wall_ms; /* disk: bytes over all writable layers */
	const uint64_t *inodes;                  /* over all writable layers */
	const uint64_t *cpu_ms, *grace_ms;
	const uint64_t *fsize, *output;
	const char *const *io; /* DEVICE:rbps=N,wbps=N,riops=N,wiops=N */
	size_t n_io;
	const double *cpus;
	const char *const *egress, *const *ingress; /* as specs/egress.h reads them */
	size_t n_egress, n_ingress;
	bool no_ingress;                     /* nobody, where somebody is let in by default */
	const uint64_t *net_open, *net_rate; /* connections outward at once, a second */
	const uint64_t *net_conns;           /* in its life */
	const uint64_t *net_bytes, *net_bandwidth;
	const char *seccomp_violation;
	const char *const *grants; /* as specs/grant.h reads them */
	size_t n_grants;
	const bool *audit_calls;
};

/*
 * Rates of one block device.  policy_resolve takes them apart; which device it is has to be looked
 * up by who can (io_device.h) before policy_apply.
 */
enum { POLICY_IO_RBPS, POLICY_IO_WBPS, POLICY_IO_RIOPS, POLICY_IO_WIOPS, POLICY_IO_RATES };
struct policy_io {
	const char *device; /* MAJOR:MINOR, "root" (what the root lies on), of a flag also a path */
	const char *who;    /* --io, annotation dev.brig.io ... */
	uint64_t rates[POLICY_IO_RATES]; /* a second; 0: not said */
	int64_t major, minor;            /* -1: not looked up */
};
extern const char *const policy_io_words[POLICY_IO_RATES]; /* rbps ... */
/* Whether device is MAJOR:MINOR. */
bool policy_io_is_number(const char *device, int64_t *major, int64_t *minor);

/* What the network is to let through, of all who asked for something, within the ceilings. */
struct policy_network {
	const struct egress_grant *grants; /* sorted by text, each once; ids are the plan's */
	const struct egress_ingress *ingress;
	size_t n_grants, n_ingress;
	bool asked;                       /* a wish about grants was heard, whatever came of it */
	bool asked_ingress;               /* or about connections inward: no default holds */
	uint64_t total, bytes, bandwidth; /* limits that wishes named; 0: none */
};

/* A grant that was asked for, in the order heard. */
struct policy_granted {
	struct brig_grant grant;
	enum policy_source by;
	const char *denied; /* why it does not hold; NULL: it does */
};

/* What may be executed: once somebody limits it, what everybody who does allows. */
struct policy_exec {
	bool limited;             /* the first program and what is below allow, nothing else */
	const char *const *allow; /* paths inside */
	size_t n_allow;
};

struct policy {
	struct level level; /* effective: everything set */
	struct admin admin;
	bool custom;      /* nothing is applied */
	bool direct;      /* direct mode: direct limits, env rules */
	const char *pod;  /* key of the pod whose id range is shared (CRI sandbox id); NULL: none */
	bool audit_calls; /* denied calls notify the warden */
	const char *digest; /* "sha256:" + hex of level_print(level) */
	/* The smallest limits that wishes named: over those of config.json too, which otherwise
	 * hold where the level's are a default. */
	struct level_limits asked;
	struct policy_io *io;
	size_t n_io;
	struct policy_network network;
	struct policy_granted *grants; /* at most GRANTS_MAX; not of policy.json */
	size_t n_grants;
	struct policy_exec exec;
	struct policy_decision *decisions;
	size_t n_decisions, max_decisions;
};

/* Properties of a platform's document (--policy FILE) as wishes. */
struct policy_doc; /* specs/policy_doc.h */
int policy_wishes_document(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
			   struct err *e) MUST_CHECK;
int policy_doc_load(struct arena *a, const char *path, struct policy_doc *out,
		    struct err *e) MUST_CHECK;

struct policy_request {
	const char *flag_level;    /* --level; NULL */
	const char *system_config; /* NULL: /etc/brig/brig.json, which may be absent */
	const char *levels_too;    /* a directory of levels before the administrator's; NULL */
	const struct oci_config *config;      /* for its annotations; may be NULL (policy show) */
	const struct policy_wishes *document; /* --policy FILE; NULL */
	const struct policy_wishes *flags;    /* direct mode's options; NULL */
	bool direct;
};

/*
 * Errors name level, field, both values and who asked: 'level "high": annotation dev.brig.level:
 * "custom" is weaker than the default level "standard"'.
 */
int policy_resolve(struct arena *a, const struct policy_request *req, struct policy *out,
		   struct err *e) MUST_CHECK;

/* What of the host decides how config.json is rewritten. */
struct policy_facts {
	bool rootless;               /* brig has no CAP_SYS_ADMIN in its user namespace */
	bool nested;                 /* it has, but not in the host's */
	int32_t oom_score_adj;       /* the caller's */
	const char *state_root;      /* not to be bound into a sandbox */
	const char *audit_directory; /* NULL: /var/log/brig */
	const char *bundle;          /* what relative sources of mounts count from */
	unsigned int preserve_fds;   /* asked for; refused at high */
	uint32_t own_ids;            /* nested or rootless: how many ids from 0 on can be mapped */
	rlim_t hard[RLIM_NLIMITS];   /* what limits can be raised to */
};
/* Fills in oom_score_adj, own_ids and hard; the rest is the caller's, rootless and nested first. */
int policy_facts_read(struct policy_facts *out, struct err *e) MUST_CHECK;

/*
 * Rewrites *io (a copy in the arena; strings are shared).  Afterwards it holds what is carried
 * out: namespaces with a "user" one at standard and high (without mappings: from the pool),
 * root.readonly, mounts with the level's tmpfs and /dev, /dev/pts, /dev/shm, /proc, capabilities,
 * rlimits, sysctls, devices, masked paths, environment, resources.  Each change is a decision.
 */
int policy_apply(struct arena *a, struct policy *p, const struct policy_facts *f,
		 struct oci_config *io, struct err *e) MUST_CHECK;
/* The part of it about a process, for exec: capabilities, no_new_privs, rlimits, env. */
int policy_apply_process(struct arena *a, struct policy *p, const struct policy_facts *f,
			 struct oci_process *io, struct err *e) MUST_CHECK;

/*
 * A path of the host that a sandbox is to see, opened once: what was looked at is what is shown.
 * Refused (EPERM, in words): sockets, devices, fifos, the host's interfaces and root, what is
 * brig's own; with tenant what is not below grants.paths of brig.json.  Of f only state_root and
 * audit_directory are read.  ENOENT and the like: the kernel's own.
 */
struct policy_host_path {
	int fd;           /* O_PATH, the caller's to close; -1 on failure */
	const char *real; /* where it was */
	bool directory;
	uint64_t dev, ino;
};
int policy_host_open(struct arena *a, const struct admin *admin, const struct policy_facts *f,
		     const char *path, bool tenant, struct policy_host_path *out,
		     struct err *e) MUST_CHECK;

/* Whether it is in force and no egress rule, which the resolver keeps; any such at all. */
bool policy_is_held(const struct policy_granted *g);
bool policy_has_held(const struct policy *p);
/* Whether something was granted for a time that the kernel does not end by itself. */
bool policy_has_timed(const struct policy *p);

const char *policy_digest(struct arena *a, const struct level *l);

/* Adds a decision; strings are copied. */
void policy_note(struct arena *a, struct policy *p, const struct policy_decision *d);

enum { POLICY_MAX_BYTES = 4 << 20 };
/*
 * Bounds of the tmpfs on a writable path of the level; false: it is none of them.  0: no bound.
 */
struct policy_bounds {
	uint64_t size, inodes;
	bool noexec;
};
bool policy_writable(const struct level *l, const char *path, struct policy_bounds *out);

/*
 * Every row of `policy explain`: the fields of the level in the order of the table, each with the
 * decisions about it, then the other decisions.
 */
void policy_rows(struct arena *a, const struct policy *p, const struct policy_decision **out,
		 size_t *n);
/* level, admin, annotation ...; set, cut, refused, recorded */
const char *policy_source_name(enum policy_source by);
const char *policy_outcome_name(enum policy_outcome outcome);

/* The file policy.json of the state directory: level, direct, pod, digest, decisions. */
char *policy_print(struct arena *a, const struct policy *p, size_t *len);
int policy_parse(struct arena *a, const char *json, size_t len, struct policy *out,
		 struct err *e) MUST_CHECK;

/* Names of embedded levels and of those in the administrator's directory, sorted. */
int policy_level_names(struct arena *a, const struct admin *admin, const char *const **out,
		       size_t *n, struct err *e) MUST_CHECK;
/* A level by name with all it inherits; unknown: 'unknown level "x" (custom, high, standard)'. */
int policy_level_load(struct arena *a, const struct admin *admin, const char *name,
		      struct level *out, struct err *e) MUST_CHECK;
/* Whether a is b or extends it (standard is an ancestor of high; custom of all). */
int policy_at_least(struct arena *a, const struct admin *admin, const char *level,
		    const char *minimum, struct err *e) MUST_CHECK; /* 1 yes, 0 no, -errno */
/* The first of them that hooks_allowed does not name, NULL: it names all. */
const char *policy_unnamed_hook(struct arena *a, const struct admin *admin,
				const struct oci_hooks *h);
int policy_admin_load(struct arena *a, const char *path, struct admin *out,
		      struct err *e) MUST_CHECK;

#endif
