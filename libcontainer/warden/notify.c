/*
 * Seccomp listeners: system calls that are looked at before they are refused.  None is ever let
 * through, and nothing of the caller's memory is looked at (seccomp_unotify(2): it may change under
 * the reader).  A call that ends the sandbox is not answered: who made it sleeps in the kernel
 * until it is killed.
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

#include "base/clock.h"
#include "base/confine.h"
#include "base/own.h"
#include "warden/internal.h"

/* Calls read at a time: a flood must not keep the wall clock waiting. */
enum { BATCH = 64, LISTENERS_AT_ONCE = 16, NOTIF_MAX = 1024, X32_BIT = 0x40000000 };

/*
 * With more than FLOOD a second only SLOW are answered in 1, 2, 4 ms: every second that it goes on
 * that is twice as long.  Who floods sleeps, and takes next to nothing of the CPU from others.  All
 * are read at once: one that is not could be withdrawn unseen, by a signal or a death.
 */
enum { FLOOD = 1000, SLOW = 32, SLOWEST = 3 };
enum { NS_PER_MS = 1000000, DELAY_MAX = 10, ERRNO_MAX = 4095 };
#define SECOND_NS UINT64_C(1000000000)

/* The kernel demands zeroes in as many bytes as its own structure has. */
union notif {
	struct seccomp_notif n;
	char room[NOTIF_MAX];
};
union resp {
	struct seccomp_notif_resp r;
	char room[NOTIF_MAX];
};

static int probe(struct err *e)
{
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		return err_set(e, errno, "seccomp: user notification (Linux 5.0)");
	if (sizes.seccomp_notif > NOTIF_MAX || sizes.seccomp_notif_resp > NOTIF_MAX)
		return err_msg(e, EOPNOTSUPP, "seccomp: notifications of %u and %u bytes",
			       sizes.seccomp_notif, sizes.seccomp_notif_resp);
	return 0;
}

int calls_open(struct warden *w, struct err *e)
{
	struct calls *c = &w->calls;

	if (!w->plan.notify)
		return 0;
	if (probe(e) < 0)
		return -e->code;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (c->epoll < 0)
		return err_set(e, errno, "warden: epoll");
	c->proc = comm_open(w->host.own_pidns);
	return warden_watch(w, c->epoll, SOURCE_CALLS, 0, e);
}

void calls_close(struct warden *w)
{
	for (size_t i = 0; i < LISTENERS_MAX; i++)
		own_close(&w->calls.listeners[i]);
	own_close(&w->calls.proc);
	own_close(&w->calls.epoll);
}

int calls_add(struct warden *w, int fd, struct err *e)
{
	struct calls *c = &w->calls;
	uint64_t none = 0;
	unsigned int slot = 0;

	/* Other files do not know this ioctl; a listener has no notification of that number. */
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_ID_VALID, &none) == 0 || errno != ENOENT)
		return err_msg(e, EINVAL, "warden: not a seccomp listener");
	if (c->epoll < 0)
		return err_msg(e, EINVAL, "warden: it was not asked to watch calls");
	while (slot < LISTENERS_MAX && c->listeners[slot] >= 0)
		slot++;
	if (slot == LISTENERS_MAX)
		return err_msg(e, EMFILE, "warden: more than %d seccomp listeners", LISTENERS_MAX);
	int r = warden_watch_for(c->epoll, fd, EPOLLIN, SOURCE_CALLS, slot, e);
	if (r == 0)
		c->listeners[slot] = fd;
	return r;
}

size_t calls_places(const struct warden *w)
{
	size_t n = 0;

	for (size_t i = 0; i < LISTENERS_MAX; i++)
		n += w->calls.listeners[i] < 0;
	return n;
}

/* --- what kind of call it is -------------------------------------------------------------- */

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

static uint32_t verdict_of(const struct warden *w, const struct seccomp_data *d)
{
	const struct warden_host *h = &w->host;

	return h->decide ? h->decide(h->decide_ctx, d) : SECCOMP_RET_KILL_PROCESS;
}

/* The command of an ioctl that types into, or takes over, the terminal it is made on; else NULL. */
static const char *terminal_name(const struct seccomp_data *d)
{
	/* By number (asm-generic/ioctls.h): the kernel takes 32 bits of it. */
	enum { IOCTL_TIOCSTI = 0x5412, IOCTL_TIOCLINUX = 0x541c };
	uint32_t command = (uint32_t)d->args[1];

	if (d->arch != OWN_ARCH || d->nr != SYS_ioctl)
		return NULL;
	return command == IOCTL_TIOCSTI     ? "TIOCSTI"
	       : command == IOCTL_TIOCLINUX ? "TIOCLINUX"
					    : NULL;
}

