#ifndef BRIG_SPECS_TABLE_H
#define BRIG_SPECS_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "specs/json.h"

/*
 * Rows of a table: ROW_x(struct tag, "property", member, flags).  Each checks that the member
 * has the C type the reader will store: a wrong row does not compile.
 */
#define ROW_AT(T, m, C) (offsetof(struct T, m) + 0 * sizeof((C *)0 == &((struct T *)0)->m))
#define ROW_(n, k, fl, ...)                                                                        \
	{                                                                                          \
		.name = (n), .len = sizeof(n) - 1, .kind = (k), .flags = (fl), __VA_ARGS__         \
	}

#define ROW_STR(T, n, m, fl)  ROW_(n, JSON_STR, fl, .at = ROW_AT(T, m, const char *))
#define ROW_TEXT(T, n, m)     ROW_(n, JSON_TEXT, 0, .at = ROW_AT(T, m, const char *))
#define ROW_BOOL(T, n, m, fl) ROW_(n, JSON_BOOL, fl, .at = ROW_AT(T, m, bool))
/* A number that is 0 when absent; k and its C type: JSON_U32, uint32_t */
#define ROW_NUM(T, n, m, fl, k, C) ROW_(n, k, fl, .at = ROW_AT(T, m, C))
/* A number or bool that may be absent: a pointer */
#define ROW_OPT(T, n, m, k, C) ROW_(n, k, JSON_PTR, .at = ROW_AT(T, m, const C *))
#define ROW_OPT_MAX(T, n, m, k, C, top)                                                            \
	ROW_(n, k, JSON_PTR, .at = ROW_AT(T, m, const C *), .max = (top))

#define ROW_COUNT(T, c) .count_at = ROW_AT(T, c, size_t)
#define ROW_STRS(T, n, m, c, fl)                                                                   \
	ROW_(n, JSON_STRS, fl, .at = ROW_AT(T, m, const char *const *), ROW_COUNT(T, c))
#define ROW_IDS(T, n, m, c)                                                                        \
	ROW_(n, JSON_IDS, 0, .at = ROW_AT(T, m, const uint32_t *), ROW_COUNT(T, c))
#define ROW_MAP(T, n, m, c)                                                                        \
	ROW_(n, JSON_MAP, 0, .at = ROW_AT(T, m, const struct oci_map *), ROW_COUNT(T, c))

/* Objects of struct S, described by S_type_: in place, by pointer, a list, a map */
#define ROW_SUB(T, n, m, S, fl)                                                                    \
	ROW_(n, JSON_OBJ, fl, .at = ROW_AT(T, m, struct S), .sub = &S##_type_)
#define ROW_OBJ(T, n, m, S)                                                                        \
	ROW_(n, JSON_OBJ, JSON_PTR, .at = ROW_AT(T, m, const struct S *), .sub = &S##_type_)
#define ROW_OBJS(T, n, m, c, S)                                                                    \
	ROW_(n, JSON_OBJS, 0, .at = ROW_AT(T, m, const struct S *), ROW_COUNT(T, c),               \
	     .sub = &S##_type_)
/* The same, with plain values in place of objects (JSON_SHORT) or of the list (JSON_ONE) */
#define ROW_SHORT(T, n, m, c, S, fl)                                                               \
	ROW_(n, JSON_OBJS, fl, .at = ROW_AT(T, m, const struct S *), ROW_COUNT(T, c),              \
	     .sub = &S##_type_)
#define ROW_NAMED(T, n, m, c, S, key)                                                              \
	ROW_(n, JSON_NAMED, 0, .at = ROW_AT(T, m, const struct S *), ROW_COUNT(T, c),              \
	     .key_at = ROW_AT(S, key, const char *), .sub = &S##_type_)

/* struct S is described by S_fields and checked by fn (or NULL): defines S_type_. */
#define TYPE(S, fn)                                                                                \
	_Static_assert(sizeof(S##_fields) / sizeof(S##_fields[0]) <= JSON_MAX_FIELDS, #S);         \
	static const struct json_type S##_type_ = {sizeof(struct S),                               \
						   sizeof(S##_fields) / sizeof(S##_fields[0]),     \
						   S##_fields, fn, false}
#define TYPE_CLOSED(S, fn)                                                                         \
	static const struct json_type S##_type_ = {sizeof(struct S),                               \
						   sizeof(S##_fields) / sizeof(S##_fields[0]),     \
						   S##_fields, fn, true}

#endif
