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

static int check_list(struct apply *x, const char *name, const struct oci_hook *hooks, size_t n,
		      struct err *e)
{
	for (size_t i = 0; i < n; i++) {
		const char *path = hooks[i].path ? hooks[i].path : "";
		const char *program = resolve(x->a, path);

		if (is_allowed(&x->p->admin, path) || is_allowed(&x->p->admin, program))
			continue;
		const char *what =
			str_eq(program, path) ? path : arena_printf(x->a, "%s (%s)", path, program);
		return apply_refuse(x, arena_printf(x->a, "hooks.%s[%zu]", name, i), what,
				    "hooks_allowed of brig.json does not name it", e);
	}
	return 0;
}

int apply_hooks(struct apply *x, struct err *e)
{
	const struct oci_hooks *h = x->c->hooks;
	int r = 0;

	if (!h || str_eq(x->l->hooks, "any"))
		return 0;
	const struct {
		const char *name;
		const struct oci_hook *hooks;
		size_t n;
	} lists[] = {
		{"prestart",        h->prestart,         h->n_prestart        },
		{"createRuntime",   h->create_runtime,   h->n_create_runtime  },
		{"createContainer", h->create_container, h->n_create_container},
		{"startContainer",  h->start_container,  h->n_start_container },
		{"poststart",       h->poststart,        h->n_poststart       },
		{"poststop",        h->poststop,         h->n_poststop        },
	};
	for (size_t i = 0; i < LEN(lists) && r == 0; i++)
		r = check_list(x, lists[i].name, lists[i].hooks, lists[i].n, e);
	return r;
}