static bool is_errno(uint32_t verdict)
{
	return (verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO;
}

static struct attempt attempt_of(const struct warden *w, const struct seccomp_notif *n,
				 uint32_t verdict)
{
	const char *(*name_of)(long nr) = w->host.syscall_name;
	const struct seccomp_data *d = &n->data;
	struct attempt x = {.class_ = VIOLATION_SYSCALL, .n = 1, .call = n, .arch = arch_name(d)};

	x.name = x.arch ? x.arch : name_of ? name_of(d->nr) : NULL;
	if (terminal_name(d) && (verdict & SECCOMP_RET_ACTION_FULL) != SECCOMP_RET_KILL_PROCESS) {
		x.class_ = VIOLATION_TERMINAL;
		x.name = terminal_name(d);
	} else if (is_errno(verdict)) {
		uint32_t error = verdict & SECCOMP_RET_DATA;

		x.class_ = VIOLATION_DENIED;
		/* glibc's own threads begin with a clone3 that looks absent; 0 looks done. */
		x.probes = error == ENOSYS || error == 0;
	}
	if (!x.name)
		x.name = "unknown";
	return x;
}

/* d NULL: who called was killed before it could be read. */
static void note_end(struct warden *w, const struct attempt *x)
{
	struct warden_end *end = &w->end;

	if (x->class_ != VIOLATION_SYSCALL || end->count++ > 0)
		return;
	end->nr = x->call ? x->call->data.nr : -1;
	if (!x->call)
		return;
	end->arch = x->arch;
	if (!end->arch && w->host.syscall_name)
		end->syscall = w->host.syscall_name(x->call->data.nr);
}

/* --- answers ------------------------------------------------------------------------------ */

static void answer(int fd, uint64_t id, int32_t error)
{
	union resp u;

	memset(&u, 0, sizeof(u));
	u.r.id = id;
	u.r.error = -error;
	/* ENOENT: who called is gone. */
	(void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &u);
}

static void pause_calls(struct warden *w, bool pause)
{
	struct epoll_event ev = {
		.events = pause ? 0 : EPOLLIN,
		.data.u64 = (uint64_t)SOURCE_CALLS << 32,
	};

	if (w->calls.paused == pause)
		return;
	if (epoll_ctl(w->epoll, EPOLL_CTL_MOD, w->calls.epoll, &ev) == 0)
		w->calls.paused = pause;
}

static void wind_answers(struct warden *w)
{
	const struct calls *c = &w->calls;
	uint64_t now = clock_monotonic_ns(), first = 0;

	for (size_t i = 0; i < c->n_held; i++)
		if (!first || c->held[i].due < first)
			first = c->held[i].due;
	clocks_set(&w->clocks, DUE_ANSWER, !first ? 0 : first > now ? first - now : 1);
}

/* How long who tries waits: each time twice as long, and for every second without half of it. */
static uint64_t delay_of(struct calls *c, enum violation_class class_, uint64_t now)
{
	uint64_t quiet = (now - c->delayed[class_]) / SECOND_NS;
	unsigned int *n = &c->delays[class_];

	*n = quiet >= *n ? 0 : *n - (unsigned int)quiet;
	uint64_t delay = (uint64_t)NS_PER_MS << *n;

	if (*n < DELAY_MAX)
		++*n;
	c->delayed[class_] = now;
	return delay;
}

/* In rounds, for one timer each. */
static uint64_t pace_of(struct calls *c, uint64_t now)
{
	uint64_t round = (uint64_t)NS_PER_MS << (c->level - 1);

	if (c->in_round == 0 || c->round <= now) {
		c->round = now + round;
		c->in_round = 0;
	} else if (c->in_round == SLOW) {
		c->round += round;
		c->in_round = 0;
	}
	c->in_round++;
	return c->round;
}

static void hold(struct warden *w, unsigned int slot, const struct attempt *x, int32_t error,
		 uint64_t due)
{
	struct calls *c = &w->calls;

	if (!c->held)
		c->held = arena_array(&w->tally.arena, HELD_MAX, sizeof(*c->held));
	c->held[c->n_held++] = (struct held){
		.id = x->call->id,
		.due = due,
		.error = error,
		.slot = slot,
	};
	wind_answers(w);
}

static void let_go(struct warden *w)
{
	struct calls *c = &w->calls;
	uint64_t now = clock_monotonic_ns();
	size_t n = 0;

	for (size_t i = 0; i < c->n_held; i++)
		if (c->held[i].due <= now)
			answer(c->listeners[c->held[i].slot], c->held[i].id, c->held[i].error);
		else
			c->held[n++] = c->held[i];
	c->n_held = n;
	wind_answers(w);
}

/* Nobody is left under that filter. */
static void drop_listener(struct warden *w, unsigned int slot)
{
	struct calls *c = &w->calls;
	size_t n = 0;

	for (size_t i = 0; i < c->n_held; i++)
		if (c->held[i].slot != slot)
			c->held[n++] = c->held[i];
	c->n_held = n;
	/* By hand: others may have the same open file, which closing would keep in the epoll. */
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, c->listeners[slot], NULL);
	own_close(&c->listeners[slot]);
}

