/* A platform's document as wishes. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "policy/policy.h"
#include "policy/wishes.h"
#include "specs/policy_doc.h"

/* What platforms call a language beside our own words. */
static const struct {
	const char *name, *language;
} languages[] = {
	{"nodejs",     "node"  },
        {"javascript", "node"  },
        {"typescript", "node"  },
        {"bash",       "shell" },
	{"sh",         "shell" },
        {"go",         "native"},
        {"rust",       "native"},
        {"c",          "native"},
	{"c++",        "native"},
        {"java",       "jvm"   },
        {"kotlin",     "jvm"   },
        {"scala",      "jvm"   },
};

static const char *language_of(const char *name)
{
	for (size_t i = 0; name && i < LEN(languages); i++)
		if (str_eq(languages[i].name, name))
			return languages[i].language;
	return name;
}

/* true is the pinning there is; false says that it is not asked for, not that it is unwanted. */
static const char *pin_of(const char *text)
{
	if (str_eq(text, "true"))
		return "cpus";
	return str_eq(text, "false") ? NULL : text;
}

static int take_size(struct arena *a, const char *text, const uint64_t **to, struct err *e)
{
	uint64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	return text ? wish_size(text, n, e) : 0;
}

static int take_count(struct arena *a, const char *text, const int64_t **to, struct err *e)
{
	int64_t *n = arena_new(a, sizeof(*n));

	*to = text ? n : NULL;
	if (text && (!str_i64(text, n) || *n < 0))
		return err_msg(e, EINVAL, "\"%.40s\" is no number", text);
	return 0;
}

static int take_resources(struct arena *a, const struct policy_doc_resources *r,
			  struct policy_wishes *out, struct err *e)
{
	const uint64_t *memory;

	if (r->cpu) {
		double *cpus = arena_new(a, sizeof(*cpus));

		out->cpus = cpus;
		if (wish_cpus(r->cpu, cpus, e) < 0)
			return err_wrap(e, "cpu");
	}
	if (take_size(a, r->memory, &memory, e) < 0)
		return err_wrap(e, "memory");
	if (memory) {
		int64_t *n = arena_new(a, sizeof(*n));

		*n = (int64_t)*memory; /* wish_size gives no more than INT64_MAX */
		out->memory = n;
	}
	if (take_size(a, r->ephemeral_storage, &out->disk, e) < 0)
		return err_wrap(e, "ephemeralStorage");
	return take_count(a, r->pids, &out->pids, e) < 0 ? err_wrap(e, "pids") : 0;
}

static int take_network(struct arena *a, const struct policy_doc_network *n,
			struct policy_wishes *out, struct err *e)
{
	const char **names = arena_array(a, n->n_egress + 1, sizeof(*names));

	if (n->ingress && *n->ingress)
		return err_msg(e, ENOTSUP,
			       "networkAccess: ingress: only false is possible in this version");
	for (size_t i = 0; i < n->n_egress; i++)
		names[i] = n->egress[i].domain;
	out->egress = n->n_egress ? names : NULL;
	out->n_egress = n->n_egress;
	return 0;
}

static int take_all(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
		    struct err *e)
{
	out->level = d->security_level;
	out->language = language_of(d->language);
	out->root_readonly = d->read_only_root;
	out->pin = pin_of(d->cpu_pinning);
	if (d->timeout) {
		uint64_t *ms = arena_new(a, sizeof(*ms));

		out->wall_ms = ms;
		if (wish_duration(d->timeout, ms, e) < 0)
			return err_wrap(e, "timeout");
	}
	if (take_resources(a, &d->resources, out, e) < 0)
		return err_wrap(e, "resources");
	out->write = arena_array(a, d->n_writable_paths + 1, sizeof(*out->write));
	out->n_write = d->n_writable_paths;
	for (size_t i = 0; i < d->n_writable_paths; i++)
		if (wish_write(a, d->writable_paths[i], &out->write[i], e) < 0)
			return err_wrap(e, "writablePaths[%zu]", i);
	return take_network(a, &d->network, out, e);
}

int policy_wishes_document(struct arena *a, const struct policy_doc *d, struct policy_wishes *out,
			   struct err *e)
{
	*out = (struct policy_wishes){0};
	return take_all(a, d, out, e) < 0 ? err_wrap(e, "policy document") : 0;
}

int policy_doc_load(struct arena *a, const char *path, struct policy_doc *out, struct err *e)
{
	char *text;
	size_t len;
	int r = file_read(a, AT_FDCWD, path, POLICY_DOC_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	r = policy_doc_parse(a, text, len, out, e);
	return r < 0 ? err_wrap(e, "%s", path) : 0;
}
