/*
 * Tries to get out of where it runs.  Static, raw system calls.
 *
 *	attack list                names of all probes
 *	attack batch NAME...       each in a process of its own; "NAME ANSWER" lines
 *	attack wait                sleeps, for `brig exec`
 *	attack listen              on the machine: services that no sandbox may reach
 *	attack control ARM NAME... without a sandbox: refuses to run outside namespaces of its own
 *	attack reach NAME...       as control, with a filter that answers EXFULL to the probe's
 *call: shows that the probe makes it, and that such an answer is seen
 *
 * The last two are the proof that the tests can fail.  They never run as an id that owns
 * something on the machine (arm root: only probes that open files and no more).
 */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct attack *const tables[] = {
	call_attacks,    kill_attacks,  socket_attacks,  file_attacks,
	process_attacks, limit_attacks, granted_attacks,
};
enum { N_TABLES = sizeof(tables) / sizeof(tables[0]), PATIENCE = 30 };

char inherited_fds[256] = "none";
static const char *current;
/* In arm root, whose probes open files and make none, the test's own files are in there. */
static int keep_tmp;

long sys(long nr, ...)
{
	va_list ap;
	long a[6], r;

	va_start(ap, nr);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(ap, long);
	va_end(ap);
	r = syscall(nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	return r < 0 ? -errno : r;
}

void attack_says(const char *format, ...)
{
	char line[256];
	va_list ap;
	int n = snprintf(line, sizeof(line), "%s ", current), m;

	va_start(ap, format);
	m = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, format, ap);
	va_end(ap);
	n = n + m < (int)sizeof(line) - 1 ? n + m : (int)sizeof(line) - 2;
	line[n++] = '\n';
	_exit(write(1, line, (size_t)n) != n);
}

static const struct attack *find(const char *name)
{
	for (size_t t = 0; t < N_TABLES; t++)
		for (const struct attack *p = tables[t]; p->name; p++)
			if (!strcmp(p->name, name))
				return p;
	fprintf(stderr, "attack: no probe %s\n", name);
	exit(2);
}

_Noreturn static void attempt(const struct attack *p)
{
	long r;

	current = p->name;
	alarm(PATIENCE);
	if (p->run)
		r = p->run(p);
	else if (p->nr)
		r = sys(p->nr, p->a[0], p->a[1], p->a[2], p->a[3], p->a[4], p->a[5]);
	else
		attack_says("not-here");
	if (r >= 0)
		attack_says("ok");
	const char *name = strerrorname_np((int)-r);
	attack_says("%s", name ? name : "unknown");
}

/* The call numbered nr answers EXFULL, an error that the kernel gives for none of these. */
static void answer_exfull(long nr)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EXFULL),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {sizeof(f) / sizeof(f[0]), f};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0))
		_exit(3);
}

enum mode { SANDBOX, CONTROL, REACH };

static void one(enum mode mode, const struct attack *p)
{
	pid_t pid = fork(), got;
	int status;

	if (pid < 0)
		_exit(4);
	if (pid == 0) {
		/* What one probe unmounts or names the next must not feel, nor the machine's /tmp.
		 */
		if (mode != SANDBOX && (unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC) ||
					(!keep_tmp && mount("none", "/tmp", "tmpfs", 0, NULL))))
			_exit(5);
		if (mode == REACH)
			answer_exfull(p->nr);
		attempt(p);
	}
	/* Probes leave children behind; as the first process all of them end up here. */
	do
		got = waitpid(-1, &status, 0);
	while (got != pid && (got > 0 || errno == EINTR));
	if (got != pid)
		printf("%s lost\n", p->name);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		printf("%s kill\n", p->name);
	else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
		printf("%s hang\n", p->name);
	else if (WIFSIGNALED(status))
		printf("%s signal-%d\n", p->name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		printf("%s exit-%d\n", p->name, WEXITSTATUS(status));
}

static void find_inherited(void)
{
	size_t n = 0;

	for (int fd = 3; fd < 4096 && n < sizeof(inherited_fds) - 8; fd++)
		if (fcntl(fd, F_GETFD) >= 0)
			n += (size_t)sprintf(inherited_fds + n, n ? "-%d" : "%d", fd);
}

/* The host id that our user 0 is; -1: not in a user namespace of our own. */
static long long host_id(void)
{
	char text[256] = "";
	int fd = open("/proc/self/uid_map", O_RDONLY | O_CLOEXEC);
	unsigned int inside, outside, count;

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		return -1;
	close(fd);
	if (sscanf(text, "%u %u %u", &inside, &outside, &count) != 3 || inside || count != 1)
		return -1;
	return outside;
}

/* What a mistake here would do to the machine is the reason for so many checks. */
static void throw_away_only(const char *arm, int argc, char **argv)
{
	long long id = host_id();
	int as_root = !strcmp(arm, "root"), on_host = !strcmp(arm, "host");

	keep_tmp = as_root;
	if (id < 0 || (id == 0 && !as_root) || (id && as_root)) {
		fprintf(stderr, "attack: not in a user namespace of arm %s\n", arm);
		exit(2);
	}
	if (!on_host && getpid() != 1) {
		fputs("attack: not the first process of a pid namespace\n", stderr);
		exit(2);
	}
	for (int i = 0; i < argc; i++) {
		unsigned int arms = find(argv[i])->arms;

		if ((as_root && !(arms & ARM_ROOT)) || (on_host && !(arms & ARM_HOST))) {
			fprintf(stderr, "attack: %s may not run in arm %s\n", argv[i], arm);
			exit(2);
		}
	}
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL)) {
		perror("attack: not in a mount namespace of its own");
		exit(2);
	}
}

static int batch(enum mode mode, int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 0; i < argc; i++) {
		const struct attack *p = find(argv[i]);

		if (mode != REACH || p->nr)
			one(mode, p);
	}
	return 0;
}

static int usage(void)
{
	fputs("attack list | wait | listen | batch NAME... | control ARM NAME... | reach NAME...\n",
	      stderr);
	return 2;
}

/* What the files that gain privileges are run as. */
static int say_ids(void)
{
	char line[256];
	FILE *f = fopen("/proc/self/status", "re");

	printf("%d", (int)geteuid());
	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, "CapEff:", 7))
			printf(" %s", strtok(line + 7, " \t\n"));
	putchar('\n');
	return 0;
}

int main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";

	find_inherited();
	if (!strcmp(verb, "ids"))
		return say_ids();
	if (!strcmp(verb, "listen"))
		return attack_listen();
	if (!strcmp(verb, "list")) {
		for (size_t t = 0; t < N_TABLES; t++)
			for (const struct attack *p = tables[t]; p->name; p++)
				puts(p->name);
		return 0;
	}
	if (!strcmp(verb, "control") && argc > 3) {
		throw_away_only(argv[2], argc - 3, argv + 3);
		return batch(CONTROL, argc - 3, argv + 3);
	}
	if (!strcmp(verb, "reach") && argc > 2) {
		throw_away_only("nobody", argc - 2, argv + 2);
		return batch(REACH, argc - 2, argv + 2);
	}
	if (access(ATTACK_MARK, F_OK)) {
		fputs("attack: only in a root file system of its own (" ATTACK_MARK ")\n", stderr);
		return 2;
	}
	if (!strcmp(verb, "wait")) {
		signal(SIGCHLD, SIG_IGN);
		for (;;)
			pause();
	}
	return !strcmp(verb, "batch") ? batch(SANDBOX, argc - 2, argv + 2) : usage();
}
