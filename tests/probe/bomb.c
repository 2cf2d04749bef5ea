/* Limits, and who tries to pass them: see bomb.h. */
#include "bomb.h"
#include "probe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct bomb *const tables[] = {memory_bombs, count_bombs, cpu_bombs, byte_bombs};
static int report = 1;

/* One write(2) each: what was told is told, whatever happens next. */
static void say(const char *text, size_t len)
{
	ssize_t n = report == 1 ? write(report, text, len) : pwrite(report, text, len, 0);

	(void)n; /* nobody to tell it to */
}

void held(long n)
{
	char line[64];

	say(line,
	    (size_t)snprintf(line, sizeof(line), report == 1 ? "held %ld\n" : "held %-20ld\n", n));
}

int stopped(long err)
{
	char line[64];
	const char *name = strerrorname_np((int)err);
	int n = err ? snprintf(line, sizeof(line), "refused %s\n", name ? name : "unknown")
		    : snprintf(line, sizeof(line), "bound\n");

	if (report == 1)
		say(line, (size_t)n);
	else if (lseek(report, 0, SEEK_END) >= 0)
		n = (int)write(report, line, (size_t)n);
	(void)n;
	return err != 0;
}

const char *arg(char ***args, const char *absent)
{
	return **args && ***args ? *(*args)++ : absent;
}

long number(char ***args, long absent)
{
	const char *s = arg(args, NULL);

	return s ? strtol(s, NULL, 0) : absent;
}

void *shared(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		exit(stopped(errno));
	return p;
}

static int help(void)
{
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct bomb *b = tables[t]; b->name; b++)
			fprintf(stderr, "probe bomb [-r FILE] %s BOUND %s\n", b->name, b->help);
	return 2;
}

static int bomb(int argc, char **argv)
{
	argv++, argc--;
	if (argc > 2 && !strcmp(argv[0], "-r")) {
		report = open(argv[1], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (report < 0)
			return verdict(-1);
		argv += 2, argc -= 2;
	}
	if (argc < 2)
		return help();
	for (size_t t = 0; t < sizeof(tables) / sizeof(tables[0]); t++)
		for (const struct bomb *b = tables[t]; b->name; b++)
			if (!strcmp(b->name, argv[0]))
				return b->run(strtol(argv[1], NULL, 0), argv + 2);
	return help();
}

const struct verb bomb_verbs[] = {
	{"bomb", 0, bomb, "...: tries to pass a limit; alone: which there are"},
	{NULL,   0, NULL, NULL						},
};
