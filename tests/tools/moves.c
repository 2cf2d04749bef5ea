// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A sandbox that hides what it was granted (tests/integration/attack_grants.bats).
 *
 *	moves FROM TO LINK	at once FROM becomes TO, and LINK, made with what is above it, leads
 *to /proc/sys
 *	moves deep FROM DEPTH	FROM goes below /tmp/deep, so many directories of 200 letters down,
 *				and its path changes all the time
 * Either then waits for its end.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int swap(const char *from, const char *to, char *link)
{
	if (rename(from, to) < 0)
		return perror("rename"), 1;
	for (char *s = link + 1; (s = strchr(s, '/')); s++) {
		*s = '\0';
		if (mkdir(link, 0755) < 0 && errno != EEXIST)
			return perror(link), 1;
		*s = '/';
	}
	if (symlink("/proc/sys", link) < 0)
		return perror("symlink"), 1;
	puts("moved");
	return 0;
}

static int deep(const char *from, long depth)
{
	char name[201];

	memset(name, 'd', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	if (mkdir("/tmp/deep", 0755) < 0 || chdir("/tmp/deep") < 0)
		return perror("/tmp/deep"), 1;
	for (; depth > 0; depth--)
		if (mkdir(name, 0755) < 0 || chdir(name) < 0)
			return perror("mkdir"), 1;
	if (rename(from, "moved") < 0)
		return perror("rename"), 1;
	puts("moved");
	fflush(stdout);
	for (;;)
		if (rename("/tmp/deep", "/tmp/other") < 0 || rename("/tmp/other", "/tmp/deep") < 0)
			return perror("rename again"), 1;
}

int main(int argc, char **argv)
{
	int r = 2;

	if (argc == 4 && strcmp(argv[1], "deep") == 0)
		r = deep(argv[2], strtol(argv[3], NULL, 10));
	else if (argc == 4)
		r = swap(argv[1], argv[2], argv[3]);
	fflush(stdout);
	if (r == 0)
		for (;;)
			pause();
	return r;
}
