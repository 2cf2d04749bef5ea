/* Output that a warden passes on: to the byte, to readers of all kinds. */
#include <sys/uio.h>

#include "warden_setup.h"

/* From the sandbox to its warden, and from there to the reader; two streams. */
static int inner[2][2], outer[2][2];

enum { LIMIT = 1000, MUCH = 300000 };

static void fill(int fd, size_t n)
{
	static char buf[4096];

	memset(buf, 'x', sizeof(buf));
	while (n > 0) {
		ssize_t w = write(fd, buf, n < sizeof(buf) ? n : sizeof(buf));

		if (w < 0)
			_exit(40 + (errno == EPIPE));
		n -= (size_t)w;
	}
}

/* The test's other ends would keep pipes open. */
static void only_writes(void)
{
	int out = dup2(inner[0][1], 1), err = dup2(inner[1][1], 2);

	if (out < 0 || err < 0)
		_exit(39);
	(void)close_range(3, ~0U, 0);
}

static void writes_limit(int sync)
{
	(void)sync;
	only_writes();
	fill(1, 600);
	fill(2, LIMIT - 600);
	_exit(3);
}

static void writes_more(int sync)
{
	(void)sync;
	only_writes();
	fill(1, 600);
	fill(2, 600);
	pause();
}

/* What is not read of a packet is lost. */
static void writes_packet(int sync)
{
	char buf[LIMIT + 1] = "";

	(void)sync;
	only_writes();
	if (fcntl(1, F_SETFL, O_WRONLY | O_DIRECT) < 0 ||
	    write(1, buf, sizeof(buf)) != (ssize_t)sizeof(buf))
		_exit(40);
	pause();
}

static void writes_much(int sync)
{
	(void)sync;
	only_writes();
	fill(1, MUCH);
	_exit(4);
}

static void writes_ever(int sync)
{
	(void)sync;
	only_writes();
	(void)signal(SIGPIPE, SIG_IGN);
	for (;;)
		fill(1, 4096);
}

static void make_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		CHECK(pipe2(inner[i], O_CLOEXEC) == 0 && pipe2(outer[i], O_CLOEXEC) == 0);
		CHECK(fcntl(inner[i][0], F_SETFL, O_NONBLOCK) == 0);
	}
}

/* to: where the first stream goes, -1: a pipe */
static void begin_output(struct setup *s, const struct warden_plan *p, void (*fn)(int), int to)
{
	struct err e = {0};

	*s = (struct setup){
		.usage = {.box = &s->box, .oom = -1}
        };
	make_pipes();
	state_make(&s->dir);
	box_make(&s->box, fn);
	const struct warden_stream streams[] = {
		{inner[0][0], to < 0 ? outer[0][1] : to},
		{inner[1][0], outer[1][1]              },
	};
	struct warden_host h = {.dir = s->dir.fd,
				.pidfd = s->box.pidfd,
				.control = -1,
				.kill = box_kill,
				.ctx = &s->box,
				.record_exit = true,
				.streams = streams,
				.n_streams = 2};
	CHECK(warden_open(&s->a, p, &h, &s->w, &e) == 0);
	CHECK(warden_started(s->w, -1, &e) == 0);
	if (to >= 0)
		(void)close(outer[0][1]);
	(void)close(inner[0][1]);
	(void)close(inner[1][1]);
}

/* All that is in a pipe whose writer has gone. */
static size_t count(int fd)
{
	char buf[65536];
	size_t n = 0;
	ssize_t r;

	while ((r = read(fd, buf, sizeof(buf))) > 0)
		n += (size_t)r;
	CHECK(r == 0);
	return n;
}

static struct warden_end end_output(struct setup *s)
{
	struct warden_end end = finish(s);

	(void)close(outer[0][0]);
	(void)close(outer[1][0]);
	return end;
}

static void test_limit(void)
{
	const struct warden_plan p = {.output = LIMIT, .wall_ms = 60000};
	struct setup s;

	begin_output(&s, &p, writes_limit, -1);
	work_until_over(s.w, 10000);
	CHECK(WEXITSTATUS(box_end(&s.box, 0)) == 3);
	CHECK(count(outer[0][0]) == 600 && count(outer[1][0]) == LIMIT - 600);
	struct warden_end end = end_output(&s);
	CHECK_STR(end.reason, "exited");
	CHECK(end.passed == LIMIT);
	arena_free(&s.a);
}

