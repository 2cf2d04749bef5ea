/* Who has changed a parked generation: of many at once none is lost. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"
#include "touched.h"

static int dir;

static struct brig_state parked(struct state_reuse *u, uint64_t generation)
{
	*u = (struct state_reuse){.generation = generation};
	return (struct brig_state){.status = "created", .reuse = u};
}

static void note(uint64_t generation, const char *verb)
{
	struct state_reuse u;
	const struct brig_state s = parked(&u, generation);
	struct err e;

	CHECK(touched_note(dir, &s, verb, &e) == 0);
}

static bool is_by(uint64_t generation, const char *verb)
{
	own_arena struct arena a = {0};
	struct state_reuse u;
	const struct brig_state s = parked(&u, generation);
	const char *by = touched_by(&a, dir, &s);

	return verb ? str_eq(by, verb) : !by;
}

static void test_notes(void)
{
	struct state_reuse u;
	struct brig_state s = parked(&u, 6);
	struct err e;

	CHECK(is_by(6, NULL));
	note(6, "exec");
	CHECK(is_by(6, "exec"));
	CHECK(is_by(5, NULL));
	CHECK(is_by(66, NULL));
	/* One that has seen the generation before, and was slow. */
	note(5, "kill");
	CHECK(is_by(6, "exec"));
	CHECK(is_by(5, "kill"));
	note(6, "update");
	CHECK(is_by(6, "update"));
	/* Of one that runs, or is used once, nothing. */
	s.status = "running";
	CHECK(touched_note(dir, &s, "grant", &e) == 0);
	s.status = "created";
	s.reuse = NULL;
	CHECK(touched_note(dir, &s, "grant", &e) == 0);
	CHECK(is_by(6, "update"));
}

/* However often the same is said, it is one line. */
static void test_size(void)
{
	struct stat st;

	for (int i = 0; i < 10000; i++)
		note(6, "exec");
	CHECK(fstatat(dir, TOUCHED_FILE, &st, 0) == 0 && st.st_size < 256);
	CHECK(is_by(6, "exec") || is_by(6, "update"));
}

/* What could not be written to its end is none's, and hides none. */
static void test_half_written(void)
{
	own_fd int fd = openat(dir, TOUCHED_FILE, O_WRONLY | O_TRUNC | O_CLOEXEC);

	CHECK(file_write_all(fd, "\n7 ex", 5) == 0);
	note(8, "exec");
	CHECK(is_by(8, "exec"));
}

/* What cannot be read is not taken for none. */
static void test_damaged(void)
{
	CHECK(unlinkat(dir, TOUCHED_FILE, 0) == 0 && mkdirat(dir, TOUCHED_FILE, 0700) == 0);
	CHECK(is_by(8, "somebody"));
	CHECK(unlinkat(dir, TOUCHED_FILE, AT_REMOVEDIR) == 0);
	own_fd int fd = openat(dir, TOUCHED_FILE, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	CHECK(ftruncate(fd, 1 << 20) == 0);
	CHECK(is_by(8, "somebody"));
}

int main(void)
{
	char path[] = "/tmp/brig-touched-XXXXXX";
	struct err e;

	CHECK(mkdtemp(path));
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CHECK(dir >= 0);
	test_notes();
	test_size();
	test_half_written();
	test_damaged();
	(void)close(dir);
	CHECK(file_remove_tree(AT_FDCWD, path, &e) == 0);
	return check_done();
}
