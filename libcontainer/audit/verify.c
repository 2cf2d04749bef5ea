/* A log as a whole: file after file, line after line, and what must have been there. */
#include "audit/verify.h"

#include <string.h>
#include <unistd.h>

#include "audit/verifier.h"
#include "base/own.h"

typedef unsigned long long ull;

/* A rotated file is named after its last record. */
static void end_file(struct verifier *v)
{
	chain_settle(&v->chain);
	verify_end_strays(v);
	uint64_t last = v->chain.last.seq;
	v->cut = false;
	if (v->file >= v->files.n_rotated || last == v->files.rotated[v->file])
		return;
	v->cut = last < v->files.rotated[v->file] && !v->chain.damaged;
	if (v->cut)
		report_add(&v->report, DAMAGE_TRUNCATED, 0, last,
			   "it ends with seq %llu, and is named after its last record", (ull)last);
	else if (last > v->files.rotated[v->file])
		report_add(&v->report, DAMAGE_ROTATION, 0, last,
			   "it ends with seq %llu, and is named after its last record", (ull)last);
}

static int read_file(struct verifier *v, struct audit_lines *lines, struct err *e)
{
	struct audit_line line;
	uint64_t size;
	own_fd int fd = audit_files_get(&v->files, v->file, &size, e);
	int r;

	if (fd < 0)
		return fd;
	v->report.file = audit_files_name(&v->arena, &v->files, v->file);
	v->file_records = 0;
	v->file_damaged = false;
	audit_lines_begin(&v->arena, lines, fd, size);
	while ((r = audit_lines_next(lines, &line, e)) > 0)
		verify_take_line(v, &line);
	if (r < 0)
		return err_wrap(e, "%s", v->report.file);
	end_file(v);
	v->out->files++;
	return 0;
}

/* What is known to have been there, and is not. */
static void check_end(struct verifier *v)
{
	const struct audit_files *f = &v->files;
	uint64_t last = v->chain.last.seq;
	const struct audit_head *newest = v->n_heads ? &v->heads[v->n_heads - 1] : NULL;

	if (f->newest < 0 && (f->lock_seq > last || !f->lock_seq))
		report_add(&v->report, DAMAGE_MISSING_FILE, 0, 0, "%s; seq %llu is the last one%s",
			   f->base, (ull)last,
			   f->lock_seq ? ", and the lock file knows of more" : "");
	else if (f->newest >= 0 && f->n_rotated && !f->size)
		report_add(&v->report, DAMAGE_TRUNCATED, 0, last,
			   "it is empty, and a file is not there before it has its first record");
	else if (f->lock_seq > last)
		report_add(&v->report, DAMAGE_TRUNCATED, 0, last,
			   "seq %llu is the last record, the lock file knows seq %llu, %.16s...",
			   (ull)last, (ull)f->lock_seq, f->lock_hash);
	else if (newest && newest->seq > last)
		report_add(&v->report, DAMAGE_ROLLBACK, 0, last,
			   "seq %llu is the last record, the head is of seq %llu", (ull)last,
			   (ull)newest->seq);
	else if (!v->out->records && !v->out->findings && !v->report.n)
		report_add(&v->report, DAMAGE_BEHEADED, 0, 0, "there is no record in it");
}

/* The epoch of the last record, whose key an attacker of today may have. */
static uint64_t newest_epoch(struct verifier *v)
{
	own_arena struct arena scratch = {0};
	struct audit_record r;
	struct err ignored;
	uint64_t size = 0;
	size_t n = audit_files_count(&v->files);
	own_fd int fd = n ? audit_files_get(&v->files, n - 1, &size, &ignored) : -1;

	if (fd < 0 || !size)
		return 0;
	size_t len = size < AUDIT_LINE_ROOM ? (size_t)size : AUDIT_LINE_ROOM;
	char *text = arena_new(&scratch, len + 1);
	ssize_t got = pread(fd, text, len, (off_t)(size - len));
	for (char *end = got > 0 ? text + got : text; end > text;) {
		char *start = memrchr(text, '\n', (size_t)(end - text));

		start = start ? start + 1 : text;
		*end = '\0';
		if (audit_record_parse(&scratch, start, (size_t)(end - start), &r, &ignored) == 0)
			return r.epoch ? *r.epoch : 0;
		end = start > text ? start - 1 : text;
	}
	return 0;
}

static int verify(struct verifier *v, struct err *e)
{
	struct audit_lines lines = {0};
	size_t n = audit_files_count(&v->files);

	verify_sort_heads(v);
	if (v->asked->key)
		v->seal.newest = newest_epoch(v);
	for (v->file = 0; v->file < n; v->file++) {
		int r = read_file(v, &lines, e);

		if (r < 0)
			return r;
	}
	v->report.file = v->files.base;
	check_end(v);
	seal_done(&v->seal);
	if (v->files.newest >= 0)
		lives_done(&v->lives, v->chain.last.boot);
	report_all(&v->report);
	verify_set_place(&v->out->last, &v->chain.last);
	v->out->done = true;
	return 0;
}

int audit_verify(struct arena *a, const struct audit_verify *asked, struct audit_verdict *out,
		 struct err *e)
{
	own_arena struct arena mine = {0};
	struct verifier *v = arena_new(&mine, sizeof(*v));

	(void)a; /* what is returned needs no memory */
	*out = (struct audit_verdict){0};
	v->asked = asked;
	v->out = out;
	v->report.asked = asked;
	v->report.out = out;
	v->chain.report = &v->report;
	v->chain.reached = verify_reached;
	v->chain.ctx = v;
	seal_begin(&v->seal, &v->report, out, asked->key);
	lives_begin(&v->lives, &v->report, out, &v->arena);
	int r = audit_files_open(&v->arena, asked->path, &v->files, e);
	if (r == 0)
		r = verify(v, e);
	audit_files_close(&v->files);
	seal_end(&v->seal);
	arena_free(&v->arena);
	return r;
}
