/* The properties of config.json, in the order of the specification's documents. */
#include "specs/runtime.h"

#include "base/str.h"
#include "specs/runtime_check.h"
#include "specs/table.h"

enum { REQ = JSON_REQUIRED };

static const struct json_field oci_id_mapping_fields[] = {
	ROW_NUM(oci_id_mapping, "containerID", container_id, REQ, JSON_U32, uint32_t),
	ROW_NUM(oci_id_mapping, "hostID", host_id, REQ, JSON_U32, uint32_t),
	ROW_NUM(oci_id_mapping, "size", size, REQ, JSON_U32, uint32_t),
};
TYPE(oci_id_mapping, NULL);

static const struct json_field oci_user_fields[] = {
	ROW_NUM(oci_user, "uid", uid, 0, JSON_ID, uint32_t),
	ROW_NUM(oci_user, "gid", gid, 0, JSON_ID, uint32_t),
	ROW_OPT_MAX(oci_user, "umask", umask, JSON_U32, uint32_t, 0777),
	ROW_IDS(oci_user, "additionalGids", additional_gids, n_additional_gids),
	ROW_STR(oci_user, "username", username, 0),
};
TYPE(oci_user, NULL);

static const struct json_field oci_console_size_fields[] = {
	ROW_NUM(oci_console_size, "height", height, REQ, JSON_U64, uint64_t),
	ROW_NUM(oci_console_size, "width", width, REQ, JSON_U64, uint64_t),
};
TYPE(oci_console_size, NULL);

static const struct json_field oci_capabilities_fields[] = {
	ROW_STRS(oci_capabilities, "bounding", bounding, n_bounding, 0),
	ROW_STRS(oci_capabilities, "effective", effective, n_effective, 0),
	ROW_STRS(oci_capabilities, "inheritable", inheritable, n_inheritable, 0),
	ROW_STRS(oci_capabilities, "permitted", permitted, n_permitted, 0),
	ROW_STRS(oci_capabilities, "ambient", ambient, n_ambient, 0),
};
TYPE(oci_capabilities, NULL);

static const struct json_field oci_rlimit_fields[] = {
	ROW_STR(oci_rlimit, "type", type, REQ),
	ROW_NUM(oci_rlimit, "soft", soft, REQ, JSON_U64, uint64_t),
	ROW_NUM(oci_rlimit, "hard", hard, REQ, JSON_U64, uint64_t),
};
TYPE(oci_rlimit, check_rlimit);

static const struct json_field oci_scheduler_fields[] = {
	ROW_STR(oci_scheduler, "policy", policy, REQ),
	ROW_NUM(oci_scheduler, "nice", nice, 0, JSON_I32, int32_t),
	ROW_NUM(oci_scheduler, "priority", priority, 0, JSON_I32, int32_t),
	ROW_STRS(oci_scheduler, "flags", flags, n_flags, 0),
	ROW_NUM(oci_scheduler, "runtime", runtime, 0, JSON_U64, uint64_t),
	ROW_NUM(oci_scheduler, "deadline", deadline, 0, JSON_U64, uint64_t),
	ROW_NUM(oci_scheduler, "period", period, 0, JSON_U64, uint64_t),
};
TYPE(oci_scheduler, NULL);

static const struct json_field oci_io_priority_fields[] = {
	ROW_STR(oci_io_priority, "class", class, REQ),
	ROW_NUM(oci_io_priority, "priority", priority, 0, JSON_I32, int32_t),
};
TYPE(oci_io_priority, NULL);

static const struct json_field oci_cpu_affinity_fields[] = {
	ROW_STR(oci_cpu_affinity, "initial", initial, 0),
	ROW_STR(oci_cpu_affinity, "final", final, 0),
};
TYPE(oci_cpu_affinity, check_affinity);

static const struct json_field oci_process_fields[] = {
	ROW_BOOL(oci_process, "terminal", terminal, 0),
	ROW_OBJ(oci_process, "consoleSize", console_size, oci_console_size),
	ROW_SUB(oci_process, "user", user, oci_user, 0),
	ROW_STRS(oci_process, "args", args, n_args, 0),
	ROW_STR(oci_process, "commandLine", command_line, 0),
	ROW_STRS(oci_process, "env", env, n_env, 0),
	ROW_STR(oci_process, "cwd", cwd, REQ),
	ROW_OBJ(oci_process, "capabilities", capabilities, oci_capabilities),
	ROW_OBJS(oci_process, "rlimits", rlimits, n_rlimits, oci_rlimit),
	ROW_BOOL(oci_process, "noNewPrivileges", no_new_privileges, 0),
	ROW_STR(oci_process, "apparmorProfile", apparmor_profile, 0),
	ROW_OPT(oci_process, "oomScoreAdj", oom_score_adj, JSON_I64, int64_t),
	ROW_OBJ(oci_process, "scheduler", scheduler, oci_scheduler),
	ROW_STR(oci_process, "selinuxLabel", selinux_label, 0),
	ROW_OBJ(oci_process, "ioPriority", io_priority, oci_io_priority),
	ROW_OBJ(oci_process, "execCPUAffinity", exec_cpu_affinity, oci_cpu_affinity),
};
TYPE(oci_process, check_process);

