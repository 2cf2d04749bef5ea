#include "plan_audit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "plan.h"

#define OF_ROOT "/var/log/brig/audit.jsonl"
enum { WAIT_MS = 2000 };
static const uint64_t most_bytes = 64 << 20;

static const char *absolute_env(const char *name)
{
	const char *dir = getenv(name);

	return dir && *dir == '/' ? dir : NULL;
}

/* The XDG base directories: state that persists, of a user. */
static const char *own_path(struct arena *a)
{
	const char *state = absolute_env("XDG_STATE_HOME"), *home = absolute_env("HOME");

	if (state)
		return arena_printf(a, "%s/brig/audit.jsonl", state);
	return home ? arena_printf(a, "%s/.local/state/brig/audit.jsonl", home) : NULL;
}

static const char *or_word(const char *word, const char *otherwise)
{
	return word ? word : otherwise;
}

const struct state_audit *plan_audit_of_admin(struct arena *a, const struct admin_audit *u,
					      bool own)
{
	const char *path = u->path ? u->path : own ? own_path(a) : OF_ROOT;
	struct state_audit *out = arena_new(a, sizeof(*out));

	*out = (struct state_audit){
		.path = path,
		.sync = or_word(u->sync, "security"),
		.argv = or_word(u->argv, "hash"),
		.flows = or_word(u->flows, "denied"),
		.max_bytes = u->max_bytes ? *u->max_bytes : most_bytes,
		.wait_ms = u->wait ? *u->wait : WAIT_MS,
	};
	return path ? out : NULL;
}

static const struct state_audit *settings(struct arena *a, const struct plan *p)
{
	return plan_audit_of_admin(a, &p->policy->admin.audit, p->rootless || p->nested);
}

const char *plan_audit_directory(struct arena *a, const struct plan *p)
{
	const struct state_audit *u = settings(a, p);
	const char *path = u ? u->path : OF_ROOT;
	const char *slash = strrchr(path, '/');

	return slash == path ? "/" : arena_strndup(a, path, (size_t)(slash - path));
}

int plan_audit(struct arena *a, struct plan *p, struct err *e)
{
	const char *word = or_word(p->policy->level.audit, "off");
	const char *when = or_word(p->policy->admin.audit.when, "level");
	bool required = str_eq(word, "required");
	struct state_audit *u;

	if (str_eq(when, "never") && required)
		return err_msg(e, EPERM,
			       "level %s: audit: it is required, and brig.json says \"never\" "
			       "(audit: when)",
			       p->policy->level.name);
	if (str_eq(when, "never") || (str_eq(word, "off") && !str_eq(when, "always")))
		return 0;
	const struct state_audit *found = settings(a, p);
	if (!found)
		return err_msg(e, ENOENT,
			       "level %s: audit: where the log is cannot be told: neither HOME nor "
			       "XDG_STATE_HOME is set, and brig.json names no file (audit: path)",
			       p->policy->level.name);
	u = arena_new(a, sizeof(*u));
	*u = *found;
	u->required = required;
	p->audit = u;
	return 0;
}

int plan_audit_wanted(struct plan *p, const char *asked, struct err *e)
{
	if (asked && !str_eq(asked, "syscalls"))
		return err_msg(e, EINVAL, "--audit: \"%.40s\" is not known: syscalls", asked);
	if (!asked && !p->policy->audit_calls)
		return 0;
	p->watch.warden.denied = p->watch.wanted = true;
	return 0;
}

int plan_audit_filter(struct arena *a, struct plan *p, struct err *e)
{
	static const char what[] = "audit of denied calls";

	if (!p->seccomp.insns)
		return err_msg(e, EINVAL, "%s: there is no system call filter, so none is denied",
			       what);
	/* A process has one listener, and set-up calls must not wait for a warden. */
	if (p->seccomp.listener_path)
		return err_msg(e, EINVAL, "%s: config.json has a listener of its own", what);
	if (p->seccomp_early)
		return err_msg(e, EINVAL,
			       "%s: it takes process.noNewPrivileges, without which the filter is "
			       "loaded before set-up is done",
			       what);
	return seccomp_audit_calls(a, &p->seccomp, e) < 0 ? err_wrap(e, "%s", what) : 0;
}
