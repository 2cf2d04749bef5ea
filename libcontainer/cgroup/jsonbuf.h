#ifndef BRIG_CGROUP_JSONBUF_H
#define BRIG_CGROUP_JSONBUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

/*
 * A JSON text that grows in an arena.  Commas come by themselves; the caller keeps brackets
 * in pairs.  key NULL: an item of a list.
 */
struct jsonbuf {
	struct arena *a;
	char *text; /* terminated */
	size_t len, cap;
};

void json_open(struct jsonbuf *j, const char *key, char bracket);
void json_close(struct jsonbuf *j, char bracket);
void json_u64(struct jsonbuf *j, const char *key, uint64_t v);
void json_str(struct jsonbuf *j, const char *key, const char *v);
/* A number that is text already. */
void json_number(struct jsonbuf *j, const char *key, const char *v);

#endif
