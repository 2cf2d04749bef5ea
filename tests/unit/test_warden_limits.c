/* Limits that a warden looks after: CPU time, grace, memory. */
#include "warden_setup.h"

static void burner(int sync)
{
	(void)sync;
	for (;;)
		;
}

/* Says so, and goes on. */
static void deaf(int sync)
{
	(void)signal(SIGTERM, SIG_IGN);
	(void)!write(sync, "x", 1);
	pause();
}

static void on_term(int sig)
{
	(void)sig;
	_exit(3);
}

static void polite(int sync)
{
	(void)signal(SIGTERM, on_term);
	(void)!write(sync, "x", 1);
	pause();
}

static bool box_term(void *ctx)
{
	return sys_pidfd_send_signal(((struct box *)ctx)->pidfd, SIGTERM) == 0;
}

static bool box_deaf(void *ctx)
{
	(void)ctx;
	return false;
}

static void test_cpu_time(void)
{
	const struct warden_plan p = {.cpu_ms = 150, .wall_ms = 60000, .cpus = 1};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, burner, false);
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 10000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "cpu-time");
	CHECK(end.cpu_ms == 150 && end.started_ns && !end.tainted);
	arena_free(&s.a);
}

/* It may run before its maker has said who it is. */
static void test_cpu_early(void)
{
	const struct warden_plan p = {.cpu_ms = 50, .cpus = 1};
	struct setup s = {0};
	struct err e = {0};

	state_make(&s.dir);
	box_make(&s.box, burner);
	s.usage = (struct usage){.box = &s.box, .oom = -1, .lost = true};
	struct warden_host h = {
		.dir = s.dir.fd,
		.pidfd = -1,
		.control = -1,
		.kill = box_kill,
		.ctx = &s.box,
		.gauges = {.ctx = &s.usage, .cpu_ns = cpu_of_box}
        };
	CHECK(warden_open(&s.a, &p, &h, &s.w, &e) == 0);
	CHECK(warden_started(s.w, -1, &e) == 0);
	s.usage.lost = false;
	CHECK(warden_adopt(s.w, s.box.pidfd, &e) == 0);
	work_until_over(s.w, 10000);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, "cpu-time");
	arena_free(&s.a);
}

/* Who sleeps uses nothing, and is hardly looked at: 1 at the start, 4 after it. */
static void test_cpu_idle(void)
{
	const struct warden_plan p = {.cpu_ms = 400, .wall_ms = 900, .cpus = 2};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 10000);
	CHECK(s.usage.looks >= 3 && s.usage.looks < 10);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, "timeout");
	arena_free(&s.a);
}

/* What cannot be read is not taken for nothing. */
static void test_cpu_unknown(void)
{
	const struct warden_plan p = {.cpu_ms = 20, .cpus = 1};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	CHECK(warden_started(s.w, -1, &e) == 0);
	s.usage.lost = true;
	CHECK(readable(warden_fd(s.w), 5000));
	CHECK(warden_work(s.w, &e) == -EIO);
	box_kill(&s.box);
	work_until_over(s.w, 5000); /* its end is no error */
	(void)box_end(&s.box, 0);
	CHECK(!finish(&s).reason);
	arena_free(&s.a);
	s = (struct setup){0};
	state_make(&s.dir);
	box_make(&s.box, sleeper);
	struct warden_host h = {.dir = s.dir.fd, .pidfd = -1, .control = -1, .kill = box_kill};
	CHECK(warden_open(&s.a, &p, &h, &s.w, &e) == 0);
	CHECK(warden_adopt(s.w, s.box.pidfd, &e) == -EOPNOTSUPP);
	box_kill(&s.box);
	(void)box_end(&s.box, 5000);
	(void)finish(&s);
	arena_free(&s.a);
}

