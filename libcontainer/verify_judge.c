/*
 * What a reset makes of its look at the next generation.  Taint is for good, so it is for what is
 * left over, and for what nobody can tell apart from it; not for what the kernel, or brig's own
 * record, says has happened to the new one.  Whatever it is, nobody gets one that is not clean.
 */
#include <errno.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "verify.h"

enum { LOOKS = 3, PAUSE_MS = 50, DYING_MS = 200 };

/* What its warden and its name service do when it ends: they end, too, and write that down. */
static bool follows_its_end(const char *row)
{
	static const char *const rows[] = {"warden_lost", "resolver_lost", "state_files"};

	for (size_t i = 0; i < LEN(rows); i++)
		if (str_eq(row, rows[i]))
			return true;
	return false;
}

enum verify_found verify_judge(const struct brig_report *r, bool ended)
{
	bool differs = false, follows = false, unknown = false, touched = false;

	for (const struct report_check *c = r->checks; c < r->checks + r->n_checks; c++) {
		if (c->ok)
			continue;
		if (str_eq(c->name, "fingerprint"))
			differs = true;
		else if (str_eq(c->name, "touched"))
			touched = true;
		else if (follows_its_end(c->name))
			follows = true;
		else if (!c->value || str_eq(c->name, "unreadable"))
			unknown = true;
		else
			return VERIFY_RESIDUE;
	}
	if (ended)
		return VERIFY_ENDED;
	/* What could not be read makes another fingerprint. */
	if (follows || (differs && !unknown))
		return VERIFY_RESIDUE;
	if (unknown)
		return VERIFY_UNKNOWN;
	return touched ? VERIFY_TOUCHED : VERIFY_RESIDUE;
}

/* Only where the kernel says so; one that is about to gets the time. */
static bool has_ended(const struct brig_state *s)
{
	own_fd int fd = sys_pidfd_open((pid_t)s->pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	if (fd < 0)
		return errno == ESRCH;
	return poll(&p, 1, DYING_MS) == 1 && p.revents & POLLIN;
}

static enum verify_found judge(const struct verify *v, const struct brig_report *r)
{
	if (r->clean)
		return VERIFY_CLEAN;
	return verify_judge(r, !r->fingerprint || has_ended(v->state));
}

int verify_look_again(struct verify *v, struct brig_report *out, enum verify_found *found,
		      struct err *e)
{
	const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000};

	for (int looks = 0;; looks++) {
		if (verify_look(v, out, e) < 0)
			return -e->code;
		*found = judge(v, out);
		if (*found != VERIFY_UNKNOWN || looks == LOOKS - 1)
			return 0;
		(void)nanosleep(&pause, NULL);
		/* All of it: what was seen before is not put beside what is seen now. */
		v->shell = NULL;
	}
}
