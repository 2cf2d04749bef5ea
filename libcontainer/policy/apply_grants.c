/* Grants as mounts and as a rule of the filter; who may see which path of the host. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "policy/mount_edit.h"

/* Words of the kernel's about a path say nothing of whether it may be seen. */
static bool is_fatal(const struct policy_granted *g)
{
	return g->by == BY_FLAG;
}

static int deny(struct apply *x, struct policy_granted *g, struct err *e)
{
	g->denied = arena_strdup(x->a, e->msg);
	policy_note(x->a, x->p,
		    &(struct policy_decision){"grants", "(none)", g->by, g->grant.text,
					      is_fatal(g) ? OUTCOME_REFUSED : OUTCOME_CUT,
					      g->denied});
	if (!is_fatal(g))
		return 0;
	return err_wrap(e, "--grant %.200s", g->grant.text);
}

static bool may_execute(const struct apply *x, const char *path)
{
	const struct policy_exec *exec = &x->p->exec;

	for (size_t i = 0; i < exec->n_allow; i++)
		if (apply_is_below(path, exec->allow[i]))
			return true;
	return false;
}

/* brig.is: fs/bind.c shows this file or none.  Without what is mounted below it. */
static void mount_of(struct apply *x, const struct policy_granted *g,
		     const struct policy_host_path *h, struct oci_mount *out)
{
	const char **words = arena_array(x->a, 7, sizeof(*words));
	size_t n = 0;

	words[n++] = "bind";
	words[n++] = "ro";
	words[n++] = "nosuid";
	words[n++] = "nodev";
	words[n++] = "private";
	if (!may_execute(x, g->grant.path))
		words[n++] = "noexec";
	words[n++] = arena_printf(x->a, "brig.is=%llx:%llx", (unsigned long long)h->dev,
				  (unsigned long long)h->ino);
	*out = (struct oci_mount){.destination = g->grant.path,
				  .type = "bind",
				  .source = h->real,
				  .options = words,
				  .n_options = n};
}

static int add_read(struct apply *x, struct policy_granted *g, struct oci_mount *list, size_t *n,
		    struct err *e)
{
	bool tenant = g->by != BY_FLAG && g->by != BY_ADMIN;
	struct policy_host_path h;

	if (policy_host_open(x->a, &x->p->admin, x->f, g->grant.path, tenant, &h, e) < 0)
		return deny(x, g, e);
	(void)close(h.fd);
	mount_of(x, g, &h, &list[(*n)++]);
	return 0;
}

/* A plain user's mounts are his sandbox's, which nobody but its own processes is in. */
static int check_end(struct apply *x, struct policy_granted *g, struct err *e)
{
	bool place = g->grant.kind == GRANT_READ || g->grant.kind == GRANT_WRITE;

	if (!place || !g->grant.ttl_ms || !x->f->rootless)
		return 0;
	(void)err_msg(
		e, EPERM,
		"the mounts of a plain user's sandbox cannot be changed while it runs: without "
		"ttl and until");
	return deny(x, g, e);
}

int apply_grants(struct apply *x, struct err *e)
{
	struct policy *p = x->p;
	struct oci_mount *list = arena_array(x->a, x->c->n_mounts + p->n_grants + 1, sizeof(*list));
	size_t n = x->c->n_mounts;

	if (!p->n_grants)
		return 0;
	if (n)
		memcpy(list, x->c->mounts, n * sizeof(*list));
	for (size_t i = 0; i < p->n_grants; i++)
		if (check_end(x, &p->grants[i], e) < 0)
			return -e->code;
	for (size_t i = 0; i < p->n_grants; i++)
		if (p->grants[i].grant.kind == GRANT_READ && !p->grants[i].denied &&
		    add_read(x, &p->grants[i], list, &n, e) < 0)
			return -e->code;
	x->c->mounts = list;
	x->c->n_mounts = n;
	return 0;
}

bool policy_is_held(const struct policy_granted *g)
{
	return !g->denied && g->grant.kind != GRANT_NETWORK;
}

bool policy_has_held(const struct policy *p)
{
	for (size_t i = 0; p && i < p->n_grants; i++)
		if (policy_is_held(&p->grants[i]))
			return true;
	return false;
}

bool policy_has_timed(const struct policy *p)
{
	for (size_t i = 0; i < p->n_grants; i++)
		if (!p->grants[i].denied && p->grants[i].grant.ttl_ms &&
		    p->grants[i].grant.kind != GRANT_NETWORK)
			return true;
	return false;
}

/* What is in memory has no path that a rule could be about. */
void apply_exec_filter(struct apply *x)
{
	static const char *const names[] = {"memfd_create", NULL};
	struct oci_seccomp *s = arena_new(x->a, sizeof(*s));

	if (!x->p->exec.limited)
		return;
	*s = (struct oci_seccomp){.default_action = "SCMP_ACT_ALLOW"};
	if (x->linux_->seccomp)
		*s = *x->linux_->seccomp;
	struct oci_seccomp_rule *rules = arena_array(x->a, s->n_syscalls + 1, sizeof(*rules));
	size_t n = 0;
	/* Of what config.json says of it nothing is left: rules of one call would contradict. */
	for (size_t i = 0; i < s->n_syscalls; i++) {
		const struct oci_seccomp_rule *r = &s->syscalls[i];
		const char **kept = arena_array(x->a, r->n_names + 1, sizeof(*kept));

		rules[n] = *r;
		rules[n].names = kept;
		rules[n].n_names = 0;
		for (size_t k = 0; k < r->n_names; k++)
			if (!str_eq(r->names[k], names[0]))
				kept[rules[n].n_names++] = r->names[k];
		n += rules[n].n_names > 0;
	}
	rules[n++] = (struct oci_seccomp_rule){names, 1, "SCMP_ACT_ERRNO", NULL, NULL, 0};
	s->syscalls = rules;
	s->n_syscalls = n;
	x->linux_->seccomp = s;
	apply_set(x, "linux.seccomp", "memfd_create: EPERM", "what is executed is limited");
}
