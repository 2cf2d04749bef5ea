#ifndef BRIG_POLICY_APPLY_H
#define BRIG_POLICY_APPLY_H

#include "policy/policy.h"

/* What the files apply*.c share: one config.json on its way to what is carried out. */
struct apply {
	struct arena *a;
	struct policy *p;
	const struct level *l; /* of p */
	const struct policy_facts *f;
	struct oci_config *c;     /* NULL for one more process */
	struct oci_linux *linux_; /* c->linux_, to be written */
};

/* Decisions: the level gave less than was asked, or something of its own. */
void apply_cut(struct apply *x, const char *field, const char *asked, const char *value,
	       const char *reason);
void apply_set(struct apply *x, const char *field, const char *value, const char *reason);
/* Notes it and fills *e: "linux.devices[0]: /dev/fuse is refused: ..."; returns -EPERM. */
int apply_refuse(struct apply *x, const char *field, const char *asked, const char *reason,
		 struct err *e);

static inline bool apply_on(const bool *b)
{
	return b && *b;
}

/* Whether path is dir or below it; both cleaned. */
bool apply_is_below(const char *path, const char *dir);
/* n words with a separator between them; "" for none. */
char *apply_join(struct arena *a, const char *const *words, size_t n, const char *separator);
/* Whether an id exists in the sandbox's user namespace. */
bool apply_maps_id(const struct apply *x, uint32_t id, bool group);

/* One subject each. */
int apply_namespaces(struct apply *x, struct err *e) MUST_CHECK;
int apply_mounts(struct apply *x, struct err *e) MUST_CHECK;
/* Before the mounts: those of grants are looked at like any other. */
int apply_grants(struct apply *x, struct err *e) MUST_CHECK;
/* After config.json's own filter: what grants about execution need of one. */
void apply_exec_filter(struct apply *x);
int apply_process(struct apply *x, struct oci_process *io, struct err *e) MUST_CHECK;
int apply_resources(struct apply *x, struct err *e) MUST_CHECK;
int apply_root(struct apply *x, struct err *e) MUST_CHECK;
/* Refuses an image that is the host's root or one of its interfaces. */
int apply_source_root(struct apply *x, struct err *e) MUST_CHECK;
int apply_io(struct apply *x, struct oci_resources *r, struct err *e) MUST_CHECK;
int apply_sysctls(struct apply *x, struct err *e) MUST_CHECK;
int apply_devices(struct apply *x, struct err *e) MUST_CHECK;
int apply_seccomp(struct apply *x, struct err *e) MUST_CHECK;
int apply_hooks(struct apply *x, struct err *e) MUST_CHECK;
/* Last: limits that wishes named, over whatever the others let stand. */
int apply_asked(struct apply *x, struct err *e) MUST_CHECK;
void apply_asked_process(struct apply *x, struct oci_process *p);

/* The device nodes that every container has: null zero full random urandom tty. */
bool apply_is_default_device(int64_t major, int64_t minor);

#endif
