#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/format.h"
#include "cmd/brig/verbs.h"

struct ps_opts {
	const char *format;
};

static const struct opt options[] = {
	{"format", "f", OPT_STRING, offsetof(struct ps_opts, format), "FORMAT", "table or json",
	 "table",											 NULL},
	{NULL,        NULL,        OPT_FLAG,       0,               NULL,               NULL,     NULL,  NULL},
};

enum { PS_MAX_BYTES = 64 << 20 };

/* Starts ps of the host with its output in a pipe; *out is the reading end. */
static int start_ps(char *const *argv, pid_t *pid, int *out, struct err *e)
{
	posix_spawn_file_actions_t actions;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	own_fd int reading = fds[0], writing = fds[1];
	int r = posix_spawn_file_actions_init(&actions);
	if (r != 0)
		return err_set(e, r, "start ps");
	r = posix_spawn_file_actions_adddup2(&actions, writing, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, writing, STDERR_FILENO);
	if (r == 0)
		r = posix_spawnp(pid, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	own_close(&writing);
	if (r != 0)
		return err_set(e, r, "start ps");
	*out = take_fd(&reading);
	return 0;
}

static int read_ps(struct command *c, char **text, struct err *e)
{
	char **argv = arena_array(c->arena, c->n_args + 2, sizeof(*argv));
	own_fd int out = -1;
	pid_t pid = -1;
	int status = 0;

	argv[0] = arena_strdup(c->arena, "ps");
	argv[1] = arena_strdup(c->arena, "-ef");
	for (size_t i = 1; i < c->n_args; i++)
		argv[i] = arena_strdup(c->arena, c->args[i]);
	int r = start_ps(argv, &pid, &out, e);
	if (r < 0)
		return r;
	r = file_read_fd(c->arena, out, "output of ps", PS_MAX_BYTES, text, NULL, e);
	own_close(&out); /* after a failed read ps must not wait for a reader */
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return err_set(e, errno, "wait for ps");
	if (r < 0)
		return r;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return err_msg(e, EIO, "ps failed: %s", *text);
}

/* The n-th word of a line and its length; NULL: the line has fewer. */
static const char *field(const char *line, size_t n, size_t *len)
{
	for (;; n--) {
		while (*line && isspace((unsigned char)*line))
			line++;
		if (!*line)
			return NULL;
		for (*len = 0; line[*len] && !isspace((unsigned char)line[*len]);)
			++*len;
		if (n == 0)
			return line;
		line += *len;
	}
}

static int find_pid_column(const char *header, size_t *column, struct err *e)
{
	size_t len;
	const char *name;

	for (*column = 0; (name = field(header, *column, &len)); ++*column)
		if (len == 3 && strncmp(name, "PID", 3) == 0)
			return 0;
	return err_msg(e, EINVAL, "couldn't find PID field in ps output");
}

static bool line_is_of(const char *line, size_t column, const pid_t *pids, size_t n)
{
	size_t len;
	const char *word = field(line, column, &len);
	long pid = word ? strtol(word, NULL, 10) : 0;

	for (size_t i = 0; i < n; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

static int print_table(struct command *c, const pid_t *pids, size_t n, struct err *e)
{
	size_t column;
	char *text = NULL;
	int r = read_ps(c, &text, e);

	if (r < 0)
		return r;
	char *line = strsep(&text, "\n");
	r = find_pid_column(line, &column, e);
	if (r < 0)
		return r;
	puts(line);
	while ((line = strsep(&text, "\n")))
		if (line_is_of(line, column, pids, n))
			puts(line);
	return 0;
}

static void print_json(const pid_t *pids, size_t n)
{
	if (!n) {
		puts("null"); /* what runc prints for an empty list */
		return;
	}
	for (size_t i = 0; i < n; i++)
		printf("%c%d", i ? ',' : '[', pids[i]);
	puts("]");
}

static int ps(struct command *c, struct err *e)
{
	const struct ps_opts *o = c->opts;
	pid_t *pids = NULL;
	size_t n = 0;
	bool json;
	int r = format_read(o->format, &json, e);

	if (r == 0)
		r = container_pids(&c->host, c->args[0], c->arena, &pids, &n, e);
	if (r < 0)
		return r;
	if (!json)
		return print_table(c, pids, n, e);
	print_json(pids, n);
	return 0;
}

const struct verb verb_ps = {
	.name = "ps",
	.summary = "show the processes of a container",
	.usage = "<container-id> [ps options]",
	.text = "   The ps of this host is run with the options (default: -ef), and the lines of\n"
		"   other processes are left out.\n",
	.options = options,
	.options_size = sizeof(struct ps_opts),
	.order = OPT_STOP,
	.min_args = 1,
	.max_args = ANY_ARGS,
	.wants_id = true,
	.run = ps,
};
