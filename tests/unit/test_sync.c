#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "check.h"
#include "run/sync.h"

/* Both ends in one process: messages are queued, so no second one is needed. */

static int pair[2];
static struct err e;

static void fresh(void)
{
	CHECK(sync_pair(pair, &e) == 0);
}

static void done(void)
{
	(void)close(pair[0]);
	(void)close(pair[1]);
}

static void test_messages(void)
{
	pid_t pid = 0;

	fresh();
	CHECK(sync_send(pair[1], SYNC_READY, &e) == 0);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == 0);
	CHECK(sync_send_pid(pair[1], 4711, &e) == 0);
	CHECK(sync_expect_pid(pair[0], &pid, &e) == 0 && pid == 4711);
	CHECK(sync_send(pair[1], SYNC_MOUNTED, &e) == 0);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == -EPROTO);
	CHECK_STR(e.msg, "wanted ready, got mounted");
	done();
}

static void test_descriptor(void)
{
	int got = -1, null = open("/dev/null", O_RDWR | O_CLOEXEC);

	fresh();
	CHECK(sync_send_fd(pair[1], SYNC_CONSOLE, null, &e) == 0);
	CHECK(sync_expect_fd(pair[0], SYNC_CONSOLE, &got, &e) == 0 && got > 2);
	CHECK(fcntl(got, F_GETFD) == FD_CLOEXEC);
	(void)close(got);
	CHECK(sync_send(pair[1], SYNC_CONSOLE, &e) == 0);
	CHECK(sync_expect_fd(pair[0], SYNC_CONSOLE, &got, &e) == -EPROTO);
	/* One that nobody waits for is closed: the next number is free again. */
	CHECK(sync_send_fd(pair[1], SYNC_READY, null, &e) == 0);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == 0);
	int next = dup(null);
	CHECK(next == got);
	(void)close(next);
	(void)close(null);
	done();
}

static void test_failure_is_the_reason(void)
{
	struct err why;

	fresh();
	err_set(&why, ENOENT, "mount %s", "/x");
	sync_fail(pair[1], &why);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == -ENOENT);
	CHECK_STR(e.msg, "mount /x: no such file or directory");
	done();
}

static void test_death_with_unread_data(void)
{
	struct err why;

	fresh();
	CHECK(sync_send(pair[0], SYNC_PLACED, &e) == 0);
	err_msg(&why, EPERM, "session: no");
	sync_fail(pair[1], &why);
	(void)close(pair[1]);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == -EPERM);
	CHECK_STR(e.msg, "session: no");
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == -ECONNRESET);
	done();
}

static void test_send_to_the_dead(void)
{
	struct err why;

	fresh();
	err_msg(&why, EPERM, "session: no");
	sync_fail(pair[1], &why);
	(void)close(pair[1]);
	CHECK(sync_send(pair[0], SYNC_PLACED, &e) == -EPERM);
	CHECK_STR(e.msg, "session: no");
	CHECK(sync_send(pair[0], SYNC_PLACED, &e) == -EPIPE);
	done();
}

/* A CONSOLE that nobody has read stands before it. */
static void test_reason_behind_other_words(void)
{
	struct err why;

	fresh();
	CHECK(sync_send(pair[1], SYNC_CONSOLE, &e) == 0);
	err_msg(&e, ENOENT, "as it was");
	CHECK(!sync_reason(pair[0], &e)); /* it lives: nobody waits for it */
	CHECK(sync_send(pair[1], SYNC_CONSOLE, &e) == 0);
	err_msg(&why, EIO, "harden made to fail");
	sync_fail(pair[1], &why);
	err_msg(&e, ENOENT, "as it was");
	CHECK(sync_reason(pair[0], &e) && e.code == EIO);
	CHECK_STR(e.msg, "harden made to fail");
	err_msg(&e, ENOENT, "as it was");
	(void)close(pair[1]);
	CHECK(!sync_reason(pair[0], &e));
	CHECK_STR(e.msg, "as it was");
	done();
}

static void test_exec(void)
{
	unsigned int stub[2] = {SYNC_EXEC_FAILED, ENOENT};

	fresh();
	CHECK(send(pair[1], stub, sizeof(stub), 0) == (ssize_t)sizeof(stub));
	CHECK(sync_expect_exec(pair[0], "/run.sh", false, &e) == -ENOENT);
	CHECK_STR(e.msg, "exec /run.sh: no such file or directory");
	CHECK(sync_send(pair[1], SYNC_EXECUTING, &e) == 0);
	CHECK(send(pair[1], stub, sizeof(stub), 0) == (ssize_t)sizeof(stub));
	CHECK(sync_expect_exec(pair[0], "/run.sh", true, &e) == -ENOENT);
	CHECK(sync_send(pair[1], SYNC_EXECUTING, &e) == 0);
	(void)close(pair[1]);
	CHECK(sync_expect_exec(pair[0], "/run.sh", true, &e) == 0);
	/* Killed before it had said so. */
	CHECK(sync_expect_exec(pair[0], "/run.sh", true, &e) == -ECONNRESET);
	CHECK_STR(e.msg, "container process died while we waited for exec");
	CHECK(sync_expect_exec(pair[0], "/run.sh", false, &e) == 0);
	done();
}

static void test_nonsense(void)
{
	char text[sizeof(struct sync_msg)];

	/* What a process with ptrace rights over the stub could send. */
	fresh();
	CHECK(send(pair[1], "abc", 3, 0) == 3);
	CHECK(sync_expect(pair[0], SYNC_READY, &e) == -EPROTO);
	memset(text, 0xff, sizeof(text));
	CHECK(send(pair[1], text, sizeof(text), 0) == (ssize_t)sizeof(text));
	CHECK(sync_expect_exec(pair[0], "x", true, &e) == -EPROTO);
	memset(text, 0, sizeof(text));
	memset(text + 8, '\n', sizeof(text) - 8);
	CHECK(send(pair[1], text, sizeof(text), 0) == (ssize_t)sizeof(text));
	CHECK(sync_expect(pair[0], SYNC_READY, &e) < 0 && !strchr(e.msg, '\n'));
	done();
}

int main(void)
{
	test_messages();
	test_descriptor();
	test_failure_is_the_reason();
	test_death_with_unread_data();
	test_send_to_the_dead();
	test_reason_behind_other_words();
	test_exec();
	test_nonsense();
	return check_done();
}
