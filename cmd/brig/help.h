#ifndef BRIG_CMD_HELP_H
#define BRIG_CMD_HELP_H

#include <stdio.h>

#include "cmd/brig/command.h"

/* Help texts in runc's layout, made from the tables. */
void help_program(FILE *out, const char *program, const char *version);
void help_verb(FILE *out, const char *program, const struct verb *v);

#endif
