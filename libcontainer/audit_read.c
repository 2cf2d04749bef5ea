/* audit show, tail, head and export: lines of the log for who looks at it. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "audit/audit.h"
#include "audit/verify_data.h"
#include "audit/verify_files.h"
#include "audit_path.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"
#include "container.h"

/* --- what is asked for ---------------------------------------------------------------------- */

struct filter {
	const char *id, *event;
	int severity;
	uint64_t seq, time; /* from there on; microseconds since 1970 */
	bool any;           /* nothing is left out, not even what is no record */
};

static int severity_of(const char *word)
{
	for (int i = 0; audit_severities[i]; i++)
		if (str_eq(audit_severities[i], word))
			return i;
	return -1;
}

/* A day alone is its beginning, in UTC. */
static int read_since(const char *text, struct filter *f, struct err *e)
{
	char full[] = "2000-01-01T00:00:00.000000Z";
	size_t n = strlen(text);
	struct timespec now;
	uint64_t ms;

	if (str_u64(text, &f->seq))
		return 0;
	f->time = audit_time(text);
	if (!f->time &&
	    (n == strlen("2000-01-01") || n == strlen("2000-01-01T00:00") ||
	     n == strlen("2000-01-01T00:00:00") || n == strlen("2000-01-01T00:00:00Z"))) {
		memcpy(full, text, text[n - 1] == 'Z' ? n - 1 : n);
		f->time = audit_time(full);
	}
	if (f->time)
		return 0;
	if (!str_duration(text, &ms) || clock_gettime(CLOCK_REALTIME, &now) < 0)
		return err_msg(
			e, EINVAL,
			"\"%.40s\" is no sequence number, no time (2026-11-22T14:00:00Z) and "
			"no duration (10m)",
			text);
	uint64_t us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	f->time = us > ms * 1000 ? us - ms * 1000 : 1;
	return 0;
}

static int read_filter(const struct container_audit_filter *asked, struct filter *out,
		       struct err *e)
{
	*out = (struct filter){.id = asked->id, .event = asked->event};
	out->any = !asked->id && !asked->event && !asked->severity && !asked->since;
	if (asked->severity) {
		out->severity = severity_of(asked->severity);
		if (out->severity < 0)
			return err_msg(e, EINVAL,
				       "severity: \"%.40s\" is none of debug, info, notice, "
				       "warning, error, critical",
				       asked->severity);
	}
	if (asked->event && !audit_event_find(asked->event))
		return err_msg(e, EINVAL, "event: there is no \"%.40s\"", asked->event);
	int r = asked->since ? read_since(asked->since, out, e) : 0;
	return r < 0 ? err_wrap(e, "since") : 0;
}

static bool passes(const struct filter *f, const struct audit_record *r)
{
	return (!f->id || str_eq(f->id, r->id)) && (!f->event || str_eq(f->event, r->event)) &&
	       severity_of(r->severity) >= f->severity && r->seq >= f->seq &&
	       (!f->time || audit_time(r->ts) >= f->time);
}

/* --- reading -------------------------------------------------------------------------------- */

struct reader {
	struct arena *arena;
	struct audit_files files;
	struct audit_lines lines;
	struct filter filter;
	container_audit_line line; /* NULL: only counted */
	void *ctx;
	uint64_t skip;     /* of those that pass */
	uint64_t passed;   /* of one file */
	uint64_t last_seq; /* seen */
	uint64_t end;      /* of the last line of a file that was read */
	bool whole;        /* a line without end is left for later */
};

static int open_reader(struct reader *r, const struct container_host *h, const char *path,
		       const struct container_audit_filter *asked, struct err *e)
{
	int bad = read_filter(asked, &r->filter, e);

	if (bad == 0)
		bad = audit_path(r->arena, h, &path, e);
	if (bad == 0)
		bad = audit_files_open(r->arena, path, &r->files, e);
	if (bad < 0 || audit_files_count(&r->files))
		return bad;
	return err_set(e, ENOENT, "open %s", path);
}

