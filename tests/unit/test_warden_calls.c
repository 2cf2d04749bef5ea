/* Notified calls: what each is, how it is answered, and what of a flood is told. */
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/time.h>

#include "warden_setup.h"

enum { DENIED_NR = SYS_unshare, NEVER_NR = SYS_swapoff, ERROR = 77, TOLD_MAX = 100000 };

/* What the fixture's filter would say if it notified of nothing. */
static uint32_t decide(void *ctx, const struct seccomp_data *d)
{
	(void)ctx;
	return d->nr == NEVER_NR    ? SECCOMP_RET_KILL_PROCESS
	       : d->nr == SYS_ioctl ? SECCOMP_RET_ERRNO | EPERM
				    : SECCOMP_RET_ERRNO | ERROR;
}

static const char *name_of(long nr)
{
	return nr == NEVER_NR ? "swapoff" : nr == DENIED_NR ? "unshare" : NULL;
}

/* Of DENIED_NR, NEVER_NR, number 600, and ioctl with TIOCSTI. */
static int install(void)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NEVER_NR, 5, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, DENIED_NR, 4, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 600, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, TIOCSTI, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {.len = LEN(f), .filter = f};
	struct {
		unsigned int with, without;
	} flags = {SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		   SECCOMP_FILTER_FLAG_NEW_LISTENER};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -1;
	int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags.with, &prog);
	return fd >= 0 ? fd
		       : (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags.without, &prog);
}

static void begin_inside(int sync)
{
	struct err e;
	int fd = install();

	if (fd < 0 || sync_send_fd(sync, SYNC_LISTENER, fd, &e) < 0)
		_exit(90);
	(void)close(fd);
	if (sync_expect(sync, SYNC_LISTENER_DONE, &e) < 0)
		_exit(91);
}

static int denied_errno(void)
{
	errno = 0;
	return syscall(DENIED_NR, 0L) < 0 ? errno : 0;
}

/* --- the warden's side -------------------------------------------------------------------- */

struct told {
	struct warden_event ev[TOLD_MAX];
	char names[64][64], comm[64];
	size_t n, over, flows, anomalous;
	uint64_t more;
	bool fails;
};
static struct told told;

static int event(void *ctx, const struct warden_event *ev, struct err *e)
{
	struct told *t = ctx;

	if (ev->kind == WARDEN_OVER) {
		t->over++;
		return 0;
	}
	if (t->fails)
		return err_msg(e, EIO, "the disk\nis full");
	t->flows += ev->kind == WARDEN_FLOW;
	t->anomalous += ev->anomalous;
	t->more += ev->kind == WARDEN_VIOLATION ? ev->more : 0;
	if (ev->comm)
		snprintf(t->comm, sizeof(t->comm), "%s", ev->comm);
	if (t->n < LEN(t->names))
		snprintf(t->names[t->n], sizeof(t->names[0]), "%s", ev->name ? ev->name : "-");
	if (t->n < TOLD_MAX)
		t->ev[t->n++] = *ev;
	return 0;
}

static void open_warden(struct setup *s, const struct warden_plan *p, void (*fn)(int))
{
	struct err e = {0};

	memset(&told, 0, sizeof(told));
	*s = (struct setup){
		.usage = {.box = &s->box, .oom = -1}
        };
	state_make(&s->dir);
	box_make(&s->box, fn);
	const struct warden_host h = {
		.dir = s->dir.fd,
		.pidfd = s->box.pidfd,
		.control = -1,
		.kill = box_kill,
		.ctx = &s->box,
		.syscall_name = name_of,
		.decide = decide,
		.reports = {.ctx = &told, .event = event},
	};
	CHECK(warden_open(&s->a, p, &h, &s->w, &e) == 0);
	CHECK(warden_listener(s->w, box_listener(&s->box), &e) == 0);
	CHECK(warden_started(s->w, -1, &e) == 0);
}

static void let_go(struct setup *s)
{
	struct err e = {0};

	CHECK(sync_send(s->box.sync, SYNC_LISTENER_DONE, &e) == 0);
}

/* The file, and the box's exit status. */
static struct brig_violation *rows_of(struct setup *s, size_t *n)
{
	struct brig_violation *rows = NULL;
	struct err e = {0};

	CHECK(warden_violations_read(&s->a, s->dir.fd, &rows, n, &e) == 0);
	return rows;
}

static const struct brig_violation *row_of(const struct brig_violation *rows, size_t n,
					   const char *class_, const char *name)
{
	static const struct brig_violation none = {0};

	for (size_t i = 0; i < n; i++)
		if (str_eq(rows[i].class_, class_) &&
		    (name ? str_eq(rows[i].name, name) : !rows[i].name))
			return &rows[i];
	return &none;
}

static const struct warden_plan audited = {.notify = true, .denied = true};

/* --- answers ------------------------------------------------------------------------------ */

