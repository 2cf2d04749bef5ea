/* A warden in the loop of the foreground run. */
#include "run/foreground.h"
#include "warden_fixture.h"

static void sleeper(int sync)
{
	(void)sync;
	(void)close_range(3, ~0U, 0);
	pause();
}

static void leaver(int sync)
{
	(void)sync;
	(void)usleep(20000);
	_exit(7);
}

static int ready(void *ctx, struct err *e)
{
	return warden_work(ctx, e);
}

static int fails(void *ctx, struct err *e)
{
	(void)ctx;
	return err_msg(e, EIO, "watched no more");
}

static int run(const struct warden_plan *p, void (*fn)(int), struct warden_end *end,
	       struct arena *a)
{
	struct foreground f;
	struct state_dir dir;
	struct box b;
	struct warden *w;
	struct err e = {0};
	int status = 0;

	state_make(&dir);
	CHECK(foreground_begin(&f, &e) == 0);
	box_make(&b, fn);
	const struct warden_host h = {
		.dir = dir.fd,
		.pidfd = -1,
		.control = -1,
		.kill = box_kill,
		.ctx = &b,
		.record_exit = true,
	};
	CHECK(warden_open(a, p, &h, &w, &e) == 0);
	CHECK(warden_started(w, b.pidfd, &e) == 0);
	const struct foreground_watch watch = {.fd = warden_fd(w), .ready = ready, .ctx = w};
	f.watch = &watch;
	CHECK(foreground_wait(&f, b.pid, b.pidfd, -1, &status, &e) == 0);
	/* It may have been reaped before the warden looked. */
	CHECK(warden_work(w, &e) == 0);
	CHECK(warden_over(w));
	foreground_end(&f);
	CHECK(warden_end_read(a, dir.fd, end, &e) == 0);
	warden_close(w);
	(void)close(b.pidfd);
	(void)close(b.sync);
	state_drop(&dir);
	return status;
}

static void test_watch_fails(void)
{
	struct foreground f;
	struct box b;
	struct err e = {0};
	int status = 0, pipes[2];

	CHECK(pipe(pipes) == 0);
	CHECK(foreground_begin(&f, &e) == 0);
	box_make(&b, sleeper);
	(void)!write(pipes[1], "x", 1);
	const struct foreground_watch watch = {.fd = pipes[0], .ready = fails};
	f.watch = &watch;
	CHECK(foreground_wait(&f, b.pid, b.pidfd, -1, &status, &e) == -EIO);
	CHECK_STR(e.msg, "watched no more");
	foreground_end(&f);
	box_kill(&b);
	(void)box_end(&b, 1000);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
}

int main(void)
{
	own_arena struct arena a = {0};
	struct warden_end end;

	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	int status = run(&(struct warden_plan){.wall_ms = 100}, sleeper, &end, &a);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	CHECK_STR(end.reason, "timeout");
	status = run(&(struct warden_plan){.wall_ms = 60000}, leaver, &end, &a);
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	CHECK_STR(end.reason, "exited");
	test_watch_fails();
	return check_done();
}
