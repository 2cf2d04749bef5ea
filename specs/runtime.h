#ifndef BRIG_SPECS_RUNTIME_H
#define BRIG_SPECS_RUNTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct json_type; /* specs/json.h */

/*
 * config.json of the OCI runtime-spec 1.3.0 (Linux part) as C structs, one member for each
 * property, named as the spec names it.  Everything lives in one arena.
 * - a pointer to a number or bool that may be absent is NULL then;
 * - a list is a pointer and a count (n_...); an absent list is NULL and 0;
 * - a list of strings is NULL-terminated too, so that it can be an argv;
 * - an optional string that is "" is NULL, and null is absent: Go callers write both.
 */

struct oci_map { /* "annotations", "sysctl", "unified": key and value, in file order */
	const char *key;
	const char *value;
};

struct oci_id_mapping {
	uint32_t container_id, host_id, size;
};

struct oci_user {
	uint32_t uid, gid;
	const uint32_t *umask;
	const uint32_t *additional_gids;
	size_t n_additional_gids;
	const char *username; /* Windows; read so that it can be named in an error */
};

struct oci_console_size {
	uint64_t height, width;
};

struct oci_capabilities {
	const char *const *bounding, *const *effective, *const *permitted, *const *inheritable,
										   *const *ambient;
	size_t n_bounding, n_effective, n_permitted, n_inheritable, n_ambient;
};

struct oci_rlimit {
	const char *type;
	uint64_t soft, hard;
};

struct oci_scheduler {
	const char *policy;
	int32_t nice, priority;
	const char *const *flags;
	size_t n_flags;
	uint64_t runtime, deadline, period; /* ns */
};

struct oci_io_priority {
	const char *class;
	int32_t priority;
};

struct oci_cpu_affinity {
	const char *initial, *final;
};

struct oci_process {
	bool terminal;
	const struct oci_console_size *console_size;
	struct oci_user user;
	const char *const *args;
	size_t n_args;
	const char *command_line; /* Windows */
	const char *const *env;
	size_t n_env;
	const char *cwd;
	const struct oci_capabilities *capabilities;
	const struct oci_rlimit *rlimits;
	size_t n_rlimits;
	bool no_new_privileges;
	const char *apparmor_profile;
	const int64_t *oom_score_adj;
	const struct oci_scheduler *scheduler;
	const char *selinux_label;
	const struct oci_io_priority *io_priority;
	const struct oci_cpu_affinity *exec_cpu_affinity;
};

struct oci_root {
	const char *path;
	bool readonly;
};

struct oci_mount {
	const char *destination, *type, *source;
	const char *const *options;
	size_t n_options;
	const struct oci_id_mapping *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
};

struct oci_hook {
	const char *path;
	const char *const *args;
	size_t n_args;
	const char *const *env;
	size_t n_env;
	const int64_t *timeout; /* seconds, > 0 */
};

struct oci_hooks {
	const struct oci_hook *prestart, *create_runtime, *create_container, *start_container,
		*poststart, *poststop;
	size_t n_prestart, n_create_runtime, n_create_container, n_start_container, n_poststart,
		n_poststop;
};

struct oci_namespace {
	const char *type;
	const char *path; /* NULL: a new one */
};

struct oci_device {
	const char *type; /* c b u p */
	const char *path;
	const int64_t *major, *minor;
	const uint32_t *file_mode;
	const uint32_t *uid, *gid;
};

struct oci_net_device {
	const char *host_name; /* the key of the map */
	const char *name;      /* inside; NULL: the same */
};

struct oci_device_cgroup {
	bool allow;
	const char *type;
	const int64_t *major, *minor;
	const char *access;
};

struct oci_memory {
	const int64_t *limit, *reservation, *swap, *kernel, *kernel_tcp;
	const uint64_t *swappiness;
	const bool *disable_oom_killer, *use_hierarchy, *check_before_update;
};

struct oci_cpu {
	const uint64_t *shares;
	const int64_t *quota;
	const uint64_t *burst, *period;
	const int64_t *realtime_runtime;
	const uint64_t *realtime_period;
	const char *cpus, *mems;
	const int64_t *idle;
};

struct oci_weight_device {
	int64_t major, minor;
	const uint16_t *weight, *leaf_weight;
};

struct oci_throttle_device {
	int64_t major, minor;
	uint64_t rate;
};

struct oci_block_io {
	const uint16_t *weight, *leaf_weight;
	const struct oci_weight_device *weight_device;
	size_t n_weight_device;
	const struct oci_throttle_device *read_bps, *write_bps, *read_iops, *write_iops;
	size_t n_read_bps, n_write_bps, n_read_iops, n_write_iops;
};

struct oci_hugepage_limit {
	const char *page_size;
	uint64_t limit;
};

struct oci_if_priority {
	const char *name;
	uint32_t priority;
};

