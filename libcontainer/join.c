#include "join.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/fdpass.h"
#include "base/log.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/step.h"
#include "fs/fs.h"
#include "net/egress.h"
#include "process.h"
#include "run/sync.h"
#include "session.h"

struct joiner {
	const struct join *j;
	struct process process;
};

static const struct join *join_of(const void *ctx)
{
	return ((const struct joiner *)ctx)->j;
}
static bool enters_cgroup(const void *ctx)
{
	return join_of(ctx)->cgroup;
}
static bool awaits_placed(const void *ctx)
{
	return join_of(ctx)->await_placed;
}
static bool wants_keyring(const void *ctx)
{
	return join_of(ctx)->new_keyring;
}
static bool wants_procfs(const void *ctx)
{
	const struct plan_process *p = join_of(ctx)->process;

	return join_of(ctx)->harden || p->apparmor || p->selinux || attrs_need_procfs(p->attrs);
}
static bool enters(const void *ctx)
{
	return !join_of(ctx)->entered && join_of(ctx)->ns;
}
static bool in_userns(const void *ctx)
{
	return join_of(ctx)->in_userns;
}
static bool enters_userns(const void *ctx)
{
	return join_of(ctx)->late_userns;
}
static bool meets_rules(const void *ctx)
{
	return join_of(ctx)->meets_rules;
}
static bool limits_execution(const void *ctx)
{
	return join_of(ctx)->harden && join_of(ctx)->harden->exec.limited;
}
static bool has_terminal(const void *ctx)
{
	return join_of(ctx)->process->terminal;
}

static int begin(void *ctx, struct err *e)
{
	(void)ctx;
	return session_begin(e);
}

static int harden(void *ctx, struct err *e)
{
	(void)ctx;
	return session_harden(e);
}

static int enter_cgroup(void *ctx, struct err *e)
{
	return cgroup_enter(join_of(ctx)->cgroup, e);
}

static int await_placed(void *ctx, struct err *e)
{
	return sync_expect(join_of(ctx)->sync, SYNC_PLACED, e);
}

static int open_procfs(void *ctx, struct err *e)
{
	struct joiner *c = ctx;

	c->process.proc = procfd_open(e);
	return c->process.proc < 0 ? c->process.proc : 0;
}

static int early_attributes(void *ctx, struct err *e)
{
	struct joiner *c = ctx;

	return attrs_apply_early(c->j->process->attrs, c->process.proc, e);
}

static int enter(void *ctx, struct err *e)
{
	const struct join *j = join_of(ctx);

	if (setns(j->target, (int)j->ns) < 0)
		return err_set(e, errno, "join the container's namespaces");
	return 0;
}

static int check_others_rules(void *ctx, struct err *e)
{
	const struct caps_plan *c = &join_of(ctx)->process->caps;

	return egress_check_caps(
		c->bounding | c->effective | c->permitted | c->inheritable | c->ambient, e);
}

static int open_root(void *ctx, struct err *e)
{
	struct joiner *c = ctx;

	c->process.root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (c->process.root < 0)
		return err_set(e, errno, "open the container's root");
	return 0;
}

static int become_root(void *ctx, struct err *e)
{
	(void)ctx;
	return session_become_root(e);
}

static int keyring(void *ctx, struct err *e)
{
	(void)ctx;
	return session_keyring(e);
}

static int console(void *ctx, struct err *e)
{
	struct joiner *c = ctx;
	const struct join *j = c->j;
	own_fd int master = -1;
	uint32_t uid = j->late_userns ? j->host_uid : j->process->creds.uid;
	int r = fs_pty_of_root(j->process->spec->console_size, uid, &master, &c->process.slave, e);

	if (r < 0)
		return r;
	if (j->console_socket < 0)
		return sync_send_fd(j->sync, SYNC_CONSOLE, master, e);
	return fd_send(j->console_socket, "/dev/ptmx", sizeof("/dev/ptmx"), &master, 1,
		       j->console_socket_path, e);
}

static int privileged(void *ctx, struct err *e)
{
	struct joiner *c = ctx;
	int r = process_stdio(&c->process, e);

	if (r == 0)
		r = process_labels(&c->process, e);
	if (r == 0)
		r = attrs_affinity_final(c->j->process->attrs, e);
	return r < 0 ? r : process_privileged(&c->process, e);
}