static void asks_all(int sync)
{
	begin_inside(sync);
	if (denied_errno() != ERROR)
		_exit(1);
	if (syscall(600) >= 0 || errno != ERROR)
		_exit(2);
	if (ioctl(0, TIOCSTI, "x") >= 0 || errno != EPERM)
		_exit(3);
	_exit(denied_errno() == ERROR ? 0 : 4);
}

static void test_answers(void)
{
	struct setup s;
	size_t n;

	open_warden(&s, &audited, asks_all);
	let_go(&s);
	work_until_over(s.w, 5000);
	CHECK(box_end(&s.box, 0) == 0);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 3);
	CHECK(row_of(rows, n, "denied", "unshare")->count == 2);
	CHECK(row_of(rows, n, "denied", "unknown")->count == 1);
	CHECK(row_of(rows, n, "terminal", "TIOCSTI")->count == 1);
	CHECK_STR(row_of(rows, n, "terminal", "TIOCSTI")->response, "warn");
	CHECK(told.n == 4 && told.over == 1 && told.more == 0);
	CHECK_STR(told.comm, "test_warden_cal"); /* as the kernel cuts it */
	CHECK(told.ev[0].nr == DENIED_NR && told.ev[0].pid > 0 && !told.ev[0].arch);
	CHECK(told.ev[2].args[1] == TIOCSTI);
	CHECK(!warden_ended(s.w)->tainted);
	(void)finish(&s);
	arena_free(&s.a);
}

static void asks_never(int sync)
{
	begin_inside(sync);
	if (syscall(NEVER_NR, "/nowhere") >= 0 || errno != EPERM)
		_exit(1);
	_exit(0);
}

/* A never-legitimate call that is only denied taints all the same. */
static void test_spared(void)
{
	struct warden_plan p = audited;
	struct setup s;
	size_t n;

	p.responses[VIOLATION_SYSCALL].response = RESPONSE_DENY;
	p.responses[VIOLATION_SYSCALL].after = 1;
	open_warden(&s, &p, asks_never);
	let_go(&s);
	work_until_over(s.w, 5000);
	CHECK(box_end(&s.box, 0) == 0);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].taints && rows[0].count == 1);
	CHECK_STR(rows[0].response, "deny");
	CHECK(warden_ended(s.w)->tainted && !warden_ended(s.w)->reason);
	(void)finish(&s);
	arena_free(&s.a);
}

static void asks_ten(int sync)
{
	begin_inside(sync);
	for (int i = 0; i < 10; i++)
		if (denied_errno() != ERROR)
			_exit(1);
	_exit(0);
}

/* From the fifth on. */
static void test_terminate(void)
{
	struct warden_plan p = audited;
	struct setup s;
	size_t n;

	p.responses[VIOLATION_DENIED].response = RESPONSE_TERMINATE;
	p.responses[VIOLATION_DENIED].after = 5;
	open_warden(&s, &p, asks_ten);
	let_go(&s);
	work_until_over(s.w, 5000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == 5 && rows[0].taints);
	CHECK_STR(rows[0].response, "terminate");
	CHECK(told.n >= 2 && told.ev[told.n - 1].response == RESPONSE_TERMINATE);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "violation");
	CHECK_STR(end.class_, "denied");
	CHECK_STR(end.name, "unshare");
	CHECK(end.tainted && end.count == 0);
	arena_free(&s.a);
}

/* 1, 2, 4 ... ms; other processes go on meanwhile. */
static void test_throttle(void)
{
	struct warden_plan p = audited;
	struct setup s;
	uint64_t from;

	p.responses[VIOLATION_DENIED].response = RESPONSE_THROTTLE;
	p.responses[VIOLATION_DENIED].after = 1;
	open_warden(&s, &p, asks_ten);
	from = now_ms();
	let_go(&s);
	work_until_over(s.w, 10000);
	uint64_t took = now_ms() - from;
	CHECK(took >= 1023 && took < 3000);
	CHECK(box_end(&s.box, 0) == 0);
	(void)finish(&s);
	arena_free(&s.a);
}

/* Evidence that cannot be kept ends it. */
static void test_no_evidence(void)
{
	struct setup s;

	open_warden(&s, &audited, asks_ten);
	told.fails = true;
	let_go(&s);
	work_until_over(s.w, 5000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	CHECK(told.over == 1);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "audit");
	CHECK_STR(end.message, "the disk?is full");
	CHECK(!end.tainted);
	arena_free(&s.a);
}

/* --- hostile callers ---------------------------------------------------------------------- */

enum { THREADS = 16, EACH = 1500, CROWD = 600 };

static void *many(void *wrong)
{
	for (int i = 0; i < EACH; i++)
		if (denied_errno() != ERROR)
			*(volatile int *)wrong = 1;
	return NULL;
}

