#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "cmd/brig/audit_print.h"
#include "cmd/brig/format.h"
#include "cmd/brig/verbs.h"
#include "specs/audit.h"
#include "specs/audit_verdict.h"

struct audit_opts {
	const char *file, *format, *id, *event, *severity, *since, *head, *key, *output;
	uint32_t lines, most;
	bool follow, record;
};

#define AT(member) offsetof(struct audit_opts, member)

static const struct opt options[] = {
	{"file",     NULL, OPT_STRING, AT(file),     "FILE",   "the log, not brig.json's",     NULL,    NULL},
	{"format",   NULL, OPT_STRING, AT(format),   "FORMAT", "table or json",                "table", NULL},
	{"id",       NULL, OPT_STRING, AT(id),       "ID",     "show, tail: of this sandbox",  NULL,    NULL},
	{"event",    NULL, OPT_STRING, AT(event),    "EVENT",  "show, tail: of this kind",     NULL,    NULL},
	{"severity", NULL, OPT_STRING, AT(severity), "WORD",   "show, tail: so or worse",      NULL,    NULL},
	{"since",    NULL, OPT_STRING, AT(since),    "WHEN",   "from that number or time on",  NULL,    NULL},
	{"lines",    "n",  OPT_U32,    AT(lines),    "N",      "tail: so many",                "10",    NULL},
	{"follow",   "f",  OPT_FLAG,   AT(follow),   NULL,     "tail: and those that come",    NULL,    NULL},
	{"head",     NULL, OPT_STRING, AT(head),     "FILE",   "verify: heads kept elsewhere", NULL,    NULL},
	{"key",      NULL, OPT_STRING, AT(key),      "FILE",   "verify: the first key",        NULL,    NULL},
	{"record",   NULL, OPT_FLAG,   AT(record),   NULL,     "verify: write it down, too",   NULL,    NULL},
	{"most",     NULL, OPT_U32,    AT(most),     "N",      "verify: findings told",        "100",   NULL},
	{"output",   "o",  OPT_STRING, AT(output),   "FILE",   "export: a new file",           NULL,    NULL},
	{NULL,       NULL, OPT_FLAG,   0,            NULL,     NULL,                           NULL,    NULL},
};

/* --- show and tail -------------------------------------------------------------------------- */

struct printer {
	bool json, flush;
	uint64_t others; /* lines that are no records */
};

static int print_line(void *ctx, const struct audit_record *r, const char *text, size_t len)
{
	struct printer *p = ctx;

	if (!r) {
		p->others++;
		if (!p->json)
			printf("-- %zu bytes that are no record: see audit verify\n", len);
	} else if (p->json) {
		(void)fwrite(text, 1, len, stdout); /* errors are asked for below */
		putchar('\n');
	} else {
		audit_print_record(stdout, r);
	}
	if (p->flush && fflush(stdout) != 0)
		return -errno;
	return ferror(stdout) ? -EIO : 0;
}

static int look(struct command *c, bool tail, struct err *e)
{
	const struct audit_opts *o = c->opts;
	const struct container_audit_filter f = {
		.id = o->id,
		.event = o->event,
		.severity = o->severity,
		.since = o->since,
	};
	struct printer p = {.flush = o->follow};
	int r = format_read(o->format, &p.json, e);

	if (r < 0)
		return r;
	*e = (struct err){0};
	if (!p.json)
		audit_print_header(stdout);
	if (tail)
		r = container_audit_tail(&c->host, o->file, &f, o->lines, o->follow, print_line, &p,
					 e);
	else
		r = container_audit_show(&c->host, o->file, &f, print_line, &p, e);
	if (r < 0 && !e->code)
		return err_set(e, -r, "write to standard output");
	if (p.others && p.json)
		log_warn("%llu line(s) of the log are no records: see audit verify",
			 (unsigned long long)p.others);
	return r;
}

static int show(struct command *c, struct err *e)
{
	return look(c, false, e);
}

