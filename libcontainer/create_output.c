/*
 * create and run, with a limit of output: the sandbox's standard output and error are pipes to its
 * warden, which passes on what comes.  docs/warden.md
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/own.h"
#include "create.h"

/* As after 2>&1: then one pipe keeps the order of what is written to both. */
static bool are_one(void)
{
	struct stat out, err;
	pid_t me = getpid();

	if (fstat(STDOUT_FILENO, &out) < 0 || fstat(STDERR_FILENO, &err) < 0 ||
	    out.st_dev != err.st_dev || out.st_ino != err.st_ino)
		return false;
	/* A regular file opened twice has two places to write to. */
	return !S_ISREG(out.st_mode) ||
	       syscall(SYS_kcmp, me, me, KCMP_FILE, STDOUT_FILENO, STDERR_FILENO) == 0;
}

static int make_stream(struct create_output *o, int fd, struct err *e)
{
	struct warden_stream *s = &o->streams[o->n_streams];
	int ends[2];

	own_fd int to = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (to < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return err_set(e, errno, "output: descriptor %d", fd);
	own_fd int from = ends[0];
	o->write_ends[o->n_streams] = ends[1];
	/* Of this end alone: the other one is another open file. */
	if (fcntl(from, F_SETFL, O_NONBLOCK) < 0)
		return err_set(e, errno, "output: pipe");
	*s = (struct warden_stream){take_fd(&from), take_fd(&to)};
	o->n_streams++;
	return 0;
}

int create_output_make(struct create_output *o, bool apart, struct err *e)
{
	int r = make_stream(o, STDOUT_FILENO, e);

	return r < 0 || (!apart && are_one()) ? r : make_stream(o, STDERR_FILENO, e);
}

void create_output_cloned(struct create_output *o)
{
	for (size_t i = 0; i < LEN(o->write_ends); i++)
		own_close(&o->write_ends[i]);
}

void create_output_taken(struct create_output *o)
{
	o->n_streams = 0;
}

void create_output_close(struct create_output *o)
{
	create_output_cloned(o);
	for (size_t i = 0; i < o->n_streams; i++) {
		own_close(&o->streams[i].from);
		own_close(&o->streams[i].to);
	}
	o->n_streams = 0;
}
