#ifndef BRIG_SPECS_POLICY_DOC_H
#define BRIG_SPECS_POLICY_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

struct json_type;

/*
 * A sandbox platform's document (`run --policy FILE`), in the words such platforms use; a
 * property that stands at the top in one and in a group in another may be at either place.
 * What is not known is an error: ignoring it would not do what it asks.
 */
struct policy_doc_resources {
	const char *cpu;               /* 2, 0.5, 500m */
	const char *memory;            /* 512Mi */
	const char *ephemeral_storage; /* bytes over all writable paths */
	const char *cpu_pinning;       /* none, cpus, cores; true is cpus, false is not said */
	const char *pids, *open_files;
	const char *swap, *file_size, *inodes, *output;
	const char *const *io; /* DEVICE:rbps=10M,... */
	size_t n_io;
};

/* 443, "8000-8100" or {"port": 443, "protocol": "TCP"} */
struct policy_doc_port {
	const char *port;
	const char *protocol; /* tcp, udp, icmp in either case; NULL: that of the list */
};

struct policy_doc_egress {
	const char *domain, *cidr; /* one of them */
	const struct policy_doc_port *ports;
	size_t n_ports;
	const char *protocol, *ttl;
	const bool *is_private;
};

/* true, false, or from whom and to which ports */
struct policy_doc_ingress {
	const char *from; /* node, any, an address; true: any, false: nobody */
	const struct policy_doc_port *ports;
	size_t n_ports;
	const char *protocol;
};

struct policy_doc_network {
	const struct policy_doc_egress *egress;
	size_t n_egress;
	const struct policy_doc_ingress *ingress;
	size_t n_ingress;
	const char *const *allowed_domains;
	size_t n_allowed_domains;
	const struct policy_doc_port *allowed_ports; /* of allowed_domains */
	size_t n_allowed_ports;
	const bool *allow_dns, *deny_by_default, *block_kube_api;
};

struct policy_doc_filesystem {
	const bool *read_only_root;
	const char *const *writable_paths; /* path[:size[:noexec]] */
	size_t n_writable_paths;
};

struct policy_doc_security {
	const uint32_t *run_as_user, *run_as_group;
};

struct policy_doc_profile {
	const char *language;
};

struct policy_doc_word {
	const char *word;
};

/* What a program may do beside the rest, as specs/grant.h has it; false: nothing of the kind. */
struct policy_doc_capabilities {
	const struct policy_doc_word *read;    /* fileSystemRead: paths of the host */
	const struct policy_doc_word *write;   /* fileSystemWrite: PATH[:SIZE] */
	const struct policy_doc_word *network; /* NAME[:PORTS] */
	size_t n_read, n_write, n_network;
	const bool *shell;          /* false: no program but the first one */
	const char *const *execute; /* and those */
	const char *const *grants;  /* whole grants */
	size_t n_execute, n_grants;
};

struct policy_doc {
	const char *security_level;
	const char *runtime; /* python:3.10; for people and for images */
	const char *language, *timeout, *cpu_pinning;
	const char *max_execution_time; /* another word for timeout; both are an error */
	const char *max_cpu_time, *grace_period;
	const char *max_network_requests;  /* new connections in its life */
	const char *max_network_bandwidth; /* bits a second */
	const bool *read_only_root;
	const char *const *writable_paths;
	size_t n_writable_paths;
	const uint32_t *run_as_user, *run_as_group;
	struct policy_doc_profile profile;
	struct policy_doc_resources resources;
	struct policy_doc_network network;
	struct policy_doc_filesystem filesystem;
	struct policy_doc_security security;
	struct policy_doc_capabilities capabilities;
};

enum { POLICY_DOC_MAX_BYTES = 1 << 20 };

/* A property at both its places is an error; afterwards the upper one has it. */
int policy_doc_parse(struct arena *a, const char *json, size_t len, struct policy_doc *out,
		     struct err *e) MUST_CHECK;
char *policy_doc_print(struct arena *a, const struct policy_doc *d, size_t *len);
const struct json_type *policy_doc_type(void);

#endif
