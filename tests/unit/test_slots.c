/* The slot file: order, owners that are gone, damage, many processes, kills in the middle. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "check.h"
#include "net/slots.h"

static struct err err;
static char dir[] = "/tmp/brig-slots-XXXXXX";
static char pool[64], file[80];

static const char *owner(int n)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/o%d", dir, n);
	return path;
}

static int64_t take(int n, uint32_t count)
{
	own_slots struct slots s = SLOTS_NONE;

	if (slots_open(&s, pool, count, &err) < 0)
		return -err.code;
	return slots_take(&s, owner(n), NULL, NULL, &err);
}

static int give_back(int n, uint32_t number)
{
	own_slots struct slots s = SLOTS_NONE;

	return slots_open(&s, pool, 4, &err) < 0 ? -err.code
						 : slots_give_back(&s, number, owner(n), &err);
}

static uint32_t used(uint32_t count)
{
	own_slots struct slots s = SLOTS_NONE;
	uint32_t n = UINT32_MAX;

	if (slots_open(&s, pool, count, &err) == 0)
		CHECK(slots_used(&s, &n, &err) == 0);
	return n;
}

static void make_owners(int n)
{
	for (int i = 0; i < n; i++)
		CHECK(mkdir(owner(i), 0700) == 0 || errno == EEXIST);
}

static void in_order(void)
{
	struct stat st;

	make_owners(5);
	for (int i = 0; i < 4; i++)
		CHECK(take(i, 4) == i);
	CHECK(take(4, 4) == -EADDRNOTAVAIL);
	CHECK(used(4) == 4);
	/* Not the one freed last while there is another. */
	CHECK(give_back(1, 1) == 1 && give_back(2, 2) == 1);
	CHECK(give_back(2, 2) == 0 && give_back(0, 3) == 0 && give_back(0, SLOTS_MAX) == 0);
	CHECK(take(2, 4) == 1 && take(1, 4) == 2 && used(4) == 4);
	CHECK(stat(pool, &st) == 0 && (st.st_mode & 07777) == 0700);
	CHECK(stat(file, &st) == 0 && (st.st_mode & 07777) == 0600);
	/* Its directory is gone, and so is its claim. */
	CHECK(rmdir(owner(3)) == 0 && used(4) == 3);
	CHECK(take(4, 4) == 3 && take(0, 4) == -EADDRNOTAVAIL);
	/* A larger pool goes on behind. */
	CHECK(take(0, 5) == 4 && take(0, SLOTS_MAX) == 5);
}

static bool odd(uint32_t number, bool used_before, void *ctx)
{
	*(int *)ctx += used_before;
	return number % 2;
}

static void usable(void)
{
	own_slots struct slots s = SLOTS_NONE;
	int before = 0;

	CHECK(unlink(file) == 0);
	CHECK(slots_open(&s, pool, 4, &err) == 0);
	CHECK(slots_take(&s, owner(0), odd, &before, &err) == 1);
	CHECK(slots_take(&s, owner(0), odd, &before, &err) == 3);
	CHECK(slots_take(&s, owner(0), odd, &before, &err) == -EADDRNOTAVAIL);
	CHECK(before == 0 && slots_give_back(&s, 1, owner(0), &err) == 1);
	CHECK(slots_take(&s, owner(0), odd, &before, &err) == 1 && before == 1);
}

static void bad_owners(void)
{
	own_slots struct slots s = SLOTS_NONE;
	char path[SLOTS_OWNER_MAX + 2];

	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	CHECK(slots_open(&s, pool, 4, &err) == 0);
	CHECK(slots_take(&s, path, NULL, NULL, &err) == -EINVAL);
	CHECK(slots_take(&s, "relative", NULL, NULL, &err) == -EINVAL);
	CHECK(slots_take(&s, NULL, NULL, NULL, &err) == -EINVAL);
}

static void damage(off_t at, const char *bytes, size_t n, const char *what)
{
	own_fd int fd = -1;

	CHECK(unlink(file) == 0);
	CHECK(take(0, 4) == 0 && take(0, 4) == 1);
	fd = open(file, O_RDWR | O_CLOEXEC);
	if (bytes)
		CHECK(pwrite(fd, bytes, n, at) == (ssize_t)n);
	else
		CHECK(ftruncate(fd, at) == 0);
	own_slots struct slots s = SLOTS_NONE;
	uint32_t count;
	int r = slots_open(&s, pool, 4, &err);

	CHECK((r < 0 ? r : slots_used(&s, &count, &err)) == -EUCLEAN);
	CHECK(strstr(err.msg, file) == err.msg && strstr(err.msg, what) != NULL);
	err = (struct err){0};
}