static const struct json_field oci_root_fields[] = {
	ROW_STR(oci_root, "path", path, REQ),
	ROW_BOOL(oci_root, "readonly", readonly, 0),
};
TYPE(oci_root, check_root);

static const struct json_field oci_mount_fields[] = {
	ROW_STR(oci_mount, "destination", destination, REQ),
	ROW_STR(oci_mount, "type", type, 0),
	ROW_STR(oci_mount, "source", source, 0),
	ROW_STRS(oci_mount, "options", options, n_options, 0),
	ROW_OBJS(oci_mount, "uidMappings", uid_mappings, n_uid_mappings, oci_id_mapping),
	ROW_OBJS(oci_mount, "gidMappings", gid_mappings, n_gid_mappings, oci_id_mapping),
};
TYPE(oci_mount, check_mount);

static const struct json_field oci_hook_fields[] = {
	ROW_STR(oci_hook, "path", path, REQ),
	ROW_STRS(oci_hook, "args", args, n_args, 0),
	ROW_STRS(oci_hook, "env", env, n_env, 0),
	ROW_OPT(oci_hook, "timeout", timeout, JSON_I64, int64_t),
};
TYPE(oci_hook, check_hook);

static const struct json_field oci_hooks_fields[] = {
	ROW_OBJS(oci_hooks, "prestart", prestart, n_prestart, oci_hook),
	ROW_OBJS(oci_hooks, "createRuntime", create_runtime, n_create_runtime, oci_hook),
	ROW_OBJS(oci_hooks, "createContainer", create_container, n_create_container, oci_hook),
	ROW_OBJS(oci_hooks, "startContainer", start_container, n_start_container, oci_hook),
	ROW_OBJS(oci_hooks, "poststart", poststart, n_poststart, oci_hook),
	ROW_OBJS(oci_hooks, "poststop", poststop, n_poststop, oci_hook),
};
TYPE(oci_hooks, NULL);

static const struct json_field oci_namespace_fields[] = {
	ROW_STR(oci_namespace, "type", type, REQ),
	ROW_STR(oci_namespace, "path", path, 0),
};
TYPE(oci_namespace, check_namespace);

static const struct json_field oci_device_fields[] = {
	ROW_STR(oci_device, "type", type, REQ),
	ROW_STR(oci_device, "path", path, REQ),
	ROW_OPT(oci_device, "major", major, JSON_I64, int64_t),
	ROW_OPT(oci_device, "minor", minor, JSON_I64, int64_t),
	ROW_OPT(oci_device, "fileMode", file_mode, JSON_U32, uint32_t),
	ROW_OPT(oci_device, "uid", uid, JSON_ID, uint32_t),
	ROW_OPT(oci_device, "gid", gid, JSON_ID, uint32_t),
};
TYPE(oci_device, check_device);

static const struct json_field oci_net_device_fields[] = {
	ROW_STR(oci_net_device, "name", name, 0),
};
TYPE(oci_net_device, NULL);

static const struct json_field oci_device_cgroup_fields[] = {
	ROW_BOOL(oci_device_cgroup, "allow", allow, REQ),
	ROW_STR(oci_device_cgroup, "type", type, 0),
	ROW_OPT(oci_device_cgroup, "major", major, JSON_I64, int64_t),
	ROW_OPT(oci_device_cgroup, "minor", minor, JSON_I64, int64_t),
	ROW_STR(oci_device_cgroup, "access", access, 0),
};
TYPE(oci_device_cgroup, NULL);

