#ifndef BRIG_TESTS_AUDIT_FIXTURE_H
#define BRIG_TESTS_AUDIT_FIXTURE_H

/* An audit log in a directory of its own, and a reader of it that shares nothing with the writer
 * but the reading of one line. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/audit.h"
#include "base/file.h"
#include "base/hmac.h"
#include "base/own.h"
#include "base/str.h"
#include "check.h"

struct audit_fixture {
	struct arena arena;
	char dir[64], path[96];
	struct audit_config config;
	struct audit_log *log;
	struct err e;
};

static inline void audit_setup(struct audit_fixture *f)
{
	*f = (struct audit_fixture){0};
	strcpy(f->dir, "/tmp/brig-audit-XXXXXX");
	if (!mkdtemp(f->dir))
		abort();
	snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
	f->config =
		(struct audit_config){.path = f->path, .wait_ms = 2000, .sync = AUDIT_SYNC_NONE};
}

static inline const char *audit_beside(struct audit_fixture *f, const char *suffix)
{
	return arena_printf(&f->arena, "%s%s", f->path, suffix);
}

static inline int audit_reopen(struct audit_fixture *f)
{
	audit_close(f->log);
	f->log = NULL;
	return audit_open(&f->arena, &f->config, &f->log, &f->e);
}

static inline void audit_done(struct audit_fixture *f)
{
	struct err e;

	audit_close(f->log);
	CHECK(file_remove_tree(AT_FDCWD, f->dir, &e) == 0);
	arena_free(&f->arena);
}

static inline int audit_add(struct audit_fixture *f, const char *event)
{
	const struct audit_record r = {.event = event, .id = "sbx", .outcome = "ok"};

	return audit_append(f->log, &r, NULL, &f->e);
}

static inline char *audit_text(struct audit_fixture *f, const char *suffix, size_t *len)
{
	char *text = NULL;
	size_t n = 0;

	CHECK(file_read(&f->arena, AT_FDCWD, audit_beside(f, suffix), 1 << 30, &text, &n, &f->e) ==
	      0);
	if (len)
		*len = n;
	return text ? text : arena_strdup(&f->arena, "");
}

/* Writes it as whoever does not keep to the rules. */
static inline void audit_scribble(struct audit_fixture *f, const char *suffix, int flags,
				  const char *text, size_t len)
{
	own_fd int fd = open(audit_beside(f, suffix), O_WRONLY | flags, 0600);

	CHECK(fd >= 0 && write(fd, text, len) == (ssize_t)len);
}

/* --- The whole log ------------------------------------------------------------------------ */

struct audit_seen {
	uint64_t records, files, repairs, keyed, stray; /* stray: lines that are no records */
	uint64_t seq, epoch;
	char log[33];
	uint64_t bad;     /* records that do not follow the one before, wrong MACs, epochs */
	const char *data; /* of the last LogRepaired */
};

struct audit_walk {
	struct audit_fixture *f;
	struct audit_seen *seen;
	char prev[SHA256_HEX];
	uint8_t key[SHA256_BYTES];
	bool has_key;
	uint64_t epoch, epoch_records;
};

static inline void audit_walk_mac(struct audit_walk *w, const struct audit_record *r,
				  const char *line)
{
	uint8_t sum[SHA256_BYTES], next[11 + SHA256_BYTES] = "brig-evolve";
	char hex[SHA256_HEX];

	if (!w->has_key)
		return;
	if (*r->epoch == w->epoch + 1) {
		memcpy(next + 11, w->key, SHA256_BYTES);
		sha256(next, sizeof(next), w->key);
		w->epoch++;
		w->epoch_records = 0;
	}
	w->epoch_records++;
	hmac_sha256(w->key, sizeof(w->key), line, (size_t)(strstr(line, ",\"mac\":\"") - line),
		    sum);
	hex_of(sum, hex);
	if (*r->epoch != w->epoch || !str_eq(hex, r->mac) || w->epoch_records > AUDIT_EPOCH_RECORDS)
		w->seen->bad++;
}

static inline void audit_walk_line(struct audit_walk *w, char *line, size_t len, bool first)
{
	own_arena struct arena a = {0};
	struct audit_seen *s = w->seen;
	struct audit_record r;
	struct err e;

	if (audit_record_parse(&a, line, len, &r, &e) < 0) {
		s->stray++;
		return;
	}
	if (r.seq != s->seq + 1 || !str_eq(r.prev, w->prev))
		s->bad++;
	if (first && !str_eq(r.event, s->files == 1 ? "LogOpened" : "LogRotated"))
		s->bad++;
	if (first && strncmp(r.data, "{\"log\":\"", 8) == 0) {
		if (s->files > 1 && strncmp(s->log, r.data + 8, 32) != 0)
			s->bad++;
		memcpy(s->log, r.data + 8, 32);
	}
	if (str_eq(r.event, "LogRepaired")) {
		s->repairs++;
		s->data = arena_strdup(&w->f->arena, r.data);
	}
	if (r.epoch) {
		s->keyed++;
		s->epoch = *r.epoch;
		line[len] = '\0';
		audit_walk_mac(w, &r, line);
	} else if (s->keyed) {
		s->bad++;
	}
	s->records++;
	s->seq = r.seq;
	line[len] = '\n';
	sha256_hex(line, len + 1, w->prev);
}

static inline int audit_by_number(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* key: K(0) in digits, NULL */
static inline struct audit_seen audit_look(struct audit_fixture *f, const char *key)
{
	struct audit_seen seen = {0};
	struct audit_walk w = {.f = f, .seen = &seen, .has_key = key};
	own_dir DIR *d = opendir(f->dir);
	uint64_t files[256];
	size_t n = 0;

	memset(w.prev, '0', SHA256_HEX - 1);
	if (key)
		CHECK(hex_read(key, w.key) == 0);
	for (const struct dirent *x; d && (x = readdir(d)) && n < LEN(files) - 1;)
		if (str_starts(x->d_name, "log.") && str_u64(x->d_name + 4, &files[n]))
			n++;
	qsort(files, n, sizeof(*files), audit_by_number);
	files[n++] = 0;
	for (size_t i = 0; i < n; i++) {
		const char *suffix =
			files[i] ? arena_printf(&f->arena, ".%llu", (unsigned long long)files[i])
				 : "";
		size_t len;
		char *text = audit_text(f, suffix, &len), *end;

		seen.files++;
		for (char *line = text; line < text + len; line = end + 1) {
			end = memchr(line, '\n', (size_t)(text + len - line));
			if (!end) {
				seen.stray++;
				break;
			}
			audit_walk_line(&w, line, (size_t)(end - line), line == text);
		}
		if (files[i] && files[i] != seen.seq)
			seen.bad++;
	}
	return seen;
}

#endif
