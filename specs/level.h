#ifndef BRIG_SPECS_LEVEL_H
#define BRIG_SPECS_LEVEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct json_type; /* specs/json.h */

/*
 * A security level as JSON (profiles/levels/NAME.json, /etc/brig/levels/NAME.json): what it
 * requires and how far a request may go.  A file may leave out what it takes from the level it
 * extends; what policy_resolve gives has everything set.  Words are documented, with the order
 * from loose to strict, in docs/levels.md and ranked in policy/rank.c.
 */

struct level_root {
	const bool *readonly;
	/* a copy of the root file system: no page cache shared with the host */
	const bool *private;
};

/* A writable path whose bounds are tighter than those of all; policy_writable() reads them. */
struct level_own {
	const char *path;
	const uint64_t *size; /* bytes; NULL: that of all */
	const bool *noexec;   /* NULL: that of all */
};

/* Writable places of a read-only root: each a tmpfs of its own. */
struct level_writable {
	const char *const *paths; /* absolute; "writablePaths" adds to them */
	size_t n_paths;
	/* bytes and inodes of each; also the bound of the config's own tmpfs mounts */
	const uint64_t *size, *inodes;
	const bool *noexec;
	const struct level_own *own;
	size_t n_own;
};

struct level_seccomp {
	const char *policy;   /* none, standard, high: profiles/seccomp/NAME.pol */
	const char *language; /* NULL, or python node shell native jvm: narrows the policy */
	/* never-legitimate calls: kill (the process) or notify (the warden ends the sandbox) */
	const char *violation;
};

struct level_network {
	const char *egress; /* any, deny */
	const bool *ipv6;   /* false: switched off in an own namespace */
	const bool *join;   /* namespaces given by path are taken (pods) */
	/* of grants: connections at once, new ones a second; absent: no bound */
	const uint64_t *open, *rate;
};

struct level_cpu {
	const char *pin; /* none, cpus, cores */
};

/*
 * Absent: no bound; in a file that extends a level with one, 0 (swap: -1) says so.  Sizes in
 * bytes, times in milliseconds, cpu in thousandths of one CPU.
 */
struct level_limits {
	const int64_t *memory, *swap, *pids;
	const uint64_t *nofile, *wall, *cpu;
	const uint64_t *cpu_time; /* of all processes together */
	const uint64_t *fsize;    /* of one file: RLIMIT_FSIZE */
	const uint64_t *output;   /* standard output and error together */
	const uint64_t *grace;    /* between SIGTERM and the kill; absent: killed at once */
};

struct violation_rule; /* specs/violation.h */

/* What is done about each class; NULL: what docs/violations.md says of it. */
struct level_violations {
	const struct violation_rule *syscall, *terminal, *denied, *pids, *egress, *memory;
};

struct level_env {
	const char *drop;            /* none, direct (kept when config.json names them), all */
	const char *const *patterns; /* shell patterns of names: *_TOKEN ... */
	size_t n_patterns;
};

struct level {
	int32_t v; /* 1 */
	const char *name, *extends, *summary;
	const char *ids; /* config, range (64 Ki), needed (only what the process has) */
	struct level_root root;
	struct level_writable writable;
	const char *const *capabilities; /* ceiling, CAP_ words */
	size_t n_capabilities;
	const bool *all_capabilities; /* true: no ceiling (custom) */
	const bool *lock_securebits, *no_new_privileges;
	struct level_seccomp seccomp;
	const char *proc;     /* config, masked, minimal */
	const char *sys;      /* config, readonly, minimal */
	const char *landlock; /* off, best-effort, required */
	const char *mdwe;     /* off, language (where the language bears it), on */
	const bool *speculation, *core_scheduling, *memfd_noexec;
	struct level_network network;
	struct level_cpu cpu;
	struct level_limits direct, engine; /* defaults by mode of use */
	const char *hooks;                  /* any, allowed */
	const bool *host_namespaces, *devices, *preserve_fds;
	const char *const *sysctls; /* patterns that config.json may set; "*": any */
	size_t n_sysctls;
	struct level_env env;
	const char *audit; /* off, on, required: what cannot be written does not happen */
	struct level_violations violations;
};

enum { LEVEL_MAX_BYTES = 256 << 10 };

/* Shape only; unknown properties are errors. */
int level_parse(struct arena *a, const char *json, size_t len, struct level *out,
		struct err *e) MUST_CHECK;
/* One line, keys in the order of the table, absent ones left out: what digests are made of. */
char *level_print(struct arena *a, const struct level *l, size_t *len);
const struct json_type *level_type(void);

#endif
