#ifndef BRIG_TESTS_PIN_FIXTURE_H
#define BRIG_TESTS_PIN_FIXTURE_H

/* A book of CPUs in a directory of its own, and claims in it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cpu/book.h"
#include "cpu/pin.h"
#include "cpu_tree.h"

static char top[] = "/tmp/brig-test-pin-XXXXXX";
static char book[64];
/* What claims are made with beside the arguments; tests change it. */
static struct pin_request given;

static inline const char *user(unsigned int n)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/state-%u", top, n);
	return path;
}

static inline void begin(void)
{
	struct err e;

	if (file_mkdirs(top, 0700, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	snprintf(book, sizeof(book), "%s/cpus", top);
	given = (struct pin_request){.sysfs = tree_root()};
}

static inline void clear(void)
{
	struct err e;

	if (file_remove_tree(AT_FDCWD, top, &e) < 0)
		fprintf(stderr, "%s\n", e.msg);
	begin();
}

/* The list given to sandbox n, "!" and the message when it is refused, "~" when only for now. */
static inline const char *claim_kind(enum pin_kind kind, unsigned int n, const char *allowed,
				     unsigned int count)
{
	static char text[600];
	own_arena struct arena a = {0};
	struct pin_request req = given;
	struct pin_choice choice;
	struct err e;

	req.kind = kind;
	req.directory = book;
	req.user = user(n);
	req.allowed = allowed;
	req.count = count;
	(void)mkdir(user(n), 0700);
	int r = pin_claim(&a, &req, &choice, &e);
	if (r < 0)
		snprintf(text, sizeof(text), "%s%s", r == -EBUSY ? "~" : "!", e.msg);
	else
		snprintf(text, sizeof(text), "%s", choice.cpus);
	return text;
}

static inline const char *claim(unsigned int n, const char *allowed, unsigned int count)
{
	return claim_kind(PIN_SHARED, n, allowed, count);
}

static inline const char *cores(unsigned int n, const char *allowed, unsigned int count)
{
	return claim_kind(PIN_EXCLUSIVE, n, allowed, count);
}

static inline int release(unsigned int n)
{
	struct err e;

	return pin_release(book, user(n), &e);
}

static inline size_t files(void)
{
	own_dir DIR *d = opendir(book);
	size_t n = 0;

	for (struct dirent *de; d && (de = readdir(d));)
		n += de->d_name[0] != '.' && strcmp(de->d_name, "lock") != 0;
	return n;
}

static inline void put_file(const char *name, const char *text)
{
	char path[200];

	snprintf(path, sizeof(path), "%s/%s", book, name);
	own_fd int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

static inline long ms_since(const struct timespec *from)
{
	struct timespec now;

	CHECK(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (now.tv_sec - from->tv_sec) * 1000 + (now.tv_nsec - from->tv_nsec) / 1000000;
}

static inline void begin_all(void)
{
	if (!mkdtemp(top))
		exit(1);
	begin();
}

static inline int end_all(void)
{
	struct err e;

	CHECK(file_remove_tree(AT_FDCWD, top, &e) == 0);
	tree_remove();
	return check_done();
}

#endif
