#include "guard/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/own.h"
#include "base/str.h"
#include "guard/landlock.h"

/* linux/prctl.h of 6.1 does not have them yet (Linux 6.3). */
#ifndef PR_SET_MDWE
#define PR_SET_MDWE              65
#define PR_GET_MDWE              66
#define PR_MDWE_REFUSE_EXEC_GAIN 1
#endif
/* linux/pid.h: whose cookie, and for whom. */
enum { PIDTYPE_PID = 0, PIDTYPE_TGID = 1 };

/* --- What the host has ------------------------------------------------------------------ */

static bool smt_active(void)
{
	char text[4];

	return file_peek(AT_FDCWD, "/sys/devices/system/cpu/smt/active", text, sizeof(text)) > 0 &&
	       text[0] == '1';
}

static bool core_scheduling_built(void)
{
	unsigned long cookie;

	/* ENODEV: built in, but no CPU has a sibling. */
	return prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, 0, PIDTYPE_PID, &cookie) == 0 ||
	       errno == ENODEV;
}

static bool per_task(unsigned long control)
{
	int state = prctl(PR_GET_SPECULATION_CTRL, control, 0, 0, 0);

	return state > 0 && (unsigned int)state & PR_SPEC_PRCTL;
}

static bool may_raise_limits(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	return syscall(SYS_capget, &head, data) == 0 && data[0].effective & 1U << CAP_SYS_RESOURCE;
}

static bool core_limit_settable(void)
{
	struct rlimit old;

	return getrlimit(RLIMIT_CORE, &old) == 0 && (old.rlim_max > 0 || may_raise_limits());
}

/* Of sysctls that are no namespace's own, procfs looks at the user id, not at capabilities.  One
 * that is read-only here is not in brig's own procfs. */
static bool may_write(const char *sysctl)
{
	return faccessat(AT_FDCWD, sysctl, W_OK, AT_EACCESS) == 0 || errno == EROFS;
}

void harden_probe(struct harden_host *out)
{
	*out = (struct harden_host){
		.landlock_abi = landlock_abi(),
		.mdwe = !fault_hides("mdwe") && prctl(PR_GET_MDWE, 0, 0, 0, 0) >= 0,
		.speculation_ssb = per_task(PR_SPEC_STORE_BYPASS),
		.speculation_ib = per_task(PR_SPEC_INDIRECT_BRANCH),
		.core_scheduling = core_scheduling_built(),
		.memfd_noexec =
			!fault_hides("memfd_noexec") && may_write("/proc/sys/vm/memfd_noexec"),
		.core_one = core_limit_settable(),
	};
	out->smt = out->core_scheduling && smt_active();
}

/* --- What of it is missing --------------------------------------------------------------- */

static bool no_landlock(const struct harden_plan *p, const struct harden_host *h)
{
	return p->landlock != WANT_OFF && h->landlock_abi < (p->landlock == WANT_REQUIRED ? 1 : 2);
}
static bool no_scope(const struct harden_plan *p, const struct harden_host *h)
{
	return p->landlock != WANT_OFF && p->scope && h->landlock_abi > 1 && h->landlock_abi < 6;
}
static bool no_mdwe(const struct harden_plan *p, const struct harden_host *h)
{
	return p->mdwe && !h->mdwe;
}
static bool no_speculation(const struct harden_plan *p, const struct harden_host *h)
{
	return p->speculation && !h->speculation_ssb && !h->speculation_ib;
}
static bool no_core_scheduling(const struct harden_plan *p, const struct harden_host *h)
{
	return p->core_scheduling && !h->core_scheduling;
}
static bool no_memfd_noexec(const struct harden_plan *p, const struct harden_host *h)
{
	return p->memfd_noexec && !h->memfd_noexec;
}
static bool no_core_one(const struct harden_plan *p, const struct harden_host *h)
{
	return p->core_one && !h->core_one;
}

static const struct {
	struct harden_gap gap;
	bool (*missing)(const struct harden_plan *, const struct harden_host *);
} rows[] = {
	{{"landlock", "the kernel has none, or only version 1",
	  "a kernel from 5.19 on with CONFIG_SECURITY_LANDLOCK and landlock in the boot parameter "
	  "lsm="},
	 no_landlock											  },
	{{"landlock-scope", "the kernel's Landlock cannot keep abstract UNIX sockets inside",
	  "Linux 6.12"},
	 no_scope											     },
	{{"mdwe", "the kernel has no PR_SET_MDWE", "Linux 6.3"},                                       no_mdwe},
	{{"speculation", "this CPU or its mitigations leave nothing to switch for a process",
	  "see /sys/devices/system/cpu/vulnerabilities and the boot parameter mitigations="},
	 no_speculation										       },
	{{"core-scheduling", "the kernel has no PR_SCHED_CORE",
	  "a kernel with CONFIG_SCHED_CORE, or SMT off"},
	 no_core_scheduling										   },
	{{"memfd-noexec",
	  "the kernel has no vm.memfd_noexec of a pid namespace, or only the host's root may set "
	  "it",
	  "Linux 6.3, and brig started by root"},

	 no_memfd_noexec										      },
	{{"core-limit", "the hard limit of core files is 0 already, which a pipe handler ignores",
	  "a hard limit of 1 or more for brig, or no pipe in kernel.core_pattern"},
	 no_core_one											  },
};