/* fn has said that it is ready for the signal; *took: from the limit to its end */
static int test_grace(void (*fn)(int), bool (*term)(void *), uint64_t grace, uint64_t *took)
{
	const struct warden_plan p = {.wall_ms = 50, .grace_ms = grace};
	struct setup s = {.term = term};
	struct err e = {0};
	char c;

	begin(&s, &p, fn, false);
	CHECK(read(s.box.sync, &c, 1) == 1);
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 10000);
	int status = box_end(&s.box, 0);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "timeout");
	*took = (end.ended_ns - end.started_ns) / 1000000;
	arena_free(&s.a);
	return status;
}

static void test_graces(void)
{
	uint64_t took;
	int status = test_grace(polite, box_term, 60000, &took);

	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3 && took >= 50);
	CHECK(WTERMSIG(test_grace(deaf, box_term, 300, &took)) == SIGKILL && took >= 350);
	/* Who will not hear of it gets none. */
	CHECK(WTERMSIG(test_grace(deaf, box_deaf, 120000, &took)) == SIGKILL && took < 60000);
	CHECK(WTERMSIG(test_grace(deaf, NULL, 120000, &took)) == SIGKILL && took < 60000);
}

/* The reason is on disk when it is asked to end. */
static void test_grace_written(void)
{
	const struct warden_plan p = {.wall_ms = 20, .grace_ms = 60000};
	struct setup s = {.term = box_term};
	struct warden_end end = {0};
	struct err e = {0};
	char c;

	begin(&s, &p, deaf, false);
	CHECK(read(s.box.sync, &c, 1) == 1);
	CHECK(warden_started(s.w, -1, &e) == 0);
	CHECK(readable(warden_fd(s.w), 5000));
	CHECK(warden_work(s.w, &e) == 0);
	CHECK(warden_end_read(&s.a, s.dir.fd, &end, &e) == 0);
	CHECK_STR(end.reason, "timeout");
	CHECK(s.box.killed == 0);
	/* What is worse than a limit does not wait for the grace. */
	warden_give_up(s.w);
	CHECK(s.box.killed == 1);
	work_until_over(s.w, 5000);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, "timeout");
	arena_free(&s.a);
}

static void notify_oom(const struct setup *s)
{
	const uint64_t one = 1;

	CHECK(write(s->usage.oom, &one, sizeof(one)) == (ssize_t)sizeof(one));
}

static void test_memory(void)
{
	const struct warden_plan p = {.oom = true, .wall_ms = 60000};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	CHECK(warden_started(s.w, -1, &e) == 0);
	/* v1 counts some instants after it has notified. */
	notify_oom(&s);
	CHECK(readable(warden_fd(s.w), 1000) && warden_work(s.w, &e) == 0);
	CHECK(!warden_ended(s.w)->reason && s.box.killed == 0);
	s.usage.kills = 1;
	work_until_over(s.w, 5000);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, "memory");
	arena_free(&s.a);
}

/* Notified of, and nobody killed: one of them ended just then. */
static void test_memory_spared(void)
{
	const struct warden_plan p = {.oom = true, .wall_ms = 300};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	CHECK(warden_started(s.w, -1, &e) == 0);
	notify_oom(&s);
	work_until_over(s.w, 5000);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, "timeout");
	arena_free(&s.a);
}

/* Of several things at once, what killed it. */
static void test_memory_first(void (*fn)(int), const char *want, int64_t kills)
{
	const struct warden_plan p = {.oom = true, .wall_ms = 30};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, fn, true);
	CHECK(warden_started(s.w, -1, &e) == 0);
	(void)usleep(60000);
	s.usage.kills = kills;
	work_until_over(s.w, 5000);
	(void)box_end(&s.box, 0);
	CHECK_STR(finish(&s).reason, want);
	arena_free(&s.a);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	test_cpu_time();
	test_cpu_early();
	test_cpu_idle();
	test_cpu_unknown();
	test_graces();
	test_grace_written();
	test_memory();
	test_memory_spared();
	test_memory_first(sleeper, "memory", 1);
	test_memory_first(quick, "memory", 1);
	/* What has ended by itself was in time. */
	test_memory_first(quick, "exited", 0);
	return check_done();
}
