/* A detached warden that is its sandbox's parent, and what it is told of its end. */
#include "warden_boxed.h"

/* What the last words of a warden are, in its maker's place. */
static void note_exit(void *ctx, int dir, const struct warden_end *end, const struct exit_info *x)
{
	char text[64];
	struct err e;

	(void)ctx;
	snprintf(text, sizeof(text), "%s %d %d", end->reason, x->known, x->status);
	(void)!file_replace(dir, "note", text, strlen(text), 0600, &e);
}

static void note_read(const struct boxed *b, char text[64])
{
	const struct timespec pause = {.tv_nsec = 20000000};

	/* A busy machine is slow. */
	for (int i = 0; i < 500 && file_peek(b->dir.fd, "note", text, 64) <= 0; i++)
		(void)nanosleep(&pause, NULL);
	CHECK(text[0]);
}

/* In a namespace of its own, so that the kernel's word for it is seen. */
static void leaver(int sync)
{
	char c;

	(void)!write(sync, "r", 1);
	(void)!read(sync, &c, 1);
	_exit(5);
}

static pid_t parent_of(pid_t pid)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	CHECK(file_peek(AT_FDCWD, path, text, sizeof(text)) > 0);
	return (pid_t)strtol(strrchr(text, ')') + 4, NULL, 10);
}

static void ready(struct boxed *b)
{
	char c;

	CHECK(read(b->box.sync, &c, 1) == 1);
}

static void gone(struct boxed *b)
{
	(void)close(b->box.pidfd);
	(void)close(b->box.sync);
}

static void test_reaps(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {.gauges = {.finish = note_exit}};
	char text[64] = "";

	make(&b, &(struct warden_plan){.wall_ms = 60000, .reaps = true}, leaver);
	ready(&b);
	CHECK(parent_of(b.box.pid) == b.hold.stage);
	spawn_let_go(&b.hold);
	CHECK(parent_of(b.box.pid) == b.warden.pid);
	CHECK(waitpid(b.box.pid, NULL, WNOHANG) < 0 && errno == ECHILD);
	CHECK(write(b.box.sync, "g", 1) == 1);
	CHECK(readable(b.box.pidfd, 5000));
	CHECK(readable(b.warden.pidfd, 5000));
	note_read(&b, text);
	CHECK_STR(text, "exited 1 1280");
	gone(&b);
	CHECK_STR(drop(&b, &a, 0).reason, "exited");
}

static void test_timeout(void)
{
	own_arena struct arena a = {0};
	struct boxed b = {.gauges = {.finish = note_exit}};
	struct err e = {0};
	char text[64] = "";

	make(&b, &(struct warden_plan){.wall_ms = 50, .reaps = true}, sleeper);
	spawn_let_go(&b.hold);
	CHECK(warden_detached_started(&b.warden, &e) == 0);
	CHECK(readable(b.warden.pidfd, 5000));
	note_read(&b, text);
	CHECK_STR(text, "timeout 1 9");
	gone(&b);
	CHECK(drop(&b, &a, 0).wall_ms == 50);
}

/* Of an engine's child: when that has reaped it, or not at all before Linux 6.15. */
static void test_engine(bool reaps)
{
	own_arena struct arena a = {0};
	struct boxed b = {.gauges = {.finish = note_exit}};
	char text[64] = "";

	make(&b, &(struct warden_plan){.wall_ms = 60000}, leaver);
	ready(&b);
	CHECK(write(b.box.sync, "g", 1) == 1);
	CHECK(readable(b.box.pidfd, 5000));
	if (reaps)
		CHECK(waitpid(b.box.pid, NULL, 0) == b.box.pid);
	/* As pid 1 it ends only when that has been. */
	CHECK(readable(b.warden.pidfd, 2500) == reaps);
	note_read(&b, text);
	CHECK(str_eq(text, "exited 0 0") || (reaps && str_eq(text, "exited 1 1280")));
	if (!reaps)
		CHECK(waitpid(b.box.pid, NULL, 0) == b.box.pid);
	gone(&b);
	CHECK_STR(drop(&b, &a, 0).reason, "exited");
}

/* As the child of a level does until it is ready. */
static void dependent(int sync)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)!write(sync, "r", 1);
	pause();
}

/* Whoever of those that made it is killed before it was let go: nothing of it stays. */
static void test_killed(bool stage)
{
	int told[2];
	pid_t pids[3];

	CHECK(pipe2(told, O_CLOEXEC) == 0);
	pid_t maker = fork();
	if (maker == 0) {
		struct boxed b = {0};

		make(&b, &(struct warden_plan){.wall_ms = 60000, .reaps = true}, dependent);
		ready(&b);
		pids[0] = b.box.pid;
		pids[1] = b.hold.stage;
		pids[2] = b.warden.pid;
		(void)!write(told[1], pids, sizeof(pids));
		pause();
	}
	CHECK(read(told[0], pids, sizeof(pids)) == (ssize_t)sizeof(pids));
	own_fd int box = sys_pidfd_open(pids[0], 0), warden = sys_pidfd_open(pids[2], 0);
	CHECK(kill(stage ? pids[1] : maker, SIGKILL) == 0);
	CHECK(readable(box, 5000));
	if (!stage)
		CHECK(readable(warden, 5000));
	(void)kill(maker, SIGKILL);
	CHECK(waitpid(maker, NULL, 0) == maker);
	(void)close(told[0]);
	(void)close(told[1]);
}

int main(void)
{
	if (geteuid() != 0) {
		printf("skipped: not root\n");
		return 0;
	}
	test_reaps();
	test_timeout();
	test_engine(true);
	test_engine(false);
	test_killed(false);
	test_killed(true);
	return check_done();
}