const struct harden_gap *harden_missing(const struct harden_plan *p, const struct harden_host *h,
					size_t i)
{
	for (size_t row = 0; row < LEN(rows); row++)
		if (rows[row].missing(p, h) && i-- == 0)
			return &rows[row].gap;
	return NULL;
}

int harden_check(const struct harden_plan *p, const struct harden_host *h, struct err *e)
{
	const struct harden_gap *landlock = &rows[0].gap;

	if (p->exec.limited && !h->landlock_abi)
		return err_msg(e, ENOTSUP,
			       "grants exec:deny, exec:allow: landlock is required, but the kernel "
			       "has none: %s",
			       landlock->remedy);
	if (p->landlock == WANT_REQUIRED && no_landlock(p, h))
		return err_msg(e, ENOTSUP, "landlock is required, but the kernel has none: %s",
			       landlock->remedy);
	return 0;
}

/* --- What a process does to itself ------------------------------------------------------- */

/*
 * With a pipe in kernel.core_pattern the kernel starts the host's handler whatever the limit is,
 * but for the value 1 (core(5)); 0 hands it the memory of an attacker.
 */
static int limit_core(struct err *e)
{
	static const struct rlimit one = {1, 1};

	if (setrlimit(RLIMIT_CORE, &one) == 0)
		return 0;
	if (errno != EPERM)
		return err_set(e, errno, "set RLIMIT_CORE to 1");
	/* The hard limit is 0 and cannot be raised. */
	log_debug("RLIMIT_CORE stays 0: the hard limit is");
	return 0;
}

static int no_speculation_by(unsigned long control, const char *name, struct err *e)
{
	int state = prctl(PR_GET_SPECULATION_CTRL, control, 0, 0, 0);

	if (state < 0 || !((unsigned int)state & PR_SPEC_PRCTL) ||
	    (unsigned int)state & PR_SPEC_FORCE_DISABLE)
		return 0;
	if (prctl(PR_SET_SPECULATION_CTRL, control, PR_SPEC_FORCE_DISABLE, 0, 0) < 0)
		return err_set(e, errno, "disable speculation (%s)", name);
	return 0;
}

static int own_core(struct err *e)
{
	if (prctl(PR_SCHED_CORE, PR_SCHED_CORE_CREATE, 0, PIDTYPE_TGID, 0) == 0)
		return 0;
	/* Not built in, or nobody to share a core with. */
	if (errno == EINVAL || errno == ENODEV)
		return 0;
	return err_set(e, errno, "make a core scheduling cookie");
}

int harden_join_core(const struct harden_plan *p, pid_t init, struct err *e)
{
	if (!p->core_scheduling ||
	    prctl(PR_SCHED_CORE, PR_SCHED_CORE_SHARE_FROM, init, PIDTYPE_PID, 0) == 0)
		return 0;
	if (errno == EINVAL || errno == ENODEV)
		return 0;
	return err_set(e, errno, "take the core scheduling cookie of process %d", (int)init);
}

int harden_process(const struct harden_plan *p, struct err *e)
{
	int r = 0;

	if (p->core_one)
		r = limit_core(e);
	if (r == 0 && p->speculation)
		r = no_speculation_by(PR_SPEC_STORE_BYPASS, "store bypass", e);
	if (r == 0 && p->speculation)
		r = no_speculation_by(PR_SPEC_INDIRECT_BRANCH, "indirect branches", e);
	if (r == 0 && p->core_scheduling)
		r = own_core(e);
	if (r < 0)
		return r;
	/* EINVAL: before Linux 6.3; the plan has recorded it. */
	if (p->mdwe && prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) < 0 && errno != EINVAL)
		return err_set(e, errno, "refuse writable memory to become executable (mdwe)");
	return 0;
}

int harden_securebits(const struct harden_plan *p, struct err *e)
{
	static const unsigned int locked = SECBIT_NOROOT | SECBIT_NOROOT_LOCKED |
					   SECBIT_NO_SETUID_FIXUP_LOCKED | SECBIT_KEEP_CAPS_LOCKED |
					   SECBIT_NO_CAP_AMBIENT_RAISE |
					   SECBIT_NO_CAP_AMBIENT_RAISE_LOCKED;

	if (!p->securebits)
		return 0;
	int now = prctl(PR_GET_SECUREBITS, 0, 0, 0, 0);
	/* What is set stays: a bit that is locked already cannot be given another value. */
	if (now < 0 || prctl(PR_SET_SECUREBITS, (unsigned int)now | locked, 0, 0, 0) < 0)
		return err_set(e, errno, "lock securebits");
	return 0;
}
