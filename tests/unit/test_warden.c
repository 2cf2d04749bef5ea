/* The warden's loop in a host's: what ends a sandbox and what is written about it. */
#include <sys/file.h>

#include "warden_setup.h"

/* Waits until the warden has its listener, then attempts. */
static void attacker(int sync)
{
	struct err e;

	pass_listener(sync);
	if (sync_expect(sync, SYNC_LISTENER_DONE, &e) < 0)
		_exit(91);
	box_attempt();
	_exit(92); /* it was answered */
}

enum { FLOOD = 40, MORE = 200 };

static void *attempts(void *unused)
{
	(void)unused;
	box_attempt();
	return NULL;
}

/* Forty processes that each attempt, while they are killed and come again. */
static void flooder(int sync)
{
	struct err e;

	pass_listener(sync);
	for (int i = 0; i < FLOOD; i++)
		if (fork() == 0) {
			(void)attempts(NULL);
			_exit(93);
		}
	if (sync_expect(sync, SYNC_LISTENER_DONE, &e) < 0)
		_exit(91);
	pause();
}

/* Attempts whose process is killed at once by another one. */
static void churner(int sync)
{
	pass_listener(sync);
	for (int i = 0; i < MORE; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			box_attempt();
			_exit(93);
		}
		(void)usleep((useconds_t)i * 3); /* before, in or after its call */
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	pause();
}

static void test_timeout(void)
{
	const struct warden_plan p = {.wall_ms = 150};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	/* Not before it was started. */
	CHECK(!readable(warden_fd(s.w), 250));
	uint64_t from = now_ms();
	CHECK(warden_started(s.w, -1, &e) == 0);
	CHECK(!readable(warden_fd(s.w), 80));
	/* A second time does not wind it up again. */
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 2000);
	uint64_t took = now_ms() - from;
	CHECK(took >= 150 && took < 400);
	CHECK(s.box.killed == 1);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	CHECK_STR(warden_ended(s.w)->reason, "timeout");
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "timeout");
	CHECK(end.wall_ms == 150 && !end.tainted && end.count == 0 && !end.syscall);
	arena_free(&s.a);
}

static void test_exit(bool record)
{
	const struct warden_plan p = {.wall_ms = 60000};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, quick, record);
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 2000);
	CHECK(s.box.killed == 0);
	/* A host's loop that goes on is not kept busy by what has ended. */
	CHECK(!readable(warden_fd(s.w), 20));
	(void)box_end(&s.box, 0);
	struct warden_end end = finish(&s);
	if (record)
		CHECK_STR(end.reason, "exited");
	else
		CHECK(!end.reason);
	CHECK(!end.tainted);
	arena_free(&s.a);
}

static void test_syscall(void)
{
	const struct warden_plan p = {.notify = true};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, attacker, false);
	CHECK(warden_listener(s.w, box_listener(&s.box), &e) == 0);
	CHECK(warden_started(s.w, -1, &e) == 0);
	CHECK(sync_send(s.box.sync, SYNC_LISTENER_DONE, &e) == 0);
	work_until_over(s.w, 2000);
	CHECK(s.box.killed == 1);
	/* Never answered: it did not get as far as its exit. */
	int status = box_end(&s.box, 0);
	CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "syscall");
	CHECK_STR(end.syscall, "swapoff");
	CHECK(end.nr == NOTIFIED_NR && end.count == 1 && end.tainted && !end.arch);
	arena_free(&s.a);
}

/* The children of pid that sleep: as they do nothing else, in the kernel, for an answer. */
static int asleep(pid_t pid)
{
	char path[64], list[2048], text[512], *next = list;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
	if (file_peek(AT_FDCWD, path, list, sizeof(list)) < 0)
		return -1;
	for (long child; (child = strtol(next, &next, 10)) > 0;) {
		snprintf(path, sizeof(path), "/proc/%ld/stat", child);
		n += file_peek(AT_FDCWD, path, text, sizeof(text)) > 0 && strstr(text, ") S ");
	}
	return n;
}

static void test_flood(void)
{
	const struct warden_plan p = {.notify = true, .wall_ms = 60000};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, flooder, false);
	int listener = box_listener(&s.box);
	CHECK(warden_started(s.w, -1, &e) == 0);
	for (int i = 0; i < 500 && asleep(s.box.pid) != FLOOD; i++)
		(void)usleep(20000);
	CHECK(warden_listener(s.w, listener, &e) == 0);
	int rounds = work_until_over(s.w, 5000);
	CHECK(rounds < 20);
	(void)box_end(&s.box, 0);
	struct warden_end end = finish(&s);
	CHECK_STR(end.reason, "syscall");
	CHECK(end.count == FLOOD);
	arena_free(&s.a);
}

