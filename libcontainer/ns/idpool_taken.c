#include "ns/idpool_taken.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/own.h"

/*
 * All four are lines of fields with ':' between them.  first: the field with an id; then: the
 * field with another id, or with a count (ranged); 0: none.
 */
static const struct id_file {
	const char *name;
	unsigned int first, then;
	bool ranged;
} files[] = {
	{"passwd", 2, 3, false},
	{"group",  2, 0, false},
	{"subuid", 1, 2, true },
	{"subgid", 1, 2, true },
};

/* Where in a file the reader is: it comes in pieces, and a line is of any length. */
struct reader {
	unsigned int field;
	uint64_t number; /* of this field */
	bool any, bad;   /* it has digits; it has something else or is too big */
	uint64_t first, then;
	bool has_first, has_then;
};

static void mark(struct idpool_taken *t, uint64_t first, uint64_t count)
{
	uint64_t end = first + count, pool_end = t->first + (uint64_t)t->slots * IDPOOL_STRIDE;

	if (first < t->first)
		first = t->first;
	if (end > pool_end)
		end = pool_end;
	if (first >= end)
		return;
	uint64_t last = (end - 1 - t->first) / IDPOOL_STRIDE;
	for (uint64_t slot = (first - t->first) / IDPOOL_STRIDE; slot <= last; slot++)
		t->bits[slot / 64] |= UINT64_C(1) << slot % 64;
}

static void end_field(struct reader *r, const struct id_file *f)
{
	bool fits = r->any && !r->bad;

	if (r->field == f->first) {
		r->has_first = fits;
		r->first = r->number;
	} else if (f->then && r->field == f->then) {
		r->has_then = fits;
		r->then = r->number;
	}
	r->field++;
	r->number = 0;
	r->any = r->bad = false;
}

static void end_line(struct reader *r, const struct id_file *f, struct idpool_taken *t)
{
	end_field(r, f);
	if (f->ranged && r->has_first && r->has_then)
		mark(t, r->first, r->then);
	if (!f->ranged && r->has_first)
		mark(t, r->first, 1);
	if (!f->ranged && r->has_then)
		mark(t, r->then, 1);
	*r = (struct reader){0};
}

static void one_char(struct reader *r, char c)
{
	if (c < '0' || c > '9') {
		r->bad = true;
		return;
	}
	r->any = true;
	r->number = r->number * 10 + (uint64_t)(c - '0');
	if (r->number > UINT32_MAX) {
		r->bad = true;
		r->number = 0;
	}
}

static int read_one(struct idpool_taken *t, int dir, const struct id_file *f, const char *etc,
		    struct err *e)
{
	own_fd int fd = openat(dir, f->name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct reader r = {0};
	char buf[8192];

	if (fd < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "open %s/%s", etc, f->name);
	while (true) {
		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_set(e, errno, "read %s/%s", etc, f->name);
		if (n == 0)
			break;
		for (ssize_t i = 0; i < n; i++) {
			if (buf[i] == '\n')
				end_line(&r, f, t);
			else if (buf[i] == ':')
				end_field(&r, f);
			else
				one_char(&r, buf[i]);
		}
	}
	end_line(&r, f, t);
	return 0;
}

int idpool_taken_read(struct idpool_taken *t, const char *etc, struct err *e)
{
	own_fd int dir = open(etc, O_PATH | O_DIRECTORY | O_CLOEXEC);

	memset(t->bits, 0, sizeof(t->bits));
	if (dir < 0)
		return errno == ENOENT ? 0 : err_set(e, errno, "open %s", etc);
	for (size_t i = 0; i < LEN(files); i++) {
		int r = read_one(t, dir, &files[i], etc, e);

		if (r < 0)
			return r;
	}
	return 0;
}
