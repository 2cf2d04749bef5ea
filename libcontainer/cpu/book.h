#ifndef BRIG_CPU_BOOK_H
#define BRIG_CPU_BOOK_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/err.h"
#include "cpu/set.h"

/*
 * The book of CPUs given out: a DIRECTORY with "lock" and one file for each sandbox, named by a
 * hash of its state directory.  Lines: that directory, the CPU list, and "exclusive" if nobody
 * else in the book may have them.
 *
 * Everything happens under an flock of DIRECTORY/lock.  A file appears by rename and goes by
 * unlink, so that whoever is killed leaves either a whole file or a *.tmp that nobody reads.
 */
struct book_entry {
	const char *user; /* absolute state directory */
	struct cpu_set cpus;
	bool exclusive;
};
/* False: not such a file.  Strings point into the text, which is changed. */
bool book_parse(char *text, size_t len, struct book_entry *out);
char *book_print(struct arena *a, const struct book_entry *entry);

struct book {
	int dir, lock; /* -1: not open */
	struct book_page {
		const char *name; /* of the file */
		struct book_entry entry;
	} * pages;
	size_t n;
};
#define BOOK_CLOSED ((struct book){.dir = -1, .lock = -1})

/* The directory; make: with its parents.  -ENOENT: there is none. */
int book_open(struct book *b, const char *directory, bool make, struct err *e) MUST_CHECK;
/* Waits for the lock, reads every file and removes those whose state directory is gone. */
int book_lock(struct arena *a, struct book *b, struct err *e) MUST_CHECK;
/* As book_lock, but for a look: nothing is locked or removed. */
int book_read(struct arena *a, struct book *b, struct err *e) MUST_CHECK;
void book_unlock(struct book *b);
void book_close(struct book *b);

/* With the lock: removes page i (the last one takes its number); writes an entry in place of all
 * that its user had. */
int book_remove(struct book *b, size_t i, struct err *e) MUST_CHECK;
int book_save(struct arena *a, struct book *b, const struct book_entry *entry,
	      struct err *e) MUST_CHECK;
/* With the lock, without reading all: what user has goes; gone already is success. */
int book_forget(struct book *b, const char *user, struct err *e) MUST_CHECK;
/* The lock alone, for book_forget. */
int book_lock_only(struct book *b, struct err *e) MUST_CHECK;

#endif