static void floods(int sync)
{
	pthread_t t[THREADS];
	int wrong = 0;

	begin_inside(sync);
	for (size_t i = 0; i < LEN(t); i++)
		if (pthread_create(&t[i], NULL, many, &wrong) != 0)
			_exit(2);
	for (size_t i = 0; i < LEN(t); i++)
		(void)pthread_join(t[i], NULL);
	_exit(wrong);
}

static long own_memory(void)
{
	char text[4096];
	const char *at;

	if (file_peek(AT_FDCWD, "/proc/self/status", text, sizeof(text)) < 0)
		return -1;
	at = strstr(text, "RssAnon:");
	return at ? strtol(at + strlen("RssAnon:"), NULL, 10) : -1;
}

static void test_flood(void)
{
	struct setup s;
	size_t n;

	open_warden(&s, &audited, floods);
	long before = own_memory();
	uint64_t from = now_ms();
	let_go(&s);
	work_until_over(s.w, 60000);
	uint64_t took = now_ms() - from;
	CHECK(box_end(&s.box, 0) == 0);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == THREADS * EACH);
	CHECK(told.anomalous == 1 && told.over == 1);
	/* The first, those of the first thousand, the flood, and at the end how many there were. */
	CHECK(told.n <= 30 && told.more + told.n - told.anomalous >= THREADS * EACH);
	long grown = own_memory() - before;
#ifdef __SANITIZE_ADDRESS__
	grown = 0; /* it keeps what was freed */
#endif
	CHECK(grown < 256);
	printf("# %d calls in %llu ms, %zu told\n", THREADS * EACH, (unsigned long long)took,
	       told.n);
	CHECK(took > 1000);
	(void)finish(&s);
	arena_free(&s.a);
}

static void *once(void *wrong)
{
	if (denied_errno() != ERROR)
		*(volatile int *)wrong = 1;
	return NULL;
}

static void crowds(int sync)
{
	static pthread_t t[CROWD];
	pthread_attr_t attr;
	int wrong = 0;

	begin_inside(sync);
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, 64 << 10);
	for (size_t i = 0; i < LEN(t); i++)
		if (pthread_create(&t[i], &attr, once, &wrong) != 0)
			_exit(2);
	for (size_t i = 0; i < LEN(t); i++)
		(void)pthread_join(t[i], NULL);
	_exit(wrong);
}

/* More at once than are held, when each waits for its answer. */
static void test_crowd(bool held)
{
	struct warden_plan p = audited;
	struct setup s;
	size_t n;

	p.responses[VIOLATION_DENIED].response = held ? RESPONSE_THROTTLE : RESPONSE_WARN;
	p.responses[VIOLATION_DENIED].after = 1;
	open_warden(&s, &p, crowds);
	let_go(&s);
	work_until_over(s.w, 30000);
	CHECK(box_end(&s.box, 0) == 0);
	const struct brig_violation *rows = rows_of(&s, &n);
	CHECK(n == 1 && rows[0].count == CROWD);
	(void)finish(&s);
	arena_free(&s.a);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Signals while it waits: the call comes once, with its own answer. */
static void signals(int sync)
{
	const struct itimerval often = {{.tv_usec = 700}, {.tv_usec = 700}};
	struct sigaction sa = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	int wrong = 0;

	begin_inside(sync);
	(void)sigaction(SIGALRM, &sa, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 0; i < 8; i++)
		wrong += denied_errno() != ERROR;
	_exit(wrong);
}

static void test_signals(void)
{
	struct warden_plan p = audited;
	struct setup s;

	p.responses[VIOLATION_DENIED].response = RESPONSE_THROTTLE;
	p.responses[VIOLATION_DENIED].after = 1;
	open_warden(&s, &p, signals);
	let_go(&s);
	work_until_over(s.w, 10000);
	CHECK(box_end(&s.box, 0) == 0);
	(void)finish(&s);
	arena_free(&s.a);
}

/* Callers that are killed before, while and after they are answered. */
static void churns(int sync)
{
	begin_inside(sync);
	for (int i = 0; i < 200; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			(void)denied_errno();
			_exit(0);
		}
		(void)usleep((useconds_t)i * 5);
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	_exit(0);
}

static void test_churn(void)
{
	struct setup s;
	size_t n;

	open_warden(&s, &audited, churns);
	let_go(&s);
	work_until_over(s.w, 20000);
	CHECK(box_end(&s.box, 0) == 0);
	const struct brig_violation *rows = rows_of(&s, &n);
	/* Those that nobody could read have no name, and are no never-legitimate calls. */
	CHECK(n >= 1 && n <= 2);
	for (size_t i = 0; i < n; i++)
		CHECK_STR(rows[i].class_, "denied");
	CHECK(!warden_ended(s.w)->tainted);
	(void)finish(&s);
	arena_free(&s.a);
}

int main(void)
{
	test_answers();
	test_spared();
	test_terminate();
	test_throttle();
	test_no_evidence();
	test_flood();
	test_crowd(false);
	test_crowd(true);
	test_signals();
	test_churn();
	return check_done();
}
