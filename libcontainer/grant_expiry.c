#include "grant_expiry.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/fds.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "grant_held.h"
#include "run/sync.h"
#include "status.h"

/* How often it tries again what could not be taken back: memory in use, for one. */
enum { AGAIN_MS = 100, LOCK_STEP_MS = 2, LOCK_TRIES = 5000 };
/* And how long of a place, which only a sandbox keeps that moves it about. */
#define PLACE_NS  UINT64_C(1000000000)
#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

struct keeper {
	int dir, init, timer, signals, link;
	int fan;                     /* -1: the kernel does not tell */
	uint64_t marked[GRANTS_MAX]; /* mounts whose first use is to be told */
	size_t n_marked;
	struct brig_state state;
	struct grant_target target;
	struct arena arena; /* of the state */
};

/* --- its work ----------------------------------------------------------------------------- */

/* The sandbox's verbs take turns; what comes first here is that it may have ended. */
static bool lock(const struct keeper *k)
{
	struct pollfd p = {.fd = k->init, .events = POLLIN};

	for (int i = 0; i < LOCK_TRIES; i++) {
		if (flock(k->dir, LOCK_EX | LOCK_NB) == 0)
			return true;
		if (poll(&p, 1, LOCK_STEP_MS) > 0)
			return false;
	}
	return false;
}

static bool is_over(const struct grant_held *h, uint64_t now)
{
	return h->ends_ns && h->ends_ns <= now;
}

/* Under the lock: of what is over and was taken back nothing is written down any more. */
static void forget(const struct keeper *k, struct arena *a, const struct grants *done)
{
	struct grants g;
	struct err e;

	if (!lock(k))
		return;
	if (grants_load(a, k->dir, &g, &e) == 0) {
		for (size_t i = 0; i < done->n; i++)
			for (size_t j = 0; j < g.n; j++)
				if (g.rows[j].ends_ns == done->rows[i].ends_ns &&
				    strcmp(g.rows[j].text, done->rows[i].text) == 0) {
					grants_drop(&g, j);
					break;
				}
		(void)!grants_save(a, k->dir, &g, &e);
	}
	(void)flock(k->dir, LOCK_UN);
}

/*
 * Without the lock, which somebody may hold for long: it is on time, the record is later.
 * *stuck: a place that cannot be taken back.
 */
static bool take_all(struct keeper *k, struct arena *a, struct grants *g, uint64_t now,
		     struct grants *done, bool *stuck)
{
	bool all = true;
	struct err e;

	*stuck = false;
	done->rows = arena_array(a, g->n + 1, sizeof(*done->rows));
	for (size_t i = 0; i < g->n; i++) {
		if (!is_over(&g->rows[i], now))
			continue;
		if (grant_take_back(a, k->dir, &k->state, &k->target, g, i, &e) == 0) {
			done->rows[done->n++] = g->rows[i];
			continue;
		}
		all = false;
		*stuck |= g->rows[i].place && now - g->rows[i].ends_ns > PLACE_NS;
	}
	return all;
}

static void tell(const struct keeper *k, const struct grants *done)
{
	struct err e;

	for (size_t i = 0; i < done->n; i++)
		(void)!grant_note(&k->state, "CapabilityExpired", "expiry", done->rows[i].text,
				  NULL, &e);
}

/* --- first uses --------------------------------------------------------------------------- */

static bool is_marked(const struct keeper *k, uint64_t id)
{
	for (size_t i = 0; i < k->n_marked; i++)
		if (k->marked[i] == id)
			return true;
	return false;
}

/* Only where somebody writes it down; as well as the kernel can. */
static void mark(struct keeper *k, const struct grants *g)
{
	struct err ignored;

	for (size_t i = 0; k->fan >= 0 && k->state.audit && i < g->n; i++) {
		const struct grant_held *h = &g->rows[i];

		if (h->used || !h->mount_id || is_marked(k, h->mount_id) ||
		    k->n_marked == GRANTS_MAX)
			continue;
		k->marked[k->n_marked++] = h->mount_id;
		(void)!grant_mark(&k->target, h->mount_id, k->fan, &ignored);
	}
}

