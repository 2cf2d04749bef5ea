// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A hostile process of a container: for SECONDS it tries to get hold of every process that
 * appears beside it, before that has become the program it was made for.
 *
 *	stalk SECONDS [WORD FILE]  prints PID, exe, seccomp mode and capabilities of each it could
 *	                           trace; also its descriptors above 2, whether its root directory
 *	                           is another one, whether WORD is in its memory, and whether FILE
 *	                           below its root directory could be written
 *	stalk SECONDS hold         keeps a copy of every socket of each, and kills it
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { AHEAD = 6 };

static void field(pid_t pid, const char *name, char *out, size_t size)
{
	char path[64], line[256];

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	snprintf(out, size, "?");
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, name, strlen(name)) != 0 || line[strlen(name)] != ':')
			continue;
		line[strcspn(line, "\n")] = '\0';
		snprintf(out, size, "%s", line + strlen(name) + 2);
	}
	if (f)
		(void)fclose(f);
}

static void exe_of(const char *pid, char *out, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	ssize_t n = readlink(path, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
}

struct loot {
	const char *word, *file;
	bool holds;
};

static void hold_sockets(pid_t pid)
{
	char path[64], link[256] = "";
	int of = (int)syscall(SYS_pidfd_open, pid, 0);

	for (int fd = 3; fd < 256; fd++) {
		snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		if (readlink(path, link, sizeof(link) - 1) > 0 && strncmp(link, "socket:", 7) == 0)
			(void)syscall(SYS_pidfd_getfd, of, fd, 0);
	}
	(void)close(of);
	(void)kill(pid, SIGKILL);
}

static void print_fds(pid_t pid)
{
	char path[64], link[256];

	snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *d = opendir(path);
	for (struct dirent *f; d && (f = readdir(d));) {
		ssize_t n = readlinkat(dirfd(d), f->d_name, link, sizeof(link) - 1);

		if (n > 0 && atoi(f->d_name) > 2)
			printf(" fd%s=%.*s", f->d_name, (int)n, link);
	}
	if (d)
		(void)closedir(d);
}

static bool has_other_root(pid_t pid)
{
	char path[64];
	struct stat its, mine;

	snprintf(path, sizeof(path), "/proc/%d/root", (int)pid);
	return stat(path, &its) == 0 && stat("/", &mine) == 0 &&
	       (its.st_ino != mine.st_ino || its.st_dev != mine.st_dev);
}

static bool writes(pid_t pid, const char *file)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/%d/root%s", (int)pid, file);
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		(void)close(fd);
	return fd >= 0;
}

static bool part_has(int mem, unsigned long from, unsigned long to, const char *word)
{
	static char buf[1 << 20];
	size_t len = strlen(word);

	for (; from < to; from += sizeof(buf) - 256) {
		size_t want = to - from < sizeof(buf) ? to - from : sizeof(buf);
		ssize_t n = pread(mem, buf, want, (off_t)from);

		if (n > 0 && memmem(buf, (size_t)n, word, len))
			return true;
	}
	return false;
}

static bool has_word(pid_t pid, const char *word)
{
	char path[64], line[512], mode[8];
	unsigned long from, to;
	bool found = false;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)pid);
	int mem = open(path, O_RDONLY | O_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && mem >= 0 && !found && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) == 3 && mode[1] == 'w')
			found = part_has(mem, from, to, word);
	if (f)
		(void)fclose(f);
	if (mem >= 0)
		(void)close(mem);
	return found;
}

static void print_loot(pid_t pid, const struct loot *l)
{
	print_fds(pid);
	if (has_other_root(pid))
		printf(" other-root");
	if (writes(pid, l->file))
		printf(" written");
	if (has_word(pid, l->word))
		printf(" word");
}

/* Held still, so that what is told belongs together; true when it could be traced. */
static bool tell(pid_t pid, const struct loot *l)
{
	char number[16], exe[512], filters[64], caps[64];
	int status;

	if (ptrace(PTRACE_SEIZE, pid, 0, 0) < 0)
		return false;
	(void)ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	if (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		snprintf(number, sizeof(number), "%d", (int)pid);
		exe_of(number, exe, sizeof(exe));
		field(pid, "Seccomp", filters, sizeof(filters));
		field(pid, "CapEff", caps, sizeof(caps));
		printf("%d exe=%s seccomp=%s caps=%s", (int)pid, exe, filters, caps);
		if (l->word)
			print_loot(pid, l);
		printf("\n");
		if (l->holds)
			hold_sockets(pid);
	}
	(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	return true;
}

static int stalk(int seconds, const struct loot *l)
{
	time_t end = time(NULL) + seconds;
	pid_t next = getpid() + 1;
	bool seen[1 << 16] = {0};

	while (time(NULL) < end) {
		pid_t newest = next;

		for (pid_t pid = next; pid < next + AHEAD; pid++) {
			if (kill(pid, 0) < 0 && errno == ESRCH)
				continue;
			newest = pid;
			if (!seen[pid & 0xffff])
				seen[pid & 0xffff] = tell(pid, l);
		}
		/* One is watched from its birth until the next is born. */
		next = newest > next ? newest : next;
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct loot l = {0};

	if (argc < 2 || argc > 4)
		return 2;
	if (argc == 4)
		l = (struct loot){argv[2], argv[3], false};
	l.holds = argc == 3 && strcmp(argv[2], "hold") == 0;
	setvbuf(stdout, NULL, _IOLBF, 0);
	return atoi(argv[1]) > 0 ? stalk(atoi(argv[1]), &l) : 2;
}
