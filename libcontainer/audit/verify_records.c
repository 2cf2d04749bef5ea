/*
 * One line after the other: what is a record, what stands where.  First records, links between
 * files, torn lines and their repairs.
 */
#include <stdio.h>
#include <string.h>

#include "audit/verifier.h"
#include "audit/verify_data.h"
#include "audit/verify_line.h"
#include "base/own.h"
#include "base/sha256.h"
#include "base/str.h"

typedef unsigned long long ull;

/* --- first records -------------------------------------------------------------------------- */

static void set_log(struct verifier *v, const char *log, uint64_t line)
{
	if (!log || strlen(log) >= sizeof(v->out->log))
		return;
	memcpy(v->out->log, log, strlen(log) + 1);
	if (!v->heads_checked)
		verify_log_id(v, line);
	v->heads_checked = true;
}

static bool is_genesis(const struct audit_record *r)
{
	return str_eq(r->event, "LogOpened") && r->seq == 1 &&
	       strspn(r->prev, "0") == strlen(r->prev);
}

/* Where the log begins, as far as it is here. */
static void first_record(struct verifier *v, const struct audit_record *r,
			 const struct audit_log_data *d, const struct point *p)
{
	verify_set_place(&v->out->first, p);
	if (v->out->partial) {
		(void)chain_add(&v->chain, p); /* behind the head that the file begins with */
		return;
	}
	if (is_genesis(r)) {
		/* as it should be */
	} else if (str_eq(r->event, "LogRotated") && d->file) {
		report_add(&v->report, DAMAGE_MISSING_FILE, p->line, p->seq,
			   "%.100s, which it goes on from", d->file);
	} else if (!v->chain.damaged || r->seq > v->chain.damaged + 1) {
		report_add(&v->report, DAMAGE_BEHEADED, p->line, p->seq,
			   "seq %llu comes first, an event %.40s", (ull)r->seq, r->event);
	}
	chain_begin(&v->chain, p);
}

/* The first record of a file that is not the oldest one. */
static void link_files(struct verifier *v, const struct audit_record *r,
		       const struct audit_log_data *d, const struct point *p)
{
	own_arena struct arena scratch = {0};
	const char *before = audit_files_name(&scratch, &v->files, v->file - 1);
	bool follows = chain_expect(&v->chain, p) == CHAIN_FOLLOWS;

	if (str_eq(r->event, "LogOpened")) {
		report_add(&v->report, DAMAGE_REPLACED, p->line, p->seq,
			   "another log begins in place of what follows %s", before);
		follows = false;
	} else if (!str_eq(r->event, "LogRotated")) {
		report_add(&v->report, DAMAGE_ROTATION, p->line, p->seq,
			   "it does not begin with LogRotated, but with %.40s", r->event);
	} else if (!str_eq(d->file, before)) {
		report_add(&v->report, DAMAGE_MISSING_FILE, p->line, p->seq,
			   "it goes on from %.100s, and before it stands %s",
			   d->file ? d->file : "nothing", before);
	} else if (!str_eq(d->log, v->out->log) && v->out->log[0]) {
		report_add(&v->report, DAMAGE_ROTATION, p->line, p->seq,
			   "it names the log %.32s, the one before is %s", d->log ? d->log : "",
			   v->out->log);
	} else if (!follows && !v->cut && v->chain.last.seq && !v->chain.damaged) {
		report_add(&v->report, DAMAGE_ROTATION, p->line, p->seq,
			   "%s ends with seq %llu, %.16s..., it goes on from %.16s...", before,
			   (ull)v->chain.last.seq, v->chain.last.hash, p->prev);
	}
	if (follows) {
		(void)chain_add(&v->chain, p); /* it follows */
		return;
	}
	chain_begin(&v->chain, p);
	lives_forget(&v->lives);
}

/* --- lines that are no records -------------------------------------------------------------- */

/* A record that was cut short begins as all do. */
static bool is_torn(const char *text, size_t len)
{
	static const char begin[] = "{\"v\":1,\"seq\":";
	size_t n = len < sizeof(begin) - 1 ? len : sizeof(begin) - 1;

	return memcmp(text, begin, n) == 0;
}

static bool repairs(const struct verifier *v, const struct audit_log_data *d)
{
	char hash[SHA256_HEX];

	if (v->stray.count != 1 || d->bytes != v->stray.len ||
	    !is_torn(v->stray.text, v->stray.len))
		return false;
	sha256_hex(v->stray.text, v->stray.len, hash);
	return str_eq(hash, d->sha256);
}

