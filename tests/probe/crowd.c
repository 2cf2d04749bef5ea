/* Many threads that are busy at once: for who watches every call of a process. */
#include "probe.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { THREADS_MAX = 64 };

struct crowd {
	const char *dir;
	long files;
	atomic_int number;
	atomic_long failed;
};

/* Makes, looks at, and removes. */
static void *busy(void *arg)
{
	struct crowd *c = arg;
	int number = atomic_fetch_add(&c->number, 1);
	char name[4096];
	struct stat st;

	for (long i = 0; i < c->files; i++) {
		snprintf(name, sizeof(name), "%s/%d-%ld", c->dir, number, i);
		int fd = open(name, O_WRONLY | O_CREAT, 0600);

		if (fd < 0 || close(fd) < 0 || stat(name, &st) < 0 || unlink(name) < 0)
			atomic_fetch_add(&c->failed, 1);
	}
	return NULL;
}

static int crowd(int argc, char **argv)
{
	struct crowd c = {.dir = argv[3], .files = atol(argv[2])};
	pthread_t t[THREADS_MAX];
	int n = atoi(argv[1]);

	(void)argc;
	if (n < 1 || n > THREADS_MAX)
		return 2;
	for (int i = 0; i < n; i++)
		if (pthread_create(&t[i], NULL, busy, &c) != 0)
			return 1;
	for (int i = 0; i < n; i++)
		pthread_join(t[i], NULL);
	printf("failed %ld\n", atomic_load(&c.failed));
	return 0;
}

const struct verb crowd_verbs[] = {
	{"crowd", 3, crowd, "THREADS FILES DIR: each makes, looks at and removes so many"},
	{NULL,    0, NULL,  NULL							 },
};
