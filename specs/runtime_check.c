#include "specs/runtime_check.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/runtime.h"

/* How many characters of a wrong word an error shows. */
enum { SHOWN = 64 };

static bool absolute(const char *path)
{
	return path[0] == '/';
}

/* Digits without a leading zero; what follows them, NULL if there are none. */
static const char *version_number(const char *s)
{
	size_t n = strspn(s, "0123456789");

	return !n || (n > 1 && *s == '0') ? NULL : s + n;
}

/* Identifiers between dots, none empty, up to end. */
static bool version_words(const char *s, const char *end)
{
	for (bool empty = true; s <= end; s++) {
		if (s == end || *s == '.') {
			if (empty)
				return false;
			empty = true;
		} else if (isalnum((unsigned char)*s) || *s == '-') {
			empty = false;
		} else {
			return false;
		}
	}
	return true;
}

/* SemVer 2.0.0 with major version 1: 1.3.0, 1.0.2-dev, 1.2.0-rc.1+build.5 */
static bool version_1(const char *s)
{
	if (!str_starts(s, "1."))
		return false;
	s = version_number(s + 2);
	if (!s || *s != '.')
		return false;
	s = version_number(s + 1);
	if (!s)
		return false;
	const char *end = s + strlen(s), *plus = strchr(s, '+');
	if (plus && !version_words(plus + 1, end))
		return false;
	if (plus)
		end = plus;
	return s == end || (*s == '-' && version_words(s + 1, end));
}

int check_config(struct arena *a, void *object, struct err *e)
{
	const struct oci_config *c = object;

	(void)a;
	if (!version_1(c->oci_version))
		return err_msg(e, EINVAL, "ociVersion: \"%.*s\" is not a 1.x version", SHOWN,
			       c->oci_version);
	return 0;
}

int check_root(struct arena *a, void *object, struct err *e)
{
	const struct oci_root *r = object;

	(void)a;
	return *r->path ? 0 : err_msg(e, EINVAL, "path: empty");
}

int check_mount(struct arena *a, void *object, struct err *e)
{
	const struct oci_mount *m = object;

	(void)a;
	if (!*m->destination)
		return err_msg(e, EINVAL, "destination: empty");
	if (!m->n_uid_mappings != !m->n_gid_mappings)
		return err_msg(e, EINVAL, "uidMappings and gidMappings: one without the other");
	return 0;
}

