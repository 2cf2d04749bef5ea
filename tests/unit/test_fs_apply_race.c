/* commit: who may write in the volume swaps what is there while root sets modes in it. */
#include "check.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/own.h"
#include "fs/apply.h"

enum { ROUNDS = 800 };

struct swap {
	int lower;
	atomic_bool end;
};

static void *swap_names(void *arg)
{
	struct swap *s = arg;

	while (!s->end)
		(void)!renameat2(s->lower, "dir", s->lower, "link", RENAME_EXCHANGE);
	return NULL;
}

static void put_back(int lower, int out)
{
	struct stat st;

	CHECK(fstat(out, &st) == 0);
	CHECK((st.st_mode & 07777) == 0700);
	/* The commit puts a directory where it finds the link: then there are two. */
	(void)unlinkat(lower, "link", AT_REMOVEDIR);
	(void)!symlinkat("../out", lower, "link");
	own_fd int dir = openat(lower, "dir", O_RDONLY | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0)
		CHECK(fchmod(dir, 0755) == 0);
}

int main(void)
{
	char top[] = "/tmp/apply.XXXXXX";
	struct fs_layer layer = {.root = -1, .lower = -1};
	struct swap s = {.lower = -1};
	pthread_t thread;

	CHECK(mkdtemp(top) && chdir(top) == 0);
	CHECK(mkdir("upper", 0755) == 0 && mkdir("lower", 0755) == 0 && mkdir("out", 0700) == 0);
	CHECK(mkdir("upper/dir", 0755) == 0 && chmod("upper/dir", 0777) == 0);
	CHECK(mkdir("lower/dir", 0755) == 0 && symlink("../out", "lower/link") == 0);
	own_fd int out = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	layer.root = open("upper", O_PATH | O_DIRECTORY | O_CLOEXEC);
	layer.lower = s.lower = open("lower", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(pthread_create(&thread, NULL, swap_names, &s) == 0);
	for (int i = 0; i < ROUNDS; i++) {
		struct fs_apply a = {
			.layer = &layer,
			.since_ns = INT64_MAX,
			.act = true,
			.temp = ".temp",
		};
		struct err e;

		(void)!fs_apply(&a, &e);
		put_back(s.lower, out);
	}
	s.end = true;
	CHECK(pthread_join(thread, NULL) == 0);
	(void)close(layer.root);
	(void)close(layer.lower);
	static const char *const names[] = {"upper/dir",  "upper", "lower/dir",
					    "lower/link", "lower", "out"};
	for (size_t i = 0; i < LEN(names); i++)
		(void)remove(names[i]);
	CHECK(rmdir(top) == 0);
	return check_done();
}
