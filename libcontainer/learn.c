/* `policy learn` and its replay: what is run, and what is written and compared. */
#include "learn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "policy/levels.h"

/* --- learn -------------------------------------------------------------------------------- */

static int open_dir(const char *path, struct err *e)
{
	if (mkdir(path, 0755) == 0)
		/* Not by the umask. */
		(void)chmod(path, 0755);
	else if (errno != EEXIST)
		return err_set(e, errno, "make %s", path);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? err_set(e, errno, "open %s", path) : fd;
}

static int put(int dir, const char *path, const char *name, const char *text, struct err *e)
{
	own_arena struct arena a = {0};
	struct err why;

	/* A fifo that somebody left under the name of its making would hold us. */
	(void)unlinkat(dir, arena_printf(&a, "%s.tmp", name), 0);
	if (!text || file_replace(dir, name, text, strlen(text), 0644, &why) == 0)
		return 0;
	return err_msg(e, why.code, "%s: %s", path, why.msg);
}

static const char *const *command_of(struct arena *a, const struct container_create_opts *o,
				     size_t *n, struct err *e)
{
	struct oci_config *config = arena_new(a, sizeof(*config));
	const char *const *args = o->direct ? o->direct->args : NULL;
	const char *path =
		o->config_path ? o->config_path : arena_printf(a, "%s/config.json", o->bundle);
	char *text;
	size_t len;

	for (*n = 0; args && args[*n];)
		++*n;
	if (args)
		return args;
	if (file_read(a, AT_FDCWD, path, OCI_MAX_BYTES, &text, &len, e) < 0 ||
	    oci_config_parse(a, text, len, config, e) < 0)
		return NULL;
	if (!config->process || !config->process->n_args) {
		(void)err_msg(e, EINVAL, "%s: process: missing", path);
		return NULL;
	}
	*n = config->process->n_args;
	return config->process->args;
}

/*
 * Names and connections as the resolver sees them, where there is one; *fd: where they are.  What a
 * program that was watched before left under that name goes first: a symbolic link would be
 * written through.  This one does not run before the file has been opened.
 */
#define FLOWS ".flows.tmp"
static int with_flows(struct arena *a, const struct container_create_opts *o, int dir,
		      const char *path, struct container_create_opts *run,
		      struct container_direct *direct, int *fd, struct err *e)
{
	*run = *o;
	if (!o->direct || o->direct->flows ||
	    (!o->direct->network.n_egress && !o->direct->network.net))
		return 0;
	(void)unlinkat(dir, FLOWS, 0);
	*fd = openat(dir, FLOWS, O_RDONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (*fd < 0)
		return err_set(e, errno, "make %s/" FLOWS, path);
	*direct = *o->direct;
	direct->flows = arena_printf(a, "%s/" FLOWS, path);
	run->direct = direct;
	return 0;
}

static void take_flows(struct arena *a, int dir, int fd, struct brig_learned *io)
{
	enum { FLOWS_MAX = 64 << 20 };
	struct err ignored;
	char *text;

	if (fd >= 0 && file_read_fd(a, fd, FLOWS, FLOWS_MAX, &text, NULL, &ignored) == 0)
		learn_take_flows(a, text, io);
	if (fd >= 0)
		(void)unlinkat(dir, FLOWS, 0);
}

static int write_all(struct arena *a, const struct container_host *h,
		     const struct container_learn_opts *o, const struct learn_seen *s, int dir,
		     struct brig_learned *out, struct err *e)
{
	struct brig_learned old, *before;
	struct err ignored;
	char *profile, *level;

	before = container_learned(o->dir, a, &old, &ignored) == 0 ? &old : NULL;

	if (learn_profile(a, s, out, &profile, e) < 0 ||
	    learn_level(a, h, s, out, o->name, &level, e) < 0)
		return -e->code;
	const struct learn_files files = {
		.seccomp = arena_printf(a, "%s\n", profile),
		.level = level ? arena_printf(a, "%s\n", level) : NULL,
		.learned = arena_printf(a, "%s\n", learned_print(a, out, NULL)),
	};
	if (learn_audit(a, h, o->dir, out, &files, e) < 0 ||
	    put(dir, o->dir, LEARN_SECCOMP, files.seccomp, e) < 0 ||
	    put(dir, o->dir, arena_printf(a, "%s.json", o->name), files.level, e) < 0)
		return -e->code;
	/* Of another run, which no level file of this one replaces. */
	if (!level && before && before->level_file)
		(void)unlinkat(dir, arena_printf(a, "%s.json", before->level_file), 0);
	/* Last: it stands for all of them. */
	return put(dir, o->dir, LEARN_FILE, files.learned, e);
}

int container_learn(const struct container_host *h, const struct container_learn_opts *o,
		    struct arena *a, struct brig_learned *out, int *code, struct err *e)
{
	struct learn_seen *seen = arena_new(a, sizeof(*seen));
	struct container_create_opts run;
	struct container_direct direct;
	char time[64];