struct oci_network {
	const uint32_t *class_id;
	const struct oci_if_priority *priorities;
	size_t n_priorities;
};

struct oci_pids {
	int64_t limit;
};

struct oci_rdma {
	const char *device; /* the key of the map */
	const uint32_t *hca_handles, *hca_objects;
};

struct oci_resources {
	const struct oci_device_cgroup *devices;
	size_t n_devices;
	const struct oci_memory *memory;
	const struct oci_cpu *cpu;
	const struct oci_pids *pids;
	const struct oci_block_io *block_io;
	const struct oci_hugepage_limit *hugepage_limits;
	size_t n_hugepage_limits;
	const struct oci_network *network;
	const struct oci_rdma *rdma;
	size_t n_rdma;
	const struct oci_map *unified;
	size_t n_unified;
};

struct oci_seccomp_arg {
	uint32_t index;
	uint64_t value, value_two;
	const char *op;
};

struct oci_seccomp_rule {
	const char *const *names;
	size_t n_names;
	const char *action;
	const uint32_t *errno_ret;
	const struct oci_seccomp_arg *args;
	size_t n_args;
};

struct oci_seccomp {
	const char *default_action;
	const uint32_t *default_errno_ret;
	const char *const *architectures;
	size_t n_architectures;
	const char *const *flags;
	size_t n_flags;
	const char *listener_path, *listener_metadata;
	const struct oci_seccomp_rule *syscalls;
	size_t n_syscalls;
};

struct oci_intel_rdt {
	const char *clos_id, *l3_cache_schema, *mem_bw_schema;
	const char *const *schemata;
	size_t n_schemata;
	bool enable_monitoring;
};

struct oci_memory_policy {
	const char *mode, *nodes;
	const char *const *flags;
	size_t n_flags;
};

struct oci_personality {
	const char *domain;
	const char *const *flags;
	size_t n_flags;
};

struct oci_time_offset {
	int64_t secs;
	uint32_t nanosecs;
};

struct oci_time_offsets {
	const struct oci_time_offset *monotonic, *boottime;
};

struct oci_linux {
	const struct oci_id_mapping *uid_mappings, *gid_mappings;
	size_t n_uid_mappings, n_gid_mappings;
	const struct oci_map *sysctl;
	size_t n_sysctl;
	const struct oci_resources *resources;
	const char *cgroups_path;
	const struct oci_namespace *namespaces;
	size_t n_namespaces;
	const struct oci_device *devices;
	size_t n_devices;
	const struct oci_net_device *net_devices;
	size_t n_net_devices;
	const struct oci_seccomp *seccomp;
	const char *rootfs_propagation;
	const char *const *masked_paths, *const *readonly_paths;
	size_t n_masked_paths, n_readonly_paths;
	const char *mount_label;
	const struct oci_intel_rdt *intel_rdt;
	const struct oci_memory_policy *memory_policy;
	const struct oci_personality *personality;
	const struct oci_time_offsets *time_offsets;
};

struct oci_config {
	const char *oci_version;
	const struct oci_root *root;
	const struct oci_mount *mounts;
	size_t n_mounts;
	const struct oci_process *process;
	const char *hostname, *domainname;
	const struct oci_hooks *hooks;
	const struct oci_map *annotations;
	size_t n_annotations;
	const struct oci_linux *linux_; /* "linux" is a predefined macro of gnu17 */
};

/* Limits of what is parsed at all, checked before and while parsing. */
enum { OCI_MAX_BYTES = 4 << 20, OCI_MAX_DEPTH = 64 };

/*
 * Reads config.json text.  Unknown properties are ignored (config.md, Extensibility); a value
 * of the wrong type, out of range or missing is an error with its path:
 * "process: user: uid: -1 does not fit".  Shape only: what the values mean is the plan's work.
 */
int oci_config_parse(struct arena *a, const char *json, size_t len, struct oci_config *out,
		     struct err *e) MUST_CHECK;
/* A process document alone (exec --process) and linux.resources alone (update --resources). */
int oci_process_parse(struct arena *a, const char *json, size_t len, struct oci_process *out,
		      struct err *e) MUST_CHECK;
/* linux.seccomp alone: a profile in a file of its own. */
int oci_seccomp_parse(struct arena *a, const char *json, size_t len, struct oci_seccomp *out,
		      struct err *e) MUST_CHECK;
int oci_resources_parse(struct arena *a, const char *json, size_t len, struct oci_resources *out,
			struct err *e) MUST_CHECK;

/* Words among the options of a mount; a bind mount may be one by its type, too. */
bool oci_mount_has(const struct oci_mount *m, const char *option);
bool oci_mount_is_bind(const struct oci_mount *m);
bool oci_mount_is_readonly(const struct oci_mount *m);

/* The table of a whole config.json, for json_lookup, json_print_type and tests. */
const struct json_type *oci_config_type(void);

#endif
