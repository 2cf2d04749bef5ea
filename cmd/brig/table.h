#ifndef BRIG_CMD_TABLE_H
#define BRIG_CMD_TABLE_H

#include <stddef.h>
#include <stdio.h>

/*
 * Prints cells (rows of columns strings) as callers of runc parse them: a column is as wide
 * as its longest cell and 3 blanks, at least 12; the last one is not filled up.
 */
void table_print(FILE *out, const char *const *cells, size_t rows, size_t columns);

#endif
