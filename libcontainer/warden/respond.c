/*
 * What is done about a violation beside the answer to a call: the sandbox stands still for a while
 * (throttle) or for good (quarantine), or ends.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "warden/internal.h"

/* A tenth more for each second with violations, a tenth less for each without. */
enum { TENTHS_MAX = 9, NS_PER_MS = 1000000, TENTH_MS = 100 };
/* v1 stops half way when a task cannot be frozen just then (freezer-subsystem.rst). */
enum { AGAIN_MS = 10, TRIES_MAX = 200 };

int warden_freezer(struct warden *w, int fd, bool v1, struct err *e)
{
	if (w->still.fd >= 0)
		return err_msg(e, EALREADY, "warden: it has a freezer already");
	w->still.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	w->still.v1 = v1;
	return w->still.fd < 0 ? err_set(e, errno, "warden: freezer") : 0;
}

static void set_frozen(const struct still *s, bool freeze)
{
	const char *text = s->v1 ? (freeze ? "FROZEN" : "THAWED") : (freeze ? "1" : "0");

	/* The directory may be gone. */
	if (s->fd >= 0)
		(void)!write(s->fd, text, strlen(text));
}

/* Asked to, by whomever; *half: not all of it yet. */
static bool is_frozen(const struct still *s, bool *half)
{
	char text[32] = "";
	ssize_t n = s->fd < 0 ? -1 : pread(s->fd, text, sizeof(text) - 1, 0);

	*half = n > 0 && str_starts(text, "FREEZING");
	return n > 0 && (*half || *text == '1' || str_starts(text, "FROZEN"));
}

static void try_again(struct warden *w)
{
	struct still *s = &w->still;
	bool half;

	if (!is_frozen(s, &half) || !half || s->tries++ >= TRIES_MAX)
		return;
	set_frozen(s, true);
	clocks_set(&w->clocks, DUE_STILL, (uint64_t)AGAIN_MS * NS_PER_MS);
}

static void quarantine(struct warden *w)
{
	struct still *s = &w->still;
	bool half;

	if (s->quarantined && is_frozen(s, &half))
		return;
	s->quarantined = true;
	s->ours = false;
	s->tries = 0;
	tally_write(w, true);
	set_frozen(s, true);
	try_again(w);
}

bool respond_holds(const struct warden *w)
{
	bool half;

	return w->still.quarantined && is_frozen(&w->still, &half);
}

static void throttle(struct warden *w)
{
	struct still *s = &w->still;

	s->more = true;
	if (!s->quarantined && !w->clocks.due[DUE_STILL])
		respond_due(w);
}

/* A second begins, or the part of it is over for which it stands still. */
static void beat(struct warden *w)
{
	struct still *s = &w->still;
	bool half, frozen = is_frozen(s, &half);
	unsigned int ms = TENTH_MS * 10;

	if (s->ours) {
		set_frozen(s, false);
		s->ours = false;
		clocks_set(&w->clocks, DUE_STILL,
			   (uint64_t)(ms - s->tenths * TENTH_MS) * NS_PER_MS);
		return;
	}
	if (s->more && s->tenths < TENTHS_MAX)
		s->tenths++;
	else if (!s->more && s->tenths)
		s->tenths--;
	s->more = false;
	if (!s->tenths)
		return;
	/* What somebody else has paused is theirs to let go. */
	if (!frozen) {
		set_frozen(s, true);
		s->ours = true;
		ms = s->tenths * TENTH_MS;
	}
	clocks_set(&w->clocks, DUE_STILL, (uint64_t)ms * NS_PER_MS);
}

void respond_due(struct warden *w)
{
	if (w->end.reason || w->gone || w->still.fd < 0)
		return;
	if (w->still.quarantined)
		try_again(w);
	else
		beat(w);
}

void respond(struct warden *w, const struct attempt *t, enum violation_response r)
{
	/* Who makes a call waits for its answer. */
	bool is_call = t->class_ == VIOLATION_SYSCALL || t->class_ == VIOLATION_TERMINAL ||
		       t->class_ == VIOLATION_DENIED;

	if (w->gone)
		return;
	/* During a grace nothing is frozen that is to end. */
	if (r == RESPONSE_QUARANTINE && w->end.reason)
		r = RESPONSE_TERMINATE;
	if (r == RESPONSE_TERMINATE && w->doom < 0) {
		w->doom = t->class_;
		w->doom_name = arena_strdup(&w->tally.arena, t->name);
	} else if (r == RESPONSE_QUARANTINE) {
		quarantine(w);
	} else if (r == RESPONSE_THROTTLE && !is_call) {
		throttle(w);
	}
}
