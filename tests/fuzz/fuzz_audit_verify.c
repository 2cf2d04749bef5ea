/*
 * The verifier.  An input that begins with '!' is a plan: each byte writes the next record of a
 * valid log or does some damage to it, and the verdict must be intact without damage and never with
 * it, for the head of what should have been there is given.  Any other input is the log itself: a
 * verdict, the same one twice, and no more findings told than asked for.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "audit/verify.h"
#include "base/file.h"
#include "base/own.h"
#include "base/sha256.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define LOG_ID "00112233445566778899aabbccddeeff"
#define BOOT   "0a1b2c3d-0000-4000-8000-00000000000f"
enum { MOST = 3 };

static void must(bool ok)
{
	if (!ok)
		abort();
}

struct told {
	size_t n;
};

static void found(void *ctx, const struct audit_finding *f)
{
	struct told *t = ctx;

	t->n++;
	must(f->damage->word && f->damage->code >= 10 && f->damage->text[0] && f->file[0]);
	must(!f->detail || f->detail[0]);
}

static bool lives(void *ctx, const struct audit_life *l)
{
	(void)ctx;
	return l->seq % 2;
}

/* --- a valid log and its damage ------------------------------------------------------------- */

struct log {
	struct arena arena;
	int fd;
	uint64_t seq;
	char hash[SHA256_HEX];
	const char *last; /* the last line written */
	bool damaged;
};

static void put(struct log *l, const char *line)
{
	must(file_write_all(l->fd, line, strlen(line)) == 0);
}

/* The next record, which may then be written or not. */
static const char *next(struct log *l, const char *event, const char *data)
{
	char ts[32];
	const struct audit_record r = {
		.v = 1,
		.seq = l->seq + 1,
		.ts = ts,
		.mono = 1000 + l->seq,
		.boot = BOOT,
		.writer = "brig/0.1.0 pid=1 start=1",
		.event = event,
		.severity = "info",
		.id = l->seq ? "box" : NULL,
		.data = data,
		.prev = l->seq ? l->hash
			       : "0000000000000000000000000000000000000000000000000000000000000000",
	};

	(void)snprintf(ts, sizeof(ts), "2026-11-22T14:00:00.%06uZ",
		       (unsigned int)(l->seq % 1000000));
	const char *line = arena_printf(&l->arena, "%s\n", audit_record_print(&l->arena, &r, NULL));
	sha256_hex(line, strlen(line), l->hash);
	l->seq++;
	l->last = line;
	return line;
}

static void torn(struct log *l)
{
	char hash[SHA256_HEX];
	static const char part[] = "{\"v\":1,\"seq\":9,\"ts\":\"20";

	put(l, part);
	put(l, "\n");
	sha256_hex(part, strlen(part), hash);
	put(l,
	    next(l, "LogRepaired",
		 arena_printf(&l->arena, "{\"bytes\":%zu,\"sha256\":\"%s\"}", strlen(part), hash)));
}

static void flip(struct log *l, uint8_t where)
{
	char *line = arena_strdup(&l->arena, next(l, "FileAccess", NULL));
	/* Never the line's end: two lines would be one. */
	size_t at = where % (strlen(line) - 1);

	line[at] = line[at] == '5' ? '6' : '5';
	put(l, line);
}

static void act(struct log *l, uint8_t op)
{
	const char *line;

	l->damaged |= op % 8 > 1;
	switch (op % 8) {
	case 0:
		put(l, next(l, "FileAccess", "{\"a\":[1,2]}"));
		break;
	case 1:
		torn(l);
		break;
	case 2: /* missing */
		line = l->last;
		(void)next(l, "FileAccess", NULL);
		l->last = line;
		break;
	case 3: /* twice */
		put(l, l->last);
		break;
	case 4:
		put(l, op & 8 ? "garbage\n" : "{\"v\":1}\n");
		break;
	case 5: /* the wrong way round */
		line = next(l, "FileAccess", NULL);
		put(l, next(l, "NetworkAccess", NULL));
		put(l, line);
		break;
	case 6:
		flip(l, op);
		break;
	default: /* the last one again, with another name: a fork or a stranger */
		line = l->last;
		char *copy = arena_strdup(&l->arena, line), *ev = strstr(copy, "\"ev\":\"");
		ev[strlen("\"ev\":\"")] = 'Z';
		put(l, copy);
		break;
	}
}

static void run_plan(const uint8_t *data, size_t size)
{
	struct log l = {.fd = memfd_create("audit", MFD_CLOEXEC)};
	own_fd int fd = l.fd;
	struct audit_verdict v;
	struct err e;
	char path[64];

	must(fd >= 0);
	put(&l, next(&l, "LogOpened",
		     "{\"log\":\"" LOG_ID "\",\"format\":\"brig-audit/1\",\"epoch_records\":1000,"
		     "\"epoch_seconds\":900}"));
	for (size_t i = 0; i < size && i < 2000; i++)
		act(&l, data[i]);
	const struct audit_head head = {
		.log = LOG_ID,
		.seq = l.seq,
		.hash = l.hash,
		.ts = "2026-11-22T14:00:00.000000Z",
	};
	struct told t = {0};
	const struct audit_verify ask = {
		.path = path,
		.heads = &head,
		.n_heads = 1,
		.found = found,
		.ctx = &t,
		.most = MOST,
	};
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	must(audit_verify(&l.arena, &ask, &v, &e) == 0);
	must(!v.worst == !v.findings && t.n == (v.findings < MOST ? v.findings : MOST));
	must(l.damaged == !!v.findings);
	must(l.damaged || (v.records == l.seq && v.last.seq == l.seq && v.heads == 1));
	arena_free(&l.arena);
}

/* --- any bytes ------------------------------------------------------------------------------ */

static void run_bytes(const uint8_t *data, size_t size)
{
	static const uint8_t key[SHA256_BYTES] = {1};
	static const struct audit_head head = {LOG_ID, 2, "x", "y"};
	own_arena struct arena a = {0};
	own_fd int fd = memfd_create("audit", MFD_CLOEXEC);
	struct audit_verdict v[2];
	char path[64];

	must(fd >= 0 && file_write_all(fd, data, size) == 0);
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	for (size_t i = 0; i < LEN(v); i++) {
		struct told t = {0};
		const struct audit_verify ask = {
			.path = path,
			.heads = &head,
			.n_heads = size % 2,
			.key = size % 3 ? key : NULL,
			.found = found,
			.ctx = &t,
			.most = MOST,
			.lives = lives,
		};
		struct err e;

		must(audit_verify(&a, &ask, &v[i], &e) == 0);
		must(!v[i].worst == !v[i].findings);
		must(t.n == (v[i].findings < MOST ? v[i].findings : MOST));
	}
	must(v[0].worst == v[1].worst && v[0].findings == v[1].findings &&
	     v[0].records == v[1].records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size && data[0] == '!')
		run_plan(data + 1, size - 1);
	else
		run_bytes(data, size);
	return 0;
}
