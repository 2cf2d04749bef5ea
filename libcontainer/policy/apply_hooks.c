#include "policy/apply.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"

/* Docker's hook is /proc/PID/exe of its daemon: what counts is the program behind it. */
static const char *resolve(struct arena *a, const char *path)
{
	char target[PATH_MAX];
	const char *pid = path + strlen("/proc/");

	if (!str_starts(path, "/proc/"))
		return path;
	size_t digits = strspn(pid, "0123456789");
	if (!digits || !str_eq(pid + digits, "/exe"))
		return path;
	ssize_t n = readlink(path, target, sizeof(target));
	if (n <= 0 || (size_t)n >= sizeof(target))
		return path;
	return arena_strndup(a, target, (size_t)n);
}

static bool is_allowed(const struct admin *admin, const char *path)
{
	for (size_t i = 0; i < admin->n_hooks_allowed; i++)
		if (str_eq(admin->hooks_allowed[i], path))
			return true;
	return false;
}

struct hook_list {
	const char *name;
	const struct oci_hook *hooks;
	size_t n;
};
enum { LISTS = 6 };

static void lists_of(const struct oci_hooks *h, struct hook_list out[LISTS])
{
	const struct hook_list lists[LISTS] = {
		{"prestart",        h->prestart,         h->n_prestart        },
		{"createRuntime",   h->create_runtime,   h->n_create_runtime  },
		{"createContainer", h->create_container, h->n_create_container},
		{"startContainer",  h->start_container,  h->n_start_container },
		{"poststart",       h->poststart,        h->n_poststart       },
		{"poststop",        h->poststop,         h->n_poststop        },
	};

	memcpy(out, lists, sizeof(lists));
}

/* The first that is not named, as it is to be called; NULL: all are. */
static const char *find_unnamed(struct arena *a, const struct admin *admin,
				const struct hook_list *l, size_t *at)
{
	for (size_t i = 0; i < l->n; i++) {
		const char *path = l->hooks[i].path ? l->hooks[i].path : "";
		const char *program = resolve(a, path);

		*at = i;
		if (!is_allowed(admin, path) && !is_allowed(admin, program))
			return str_eq(program, path) ? path
						     : arena_printf(a, "%s (%s)", path, program);
	}
	return NULL;
}

const char *policy_unnamed_hook(struct arena *a, const struct admin *admin,
				const struct oci_hooks *h)
{
	struct hook_list lists[LISTS];
	const char *found = NULL;
	size_t at;

	if (h)
		lists_of(h, lists);
	for (size_t i = 0; h && i < LISTS && !found; i++)
		found = find_unnamed(a, admin, &lists[i], &at);
	return found;
}

int apply_hooks(struct apply *x, struct err *e)
{
	const struct oci_hooks *h = x->c->hooks;
	struct hook_list lists[LISTS];
	size_t at = 0;

	if (!h || str_eq(x->l->hooks, "any"))
		return 0;
	lists_of(h, lists);
	for (size_t i = 0; i < LISTS; i++) {
		const char *what = find_unnamed(x->a, &x->p->admin, &lists[i], &at);

		if (what)
			return apply_refuse(x,
					    arena_printf(x->a, "hooks.%s[%zu]", lists[i].name, at),
					    what, "hooks_allowed of brig.json does not name it", e);
	}
	return 0;
}
