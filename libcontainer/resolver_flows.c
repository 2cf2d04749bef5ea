/*
 * Flow records: one line of JSON each.  Whoever reads them may be slow or gone, the file full: the
 * name service does not wait for that.  What finds no room is lost and counted.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/clock.h"
#include "base/own.h"
#include "resolver_internal.h"
#include "warden/warden.h"

int flows_open(struct flows *f, int fd, int dir, int warden, struct err *e)
{
	*f = (struct flows){.fd = fd, .warden = warden};
	if (fd < 0)
		f->fd = openat(dir, RESOLVER_FLOWS,
			       O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC | O_NOFOLLOW,
			       0600);
	if (f->fd < 0)
		return err_set(e, errno, "resolver: open %s", RESOLVER_FLOWS);
	if (nowait_init(&f->out, f->fd, e) < 0)
		return err_wrap(e, "resolver: flow records");
	/* What a sandbox writes there by connecting must not fill its host's disk either. */
	f->room = fd < 0 ? FLOWS_ROOM : f->out.regular ? FLOWS_FILE_ROOM : UINT64_MAX;
	return 0;
}

/* Whether nothing of an earlier line waits any more. */
static bool flush(struct flows *f)
{
	while (f->at < f->len) {
		ssize_t n = nowait_write(&f->out, f->line + f->at, f->len - f->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			/* The reader has gone, the disk is full: for good, as far as we know. */
			f->room = 0;
		if (n <= 0)
			return false;
		f->at += (size_t)n;
	}
	f->at = f->len = 0;
	return true;
}

/* What the warden has no room for is lost to it, and it is told how many that were. */
static void tell_warden(struct flows *f, const struct brig_flow *flow, const char *text, size_t len)
{
	const struct warden_flow w = {
		.text = text,
		.len = len,
		.lost = f->untold,
		.lost_refused = f->untold_refused,
	};

	if (f->warden < 0)
		return;
	if (warden_flow_send(f->warden, &w)) {
		f->untold = f->untold_refused = 0;
		return;
	}
	f->untold++;
	f->untold_refused += warden_flow_refused(flow);
}

void flows_put(struct flows *f, struct brig_flow *flow)
{
	own_arena struct arena a = {0};
	char now[40];
	size_t len;

	clock_rfc3339(now, sizeof(now), 3);
	flow->v = 1;
	flow->time = now;
	const char *text = flow_print(&a, flow, &len);
	tell_warden(f, flow, text, len);
	if (f->room < len + 1 || len + 1 > sizeof(f->line) || !flush(f)) {
		f->lost++;
		return;
	}
	memcpy(f->line, text, len);
	f->line[len] = '\n';
	f->len = len + 1;
	f->room -= f->len;
	if (flush(f))
		return;
	/* Not one byte of it: it never was.  Else its rest comes first. */
	if (f->at == 0) {
		f->room += f->room ? f->len : 0;
		f->len = 0;
		f->lost++;
	}
}
