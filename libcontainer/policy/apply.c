#include "policy/apply.h"

#include <errno.h>
#include <string.h>

#include "base/own.h"
#include "base/str.h"

/* --- what the subjects share -------------------------------------------------------------- */

static void note(struct apply *x, const struct policy_decision *d)
{
	policy_note(x->a, x->p, d);
}

void apply_cut(struct apply *x, const char *field, const char *asked, const char *value,
	       const char *reason)
{
	note(x, &(struct policy_decision){field, value, BY_LEVEL, asked, OUTCOME_CUT, reason});
}

void apply_set(struct apply *x, const char *field, const char *value, const char *reason)
{
	note(x, &(struct policy_decision){field, value, BY_LEVEL, NULL, OUTCOME_SET, reason});
}

int apply_refuse(struct apply *x, const char *field, const char *asked, const char *reason,
		 struct err *e)
{
	note(x,
	     &(struct policy_decision){field, "(none)", BY_LEVEL, asked, OUTCOME_REFUSED, reason});
	return err_msg(e, EPERM, "%s: %s is refused: %s", field, asked, reason);
}

bool apply_is_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	if (str_eq(dir, "/"))
		return true;
	return strncmp(path, dir, n) == 0 && (path[n] == '\0' || path[n] == '/');
}

char *apply_join(struct arena *a, const char *const *words, size_t n, const char *separator)
{
	size_t len = 1, gap = strlen(separator);

	for (size_t i = 0; i < n; i++)
		len += strlen(words[i]) + gap;
	char *out = arena_new(a, len), *end = out;
	for (size_t i = 0; i < n; i++) {
		if (i)
			end = stpcpy(end, separator);
		end = stpcpy(end, words[i]);
	}
	return out;
}

/* --- ids ---------------------------------------------------------------------------------- */

static bool in_mappings(const struct oci_id_mapping *m, size_t n, uint32_t id)
{
	for (size_t i = 0; i < n; i++)
		if (id >= m[i].container_id && id - m[i].container_id < m[i].size)
			return true;
	return false;
}

static bool is_users(const struct oci_user *u, uint32_t id, bool group)
{
	if (id == (group ? u->gid : u->uid))
		return true;
	for (size_t i = 0; group && i < u->n_additional_gids; i++)
		if (u->additional_gids[i] == id)
			return true;
	return false;
}

bool apply_maps_id(const struct apply *x, uint32_t id, bool group)
{
	const struct oci_linux *l = x->linux_;
	const struct oci_process *p = x->c ? x->c->process : NULL;

	if (l && (l->n_uid_mappings || l->n_gid_mappings))
		return group ? in_mappings(l->gid_mappings, l->n_gid_mappings, id)
			     : in_mappings(l->uid_mappings, l->n_uid_mappings, id);
	if (x->f->rootless || x->f->nested)
		return id < x->f->own_ids;
	if (id == 0 || (p && is_users(&p->user, id, group)))
		return true;
	return !str_eq(x->l->ids, "needed") && id < 65536;
}

/* --- order -------------------------------------------------------------------------------- */

static int check_preserved(struct apply *x, struct err *e)
{
	if (!x->f->preserve_fds || apply_on(x->l->preserve_fds))
		return 0;
	return apply_refuse(
		x, "preserve-fds", arena_printf(x->a, "%u", x->f->preserve_fds),
		"descriptors of the caller (LISTEN_FDS counts too) lead out of the sandbox", e);
}

static int apply_main_process(struct apply *x, struct err *e)
{
	struct oci_process *p = arena_new(x->a, sizeof(*p));

	if (!x->c->process)
		return 0;
	*p = *x->c->process;
	x->c->process = p;
	return apply_process(x, p, e);
}

/*
 * The namespaces first: which ids are mapped is asked by the mounts.  Every subject is gone
 * through even after a refusal, so that the decisions show all that is in the way; the first
 * refusal is the error.
 */
int policy_apply(struct arena *a, struct policy *p, const struct policy_facts *f,
		 struct oci_config *io, struct err *e)
{
	static int (*const subjects[])(struct apply *, struct err *) = {
		check_preserved, apply_namespaces, apply_root,         apply_grants,
		apply_mounts,    apply_devices,    apply_sysctls,      apply_seccomp,
		apply_resources, apply_hooks,      apply_main_process, apply_asked,
	};
	struct apply x = {.a = a, .p = p, .l = &p->level, .f = f, .c = io};
	int first = 0;

	/* In direct mode the options are its config.json. */
	if (p->custom && !p->direct)
		return 0;
	x.linux_ = arena_new(a, sizeof(*x.linux_));
	if (io->linux_)
		*x.linux_ = *io->linux_;
	io->linux_ = x.linux_;
	if (p->custom)
		return apply_asked(&x, e);
	for (size_t i = 0; i < LEN(subjects); i++) {
		struct err later = {0};
		int r = subjects[i](&x, first ? &later : e);

		if (!first && r < 0)
			first = r;
	}
	return first;
}

int policy_apply_process(struct arena *a, struct policy *p, const struct policy_facts *f,
			 struct oci_process *io, struct err *e)
{
	struct apply x = {.a = a, .p = p, .l = &p->level, .f = f};

	if (p->custom)
		return 0;
	if (check_preserved(&x, e) < 0)
		return -e->code;
	int r = apply_process(&x, io, e);
	if (r == 0)
		apply_asked_process(&x, io);
	return r;
}
