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
	ROW_TEXT(policy_doc_resources, "openFiles", open_files),
	ROW_TEXT(policy_doc_resources, "swap", swap),
	ROW_TEXT(policy_doc_resources, "fileSize", file_size),
	ROW_TEXT(policy_doc_resources, "inodes", inodes),
	ROW_TEXT(policy_doc_resources, "output", output),
	ROW_STRS(policy_doc_resources, "io", io, n_io, 0),
};
TYPE_CLOSED(policy_doc_resources, NULL);

static int check_port(struct arena *a, void *object, struct err *e)
{
	const struct policy_doc_port *p = object;

	(void)a;
	return p->port ? 0 : err_msg(e, EINVAL, "port: missing");
}

static const struct json_field policy_doc_port_fields[] = {
	ROW_TEXT(policy_doc_port, "port", port), /* first: what a plain value is */
	ROW_STR(policy_doc_port, "protocol", protocol, 0),
};
TYPE_CLOSED(policy_doc_port, check_port);

static int check_egress(struct arena *a, void *object, struct err *e)
{
	const struct policy_doc_egress *g = object;

	(void)a;
	if (!g->domain && !g->cidr)
		return err_msg(e, EINVAL, "domain: missing");
	if (g->domain && g->cidr)
		return err_msg(e, EINVAL, "domain, cidr: one of them");
	return 0;
}

static const struct json_field policy_doc_egress_fields[] = {
	ROW_STR(policy_doc_egress, "domain", domain, 0),
	ROW_STR(policy_doc_egress, "cidr", cidr, 0),
	ROW_SHORT(policy_doc_egress, "ports", ports, n_ports, policy_doc_port, JSON_SHORT),
	ROW_STR(policy_doc_egress, "protocol", protocol, 0),
	ROW_TEXT(policy_doc_egress, "ttl", ttl),
	ROW_OPT(policy_doc_egress, "private", is_private, JSON_BOOL, bool),
};
TYPE_CLOSED(policy_doc_egress, check_egress);

static const struct json_field policy_doc_ingress_fields[] = {
	ROW_TEXT(policy_doc_ingress, "from", from), /* first: what a plain value is */
	ROW_SHORT(policy_doc_ingress, "ports", ports, n_ports, policy_doc_port, JSON_SHORT),
	ROW_STR(policy_doc_ingress, "protocol", protocol, 0),
};
TYPE_CLOSED(policy_doc_ingress, NULL);

static const struct json_field policy_doc_network_fields[] = {
	ROW_OBJS(policy_doc_network, "egress", egress, n_egress, policy_doc_egress),
	ROW_SHORT(policy_doc_network, "ingress", ingress, n_ingress, policy_doc_ingress, JSON_ONE),
	ROW_STRS(policy_doc_network, "allowedDomains", allowed_domains, n_allowed_domains, 0),
	ROW_SHORT(policy_doc_network, "allowedPorts", allowed_ports, n_allowed_ports,
		  policy_doc_port, JSON_SHORT),
	ROW_OPT(policy_doc_network, "allowDNS", allow_dns, JSON_BOOL, bool),
	ROW_OPT(policy_doc_network, "denyByDefault", deny_by_default, JSON_BOOL, bool),
	ROW_OPT(policy_doc_network, "blockKubeAPI", block_kube_api, JSON_BOOL, bool),
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

static const struct json_field policy_doc_word_fields[] = {
	ROW_TEXT(policy_doc_word, "word", word), /* first: what a plain value is */
};
TYPE_CLOSED(policy_doc_word, NULL);

static const struct json_field policy_doc_capabilities_fields[] = {
	ROW_SHORT(policy_doc_capabilities, "fileSystemRead", read, n_read, policy_doc_word,
		  JSON_SHORT | JSON_ONE),
	ROW_SHORT(policy_doc_capabilities, "fileSystemWrite", write, n_write, policy_doc_word,
		  JSON_SHORT | JSON_ONE),
	ROW_SHORT(policy_doc_capabilities, "network", network, n_network, policy_doc_word,
		  JSON_SHORT | JSON_ONE),
	ROW_OPT(policy_doc_capabilities, "shell", shell, JSON_BOOL, bool),
	ROW_STRS(policy_doc_capabilities, "execute", execute, n_execute, 0),
	ROW_STRS(policy_doc_capabilities, "grants", grants, n_grants, 0),
};
TYPE_CLOSED(policy_doc_capabilities, NULL);

/* Moves a property to where it is read; both: "name" is given twice. */
static int lift(const char *name, void *top, void *group, struct err *e)
{
	const void *above, *below, *none = NULL;

	memcpy(&above, top, sizeof(above));
	memcpy(&below, group, sizeof(below));
	if (above && below)
		return err_msg(e, EINVAL, "%s: given twice", name);
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
	if (d->timeout && d->max_execution_time)
		return err_msg(e, EINVAL, "timeout, maxExecutionTime: given twice");
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
	ROW_TEXT(policy_doc, "maxExecutionTime", max_execution_time),
	ROW_TEXT(policy_doc, "maxCPUTime", max_cpu_time),
	ROW_TEXT(policy_doc, "gracePeriod", grace_period),
	ROW_TEXT(policy_doc, "maxNetworkRequests", max_network_requests),
	ROW_TEXT(policy_doc, "max_network_bandwidth_bps", max_network_bandwidth),
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
	ROW_SUB(policy_doc, "capabilities", capabilities, policy_doc_capabilities, 0),
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
	return json_print_object(a, &policy_doc_type_, d, len);
}