static const struct json_field oci_memory_fields[] = {
	ROW_OPT(oci_memory, "limit", limit, JSON_I64, int64_t),
	ROW_OPT(oci_memory, "reservation", reservation, JSON_I64, int64_t),
	ROW_OPT(oci_memory, "swap", swap, JSON_I64, int64_t),
	ROW_OPT(oci_memory, "kernel", kernel, JSON_I64, int64_t),
	ROW_OPT(oci_memory, "kernelTCP", kernel_tcp, JSON_I64, int64_t),
	ROW_OPT(oci_memory, "swappiness", swappiness, JSON_U64, uint64_t),
	ROW_OPT(oci_memory, "disableOOMKiller", disable_oom_killer, JSON_BOOL, bool),
	ROW_OPT(oci_memory, "useHierarchy", use_hierarchy, JSON_BOOL, bool),
	ROW_OPT(oci_memory, "checkBeforeUpdate", check_before_update, JSON_BOOL, bool),
};
TYPE(oci_memory, NULL);

static const struct json_field oci_cpu_fields[] = {
	ROW_OPT(oci_cpu, "shares", shares, JSON_U64, uint64_t),
	ROW_OPT(oci_cpu, "quota", quota, JSON_I64, int64_t),
	ROW_OPT(oci_cpu, "burst", burst, JSON_U64, uint64_t),
	ROW_OPT(oci_cpu, "period", period, JSON_U64, uint64_t),
	ROW_OPT(oci_cpu, "realtimeRuntime", realtime_runtime, JSON_I64, int64_t),
	ROW_OPT(oci_cpu, "realtimePeriod", realtime_period, JSON_U64, uint64_t),
	ROW_STR(oci_cpu, "cpus", cpus, 0),
	ROW_STR(oci_cpu, "mems", mems, 0),
	ROW_OPT(oci_cpu, "idle", idle, JSON_I64, int64_t),
};
TYPE(oci_cpu, NULL);

static const struct json_field oci_weight_device_fields[] = {
	ROW_NUM(oci_weight_device, "major", major, REQ, JSON_I64, int64_t),
	ROW_NUM(oci_weight_device, "minor", minor, REQ, JSON_I64, int64_t),
	ROW_OPT(oci_weight_device, "weight", weight, JSON_U16, uint16_t),
	ROW_OPT(oci_weight_device, "leafWeight", leaf_weight, JSON_U16, uint16_t),
};
TYPE(oci_weight_device, NULL);

static const struct json_field oci_throttle_device_fields[] = {
	ROW_NUM(oci_throttle_device, "major", major, REQ, JSON_I64, int64_t),
	ROW_NUM(oci_throttle_device, "minor", minor, REQ, JSON_I64, int64_t),
	ROW_NUM(oci_throttle_device, "rate", rate, 0, JSON_U64, uint64_t),
};
TYPE(oci_throttle_device, NULL);

#define ROW_THROTTLE(n, m, c) ROW_OBJS(oci_block_io, n, m, c, oci_throttle_device)
static const struct json_field oci_block_io_fields[] = {
	ROW_OPT(oci_block_io, "weight", weight, JSON_U16, uint16_t),
	ROW_OPT(oci_block_io, "leafWeight", leaf_weight, JSON_U16, uint16_t),
	ROW_OBJS(oci_block_io, "weightDevice", weight_device, n_weight_device, oci_weight_device),
	ROW_THROTTLE("throttleReadBpsDevice", read_bps, n_read_bps),
	ROW_THROTTLE("throttleWriteBpsDevice", write_bps, n_write_bps),
	ROW_THROTTLE("throttleReadIOPSDevice", read_iops, n_read_iops),
	ROW_THROTTLE("throttleWriteIOPSDevice", write_iops, n_write_iops),
};
TYPE(oci_block_io, NULL);

static const struct json_field oci_hugepage_limit_fields[] = {
	ROW_STR(oci_hugepage_limit, "pageSize", page_size, REQ),
	ROW_NUM(oci_hugepage_limit, "limit", limit, REQ, JSON_U64, uint64_t),
};
TYPE(oci_hugepage_limit, check_hugepage);

static const struct json_field oci_if_priority_fields[] = {
	ROW_STR(oci_if_priority, "name", name, REQ),
	ROW_NUM(oci_if_priority, "priority", priority, REQ, JSON_U32, uint32_t),
};
TYPE(oci_if_priority, NULL);

static const struct json_field oci_network_fields[] = {
	ROW_OPT(oci_network, "classID", class_id, JSON_U32, uint32_t),
	ROW_OBJS(oci_network, "priorities", priorities, n_priorities, oci_if_priority),
};
TYPE(oci_network, NULL);

static const struct json_field oci_pids_fields[] = {
	ROW_NUM(oci_pids, "limit", limit, REQ, JSON_I64, int64_t),
};
TYPE(oci_pids, NULL);

