/* The resolver's loop: names, the kernel's log of connections, grant and revoke, the end. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "resolver_internal.h"

enum { EVENTS = 16 };

enum source {
	SOURCE_INIT,
	SOURCE_SIGNAL,
	SOURCE_NAMES,
	SOURCE_LOG,
	SOURCE_TIMER,
	SOURCE_CONTROL,
	SOURCE_CONN
};

struct watcher {
	const struct resolver_plan *plan;
	int epoll, control, signals, timer, room;
	int conns[RESOLVER_CONNS]; /* -1: free */
	unsigned int next_conn;
	struct names *names;
	struct grants grants;
	struct flows flows;
	struct tally asked, refused;
	uint64_t lookups, lookups_denied;
	uint32_t log_seq;
	uint64_t log_lost;
	bool over;
};

static int watch(struct watcher *w, int fd, enum source kind, unsigned int slot, struct err *e)
{
	struct epoll_event ev = {
		.events = EPOLLIN,
		.data.u64 = (uint64_t)kind << 32 | slot,
	};

	if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0)
		return err_set(e, errno, "resolver: watch a descriptor");
	return 0;
}

/* --- what the name service and the kernel tell ---------------------------------------------- */

static int learn(void *ctx, const struct egress_grant *g, const struct egress_address *addresses,
		 size_t n, uint64_t timeout_ms, struct err *e)
{
	struct watcher *w = ctx;

	return grants_learn(&w->grants, g, addresses, n, timeout_ms, e);
}

static int forget(void *ctx, const struct egress_grant *g, const struct egress_address *addresses,
		  size_t n, struct err *e)
{
	struct watcher *w = ctx;

	return grants_forget(&w->grants, g, addresses, n, e);
}

static void decided(void *ctx, const struct names_decision *d)
{
	struct watcher *w = ctx;
	const char *word = names_verdict_words[d->verdict];
	struct brig_flow f = {
		.event = "lookup",
		.proto = d->tcp ? "tcp" : "udp",
		.name = *d->name ? d->name : NULL,
		.grant = d->grant ? d->grant->text : NULL,
		.verdict = word,
	};

	w->lookups++;
	if (d->verdict != NAMES_ANSWERED && d->verdict != NAMES_TYPE_EMPTY)
		w->lookups_denied++;
	tally_name(&w->asked, d->name, word);
	flows_put(&w->flows, &f);
}

static const char *address_of(struct arena *a, const struct egress_address *x)
{
	struct egress_address host = *x;

	host.prefix = x->family == 6 ? 128 : 32;
	return egress_address_text(a, &host);
}

static void logged(void *ctx, const struct rules_packet *p)
{
	own_arena struct arena a = {0};
	struct watcher *w = ctx;
	const struct egress_grant *g = p->id ? grants_of_id(&w->grants, p->id) : NULL;
	const char *name = w->names && !p->inward ? names_of_address(w->names, &p->to) : NULL;
	struct brig_flow f = {
		.event = p->denied   ? "denied"
			 : p->inward ? "ingress"
				     : "connect",
		.proto = proto_text(&a, p->proto),
		.from = address_of(&a, &p->from),
		.to = address_of(&a, &p->to),
		.port = p->to_port ? &p->to_port : NULL,
		.name = name,
		.grant = g ? g->text : NULL,
		.uid = p->uid == UINT32_MAX ? NULL : &p->uid,
	};

	/* What comes in and is dropped is nothing that the sandbox has done. */
	if (p->denied && !p->inward)
		tally_place(&w->refused, &p->to, p->to_port, p->proto, name);
	flows_put(&w->flows, &f);
}

static int read_log(struct watcher *w, struct err *e)
{
	const struct resolver_plan *p = w->plan;
	int64_t lost = rules_log_read(p->mnl, p->log, &w->log_seq, logged, w, e);

	if (lost < 0)
		return (int)lost;
	w->log_lost += (uint64_t)lost;
	return 0;
}

/* --- grants --------------------------------------------------------------------------------- */