static void damaged(void)
{
	char owner_text[1020];

	memset(owner_text, 'x', sizeof(owner_text));
	damage(0, "xxxx", 4, "header");
	damage(4, "\0\0\0\1", 4, "header");
	damage(700, NULL, 0, "cut off");
	damage(1024 + 500, NULL, 0, "cut off");
	CHECK(unlink(file) == 0);
	/* A record that is none, where it is looked at. */
	CHECK(take(0, 2) == 0);
	own_fd int fd = open(file, O_RDWR | O_CLOEXEC);
	CHECK(pwrite(fd, "junk", 4, 1024) == 4);
	CHECK(give_back(0, 0) == -EUCLEAN && strstr(err.msg, "slot 0") != NULL);
	CHECK(unlink(file) == 0 && take(0, 2) == 0);
	own_close(&fd);
	fd = open(file, O_RDWR | O_CLOEXEC);
	CHECK(pwrite(fd, owner_text, sizeof(owner_text), 1028) == sizeof(owner_text));
	CHECK(give_back(0, 0) == -EUCLEAN);
	CHECK(unlink(file) == 0 && symlink("/dev/null", file) == 0 && take(0, 2) == -ELOOP);
	CHECK(unlink(file) == 0 && mkdir(file, 0700) == 0 && take(0, 2) < 0 && rmdir(file) == 0);
	CHECK(chmod(pool, 0770) == 0 && take(0, 2) == -EPERM && chmod(pool, 0700) == 0);
}

/* --- Several at once ------------------------------------------------------------------------ */

enum { PROCESSES = 8, ROUNDS = 300, SLOTS = 24 };

/* Each has its slots marked in a directory of marks: a mark that is there is a slot had twice. */
static bool mark(uint32_t number)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/mark%u", dir, number);
	own_fd int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	return fd >= 0;
}

static void unmark(uint32_t number)
{
	char path[96];

	snprintf(path, sizeof(path), "%s/mark%u", dir, number);
	CHECK(unlink(path) == 0);
}

static int contend(int n)
{
	checks_failed = 0;
	for (int i = 0; i < ROUNDS; i++) {
		int64_t a = take(n, SLOTS), b = take(n, SLOTS);

		CHECK(a >= 0 && b >= 0 && a != b);
		CHECK(mark((uint32_t)a) && mark((uint32_t)b));
		unmark((uint32_t)a);
		unmark((uint32_t)b);
		CHECK(give_back(n, (uint32_t)a) == 1 && give_back(n, (uint32_t)b) == 1);
	}
	return checks_failed != 0;
}

static void races(void)
{
	pid_t pids[PROCESSES];

	(void)unlink(file);
	make_owners(PROCESSES);
	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			_exit(contend(i));
	}
	for (int i = 0; i < PROCESSES; i++) {
		int st = 1;

		CHECK(waitpid(pids[i], &st, 0) == pids[i] && st == 0);
	}
	CHECK(used(SLOTS) == 0);
}

/* Whoever is killed while it takes and gives back leaves a file that is good. */
static void kills(void)
{
	enum { KILLS = 60 };

	for (int i = 0; i < KILLS; i++) {
		CHECK(mkdir(owner(50), 0700) == 0);
		fflush(NULL);
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				int64_t n = take(50, SLOTS);

				if (n < 0 || (n % 3 && give_back(50, (uint32_t)n) != 1))
					_exit(n == -EADDRNOTAVAIL ? 0 : 1);
				if (used(SLOTS) > SLOTS / 2)
					(void)unlink(file);
			}
		usleep((useconds_t)(200 + i * 37));
		kill(pid, SIGKILL);
		int st = 0;
		CHECK(waitpid(pid, &st, 0) == pid && WIFSIGNALED(st));
		CHECK(used(SLOTS) <= SLOTS);
		CHECK(rmdir(owner(50)) == 0 && used(SLOTS) == 0);
	}
}

int main(void)
{
	if (!mkdtemp(dir))
		return 1;
	snprintf(pool, sizeof(pool), "%s/pool", dir);
	snprintf(file, sizeof(file), "%s/slots", pool);
	in_order();
	usable();
	bad_owners();
	damaged();
	races();
	kills();
	CHECK(file_remove_tree(AT_FDCWD, dir, &err) == 0);
	return check_done();
}
