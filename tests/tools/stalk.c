// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * A hostile process of a container: for SECONDS it tries to get hold of every process that
 * appears beside it, before that has become the program it was made for.
 *
 *	stalk SECONDS      prints PID, exe, seccomp mode and capabilities of each it could trace
 */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
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

/* Held still, so that what is told belongs together; true when it could be traced. */
static bool tell(pid_t pid)
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
		printf("%d exe=%s seccomp=%s caps=%s\n", (int)pid, exe, filters, caps);
	}
	(void)ptrace(PTRACE_DETACH, pid, 0, 0);
	return true;
}

static int stalk(int seconds)
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
				seen[pid & 0xffff] = tell(pid);
		}
		/* One is watched from its birth until the next is born. */
		next = newest > next ? newest : next;
	}
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	return argc == 2 && atoi(argv[1]) > 0 ? stalk(atoi(argv[1])) : 2;
}
