#include "context.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "base/str.h"

#define PREFIX    "dev.brig.ctx."
#define REQUEST   "request_id"
#define PRINCIPAL "principal"

/* Never its text: a principal is not to be found in any log. */
static int check(const char *by, const char *name, const char *s, struct err *e)
{
	size_t n = strlen(s);
	bool ok = n > 0 && n <= CONTEXT_MAX;

	for (size_t i = 0; ok && i < n; i++)
		ok = s[i] >= ' ' && s[i] <= '~';
	return ok ? 0
		  : err_msg(e, EINVAL, "%s%s: not 1 to %d printable ASCII letters", by, name,
			    CONTEXT_MAX);
}

static const char *hashed(struct arena *a, const char *s)
{
	char hex[SHA256_HEX];

	sha256_hex(s, strlen(s), hex);
	return arena_printf(a, "sha256:%s", hex);
}

static int take(struct arena *a, const char *by, const char *request, const char *principal,
		struct context *out, struct err *e)
{
	*out = (struct context){0};
	if ((request && check(by, REQUEST, request, e) < 0) ||
	    (principal && check(by, PRINCIPAL, principal, e) < 0))
		return -e->code;
	out->request = request;
	out->principal = principal ? hashed(a, principal) : NULL;
	return 0;
}

int context_of(struct arena *a, const char *request, const char *principal, struct context *out,
	       struct err *e)
{
	return take(a, "--ctx ", request, principal, out, e);
}

/* --- annotations ------------------------------------------------------------------------- */

static const char *find(const struct oci_config *c, const char *key, size_t *at)
{
	for (*at = 0; *at < c->n_annotations; ++*at)
		if (str_eq(c->annotations[*at].key, key))
			return c->annotations[*at].value;
	return NULL;
}

static void hide(struct arena *a, struct oci_config *c, size_t at, const char *hash)
{
	struct oci_map *list = arena_array(a, c->n_annotations, sizeof(*list));

	memcpy(list, c->annotations, c->n_annotations * sizeof(*list));
	list[at].value = hash;
	c->annotations = list;
}

static void join(const char *name, const char **flag, const char *annotation)
{
	if (!*flag)
		*flag = annotation;
	else if (annotation && !str_eq(*flag, annotation))
		log_warn("annotation " PREFIX "%s is not what --ctx says: the caller's --ctx holds",
			 name);
}

int context_annotations(struct arena *a, struct oci_config *c, struct context *io, bool *changed,
			struct err *e)
{
	struct context said;
	size_t ignored, at;
	const char *request = find(c, PREFIX REQUEST, &ignored);
	const char *principal = find(c, PREFIX PRINCIPAL, &at);

	*changed = false;
	if (take(a, "annotation " PREFIX, request, principal, &said, e) < 0)
		return -e->code;
	if (said.principal)
		hide(a, c, at, said.principal);
	*changed = said.principal;
	join(REQUEST, &io->request, said.request);
	join(PRINCIPAL, &io->principal, said.principal);
	return 0;
}
