/* Flow records of a resolver: one message each, by a socket. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/own.h"
#include "base/str.h"
#include "specs/flow.h"
#include "warden/internal.h"

enum { BATCH = 32 };

struct head {
	uint64_t lost, lost_refused;
};

bool warden_flow_refused(const struct brig_flow *f)
{
	return str_eq(f->event, "denied") ||
	       (str_eq(f->event, "lookup") && str_eq(f->verdict, "not-listed"));
}

bool warden_flow_send(int fd, const struct warden_flow *f)
{
	struct head head = {.lost = f->lost, .lost_refused = f->lost_refused};
	struct iovec v[] = {
		{.iov_base = &head,                      .iov_len = sizeof(head)},
		{.iov_base = (void *)(uintptr_t)f->text, .iov_len = f->len      },
	};
	const struct msghdr m = {.msg_iov = v, .msg_iovlen = LEN(v)};

	return sendmsg(fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)(sizeof(head) + f->len);
}

int warden_flows(struct warden *w, int fd, struct err *e)
{
	if (w->flows >= 0)
		return err_msg(e, EALREADY, "warden: it hears of flows already");
	int r = warden_watch(w, fd, SOURCE_FLOWS, 0, e);
	if (r == 0)
		w->flows = fd;
	return r;
}

/* 203.0.113.9:25/tcp, [2001:db8::9]:25/tcp, 203.0.113.9/icmp, or the name that was asked for. */
static const char *target_of(struct arena *a, const struct brig_flow *f)
{
	const char *proto = f->proto ? f->proto : "?";
	bool six = f->to && strchr(f->to, ':');

	if (!f->to)
		return f->name ? f->name : "unknown";
	if (!f->port)
		return arena_printf(a, "%s/%s", f->to, proto);
	return arena_printf(a, "%s%s%s:%u/%s", six ? "[" : "", f->to, six ? "]" : "",
			    (unsigned int)*f->port, proto);
}

static void lost_some(struct warden *w, const struct head *h)
{
	const struct attempt x = {.class_ = VIOLATION_EGRESS, .n = h->lost_refused};

	if (h->lost_refused)
		respond(w, &x, tally_add(w, &x, NULL));
}

/* It parses what strangers send, so whatever comes from it is looked at once more. */
static void take(struct warden *w, const char *message, size_t n)
{
	own_arena struct arena a = {0};
	struct brig_flow f;
	struct head head;
	struct err ignored;

	if (n < sizeof(head))
		return;
	memcpy(&head, message, sizeof(head));
	const char *text = message + sizeof(head);
	size_t len = n - sizeof(head);
	if (flow_parse(&a, text, len, &f, &ignored) < 0)
		return;
	lost_some(w, &head);
	tally_flow(w, text, len, warden_flow_refused(&f) ? target_of(&a, &f) : NULL, head.lost);
}

void flows_work(struct warden *w)
{
	char message[sizeof(struct head) + FLOW_MAX_BYTES];
	struct iovec v = {.iov_base = message, .iov_len = sizeof(message)};

	for (int i = 0; i < BATCH; i++) {
		struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
		ssize_t n = recvmsg(w->flows, &m, MSG_DONTWAIT);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			/* It has gone: whether that matters its pidfd tells. */
			warden_unwatch(w, &w->flows);
			return;
		}
		if (!(m.msg_flags & MSG_TRUNC))
			take(w, message, (size_t)n);
	}
}
