#include "audit/verify_report.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"

const struct audit_damage audit_damages[] = {
	[DAMAGE_EDITED] = {"edited",        10, "a line is not what it was when the next one was written" },
	[DAMAGE_GAP] = {"gap",           11, "records are missing"                                     },
	[DAMAGE_REPEATED] = {"repeated",      12, "a sequence number comes twice"                           },
	[DAMAGE_REORDERED] = {"reordered",     13,
                           "records stand in another order than they were written in"                     },
	[DAMAGE_INSERTED] = {"inserted",      14,
                           "a line that nobody wrote through the log stands between its records"          },
	[DAMAGE_TRUNCATED] = {"truncated",     15, "the end is missing"                                      },
	[DAMAGE_BEHEADED] = {"beheaded",      16, "the first record of the log is missing"                  },
	[DAMAGE_REPLACED] = {"replaced",      17, "it is another log than it was"                           },
	[DAMAGE_ROLLBACK] = {"rollback",      18,
                           "the log is older than a head of it that was kept elsewhere"                   },
	[DAMAGE_FORK] = {"fork",          19, "two records claim to follow the same one"                },
	[DAMAGE_TORN] = {"torn",          20, "the last line has no end"                                },
	[DAMAGE_MISSING_FILE] = {"missing-file",  21, "a file of the log is not there"                          },
	[DAMAGE_ROTATION] = {"rotation",      22, "a file does not begin where the one before it ended"     },
	[DAMAGE_MAC] = {"mac",           23, "a MAC is wrong or missing"                               },
	[DAMAGE_EPOCH] = {"epoch",         24,
			   "the key's epoch is not the one that the record's place has"                   },
	[DAMAGE_RESEALED] = {"resealed",      25, "a MAC was made with the key of a later epoch"            },
	[DAMAGE_TIME] = {"time",          26, "time goes backwards within one boot"                     },
	[DAMAGE_VERSION] = {"version",       27, "a record of a version that this brig does not know"      },
	[DAMAGE_DUPLICATE_KEY] = {"duplicate-key", 28, "a key is given twice in one object"                      },
	[DAMAGE_NOT_CANONICAL] = {"not-canonical", 29,
                           "a line is not in the form that records are written in"                        },
	[DAMAGE_CONTROL] = {"control",       30,
                           "a control character, a NUL or a line end stands within a record"              },
	[DAMAGE_TOO_LONG] = {"too-long",      31, "a line is longer than a record can be"                   },
	[DAMAGE_LIFECYCLE] = {"lifecycle",     32,
                           "a sandbox was made and is gone, and no record tells of its end"               },
	[DAMAGE_HEAD] = {"head",          33, "a record is not the one that a head kept elsewhere names"},
	[DAMAGES] = {NULL,            0,  NULL						      },
};

static void tell(struct report *r, const struct report_row *row)
{
	const struct audit_finding f = {
		.damage = &audit_damages[row->damage],
		.file = row->file,
		.line = row->line,
		.seq = row->seq,
		.detail = row->detail[0] ? row->detail : NULL,
	};

	if (!r->out->worst)
		r->out->worst = f.damage;
	if (r->out->findings++ < r->asked->most && r->asked->found)
		r->asked->found(r->asked->ctx, &f);
}

/* Tells what need not wait; all: what must. */
static void flush(struct report *r, bool all)
{
	size_t n = 0;

	while (n < r->n && (all || r->rows[n].until <= r->lines))
		tell(r, &r->rows[n++]);
	r->n -= n;
	memmove(r->rows, r->rows + n, r->n * sizeof(*r->rows));
}

static struct report_row *add(struct report *r, enum damage d, uint64_t line, uint64_t seq)
{
	if (r->n == LEN(r->rows))
		flush(r, true);
	struct report_row *row = &r->rows[r->n++];
	*row = (struct report_row){
		.damage = d,
		.file = r->file,
		.line = line,
		.seq = seq,
		.id = ++r->last_id,
	};
	return row;
}

void report_add(struct report *r, enum damage d, uint64_t line, uint64_t seq, const char *fmt, ...)
{
	struct report_row *row = add(r, d, line, seq);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(row->detail, sizeof(row->detail), fmt, ap); /* a long one is cut */
	va_end(ap);
	flush(r, false);
}

uint64_t report_wait(struct report *r, enum damage d, uint64_t line, uint64_t seq, const char *fmt,
		     ...)
{
	struct report_row *row = add(r, d, line, seq);
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(row->detail, sizeof(row->detail), fmt, ap); /* a long one is cut */
	va_end(ap);
	row->until = r->lines + REPORT_WAIT;
	return row->id;
}

bool report_change(struct report *r, uint64_t id, enum damage d, uint64_t line, uint64_t seq,
		   const char *fmt, ...)
{
	struct report_row *row = r->rows;
	va_list ap;

	while (row < r->rows + r->n && row->id != id)
		row++;
	if (row == r->rows + r->n || !row->until)
		return false;
	row->damage = d;
	row->file = r->file;
	row->line = line;
	row->seq = seq;
	row->until = 0;
	va_start(ap, fmt);
	(void)vsnprintf(row->detail, sizeof(row->detail), fmt, ap); /* a long one is cut */
	va_end(ap);
	flush(r, false);
	return true;
}

void report_line(struct report *r)
{
	r->lines++;
	if (r->n)
		flush(r, false);
}

void report_all(struct report *r)
{
	flush(r, true);
}
