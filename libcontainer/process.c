#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fds.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "guard/harden.h"
#include "guard/lsm.h"
#include "run/launch.h"
#include "run/sync.h"
#include "session.h"
#include "warden/warden.h"

enum { PASSWD_MAX = 1 << 20 };

void process_reset_signals(void)
{
	static const unsigned long by_default[8]; /* the kernel's struct sigaction */
	sigset_t none;

	(void)sigemptyset(&none);
	/* The C library keeps two for itself, which its signal(3) does not touch. */
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			(void)syscall(SYS_rt_sigaction, sig, by_default, NULL, sizeof(uint64_t));
	/* What our caller had blocked would be blocked for good: execve keeps the mask. */
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static int passed_on(const int *output, struct err *e)
{
	if (!output || output[0] < 0)
		return 0;
	if (dup2(output[0], STDOUT_FILENO) < 0 ||
	    dup2(output[1] < 0 ? output[0] : output[1], STDERR_FILENO) < 0)
		return err_set(e, errno, "standard output");
	return 0;
}

int process_stdio(struct process *p, struct err *e)
{
	if (p->slave < 0)
		return passed_on(p->output, e);
	if (!p->born_last && ioctl(p->slave, TIOCSCTTY, 0) < 0)
		return err_set(e, errno, "controlling terminal");
	for (int fd = 0; fd <= 2; fd++)
		if (dup2(p->slave, fd) < 0)
			return err_set(e, errno, "terminal on descriptor %d", fd);
	if (p->slave > 2)
		(void)close(p->slave);
	p->slave = -1;
	return 0;
}

int process_labels(struct process *p, struct err *e)
{
	if (p->plan->apparmor) {
		int r = lsm_apparmor_exec(p->proc, p->plan->apparmor, e);

		if (r < 0)
			return r;
	}
	return p->plan->selinux ? lsm_selinux_exec(p->proc, p->plan->selinux, e) : 0;
}

/* A working directory that "getcwd" cannot name is outside of the root (CVE-2024-21626). */
static int check_cwd(const char *cwd, struct err *e)
{
	char buf[PATH_MAX];

	if (syscall(SYS_getcwd, buf, sizeof(buf)) < 0) {
		if (errno == ENAMETOOLONG || errno == ERANGE)
			return 0;
		return err_set(e, errno, "cwd %s", cwd);
	}
	if (buf[0] != '/')
		return err_msg(e, EPERM, "cwd %s: outside of the container's root", cwd);
	return 0;
}

int process_cwd(struct process *p, struct err *e)
{
	const char *cwd = p->plan->cwd;
	own_fd int dir = inroot_open(p->root, cwd, O_PATH | O_DIRECTORY, 0, e);

	if (dir < 0)
		return err_wrap(e, "cwd");
	if (fchdir(dir) < 0)
		return err_set(e, errno, "chdir to cwd (\"%s\") set in config.json failed", cwd);
	return check_cwd(cwd, e);
}

int process_privileged(struct process *p, struct err *e)
{
	int r = attrs_apply_privileged(p->plan->attrs, e);

	if (r < 0)
		return r;
	/* With rights first; a network file system may refuse them what it allows the user. */
	r = process_cwd(p, e);
	p->cwd_later = r == -EACCES;
	return p->cwd_later ? 0 : r;
}

/*
 * /dev/stdout and the like are opened by the workload: a pipe that belongs to the runtime's user
 * would refuse it.  Pipes only: a file or a device of the host's keeps its owner.  EPERM: in an
 * engine's user namespace, of somebody who is not there; only opening it again does not work then.
 */
static int own_pipes(const struct process *p, struct err *e)
{
	struct stat st;

	for (int fd = 0; fd <= 2; fd++)
		if (fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode) && st.st_uid != p->host_uid &&
		    fchown(fd, p->host_uid, (gid_t)-1) < 0 && errno != EPERM)
			return err_set(e, errno, "own the pipe on descriptor %d", fd);
	return 0;
}

int process_enter_userns(struct process *p, struct err *e)
{
	int r = own_pipes(p, e);

	if (r < 0)
		return r;
	if (setns(p->userns, CLONE_NEWUSER) < 0)
		return err_set(e, errno, "enter the user namespace");
	/* A change of credentials undoes both. */
	r = session_harden(e);
	return r < 0 ? r : harden_userns(p->harden, p->proc, e);
}