/* A record has come: now it is known what the lines before it are. */
static void explain_strays(struct verifier *v, const struct audit_log_data *d,
			   const struct point *p)
{
	struct stray_lines *s = &v->stray;

	if (!s->count)
		return;
	if (chain_expect(&v->chain, p) == CHAIN_FOLLOWS && repairs(v, d))
		v->out->repairs++;
	else if (chain_expect(&v->chain, p) == CHAIN_INSTEAD)
		report_add(&v->report, DAMAGE_EDITED, s->line, v->chain.last.seq + 1,
			   "no record any more; the next one is seq %llu", (ull)p->seq);
	else
		report_add(&v->report, DAMAGE_INSERTED, s->line, 0,
			   "%llu line(s) that are no records%s", (ull)s->count,
			   d->bytes ? "; a writer has noted them" : "");
	s->count = 0;
}

/* Its text is kept: it may be the half of a record, a torn one, or a head. */
static void keep_stray(struct verifier *v, const struct audit_line *line)
{
	struct stray_lines *s = &v->stray;

	if (!s->text)
		s->text = arena_new(&v->arena, AUDIT_LINE_ROOM + 1);
	if (!s->count++)
		s->line = line->number;
	memcpy(s->text, line->text, line->len);
	s->text[s->len = line->len] = '\0';
}

/* Whether both are one record with a line end in the middle. */
static bool is_other_half(const struct verifier *v, const struct audit_line *line)
{
	own_arena struct arena scratch = {0};
	const struct stray_lines *s = &v->stray;
	struct line_shape shape;

	if (s->count != 1 || s->len + line->len + 2 > AUDIT_LINE_ROOM)
		return false;
	char *both = arena_new(&scratch, s->len + line->len + 3);
	memcpy(both, s->text, s->len);
	memcpy(both + s->len, "\\n", 2);
	memcpy(both + s->len + 2, line->text, line->len);
	line_look(both, s->len + line->len + 2, &shape);
	return shape.form == LINE_OBJECT;
}

static bool head_of(struct arena *a, const char *text, size_t len, struct audit_head *out)
{
	struct err ignored;

	return str_starts(text, "{\"log\":") && audit_head_parse(a, text, len, out, &ignored) == 0;
}

/* An export that begins in the middle says behind what. */
static bool take_anchor(struct verifier *v, const struct audit_line *line)
{
	struct audit_head h;

	if (v->file || line->number != 1 || !head_of(&v->arena, line->text, line->len, &h))
		return false;
	struct point p = {.seq = h.seq, .line = line->number};
	(void)snprintf(p.hash, sizeof(p.hash), "%s", h.hash);
	(void)snprintf(p.ts, sizeof(p.ts), "%s", h.ts);
	v->out->partial = true;
	set_log(v, h.log, line->number);
	chain_begin(&v->chain, &p);
	return true;
}

static void tell_form(struct verifier *v, const struct audit_line *line,
		      const struct line_shape *shape, const struct err *why)
{
	uint64_t seq = shape->has_seq ? shape->seq : 0;

	if (shape->control)
		report_add(&v->report, DAMAGE_CONTROL, line->number, seq, "%s", why->msg);
	else if (shape->form == LINE_DUPLICATE)
		report_add(&v->report, DAMAGE_DUPLICATE_KEY, line->number, seq, "\"%s\"",
			   shape->twice);
	else if (shape->has_v && shape->v != 1)
		report_add(&v->report, DAMAGE_VERSION, line->number, seq, "v is %llu, not 1",
			   (ull)shape->v);
	else
		report_add(&v->report, DAMAGE_NOT_CANONICAL, line->number, seq, "%s", why->msg);
}

static void take_other(struct verifier *v, const struct audit_line *line, const struct err *why)
{
	struct line_shape shape;

	line_look(line->text, line->len, &shape);
	if (line->cut || line->len > AUDIT_MAX_LINE) {
		report_add(&v->report, DAMAGE_TOO_LONG, line->number, 0, "more than %d bytes",
			   AUDIT_MAX_LINE);
	} else if (!line->ended) {
		report_add(&v->report, DAMAGE_TORN, line->number, 0,
			   "%zu bytes%s; the next writer will note it", line->len,
			   is_torn(line->text, line->len) ? "" : ", not the beginning of a record");
		return;
	} else if (take_anchor(v, line)) {
		return;
	} else if (is_other_half(v, line)) {
		report_add(&v->report, DAMAGE_CONTROL, v->stray.line, 0,
			   "a line end within a string; lines %llu and %llu are one record",
			   (ull)v->stray.line, (ull)line->number);
		v->stray.count = 0;
		return;
	} else if (!shape.control &&
		   (shape.form == LINE_OTHER || str_starts(line->text, "{\"log\":"))) {
		keep_stray(v, line);
	} else {
		tell_form(v, line, &shape, why);
	}
	v->file_damaged |= !v->file_records;
	chain_damaged(&v->chain);
}

/* --- records -------------------------------------------------------------------------------- */

