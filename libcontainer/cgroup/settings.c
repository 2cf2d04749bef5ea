#include "cgroup/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cgroup/text.h"

/* Kernel-internal number that memory.kmem.limit_in_bytes has answered since 5.16. */
enum { ENOTSUPP_KERNEL = 524 };

static struct setting *new_row(struct arena *a, struct setting **v, size_t *n, size_t *cap)
{
	if (*n == *cap) {
		size_t more = *cap ? *cap * 2 : 16;
		struct setting *grown = arena_array(a, more, sizeof(*grown));

		if (*n)
			memcpy(grown, *v, *n * sizeof(*grown));
		*v = grown;
		*cap = more;
	}
	return &(*v)[(*n)++];
}

void settings_add(struct settings *s, enum cg_ctrl c, unsigned int flags, const char *file,
		  const char *value)
{
	*new_row(s->a, &s->v, &s->n, &s->cap) =
		(struct setting){.ctrl = c, .flags = flags, .file = file, .value = value};
}

void settings_addf(struct settings *s, enum cg_ctrl c, unsigned int flags, const char *file,
		   const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	const char *value = arena_vprintf(s->a, fmt, ap);
	va_end(ap);
	settings_add(s, c, flags, file, value);
}

void settings_add_line(struct settings *s, enum cg_ctrl c, const char *file, const char *unset,
		       const char *value)
{
	settings_add(s, c, SET_BY_LINE, file, value);
	s->v[s->n - 1].unset = unset;
}

uint32_t settings_ctrls(const struct settings *s)
{
	uint32_t mask = 0;

	for (size_t i = 0; i < s->n; i++)
		if (!(s->v[i].flags & SET_OPTIONAL))
			mask |= CG_BIT(s->v[i].ctrl);
	return mask;
}

static bool is_missing(int code)
{
	return code == ENOENT || code == EOPNOTSUPP || code == ENOTSUPP_KERNEL;
}

/* What to write later to have the old state back. */
static void remember(const struct cg_dir *d, const struct setting *s, struct undo_list *u)
{
	enum { TEXT_MAX = 1 << 20 };
	struct err lost;
	struct setting old = {.ctrl = s->ctrl, .file = s->file, .flags = SET_OPTIONAL};
	own_fd int fd = cg_open_file(d, s->file, O_RDONLY);
	char *text;

	if (s->flags & SET_KEEP || fd < 0 ||
	    file_read_fd(u->a, fd, s->file, TEXT_MAX, &text, NULL, &lost) < 0)
		return;
	if (s->flags & SET_BY_LINE) {
		const char *word = arena_strndup(u->a, s->value, strcspn(s->value, " "));
		const char *rest = cg_line_of(text, word);

		old.value = arena_printf(u->a, "%s %s", word, rest ? rest : s->unset);
	} else {
		/* An empty cpuset is set by an empty line: write(2) of nothing is nothing. */
		old.value = text[0] ? text : "\n";
	}
	*new_row(u->a, &u->v, &u->n, &u->cap) = old;
}

void settings_undo(const struct cgroup *cg, const struct undo_list *u)
{
	/* Twice: an old limit may be refused before a later file has its old value. */
	for (int round = 0; round < 2; round++) {
		for (size_t i = u->n; i-- > 0;) {
			const struct cg_dir *d = cg_find(cg, u->v[i].ctrl);
			struct err lost;

			if (d && cg_poke(d, u->v[i].file, u->v[i].value, &lost) < 0)
				log_debug("set back: %s", lost.msg);
		}
	}
}

static int missing_dir(const struct cgroup *cg, const struct setting *s, struct err *e)
{
	const char *name = cg_ctrl_name(s->ctrl, cg->layout == CGROUP_V2);

	if (cg->rootless)
		return err_msg(e, EACCES,
			       "cannot set %s limit: container could not join or create cgroup",
			       name);
	return err_msg(e, ENOENT, "%s: controller is not mounted", name);
}

/* The file of the row before, which device rules write to many times. */
struct open_file {
	const struct cg_dir *d;
	const char *name;
	int fd;
};

static int write_row(struct open_file *f, const struct cg_dir *d, const struct setting *row,
		     struct err *e)
{
	size_t len = strlen(row->value);
	ssize_t n;

	if (f->d != d || f->fd < 0 || strcmp(f->name, row->file) != 0) {
		own_close(&f->fd);
		*f = (struct open_file){d, row->file, cg_open_file(d, row->file, O_WRONLY)};
		if (f->fd < 0) {
			int code = -f->fd;

			f->fd = -1;
			return err_set(e, code, "open %s/%s", d->path, row->file);
		}
	}
	/* pwrite: kernfs takes each write as a whole, but wants it at the start of the file. */
	do
		n = pwrite(f->fd, row->value, len, 0);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_set(e, errno, "write \"%.60s\" to %s/%s", row->value, d->path,
			       row->file);
	return 0;
}

/* Rows from i on that share a controller. */
static size_t group_end(const struct settings *s, size_t i)
{
	enum cg_ctrl ctrl = s->v[i].ctrl;

	while (i < s->n && s->v[i].ctrl == ctrl)
		i++;
	return i;
}

/* What of a row's failure is none. *next moves on; *again: the row has to be tried later. */
static int judge(const struct setting *row, bool has_other, int r, size_t *next, bool *again,
		 struct err *e)
{
	bool alternative = row->flags & SET_ELSE && has_other;

	*again = false;
	if (r >= 0) {
		*next += alternative;
		return 0;
	}
	if (alternative && is_missing(-r))
		return 0;
	if (row->flags & SET_OPTIONAL && is_missing(-r)) {
		log_debug("passed over: %s", e->msg);
		return 0;
	}
	*again = row->flags & SET_RETRY && r == -EINVAL;
	return *again ? 0 : r;
}

/* The rows from *from on that share a controller, and after them those that got EINVAL. */
static int apply_group(struct cgroup *cg, const struct settings *s, size_t *from,
		       struct undo_list *u, struct open_file *f, struct err *e)
{
	enum { MAX_AGAIN = 8 };
	size_t again[MAX_AGAIN], n_again = 0, i = *from, end = group_end(s, i);
	struct cg_dir *d = cg_find(cg, s->v[i].ctrl);

	if (d && end - i > 1)
		(void)cg_dirfd(d); /* without a descriptor files are opened by path */
	for (; i < end; i++) {
		const struct setting *row = &s->v[i];
		bool later;

		if (!d && row->flags & SET_OPTIONAL)
			continue;
		if (!d)
			return missing_dir(cg, row, e);
		if (u)
			remember(d, row, u);
		int r = write_row(f, d, row, e);
		r = judge(row, i + 1 < end, r, &i, &later, e);
		if (r < 0)
			return r;
		if (later && n_again == MAX_AGAIN)
			return -EINVAL;
		if (later)
			again[n_again++] = (size_t)(row - s->v);
	}
	*from = end;
	for (size_t k = 0; k < n_again; k++) {
		int r = write_row(f, d, &s->v[again[k]], e);

		if (r < 0)
			return r;
	}
	return 0;
}

int settings_apply(struct cgroup *cg, const struct settings *s, struct undo_list *undo,
		   struct err *e)
{
	struct open_file f = {.fd = -1};
	int r = 0;

	for (size_t i = 0; r >= 0 && i < s->n;)
		r = apply_group(cg, s, &i, undo, &f, e);
	own_close(&f.fd);
	if (r < 0 && undo)
		settings_undo(cg, undo);
	return r;
}