static int take_line(struct reader *r, const struct audit_line *line)
{
	own_arena struct arena scratch = {0};
	struct audit_record record;
	struct err ignored;

	/* Only counted: what it is need not be known. */
	if (r->filter.any && (!r->line || r->passed < r->skip)) {
		r->passed++;
		return 0;
	}
	bool is_record = !line->cut && audit_record_parse(&scratch, line->text, line->len, &record,
							  &ignored) == 0;

	if (is_record)
		r->last_seq = record.seq;
	if (!r->filter.any && (!is_record || !passes(&r->filter, &record)))
		return 0;
	if (r->passed++ < r->skip || !r->line)
		return 0;
	return r->line(r->ctx, is_record ? &record : NULL, line->text, line->len);
}

static int read_part(struct reader *r, int fd, uint64_t from, uint64_t size, struct err *e)
{
	struct audit_line line;
	int bad;

	r->end = from;
	if (lseek(fd, (off_t)from, SEEK_SET) < 0)
		return err_set(e, errno, "read %s", r->files.base);
	audit_lines_begin(r->arena, &r->lines, fd, size > from ? size - from : 0);
	while ((bad = audit_lines_next(&r->lines, &line, e)) > 0) {
		if (r->whole && !line.ended)
			break;
		r->end += line.size;
		bad = take_line(r, &line);
		if (bad != 0)
			return bad;
	}
	return bad < 0 ? bad : 0;
}

static int read_one(struct reader *r, size_t i, struct err *e)
{
	uint64_t size;
	own_fd int fd = audit_files_get(&r->files, i, &size, e);

	r->passed = 0;
	return fd < 0 ? fd : read_part(r, fd, 0, size, e);
}

int container_audit_show(const struct container_host *h, const char *path,
			 const struct container_audit_filter *f, container_audit_line line,
			 void *ctx, struct err *e)
{
	own_arena struct arena a = {0};
	struct reader r = {.arena = &a, .line = line, .ctx = ctx};
	int bad = open_reader(&r, h, path, f, e);

	for (size_t i = 0; bad == 0 && i < audit_files_count(&r.files); i++)
		/* A rotated file is named after its last record. */
		if (i >= r.files.n_rotated || r.files.rotated[i] >= r.filter.seq)
			bad = read_one(&r, i, e);
	audit_files_close(&r.files);
	return bad;
}

/* --- tail ----------------------------------------------------------------------------------- */

/* The file in which the n-th last one is, and how many pass before it there. */
static int find_start(struct reader *r, uint64_t n, size_t *file, uint64_t *skip, struct err *e)
{
	container_audit_line line = r->line;
	uint64_t total = 0;
	size_t i = audit_files_count(&r->files);
	int bad = 0;

	r->line = NULL;
	while (bad == 0 && i && total < n) {
		bad = read_one(r, --i, e);
		total += r->passed;
	}
	r->line = line;
	*file = n ? i : i - 1;
	*skip = !n ? UINT64_MAX : total > n ? total - n : 0;
	return bad;
}

