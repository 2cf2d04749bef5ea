/* What is no call: flow records, refused forks, kills for memory; and more names than have room. */
#include "specs/flow.h"
#include "warden_setup.h"

enum { TOLD_MAX = 4096 };

struct told {
	struct warden_event ev[TOLD_MAX];
	char last[256];
	size_t n, over, flows;
	uint64_t more, flows_more;
};
static struct told told;

static int event(void *ctx, const struct warden_event *ev, struct err *e)
{
	struct told *t = ctx;

	(void)e;
	t->over += ev->kind == WARDEN_OVER;
	if (ev->kind == WARDEN_FLOW) {
		t->flows++;
		t->flows_more += ev->more;
	}
	if (ev->kind != WARDEN_VIOLATION)
		return 0;
	t->more += ev->more;
	snprintf(t->last, sizeof(t->last), "%s", ev->name ? ev->name : "-");
	if (t->n < TOLD_MAX)
		t->ev[t->n++] = *ev;
	return 0;
}

struct counts {
	int64_t refused;
	int fd;
};

static int64_t refused(void *ctx)
{
	return ((struct counts *)ctx)->refused;
}

static int no_fd(void *ctx)
{
	(void)ctx;
	return -1; /* as v1 */
}

static void open_warden(struct setup *s, const struct warden_plan *p, struct counts *c)
{
	struct err e = {0};

	memset(&told, 0, sizeof(told));
	*s = (struct setup){
		.usage = {.box = &s->box, .oom = -1}
        };
	state_make(&s->dir);
	box_make(&s->box, sleeper);
	const struct warden_host h = {
		.dir = s->dir.fd,
		.pidfd = s->box.pidfd,
		.control = -1,
		.kill = box_kill,
		.ctx = &s->box,
		.gauges = {.ctx = c,
			   .pids_refused = c ? refused : NULL,
			   .pids_fd = c ? no_fd : NULL},
		.reports = {.ctx = &told,        .event = event                    },
	};
	CHECK(warden_open(&s->a, p, &h, &s->w, &e) == 0);
	CHECK(warden_started(s->w, -1, &e) == 0);
}

static void work(struct setup *s, int ms)
{
	uint64_t end = now_ms() + (uint64_t)ms;
	struct err e = {0};

	while (now_ms() < end && !warden_over(s->w)) {
		(void)readable(warden_fd(s->w), 20);
		CHECK(warden_work(s->w, &e) == 0);
	}
}

static struct brig_violation *rows_of(struct setup *s, size_t *n)
{
	struct brig_violation *rows = NULL;
	struct err e = {0};

	CHECK(warden_violations_read(&s->a, s->dir.fd, &rows, n, &e) == 0);
	return rows;
}

static const struct brig_violation *row_of(const struct brig_violation *rows, size_t n,
					   const char *name)
{
	static const struct brig_violation none = {0};

	for (size_t i = 0; i < n; i++)
		if (name ? str_eq(rows[i].name, name) : !rows[i].name)
			return &rows[i];
	return &none;
}

/* --- flow records ------------------------------------------------------------------------- */

static bool put(int fd, const struct brig_flow *flow, uint64_t lost, uint64_t lost_refused)
{
	own_arena struct arena a = {0};
	struct brig_flow f = *flow;
	struct warden_flow w = {.lost = lost, .lost_refused = lost_refused};

	f.v = 1;
	f.time = "2026-11-22T14:00:00.000Z";
	w.text = flow_print(&a, &f, &w.len);
	return warden_flow_send(fd, &w);
}

static const uint16_t smtp = 25;
static const struct brig_flow refused_v4 = {
	.event = "denied", .proto = "tcp", .to = "203.0.113.9", .port = &smtp};
static const struct brig_flow refused_v6 = {
	.event = "denied", .proto = "tcp", .to = "2001:db8::9", .port = &smtp};
static const struct brig_flow no_port = {.event = "denied", .proto = "icmp", .to = "203.0.113.9"};
static const struct brig_flow unlisted = {
	.event = "lookup", .proto = "udp", .name = "evil.example.org", .verdict = "not-listed"};
