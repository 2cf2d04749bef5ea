/* What a reset makes of a look: taint is for what is left over, or may be. */
#include "base/own.h"
#include "check.h"
#include "verify.h"

static const int64_t one = 1, none = 0;

static struct report_check row(const char *name, const int64_t *value)
{
	return (struct report_check){.name = name, .value = value, .limit = &none};
}

static enum verify_found of(struct report_check x, struct report_check y, bool ended)
{
	const struct report_check checks[] = {
		{.name = "pids", .value = &none, .limit = &none, .ok = true},
		x,
		y,
	};
	const struct brig_report r = {.checks = checks, .n_checks = LEN(checks)};

	return verify_judge(&r, ended);
}

static enum verify_found alone(const char *name, const int64_t *value, bool ended)
{
	const struct report_check fine = {.name = "keys", .value = &none, .ok = true};

	return of(row(name, value), fine, ended);
}

static void test_alive(void)
{
	CHECK(alone("strangers", &one, false) == VERIFY_RESIDUE);
	CHECK(alone("fingerprint", NULL, false) == VERIFY_RESIDUE);
	CHECK(alone("warden_lost", &one, false) == VERIFY_RESIDUE);
	CHECK(alone("state_files", &one, false) == VERIFY_RESIDUE);
	CHECK(alone("touched", &one, false) == VERIFY_TOUCHED);
	CHECK(alone("sockets", NULL, false) == VERIFY_UNKNOWN);
	CHECK(alone("unreadable", &one, false) == VERIFY_UNKNOWN);
	/* What could not be read is in the fingerprint; what was found is there whatever else is.
	 */
	CHECK(of(row("fingerprint", NULL), row("unreadable", &one), false) == VERIFY_UNKNOWN);
	CHECK(of(row("sockets", NULL), row("ipc", &one), false) == VERIFY_RESIDUE);
	CHECK(of(row("touched", &one), row("mounts", &one), false) == VERIFY_RESIDUE);
	CHECK(of(row("touched", &one), row("fingerprint", NULL), false) == VERIFY_RESIDUE);
	CHECK(of(row("touched", &one), row("locks", NULL), false) == VERIFY_UNKNOWN);
}

/* An end explains what cannot be asked any more, and its warden's; not what others left. */
static void test_ended(void)
{
	CHECK(alone("fingerprint", NULL, true) == VERIFY_ENDED);
	CHECK(alone("descriptors", NULL, true) == VERIFY_ENDED);
	CHECK(of(row("warden_lost", &one), row("state_files", &one), true) == VERIFY_ENDED);
	CHECK(of(row("unreadable", &one), row("fingerprint", NULL), true) == VERIFY_ENDED);
	CHECK(of(row("fingerprint", NULL), row("strangers", &one), true) == VERIFY_RESIDUE);
	CHECK(of(row("keys", &one), row("touched", &one), true) == VERIFY_RESIDUE);
	CHECK(of(row("pids", &one), row("warden_lost", &one), true) == VERIFY_RESIDUE);
}

int main(void)
{
	test_alive();
	test_ended();
	return check_done();
}
