#ifndef BRIG_AUDIT_VERIFY_LINE_H
#define BRIG_AUDIT_VERIFY_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What a line is that audit_record_parse does not take: a look at its form alone, which needs no
 * memory but its own and says why as precisely as can be.
 */
enum line_form {
	LINE_OBJECT,    /* a JSON object */
	LINE_DUPLICATE, /* one with a key given twice, at any depth */
	LINE_OTHER,     /* not one: torn, damaged, foreign */
};
struct line_shape {
	enum line_form form;
	bool control;   /* bytes below a blank, or 0x7f: a writer escapes them */
	bool in_string; /* LINE_OTHER: it ends in the middle of a string */
	char twice[64]; /* LINE_DUPLICATE: the key, what is not a letter of ASCII as '?' */
	/* of the members with that name at the top, when they are whole numbers */
	bool has_v, has_seq;
	uint64_t v, seq;
};
void line_look(const char *text, size_t len, struct line_shape *out);

#endif
