#ifndef BRIG_AUDIT_INTERNAL_H
#define BRIG_AUDIT_INTERNAL_H

/*
 * What the files of this room share.  Everything here but hold.c's taking of the lock is called
 * with the lock held.
 *
 *   log.c      a log opened, closed, confined, appended to
 *   hold.c     the lock file: the lock, and the line that says what was written last
 *   line.c     one record: members of the log's own, hash, MAC, the write
 *   tail.c     the last record of a file, found by reading
 *   repair.c   what is done when lock file and log disagree
 *   start.c    a first file, the next file, a file that has gone
 *   key.c      the key file, evolution
 *   head.c     heads
 */
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "base/sha256.h"

enum {
	LOG_ID = 33,     /* 32 digits */
	AUDIT_NAME = 230 /* of FILE; rotated names are longer, 255 at most */
};

struct audit_log {
	const char *path; /* for messages */
	const char *name, *lock_name, *key_name, *new_name;
	uint64_t max_bytes;
	uint32_t wait_ms;
	enum audit_sync sync;
	int dir, lock, file; /* file: -1 before it is needed */
	dev_t lock_dev, file_dev;
	ino_t lock_ino, file_ino;
	uid_t uid;
	pid_t pid; /* flock is of a file description: a child needs its own */
	bool confined;
	char boot[40], writer[96];
};

/* What is written last, and where; the line of the lock file. */
struct audit_last {
	char log[LOG_ID];
	uint64_t seq; /* 0: nothing */
	char hash[SHA256_HEX];
	uint64_t size, ino, dev; /* of the file it stands in */
	bool keyed;
};

/* --- hold.c */
int audit_lock(struct audit_log *l, struct err *e) MUST_CHECK;
void audit_unlock(struct audit_log *l);
int audit_lock_open(struct audit_log *l, struct err *e) MUST_CHECK;
/* False: it says nothing that can be used. */
bool audit_last_read(const struct audit_log *l, struct audit_last *out);
/* Best effort: who finds an old line reads the tail of the log. */
void audit_last_write(const struct audit_log *l, const struct audit_last *last);
/* A regular file of ours alone that nobody else can write to (nor read, where it is secret). */
int audit_check_file(const struct audit_log *l, const struct stat *st, const char *name,
		     bool secret, struct err *e) MUST_CHECK;

/* --- line.c */
/*
 * Appends r to fd as what follows *last, which it then is.  before: what goes before it in the
 * same write ("\n" behind a torn line, else "").  The lock file is the caller's.
 */
int audit_put_record(struct audit_log *l, int fd, struct audit_last *last, const char *before,
		     const struct audit_record *r, struct err *e) MUST_CHECK;

/* --- tail.c */
struct audit_tail {
	struct audit_record record; /* the last one of the file */
	char hash[SHA256_HEX];
	uint64_t end;      /* where it ends, with its newline */
	bool unended;      /* that newline is missing; nothing follows */
	bool is_torn;      /* something that is no record follows */
	uint64_t torn;     /* its bytes, without a newline at its end */
	bool torn_unended; /* that newline is missing */
	char torn_hash[SHA256_HEX];
	bool contradicts; /* the record `known` is not in the place where it was */
};
/*
 * known: what must be there, too, as far as it is within what is read; NULL.  -ENODATA: there is
 * no record in the file.
 */
int audit_tail_read(struct arena *a, int fd, uint64_t size, const char *name,
		    const struct audit_last *known, struct audit_tail *out,
		    struct err *e) MUST_CHECK;
/* The id in the first record of a file. */
int audit_log_id(int fd, const char *name, char out[LOG_ID], struct err *e) MUST_CHECK;

/* --- repair.c */
/* *last becomes what the file open ends with; what is wrong is written down. */
int audit_repair(struct audit_log *l, const struct stat *st, const struct audit_last *known,
		 struct audit_last *last, struct err *e) MUST_CHECK;

/* --- start.c */
/* There is no FILE: the next one after those that are there, or a new log. */
int audit_begin(struct audit_log *l, const struct audit_last *known, struct audit_last *last,
		struct err *e) MUST_CHECK;
/* FILE is long enough: away with it, if that can be. */
int audit_rotate(struct audit_log *l, struct audit_last *last, struct err *e) MUST_CHECK;
/* {"bytes":,"sha256":,"expected_seq":,"expected_hash":,"found_seq":} of what applies. */
const char *audit_repair_data(struct arena *a, const struct audit_tail *torn,
			      const struct audit_last *expected, uint64_t found);

/* --- key.c */
struct audit_key {
	uint8_t k[SHA256_BYTES];
	uint64_t epoch, seq;    /* the first number it is for */
	int64_t time;           /* when it began, seconds since 1970 */
	char first[SHA256_HEX]; /* SHA-256 of K(0) */
};
void audit_key_wipe(struct audit_key *k);
/* As it is for the record seq: evolved, if it is time.  -ENOKEY: there is none. */
int audit_key_for(const struct audit_log *l, uint64_t seq, struct audit_key *out,
		  struct err *e) MUST_CHECK;
/* K(0), for records from seq on; one that is there is replaced. */
int audit_key_create(const struct audit_log *l, uint64_t seq, struct audit_key *out,
		     struct err *e) MUST_CHECK;

#endif
