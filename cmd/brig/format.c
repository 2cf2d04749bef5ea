#include "cmd/brig/format.h"

#include <errno.h>

#include "base/str.h"

int format_read(const char *word, bool *json, struct err *e)
{
	*json = str_eq(word, "json");
	if (*json || str_eq(word, "table"))
		return 0;
	return err_msg(e, EINVAL, "invalid format option");
}
