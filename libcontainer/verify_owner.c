/*
 * A plain user has no right to look into his sandbox's namespaces, but as root of its user
 * namespace he has.  There is no way back out of one: a child goes in, looks, and tells.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "pool/pool.h"
#include "verify.h"

enum { TOLD_MAX = REPORT_MAX_BYTES + (8 << 20) };

/* --- the child ------------------------------------------------------------------------------ */

/* A report in one line, and behind it the fingerprint's text. */
static int look(struct verify *v, struct pool_subject s, int to, struct err *e)
{
	struct pool_inside inside;
	struct brig_report r = {.v = 1, .op = "verify", .id = v->state->id, .status = "created"};
	size_t len;

	if (pool_look_from_inside(v->arena, (pid_t)v->state->pid, &inside, e) < 0)
		return -e->code;
	s.root = openat(s.proc, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r.gen = v->state->reuse->generation;
	pool_residue(v->arena, &s, &inside, &r.checks, &r.n_checks);
	r.not_covered = pool_not_covered(v->arena, &s, &r.n_not_covered);
	const char *line = report_print(v->arena, &r, &len);
	const char *told = arena_printf(
		v->arena, "%s\n%s", line,
		pool_fingerprint(v->arena, pool_fingerprint_outside(v->arena, &s), &inside));
	int w = file_write_all(to, told, strlen(told));
	return w < 0 ? err_set(e, -w, "tell what was seen") : 0;
}

static void child(struct verify *v, const struct pool_subject *s, int to)
{
	struct err e = {0};

	if (look(v, *s, to, &e) == 0)
		_exit(0);
	_exit(file_write_all(to, e.msg, strlen(e.msg)) < 0 ? 2 : 1);
}

/* --- its parent ----------------------------------------------------------------------------- */

static int take(struct verify *v, char *told, size_t len, struct verify_seen *out, struct err *e)
{
	struct brig_report r;
	char *text = memchr(told, '\n', len);

	if (!text)
		return err_msg(e, EPROTO, "what was seen in the sandbox: half a word");
	if (report_parse(v->arena, told, (size_t)(text - told), &r, e) < 0)
		return -e->code;
	*out = (struct verify_seen){
		.checks = r.checks,
		.n_checks = r.n_checks,
		.not_covered = r.not_covered,
		.n_not_covered = r.n_not_covered,
	};
	v->text = text + 1;
	return 0;
}

int verify_see_as_owner(struct verify *v, const struct pool_subject *s, struct verify_seen *out,
			struct err *e)
{
	int fds[2], status = 0;
	char *told;
	size_t len;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_set(e, errno, "pipe");
	pid_t pid = fork();
	if (pid == 0)
		child(v, s, fds[1]);
	int failed = pid < 0 ? errno : 0;
	own_fd int from = fds[0];
	(void)close(fds[1]);
	if (failed)
		return err_set(e, failed, "fork");
	int r = file_read_fd(v->arena, from, "what was seen", TOLD_MAX, &told, &len, e);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (r < 0)
		return r;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_msg(e, EIO, "look into the sandbox: %s", len ? told : "its child died");
	return take(v, told, len, out, e);
}