static const struct json_field oci_rdma_fields[] = {
	ROW_OPT(oci_rdma, "hcaHandles", hca_handles, JSON_U32, uint32_t),
	ROW_OPT(oci_rdma, "hcaObjects", hca_objects, JSON_U32, uint32_t),
};
TYPE(oci_rdma, NULL);

static const struct json_field oci_resources_fields[] = {
	ROW_OBJS(oci_resources, "devices", devices, n_devices, oci_device_cgroup),
	ROW_OBJ(oci_resources, "memory", memory, oci_memory),
	ROW_OBJ(oci_resources, "cpu", cpu, oci_cpu),
	ROW_OBJ(oci_resources, "pids", pids, oci_pids),
	ROW_OBJ(oci_resources, "blockIO", block_io, oci_block_io),
	ROW_OBJS(oci_resources, "hugepageLimits", hugepage_limits, n_hugepage_limits,
		 oci_hugepage_limit),
	ROW_OBJ(oci_resources, "network", network, oci_network),
	ROW_NAMED(oci_resources, "rdma", rdma, n_rdma, oci_rdma, device),
	ROW_MAP(oci_resources, "unified", unified, n_unified),
};
TYPE(oci_resources, NULL);

static const struct json_field oci_seccomp_arg_fields[] = {
	ROW_NUM(oci_seccomp_arg, "index", index, REQ, JSON_U32, uint32_t),
	ROW_NUM(oci_seccomp_arg, "value", value, REQ, JSON_U64, uint64_t),
	ROW_NUM(oci_seccomp_arg, "valueTwo", value_two, 0, JSON_U64, uint64_t),
	ROW_STR(oci_seccomp_arg, "op", op, REQ),
};
TYPE(oci_seccomp_arg, NULL);

static const struct json_field oci_seccomp_rule_fields[] = {
	ROW_STRS(oci_seccomp_rule, "names", names, n_names, REQ),
	ROW_STR(oci_seccomp_rule, "action", action, REQ),
	ROW_OPT(oci_seccomp_rule, "errnoRet", errno_ret, JSON_U32, uint32_t),
	ROW_OBJS(oci_seccomp_rule, "args", args, n_args, oci_seccomp_arg),
};
TYPE(oci_seccomp_rule, check_syscall);

static const struct json_field oci_seccomp_fields[] = {
	ROW_STR(oci_seccomp, "defaultAction", default_action, REQ),
	ROW_OPT(oci_seccomp, "defaultErrnoRet", default_errno_ret, JSON_U32, uint32_t),
	ROW_STRS(oci_seccomp, "architectures", architectures, n_architectures, 0),
	ROW_STRS(oci_seccomp, "flags", flags, n_flags, 0),
	ROW_STR(oci_seccomp, "listenerPath", listener_path, 0),
	ROW_STR(oci_seccomp, "listenerMetadata", listener_metadata, 0),
	ROW_OBJS(oci_seccomp, "syscalls", syscalls, n_syscalls, oci_seccomp_rule),
};
TYPE(oci_seccomp, check_seccomp);

static const struct json_field oci_intel_rdt_fields[] = {
	ROW_STR(oci_intel_rdt, "closID", clos_id, 0),
	ROW_STRS(oci_intel_rdt, "schemata", schemata, n_schemata, 0),
	ROW_STR(oci_intel_rdt, "l3CacheSchema", l3_cache_schema, 0),
	ROW_STR(oci_intel_rdt, "memBwSchema", mem_bw_schema, 0),
	ROW_BOOL(oci_intel_rdt, "enableMonitoring", enable_monitoring, 0),
};
TYPE(oci_intel_rdt, check_intel_rdt);

static const struct json_field oci_memory_policy_fields[] = {
	ROW_STR(oci_memory_policy, "mode", mode, 0),
	ROW_STR(oci_memory_policy, "nodes", nodes, 0),
	ROW_STRS(oci_memory_policy, "flags", flags, n_flags, 0),
};
TYPE(oci_memory_policy, NULL);

static const struct json_field oci_personality_fields[] = {
	ROW_STR(oci_personality, "domain", domain, 0),
	ROW_STRS(oci_personality, "flags", flags, n_flags, 0),
};
TYPE(oci_personality, NULL);

static const struct json_field oci_time_offset_fields[] = {
	ROW_NUM(oci_time_offset, "secs", secs, 0, JSON_I64, int64_t),
	ROW_NUM(oci_time_offset, "nanosecs", nanosecs, 0, JSON_U32, uint32_t),
};
TYPE(oci_time_offset, NULL);

