/*
 * A lease that has run out ends what was started under it.  Its holder may move the end, only to a
 * later time, so it is read again when that time has come.
 */
#include <time.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "specs/lease.h"
#include "warden/internal.h"

/* What holds now; 0: it is over, given back, or cannot be believed.  *text: the file, as far as it
 * is one. */
static uint64_t left_ns(const struct warden *w, struct arena *a, char **text, size_t *len)
{
	struct brig_lease l;
	struct timespec now;
	struct err ignored;

	*text = NULL;
	(void)clock_gettime(CLOCK_BOOTTIME, &now);
	if (file_read(a, w->dir, "lease.json", LEASE_MAX_BYTES, text, len, &ignored) < 0 ||
	    lease_parse(a, *text, *len, &l, &ignored) < 0 || !l.token) {
		*text = NULL;
		return 0;
	}
	return lease_left_ns(
		&l, (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec, NULL);
}

void lease_work(struct warden *w)
{
	own_arena struct arena a = {0};
	bool ends = !w->end.reason;
	char *text;
	size_t len;
	uint64_t left = left_ns(w, &a, &text, &len);

	/* While the machine sleeps CLOCK_MONOTONIC stands still: that is late, never early. */
	if (left) {
		clocks_set(&w->clocks, DUE_LEASE, left);
		return;
	}
	warden_limit(w, "lease", false);
	/* One that was given back has told of that itself. */
	if (text && ends && str_eq(w->end.reason, "lease"))
		tally_lease(w, text, len);
}
