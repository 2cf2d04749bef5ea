#include "base/own.h"
#include "container.h"
#include "fs/fs.h"
#include "guard/caps.h"
#include "guard/seccomp.h"
#include "run/attrs.h"
#include "specs/json_print.h"

#ifndef BRIG_VERSION
#define BRIG_VERSION "0.1.0"
#endif

/*
 * The features document (features.md, features-linux.md): what this build understands, not
 * what this host has; supportedFlags and the annotations dev.brig.* alone ask the kernel.  Words
 * come from the tables that the rooms read configurations with, so the document cannot promise what
 * they refuse.
 */

static const char *const hooks[] = {
	"prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop",
};

static const char *const namespaces[] = {
	"cgroup", "ipc", "mount", "network", "pid", "time", "user", "uts",
};

/* Annotations of config.json that change what brig does; a last dot makes a prefix. */
static const char *const unsafe_annotations[] = {
	"bundle",
	"dev.brig.",
	"org.systemd.property.",
	"run.oci.",
};

static void words(struct json_out *o, const char *key, const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	json_key(o, key);
	json_strs(o, list, n);
}

static void object(struct json_out *o, const char *key)
{
	json_key(o, key);
	json_object(o);
}

/* "key": {"enabled": yes} */
static void enabled(struct json_out *o, const char *key, bool yes)
{
	object(o, key);
	json_key_bool(o, "enabled", yes);
	json_end_object(o);
}

static void add_cgroup(struct json_out *o)
{
	static const char *const members[] = {"v1", "v2", "systemd", "systemdUser", "rdma"};

	object(o, "cgroup");
	for (size_t i = 0; i < LEN(members); i++)
		json_key_bool(o, members[i], true);
	json_end_object(o);
}

static void add_seccomp(struct json_out *o, struct arena *a)
{
	object(o, "seccomp");
	json_key_bool(o, "enabled", true);
	words(o, "actions", seccomp_action_names());
	words(o, "operators", seccomp_operator_names());
	words(o, "archs", seccomp_arch_names());
	words(o, "knownFlags", seccomp_flag_names());
	words(o, "supportedFlags", seccomp_supported_flag_names(a));
	json_end_object(o);
}

static void add_memory_policy(struct json_out *o)
{
	object(o, "memoryPolicy");
	words(o, "modes", attrs_mempolicy_modes());
	words(o, "flags", attrs_mempolicy_flags());
	json_end_object(o);
}

static void add_intel_rdt(struct json_out *o)
{
	object(o, "intelRdt");
	json_key_bool(o, "enabled", true);
	json_key_bool(o, "schemata", true);
	json_key_bool(o, "monitoring", true);
	json_end_object(o);
}

static void add_linux(struct json_out *o, struct arena *a)
{
	object(o, "linux");
	json_key(o, "namespaces");
	json_strs(o, namespaces, LEN(namespaces));
	words(o, "capabilities", caps_names(a));
	add_cgroup(o);
	add_seccomp(o, a);
	enabled(o, "apparmor", true);
	enabled(o, "selinux", true);
	add_intel_rdt(o);
	add_memory_policy(o);
	object(o, "mountExtensions");
	enabled(o, "idmap", true);
	json_end_object(o);
	enabled(o, "netDevices", true);
	json_end_object(o);
}

/* The facts of `doctor`, which are about the host: features.md has no place for them. */
static void add_host(struct json_out *o, const struct container_host *h, struct arena *a)
{
	struct container_doctor d;

	container_doctor(h, a, &d);
	json_key_str(o, "dev.brig.level.standard", d.standard ? "true" : "false");
	json_key_str(o, "dev.brig.level.high", d.high ? "true" : "false");
	for (size_t i = 0; i < d.n_checks; i++)
		json_key_str(o, arena_printf(a, "dev.brig.host.%s", d.checks[i].mechanism),
			     container_found_word(d.checks[i].found));
}

static void add_annotations(struct json_out *o, const struct container_host *h, struct arena *a)
{
	object(o, "annotations");
	json_key_str(o, "dev.brig.version", BRIG_VERSION);
	add_host(o, h, a);
	/* Engines look for this name before they offer checkpoints. */
	json_key_str(o, "org.opencontainers.runc.checkpoint.enabled", "false");
	json_end_object(o);
}

char *container_features(const struct container_host *h, struct arena *a)
{
	struct json_out o;

	json_begin(&o, a, 4);
	json_object(&o);
	json_key_str(&o, "ociVersionMin", "1.0.0");
	json_key_str(&o, "ociVersionMax", "1.3.0");
	json_key(&o, "hooks");
	json_strs(&o, hooks, LEN(hooks));
	words(&o, "mountOptions", fs_mount_option_names(a));
	add_linux(&o, a);
	add_annotations(&o, h, a);
	json_key(&o, "potentiallyUnsafeConfigAnnotations");
	json_strs(&o, unsafe_annotations, LEN(unsafe_annotations));
	json_end_object(&o);
	return json_done(&o, NULL);
}