int check_rlimit(struct arena *a, void *object, struct err *e)
{
	const struct oci_rlimit *r = object;
	const char *s = r->type;

	(void)a;
	if (str_starts(s, "RLIMIT_") && s[7] &&
	    strspn(s + 7, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(s + 7))
		return 0;
	return err_msg(e, EINVAL, "type: \"%.*s\" is not RLIMIT_ and capitals", SHOWN, s);
}

static bool cpu_list(const char *s)
{
	return !s || s[strspn(s, "0123456789, -")] == '\0';
}

int check_affinity(struct arena *a, void *object, struct err *e)
{
	const struct oci_cpu_affinity *c = object;

	(void)a;
	if (!cpu_list(c->initial))
		return err_msg(e, EINVAL, "initial: not a list of CPUs");
	if (!cpu_list(c->final))
		return err_msg(e, EINVAL, "final: not a list of CPUs");
	return 0;
}

static int check_rlimits_differ(const struct oci_process *p, struct err *e)
{
	/* One bound for all: more limits than the kernel has are wrong words, said elsewhere. */
	for (size_t i = 0; i < p->n_rlimits && i < 64; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(p->rlimits[i].type, p->rlimits[j].type) == 0)
				return err_msg(e, EINVAL, "rlimits[%zu]: %.*s given twice", i,
					       SHOWN, p->rlimits[i].type);
	return 0;
}

int check_process(struct arena *a, void *object, struct err *e)
{
	const struct oci_process *p = object;

	(void)a;
	if (p->args && !p->n_args)
		return err_msg(e, EINVAL, "args: empty");
	if (!absolute(p->cwd))
		return err_msg(e, EINVAL, "cwd: \"%.*s\" is not absolute", SHOWN, p->cwd);
	if (p->oom_score_adj && (*p->oom_score_adj < -1000 || *p->oom_score_adj > 1000))
		return err_msg(e, ERANGE, "oomScoreAdj: %lld does not fit",
			       (long long)*p->oom_score_adj);
	/* Passed on as it is: engines send it, and the kernel does not care. */
	for (size_t i = 0; i < p->n_env; i++)
		if (!strchr(p->env[i], '='))
			log_debug("process: env[%zu]: no '='", i);
	return check_rlimits_differ(p, e);
}

int check_hook(struct arena *a, void *object, struct err *e)
{
	const struct oci_hook *h = object;

	(void)a;
	if (!absolute(h->path))
		return err_msg(e, EINVAL, "path: \"%.*s\" is not absolute", SHOWN, h->path);
	if (h->timeout && *h->timeout <= 0)
		return err_msg(e, ERANGE, "timeout: %lld is not greater than 0",
			       (long long)*h->timeout);
	return 0;
}

static const char *const namespace_types[] = {"pid", "network", "mount", "ipc",
					      "uts", "user",    "time",  "cgroup"};

int check_namespace(struct arena *a, void *object, struct err *e)
{
	const struct oci_namespace *n = object;
	bool known = false;

	(void)a;
	for (size_t i = 0; i < LEN(namespace_types); i++)
		known |= strcmp(n->type, namespace_types[i]) == 0;
	if (!known)
		return err_msg(e, EINVAL, "type: \"%.*s\" is not a namespace", SHOWN, n->type);
	if (n->path && !absolute(n->path))
		return err_msg(e, EINVAL, "path: \"%.*s\" is not absolute", SHOWN, n->path);
	return 0;
}

int check_device(struct arena *a, void *object, struct err *e)
{
	struct oci_device *d = object;

	if (strlen(d->type) != 1 || !strchr("cbup", d->type[0]))
		return err_msg(e, EINVAL, "type: \"%.*s\" is not one of c b u p", SHOWN, d->type);
	if (d->type[0] != 'p' && !d->major)
		return err_msg(e, EINVAL, "major: missing");
	if (d->type[0] != 'p' && !d->minor)
		return err_msg(e, EINVAL, "minor: missing");
	/* Engines copy st_mode, with the bits of the file type: 020666. */
	if (d->file_mode && *d->file_mode > 07777) {
		uint32_t *mode = arena_new(a, sizeof(*mode));

		*mode = *d->file_mode & 07777;
		d->file_mode = mode;
	}
	return 0;
}

int check_hugepage(struct arena *a, void *object, struct err *e)
{
	const struct oci_hugepage_limit *h = object;
	const char *unit = version_number(h->page_size);

	(void)a;
	if (unit && *h->page_size != '0' && *unit && strchr("KMG", *unit) && str_eq(unit + 1, "B"))
		return 0;
	return err_msg(e, EINVAL, "pageSize: \"%.*s\" is not a size such as 2MB", SHOWN,
		       h->page_size);
}

int check_syscall(struct arena *a, void *object, struct err *e)
{
	const struct oci_seccomp_rule *r = object;

	(void)a;
	return r->n_names ? 0 : err_msg(e, EINVAL, "names: empty");
}

int check_seccomp(struct arena *a, void *object, struct err *e)
{
	const struct oci_seccomp *s = object;

	(void)a;
	if (s->listener_metadata && !s->listener_path)
		return err_msg(e, EINVAL, "listenerMetadata: given without listenerPath");
	return 0;
}

int check_intel_rdt(struct arena *a, void *object, struct err *e)
{
	const struct oci_intel_rdt *r = object;

	(void)a;
	if (r->mem_bw_schema && !str_starts(r->mem_bw_schema, "MB:"))
		return err_msg(e, EINVAL, "memBwSchema: does not begin with MB:");
	if (r->mem_bw_schema && strchr(r->mem_bw_schema, '\n'))
		return err_msg(e, EINVAL, "memBwSchema: more than one line");
	for (size_t i = 0; i < r->n_schemata; i++)
		if (strchr(r->schemata[i], '\n'))
			return err_msg(e, EINVAL, "schemata[%zu]: more than one line", i);
	return 0;
}

static int check_paths(const char *name, const char *const *paths, size_t n, struct err *e)
{
	for (size_t i = 0; i < n; i++)
		if (!absolute(paths[i]))
			return err_msg(e, EINVAL, "%s[%zu]: \"%.*s\" is not absolute", name, i,
				       SHOWN, paths[i]);
	return 0;
}

int check_linux(struct arena *a, void *object, struct err *e)
{
	const struct oci_linux *l = object;

	(void)a;
	/* Eight types: the ninth entry at the latest is a second one. */
	for (size_t i = 0; i < l->n_namespaces; i++)
		for (size_t j = 0; j < i; j++)
			if (strcmp(l->namespaces[i].type, l->namespaces[j].type) == 0)
				return err_msg(e, EINVAL, "namespaces[%zu]: %s given twice", i,
					       l->namespaces[i].type);
	if (check_paths("maskedPaths", l->masked_paths, l->n_masked_paths, e) < 0)
		return -e->code;
	return check_paths("readonlyPaths", l->readonly_paths, l->n_readonly_paths, e);
}
