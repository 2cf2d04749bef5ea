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
	const char *id;
	struct arena *arena;
	int dir;
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

static int connect_to_init(struct start *s, struct err *e)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	own_fd int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set(e, errno, "socket");
	snprintf(sa.sun_path, sizeof(sa.sun_path), "/proc/self/fd/%d/" STORE_START, s->dir);
	if (connect(fd, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
		/* Nobody listens: an earlier start got as far as execve and was killed then. */
		if (errno == ECONNREFUSED)
			return err_msg(e, EALREADY, "cannot start an already running container");
		return err_set(e, errno, "start socket");
	}
	return take_fd(&fd);
}

static int save_running(struct start *s, struct err *e)
{
	s->state.status = "running";
	return store_save(s->dir, &s->state, e);
}

/* A failed startContainer hook or execve: the process is gone, what it had goes too. */
static int fail(struct start *s, struct err *e)
{
	struct err ignored;

	(void)!container_destroy(s->host, s->dir, &s->state, &ignored);
	return -e->code;
}

/* runtime.md, Lifecycle 9: the container is stopped; what it left can still be looked at. */
static int poststart(struct start *s, struct err *e)
{
	const struct oci_hooks *h = s->config.hooks;
	struct hook_output output;
	struct err ignored;

	if (!h || !h->n_poststart)
		return 0;
	int r = annotation_hook_output(&s->config, &output, e);
	if (r == 0)
		r = hooks_run("poststart", h->poststart, h->n_poststart,
			      container_hook_state(s->arena, &s->state, "running"), &output, e);
	hook_output_close(&output);
	if (r == 0)
		return 0;
	(void)!cgroup_signal(s->cgroup, SIGKILL, &ignored);
	return -e->code;
}

static int listen_for_ready(struct start *s, struct err *e)
{
	s->notify.host = notify_host();
	if (!s->notify.host)
		return 0;
	s->pidfd = sys_pidfd_open((pid_t)s->state.pid, 0);
	if (s->pidfd < 0)
		return err_set(e, errno, "pidfd_open");
	return notify_listen(&s->notify, s->dir, e);
}

static int start(struct start *s, struct err *e)
{
	int r = check_status(s, e);

	if (r < 0)
		return r;
	own_fd int conn = connect_to_init(s, e);
	if (conn < 0) {
		struct err ignored;

		if (e->code == EALREADY)
			(void)!save_running(s, &ignored);
		return conn;
	}
	r = listen_for_ready(s, e);
	if (r < 0)
		return r;
	r = sync_send(conn, SYNC_GO, e);
	if (r == 0)
		r = sync_expect_exec(conn, s->config.process->args[0], e);
	if (r < 0)
		return fail(s, e);
	(void)unlinkat(s->dir, STORE_START, 0);
	r = save_running(s, e);
	return r < 0 ? r : poststart(s, e);
}

int container_start(const struct container_host *h, const char *id, struct err *e)
{
	own_arena struct arena a = {0};
	struct start s = {.host = h, .id = id, .arena = &a, .notify = {.sock = -1}, .pidfd = -1};
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
	int r = start(&s, e);
	cgroup_close(s.cgroup);
	/* Others may work on it meanwhile. */
	own_close(&dir);
	if (r == 0 && s.notify.sock >= 0)
		notify_wait(&s.notify, (pid_t)s.state.pid, s.pidfd);
	notify_close(&s.notify);
	own_close(&s.pidfd);
	return r;
}
