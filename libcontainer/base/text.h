#ifndef BRIG_BASE_TEXT_H
#define BRIG_BASE_TEXT_H

#include <stddef.h>

#include "base/arena.h"

/* Text that grows, in an arena; a zeroed one but for its arena is empty, and s NULL then. */
struct text {
	struct arena *a;
	char *s; /* terminated */
	size_t len, room;
};

void text_add(struct text *t, const char *s, size_t n);
void text_addf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