/* One is enough; under the lock, for the record says so. */
static void note_use(const struct keeper *k, uint64_t id)
{
	own_arena struct arena a = {0};
	struct grants g;
	struct err e;

	if (!lock(k))
		return;
	const char *text = NULL;
	if (grants_load(&a, k->dir, &g, &e) == 0)
		for (size_t i = 0; i < g.n; i++)
			if (g.rows[i].mount_id == id && !g.rows[i].used) {
				g.rows[i].used = true;
				text = g.rows[i].text;
			}
	if (text)
		(void)!grants_save(&a, k->dir, &g, &e);
	(void)flock(k->dir, LOCK_UN);
	if (text)
		(void)!grant_note(&k->state, "CapabilityUsed", "expiry", text, NULL, &e);
}

static void hear_uses(struct keeper *k)
{
	struct fanotify_event_metadata ev[16];
	ssize_t n = read(k->fan, ev, sizeof(ev));
	struct fanotify_event_metadata *x = ev;
	struct statx st;

	for (; n > 0 && FAN_EVENT_OK(x, n); x = FAN_EVENT_NEXT(x, n)) {
		own_fd int fd = x->fd;

		if (fd < 0 || statx(fd, "", AT_EMPTY_PATH, STATX_MNT_ID, &st) < 0)
			continue;
		(void)fanotify_mark(k->fan, FAN_MARK_REMOVE | FAN_MARK_MOUNT, FAN_OPEN | FAN_ONDIR,
				    fd, NULL);
		note_use(k, st.stx_mnt_id);
	}
}

/* --- its round ---------------------------------------------------------------------------- */

static void set_timer(const struct keeper *k, uint64_t at)
{
	struct itimerspec t = {
		.it_value = {(time_t)(at / NS_PER_S), (long)(at % NS_PER_S)}
        };

	(void)timerfd_settime(k->timer, TFD_TIMER_ABSTIME, &t, NULL);
}

/* False: what has ended is in force, and with this process the warden ends the sandbox. */
static bool look(struct keeper *k)
{
	own_arena struct arena a = {0};
	struct grants g, done = {0};
	uint64_t now = grant_now_ns(), next = 0;
	bool stuck;
	struct err e;

	/* The file is replaced whole: what is read is what was written. */
	if (grants_load(&a, k->dir, &g, &e) < 0)
		return true;
	mark(k, &g);
	bool all = take_all(k, &a, &g, now, &done, &stuck);
	if (done.n) {
		forget(k, &a, &done);
		tell(k, &done);
	}
	for (size_t i = 0; i < g.n; i++)
		if (g.rows[i].ends_ns > now && (!next || g.rows[i].ends_ns < next))
			next = g.rows[i].ends_ns;
	if (!all && (!next || next > now + AGAIN_MS * NS_PER_MS))
		next = now + AGAIN_MS * NS_PER_MS;
	set_timer(k, next);
	return !stuck;
}

static int run(struct keeper *k)
{
	struct pollfd p[] = {
		{.fd = k->init,    .events = POLLIN},
		{.fd = k->timer,   .events = POLLIN},
		{.fd = k->signals, .events = POLLIN},
		{.fd = k->fan,     .events = POLLIN},
	};
	struct signalfd_siginfo info;
	uint64_t ticks;

	for (;;) {
		if (!look(k))
			return 1;
		if (poll(p, LEN(p), -1) < 0 && errno != EINTR)
			return 1;
		if (p[0].revents)
			return 0;
		if (p[1].revents)
			(void)!read(k->timer, &ticks, sizeof(ticks));
		if (p[2].revents)
			(void)!read(k->signals, &info, sizeof(info));
		if (p[3].revents)
			hear_uses(k);
	}
}

/* --- its beginning ------------------------------------------------------------------------ */

static int leave_maker(struct keeper *k, struct err *e)
{
	int keep[] = {k->dir, k->link};
	int null = fds_null_streams(-1);

	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	if (null < 0)
		return err_set(e, -null, "expiry: standard streams");
	if (chdir("/") < 0)
		return err_set(e, errno, "expiry: leave the caller");
	/* Engines wait for the end of what they gave to create. */
	fds_close_all_but(3, keep, LEN(keep));
	(void)setsid();
	(void)umask(077);
	(void)prctl(PR_SET_NAME, "brig-expiry");
	return 0;
}