static int enter_userns(void *ctx, struct err *e)
{
	return process_enter_userns(&((struct joiner *)ctx)->process, e);
}

static int rights(void *ctx, struct err *e)
{
	return process_rights(&((struct joiner *)ctx)->process, e);
}

/* After this the filter may forbid to send, and then the runtime cannot tell an execve from a
 * death: all that is likely to kill us, such as the container's memory limit, lies before it. */
static int ready(void *ctx, struct err *e)
{
	return sync_send(join_of(ctx)->sync, SYNC_READY, e);
}

static int early_filter(void *ctx, struct err *e)
{
	return process_filter_early(&((struct joiner *)ctx)->process, e);
}

static int user(void *ctx, struct err *e)
{
	return process_user(&((struct joiner *)ctx)->process, e);
}

static int find_program(void *ctx, struct err *e)
{
	return process_find(&((struct joiner *)ctx)->process, e);
}

static int limit_execution(void *ctx, struct err *e)
{
	return process_limit_execution(&((struct joiner *)ctx)->process, e);
}

static int execute(void *ctx, struct err *e)
{
	struct joiner *c = ctx;

	/* A detached one outlives the runtime; one in the foreground goes on as runc's does. */
	if (prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	return process_exec(&c->process, c->j->sync, e);
}

static const struct step steps[] = {
  /* First: from its birth on it is seen by the container's processes. */
	{"harden",           NULL,             harden,             NULL, STEP_NAMED},
	{"session",          NULL,             begin,              NULL, STEP_NAMED},
	{"enter cgroup",     enters_cgroup,    enter_cgroup,       NULL, STEP_NAMED},
	{"await placed",     awaits_placed,    await_placed,       NULL, STEP_PLAIN},
 /* Before the container's root is ours: its /proc is not to be trusted. */
	{"open procfs",      wants_procfs,     open_procfs,        NULL, STEP_NAMED},
	{"early attributes", wants_procfs,     early_attributes,   NULL, STEP_NAMED},
	{"enter",            enters,           enter,              NULL, STEP_NAMED},
	{"others' rules",    meets_rules,      check_others_rules, NULL, STEP_PLAIN},
	{"open root",        NULL,             open_root,          NULL, STEP_NAMED},
	{"become root",      in_userns,        become_root,        NULL, STEP_NAMED},
	{"keyring",          wants_keyring,    keyring,            NULL, STEP_NAMED},
	{"console",          has_terminal,     console,            NULL, STEP_NAMED},
	{"privileged",       NULL,             privileged,         NULL, STEP_PLAIN},
	{"user namespace",   enters_userns,    enter_userns,       NULL, STEP_NAMED},
	{"rights",           NULL,             rights,             NULL, STEP_NAMED},
	{"ready",            NULL,             ready,              NULL, STEP_NAMED},
	{"early filter",     NULL,             early_filter,       NULL, STEP_NAMED},
	{"user",             NULL,             user,               NULL, STEP_NAMED},
	{"find program",     NULL,             find_program,       NULL, STEP_PLAIN},
	{"execution",        limits_execution, limit_execution,    NULL, STEP_NAMED},
	{"execute",          NULL,             execute,            NULL, STEP_PLAIN},
};

int join_main(void *ctx)
{
	const struct join *j = ctx;
	struct err e;
	struct joiner c = {
		.j = j,
		.process =
			{
				  .arena = j->arena,
				  .plan = j->process,
				  .seccomp = j->seccomp,
				  .seccomp_early = j->seccomp_early,
				  .announces = !j->seccomp_early && !j->born_last,
				  .born_last = j->born_last,
				  .skip_stub = j->sealed_self,
				  .root = -1,
				  .proc = -1,
				  .sync = j->sync,
				  .stub = j->stub,
				  .slave = -1,
				  .harden = j->harden,
				  .userns = j->late_userns ? j->target : -1,
				  .host_uid = j->host_uid,
				  .warden = j->warden,
				  .init = j->harden ? j->init : 0,
				  .one_more = true,
				  },
	};

	if (j->foreground)
		foreground_child(j->foreground);
	process_reset_signals();
	if (steps_run("join", steps, LEN(steps), &c, &e) < 0)
		sync_fail(j->sync, &e);
	return 1;
}