	*out = (struct brig_learned){0};
	if (level_name_check(o->name, e) < 0)
		return err_wrap(e, "--name");
	if (level_is_embedded(o->name) || str_eq(o->name, "learned") || str_eq(o->name, "seccomp"))
		return err_msg(e, EINVAL, "--name %s: it has another meaning", o->name);
	own_fd int dir = open_dir(o->dir, e);
	if (dir < 0)
		return dir;
	out->command = command_of(a, o->create, &out->n_command, e);
	if (!out->command)
		return -e->code;
	own_fd int flows = -1;
	if (with_flows(a, o->create, dir, o->dir, &run, &direct, &flows, e) < 0)
		return -e->code;
	learn_seen_init(seen, a);
	int r = learn_run(h, &run, seen, false, code, e);
	if (r < 0) {
		(void)unlinkat(dir, FLOWS, 0);
		return r;
	}
	clock_rfc3339(time, sizeof(time), 3);
	out->time = arena_strdup(a, time);
	out->exit = *code;
	out->flags = o->flags;
	out->n_flags = o->n_flags;
	learn_sum_up(a, seen, out);
	out->level_file = str_eq(out->level, "custom") ? NULL : o->name;
	learn_used_flags(a, seen, out);
	take_flows(a, dir, flows, out);
	return write_all(a, h, o, seen, dir, out, e);
}

/* --- replay ------------------------------------------------------------------------------- */

/* What confines a run, and whose flags are taken as if they were typed: a program that was watched
 * may have been able to write to the directory. */
static int check_owner(const struct stat *st, const char *path, struct err *e)
{
	if (st->st_mode & S_IWOTH)
		return err_msg(e, EPERM, "%s: everybody may write to it; chmod o-w", path);
	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_msg(e, EPERM, "%s: it belongs to uid %u, neither root nor who asks",
			       path, st->st_uid);
	return 0;
}

int container_learned(const char *dir, struct arena *a, struct brig_learned *out, struct err *e)
{
	const char *path = arena_printf(a, "%s/" LEARN_FILE, dir);
	own_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat st;
	char *text;
	size_t len;

	if (fd < 0)
		return err_set(e, errno, "open %s", path);
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "stat %s", path);
	if (check_owner(&st, path, e) < 0 ||
	    file_read_fd(a, fd, path, LEARNED_MAX_BYTES, &text, &len, e) < 0)
		return -e->code;
	if (learned_parse(a, text, len, out, e) < 0)
		return err_wrap(e, "%s", path);
	/* It becomes part of a path. */
	return out->level_file && level_name_check(out->level_file, e) < 0
		       ? err_wrap(e, "%s: levelFile", path)
		       : 0;
}

static bool was_denied(const struct brig_learned *l, const struct learned_denied *d)
{
	for (size_t i = 0; i < l->n_denied; i++)
		if (str_eq(l->denied[i].name, d->name) && str_eq(l->denied[i].answer, d->answer) &&
		    !l->denied[i].arch == !d->arch)
			return true;
	return false;
}

static bool is_denial(const struct learned_name *n)
{
	static const char *const fine[] = {"answered", "connect", "ingress"};

	for (size_t i = 0; i < LEN(fine); i++)
		if (str_eq(fine[i], n->verdict))
			return false;
	return true;
}

static bool was_refused(const struct brig_learned *l, const struct learned_name *n)
{
	for (size_t i = 0; i < l->n_names; i++)
		if (str_eq(l->names[i].name, n->name) && str_eq(l->names[i].verdict, n->verdict))
			return true;
	return false;
}

static void compare(struct arena *a, const struct brig_learned *then,
		    const struct brig_learned *now, struct container_replay *out)
{
	struct container_replay_row *rows =
		arena_array(a, now->n_denied + now->n_names + 1, sizeof(*rows));

	for (size_t i = 0; i < now->n_denied; i++) {
		const struct learned_denied *d = &now->denied[i];

		rows[out->n_rows++] = (struct container_replay_row){d->name, d->arch, d->answer,
								    d->count, was_denied(then, d)};
	}
	for (size_t i = 0; i < now->n_names; i++) {
		const struct learned_name *n = &now->names[i];

		if (is_denial(n))
			rows[out->n_rows++] = (struct container_replay_row){
				n->name, NULL, n->verdict, n->count, was_refused(then, n)};
	}
	for (size_t i = 0; i < out->n_rows; i++)
		out->unexpected += !rows[i].expected;
	out->rows = rows;
}

int container_replay(const struct container_host *h, const struct container_create_opts *o,
		     const char *dir, const struct brig_learned *learned, struct arena *a,
		     struct container_replay *out, struct err *e)
{
	struct learn_seen *seen = arena_new(a, sizeof(*seen));
	struct brig_learned now = {0};
	struct container_create_opts run;
	struct container_direct direct;

	*out = (struct container_replay){0};
	own_fd int flows = -1;
	own_fd int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(e, errno, "open %s", dir);
	if (with_flows(a, o, fd, dir, &run, &direct, &flows, e) < 0)
		return -e->code;
	learn_seen_init(seen, a);
	int r = learn_run(h, &run, seen, true, &out->code, e);
	take_flows(a, fd, flows, &now);
	if (r < 0)
		return r;
	learn_sum_up(a, seen, &now);
	compare(a, learned, &now, out);
	return 0;
}
