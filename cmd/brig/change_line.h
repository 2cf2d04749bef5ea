#ifndef BRIG_CMD_CHANGE_LINE_H
#define BRIG_CMD_CHANGE_LINE_H

#include <stdio.h>

#include "specs/change.h"

/* For people: A, C or D, type, mode, size, sha256 where there is one, path, target of a link. */
void change_line(FILE *out, const struct brig_change *c);

#endif
