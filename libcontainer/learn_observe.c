#include "learn_observe.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "guard/bpfcheck.h"
#include "guard/level_filter.h"
#include "learn_read.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS /* Linux 6.6 */
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS      SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* The kernel demands zeroes in as many bytes as its own structure has. */
enum { NOTIF_MAX = 1024, ERRNO_MAX = 4095 };

void learn_seen_init(struct learn_seen *s, struct arena *a)
{
	*s = (struct learn_seen){.a = a, .listener = -1, .level = "custom"};
	learn_paths_init(&s->paths, a);
	learn_paths_init(&s->addresses, a);
	for (long i = 0; i < LEARN_NUMBERS; i++) {
		const char *name = level_filter_syscall_name(i);

		s->known[i] = name ? learn_call_first(name) : NULL;
	}
}

/* --- the answer --------------------------------------------------------------------------- */

static void deny(struct learn_seen *s, const struct seccomp_data *d, uint32_t action)
{
	for (size_t i = 0; i < s->n_denied; i++) {
		struct learn_denied *r = &s->denied[i];

		if (r->nr == d->nr && r->arch == d->arch && r->action == action) {
			r->count++;
			return;
		}
	}
	if (s->n_denied == LEARN_DENIED_MAX) {
		s->denied_more++;
		return;
	}
	s->denied[s->n_denied++] = (struct learn_denied){d->nr, d->arch, action, 1};
}

bool learn_answer(struct learn_seen *s, const struct seccomp_notif *n,
		  struct seccomp_notif_resp *out)
{
	const struct seccomp_data *d = &n->data;
	uint32_t action = s->original.insns ? bpf_run(s->original.insns, s->original.n_insns, d)
					    : SECCOMP_RET_ALLOW;

	*out = (struct seccomp_notif_resp){.id = n->id};
	s->total++;
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
		out->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
		if (d->arch == OWN_ARCH && d->nr >= 0 && d->nr < LEARN_NUMBERS)
			s->calls[d->nr]++;
		return false;
	case SECCOMP_RET_ERRNO:
		deny(s, d, action);
		out->error = -(int)(action & SECCOMP_RET_DATA);
		if (out->error < -ERRNO_MAX) /* as the kernel does (__seccomp_filter) */
			out->error = -ERRNO_MAX;
		return false;
	default: /* kills */
		deny(s, d, action & SECCOMP_RET_ACTION_FULL);
		s->over = s->ends;
		out->error = -EPERM;
		return true;
	}
}

/* --- what it is about --------------------------------------------------------------------- */