static int tail(struct command *c, struct err *e)
{
	return look(c, true, e);
}

/* --- verify --------------------------------------------------------------------------------- */

static void keep(void *ctx, const struct audit_finding *f)
{
	struct audit_told *t = ctx;

	if (t->n == t->room) {
		size_t room = t->room ? t->room * 2 : 16;
		struct audit_finding *bigger = arena_array(t->arena, room, sizeof(*bigger));

		if (t->n)
			memcpy(bigger, t->findings, t->n * sizeof(*bigger));
		t->findings = bigger;
		t->room = room;
	}
	t->findings[t->n] = *f;
	t->findings[t->n].file = arena_strdup(t->arena, f->file);
	t->findings[t->n++].detail = arena_strdup(t->arena, f->detail);
}

static int verify(struct command *c, struct err *e)
{
	const struct audit_opts *o = c->opts;
	struct audit_told told = {.arena = c->arena, .key = o->key, .heads = o->head};
	const struct container_audit_check check = {
		.path = o->file,
		.heads = o->head,
		.key = o->key,
		.record = o->record,
		.found = keep,
		.ctx = &told,
		.most = o->most,
	};
	struct audit_verdict v = {0};
	int r = format_read(o->format, &told.json, e);

	if (r == 0 && o->record && o->file)
		r = err_msg(e, EINVAL,
			    "--record writes to the log of brig.json: no --file with it");
	if (r == 0 && str_eq(o->head, "-") && str_eq(o->key, "-"))
		r = err_msg(e, EINVAL, "--head and --key cannot both be standard input");
	if (r == 0)
		r = container_audit_verify(&c->host, &check, c->arena, &v, e);
	if (r < 0 && !v.done)
		return r;
	if (told.json)
		audit_print_verdict_json(stdout, &told, &v);
	else
		audit_print_verdict(stdout, &told, &v);
	c->code = v.worst ? v.worst->code : CODE_OK;
	return r; /* that it could not be written down */
}

/* --- head, export, key ---------------------------------------------------------------------- */

static int head(struct command *c, struct err *e)
{
	const struct audit_opts *o = c->opts;
	char *json;
	int r = container_audit_head(&c->host, o->file, c->arena, &json, e);

	if (r == 0)
		puts(json);
	return r;
}

static int put_line(void *ctx, const char *text, size_t len)
{
	FILE *out = ctx;

	return fwrite(text, 1, len, out) == len && fputc('\n', out) != EOF ? 0 : -EIO;
}

