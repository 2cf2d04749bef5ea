/* The last record of a file, by reading it from its end. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/own.h"
#include "base/str.h"

/* What was torn or is not ours is rarely longer than the first; behind the last we give up. */
enum { WINDOW = 64 << 10, WINDOW_GROWS = 16, WINDOW_MOST = 64 << 20 };

/* The end of a file: bytes from `from` on; lines of which the beginning is not in it are not seen.
 */
struct window {
	char *text;
	size_t len;
	uint64_t from;
};

static int read_all(int fd, char *to, size_t len, uint64_t from)
{
	for (size_t got = 0; got < len;) {
		ssize_t n = pread(fd, to + got, len - got, (off_t)(from + got));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA; /* it has become shorter */
		got += (size_t)n;
	}
	return 0;
}

/* The line that ends before `end` (where its newline is, or the file's end); NULL: cut off. */
static const char *line_before(const struct window *w, size_t end)
{
	const char *before = end ? memrchr(w->text, '\n', end) : NULL;

	if (before)
		return before + 1;
	return w->from ? NULL : w->text;
}

static bool is_record(struct arena *a, const char *line, size_t len, struct audit_record *out)
{
	struct err ignored;

	return len && audit_record_parse(a, line, len, out, &ignored) == 0;
}

static void take(const struct window *w, const char *line, size_t len, struct audit_tail *out)
{
	uint8_t sum[SHA256_BYTES];
	struct sha256 s;

	/* Its newline may be missing, and is part of what is hashed. */
	sha256_begin(&s);
	sha256_add(&s, line, len);
	sha256_add(&s, "\n", 1);
	sha256_end(&s, sum);
	hex_of(sum, out->hash);
	out->end = w->from + (uint64_t)(line - w->text) + len + 1;
}

/* The last line of a file that has no end: it may be a whole record all the same. */
static bool take_unended(struct arena *a, const struct window *w, struct audit_tail *out)
{
	const char *line = line_before(w, w->len);
	struct audit_tail before = {0};
	size_t len, above;

	if (!line || w->text[w->len - 1] == '\n')
		return false;
	len = (size_t)(w->text + w->len - line);
	if (!is_record(a, line, len, &out->record))
		return false;
	/* Only one that follows the record before it. */
	if (line > w->text) {
		above = (size_t)(line - w->text) - 1;
		const char *other = line_before(w, above);
		size_t n = other ? (size_t)(w->text + above - other) : 0;

		if (!other || !is_record(a, other, n, &before.record))
			return false;
		take(w, other, n, &before);
		if (out->record.seq != before.record.seq + 1 ||
		    !str_eq(out->record.prev, before.hash))
			return false;
	}
	take(w, line, len, out);
	out->unended = true;
	return true;
}

/* From the end: the first line that is a record.  -ENODATA: none of those that are whole. */
static int find(struct arena *a, const struct window *w, struct audit_tail *out)
{
	const char *last = memrchr(w->text, '\n', w->len);

	if (take_unended(a, w, out))
		return 0;
	for (size_t end = last ? (size_t)(last - w->text) : 0; last;) {
		const char *line = line_before(w, end);
		own_arena struct arena scratch = {0};
		struct audit_record r;

		if (!line)
			break;
		size_t len = (size_t)(w->text + end - line);
		if (is_record(&scratch, line, len, &r)) {
			take(w, line, len, out);
			return is_record(a, line, len, &out->record) ? 0 : -EINVAL;
		}
		if (line == w->text)
			break;
		end = (size_t)(line - w->text) - 1;
	}
	return -ENODATA;
}

static void look_behind(const struct window *w, struct audit_tail *out)
{
	size_t at = (size_t)(out->end - w->from);

	if (out->unended || at == w->len)
		return;
	out->is_torn = true;
	out->torn_unended = w->text[w->len - 1] != '\n';
	out->torn = w->len - at - !out->torn_unended;
	sha256_hex(w->text + at, (size_t)out->torn, out->torn_hash);
}

/*
 * Whether the record that was last once is where it was: going up from the last one found, as far
 * as the window goes, each line must be the one whose hash the next names.
 */
static bool has(const struct window *w, const struct audit_tail *t, const struct audit_last *known)
{
	char expected[SHA256_HEX];
	size_t end = (size_t)(t->end - w->from) - 1;
	uint64_t seq = t->record.seq;

	memcpy(expected, t->hash, sizeof(expected));
	if (seq <= known->seq)
		return seq == known->seq && str_eq(expected, known->hash);
	for (;;) {
		own_arena struct arena scratch = {0};
		const char *line = line_before(w, end);
		struct audit_record r;

		if (!line)
			return true; /* not to be seen from here */
		if (!is_record(&scratch, line, (size_t)(w->text + end - line), &r)) {
			if (line == w->text)
				return true;
			end = (size_t)(line - w->text) - 1; /* a torn one, repaired once */
			continue;
		}
		memcpy(expected, r.prev, sizeof(expected));
		if (r.seq == known->seq + 1)
			return str_eq(expected, known->hash);
		if (r.seq <= known->seq || line == w->text)
			return r.seq > known->seq;
		end = (size_t)(line - w->text) - 1;
	}
}

int audit_tail_read(struct arena *a, int fd, uint64_t size, const char *name,
		    const struct audit_last *known, struct audit_tail *out, struct err *e)
{
	for (uint64_t most = WINDOW;; most *= WINDOW_GROWS) {
		struct window w = {.len = size < most ? size : most};
		own_free char *text = malloc(w.len + 1);
		int r;

		if (!text)
			return err_set(e, ENOMEM, "%s: read its end", name);
		w.text = text;
		w.from = size - w.len;
		text[w.len] = '\0';
		r = read_all(fd, text, w.len, w.from);
		if (r < 0)
			return err_set(e, -r, "%s: read its end", name);
		*out = (struct audit_tail){0};
		r = w.len ? find(a, &w, out) : -ENODATA;
		if (r == 0) {
			look_behind(&w, out);
			out->contradicts = known && known->seq && !has(&w, out, known);
			return 0;
		}
		if (!w.from || most >= WINDOW_MOST)
			return err_msg(
				e, ENODATA,
				"%s: there is no record in its last %zu bytes: is it an audit log?",
				name, w.len);
	}
}

int audit_log_id(int fd, const char *name, char out[LOG_ID], struct err *e)
{
	static const char before[] = "{\"log\":\"";
	own_free char *text = calloc(1, AUDIT_MAX_LINE + 2);
	own_arena struct arena scratch = {0};
	struct audit_record r;
	ssize_t n = text ? pread(fd, text, AUDIT_MAX_LINE + 1, 0) : -1;
	const char *end = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;

	if (!end && n > 0) /* the only line, and its end is missing */
		end = text + n;
	if (!end || !is_record(&scratch, text, (size_t)(end - text), &r) || !r.data ||
	    !str_starts(r.data, before) ||
	    strspn(r.data + sizeof(before) - 1, "0123456789abcdef") != LOG_ID - 1)
		return err_msg(e, EBADMSG, "%s: its first record does not name the log", name);
	memcpy(out, r.data + sizeof(before) - 1, LOG_ID - 1);
	out[LOG_ID - 1] = '\0';
	return 0;
}