static int wind(struct watcher *w, struct err *e)
{
	uint64_t next = grants_next_ms(&w->grants);
	const struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(next / 1000),
			     .tv_nsec = (long)(next % 1000) * 1000000},
	};

	if (timerfd_settime(w->timer, TFD_TIMER_ABSTIME, &at, NULL) < 0)
		return err_set(e, errno, "resolver: timer");
	return 0;
}

static int expire(struct watcher *w, struct err *e)
{
	uint64_t times;

	(void)!read(w->timer, &times, sizeof(times));
	int r = grants_expire(&w->grants, e);
	return r < 0 ? r : wind(w, e);
}

static int obey(struct watcher *w, const struct resolver_msg *m, uint32_t *number, struct err *e)
{
	switch (m->type) {
	case RESOLVER_GRANT:
		return grants_add(&w->grants, m->text, number, e);
	case RESOLVER_REVOKE:
		return grants_remove(&w->grants, m->text, number, e);
	default:
		return err_msg(e, EPROTO, "resolver: message %u is no question", m->type);
	}
}

/* Another listener is told of an end of file that is none when one descriptor number is closed
 * and used again in one round: so by hand. */
static void cut_off(struct watcher *w, unsigned int slot)
{
	if (w->conns[slot] >= 0)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, w->conns[slot], NULL);
	own_close(&w->conns[slot]);
}

static void accept_one(struct watcher *w)
{
	struct ucred peer = {.uid = (uid_t)-1};
	socklen_t len = sizeof(peer);
	struct err ignored;
	unsigned int slot = 0;
	own_fd int fd = accept4(w->control, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	/* Nobody else gets at it: its directory and its mode say so.  This does again. */
	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    (peer.uid != 0 && peer.uid != geteuid()))
		return;
	while (slot < RESOLVER_CONNS && w->conns[slot] >= 0)
		slot++;
	if (slot == RESOLVER_CONNS) {
		slot = w->next_conn++ % RESOLVER_CONNS;
		cut_off(w, slot);
	}
	if (watch(w, fd, SOURCE_CONN, slot, &ignored) == 0)
		w->conns[slot] = take_fd(&fd);
}

