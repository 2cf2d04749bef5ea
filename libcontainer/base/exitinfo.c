#include "base/exitinfo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sys.h"

/* linux/pidfd.h of 6.15; Debian 12 has that of 6.1. */
struct pidfd_facts {
	uint64_t mask, cgroup;
	uint32_t pid, tgid, ppid, ids[8];
	int32_t exit_code;
};
#define PIDFD_FACTS      _IOWR(0xFF, 11, struct pidfd_facts)
#define PIDFD_FACTS_EXIT (UINT64_C(1) << 3)
_Static_assert(sizeof(struct pidfd_facts) == 64, "PIDFD_INFO_SIZE_VER0");

static struct exit_info told(int status)
{
	return (struct exit_info){.known = true, .status = status};
}

enum { STEP_MS = 5 };

/* 1: a child of ours, now reaped. */
static int reap(int pidfd, struct exit_info *out)
{
	siginfo_t si = {0};

	if (waitid(P_PIDFD, (id_t)pidfd, &si, WEXITED | WNOHANG) < 0 || si.si_pid == 0)
		return 0;
	*out = told(si.si_code == CLD_EXITED   ? (si.si_status & 0xff) << 8
		    : si.si_code == CLD_DUMPED ? (si.si_status & 0x7f) | 0x80
					       : si.si_status & 0x7f);
	return 1;
}

/* 1: told; 0: not yet, its parent has not reaped it; -errno: this kernel never does. */
static int ask_pidfd(int pidfd, struct exit_info *out)
{
	struct pidfd_facts f = {.mask = PIDFD_FACTS_EXIT};

	if (ioctl(pidfd, PIDFD_FACTS, &f) < 0)
		return -errno;
	if (!(f.mask & PIDFD_FACTS_EXIT))
		return 0;
	*out = told(f.exit_code);
	return 1;
}

/* Without the right the kernel writes 0 for the code (fs/proc/array.c, permitted). */
static bool may_trace(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[_LINUX_CAPABILITY_U32S_3] = {0};

	return syscall(SYS_capget, &h, d) == 0 && d[0].effective & 1U << CAP_SYS_PTRACE;
}

/* Field 52, the code, is the last; field 3, the state, comes after the name's last bracket. */
static int read_zombie(int pidfd, pid_t pid, struct exit_info *out)
{
	char path[64], text[1024];

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	if (pid <= 0 || !may_trace() || file_peek(AT_FDCWD, path, text, sizeof(text)) < 0)
		return 0;
	const char *state = strrchr(text, ')'), *code = strrchr(text, ' ');
	/* The number is still the one of pidfd: as long as that is there nobody else has it. */
	if (!state || strncmp(state, ") Z ", 4) != 0 || !code ||
	    sys_pidfd_send_signal(pidfd, 0) < 0)
		return 0;
	*out = told((int)strtol(code, NULL, 10));
	return 1;
}

struct exit_info exit_info_of(int pidfd, pid_t pid, int ms)
{
	struct pollfd p = {.fd = pidfd}; /* no events: the hang-up comes when it is reaped */
	struct exit_info x = {.unknown = "it runs"};

	if (reap(pidfd, &x))
		return x;
	int r = ask_pidfd(pidfd, &x);
	if (r > 0 || read_zombie(pidfd, pid, &x))
		return x;
	if (r < 0) {
		x.unknown = "it is another's child, and the kernel does not tell (Linux 6.15)";
		return x;
	}
	/* Its parent may also end without reaping it, and leave it to us. */
	for (int waited = 0; waited < ms; waited += STEP_MS) {
		int gone = poll(&p, 1, STEP_MS < ms - waited ? STEP_MS : ms - waited);

		if (reap(pidfd, &x) || ask_pidfd(pidfd, &x) > 0)
			return x;
		if (gone > 0)
			break;
	}
	x.unknown = "it is another's child, which has not reaped it";
	return x;
}
