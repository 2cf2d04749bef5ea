#include "specs/level.h"

#include <errno.h>

#include "base/str.h"
#include "specs/json_print.h"
#include "specs/table.h"
#include "specs/violation.h"

enum { FORMAT = 1 };

static int check_level(struct arena *a, void *object, struct err *e)
{
	const struct level *l = object;

	(void)a;
	if (l->v != FORMAT)
		return err_msg(e, EINVAL, "v: format %d is not known", l->v);
	return 0;
}

static const struct json_field level_root_fields[] = {
	ROW_OPT(level_root, "readonly", readonly, JSON_BOOL, bool),
	ROW_OPT(level_root, "private", private, JSON_BOOL, bool),
};
TYPE_CLOSED(level_root, NULL);

static const struct json_field level_own_fields[] = {
	ROW_STR(level_own, "path", path, JSON_REQUIRED),
	ROW_OPT(level_own, "size", size, JSON_U64, uint64_t),
	ROW_OPT(level_own, "noexec", noexec, JSON_BOOL, bool),
};
TYPE_CLOSED(level_own, NULL);

static const struct json_field level_writable_fields[] = {
	ROW_STRS(level_writable, "paths", paths, n_paths, 0),
	ROW_OPT(level_writable, "size", size, JSON_U64, uint64_t),
	ROW_OPT(level_writable, "inodes", inodes, JSON_U64, uint64_t),
	ROW_OPT(level_writable, "noexec", noexec, JSON_BOOL, bool),
	ROW_OBJS(level_writable, "own", own, n_own, level_own),
};
TYPE_CLOSED(level_writable, NULL);

static const struct json_field level_seccomp_fields[] = {
	ROW_STR(level_seccomp, "policy", policy, 0),
	ROW_STR(level_seccomp, "language", language, 0),
	ROW_STR(level_seccomp, "violation", violation, 0),
};
TYPE_CLOSED(level_seccomp, NULL);

static const struct json_field level_network_fields[] = {
	ROW_STR(level_network, "egress", egress, 0),
	ROW_OPT(level_network, "ipv6", ipv6, JSON_BOOL, bool),
	ROW_OPT(level_network, "join", join, JSON_BOOL, bool),
	ROW_OPT_MAX(level_network, "open", open, JSON_U64, uint64_t, UINT32_MAX),
	ROW_OPT_MAX(level_network, "rate", rate, JSON_U64, uint64_t, UINT32_MAX),
};
TYPE_CLOSED(level_network, NULL);

static const struct json_field level_cpu_fields[] = {
	ROW_STR(level_cpu, "pin", pin, 0),
};
TYPE_CLOSED(level_cpu, NULL);

static const struct json_field level_limits_fields[] = {
	ROW_OPT(level_limits, "memory", memory, JSON_I64, int64_t),
	ROW_OPT(level_limits, "swap", swap, JSON_I64, int64_t),
	ROW_OPT(level_limits, "pids", pids, JSON_I64, int64_t),
	ROW_OPT(level_limits, "nofile", nofile, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "wall", wall, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "cpu", cpu, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "cpu_time", cpu_time, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "fsize", fsize, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "output", output, JSON_U64, uint64_t),
	ROW_OPT(level_limits, "grace", grace, JSON_U64, uint64_t),
};
TYPE_CLOSED(level_limits, NULL);

static const struct json_field level_env_fields[] = {
	ROW_STR(level_env, "drop", drop, 0),
	ROW_STRS(level_env, "patterns", patterns, n_patterns, 0),
};
TYPE_CLOSED(level_env, NULL);

static const struct json_field violation_rule_fields[] = {
	ROW_STR(violation_rule, "response", response, JSON_REQUIRED),
	ROW_OPT(violation_rule, "after", after, JSON_U64, uint64_t),
};
TYPE_CLOSED(violation_rule, NULL);

static const struct json_field level_violations_fields[] = {
	ROW_OBJ(level_violations, "syscall", syscall, violation_rule),
	ROW_OBJ(level_violations, "terminal", terminal, violation_rule),
	ROW_OBJ(level_violations, "denied", denied, violation_rule),
	ROW_OBJ(level_violations, "pids", pids, violation_rule),
	ROW_OBJ(level_violations, "egress", egress, violation_rule),
	ROW_OBJ(level_violations, "memory", memory, violation_rule),
};
TYPE_CLOSED(level_violations, NULL);

static const struct json_field level_fields[] = {
	ROW_NUM(level, "v", v, JSON_REQUIRED, JSON_I32, int32_t),
	ROW_STR(level, "name", name, JSON_REQUIRED),
	ROW_STR(level, "extends", extends, 0),
	ROW_STR(level, "summary", summary, 0),
	ROW_STR(level, "ids", ids, 0),
	ROW_SUB(level, "root", root, level_root, 0),
	ROW_SUB(level, "writable", writable, level_writable, 0),
	ROW_STRS(level, "capabilities", capabilities, n_capabilities, 0),
	ROW_OPT(level, "all_capabilities", all_capabilities, JSON_BOOL, bool),
	ROW_OPT(level, "lock_securebits", lock_securebits, JSON_BOOL, bool),
	ROW_OPT(level, "no_new_privileges", no_new_privileges, JSON_BOOL, bool),
	ROW_SUB(level, "seccomp", seccomp, level_seccomp, 0),
	ROW_STR(level, "proc", proc, 0),
	ROW_STR(level, "sys", sys, 0),
	ROW_STR(level, "landlock", landlock, 0),
	ROW_STR(level, "mdwe", mdwe, 0),
	ROW_OPT(level, "speculation", speculation, JSON_BOOL, bool),
	ROW_OPT(level, "core_scheduling", core_scheduling, JSON_BOOL, bool),
	ROW_OPT(level, "memfd_noexec", memfd_noexec, JSON_BOOL, bool),
	ROW_SUB(level, "network", network, level_network, 0),
	ROW_SUB(level, "cpu", cpu, level_cpu, 0),
	ROW_SUB(level, "direct", direct, level_limits, 0),
	ROW_SUB(level, "engine", engine, level_limits, 0),
	ROW_STR(level, "hooks", hooks, 0),
	ROW_OPT(level, "host_namespaces", host_namespaces, JSON_BOOL, bool),
	ROW_OPT(level, "devices", devices, JSON_BOOL, bool),
	ROW_OPT(level, "preserve_fds", preserve_fds, JSON_BOOL, bool),
	ROW_STRS(level, "sysctls", sysctls, n_sysctls, 0),
	ROW_SUB(level, "env", env, level_env, 0),
	/* Not there in levels that older brigs recorded with a digest of the text. */
	ROW_SUB(level, "violations", violations, level_violations, JSON_SOME),
	ROW_STR(level, "audit", audit, 0),
};
TYPE_CLOSED(level, check_level);

const struct json_type *level_type(void)
{
	return &level_type_;
}

int level_parse(struct arena *a, const char *json, size_t len, struct level *out, struct err *e)
{
	*out = (struct level){0};
	return json_read(a, &level_type_, json, len, LEVEL_MAX_BYTES, out, e);
}

char *level_print(struct arena *a, const struct level *l, size_t *len)
{
	return json_print_object(a, &level_type_, l, len);
}
