#include "cmd/brig/table.h"

enum { MIN_WIDTH = 12, PADDING = 3 };

/* Characters of UTF-8 text: bytes that do not continue one. */
static size_t width(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80;
	return n;
}

static size_t column_width(const char *const *cells, size_t rows, size_t columns, size_t column)
{
	size_t widest = MIN_WIDTH;

	for (size_t row = 0; row < rows; row++) {
		size_t n = width(cells[row * columns + column]) + PADDING;

		widest = n > widest ? n : widest;
	}
	return widest;
}

void table_print(FILE *out, const char *const *cells, size_t rows, size_t columns)
{
	size_t widths[16] = {0};

	for (size_t i = 0; i + 1 < columns && i < sizeof(widths) / sizeof(*widths); i++)
		widths[i] = column_width(cells, rows, columns, i);
	for (size_t row = 0; row < rows; row++) {
		for (size_t i = 0; i < columns; i++) {
			const char *cell = cells[row * columns + i];
			int fill = i + 1 < columns ? (int)(widths[i] - width(cell)) : 0;

			fprintf(out, "%s%*s", cell, fill, "");
		}
		fputc('\n', out);
	}
}
