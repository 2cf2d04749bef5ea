#ifndef BRIG_CMD_SAFE_H
#define BRIG_CMD_SAFE_H

#include <stdbool.h>

#include "base/arena.h"

/*
 * Text that somebody else has chosen, for a terminal: control characters, what turns the direction
 * of writing or has no width, and what is not UTF-8 as escapes (\x1b \u202e), a backslash doubled.
 * json: the text is JSON, whose backslashes stand for themselves, and stays JSON.
 */
const char *safe_text(struct arena *a, const char *text, bool json);

#endif
