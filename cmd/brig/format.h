#ifndef BRIG_CMD_FORMAT_H
#define BRIG_CMD_FORMAT_H

#include <stdbool.h>

#include "base/err.h"

/* The value of --format: table or json. */
int format_read(const char *word, bool *json, struct err *e) MUST_CHECK;

#endif
