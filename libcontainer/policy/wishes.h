#ifndef BRIG_POLICY_WISHES_H
#define BRIG_POLICY_WISHES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/err.h"
#include "policy/policy.h"

/* The annotations dev.brig.* of config.json; an unknown one is an error. */
int wishes_annotations(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		       struct err *e) MUST_CHECK;
/* At level custom: one that asks for what only a level does is an error, others are not ours. */
int wishes_none(const struct oci_config *c, struct err *e) MUST_CHECK;
/* At custom: only those about the network, which config.json has no words for. */
int wishes_network(struct arena *a, const struct oci_config *c, struct policy_wishes *out,
		   struct err *e) MUST_CHECK;
/* NULL: there is no such annotation. */
const char *wishes_annotation(const struct oci_config *c, const char *name);

/*
 * Changes p->level to what is asked for, each change a decision.  bound: what a wish may not be
 * weaker than; NULL: the level as it stands.
 */
int wishes_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e) MUST_CHECK;

/* How a source calls what it asks for: "annotation dev.brig.cpu.pin", "policy document: timeout".
 */
const char *wishes_who(struct arena *a, enum policy_source by, const char *field);

/*
 * Grants and connections inward of one source: what is beyond the ceiling is cut, of a flag
 * refused.
 */
int network_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		  enum policy_source by, struct err *e) MUST_CHECK;
/*
 * The grants of one source: network, limits and writable places as the wishes they are, the rest
 * for policy_apply.  bound: as in wishes_merge.
 */
int grants_merge(struct arena *a, struct policy *p, const struct policy_wishes *w,
		 enum policy_source by, const struct level *bound, struct err *e) MUST_CHECK;
/* The annotation dev.brig.grant: a JSON list of strings.  to: struct policy_wishes. */
int wish_grants(struct arena *a, const char *text, void *to, struct err *e) MUST_CHECK;
/* capabilities of a document. */
struct policy_doc;
int wish_doc_grants(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		    struct err *e) MUST_CHECK;

/* After all sources: the grants of brig.json, sorted, each once. */
int network_finish(struct arena *a, struct policy *p, struct err *e) MUST_CHECK;

/*
 * Annotations: [{"d":"api.example.org","p":[443],"proto":"tcp","ttl":"30s","private":true},
 * {"cidr":"203.0.113.0/24"}]; false or [{"from":"node","ports":[8080],"proto":"tcp"}].  to: struct
 * policy_wishes.
 */
int wish_egress_list(struct arena *a, const char *text, void *to, struct err *e) MUST_CHECK;
int wish_ingress_list(struct arena *a, const char *text, void *to, struct err *e) MUST_CHECK;
/* networkAccess of a document. */
int wish_doc_network(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		     struct err *e) MUST_CHECK;

/* Milliseconds: a Go duration (1m30s) or a plain number of them. */
int wish_duration(const char *text, uint64_t *ms, struct err *e) MUST_CHECK;
/* 64Mi, 512M, a plain number; not negative. */
int wish_size(const char *text, uint64_t *bytes, struct err *e) MUST_CHECK;
/* CPUs: 2, 0.5 or 500m. */
int wish_cpus(const char *text, double *cpus, struct err *e) MUST_CHECK;
/* path[:size[:noexec]] */
int wish_write(struct arena *a, const char *text, struct policy_write *out,
	       struct err *e) MUST_CHECK;

/* DEVICE:rbps=10M,wbps=1M,riops=100,wiops=50: at least one rate */
int wish_io(struct arena *a, const char *text, struct policy_io *out, struct err *e) MUST_CHECK;

#endif