/* --- one call ----------------------------------------------------------------------------- */

static void handle(struct warden *w, unsigned int slot, const struct seccomp_notif *n)
{
	uint32_t verdict = verdict_of(w, &n->data);
	const struct attempt x = attempt_of(w, n, verdict);
	uint32_t error = is_errno(verdict) ? verdict & SECCOMP_RET_DATA : EPERM;
	enum violation_response r = tally_add(w, &x, NULL);

	if (error > ERRNO_MAX) /* as the kernel does (__seccomp_filter) */
		error = ERRNO_MAX;
	note_end(w, &x);
	if (w->calls.level == 0 && w->calls.seen > FLOOD) {
		w->calls.level = 1;
		tally_flood(w, &x);
	}
	/* Before the answer: it does not get as far as its next instruction. */
	respond(w, &x, r);
	if (r == RESPONSE_TERMINATE || w->doom >= 0)
		return;
	uint64_t now = clock_monotonic_ns();
	if (r == RESPONSE_THROTTLE)
		hold(w, slot, &x, (int32_t)error, now + delay_of(&w->calls, x.class_, now));
	else if (w->calls.level)
		hold(w, slot, &x, (int32_t)error, pace_of(&w->calls, now));
	else
		answer(w->calls.listeners[slot], n->id, (int32_t)error);
}

/*
 * Who called was killed before it could be read, so nobody knows what it was.  Where all that is
 * refused comes here that says nothing.
 */
static void handle_gone(struct warden *w)
{
	const struct attempt x = {
		.class_ = w->plan.denied ? VIOLATION_DENIED : VIOLATION_SYSCALL,
		.n = 1,
	};

	enum violation_response r = tally_add(w, &x, NULL);

	note_end(w, &x);
	respond(w, &x, x.class_ == VIOLATION_SYSCALL ? r : RESPONSE_WARN);
}

/* 1: one was there, 0: none. */
static int receive(struct warden *w, unsigned int slot, struct err *e)
{
	int fd = w->calls.listeners[slot];
	struct pollfd p = {.fd = fd, .events = POLLIN};
	union notif u;

	/* Reading what is not announced would block. */
	if (poll(&p, 1, 0) <= 0 || !(p.revents & POLLIN))
		return 0;
	memset(&u, 0, sizeof(u));
	w->calls.seen++;
	if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &u) == 0)
		handle(w, slot, &u.n);
	else if (errno == ENOENT)
		handle_gone(w);
	else if (errno != EINTR)
		return err_set(e, errno, "warden: read a notification");
	return 1;
}

/* --- many --------------------------------------------------------------------------------- */

static void roll(struct calls *c)
{
	uint64_t now = clock_monotonic_ns();

	if (now - c->second < SECOND_NS)
		return;
	if (c->seen <= FLOOD || now - c->second >= 2 * SECOND_NS)
		c->level = 0;
	else if (c->level < SLOWEST)
		c->level++;
	c->second = now;
	c->seen = 0;
}

static bool is_full(const struct warden *w, unsigned int left)
{
	return left == 0 || w->calls.n_held == HELD_MAX || w->tally.lost;
}

static int drain(struct warden *w, const struct epoll_event *ev, unsigned int *left, struct err *e)
{
	unsigned int slot = (unsigned int)(ev->data.u64 & UINT32_MAX);
	int r = 1;

	for (int i = 0; r > 0 && i < BATCH && !is_full(w, *left); i++) {
		r = receive(w, slot, e);
		*left -= r > 0;
	}
	if (r == 0 && ev->events & (EPOLLHUP | EPOLLERR))
		drop_listener(w, slot);
	return r < 0 ? r : 0;
}

int calls_work(struct warden *w, struct err *e)
{
	struct epoll_event ev[LISTENERS_AT_ONCE];
	struct calls *c = &w->calls;
	int r = 0, n = epoll_wait(c->epoll, ev, LISTENERS_AT_ONCE, 0);

	roll(c);
	unsigned int left = LISTENERS_AT_ONCE * BATCH;
	for (int i = 0; i < n && r == 0; i++)
		r = drain(w, &ev[i], &left, e);
	if (c->n_held == HELD_MAX)
		pause_calls(w, true);
	return r;
}

void calls_due(struct warden *w)
{
	let_go(w);
	if (w->calls.n_held < HELD_MAX)
		pause_calls(w, false);
}
