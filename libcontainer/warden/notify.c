/*
 * Seccomp listeners.  A notified call is never answered: who made it sleeps in the kernel until
 * it is killed, and nothing of its memory is looked at (seccomp_unotify(2): it may change under
 * the reader).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "warden/internal.h"

/* Attempts read at a time: a flood must not keep the wall clock waiting. */
enum { BATCH = 64, NOTIF_MAX = 1024, X32_BIT = 0x40000000 };

/* The kernel demands zeroes in as many bytes as its own structure has. */
union notif {
	struct seccomp_notif n;
	char room[NOTIF_MAX];
};

int notify_probe(struct err *e)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return err_set(e, errno, "seccomp: user notification (Linux 5.0)");
	if (sizes.seccomp_notif > NOTIF_MAX)
		return err_msg(e, EOPNOTSUPP, "seccomp: notifications of %u bytes",
			       sizes.seccomp_notif);
	return 0;
}

int notify_add(struct warden *w, int fd, struct err *e)
{
	uint64_t none = 0;
	unsigned int slot = 0;

	/* Other files do not know this ioctl; a listener has no notification of that number. */
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) == 0 || errno != ENOENT)
		return err_msg(e, EINVAL, "warden: not a seccomp listener");
	while (slot < LISTENERS_MAX && w->listeners[slot] >= 0)
		slot++;
	if (slot == LISTENERS_MAX)
		return err_msg(e, EMFILE, "warden: more than %d seccomp listeners", LISTENERS_MAX);
	int r = warden_watch(w, fd, SOURCE_LISTENER, slot, e);
	if (r == 0)
		w->listeners[slot] = fd;
	return r;
}

size_t notify_places(const struct warden *w)
{
	size_t n = 0;

	for (size_t i = 0; i < LISTENERS_MAX; i++)
		n += w->listeners[i] < 0;
	return n;
}

/* NULL: this machine's own. */
static const char *arch_name(const struct seccomp_data *d)
{
	static const struct {
		uint32_t arch;
		const char *name;
	} names[] = {
		{AUDIT_ARCH_X86_64,  "x86_64" },
		{AUDIT_ARCH_I386,    "i386"   },
		{AUDIT_ARCH_AARCH64, "aarch64"},
		{AUDIT_ARCH_ARM,     "arm"    },
	};

	if (d->arch == AUDIT_ARCH_X86_64 && d->nr & X32_BIT)
		return "x32";
	if (d->arch == OWN_ARCH)
		return NULL;
	for (size_t i = 0; i < LEN(names); i++)
		if (names[i].arch == d->arch)
			return names[i].name;
	return "unknown";
}

/* d NULL: who called was killed before it could be read: an attempt all the same. */
static void record(struct warden *w, const struct seccomp_data *d)
{
	struct warden_end *end = &w->end;

	end->tainted = true;
	if (end->count++ > 0)
		return;
	end->nr = d ? d->nr : -1;
	if (!d)
		return;
	end->arch = arch_name(d);
	if (!end->arch && w->host.syscall_name)
		end->syscall = w->host.syscall_name(d->nr);
}

/* 1: one was there, 0: none. */
static int receive(struct warden *w, int fd, struct err *e)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	union notif u;

	/* Reading what is not announced would block. */
	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
		return 0;
	memset(&u, 0, sizeof(u));
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &u) == 0)
		record(w, &u.n.data);
	else if (errno == ENOENT)
		record(w, NULL);
	else if (errno != EINTR)
		return err_set(e, errno, "warden: read a notification");
	return 1;
}

int notify_work(struct warden *w, unsigned int slot, uint32_t events, struct err *e)
{
	int r = 1;

	for (int i = 0; r > 0 && i < BATCH; i++)
		r = receive(w, w->listeners[slot], e);
	/* Nobody is left under that filter. */
	if (r == 0 && events & (EPOLLHUP | EPOLLERR))
		warden_unwatch(w, &w->listeners[slot]);
	return r < 0 ? r : 0;
}