int process_rights(struct process *p, struct err *e)
{
	const struct harden_plan *h = p->harden;
	int r = caps_drop_bounding(&p->plan->caps, e);

	if (r == 0 && p->plan->no_new_privs && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		r = err_set(e, errno, "no_new_privs");
	if (!h || r < 0)
		return r;
	if ((r = harden_landlock(h, p->root, &p->landlock_abi, e)) < 0 ||
	    (r = harden_process(h, e)) < 0 ||
	    (p->init && (r = harden_join_core(h, p->init, e)) < 0))
		return r;
	return harden_securebits(h, e);
}

int process_filter_early(struct process *p, struct err *e)
{
	own_fd int listener = -1;

	if (!p->seccomp->insns || !p->seccomp_early)
		return 0;
	int r = seccomp_install(p->seccomp, &listener, e);
	if (r < 0 || listener < 0)
		return r;
	r = sync_send_fd(p->sync, SYNC_LISTENER, listener, e);
	return r < 0 ? r : sync_expect(p->sync, SYNC_LISTENER_DONE, e);
}

int process_user(struct process *p, struct err *e)
{
	int r = creds_apply(&p->plan->creds, e);

	if (r == 0)
		r = caps_apply(&p->plan->caps, e);
	/* commit_creds gives what fs.suid_dumpable says; 1 would open our memory, a copy of the
	 * runtime's with its environment, to processes of this user inside. */
	if (r == 0 && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		r = err_set(e, errno, "PR_SET_DUMPABLE");
	if (r == 0 && p->cwd_later)
		r = process_cwd(p, e);
	return r;
}

/* --- the program -------------------------------------------------------------------------- */

/* 0, or -errno: why execve would not take this file. */
static int can_execute(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (access(path, X_OK) < 0)
		return errno == ENOSYS ? 0 : -errno;
	return 0;
}

static int search_path(struct process *p, const char *name, struct err *e)
{
	const char *dirs = env_get(p->env, "PATH");

	if (!dirs)
		dirs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
	for (;;) {
		size_t n = strcspn(dirs, ":");
		const char *path = n ? arena_printf(p->arena, "%.*s/%s", (int)n, dirs, name)
				     : arena_printf(p->arena, "./%s", name);

		if (can_execute(path) == 0) {
			p->path = path;
			return 0;
		}
		if (!dirs[n])
			break;
		dirs += n + 1;
	}
	return err_msg(e, ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

/* The home directory of uid in the text of /etc/passwd: name:x:uid:gid:gecos:home:shell. */
static const char *home_in(struct arena *a, const char *text, uint32_t uid)
{
	while (*text) {
		const char *field[7];
		size_t len[7], n = 0;
		const char *s = text;

		for (; n < 7; n++) {
			field[n] = s;
			len[n] = strcspn(s, ":\n");
			s += len[n];
			if (*s != ':') {
				n++;
				break;
			}
			s++;
		}
		uint32_t id;
		if (n >= 6 && str_u32(arena_strndup(a, field[2], len[2]), &id) && id == uid)
			return arena_strndup(a, field[5], len[5]);
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
	return NULL;
}

/* As the container's user and with a bound: the file is the image's (CVE-2016-3697 and kin). */
static const char *home_of(struct arena *a, uint32_t uid)
{
	own_fd int fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	const char *home = NULL;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		size_t size = st.st_size < PASSWD_MAX ? (size_t)st.st_size : PASSWD_MAX;
		char *text = arena_new(a, size + 1);
		ssize_t n = read(fd, text, size);

		text[n > 0 ? n : 0] = '\0';
		home = home_in(a, text, uid);
	}
	return home && *home ? home : "/";
}

static const char *const *env_with_home(struct process *p)
{
	const char *const *env = p->plan->env;
	const char *home = env_get(env, "HOME");
	size_t n = 0;

	if (home && *home)
		return env;
	while (env[n])
		n++;
	const char **out = arena_array(p->arena, n + 2, sizeof(char *));
	size_t m = 0;
	for (size_t i = 0; i < n; i++)
		if (!str_starts(env[i], "HOME="))
			out[m++] = env[i];
	out[m] = arena_printf(p->arena, "HOME=%s", home_of(p->arena, p->plan->creds.uid));
	return out;
}

int process_find(struct process *p, struct err *e)
{
	const char *name = p->plan->args[0];

	p->env = env_with_home(p);
	if (!strchr(name, '/')) {
		if (!*name)
			return err_msg(e, ENOENT, "exec: \"\": executable file not found in $PATH");
		return search_path(p, name, e);
	}
	int r = can_execute(name);
	if (r == -ENOENT || r == -ENOTDIR)
		return err_set(e, -r, "exec: \"%s\": stat %s", name, name);
	if (r < 0)
		return err_set(e, -r, "exec: \"%s\"", name);
	p->path = name;
	return 0;
}

int process_limit_execution(struct process *p, struct err *e)
{
	const struct harden_exec *x = &p->harden->exec;
	const char *path = p->one_more ? NULL : p->path;

	if (path && path[0] != '/')
		path = arena_printf(p->arena, "%s/%s", p->plan->cwd, path);
	return harden_execution(x, p->root, path, e);
}

/* --- the end ------------------------------------------------------------------------------ */

/* What cannot be opened by the user it has become is not told of, which is no failure. */
static int send_started(const struct process *p, struct err *e)
{
	int fds[WARDEN_DISKS];
	size_t n = 0;

	for (const char *const *d = p->disks; d && *d && n < WARDEN_DISKS; d++) {
		int fd = open(*d, O_PATH | O_DIRECTORY | O_CLOEXEC);

		if (fd >= 0)
			fds[n++] = fd;
	}
	int r = warden_send_started(p->warden, fds, n, e);

	for (size_t i = 0; i < n; i++)
		(void)close(fds[i]);
	return r;
}

/*
 * The filter goes on here when the warden gets its listener: the descriptor must leave before
 * the next execve closes it, which nothing else does: a filter may deny close.  What follows are
 * calls that the filter allows (plan.c, check_unanswered, plan_stub_passes).
 */
static int filter_for_warden(struct process *p, struct err *e)
{
	int listener;

	/* After the change of user, which takes it back (commit_creds, kernel/cred.c), and before
	 * the message, which fails when the parent has gone by now. */
	if (p->dies_with_warden && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	int r = send_started(p, e);

	if (r < 0 || !p->seccomp->notify || p->seccomp_early || p->observer)
		return r;
	r = seccomp_install(p->seccomp, &listener, e);
	return r < 0 ? r : warden_send_listener(p->warden, listener, e);
}

int process_exec(struct process *p, int sync, struct err *e)
{
	bool late = p->seccomp->insns && !p->seccomp_early;
	struct err ignored;
	int r = 0;

	/* Everything that is not for the workload goes with the next execve; before a filter, which
	 * need not allow it. */
	if (close_range(3 + p->plan->preserve_fds, ~0U, CLOSE_RANGE_CLOEXEC) < 0)
		return err_set(e, errno, "close_range");
	/* Before the warden hears of it: from then on it may end us for a limit.  A start that is
	 * gone needs no answer. */
	if (p->announces)
		(void)!sync_send(sync, SYNC_EXECUTING, &ignored);
	if (p->warden >= 0)
		r = filter_for_warden(p, e);
	if (r < 0)
		return r;
	if (p->observer || (p->warden >= 0 && p->seccomp->notify))
		late = false;
	struct launch l = {
		.path = p->path,
		.argv = (char *const *)(uintptr_t)p->plan->args,
		.envp = (char *const *)(uintptr_t)p->env,
		.sync_fd = sync,
		.insns = late ? p->seccomp->insns : NULL,
		.n_insns = late ? p->seccomp->n_insns : 0,
		.seccomp_flags = p->seccomp->flags,
		.filter_first =
			p->born_last ? plan_birth_passes(p->seccomp) : plan_stub_passes(p->seccomp),
		.birth = p->born_last,
		.terminal = p->plan->terminal,
	};

	if (!p->skip_stub)
		return launch_exec(p->stub, &l, e);
	if (late) {
		int none;

		r = seccomp_install(p->seccomp, &none, e);
	}
	if (p->observer)
		r = learn_install(p->observer, e);
	if (r < 0)
		return r;
	(void)execve(l.path, l.argv, l.envp);
	return err_set(e, errno, "exec %s", l.path);
}

void process_close_all_but(unsigned int preserved, int *keep, size_t n)
{
	fds_close_all_but(3 + preserved, keep, n);
}

int process_check_preserved(unsigned int n, struct err *e)
{
	for (unsigned int i = 0; i < n; i++) {
		int flags = fcntl((int)(3 + i), F_GETFD);

		/* What survived our own execve has no CLOEXEC; what brig opened has. */
		if (flags < 0 || flags & FD_CLOEXEC)
			return err_msg(e, EBADF, "preserve-fds: descriptor %u is not open", 3 + i);
	}
	return 0;
}

int process_check_standard(struct err *e)
{
	struct stat st;

	for (int fd = 0; fd <= 2; fd++)
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
			return err_msg(
				e, EISDIR,
				"descriptor %d is a directory, which leads out of the sandbox", fd);
	return 0;
}
