/*
 * A layer of Landlock that lets nothing be executed but a program with its interpreters and what is
 * allowed besides.  It is the kernel's execve that is held to it, also that of the interpreters;
 * not what an interpreter reads and then does, nor memory that is made executable.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/inroot.h"
#include "base/log.h"
#include "base/own.h"
#include "guard/harden.h"
#include "guard/interpreter.h"
#include "guard/landlock.h"
#include "guard/landlock_rules.h"

/* fs/exec.c: exec_binprm */
enum { MOST_INTERPRETERS = 5, PATH_LONGEST = 4096 };

static int may(int ruleset, int fd, uint64_t access, const char *path, struct err *e)
{
	return landlock_allow(ruleset, fd, access) < 0
		       ? err_set(e, errno, "landlock: allow executing %s", path)
		       : 0;
}

/* Interpreters of interpreters, as the kernel follows them. */
static int allow_file(int ruleset, int root, int fd, const char *name, struct err *e)
{
	char path[INTERPRETER_MAX], self[64];
	own_fd int file = -1;

	if (may(ruleset, fd, FS_EXECUTE, name, e) < 0)
		return -e->code;
	for (int depth = 0; depth < MOST_INTERPRETERS; depth++) {
		struct err ignored;
		int from = file >= 0 ? file : fd;

		snprintf(self, sizeof(self), "/proc/self/fd/%d", from);
		own_fd int readable = open(self, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
		/* What cannot be read, and what is no program, has no interpreter that we know. */
		if (readable < 0 || interpreter_of(readable, path, sizeof(path), &ignored) <= 0)
			return 0;
		int next = inroot_open(root, path, O_PATH, 0, &ignored);
		if (next < 0)
			return 0;
		own_close(&file);
		file = next;
		if (may(ruleset, file, FS_EXECUTE, path, e) < 0)
			return -e->code;
	}
	return 0;
}

/* What lies there may have been changed by the sandbox, before one more process comes. */
static bool is_writable(const struct harden_exec *x, const char *path)
{
	for (size_t i = 0; x->writable && x->writable[i]; i++) {
		size_t n = strlen(x->writable[i]);

		if (strncmp(path, x->writable[i], n) == 0 && (path[n] == '/' || !path[n]))
			return true;
	}
	return false;
}

/* What is not there cannot be executed. */
static int allow_path(const struct harden_exec *x, int ruleset, int root, const char *path,
		      struct err *e)
{
	struct err ignored;
	own_fd int fd = inroot_open(root, path, O_PATH,
				    is_writable(x, path) ? INROOT_NO_SYMLINKS : 0, &ignored);
	struct stat st;

	if (fd < 0) {
		log_debug("exec: %s: %s", path, ignored.msg);
		return 0;
	}
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "landlock: %s", path);
	if (S_ISDIR(st.st_mode))
		return may(ruleset, fd, FS_EXECUTE, path, e);
	return S_ISREG(st.st_mode) ? allow_file(ruleset, root, fd, path, e) : 0;
}

/* Of the first process, when it is another one's turn: as execvp searches. */
static int allow_first(const struct harden_exec *x, int ruleset, int root, struct err *e)
{
	const char *dirs = x->path ? x->path
				   : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
				     "/sbin:/bin";
	char path[PATH_LONGEST];

	if (!x->program)
		return 0;
	if (strchr(x->program, '/')) {
		snprintf(path, sizeof(path), "%s/%s", x->program[0] == '/' ? "" : x->cwd,
			 x->program);
		return allow_path(x, ruleset, root, path, e);
	}
	for (;;) {
		size_t n = strcspn(dirs, ":");
		struct stat st;

		snprintf(path, sizeof(path), "%.*s/%s", (int)n, dirs, x->program);
		if (*path != '/')
			snprintf(path, sizeof(path), "%s/%.*s/%s", x->cwd, (int)n, dirs,
				 x->program);
		own_fd int fd = inroot_open(root, path, O_PATH, 0, NULL);
		if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_mode & 0111)
			return allow_path(x, ruleset, root, path, e);
		if (!dirs[n])
			return 0;
		dirs += n + 1;
	}
}

int harden_execution(const struct harden_exec *x, int root, const char *program, struct err *e)
{
	/* Every ruleset forbids what moves files between directories, but where a rule lets it
	 * (Linux 5.19); before that what there is of Landlock forbids it anyway. */
	uint64_t refer = landlock_abi() > 1 ? FS_REFER : 0;
	const struct landlock_attr attr = {.fs = FS_EXECUTE | refer};
	own_fd int ruleset = landlock_make(&attr);

	if (ruleset < 0)
		return err_set(e, errno, "landlock: make a ruleset");
	if (refer && may(ruleset, root, refer, "/", e) < 0)
		return -e->code;
	int r = program ? allow_path(x, ruleset, root, program, e)
			: allow_first(x, ruleset, root, e);
	for (size_t i = 0; r == 0 && x->allow[i]; i++)
		r = allow_path(x, ruleset, root, x->allow[i], e);
	if (r < 0)
		return r;
	if (landlock_enter(ruleset) < 0)
		return err_set(e, errno, "landlock: limit what is executed");
	return 0;
}
