/*
 * The lock file's line and the log disagree.  Who was killed between the write and the line, or
 * between two writes, left that; so does a full disk, and whoever cuts or replaces a log.  Nothing
 * is ever taken away: what is wrong is written down behind it.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "audit/internal.h"
#include "base/str.h"
#include "specs/json_print.h"

const char *audit_repair_data(struct arena *a, const struct audit_tail *torn,
			      const struct audit_last *expected, uint64_t found)
{
	struct json_out o;

	json_begin(&o, a, 0);
	json_object(&o);
	if (torn) {
		json_key_uint(&o, "bytes", torn->torn);
		json_key_str(&o, "sha256", torn->torn_hash);
	}
	if (expected) {
		json_key_uint(&o, "expected_seq", expected->seq);
		json_key_str(&o, "expected_hash", expected->hash);
		json_key_uint(&o, "found_seq", found);
	}
	json_end_object(&o);
	return json_done(&o, NULL);
}

int audit_repair(struct audit_log *l, const struct stat *st, const struct audit_last *known,
		 struct audit_last *last, struct err *e)
{
	own_arena struct arena arena = {0};
	struct audit_tail t;
	int r = audit_tail_read(&arena, l->file, (uint64_t)st->st_size, l->path, known, &t, e);

	*last = (struct audit_last){.ino = st->st_ino, .dev = st->st_dev};
	if (r == 0)
		r = audit_log_id(l->file, l->path, last->log, e);
	if (r < 0)
		return r;
	bool lost = t.contradicts || (known && known->seq && !str_eq(known->log, last->log));
	last->seq = t.record.seq;
	memcpy(last->hash, t.hash, sizeof(last->hash));
	last->size = (uint64_t)st->st_size;
	last->keyed = t.record.epoch || (known && known->keyed);
	if (t.unended) { /* all of a record but its end was written */
		if (write(l->file, "\n", 1) != 1)
			return err_set(e, errno, "audit log %s: write", l->path);
		last->size++;
	}
	if (t.is_torn || lost) {
		const struct audit_record repaired = {
			.event = "LogRepaired",
			.data = audit_repair_data(&arena, t.is_torn ? &t : NULL,
						  lost ? known : NULL, t.record.seq),
		};

		r = audit_put_record(l, l->file, last, t.torn_unended ? "\n" : "", &repaired, e);
		if (r < 0)
			return r;
		if (l->sync != AUDIT_SYNC_NONE && fdatasync(l->file) < 0)
			return err_set(e, errno, "audit log %s: sync", l->path);
	}
	audit_last_write(l, last);
	return 0;
}
