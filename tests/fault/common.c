// SPDX-License-Identifier: LGPL-2.1-or-later
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "fault.h"

enum { LIMIT_S = 20, MAX_ARGS = 48, MAX_RUNNING = 256 };

static struct running {
	pid_t pid;
	int status;
	bool ended;
} running[MAX_RUNNING];

static int told, bad;

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

void tell(const char *why, const char *format, ...)
{
	char name[256];
	va_list ap;

	va_start(ap, format);
	vsnprintf(name, sizeof(name), format, ap);
	va_end(ap);
	told++;
	bad += *why != '\0';
	printf("%sok %d %s\n", *why ? "not " : "", told, name);
	for (const char *p = why; *p;) {
		int n = (int)strcspn(p, "\n");

		printf("# %.*s\n", n, p);
		p += n + (p[n] == '\n');
	}
	fflush(stdout);
}

int tell_done(void)
{
	printf("1..%d\n", told);
	return bad ? 1 : 0;
}

void find(char **why, const char *format, ...)
{
	char *line = NULL, *all = NULL;
	va_list ap;

	va_start(ap, format);
	if (vasprintf(&line, format, ap) < 0 || asprintf(&all, "%s%s\n", *why, line) < 0)
		die("out of memory");
	va_end(ap);
	free(line);
	free(*why);
	*why = all;
}

void nap_ms(long ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
}

int rounds(int n)
{
	const char *given = getenv("FAULT_PERCENT");
	int percent = given ? atoi(given) : 30;
	int some = n * percent / 100;

	return some > 2 ? some : 2;
}

/* --- the runtime -------------------------------------------------------------------------- */

static int terminal_slave(int *master)
{
	*master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0)
		die("pty");
	int slave = open(ptsname(*master), O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		die("pty slave");
	return slave;
}

static char level_name[32];

const char *level(void)
{
	return level_name;
}

bool next_level(void)
{
	static const char *at;

	if (!at)
		at = getenv("LEVELS");
	if (!at)
		at = "custom standard high";
	at += strspn(at, " ");
	int n = (int)strcspn(at, " ");
	snprintf(level_name, sizeof(level_name), "%.*s", n, at);
	at += n;
	return n > 0;
}

const char *id_prefix(void)
{
	static char prefix[48];
	const char *run = getenv("FAULT_RUN");

	snprintf(prefix, sizeof(prefix), "flt-%s-%s-", run ? run : "0", level_name);
	return prefix;
}

const char *named(const char *name)
{
	static char names[4][64];
	static unsigned int next;
	char *out = names[next++ % 4];

	snprintf(out, sizeof(names[0]), "%s%s", id_prefix(), name);
	return out;
}

/* For --env-fd 7 and --secret NAME=8. */
static void take_secrets(void)
{
	int environment = open("environment", O_RDONLY | O_CLOEXEC);
	int secret = open("secret", O_RDONLY | O_CLOEXEC);

	if (dup2(environment, 7) < 0 || dup2(secret, 8) < 0)
		_exit(99);
}

static void become_brig(const struct way *w, const char *const *args, int in, int out, int err)
{
	const char *argv[MAX_ARGS + 8] = {getenv("BRIG"), "--system-config", "brig.json",
					  "--root",       "state",           "--level"};
	int n = 6;

	argv[n++] = w->level ? w->level : level();

	for (; *args && n < MAX_ARGS; args++)
		argv[n++] = *args;
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(99);
	take_secrets();
	setenv("BRIG_FAULT_STEP", w->step ? w->step : "", 1);
	setenv("BRIG_FAULT_KIND", w->kind ? w->kind : "", 1);
	if (w->list)
		setenv("BRIG_FAULT_LIST", w->list, 1);
	if (w->hide)
		setenv("BRIG_FAULT_HIDE", w->hide, 1);
	execv(argv[0], (char *const *)(size_t)argv);
	_exit(99);
}

static struct running *find_running(pid_t pid)
{
	for (size_t i = 0; i < MAX_RUNNING; i++)
		if (running[i].pid == pid)
			return &running[i];
	errno = ESRCH;
	die("wait for brig");
	return NULL;
}

pid_t brig_start(const struct way *w, const char *const *args)
{
	static int master = -1, slave = -1;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int out = w->no_output
			  ? null
			  : open("out", O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);

	if (w->terminal && slave < 0)
		slave = terminal_slave(&master);
	pid_t pid = fork();
	if (pid < 0 || null < 0 || out < 0)
		die("start brig");
	if (pid == 0)
		become_brig(w, args, w->terminal ? slave : null, w->terminal ? slave : out, out);
	close(null);
	if (out != null)
		close(out);
	find_running(0)->pid = pid;
	return pid;
}

/* As pid 1 we get the orphans as well, and must: a namespace ends when all are waited for. */
void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
		for (size_t i = 0; i < MAX_RUNNING; i++)
			if (running[i].pid == pid && !running[i].ended) {
				running[i].ended = true;
				running[i].status = status;
			}
}

int brig_wait(pid_t pid)
{
	struct running *r = find_running(pid);
	struct timespec from, now, pause = {.tv_nsec = 500000};
	bool hangs = false;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (reap(); !r->ended; reap()) {
		nanosleep(&pause, NULL);
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!hangs && now.tv_sec - from.tv_sec > LIMIT_S) {
			hangs = true;
			kill(pid, SIGKILL);
		}
	}
	int status = r->status;
	*r = (struct running){0};
	if (hangs)
		return STATUS_HANGS;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int brig(const struct way *w, const char *const *args)
{
	return brig_wait(brig_start(w, args));
}

static char *slurp(const char *path)
{
	static char text[1 << 16];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

const char *output(void)
{
	return slurp("out");
}

void use_config(const char *name, const char *id)
{
	char path[128];

	(void)unlink("log/audit.jsonl");
	(void)unlink("log/audit.jsonl.lock");
	snprintf(path, sizeof(path), "%s.json", name);
	const char *p = slurp(path);
	FILE *f = fopen("b/config.json", "we");
	if (!f || !*p)
		die(path);
	while (*p) {
		const char *at = strstr(p, "@ID@");

		fwrite(p, 1, at ? (size_t)(at - p) : strlen(p), f);
		if (!at)
			break;
		fputs(id, f);
		p = at + strlen("@ID@");
	}
	fclose(f);
}

/* --- sockets ------------------------------------------------------------------------------ */

static const char *const names[] = {"console.sock", "pidfd.sock", "notify.sock"};
enum { N_SOCKETS = sizeof(names) / sizeof(names[0]) };
static int sockets[N_SOCKETS] = {-1, -1, -1};

/* Never accepted: what is sent waits in the queue and goes when the listener is closed. */
void sockets_open(void)
{
	for (size_t i = 0; i < N_SOCKETS; i++) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX};

		snprintf(sa.sun_path, sizeof(sa.sun_path), "%s", names[i]);
		unlink(names[i]);
		sockets[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0 ||
		    bind(sockets[i], (const struct sockaddr *)&sa, sizeof(sa)) < 0 ||
		    listen(sockets[i], 16) < 0)
			die(names[i]);
	}
}

void sockets_close(void)
{
	for (size_t i = 0; i < N_SOCKETS; i++) {
		if (sockets[i] >= 0)
			close(sockets[i]);
		sockets[i] = -1;
	}
}
