#include "base/path.h"

#include <string.h>

char *path_clean(struct arena *a, const char *path)
{
	char *out = arena_new(a, strlen(path) + 2), *end = out;

	for (const char *s = path; *s;) {
		s += strspn(s, "/");
		size_t n = strcspn(s, "/");

		if (n == 2 && s[0] == '.' && s[1] == '.') {
			while (end > out && *--end != '/')
				;
		} else if (n && !(n == 1 && s[0] == '.')) {
			*end++ = '/';
			memcpy(end, s, n);
			end += n;
		}
		s += n;
	}
	*end = '\0';
	if (end == out)
		memcpy(out, "/", 2);
	return out;
}
