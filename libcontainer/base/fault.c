#include "base/fault.h"

#include <stdlib.h>
#include <string.h>

#ifdef BRIG_FAULT
bool fault_hides(const char *mechanism)
{
	const char *at = getenv("BRIG_FAULT_HIDE");
	size_t n = strlen(mechanism);

	for (; at && *at; at += strspn(at, ",")) {
		size_t len = strcspn(at, ",");

		if (len == n && strncmp(at, mechanism, n) == 0)
			return true;
		at += len;
	}
	return false;
}
#endif