static int export(struct command *c, struct err *e)
{
	const struct audit_opts *o = c->opts;
	uint64_t since = 0, left;
	own_file FILE *file = NULL;

	if (o->since && !str_u64(o->since, &since))
		return err_msg(e, EINVAL, "export: --since is a sequence number");
	if (o->output) {
		/* A file that is there may be the log itself. */
		own_fd int fd = open(o->output, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

		file = fd < 0 ? NULL : fdopen(fd, "we");
		if (!file)
			return err_set(e, errno, "make %s", o->output);
		(void)take_fd(&fd);
	}
	*e = (struct err){0};
	int r = container_audit_export(&c->host, o->file, since, put_line, file ? file : stdout,
				       &left, e);
	if (r < 0 && e->code)
		return r;
	if (r < 0 || fflush(file ? file : stdout) != 0)
		return err_set(e, r < 0 ? -r : errno, "write %s",
			       o->output ? o->output : "to standard output");
	return left ? err_msg(e, EBADMSG, "%llu line(s) that are no records were left out",
			      (unsigned long long)left)
		    : 0;
}

static int key(struct command *c, struct err *e)
{
	const struct audit_opts *o = c->opts;
	char hex[65];
	int r = container_audit_key(&c->host, o->file, hex, e);

	if (r == 0)
		puts(hex);
	explicit_bzero(hex, sizeof(hex));
	return r;
}

/* --- which of them -------------------------------------------------------------------------- */

enum takes { FILTERS = 1, LINES = 2, PROOF = 4, SINCE = 8, OUTPUT = 16, FORMAT = 32 };

static const char *unfit(const struct audit_opts *o, unsigned int takes)
{
	bool formatted = !str_eq(o->format, "table"), counted = o->lines != 10;
	const struct {
		const char *name;
		bool given;
		unsigned int of;
	} rows[] = {
		{"id",       o->id,       FILTERS},
		{"event",    o->event,    FILTERS},
		{"severity", o->severity, FILTERS},
		{"since",    o->since,    SINCE  },
		{"follow",   o->follow,   LINES  },
		{"lines",    counted,     LINES  },
		{"head",     o->head,     PROOF  },
		{"key",      o->key,      PROOF  },
		{"record",   o->record,   PROOF  },
		{"output",   o->output,   OUTPUT },
		{"format",   formatted,   FORMAT },
	};

	for (size_t i = 0; i < LEN(rows); i++)
		if (rows[i].given && !(rows[i].of & takes))
			return rows[i].name;
	return NULL;
}

static int audit(struct command *c, struct err *e)
{
	static const struct {
		const char *name;
		int (*run)(struct command *c, struct err *e);
		unsigned int takes;
	} words[] = {
		{"show",   show,   FILTERS | SINCE | FORMAT        },
		{"tail",   tail,   FILTERS | SINCE | LINES | FORMAT},
		{"verify", verify, PROOF | FORMAT                  },
		{"head",   head,   0                               },
		{"export", export, SINCE | OUTPUT                  },
		{"key",    key,    0			       },
	};

	for (size_t i = 0; i < LEN(words); i++) {
		if (!str_eq(words[i].name, c->args[0]))
			continue;
		const char *wrong = unfit(c->opts, words[i].takes);
		if (wrong)
			return err_msg(e, EINVAL, "%s: --%s is not for it", words[i].name, wrong);
		return words[i].run(c, e);
	}
	return err_msg(e, EINVAL, "\"%.40s\" is none of show, tail, verify, head, export, key",
		       c->args[0]);
}

const struct verb verb_audit = {
	.name = "audit",
	.summary = "read the audit log, and tell whether it is what was written",
	.usage = "show | tail | verify | head | export | key",
	.text = "   show     its records; each file of it, oldest first\n"
		"   tail     the last ones; with -f also those that come, over rotations\n"
		"   verify   whether it is what was written.  Exit codes: 0 intact, 1 it could not "
		"be\n"
		"            read, else that of the first damage found (docs/audit.md):\n"
		"            10 edited, 11 gap, 12 repeated, 13 reordered, 14 inserted, 15 "
		"truncated,\n"
		"            16 beheaded, 17 replaced, 18 rollback, 19 fork, 20 torn, 21 "
		"missing-file,\n"
		"            22 rotation, 23 mac, 24 epoch, 25 resealed, 26 time, 27 version,\n"
		"            28 duplicate-key, 29 not-canonical, 30 control, 31 too-long, 32 "
		"lifecycle,\n"
		"            33 head\n"
		"   head     one line that says where it ends: keep it on another machine, and "
		"give "
		"it\n"
		"            to verify later (--head)\n"
		"   export   its records, and its head as the last line; verify reads such a file, "
		"too\n"
		"   key      make a key for a log that has none.  It is printed once and kept "
		"nowhere:\n"
		"            store it on another machine; verify --key takes it\n"
		"   --head FILE has a head a line, --key FILE what audit key printed; - is "
		"standard "
		"input.\n"
		"   --since takes a sequence number, a time (2026-11-22T14:00:00Z) or a duration "
		"before\n"
		"   now (10m); export only a number.\n",
	.options = options,
	.options_size = sizeof(struct audit_opts),
	.order = OPT_MIXED,
	.min_args = 1,
	.failed = "audit",
	.run = audit,
};
