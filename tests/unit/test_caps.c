/* Capability words, and what the kernel says of a child after the plan is applied. */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "base/str.h"
#include "check.h"
#include "guard/caps.h"
#include "guard/creds.h"

#define BIT(c) (UINT64_C(1) << (c))

static uint64_t status_field(const char *field)
{
	char line[256];
	unsigned long long value = 0;
	FILE *f = fopen("/proc/self/status", "re");

	while (f && fgets(line, sizeof(line), f))
		if (str_starts(line, field))
			sscanf(line + strlen(field) + 1, "%llx", &value);
	if (f)
		fclose(f);
	return value;
}

/* Runs body in a child; its failed checks become the parent's one. */
#define IN_CHILD(body)                                                                             \
	do {                                                                                       \
		fflush(NULL);                                                                      \
		pid_t pid_ = fork();                                                               \
		int st_ = 1;                                                                       \
		if (pid_ == 0) {                                                                   \
			checks_failed = 0;                                                         \
			body;                                                                      \
			_exit(checks_failed != 0);                                                 \
		}                                                                                  \
		waitpid(pid_, &st_, 0);                                                            \
		CHECK(st_ == 0);                                                                   \
	} while (0)

static void words(void)
{
	const char *const known[] = {"CAP_CHOWN", "CAP_KILL", NULL};
	const char *const odd[] = {"CAP_KILL", "CHOWN", "cap_chown", "CAP_UNKNOWN", "",
				   "5",        "CAP_5", "CAP_",      "CAP_CHOWN ",  NULL};
	struct oci_capabilities c = {
		.bounding = known, .n_bounding = 2, .permitted = odd, .n_permitted = 9};
	struct caps_plan p;
	struct err e;

	CHECK(caps_plan_make(&c, &p, &e) == 0);
	CHECK(p.bounding == (BIT(CAP_CHOWN) | BIT(CAP_KILL)));
	CHECK(p.permitted == BIT(CAP_KILL));
	CHECK(p.effective == 0 && p.inheritable == 0 && p.ambient == 0);
	CHECK(caps_plan_add(&p, "CAP_SYS_TIME", &e) == 0);
	CHECK(p.permitted == (BIT(CAP_KILL) | BIT(CAP_SYS_TIME)));
	CHECK(p.effective == BIT(CAP_SYS_TIME) && p.inheritable == 0 && p.ambient == 0);
	CHECK(caps_plan_add(&p, "CAP_NOPE", &e) == -EINVAL);
	CHECK(caps_plan_add(&p, "cap_kill", &e) == -EINVAL);
	CHECK(caps_plan_make(NULL, &p, &e) == 0 && p.bounding == 0 && p.permitted == 0);
}

static void inheritable_only_for_ambient(void)
{
	const char *const two[] = {"CAP_CHOWN", "CAP_KILL", NULL};
	const char *const one[] = {"CAP_KILL", NULL};
	struct oci_capabilities c = {
		.bounding = two, .n_bounding = 2, .inheritable = two, .n_inheritable = 2};
	struct caps_plan p;
	struct err e;

	CHECK(caps_plan_make(&c, &p, &e) == 0 && p.inheritable == 0);
	c.ambient = one;
	c.n_ambient = 1;
	CHECK(caps_plan_make(&c, &p, &e) == 0 && p.inheritable == BIT(CAP_KILL));
	c.bounding = NULL;
	c.n_bounding = 0;
	CHECK(caps_plan_make(&c, &p, &e) == 0 && p.inheritable == 0);
}

static void list(void)
{
	struct arena a = {0};
	const char *const *names = caps_names(&a);
	size_t n = 0;

	for (; names[n]; n++)
		CHECK(n == 0 || strcmp(names[n - 1], names[n]) < 0);
	CHECK(n >= 41);
	CHECK_STR(names[0], "CAP_AUDIT_CONTROL");
	CHECK(caps_last() >= 40 && caps_last() < 64);
	CHECK(prctl(PR_CAPBSET_READ, caps_last()) >= 0);
	CHECK(prctl(PR_CAPBSET_READ, caps_last() + 1) < 0);
	arena_free(&a);
}

static void applied(uint32_t uid)
{
	struct caps_plan p = {.bounding = BIT(CAP_CHOWN) | BIT(CAP_KILL),
			      .permitted = BIT(CAP_CHOWN) | BIT(CAP_KILL),
			      .effective = BIT(CAP_CHOWN),
			      .inheritable = BIT(CAP_KILL),
			      .ambient = BIT(CAP_KILL) | BIT(CAP_CHOWN)};
	struct creds_plan user = {.uid = uid, .gid = uid};
	struct err e;

	CHECK(caps_drop_bounding(&p, &e) == 0);
	CHECK(creds_apply(&user, &e) == 0);
	CHECK(caps_apply(&p, &e) == 0);
	CHECK(status_field("CapBnd:") == p.bounding);
	CHECK(status_field("CapPrm:") == p.permitted);
	CHECK(status_field("CapEff:") == p.effective);
	CHECK(status_field("CapInh:") == BIT(CAP_KILL));
	CHECK(status_field("CapAmb:") == BIT(CAP_KILL)); /* CHOWN is not inheritable: warned */
	CHECK(prctl(PR_GET_KEEPCAPS) == 0);
}

static void nothing(void)
{
	struct caps_plan p = {0};
	struct err e;

	CHECK(caps_drop_bounding(&p, &e) == 0);
	CHECK(caps_apply(&p, &e) == 0);
	CHECK(status_field("CapBnd:") == 0 && status_field("CapPrm:") == 0);
	CHECK(status_field("CapEff:") == 0 && status_field("CapInh:") == 0);
	/* All is gone, also for a second time; and nothing can be taken out of the bounding set. */
	CHECK(caps_drop_bounding(&p, &e) == 0);
}

static void more_than_there_is(void)
{
	struct caps_plan less = {
		.bounding = ~UINT64_C(0), .permitted = BIT(CAP_KILL), .effective = BIT(CAP_KILL)};
	struct caps_plan more = {.bounding = BIT(CAP_KILL),
				 .permitted = BIT(CAP_KILL) | BIT(CAP_CHOWN),
				 .effective = BIT(CAP_KILL) | BIT(CAP_CHOWN)};
	struct err e;

	CHECK(caps_apply(&less, &e) == 0);
	/* Without CAP_SETPCAP the bounding set cannot shrink, and that is said. */
	CHECK(caps_drop_bounding(&more, &e) == -EPERM);
	CHECK(strstr(e.msg, "drop CAP_CHOWN from the bounding set") != NULL);
	CHECK(caps_apply(&more, &e) == 0);
	CHECK(status_field("CapPrm:") == BIT(CAP_KILL));
}

int main(void)
{
	log_setup(-1, LOG_TEXT, LOG_LEVEL_ERROR);
	words();
	inheritable_only_for_ambient();
	list();
	if (geteuid() != 0) {
		printf("# not root: what needs privilege was left out\n");
		return check_done();
	}
	IN_CHILD(applied(0));
	IN_CHILD(applied(1000));
	IN_CHILD(nothing());
	IN_CHILD(more_than_there_is());
	return check_done();
}
