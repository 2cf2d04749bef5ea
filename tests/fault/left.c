// SPDX-License-Identifier: LGPL-2.1-or-later
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fault.h"

/* The kernel takes a moment to end the processes of a killed namespace. */
enum { ROUNDS = 1000, ROUND_MS = 2 };

static char *mounts;

static char *read_mounts(void)
{
	size_t used = 0, size = 1 << 16;
	char *text = calloc(1, size);
	int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	ssize_t n;

	while (text && used < size - 1 && (n = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)n;
	close(fd);
	return text;
}

void left_baseline(void)
{
	free(mounts);
	mounts = read_mounts();
}

static void describe(pid_t pid, const char *file, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, size - 1);
	if (fd >= 0)
		close(fd);
	for (ssize_t i = 0; i < n; i++)
		if (!text[i] || text[i] == '\n')
			text[i] = ' ';
	text[n > 0 ? n : 0] = '\0';
}

/* Pids of everything but ourselves. */
static size_t processes(pid_t *pids, size_t max)
{
	DIR *d = opendir("/proc");
	struct dirent *de;
	size_t n = 0;

	while (d && (de = readdir(d)) && n < max)
		if (isdigit((unsigned char)de->d_name[0]) && atoi(de->d_name) != getpid())
			pids[n++] = atoi(de->d_name);
	if (d)
		closedir(d);
	return n;
}

pid_t process_named(const char *name)
{
	pid_t pids[64];
	size_t n = processes(pids, 64);
	char comm[64];

	for (size_t i = 0; i < n; i++) {
		describe(pids[i], "comm", comm, sizeof(comm));
		comm[strcspn(comm, " ")] = '\0';
		if (strcmp(comm, name) == 0)
			return pids[i];
	}
	return 0;
}

void find_processes(char **why, size_t allowed)
{
	pid_t pids[64];
	size_t n = 0;

	for (int i = 0; i < ROUNDS; i++) {
		reap();
		n = processes(pids, 64);
		if (n <= allowed)
			return;
		nap_ms(ROUND_MS);
	}
	for (size_t i = 0; i < n; i++) {
		char text[256], name[64];

		describe(pids[i], "cmdline", text, sizeof(text));
		describe(pids[i], "comm", name, sizeof(name));
		find(why, "left: process %d %s: %s", (int)pids[i], name, text);
	}
}

static char **cgroups_why;

static int is_ours(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	const char *ours = id_prefix();

	if (type == FTW_D && strncmp(path + at->base, ours, strlen(ours)) == 0)
		find(cgroups_why, "left: cgroup %s", path);
	return 0;
}

static void find_state(char **why)
{
	DIR *d = opendir("state");
	struct dirent *de;

	while (d && (de = readdir(d)))
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			find(why, "left: state of %s", de->d_name);
	if (d)
		closedir(d);
}

typedef void claim_fn(const char *path, const char *user, char **why);

static void complain(const char *path, const char *user, char **why)
{
	find(why, "left: %s is claimed by %s", path, user);
}

static void drop_if_void(const char *path, const char *user, char **why)
{
	(void)why;
	if (access(user, F_OK) < 0 && unlink(path) < 0)
		printf("# %s stays\n", path);
}

/* Each line that names a state directory: users of an id range, or of CPUs. */
static void claims_in(const char *directory, claim_fn *fn, char **why)
{
	DIR *d = opendir(directory);
	struct dirent *de;
	char path[512], line[512];

	while (d && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s", directory, de->d_name);
		FILE *f = isalnum((unsigned char)de->d_name[0]) ? fopen(path, "re") : NULL;

		while (f && fgets(line, sizeof(line), f)) {
			line[strcspn(line, "\n")] = '\0';
			if (line[0] == '/')
				fn(path, line, why);
		}
		if (f)
			fclose(f);
	}
	if (d)
		closedir(d);
}

static void claims(claim_fn *fn, char **why)
{
	claims_in("ids", fn, why);
	claims_in("/run/brig-cpus", fn, why);
}

void left_drop_void_claims(void)
{
	claims(drop_if_void, NULL);
	net_drop_void_claims();
}

static bool was_there(const char *line, size_t n)
{
	for (const char *p = mounts; p && *p; p += strcspn(p, "\n") + 1)
		if (strncmp(p, line, n) == 0 && (p[n] == '\n' || !p[n]))
			return true;
	return false;
}

/*
 * Only what is new: a mount that somebody else on the machine had when we began goes from here as
 * well when he removes the directory it is on.
 */
static void find_mounts(char **why)
{
	char *now = read_mounts();

	for (char *line = strtok(now, "\n"); line; line = strtok(NULL, "\n"))
		if (!was_there(line, strlen(line)))
			find(why, "left: mount %s", line);
	free(now);
}

static bool log_was_full;

void left_log_full(bool yes)
{
	log_was_full = yes;
}

void find_log(char **why)
{
	enum { TORN = 20, LIFECYCLE = 32 };
	int status;

	if (access("log/audit.jsonl", F_OK) < 0)
		return;
	status = BRIG(&(struct way){0}, "audit", "verify");
	if (status != 0 && status != TORN && !(log_was_full && status == LIFECYCLE))
		find(why, "audit verify: %d: %s", status, output());
}

void find_left(char **why)
{
	find_processes(why, 0);
	cgroups_why = why;
	nftw("/sys/fs/cgroup", is_ours, 16, FTW_PHYS);
	find_state(why);
	claims(complain, why);
	find_mounts(why);
	find_net_left(why);
	find_log(why);
}