static void test_over(void (*writes)(int sync))
{
	const struct warden_plan p = {.output = LIMIT, .wall_ms = 8000};
	struct setup s;

	begin_output(&s, &p, writes, -1);
	work_until_over(s.w, 10000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	CHECK(count(outer[0][0]) + count(outer[1][0]) == LIMIT);
	struct warden_end end = end_output(&s);
	CHECK_STR(end.reason, "output");
	CHECK(end.output == LIMIT && end.passed == LIMIT && end.started_ns);
	arena_free(&s.a);
}

/* The sandbox has ended long before its output is read: nothing is lost. */
static void test_slow(void)
{
	const struct warden_plan p = {.output = 1 << 20, .wall_ms = 60000};
	struct setup s;
	struct err e = {0};
	char buf[8192];
	size_t n = 0;

	begin_output(&s, &p, writes_much, -1);
	while (!warden_over(s.w)) {
		(void)readable(warden_fd(s.w), 5);
		CHECK(warden_work(s.w, &e) == 0);
		ssize_t r = readable(outer[0][0], 0) ? read(outer[0][0], buf, sizeof(buf)) : 0;
		n += r > 0 ? (size_t)r : 0;
	}
	CHECK(WEXITSTATUS(box_end(&s.box, 0)) == 4);
	CHECK(n + count(outer[0][0]) == MUCH);
	CHECK(end_output(&s).passed == MUCH);
	arena_free(&s.a);
}

/* Who never reads keeps neither the clock nor the end. */
static void test_never(void)
{
	const struct warden_plan p = {.output = 1 << 20, .wall_ms = 100};
	struct setup s;

	begin_output(&s, &p, writes_ever, -1);
	work_until_over(s.w, 20000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	struct warden_end end = end_output(&s);
	CHECK_STR(end.reason, "timeout");
	CHECK(end.passed >= 4096 && end.passed < 1 << 20);
	arena_free(&s.a);
}

static void test_closed(void)
{
	const struct warden_plan p = {.output = 1 << 30, .wall_ms = 60000};
	struct setup s;

	begin_output(&s, &p, writes_ever, -1);
	(void)close(outer[0][0]);
	outer[0][0] = -1;
	work_until_over(s.w, 10000);
	CHECK(WEXITSTATUS(box_end(&s.box, 0)) == 41); /* EPIPE */
	CHECK_STR(end_output(&s).reason, "exited");
	arena_free(&s.a);
}

/* Where no pipe is: a file, which has no end of room; a device; a socket. */
static void test_kinds(void)
{
	const struct warden_plan p = {.output = 1 << 20, .wall_ms = 60000};
	char path[] = "/tmp/brig-warden-output-XXXXXX";
	int file = mkstemp(path), pair[2];
	struct setup s;
	struct stat st;

	CHECK(file >= 0 && unlink(path) == 0);
	own_fd int again = dup(file);
	begin_output(&s, &p, writes_much, file);
	work_until_over(s.w, 10000);
	(void)box_end(&s.box, 0);
	CHECK(fstat(again, &st) == 0 && st.st_size == MUCH);
	CHECK(end_output(&s).passed == MUCH);
	arena_free(&s.a);

	begin_output(&s, &p, writes_much, open("/dev/null", O_WRONLY | O_CLOEXEC));
	work_until_over(s.w, 10000);
	(void)box_end(&s.box, 0);
	CHECK(end_output(&s).passed == MUCH);
	arena_free(&s.a);

	CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	begin_output(&s, &p, writes_ever, pair[1]);
	(void)usleep(100000);
	struct err e = {0};
	for (int i = 0; i < 5; i++) /* it is full by now, and does not block */
		CHECK(warden_work(s.w, &e) == 0);
	(void)close(pair[0]);
	work_until_over(s.w, 10000);
	CHECK(WEXITSTATUS(box_end(&s.box, 0)) == 41);
	(void)end_output(&s);
	arena_free(&s.a);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	test_limit();
	test_over(writes_more);
	test_over(writes_packet);
	test_slow();
	test_never();
	test_closed();
	test_kinds();
	return check_done();
}