static void make_point(const struct audit_record *r, const struct audit_line *line,
		       struct point *out)
{
	static const char end[] = "\n";
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	*out = (struct point){
		.seq = r->seq,
		.line = line->number,
		.mono = r->mono,
		.wall = audit_time(r->ts),
	};
	/* An unended one is hashed as it should be, and as its successor will know it. */
	sha256_begin(&s);
	sha256_add(&s, line->text, line->len);
	sha256_add(&s, end, 1);
	sha256_end(&s, sum);
	hex_of(sum, out->hash);
	(void)snprintf(out->prev, sizeof(out->prev), "%s", r->prev);
	(void)snprintf(out->ts, sizeof(out->ts), "%s", r->ts);
	(void)snprintf(out->boot, sizeof(out->boot), "%s", r->boot ? r->boot : "");
}

/* What the log's own records say of it. */
static void take_log_data(struct verifier *v, const struct audit_record *r,
			  const struct audit_log_data *d, const struct point *p)
{
	bool opens = str_eq(r->event, "LogOpened");

	if (opens || !v->out->records)
		set_log(v, d->log, p->line);
	if (opens)
		seal_restart(&v->seal, d->epoch_records, d->epoch_seconds);
	if (d->key)
		seal_named(&v->seal, p, d->key);
	if (d->lost)
		report_add(&v->report, DAMAGE_REPLACED, p->line, p->seq,
			   "it was begun when a log that had come to seq %llu was gone",
			   (ull)d->lost->seq);
	if (d->expected_seq)
		report_add(&v->report, DAMAGE_TRUNCATED, p->line, p->seq,
			   "a writer noted here that seq %llu, %.16s..., was to be the last "
			   "record, and found seq %llu",
			   (ull)d->expected_seq, d->expected_hash ? d->expected_hash : "",
			   (ull)d->found_seq);
}

/* False: it does not stand where it should, or it is not known yet. */
static bool place_record(struct verifier *v, const struct audit_record *r,
			 const struct audit_log_data *d, const struct point *p)
{
	if (!v->out->records) {
		first_record(v, r, d, p);
	} else if (v->file && !v->file_records && !v->file_damaged) {
		link_files(v, r, d, p);
	} else if (is_genesis(r) && !str_eq(p->hash, v->out->first.hash)) {
		report_add(&v->report, DAMAGE_REPLACED, p->line, p->seq,
			   "another log begins behind seq %llu", (ull)v->chain.last.seq);
		chain_begin(&v->chain, p);
	} else {
		return chain_add(&v->chain, p) != CHAIN_ASKEW;
	}
	return true;
}

static void take_record(struct verifier *v, const struct audit_line *line,
			const struct audit_record *r, struct arena *scratch)
{
	struct audit_log_data d = {0};
	struct point p;

	make_point(r, line, &p);
	if (str_starts(r->event, "Log") || str_eq(r->event, "SandboxCreated"))
		audit_log_data(scratch, r, &d);
	/* A copy of the first record has nothing new to say. */
	if (str_starts(r->event, "Log") && !str_eq(p.hash, v->out->first.hash))
		take_log_data(v, r, &d, &p);
	seal_check(&v->seal, line->text, line->len, r, &p);
	explain_strays(v, &d, &p);
	bool placed = place_record(v, r, &d, &p);
	if (!line->ended)
		report_add(&v->report, DAMAGE_TORN, line->number, r->seq,
			   "it is whole but for its end");
	v->out->records++;
	v->file_records++;
	lives_see(&v->lives, r, line->number, placed, d.root);
}

/* Strays that nothing follows; the last line of an export is its head. */
void verify_end_strays(struct verifier *v)
{
	own_arena struct arena scratch = {0};
	struct stray_lines *s = &v->stray;
	const struct point *last = &v->chain.last;
	struct audit_head h;

	if (s->count == 1 && v->file + 1 == audit_files_count(&v->files) && last->seq &&
	    head_of(&scratch, s->text, s->len, &h)) {
		if (!str_eq(h.log, v->out->log) || h.seq != last->seq ||
		    !str_eq(h.hash, last->hash))
			report_add(&v->report, DAMAGE_HEAD, s->line, h.seq,
				   "the head in the last line is not of seq %llu, the last record",
				   (ull)last->seq);
	} else if (s->count) {
		report_add(&v->report, DAMAGE_INSERTED, s->line, 0,
			   "%llu line(s) that are no records, and none follows", (ull)s->count);
	}
	s->count = 0;
}

void verify_take_line(struct verifier *v, const struct audit_line *line)
{
	own_arena struct arena scratch = {0};
	struct audit_record record;
	struct err why = {.msg = ""};

	report_line(&v->report);
	if (!line->cut && audit_record_parse(&scratch, line->text, line->len, &record, &why) == 0)
		take_record(v, line, &record, &scratch);
	else
		take_other(v, line, &why);
}
