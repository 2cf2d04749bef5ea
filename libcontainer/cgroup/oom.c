#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "cgroup/internal.h"
#include "cgroup/stats.h"
#include "cgroup/text.h"

/* v1's memory.oom_control and v2's memory.events both count oom_kill. */
static int kills(int fd, uint64_t *out)
{
	char text[1024];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	/* v1 before 4.13 does not count: the notification alone has to do. */
	return cg_flat_get(text, "oom_kill", out) ? 0 : -ENODATA;
}

static int open_v1(const struct cg_dir *d, struct cgroup_oom_watch *w, struct err *e)
{
	own_fd int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	own_fd int control = cg_open_file(d, "memory.oom_control", O_RDONLY);
	char line[64];

	if (event < 0)
		return err_set(e, errno, "eventfd");
	if (control < 0)
		return err_set(e, -control, "open %s/memory.oom_control", d->path);
	snprintf(line, sizeof(line), "%d %d", event, control);
	int r = cg_poke(d, "cgroup.event_control", line, e);
	if (r < 0)
		return r;
	w->fd = take_fd(&event);
	w->events = take_fd(&control);
	return 0;
}

static int open_v2(const struct cg_dir *d, struct cgroup_oom_watch *w, struct err *e)
{
	own_fd int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	own_fd int events = cg_open_file(d, "memory.events", O_RDONLY);
	char path[PATH_MAX];

	if (notify < 0)
		return err_set(e, errno, "inotify");
	if (events < 0)
		return err_set(e, -events, "open %s/memory.events", d->path);
	snprintf(path, sizeof(path), "%s/memory.events", d->path);
	w->wd = inotify_add_watch(notify, path, IN_MODIFY | IN_DELETE_SELF);
	if (w->wd < 0)
		return err_set(e, errno, "watch %s", path);
	/* That it is empty: systemd removes it then, with all that it has counted. */
	snprintf(path, sizeof(path), "%s/cgroup.events", d->path);
	(void)!inotify_add_watch(notify, path, IN_MODIFY);
	w->fd = take_fd(&notify);
	w->events = take_fd(&events);
	return 0;
}

int cgroup_oom_open(const struct cgroup *cg, struct cgroup_oom_watch *w, struct err *e)
{
	const struct cg_dir *d = cg_find(cg, CG_MEMORY);

	*w = (struct cgroup_oom_watch){.fd = -1, .wd = -1, .events = -1};
	if (!d)
		return err_msg(e, ENOENT, "memory: controller is not mounted");
	int r = cg->layout == CGROUP_V2 ? open_v2(d, w, e) : open_v1(d, w, e);
	if (r < 0)
		return r;
	if (kills(w->events, &w->seen) < 0)
		w->seen = 0;
	return 0;
}

int cgroup_oom_read(struct cgroup_oom_watch *w)
{
	_Alignas(struct inotify_event) char buf[1024];
	bool notified = false;
	uint64_t now = w->seen;

	while (read(w->fd, buf, sizeof(buf)) > 0) {
		notified = true;
		if (w->wd < 0)
			break; /* an eventfd is empty after one read */
	}
	int r = kills(w->events, &now);
	/* v1 notifies first and counts when the victim is chosen, some instants later. */
	for (int i = 0; i < 20 && w->wd < 0 && notified && r == 0 && now == w->seen; i++) {
		struct timespec ms = {.tv_nsec = 1000000};

		(void)nanosleep(&ms, NULL);
		r = kills(w->events, &now);
	}
	if (r == -ENODATA)
		return notified;
	if (r < 0)
		return -1;
	uint64_t more = now - w->seen;
	w->seen = now;
	return more > INT_MAX ? INT_MAX : (int)more;
}

void cgroup_oom_close(struct cgroup_oom_watch *w)
{
	own_close(&w->fd);
	own_close(&w->events);
}
