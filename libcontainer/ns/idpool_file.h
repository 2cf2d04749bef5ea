#ifndef BRIG_NS_IDPOOL_FILE_H
#define BRIG_NS_IDPOOL_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/* A slot's file as text (ns/idpool.h); no side effects. */
struct idpool_file {
	const char *key;    /* escaped; "": none */
	const char **users; /* escaped */
	size_t n_users;
	bool free; /* no users, since the time */
	uint64_t since;
};

enum { IDPOOL_FILE_MAX = 1 << 20 };

/*
 * False: not such a file.  Nothing is an empty file, and a slot that nobody has: what a file
 * system may leave of it when the machine stops.
 */
bool idpool_file_parse(struct arena *a, const char *text, size_t len, struct idpool_file *out);
char *idpool_file_print(struct arena *a, const struct idpool_file *f, size_t *len);
/* '%', control characters and all of also become %XX. */
char *idpool_escape(struct arena *a, const char *s, const char *also);
char *idpool_unescape(struct arena *a, const char *s);

#endif
