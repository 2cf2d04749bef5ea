/* exec: what is found, allowed and decided before anything is done. */
#include "exec.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include "annotation.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "lease.h"
#include "plan_egress.h"
#include "process.h"
#include "reuse.h"
#include "run/launch.h"
#include "status.h"
#include "store.h"
#include "touched.h"

static int load_policy(struct exec *x, struct err *e)
{
	struct policy *p = arena_new(x->arena, sizeof(*p));
	char *text;
	size_t len;

	if (file_read(x->arena, x->dir, STORE_POLICY, POLICY_MAX_BYTES, &text, &len, e) < 0 ||
	    policy_parse(x->arena, text, len, p, e) < 0)
		return err_wrap(e, STORE_POLICY);
	x->policy = p;
	return 0;
}

static int load(struct exec *x, struct err *e)
{
	char *text;
	size_t len;

	x->dir = store_open(x->host, x->opts->id, STORE_UNLOCKED, e);
	if (x->dir < 0)
		return x->dir;
	if (store_load(x->dir, x->arena, &x->state, e) < 0 ||
	    file_read(x->arena, x->dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(x->arena, text, len, &x->config, e) < 0 ||
	    cgroup_open(x->arena, &x->state.cgroup, &x->cgroup, e) < 0 ||
	    ns_plan_make(x->config.linux_, &x->ns, e) < 0)
		return -e->code;
	if (lease_check(x->host, x->dir, &x->state, LEASE_TO_USE, NULL, e) < 0)
		return -e->code;
	/* What this request says of itself goes before what the container's did. */
	if (x->ctx.request)
		x->state.ctx_request = x->ctx.request;
	if (x->ctx.principal)
		x->state.ctx_principal = x->ctx.principal;
	if (!x->config.process)
		x->config.process = &plan_no_process;
	if (!str_eq(x->state.level, "custom") && load_policy(x, e) < 0)
		return -e->code;
	switch (status_of(x->dir, &x->state, x->cgroup)) {
	case STATUS_STOPPED:
	case STATUS_CREATING:
		return err_msg(e, ESRCH, "cannot exec in a stopped container");
	case STATUS_PAUSED:
		if (!x->opts->ignore_paused)
			return err_msg(e, EBUSY,
				       "cannot exec in a paused container (use --ignore-paused to "
				       "override)");
		break;
	case STATUS_CREATED:
		x->before_start = true;
		break;
	case STATUS_RUNNING:
		break;
	}
	if (reuse_check_join(&x->state, str_eq(x->state.status, "created"), e) < 0)
		return -e->code;
	return touched_note(x->dir, &x->state, "exec", e);
}

/* The recorded init, held by a descriptor before anything is decided by its pid. */
static int open_target(struct exec *x, struct err *e)
{
	x->target = process_pidfd(x->state.pid, x->state.start_time);
	if (x->target < 0)
		return err_msg(e, ESRCH, "cannot exec in a stopped container");
	return 0;
}

static int read_process_file(struct exec *x, struct err *e)
{
	char *text;
	size_t len;
	const char *path = x->opts->process_file;
	int r = str_eq(path, "-")
			? file_read_fd(x->arena, 0, "standard input", OCI_MAX_BYTES, &text, &len, e)
			: file_read(x->arena, AT_FDCWD, path, OCI_MAX_BYTES, &text, &len, e);

	if (r < 0)
		return r;
	return oci_process_parse(x->arena, text, len, &x->spec, e) < 0 ? err_wrap(e, "%s", path)
								       : 0;
}

static const char *const *append(struct arena *a, const char *const *list, size_t n,
				 const char *const *more, size_t *total)
{
	size_t m = 0;

	while (more && more[m])
		m++;
	const char **out = arena_array(a, n + m + 1, sizeof(char *));
	if (n)
		memcpy(out, list, n * sizeof(char *));
	if (m)
		memcpy(out + n, more, m * sizeof(char *));
	*total = n + m;
	return out;
}

static void append_groups(struct exec *x)
{
	const struct oci_user *u = &x->spec.user;
	size_t n = u->n_additional_gids + x->opts->n_groups;
	uint32_t *all = arena_array(x->arena, n + 1, sizeof(*all));

	if (u->n_additional_gids)
		memcpy(all, u->additional_gids, u->n_additional_gids * sizeof(*all));
	if (x->opts->n_groups)
		memcpy(all + u->n_additional_gids, x->opts->groups,
		       x->opts->n_groups * sizeof(*all));
	x->spec.user.additional_gids = all;
	x->spec.user.n_additional_gids = n;
}

/* The container's own process with what the command line says instead. */
static int process_of_flags(struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;
	struct oci_process *s = &x->spec;

	*s = *x->config.process;
	size_t n = 0;
	while (o->args && o->args[n])
		n++;
	if (n == 0)
		return err_msg(e, EINVAL, "process args cannot be empty");
	s->args = o->args;
	s->n_args = n;
	s->terminal = o->tty;
	s->console_size = NULL;
	if (o->cwd)
		s->cwd = o->cwd;
	if (s->cwd[0] != '/')
		return err_msg(e, EINVAL, "cwd %s: not an absolute path", s->cwd);
	if (o->apparmor)
		s->apparmor_profile = o->apparmor;
	if (o->process_label)
		s->selinux_label = o->process_label;
	if (o->no_new_privs)
		s->no_new_privileges = true;
	if (o->user && creds_parse_user(o->user, &s->user.uid, &s->user.gid, e) < 0)
		return err_wrap(e, "user");
	s->env = append(x->arena, s->env, s->n_env, o->env, &s->n_env);
	append_groups(x);
	return 0;
}

static int check_terminal(const struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;

	if (x->spec.terminal && o->detach && !o->console_socket)
		return err_msg(
			e, EINVAL,
			"cannot allocate tty if runc will detach without setting console socket");
	if (o->console_socket && !(x->spec.terminal && o->detach))
		return err_msg(e, EINVAL,
			       "cannot use console socket if runc will not detach or allocate tty");
	return 0;
}

/* Namespaces that differ from ours: setns to one's own user namespace is EINVAL. */
static uint64_t namespaces_to_enter(const struct exec *x)
{
	uint64_t ns = x->ns.make | x->ns.join;
	struct stat mine, theirs;
	char path[64];

	/* Entered last (docs/design.md). */
	if (x->state.late_userns)
		return ns & ~(uint64_t)CLONE_NEWUSER;
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)x->state.pid);
	if (ns & CLONE_NEWUSER && stat(path, &theirs) == 0 &&
	    stat("/proc/self/ns/user", &mine) == 0 && mine.st_ino == theirs.st_ino &&
	    mine.st_dev == theirs.st_dev)
		ns &= ~(uint64_t)CLONE_NEWUSER;
	return ns;
}

