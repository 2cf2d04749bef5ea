#ifndef BRIG_SPECS_JSON_TEXT_H
#define BRIG_SPECS_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Length of the UTF-8 sequence at s, 0 if there is none: RFC 3629, so neither overlong forms
 * nor surrogates nor what is above U+10FFFF.  Reads no further than the first wrong byte.
 */
size_t utf8_sequence(const char *s);
/* Whether n bytes, followed by a NUL, are UTF-8. */
bool utf8_valid(const char *s, size_t n);

/*
 * The first \u escape of a JSON text that is half a surrogate pair, NULL: none.  yajl reads
 * such a half as "?" or joins it with what follows, so the string would not be the one that
 * other readers of the document see.
 */
const char *json_half_pair(const char *json, size_t len);

#endif