static const struct brig_flow failed = {
	.event = "lookup", .proto = "udp", .name = "api.example.org", .verdict = "failed"};
static const struct brig_flow allowed = {
	.event = "connect", .proto = "tcp", .to = "203.0.113.9", .port = &smtp};

static void pair(struct setup *s, int *fd)
{
	struct err e = {0};
	int fds[2];

	CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) == 0);
	CHECK(warden_flows(s->w, fds[0], &e) == 0);
	*fd = fds[1];
}

static void test_flows(void)
{
	struct setup s;
	size_t n;
	int fd;

	open_warden(&s, &(struct warden_plan){.wall_ms = 60000}, NULL);
	pair(&s, &fd);
	CHECK(put(fd, &refused_v4, 0, 0) && put(fd, &refused_v6, 0, 0) && put(fd, &no_port, 0, 0));
	CHECK(put(fd, &unlisted, 7, 3) && put(fd, &failed, 0, 0) && put(fd, &allowed, 0, 0));
	CHECK(put(fd, &refused_v4, 0, 0));
	CHECK(send(fd, "x", 1, 0) == 1 && send(fd, "0123456789abcdef{\"v\":1", 23, 0) == 23);
	work(&s, 100);
	CHECK(told.flows == 7 && told.flows_more == 7);
	struct warden_end end;
	(void)close(fd);
	work(&s, 50);
	box_kill(&s.box);
	work_until_over(s.w, 3000);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 5);
	CHECK(row_of(rows, n, "203.0.113.9:25/tcp")->count == 2);
	CHECK(row_of(rows, n, "[2001:db8::9]:25/tcp")->count == 1);
	CHECK(row_of(rows, n, "203.0.113.9/icmp")->count == 1);
	CHECK(row_of(rows, n, "evil.example.org")->count == 1);
	CHECK(row_of(rows, n, NULL)->count == 3); /* those that were lost on the way */
	(void)box_end(&s.box, 0);
	end = finish(&s);
	CHECK(!end.reason);
	CHECK(told.over == 1);
	arena_free(&s.a);
}

/* A resolver that sends more than is read is not kept waiting, and rows do not grow. */
static void test_many_targets(void)
{
	struct setup s;
	char name[64];
	size_t n, sent = 0, lost = 0;
	int fd;

	open_warden(&s, &(struct warden_plan){.wall_ms = 60000}, NULL);
	pair(&s, &fd);
	for (int i = 0; i < 20000; i++) {
		struct brig_flow f = unlisted;

		snprintf(name, sizeof(name), "h%d.example.org", i % 400);
		f.name = name;
		if (put(fd, &f, 0, 0))
			sent++;
		else
			lost++;
		if (i % 500 == 499)
			work(&s, 1);
	}
	CHECK(lost > 0);
	work(&s, 500);
	(void)close(fd);
	box_kill(&s.box);
	work_until_over(s.w, 3000);
	const struct brig_violation *rows = rows_of(&s, &n);
	/* Half of the rows is left to other classes. */
	CHECK(n > 100 && n <= VIOLATION_ROWS / 2);
	uint64_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum += rows[i].count;
	CHECK(sum == sent);
	CHECK(row_of(rows, n, NULL)->count > 100);
	/* Each name once, 20 a second, and what is left of each at the end. */
	CHECK(told.n < 2 * VIOLATION_ROWS + 200);
	CHECK(told.more + told.n >= sent);
	printf("# %zu sent, %zu lost, %zu told, %zu of them as flows\n", sent, lost, told.n,
	       told.flows);
	(void)box_end(&s.box, 0);
	(void)finish(&s);
	arena_free(&s.a);
}