/* Reading a notification whose sender is gone must not block. */
static void test_churn(void)
{
	const struct warden_plan p = {.notify = true};
	struct setup s = {0};
	struct err e = {0};
	uint64_t from = now_ms();

	begin(&s, &p, churner, false);
	CHECK(warden_listener(s.w, box_listener(&s.box), &e) == 0);
	work_until_over(s.w, 5000);
	CHECK(now_ms() - from < 3000);
	(void)box_end(&s.box, 0);
	CHECK(finish(&s).tainted);
	arena_free(&s.a);
}

/* The listener of a process that has ended makes room for others. */
static void test_hang_up(void)
{
	const struct warden_plan p = {.notify = true};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	for (int i = 0; i < 300; i++) {
		struct box b;

		box_make(&b, attacker);
		int fd = box_listener(&b);
		CHECK(warden_listener(s.w, fd, &e) == 0);
		box_kill(&b);
		(void)box_end(&b, 1000);
		(void)readable(warden_fd(s.w), 1000);
		CHECK(warden_work(s.w, &e) == 0);
		CHECK(fcntl(fd, F_GETFD) < 0); /* closed */
	}
	CHECK(!warden_ended(s.w)->tainted);
	box_kill(&s.box);
	work_until_over(s.w, 1000);
	(void)box_end(&s.box, 0);
	(void)finish(&s);
	arena_free(&s.a);
}

static void test_wrong_listener(void)
{
	const struct warden_plan p = {.notify = true};
	struct setup s = {0};
	struct err e = {0};
	int pipes[2];

	begin(&s, &p, sleeper, false);
	CHECK(pipe2(pipes, O_CLOEXEC) == 0);
	CHECK(warden_listener(s.w, pipes[0], &e) == -EINVAL);
	CHECK(warden_listener(s.w, s.dir.fd, &e) == -EINVAL);
	CHECK(warden_listener(s.w, -1, &e) == -EINVAL);
	(void)close(pipes[0]);
	(void)close(pipes[1]);
	warden_give_up(s.w);
	work_until_over(s.w, 1000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	CHECK_STR(finish(&s).reason, "warden-lost");
	arena_free(&s.a);
}

/* The state directory may have been removed, its lock must not be shared. */
static void test_directory(void)
{
	const struct warden_plan p = {.wall_ms = 50};
	struct setup s = {0};
	struct err e = {0};

	begin(&s, &p, sleeper, false);
	(void)usleep(50000); /* until the sleeper has closed its copies */
	CHECK(flock(s.dir.fd, LOCK_EX | LOCK_NB) == 0);
	own_fd int other = open(s.dir.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(flock(other, LOCK_EX | LOCK_NB) < 0);
	(void)close(s.dir.fd); /* the only holder of the lock */
	CHECK(flock(other, LOCK_EX | LOCK_NB) == 0);
	CHECK(file_remove_tree(AT_FDCWD, s.dir.path, &e) == 0);
	CHECK(warden_started(s.w, -1, &e) == 0);
	work_until_over(s.w, 1000);
	CHECK(WTERMSIG(box_end(&s.box, 0)) == SIGKILL);
	warden_close(s.w);
	arena_free(&s.a);
}

static void kill_nothing(void *ctx)
{
	((struct box *)ctx)->killed++;
}

static void test_kill_again(void)
{
	const struct warden_plan p = {.wall_ms = 20};
	own_arena struct arena a = {0};
	struct state_dir dir;
	struct box b;
	struct warden *w;
	struct err e = {0};

	state_make(&dir);
	box_make(&b, sleeper);
	struct warden_host h = {
		.dir = dir.fd, .pidfd = -1, .control = -1, .kill = kill_nothing, .ctx = &b};
	CHECK(warden_open(&a, &p, &h, &w, &e) == 0);
	CHECK(warden_started(w, b.pidfd, &e) == 0);
	CHECK(warden_adopt(w, b.pidfd, &e) == -EALREADY);
	uint64_t end = now_ms() + 1300;
	while (now_ms() < end)
		if (readable(warden_fd(w), 100))
			CHECK(warden_work(w, &e) == 0);
	CHECK(b.killed == 2 && !warden_over(w));
	box_kill(&b);
	(void)box_end(&b, 1000);
	warden_close(w);
	state_drop(&dir);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	test_timeout();
	test_exit(false);
	test_exit(true);
	test_syscall();
	test_flood();
	test_churn();
	test_hang_up();
	test_wrong_listener();
	test_directory();
	test_kill_again();
	return check_done();
}
