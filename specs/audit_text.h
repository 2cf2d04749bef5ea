#ifndef BRIG_SPECS_AUDIT_TEXT_H
#define BRIG_SPECS_AUDIT_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * The one way in which a line of the audit log writes its values, so that bytes can be compared.
 * What specs/audit.c and its tests share; everybody else prints whole records.
 */
struct audit_text {
	struct arena *a;
	char *p;
	size_t len, room;
};
void audit_put(struct audit_text *t, const char *s, size_t n);
void audit_put_uint(struct audit_text *t, uint64_t n);
/* In quotes, between which there are at most `most` bytes. */
void audit_put_string(struct audit_text *t, const char *s, size_t most);
/*
 * One JSON object at *at, without blanks and with strings as above; *at is then behind it.
 * -EEXIST: a key twice; -EINVAL: not JSON, a NUL in a string, too deep, too many keys.  What was
 * put until then stays.
 */
int audit_put_object(struct audit_text *t, const char **at, const char *end) MUST_CHECK;

/* The string, in quotes, at *at; *at is then behind it.  -EINVAL: it is none, or has a NUL. */
int audit_take_string(struct arena *a, const char **at, const char *end,
		      const char **out) MUST_CHECK;

#endif