/* Whether fd is what has that name now. */
static bool is_current(const struct reader *r, int fd)
{
	struct stat open, named;

	return fstat(fd, &open) == 0 &&
	       fstatat(r->files.dir, r->files.base, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
	       open.st_ino == named.st_ino && open.st_dev == named.st_dev;
}

/* fd was rotated and has been read: what came after it, and the newest one in its place. */
static int next_files(struct reader *r, const char *path, int *fd, struct err *e)
{
	uint64_t size, end = r->end;
	int bad;

	audit_files_close(&r->files);
	bad = audit_files_open(r->arena, path, &r->files, e);
	for (size_t i = 0; bad == 0 && i < r->files.n_rotated; i++)
		if (r->files.rotated[i] > r->last_seq)
			bad = read_one(r, i, e);
	r->end = end;
	if (bad != 0 || r->files.newest < 0)
		return bad; /* between the renames of a rotation */
	own_close(fd);
	*fd = audit_files_get(&r->files, r->files.n_rotated, &size, e);
	r->end = 0;
	return *fd < 0 ? *fd : 0;
}

static int follow(struct reader *r, const char *path, struct err *e)
{
	const struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
	uint64_t size;
	own_fd int fd = audit_files_get(&r->files, audit_files_count(&r->files) - 1, &size, e);
	struct stat st;
	int bad = 0;

	if (fd < 0)
		return fd;
	r->skip = 0;
	while (bad == 0) {
		bool current = is_current(r, fd); /* before the size: nothing comes after it */
		uint64_t before = r->end;

		if (fstat(fd, &st) < 0)
			return err_set(e, errno, "look at %s", r->files.base);
		if ((uint64_t)st.st_size < r->end) {
			log_warn("%s has become shorter: see audit verify", r->files.base);
			r->end = (uint64_t)st.st_size;
		}
		if ((uint64_t)st.st_size > r->end)
			bad = read_part(r, fd, r->end, (uint64_t)st.st_size, e);
		/* A torn line may be all that is left. */
		if (bad == 0 && r->end == before && !current)
			bad = next_files(r, path, &fd, e);
		if (bad == 0)
			(void)nanosleep(&pause, NULL); /* a shorter one does no harm */
	}
	return bad;
}

int container_audit_tail(const struct container_host *h, const char *path,
			 const struct container_audit_filter *f, uint64_t n, bool follows,
			 container_audit_line line, void *ctx, struct err *e)
{
	own_arena struct arena a = {0};
	struct reader r = {.arena = &a, .line = line, .ctx = ctx, .whole = follows};
	uint64_t skip = 0;
	size_t i = 0;
	int bad = open_reader(&r, h, path, f, e);

	if (bad == 0)
		bad = find_start(&r, n, &i, &skip, e);
	for (; bad == 0 && i < audit_files_count(&r.files); i++) {
		r.skip = skip;
		skip = 0;
		bad = read_one(&r, i, e);
	}
	if (bad == 0 && follows)
		bad = audit_path(&a, h, &path, e);
	if (bad == 0 && follows)
		bad = follow(&r, path, e);
	audit_files_close(&r.files);
	return bad;
}

/* --- head and export ------------------------------------------------------------------------ */

int container_audit_head(const struct container_host *h, const char *path, struct arena *a,
			 char **json, struct err *e)
{
	struct audit_head head;
	int r = audit_path(a, h, &path, e);

	if (r == 0)
		r = audit_head_read(a, path, &head, e);
	if (r == 0)
		*json = audit_head_print(a, &head, NULL);
	return r;
}

struct export
{
	int (*put)(void *ctx, const char *text, size_t len);
	void *ctx;
	uint64_t since, left;
	bool begun;
	char log[33];
	struct audit_head last; /* seq 0: none yet; its texts are these */
	char hash[65], ts[32];
};

static int put_head(const struct export *x)
{
	own_arena struct arena scratch = {0};
	const struct audit_head h = {
		.log = x->log,
		.seq = x->last.seq,
		.hash = x->hash,
		.ts = x->ts,
	};
	size_t len;
	const char *text = audit_head_print(&scratch, &h, &len);

	return x->last.seq && x->log[0] ? x->put(x->ctx, text, len) : 0;
}

static void note_last(struct export *x, const struct audit_record *r, const char *text, size_t len)
{
	own_arena struct arena scratch = {0};
	struct audit_log_data d = {0};

	if (str_starts(r->event, "Log"))
		audit_log_data(&scratch, r, &d);
	if (d.log && strlen(d.log) == sizeof(x->log) - 1)
		memcpy(x->log, d.log, sizeof(x->log));
	x->last.seq = r->seq;
	char *whole = arena_printf(&scratch, "%.*s\n", (int)len, text);
	sha256_hex(whole, len + 1, x->hash);
	memcpy(x->ts, r->ts, strlen(r->ts) + 1); /* its form has been checked: 27 */
}

static int export_line(void *ctx, const struct audit_record *r, const char *text, size_t len)
{
	struct export *x = ctx;
	int bad = 0;

	if (!r) {
		x->left++;
		return 0;
	}
	if (r->seq >= x->since) {
		if (!x->begun)
			bad = put_head(x);
		x->begun = true;
		if (bad == 0)
			bad = x->put(x->ctx, text, len);
	}
	note_last(x, r, text, len);
	return bad;
}

int container_audit_export(const struct container_host *h, const char *path, uint64_t since,
			   int (*put)(void *ctx, const char *text, size_t len), void *ctx,
			   uint64_t *left, struct err *e)
{
	static const struct container_audit_filter all;
	struct export x = {.put = put, .ctx = ctx, .since = since};
	int r = container_audit_show(h, path, &all, export_line, &x, e);

	if (r == 0)
		r = put_head(&x);
	*left = x.left;
	return r;
}