static void reply(int fd, int r, uint32_t number, const struct err *why)
{
	struct resolver_msg m = {
		.type = RESOLVER_REPLY,
		.code = r < 0 ? -r : 0,
		.number = number,
	};

	if (r < 0)
		snprintf(m.text, sizeof(m.text), "%s", why->msg);
	for (char *c = m.text; *c; c++)
		*c = *c < ' ' || *c > '~' ? '?' : *c;
	/* Who does not read its answers does not get any. */
	(void)!send(fd, &m, sizeof(m), MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Whoever sends nonsense is cut off without a word. */
static int serve(struct watcher *w, unsigned int slot, struct err *e)
{
	char data[sizeof(struct resolver_msg) + 1];
	struct resolver_msg m;
	struct err why;
	uint32_t number = 0;

	if (w->conns[slot] < 0)
		return 0; /* cut off by what came earlier in the same round */
	ssize_t n = recv(w->conns[slot], data, sizeof(data), MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0 || resolver_msg_read(data, (size_t)n, &m, &why) < 0) {
		cut_off(w, slot);
		return 0;
	}
	int r = obey(w, &m, &number, &why);
	reply(w->conns[slot], r, number, &why);
	return wind(w, e);
}

/* --- opening -------------------------------------------------------------------------------- */

static int open_parts(struct watcher *w, struct err *e)
{
	sigset_t term;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	if (sigprocmask(SIG_BLOCK, &term, NULL) < 0)
		return err_set(e, errno, "resolver: signals");
	w->epoll = epoll_create1(EPOLL_CLOEXEC);
	w->signals = signalfd(-1, &term, SFD_CLOEXEC | SFD_NONBLOCK);
	w->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (w->epoll < 0 || w->signals < 0 || w->timer < 0)
		return err_set(e, errno, "resolver");
	int r = w->plan->waits_for_word ? 0 : watch(w, w->plan->init, SOURCE_INIT, 0, e);
	if (r == 0)
		r = watch(w, w->signals, SOURCE_SIGNAL, 0, e);
	if (r == 0)
		r = watch(w, w->timer, SOURCE_TIMER, 0, e);
	if (r == 0)
		r = watch(w, w->plan->log, SOURCE_LOG, 0, e);
	return r < 0 ? r : watch(w, w->control, SOURCE_CONTROL, 0, e);
}

static int open_names(struct arena *a, struct watcher *w, struct err *e)
{
	const struct resolver_plan *p = w->plan;
	const struct names_config c = {
		.policy = &w->grants.policy,
		.udp = p->udp,
		.tcp = p->tcp,
		.packet_mark = p->policy->resolves_inside ? EGRESS_PACKET_MARK : 0,
		.upstream_netns = -1, /* we are there already */
		.pin = p->pin,
	};
	const struct names_host h = {
		.ctx = w, .learn = learn, .forget = forget, .decided = decided};

	if (p->udp < 0)
		return 0;
	int r = names_open(a, &c, &h, &w->names, e);
	if (r < 0)
		return r;
	w->grants.names = w->names;
	return watch(w, names_fd(w->names), SOURCE_NAMES, 0, e);
}

/* Best effort: some file systems reserve nothing. */
static int reserve(int dir, struct err *e)
{
	int fd = openat(dir, NETWORK_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
			0600);

	if (fd < 0)
		return err_set(e, errno, "resolver: create %s", NETWORK_FILE);
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 16 << 10);
	return fd;
}

int watcher_open(struct arena *a, const struct resolver_plan *p, int dir, int control,
		 struct watcher **out, struct err *e)
{
	struct watcher *w = arena_new(a, sizeof(*w));

	w->plan = p;
	w->control = control;
	w->epoll = w->signals = w->timer = -1;
	for (size_t i = 0; i < RESOLVER_CONNS; i++)
		w->conns[i] = -1;
	w->room = reserve(dir, e);
	if (w->room < 0)
		return w->room;
	int r = flows_open(&w->flows, p->flows, dir, p->warden, e);
	if (r == 0)
		r = rules_log_open(p->mnl, p->log, e);
	if (r == 0)
		r = open_parts(w, e);
	grants_init(a, &w->grants, p);
	if (r == 0)
		r = open_names(a, w, e);
	if (r == 0)
		r = wind(w, e);
	*out = w;
	return r;
}

/* --- the end -------------------------------------------------------------------------------- */

static void take_names(struct arena *a, const struct watcher *w, struct brig_network *out)
{
	const struct tally_row *top[NETWORK_ROWS];
	size_t n = tally_top(&w->asked, top, LEN(top), &out->names_others);
	struct network_name *rows = arena_array(a, n + 1, sizeof(*rows));

	for (size_t i = 0; i < n; i++)
		rows[i] = (struct network_name){
			.name = *top[i]->text ? top[i]->text : NULL,
			.verdict = top[i]->word,
			.count = top[i]->count,
		};
	out->names = n ? rows : NULL;
	out->n_names = n;
}

static void take_refused(struct arena *a, const struct watcher *w, struct brig_network *out)
{
	const struct tally_row *top[NETWORK_ROWS];
	size_t n = tally_top(&w->refused, top, LEN(top), &out->refused_others);
	struct network_denied *rows = arena_array(a, n + 1, sizeof(*rows));

	for (size_t i = 0; i < n; i++)
		rows[i] = (struct network_denied){
			.to = place_text(a, &top[i]->address, top[i]->port, top[i]->proto),
			.name = *top[i]->text ? top[i]->text : NULL,
			.count = top[i]->count,
		};
	out->refused = n ? rows : NULL;
	out->n_refused = n;
}

/* Those with the most bytes first; one that is gone had its share. */
static void take_grants(struct arena *a, const struct watcher *w, const struct rules_counts *c,
			struct brig_network *out)
{
	struct network_grant *rows = arena_array(a, NETWORK_ROWS + 1, sizeof(*rows));
	size_t n = 0;

	for (size_t i = 0; i < c->n_grants; i++) {
		const struct egress_grant *g = grants_of_id(&w->grants, c->grants[i].id);
		size_t at = n;

		if (!g || !c->grants[i].packets)
			continue;
		while (at > 0 && rows[at - 1].bytes < c->grants[i].bytes) {
			rows[at] = rows[at - 1];
			at--;
		}
		rows[at] = (struct network_grant){
			.grant = g->text,
			.packets = c->grants[i].packets,
			.bytes = c->grants[i].bytes,
		};
		if (n < NETWORK_ROWS)
			n++;
		else
			out->grants_others++;
	}
	out->grants = n ? rows : NULL;
	out->n_grants = n;
}

static void take_limits(struct arena *a, const struct egress_limits *l,
			const struct rules_counts *c, struct brig_network *out)
{
	const struct network_limit all[] = {
		{"connections-rate",  l->rate,  c->over_rate },
		{"connections-open",  l->open,  c->over_open },
		{"connections-total", l->total, c->over_total},
		{"network-bytes",     l->bytes, c->over_bytes},
	};
	struct network_limit *rows = arena_array(a, LEN(all), sizeof(*rows));

	for (size_t i = 0; i < LEN(all); i++)
		if (all[i].count)
			rows[out->n_limits++] = all[i];
	out->limits = out->n_limits ? rows : NULL;
}

static bool put(int fd, const char *text, size_t len, off_t at)
{
	while (len) {
		const struct iovec v = {.iov_base = (void *)(uintptr_t)text, .iov_len = len};
		ssize_t n = pwritev2(fd, &v, 1, at, 0);

		if (n <= 0)
			return false;
		text += n;
		len -= (size_t)n;
		at += n;
	}
	return true;
}

/* The directory may be gone, or full: then nobody is told. */
static void write_down(struct watcher *w)
{
	own_arena struct arena a = {0};
	struct rules_counts counts = {0};
	struct brig_network n = {.v = 1};
	struct err ignored;
	size_t len;

	(void)!read_log(w, &ignored);
	bool counted = rules_counts(&a, w->plan->mnl, w->plan->nft, &counts, &ignored) == 0;
	n.connections = counts.admitted;
	n.denied = counts.denied;
	n.ingress = counts.ingress;
	n.lookups = w->lookups;
	n.lookups_denied = w->lookups_denied;
	n.flows_lost = w->log_lost + w->flows.lost;
	take_names(&a, w, &n);
	take_refused(&a, w, &n);
	take_grants(&a, w, &counts, &n);
	take_limits(&a, &w->grants.policy.limits, &counts, &n);
	const char *text = network_print(&a, &n, &len);
	/* Its first letter last: half a truth would be taken for all of it. */
	if (counted && put(w->room, text + 1, len - 1, 1))
		(void)put(w->room, text, 1, 0);
	own_close(&w->room);
}

/* --- the loop ------------------------------------------------------------------------------- */

static int work(struct watcher *w, uint64_t what, struct err *e)
{
	switch ((enum source)(what >> 32)) {
	case SOURCE_INIT:
	case SOURCE_SIGNAL:
		w->over = true;
		return 0;
	case SOURCE_NAMES:
		return names_work(w->names, e);
	case SOURCE_LOG:
		return read_log(w, e);
	case SOURCE_TIMER:
		return expire(w, e);
	case SOURCE_CONTROL:
		accept_one(w);
		return 0;
	case SOURCE_CONN:
		return serve(w, (unsigned int)what, e);
	}
	return 0;
}

int watcher_run(struct watcher *w)
{
	struct epoll_event events[EVENTS];
	struct err why;
	int r = 0;

	while (!w->over && r == 0) {
		int n = epoll_wait(w->epoll, events, EVENTS, -1);

		if (n < 0 && errno != EINTR)
			r = -errno;
		for (int i = 0; i < n && r == 0; i++)
			r = work(w, events[i].data.u64, &why);
	}
	write_down(w);
	return r < 0;
}
