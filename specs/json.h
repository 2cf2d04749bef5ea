#ifndef BRIG_SPECS_JSON_H
#define BRIG_SPECS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

/*
 * JSON objects as C structs: one table of rows for each object, one reader and one writer for
 * all tables.  specs/table.h has the macros that write rows.
 */
enum json_kind {
	JSON_STR,   /* const char *; an optional "" counts as absent, as Go's omitempty has it */
	JSON_TEXT,  /* const char *: a string, or a number, true or false as it is written */
	JSON_BOOL,  /* bool */
	JSON_U16,   /* uint16_t */
	JSON_U32,   /* uint32_t */
	JSON_ID,    /* uint32_t, a uid or gid: 4294967295 is "no id" to the kernel and refused */
	JSON_U64,   /* uint64_t */
	JSON_I32,   /* int32_t */
	JSON_I64,   /* int64_t */
	JSON_OBJ,   /* an object: the struct itself, or a pointer to one */
	JSON_STRS,  /* list of strings, NULL-terminated, and its count */
	JSON_IDS,   /* list of JSON_ID and its count */
	JSON_OBJS,  /* list of objects and its count */
	JSON_MAP,   /* name -> string: list of struct oci_map and its count */
	JSON_NAMED, /* name -> object: list of objects, the name in a member, and its count */
};

enum {
	JSON_REQUIRED = 1, /* absent (or null) is an error */
	JSON_PTR = 2,      /* bool, number, object: the member is a pointer, NULL when absent */
	JSON_SHORT = 4,    /* JSON_OBJS: a plain value stands for an object of which it is the
			      first property, which is a JSON_TEXT */
	JSON_ONE = 8,      /* JSON_OBJS: such a value in place of the list is a list of one */
	JSON_SOME = 16,    /* JSON_OBJ in place: not printed when nothing in it is set */
};

struct json_type;

struct json_field {
	const char *name;
	uint8_t len; /* of name */
	uint8_t kind;
	uint8_t flags;
	uint16_t at;                 /* offset of the member */
	uint16_t count_at;           /* lists and maps: offset of the count */
	uint16_t key_at;             /* JSON_NAMED: offset of the name within the item */
	uint64_t max;                /* numbers: a bound below the kind's own; 0: none */
	const struct json_type *sub; /* JSON_OBJ, JSON_OBJS, JSON_NAMED */
};

enum { JSON_MAX_FIELDS = 64 }; /* the reader keeps a bit for each row */

struct json_type {
	size_t size;
	size_t n_fields;
	const struct json_field *fields;
	/*
	 * Shape rules of a whole object, called when it is complete; NULL: none.  The error
	 * names the property: "timeout: 0 is not positive"; the way to the object is added.
	 */
	int (*check)(struct arena *a, void *object, struct err *e);
	bool closed; /* an unknown property is an error: ignoring it would not do what it asks */
};

/*
 * Reads one JSON document into *out, which must be zeroed.  Everything lives in the arena.
 * Unknown properties are ignored, null counts as absent, a property given twice, a NUL in a
 * string, a number with a fraction or exponent, text after the document, more than max bytes
 * or OCI_MAX_DEPTH levels are errors.  An error has the path: "mounts[2]: options[0]: not a
 * string".
 */
int json_read(struct arena *a, const struct json_type *t, const char *json, size_t len, size_t max,
	      void *out, struct err *e) MUST_CHECK;

/*
 * The row at a path such as process.user.uid, mounts[].destination (items of a list) or
 * linux.netDevices{}.name (items of a map); NULL: there is none.  mounts[] itself is the row
 * of mounts.
 */
const struct json_field *json_lookup(const struct json_type *t, const char *path);

#endif
