#include "touched.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"

/* Far more than every verb of some generations. */
enum { MOST = 4096 };

/* The verb of a line of that generation; NULL: it is another's, or none. */
static const char *verb_in(const char *line, uint64_t generation)
{
	char *end;
	bool ours = strtoull(line, &end, 10) == generation;

	return ours && end > line && *end == ' ' ? end + 1 : NULL;
}

const char *touched_by(struct arena *a, int dir, const struct brig_state *s)
{
	const char *last = NULL;
	struct err ignored;
	char *text = NULL, *rest = NULL;
	size_t len;
	int r = s->reuse ? file_read(a, dir, TOUCHED_FILE, MOST, &text, &len, &ignored) : -ENOENT;

	if (r == -ENOENT)
		return NULL;
	if (r < 0)
		return "somebody";
	for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		const char *verb = verb_in(line, s->reuse->generation);

		last = verb ? verb : last;
	}
	return last;
}

/*
 * Behind what is there, each on a line of its own: exec and kill hold no lock, and one that has
 * seen the generation before and is slow must not take away what was written of this one.
 */
int touched_note(int dir, const struct brig_state *s, const char *verb, struct err *e)
{
	own_arena struct arena a = {0};
	char text[64];

	if (!s->reuse || !str_eq(s->status, "created") || str_eq(touched_by(&a, dir, s), verb))
		return 0;
	int n = snprintf(text, sizeof(text), "\n%" PRIu64 " %s\n", s->reuse->generation, verb);
	own_fd int fd = openat(dir, TOUCHED_FILE,
			       O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	int r = fd < 0 ? -errno : file_write_all(fd, text, (size_t)n);
	return r < 0 ? err_set(e, -r, "write " TOUCHED_FILE) : 0;
}

void touched_check(struct arena *a, int dir, const struct brig_state *s, struct brig_report *out)
{
	const char *verb = touched_by(a, dir, s);
	const int64_t n = verb != NULL;

	report_add_check(a, out, "touched", &n, !verb, verb);
}
