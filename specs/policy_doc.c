#include "specs/policy_doc.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "specs/json_print.h"
#include "specs/table.h"

static const struct json_field policy_doc_resources_fields[] = {
	ROW_TEXT(policy_doc_resources, "cpu", cpu),
	ROW_TEXT(policy_doc_resources, "memory", memory),
	ROW_TEXT(policy_doc_resources, "ephemeralStorage", ephemeral_storage),
	ROW_TEXT(policy_doc_resources, "cpuPinning", cpu_pinning),
	ROW_TEXT(policy_doc_resources, "pids", pids),
};
TYPE_CLOSED(policy_doc_resources, NULL);

static const struct json_field policy_doc_egress_fields[] = {
	ROW_STR(policy_doc_egress, "domain", domain, JSON_REQUIRED),
};
TYPE(policy_doc_egress, NULL);

static const struct json_field policy_doc_network_fields[] = {
	ROW_OBJS(policy_doc_network, "egress", egress, n_egress, policy_doc_egress),
	ROW_OPT(policy_doc_network, "ingress", ingress, JSON_BOOL, bool),
};
TYPE_CLOSED(policy_doc_network, NULL);

static const struct json_field policy_doc_filesystem_fields[] = {
	ROW_OPT(policy_doc_filesystem, "readOnlyRoot", read_only_root, JSON_BOOL, bool),
	ROW_STRS(policy_doc_filesystem, "writablePaths", writable_paths, n_writable_paths, 0),
};
TYPE_CLOSED(policy_doc_filesystem, NULL);

static const struct json_field policy_doc_security_fields[] = {
	ROW_OPT(policy_doc_security, "runAsUser", run_as_user, JSON_ID, uint32_t),
	ROW_OPT(policy_doc_security, "runAsGroup", run_as_group, JSON_ID, uint32_t),
};
TYPE_CLOSED(policy_doc_security, NULL);

static const struct json_field policy_doc_profile_fields[] = {
	ROW_STR(policy_doc_profile, "language", language, 0),
};
TYPE_CLOSED(policy_doc_profile, NULL);

/* Moves a property from its group to the top; both: "name" is given twice. */
static int lift(const char *name, void *top, void *group, struct err *e)
{
	const void *above, *below, *none = NULL;

	memcpy(&above, top, sizeof(above));
	memcpy(&below, group, sizeof(below));
	if (above && below)
		return err_msg(e, EINVAL, "%s: given twice, at the top too", name);
	if (below) {
		memcpy(top, group, sizeof(below));
		memcpy(group, &none, sizeof(none));
	}
	return 0;
}

static int check_doc(struct arena *a, void *object, struct err *e)
{
	struct policy_doc *d = object;
	const struct {
		const char *name;
		void *top, *group;
	} pairs[] = {
		{"profile: language",           &d->language,       &d->profile.language         },
		{"resources: cpuPinning",       &d->cpu_pinning,    &d->resources.cpu_pinning    },
		{"filesystem: readOnlyRoot",    &d->read_only_root, &d->filesystem.read_only_root},
		{"filesystem: writablePaths",   &d->writable_paths, &d->filesystem.writable_paths},
		{"securityContext: runAsUser",  &d->run_as_user,    &d->security.run_as_user     },
		{"securityContext: runAsGroup", &d->run_as_group,   &d->security.run_as_group    },
	};

	(void)a;
	for (size_t i = 0; i < LEN(pairs); i++)
		if (lift(pairs[i].name, pairs[i].top, pairs[i].group, e) < 0)
			return -e->code;
	if (!d->n_writable_paths)
		d->n_writable_paths = d->filesystem.n_writable_paths;
	d->filesystem.n_writable_paths = 0;
	return 0;
}

static const struct json_field policy_doc_fields[] = {
	ROW_STR(policy_doc, "securityLevel", security_level, 0),
	ROW_STR(policy_doc, "runtime", runtime, 0),
	ROW_STR(policy_doc, "language", language, 0),
	ROW_TEXT(policy_doc, "timeout", timeout),
	ROW_TEXT(policy_doc, "cpuPinning", cpu_pinning),
	ROW_OPT(policy_doc, "readOnlyRoot", read_only_root, JSON_BOOL, bool),
	ROW_STRS(policy_doc, "writablePaths", writable_paths, n_writable_paths, 0),
	ROW_OPT(policy_doc, "runAsUser", run_as_user, JSON_ID, uint32_t),
	ROW_OPT(policy_doc, "runAsGroup", run_as_group, JSON_ID, uint32_t),
	ROW_SUB(policy_doc, "profile", profile, policy_doc_profile, 0),
	ROW_SUB(policy_doc, "resources", resources, policy_doc_resources, 0),
	ROW_SUB(policy_doc, "networkAccess", network, policy_doc_network, 0),
	ROW_SUB(policy_doc, "filesystem", filesystem, policy_doc_filesystem, 0),
	ROW_SUB(policy_doc, "securityContext", security, policy_doc_security, 0),
};
TYPE_CLOSED(policy_doc, check_doc);

const struct json_type *policy_doc_type(void)
{
	return &policy_doc_type_;
}

int policy_doc_parse(struct arena *a, const char *json, size_t len, struct policy_doc *out,
		     struct err *e)
{
	*out = (struct policy_doc){0};
	return json_read(a, &policy_doc_type_, json, len, POLICY_DOC_MAX_BYTES, out, e);
}

char *policy_doc_print(struct arena *a, const struct policy_doc *d, size_t *len)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_print_type(&o, &policy_doc_type_, d);
	return json_done(&o, len);
}
