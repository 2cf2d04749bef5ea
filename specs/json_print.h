#ifndef BRIG_SPECS_JSON_PRINT_H
#define BRIG_SPECS_JSON_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "specs/json.h"
#include "specs/runtime.h"

/*
 * JSON text, written front to back into an arena:
 *
 *	struct json_out o;
 *	json_begin(&o, a, 2);
 *	json_object(&o);
 *	json_key(&o, "id");
 *	json_str(&o, id);
 *	json_end_object(&o);
 *	text = json_done(&o, &len);
 *
 * Commas, line ends and escapes are the printer's work; nesting is the caller's.  A byte that
 * is not UTF-8 becomes U+FFFD, as Go writes it, so the text is always valid JSON.
 */
struct json_out {
	struct arena *a;
	char *text;
	size_t len, room;
	unsigned int indent, depth;
	bool first; /* no item yet in the object or array that is open */
	bool after_key;
};

/* indent: spaces for each level; 0: one line without blanks. */
void json_begin(struct json_out *o, struct arena *a, unsigned int indent);
void json_object(struct json_out *o);
void json_end_object(struct json_out *o);
void json_array(struct json_out *o);
void json_end_array(struct json_out *o);
void json_key(struct json_out *o, const char *key);
/* NULL is printed as null. */
void json_str(struct json_out *o, const char *s);
void json_int(struct json_out *o, int64_t n);
void json_uint(struct json_out *o, uint64_t n);
void json_bool(struct json_out *o, bool yes);
/* Text that is JSON already. */
void json_raw(struct json_out *o, const char *json);
/* The text, terminated, without a newline; len may be NULL. */
char *json_done(struct json_out *o, size_t *len);

/* Key and value in one call. */
void json_key_str(struct json_out *o, const char *key, const char *s);
void json_key_int(struct json_out *o, const char *key, int64_t n);
void json_key_uint(struct json_out *o, const char *key, uint64_t n);
void json_key_bool(struct json_out *o, const char *key, bool yes);
/* n strings as an array. */
void json_strs(struct json_out *o, const char *const *s, size_t n);
void json_map(struct json_out *o, const struct oci_map *map, size_t n);

/*
 * An object by its table: the inverse of json_read.  What is absent (NULL) is left out;
 * numbers and bools that are no pointers are always written.
 */
void json_print_type(struct json_out *o, const struct json_type *t, const void *object);
/* The same as a text of its own, one line without blanks or its end; len may be NULL. */
char *json_print_object(struct arena *a, const struct json_type *t, const void *object,
			size_t *len);

#endif