/* Whether what was read was the memory of who called: its number may be another's by now. */
static bool still_waits(const struct learn_seen *s, const struct seccomp_notif *n)
{
	uint64_t id = n->id;

	return s->listener < 0 || ioctl(s->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

static void take_path(struct learn_seen *s, pid_t pid, const char *path, unsigned int use)
{
	enum { LOOKS = 4 };
	char real[PATH_MAX];
	struct learn_path *row = learn_paths_add(&s->paths, path, use);

	/* One that was not there may be by now: a few more looks, not one for each call. */
	if (!row || (row->count > 1 && !row->absent) || row->count > LOOKS) {
		if (row && use & LEARN_WRITE)
			row->absent = false;
		return;
	}
	row->absent = !learn_present(pid, path, real, sizeof(real)) && !(row->use & LEARN_WRITE);
	if (real[0] && !str_eq(real, path))
		row->real = arena_strdup(s->a, real);
}

static void take_mapped(void *ctx, const char *path)
{
	/* The kernel's own word for it has no symbolic links. */
	(void)learn_paths_add(&((struct learn_seen *)ctx)->paths, path, LEARN_EXECUTE);
}

/* What the kernel has started since: a script's interpreter and the loader have no call. */
static void look_at_started(struct learn_seen *s, pid_t pid)
{
	for (size_t i = 0; i < LEN(s->started); i++)
		if (s->started[i] == pid) {
			s->started[i] = 0;
			learn_mapped(pid, take_mapped, s);
		}
}

static void note_started(struct learn_seen *s, pid_t pid)
{
	s->started[s->next_started++ % LEN(s->started)] = pid;
}

static unsigned int use_of_flags(uint64_t flags)
{
	/* O_TMPFILE writes into a directory; what is only looked at (O_PATH) is read. */
	bool writes = (flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC);

	return writes && !(flags & O_PATH) ? LEARN_WRITE : LEARN_READ;
}

static unsigned int use_of(const struct learn_call *c, const struct seccomp_notif *n)
{
	uint64_t flags = 0;

	if (c->kind == LEARN_OPEN)
		return use_of_flags(n->data.args[c->how]);
	if (c->kind != LEARN_OPEN2)
		return c->use;
	/* The first member of struct open_how. */
	_Static_assert(offsetof(struct open_how, flags) == 0, "flags");
	(void)learn_memory((pid_t)n->pid, n->data.args[c->how], &flags, sizeof(flags));
	return use_of_flags(flags);
}

static void look_at_path(struct learn_seen *s, const struct learn_call *c,
			 const struct seccomp_notif *n)
{
	own_arena struct arena scratch = {0};
	char text[PATH_MAX];
	int dir = c->dir == LEARN_NO_ARG ? AT_FDCWD : (int)n->data.args[c->dir];

	/* NULL: the descriptor itself (utimensat), or nothing at all. */
	if (!n->data.args[c->path])
		return;
	if (!learn_string((pid_t)n->pid, n->data.args[c->path], text, sizeof(text))) {
		s->unread++;
		return;
	}
	/* fstat by another name, many times: what the descriptor is was said when it was opened. */
	if (!text[0] && c->kind != LEARN_EXEC)
		return;
	const char *path = learn_absolute(&scratch, (pid_t)n->pid, dir, text);
	if (!path)
		s->unread++;
	else if (still_waits(s, n))
		take_path(s, (pid_t)n->pid, path, use_of(c, n));
}

static void take_address(struct learn_seen *s, const struct learn_call *c,
			 const struct seccomp_notif *n, uint64_t at, uint64_t len)
{
	own_arena struct arena scratch = {0};
	const char *text = learn_address(&scratch, (pid_t)n->pid, at, (size_t)len);

	if (text && still_waits(s, n))
		(void)learn_paths_add(
			&s->addresses,
			arena_printf(&scratch, "%s %s", learn_address_words[c->use], text), 0);
}

static void look_at_message(struct learn_seen *s, const struct learn_call *c,
			    const struct seccomp_notif *n)
{
	struct msghdr m;

	if (learn_memory((pid_t)n->pid, n->data.args[c->path], &m, sizeof(m)) == sizeof(m) &&
	    m.msg_name)
		take_address(s, c, n, (uintptr_t)m.msg_name, m.msg_namelen);
}

static void look_at_map(struct learn_seen *s, const struct learn_call *c,
			const struct seccomp_notif *n)
{
	uint64_t prot = n->data.args[c->how];
	char name[32], path[PATH_MAX];

	if (!(prot & PROT_EXEC))
		return;
	s->makes_code |= prot & PROT_WRITE || c->dir == LEARN_NO_ARG;
	if (c->dir == LEARN_NO_ARG || (int)n->data.args[c->dir] < 0)
		return;
	(void)snprintf(name, sizeof(name), "fd/%d", (int)n->data.args[c->dir]);
	if (learn_link((pid_t)n->pid, name, path, sizeof(path)) && path[0] == '/' &&
	    !str_starts(path, "/memfd:"))
		take_mapped(s, path);
}

void learn_look(struct learn_seen *s, const struct seccomp_notif *n)
{
	const struct learn_call *c =
		n->data.arch != OWN_ARCH || n->data.nr < 0 || n->data.nr >= LEARN_NUMBERS
			? NULL
			: s->known[n->data.nr];

	look_at_started(s, (pid_t)n->pid);
	for (; c; c = learn_call_next(c))
		switch (c->kind) {
		case LEARN_EXEC:
			note_started(s, (pid_t)n->pid);
			look_at_path(s, c, n);
			break;
		case LEARN_PATH:
		case LEARN_OPEN:
		case LEARN_OPEN2:
			look_at_path(s, c, n);
			break;
		case LEARN_ADDR:
			take_address(s, c, n, n->data.args[c->path], n->data.args[c->how]);
			break;
		case LEARN_MSG:
			look_at_message(s, c, n);
			break;
		case LEARN_MAP:
			look_at_map(s, c, n);
			break;
		case LEARN_SOCKET:
			if ((uint32_t)n->data.args[c->how] < 128)
				s->families[(uint32_t)n->data.args[c->how] / 64] |=
					UINT64_C(1) << ((uint32_t)n->data.args[c->how] % 64);
			break;
		}
}

/* --- the listener ------------------------------------------------------------------------- */

void learn_listen(struct learn_seen *s, int listener)
{
	s->listener = listener;
	/* Who is answered runs at once on this CPU; without it (before 6.6) all is slower. */
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

/* Its whole process, which the number may not name any more when the call is not valid then. */
static void kill_caller(const struct learn_seen *s, const struct seccomp_notif *n)
{
	own_arena struct arena a = {0};
	char text[4096], *tgid;

	if (file_peek(AT_FDCWD, arena_printf(&a, "/proc/%d/status", (int)n->pid), text,
		      sizeof(text)) < 0)
		return;
	tgid = strstr(text, "\nTgid:\t");
	if (!tgid)
		return;
	own_fd int pidfd = sys_pidfd_open((pid_t)strtol(tgid + strlen("\nTgid:\t"), NULL, 10), 0);
	if (pidfd >= 0 && still_waits(s, n))
		(void)sys_pidfd_send_signal(pidfd, SIGKILL);
}

int learn_serve(struct learn_seen *s, struct err *e)
{
	struct pollfd p = {.fd = s->listener, .events = POLLIN};
	union {
		struct seccomp_notif n;
		char room[NOTIF_MAX];
	} in;
	union {
		struct seccomp_notif_resp r;
		char room[NOTIF_MAX];
	} out = {.room = {0}};

	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
		return 0;
	memset(&in, 0, sizeof(in));
	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0) {
		/* ENOENT: killed before it could be read. */
		if (errno == ENOENT || errno == EINTR)
			return 1;
		return err_set(e, errno, "read a notification");
	}
	if (learn_answer(s, &in.n, &out.r))
		kill_caller(s, &in.n);
	else if (out.r.flags)
		learn_look(s, &in.n);
	if (ioctl(s->listener, SECCOMP_IOCTL_NOTIF_SEND, &out) < 0 && errno != ENOENT &&
	    errno != EINTR)
		return err_set(e, errno, "answer a notification");
	return 1;
}
