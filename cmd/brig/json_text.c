#include "cmd/brig/json_text.h"

#include <ctype.h>
#include <stdbool.h>

void json_one_line(char *text)
{
	bool in_string = false;
	char *out = text;

	for (; *text; text++) {
		if (*text == '"')
			in_string = !in_string;
		if (!in_string && isspace((unsigned char)*text))
			continue;
		*out++ = *text;
		if (in_string && *text == '\\' && text[1])
			*out++ = *++text;
	}
	*out = '\0';
}