static const struct json_field oci_time_offsets_fields[] = {
	ROW_OBJ(oci_time_offsets, "monotonic", monotonic, oci_time_offset),
	ROW_OBJ(oci_time_offsets, "boottime", boottime, oci_time_offset),
};
/* A clock that does not exist is no clock that could be left alone. */
TYPE_CLOSED(oci_time_offsets, NULL);

static const struct json_field oci_linux_fields[] = {
	ROW_OBJS(oci_linux, "uidMappings", uid_mappings, n_uid_mappings, oci_id_mapping),
	ROW_OBJS(oci_linux, "gidMappings", gid_mappings, n_gid_mappings, oci_id_mapping),
	ROW_MAP(oci_linux, "sysctl", sysctl, n_sysctl),
	ROW_OBJ(oci_linux, "resources", resources, oci_resources),
	ROW_STR(oci_linux, "cgroupsPath", cgroups_path, 0),
	ROW_OBJS(oci_linux, "namespaces", namespaces, n_namespaces, oci_namespace),
	ROW_OBJS(oci_linux, "devices", devices, n_devices, oci_device),
	ROW_NAMED(oci_linux, "netDevices", net_devices, n_net_devices, oci_net_device, host_name),
	ROW_OBJ(oci_linux, "seccomp", seccomp, oci_seccomp),
	ROW_STR(oci_linux, "rootfsPropagation", rootfs_propagation, 0),
	ROW_STRS(oci_linux, "maskedPaths", masked_paths, n_masked_paths, 0),
	ROW_STRS(oci_linux, "readonlyPaths", readonly_paths, n_readonly_paths, 0),
	ROW_STR(oci_linux, "mountLabel", mount_label, 0),
	ROW_OBJ(oci_linux, "intelRdt", intel_rdt, oci_intel_rdt),
	ROW_OBJ(oci_linux, "memoryPolicy", memory_policy, oci_memory_policy),
	ROW_OBJ(oci_linux, "personality", personality, oci_personality),
	ROW_OBJ(oci_linux, "timeOffsets", time_offsets, oci_time_offsets),
};
TYPE(oci_linux, check_linux);

static const struct json_field oci_config_fields[] = {
	ROW_STR(oci_config, "ociVersion", oci_version, REQ),
	ROW_OBJ(oci_config, "root", root, oci_root),
	ROW_OBJS(oci_config, "mounts", mounts, n_mounts, oci_mount),
	ROW_OBJ(oci_config, "process", process, oci_process),
	ROW_STR(oci_config, "hostname", hostname, 0),
	ROW_STR(oci_config, "domainname", domainname, 0),
	ROW_OBJ(oci_config, "hooks", hooks, oci_hooks),
	ROW_MAP(oci_config, "annotations", annotations, n_annotations),
	ROW_OBJ(oci_config, "linux", linux_, oci_linux),
};
TYPE(oci_config, check_config);

const struct json_type *oci_config_type(void)
{
	return &oci_config_type_;
}

int oci_config_parse(struct arena *a, const char *json, size_t len, struct oci_config *out,
		     struct err *e)
{
	*out = (struct oci_config){0};
	return json_read(a, &oci_config_type_, json, len, OCI_MAX_BYTES, out, e);
}

int oci_process_parse(struct arena *a, const char *json, size_t len, struct oci_process *out,
		      struct err *e)
{
	*out = (struct oci_process){0};
	return json_read(a, &oci_process_type_, json, len, OCI_MAX_BYTES, out, e);
}

int oci_seccomp_parse(struct arena *a, const char *json, size_t len, struct oci_seccomp *out,
		      struct err *e)
{
	*out = (struct oci_seccomp){0};
	return json_read(a, &oci_seccomp_type_, json, len, OCI_MAX_BYTES, out, e);
}

int oci_resources_parse(struct arena *a, const char *json, size_t len, struct oci_resources *out,
			struct err *e)
{
	*out = (struct oci_resources){0};
	return json_read(a, &oci_resources_type_, json, len, OCI_MAX_BYTES, out, e);
}

bool oci_mount_has(const struct oci_mount *m, const char *option)
{
	for (size_t i = 0; i < m->n_options; i++)
		if (str_eq(m->options[i], option))
			return true;
	return false;
}

bool oci_mount_is_bind(const struct oci_mount *m)
{
	return str_eq(m->type, "bind") || oci_mount_has(m, "bind") || oci_mount_has(m, "rbind");
}

bool oci_mount_is_readonly(const struct oci_mount *m)
{
	return oci_mount_has(m, "ro") || oci_mount_has(m, "rro");
}