/* A resolver that was taken over: no count begins anew, and what is written can be read. */
static void test_forged_flows(void)
{
	struct warden_plan p = {.wall_ms = 60000};
	struct setup s;
	size_t n;
	int fd;

	p.responses[VIOLATION_EGRESS].response = RESPONSE_THROTTLE;
	p.responses[VIOLATION_EGRESS].after = 3;
	open_warden(&s, &p, NULL);
	pair(&s, &fd);
	CHECK(put(fd, &unlisted, 0, 0) && put(fd, &unlisted, 1, 1) && put(fd, &unlisted, 0, 0));
	CHECK(put(fd, &unlisted, UINT64_MAX, UINT64_MAX - 3));
	work(&s, 50);
	CHECK(told.ev[told.n - 1].response == RESPONSE_THROTTLE);
	CHECK(put(fd, &refused_v4, UINT64_MAX, UINT64_MAX));
	work(&s, 50);
	CHECK(told.ev[told.n - 1].response == RESPONSE_THROTTLE);
	(void)close(fd);
	box_kill(&s.box);
	work_until_over(s.w, 3000);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 3 && row_of(rows, n, NULL)->count == UINT64_MAX);
	(void)box_end(&s.box, 0);
	(void)finish(&s);
	arena_free(&s.a);
}

static void test_egress_ends(void)
{
	struct warden_plan p = {.wall_ms = 60000};
	struct setup s;
	int fd;

	p.responses[VIOLATION_EGRESS].response = RESPONSE_TERMINATE;
	p.responses[VIOLATION_EGRESS].after = 3;
	open_warden(&s, &p, NULL);
	pair(&s, &fd);
	CHECK(put(fd, &allowed, 0, 0) && put(fd, &unlisted, 0, 0) && put(fd, &refused_v4, 0, 0));
	work(&s, 100);
	CHECK(!warden_ended(s.w)->reason);
	CHECK(put(fd, &refused_v6, 0, 0));
	work_until_over(s.w, 3000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "violation");
	CHECK_STR(end.class_, "egress");
	CHECK_STR(end.name, "[2001:db8::9]:25/tcp");
	(void)close(fd);
	arena_free(&s.a);
}

/* --- refused forks ------------------------------------------------------------------------ */

static void test_pids(void)
{
	struct warden_plan p = {.wall_ms = 60000};
	struct counts c = {.refused = 0};
	struct setup s;
	size_t n;

	p.responses[VIOLATION_PIDS].response = RESPONSE_TERMINATE;
	p.responses[VIOLATION_PIDS].after = 100;
	open_warden(&s, &p, &c);
	c.refused = 99;
	work(&s, 500);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == 99 && !rows[0].taints);
	CHECK_STR(rows[0].name, "pids");
	CHECK(!warden_ended(s.w)->reason);
	c.refused = 250;
	work_until_over(s.w, 3000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == 250 && rows[0].taints);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "violation");
	CHECK_STR(end.class_, "pids");
	arena_free(&s.a);
}

/* Those of the last moment are counted when it has ended. */
static void test_late_pids(void)
{
	struct counts c = {.refused = 0};
	struct setup s;
	size_t n;

	open_warden(&s, &(struct warden_plan){.wall_ms = 60000}, &c);
	work(&s, 30);
	c.refused = 3;
	box_kill(&s.box);
	work_until_over(s.w, 3000);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == 3);
	CHECK_STR(rows[0].response, "warn");
	(void)box_end(&s.box, 0);
	(void)finish(&s);
	arena_free(&s.a);
}

/* Of nothing there is no file. */
static void test_nothing(void)
{
	struct setup s;
	struct stat st;

	open_warden(&s, &(struct warden_plan){.wall_ms = 60000}, NULL);
	work(&s, 30);
	box_kill(&s.box);
	work_until_over(s.w, 3000);
	CHECK(fstatat(s.dir.fd, VIOLATIONS_FILE, &st, 0) < 0 && errno == ENOENT);
	CHECK(told.n == 0 && told.over == 1);
	(void)box_end(&s.box, 0);
	(void)finish(&s);
	arena_free(&s.a);
}

int main(void)
{
	test_flows();
	test_many_targets();
	test_forged_flows();
	test_egress_ends();
	test_pids();
	test_late_pids();
	test_nothing();
	return check_done();
}
