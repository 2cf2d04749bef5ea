#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "annotation.h"
#include "base/file.h"
#include "base/own.h"
#include "base/step.h"
#include "base/str.h"
#include "base/sys.h"
#include "container.h"
#include "delete.h"
#include "guard/seccomp.h"
#include "run/hooks.h"
#include "run/notify.h"
#include "run/sync.h"
#include "status.h"
#include "store.h"

struct start {
	const struct container_host *host;
	struct arena *arena;
	int dir;
	int conn;     /* to the waiting process */
	bool started; /* the workload runs */
	struct brig_state state;
	struct oci_config config; /* as it was at create */
	struct cgroup *cgroup;
	struct notify notify;
	int pidfd; /* to see the end while waiting for READY=1 */
};

static int check_status(struct start *s, struct err *e)
{
	switch (status_of(s->dir, &s->state, s->cgroup)) {
	case STATUS_CREATED:
		return 0;
	case STATUS_PAUSED:
		return err_msg(e, EINVAL, "cannot start a paused container");
	case STATUS_RUNNING:
		return err_msg(e, EINVAL, "cannot start an already running container");
	case STATUS_STOPPED:
		return err_msg(e, EINVAL, "cannot start a container that has stopped");
	case STATUS_CREATING:
		break;
	}
	return err_msg(e, EBUSY, "cannot start a container that is being created");
}

static bool wants_ready(const void *ctx)
{
	return ((const struct start *)ctx)->notify.host;
}

static int listen_for_ready(void *ctx, struct err *e)
{
	struct start *s = ctx;

	s->pidfd = sys_pidfd_open((pid_t)s->state.pid, 0);
	if (s->pidfd < 0)
		return err_set(e, errno, "pidfd_open");
	return notify_listen(&s->notify, s->dir, e);
}

static int save_running(void *ctx, struct err *e)
{
	struct start *s = ctx;

	s->state.status = "running";
	int r = store_save(s->dir, &s->state, e);
	/* Only then: while the state says created, a start finds out here what became of it. */
	if (r == 0)
		(void)unlinkat(s->dir, STORE_START, 0);
	return r;
}

static int connect_to_init(void *ctx, struct err *e)
{
	struct start *s = ctx;
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct err ignored;

	if (fd < 0)
		return err_set(e, errno, "socket");
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" STORE_START, s->dir);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		if (errno != ECONNREFUSED)
			return err_set(e, errno, "start socket");
		/* Nobody listens: an earlier start got as far as execve and was killed then. */
		(void)!save_running(s, &ignored);
		return err_msg(e, EALREADY, "cannot start an already running container");
	}
	s->conn = take_fd(&fd);
	return 0;
}

/*
 * A failed startContainer hook or execve: the process is gone, what it had goes too.  After
 * that (runtime.md, Lifecycle 9) the container is stopped; what it left can still be looked at.
 */
static void give_up(void *ctx)
{
	struct start *s = ctx;
	struct err ignored;

	if (s->started)
		(void)!container_stop(&s->state, s->cgroup, &ignored);
	else
		(void)!container_destroy(s->host, s->dir, &s->state, &ignored);
}

static int say_go(void *ctx, struct err *e)
{
	return sync_send(((struct start *)ctx)->conn, SYNC_GO, e);
}

static int await_exec(void *ctx, struct err *e)
{
	struct start *s = ctx;
	int r = sync_expect_exec(s->conn, s->config.process->args[0], e);

	s->started = r == 0;
	return r;
}

static bool has_poststart(const void *ctx)
{
	const struct start *s = ctx;

	return s->config.hooks && s->config.hooks->n_poststart;
}

static int poststart(void *ctx, struct err *e)
{
	struct start *s = ctx;
	const struct oci_hooks *h = s->config.hooks;

	struct hook_output output = HOOK_OUTPUT_KEPT;
	/* Paths of the host that at a level no annotation may name. */
	int r = str_eq(s->state.level, "custom") ? annotation_hook_output(&s->config, &output, e)
						 : 0;

	if (r == 0)
		r = hooks_run("poststart", h->poststart, h->n_poststart,
			      container_hook_state(s->arena, &s->state, "running"), &output, e);
	hook_output_close(&output);
	return r;
}

static const struct step steps[] = {
	{"notify socket",   wants_ready,   listen_for_ready, NULL,    STEP_PLAIN},
	{"connect",         NULL,          connect_to_init,  give_up, STEP_PLAIN},
	{"say go",          NULL,          say_go,           NULL,    STEP_NAMED},
	{"await exec",      NULL,          await_exec,       NULL,    STEP_PLAIN},
	{"save running",    NULL,          save_running,     NULL,    STEP_NAMED},
	{"poststart hooks", has_poststart, poststart,        NULL,    STEP_PLAIN},
};

int container_start(const struct container_host *h, const char *id, struct err *e)
{
	own_arena struct arena a = {0};
	struct start s = {
		.host = h,
		.arena = &a,
		.conn = -1,
		.pidfd = -1,
		.notify = {.host = notify_host(), .sock = -1}
        };
	char *text;
	size_t len;

	own_fd int dir = store_open(h, id, STORE_LOCKED, e);
	if (dir < 0)
		return dir;
	s.dir = dir;
	if (store_load(dir, &a, &s.state, e) < 0)
		return -e->code;
	if (file_read(&a, dir, STORE_CONFIG, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(&a, text, len, &s.config, e) < 0)
		return -e->code;
	if (cgroup_open(&a, &s.state.cgroup, &s.cgroup, e) < 0)
		return -e->code;
	int r = check_status(&s, e);
	if (r == 0 && !s.config.process)
		r = err_msg(e, EINVAL, "config.json: process: missing, there is nothing to start");
	if (r == 0)
		r = steps_run("start", steps, LEN(steps), &s, e);
	own_close(&s.conn);
	cgroup_close(s.cgroup);
	/* Others may work on it meanwhile. */
	own_close(&dir);
	if (r == 0 && s.notify.sock >= 0)
		notify_wait(&s.notify, (pid_t)s.state.pid, s.pidfd);
	notify_close(&s.notify);
	own_close(&s.pidfd);
	return r;
}