/* The joiner is visible inside before it has executed the stub; only a process that may ptrace
 * it could get at its /proc/PID/exe: non-dumpable stops all but CAP_SYS_PTRACE over the host. */
static bool may_be_traced(const struct exec *x)
{
	struct caps_plan caps;
	struct err ignored;

	if (x->in_userns || (x->state.late_userns && !(x->ns.join & CLONE_NEWPID)))
		return false;
	if (x->ns.join & CLONE_NEWPID) /* what the others in there may do is not known */
		return true;
	if (faccessat(x->dir, STORE_TRACER, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return true;
	if (!x->config.process->capabilities)
		return false;
	return caps_plan_make(x->config.process->capabilities, &caps, &ignored) < 0 ||
	       caps.bounding & UINT64_C(1) << CAP_SYS_PTRACE;
}

/* What a level says about one more process: no more than the first one got. */
static int apply_policy(struct exec *x, struct err *e)
{
	struct policy_facts f = {
		.rootless = !x->privileged,
		.nested = plan_in_user_namespace(),
		.state_root = x->host->root,
		.preserve_fds = x->opts->preserve_fds + plan_listen_fds(),
	};

	if (policy_facts_read(&f, e) < 0 ||
	    policy_apply_process(x->arena, x->policy, &f, &x->spec, e) < 0)
		return err_wrap(e, "level %s", x->policy->level.name);
	return plan_level_harden(x->arena, x->policy, &x->config, x->ns.make, x->ns.join,
				 &x->harden, e);
}

/* Options that add rights are cut as the process document is: nothing is added past a level. */
static int add_caps(struct exec *x, struct err *e)
{
	const char *const *caps = x->opts->caps;

	if (!caps)
		return 0;
	struct oci_capabilities *c = arena_new(x->arena, sizeof(*c));
	if (x->spec.capabilities)
		*c = *x->spec.capabilities;
	c->bounding = append(x->arena, c->bounding, c->n_bounding, caps, &c->n_bounding);
	c->effective = append(x->arena, c->effective, c->n_effective, caps, &c->n_effective);
	c->permitted = append(x->arena, c->permitted, c->n_permitted, caps, &c->n_permitted);
	x->spec.capabilities = c;
	(void)e;
	return 0;
}

/* The id that a process of the container has on the host, from the map of its first process. */
static int find_host_uid(struct exec *x, struct err *e)
{
	struct idmap map;
	uint32_t ignored;
	int r = idmap_read(x->arena, (pid_t)x->state.pid, &map, e);

	if (r < 0)
		return r;
	if (!idmap_uid_to_host(&map, x->process.creds.uid, &x->host_uid))
		return err_msg(e, EINVAL, "user: uid %u is not mapped", x->process.creds.uid);
	if (!idmap_gid_to_host(&map, x->process.creds.gid, &ignored))
		return err_msg(e, EINVAL, "user: gid %u is not mapped", x->process.creds.gid);
	for (size_t i = 0; i < x->process.creds.n_groups; i++)
		if (!idmap_gid_to_host(&map, x->process.creds.groups[i], &ignored))
			return err_msg(e, EINVAL, "user: additional gid %u is not mapped",
				       x->process.creds.groups[i]);
	return 0;
}

/* Whether it can be made by the stub, so that nothing in there sees who makes it (join.h).  A
 * level's process is protected by its user namespace; an agent is told of who loads the filter. */
static bool may_be_born_last(const struct exec *x)
{
	return x->may_be_traced && !x->staged && !x->policy && !x->in_userns &&
	       !x->state.late_userns && x->enter & CLONE_NEWPID && !x->seccomp.notify;
}

/*
 * How the container is entered.  A re-execution comes before anything is read that can be read
 * only once (--process /dev/stdin).
 */
static int plan_entry(struct exec *x, struct err *e)
{
	x->privileged = plan_is_privileged();
	/* In a user namespace: what belongs to the host cannot be entered again. */
	x->staged = !x->privileged || plan_in_user_namespace();
	x->enter = namespaces_to_enter(x);
	x->in_userns = x->enter & CLONE_NEWUSER;
	if (seccomp_restore(x->arena, x->dir, STORE_SECCOMP, &x->seccomp, e) < 0)
		return -e->code;
	x->may_be_traced = may_be_traced(x);
	x->born_last = may_be_born_last(x) && plan_birth_passes(&x->seccomp);
	x->sealed_self = !x->born_last && (x->may_be_traced || !plan_stub_passes(&x->seccomp));
	return x->sealed_self ? launch_reexec_sealed(e) : 0;
}

/* For those that come after it: this one has the right by exec's word, not by config.json's. */
static int note_tracer(const struct exec *x, struct err *e)
{
	const struct caps_plan *c = &x->process.caps;

	if (x->may_be_traced || x->in_userns || x->state.late_userns ||
	    !((c->bounding | c->permitted) & UINT64_C(1) << CAP_SYS_PTRACE))
		return 0;
	own_fd int fd =
		openat(x->dir, STORE_TRACER, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return fd < 0 ? err_set(e, errno, "create %s", STORE_TRACER) : 0;
}

/* What plan_entry could not know yet. */
static int plan_birth(struct exec *x, struct err *e)
{
	if (x->born_last && !attrs_outlast_fork(x->process.attrs))
		return err_msg(e, EINVAL,
			       "process scheduler: one that a fork resets cannot be had in a "
			       "container with CAP_SYS_PTRACE");
	/* A filter that forbids the stub to work goes on after the birth: without a filter there is
	 * less to be had than with the runtime's rights. */
	if (!x->born_last && may_be_born_last(x) && x->process.no_new_privs)
		x->born_last = attrs_outlast_fork(x->process.attrs);
	return note_tracer(x, e);
}

bool exec_asks_warden(const struct seccomp_program *s)
{
	return s->notify && !s->listener_path;
}

/* The filter goes on last, when the warden can be told of its listener. */
static int check_audit(const struct exec *x, struct err *e)
{
	if (!exec_asks_warden(&x->seccomp) || x->process.no_new_privs)
		return 0;
	return err_msg(e, EINVAL,
		       "the container's denied calls are audited: it takes "
		       "process.noNewPrivileges, without which the filter is loaded before set-up "
		       "is done");
}

/* What its first process must not have by its configuration, no other one gets. */
static int check_network(const struct exec *x, struct err *e)
{
	struct egress_policy egress;
	char *text;
	size_t len;

	if (!x->state.egress || ((x->in_userns || x->state.late_userns) && !x->state.netns_below))
		return 0;
	if (file_read(x->arena, x->dir, STORE_EGRESS, STORE_EGRESS_MAX, &text, &len, e) < 0 ||
	    egress_parse(x->arena, text, len, &egress, e) < 0)
		return err_wrap(e, STORE_EGRESS);
	return plan_egress_check_caps(&egress, &x->process.caps, e);
}

/* Of the caller's terminal: the program sees it from its start on. */
static void take_size(struct exec *x)
{
	struct oci_console_size *size = arena_new(x->arena, sizeof(*size));

	if (x->spec.terminal && !x->spec.console_size && !x->opts->console_socket &&
	    foreground_size(&size->height, &size->width))
		x->spec.console_size = size;
}

static int plan_rest(struct exec *x, struct err *e)
{
	const struct container_exec_opts *o = x->opts;
	int r = o->process_file ? read_process_file(x, e) : process_of_flags(x, e);

	if (r == 0)
		r = check_terminal(x, e);
	if (r < 0)
		return r;
	take_size(x);
	if (x->policy &&
	    (process_check_standard(e) < 0 || add_caps(x, e) < 0 || apply_policy(x, e) < 0))
		return -e->code;
	struct plan_process_request req = {
		.spec = &x->spec,
		.has_userns = x->in_userns,
		.rootless = !x->privileged,
		.preserve_fds = o->preserve_fds,
	};
	if (plan_process_make(x->arena, &req, &x->process, e) < 0)
		return err_wrap(e, "process");
	if (x->state.late_userns && find_host_uid(x, e) < 0)
		return -e->code;
	if (!x->policy)
		annotation_creds(&x->config, &x->process.creds);
	for (size_t i = 0; !x->policy && o->caps && o->caps[i]; i++)
		if (caps_plan_add(&x->process.caps, o->caps[i], e) < 0)
			return -e->code;
	if (check_audit(x, e) < 0 || check_network(x, e) < 0 || plan_birth(x, e) < 0)
		return -e->code;
	if (secrets_read(x->arena, &x->secrets, e) < 0)
		return -e->code;
	if (x->secrets.n_vars)
		x->process.env = secrets_env(x->arena, &x->secrets, x->process.env);
	x->enter_cgroup = !o->cgroups && cgroup_enters(x->cgroup);
	x->attach = o->cgroups || (!x->enter_cgroup && cgroup_spawn_fd(x->cgroup) < 0);
	return x->enter_cgroup ? cgroup_enter_open(x->cgroup, e) : 0;
}

int exec_plan(struct exec *x, struct err *e)
{
	int r = context_of(x->arena, x->opts->ctx_request, x->opts->ctx_principal, &x->ctx, e);

	if (r == 0)
		r = load(x, e);
	if (r == 0)
		r = open_target(x, e);
	if (r == 0)
		r = plan_entry(x, e);
	return r == 0 ? plan_rest(x, e) : r;
}