static int open_signals(struct keeper *k, struct err *e)
{
	sigset_t usr, none;

	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	(void)signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigemptyset(&usr);
	sigaddset(&usr, SIGUSR1);
	(void)sigprocmask(SIG_SETMASK, &usr, NULL);
	k->signals = signalfd(-1, &usr, SFD_CLOEXEC | SFD_NONBLOCK);
	/* Its descriptors of events are opened for us: never waiting for a fifo's other side. */
	k->fan = fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK,
			       O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_LARGEFILE);
	k->timer = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	return k->signals < 0 || k->timer < 0 ? err_set(e, errno, "expiry: timer") : 0;
}

/* What mounts (SYS_ADMIN, SYS_CHROOT: setns(2)), and writes cgroups and the log as root does. */
static int confine(const struct keeper *k, struct err *e)
{
	static const uint32_t keep = 1U << CAP_SYS_ADMIN | 1U << CAP_SYS_CHROOT |
				     1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH |
				     1U << CAP_FOWNER | 1U << CAP_CHOWN;
	int r = confine_process(e);

	if (r == 0)
		r = confine_caps(keep, e);
	/* Limits of a systemd unit are set by a program that talks to systemd (cmd/brig-systemd).
	 */
	return r < 0 || str_eq(k->state.cgroup.manager, "systemd") ? r : expiry_filter(e);
}

static int settle(struct keeper *k, const struct brig_state *s, struct err *e)
{
	char state;
	int r = leave_maker(k, e);

	if (r < 0)
		return r;
	/* A duplicate would share the lock that its maker holds on it (flock(2)). */
	int dir = openat(k->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_set(e, errno, "expiry: state directory");
	(void)close(k->dir);
	k->dir = dir;
	/* Of the maker's memory: state.json may not be written yet. */
	k->state = *s;
	own_fd int proc = process_open((pid_t)s->pid, s->start_time, &state);
	k->init = proc < 0 ? -1 : sys_pidfd_open((pid_t)s->pid, 0);
	if (k->init < 0)
		return err_msg(e, ESRCH, "expiry: container not running");
	if (grant_target_open(s, &k->target, e) < 0 || open_signals(k, e) < 0)
		return -e->code;
	return confine(k, e);
}

static _Noreturn void live(int dir, int link, const struct brig_state *s)
{
	struct keeper k = {
		.dir = dir, .init = -1, .timer = -1, .signals = -1, .fan = -1, .link = link};
	struct err why;

	if (settle(&k, s, &why) < 0) {
		sync_fail(link, &why);
		_exit(1);
	}
	if (sync_send(link, SYNC_READY, &why) < 0)
		_exit(1);
	(void)close(link);
	k.link = -1;
	_exit(run(&k));
}

int expiry_start(int dir, const struct brig_state *s, struct expiry *out, struct err *e)
{
	int fds[2];

	*out = (struct expiry){.pidfd = -1};
	if (sync_pair(fds, e) < 0)
		return -e->code;
	own_fd int link = fds[0], its = fds[1];
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uintptr_t)&out->pidfd,
		.exit_signal = SIGCHLD,
	};
	pid_t pid = sys_clone3(&args);
	if (pid < 0)
		return err_set(e, errno, "expiry: clone");
	if (pid == 0)
		live(dir, its, s);
	out->pid = pid;
	own_close(&its);
	if (sync_expect(link, SYNC_READY, e) == 0)
		return 0;
	expiry_kill(out);
	return err_wrap(e, "expiry");
}

void expiry_kill(struct expiry *x)
{
	if (x->pid > 0) {
		(void)sys_pidfd_send_signal(x->pidfd, SIGKILL);
		(void)waitpid(x->pid, NULL, 0);
	}
	own_close(&x->pidfd);
	x->pid = 0;
}

int expiry_tell(const struct grants *g, struct err *e)
{
	own_fd int fd = process_pidfd(g->expiry_pid, g->expiry_start_time);

	if (fd < 0)
		return err_msg(e, ESRCH, "the process that ends grants is gone");
	if (sys_pidfd_send_signal(fd, SIGUSR1) < 0)
		return err_set(e, errno, "tell the process that ends grants");
	return 0;
}
