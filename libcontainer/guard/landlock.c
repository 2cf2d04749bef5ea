/*
 * Landlock for a sandbox: whatever writes to a file system is refused but below the writable
 * mount points.  Reading and executing are not handled: the mount namespace decides what is
 * there at all.
 *
 * Rights are added up over the path from the file to the root of the mount tree, over mount
 * points, as it is when the file is opened; so a rule on a mount point holds for what is
 * mounted there.  Pipes, sockets, memfds and message queues have no path, and are let through.
 */
#include "guard/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/inroot.h"
#include "base/own.h"
#include "guard/harden.h"
#include "guard/landlock_rules.h"

enum { CREATE_RULESET_VERSION = 1, RULE_PATH_BENEATH = 1 };
enum { SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0 }; /* 6, Linux 6.12 */

enum {
	FS_FILE = FS_WRITE_FILE | FS_TRUNCATE | FS_IOCTL_DEV, /* of what is no directory, too */
	FS_FIRST = FS_WRITE_FILE | FS_REMOVE_DIR | FS_REMOVE_FILE | FS_MAKE_CHAR | FS_MAKE_DIR |
		   FS_MAKE_REG | FS_MAKE_SOCK | FS_MAKE_FIFO | FS_MAKE_BLOCK | FS_MAKE_SYM,
};

/* What each version added to the accesses that write. */
static const struct {
	int abi;
	uint64_t access;
} versions[] = {
	{1, FS_FIRST    },
	{2, FS_REFER    },
	{3, FS_TRUNCATE },
	{5, FS_IOCTL_DEV},
};

struct beneath_attr {
	uint64_t access;
	int32_t parent;
} __attribute__((packed));

static int create_ruleset(const struct landlock_attr *attr, size_t size, uint32_t flags)
{
	return (int)syscall(SYS_landlock_create_ruleset, attr, size, flags);
}

int landlock_make(const struct landlock_attr *attr)
{
	return create_ruleset(attr, sizeof(*attr), 0);
}

int landlock_allow(int ruleset, int fd, uint64_t access)
{
	struct beneath_attr attr = {.access = access, .parent = fd};

	return (int)syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0);
}

int landlock_enter(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

int landlock_abi(void)
{
	int abi = fault_hides("landlock") ? 0 : create_ruleset(NULL, 0, CREATE_RULESET_VERSION);

	return abi > 0 ? abi : 0;
}

static uint64_t handled(int abi)
{
	uint64_t access = 0;

	for (size_t i = 0; i < LEN(versions); i++)
		if (abi >= versions[i].abi)
			access |= versions[i].access;
	return access;
}

static int allow_path(int ruleset, int root, const char *path, uint64_t access, struct err *e)
{
	own_fd int fd = inroot_open(root, path, O_PATH, 0, e);
	struct stat st;

	if (fd < 0)
		return err_wrap(e, "landlock");
	if (fstat(fd, &st) < 0)
		return err_set(e, errno, "landlock: %s", path);
	if (!S_ISDIR(st.st_mode))
		access &= FS_FILE;
	if (landlock_allow(ruleset, fd, access) < 0)
		return err_set(e, errno, "landlock: allow writing to %s", path);
	return 0;
}

/*
 * Standard output may be a file outside of the root, which is open already; programs open it
 * again as /dev/stdout.
 */
static void allow_standard(int ruleset, uint64_t access)
{
	for (int fd = 0; fd <= 2; fd++) {
		int flags = fcntl(fd, F_GETFL);

		/* EBADFD: a pipe or socket, which need no rule. */
		if (flags >= 0 && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY)
			(void)landlock_allow(ruleset, fd, access);
	}
}

static int fill(const struct harden_plan *p, int ruleset, int root, uint64_t access, struct err *e)
{
	static const char *const kernels[] = {"/dev", "/proc"};
	int r = 0;

	for (size_t i = 0; i < LEN(kernels) && r == 0; i++)
		r = allow_path(ruleset, root, kernels[i], access & FS_FILE, e);
	for (size_t i = 0; p->writable && p->writable[i] && r == 0; i++)
		r = allow_path(ruleset, root, p->writable[i], access, e);
	allow_standard(ruleset, access & FS_FILE);
	return r;
}

int harden_landlock(const struct harden_plan *p, int root, int *abi, struct err *e)
{
	int have = p->landlock == WANT_OFF ? 0 : landlock_abi();

	*abi = 0;
	if (p->landlock == WANT_OFF)
		return 0;
	if (!have && p->landlock == WANT_REQUIRED)
		return err_msg(e, ENOTSUP, "landlock: required, and the kernel has none");
	/* Version 1 refuses every rename and link from one directory to another. */
	if (have < 2 && p->landlock == WANT_BEST_EFFORT)
		return 0;
	struct landlock_attr attr = {.fs = handled(have)};
	if (p->scope && have >= 6)
		attr.scoped = SCOPE_ABSTRACT_UNIX_SOCKET;
	own_fd int ruleset = landlock_make(&attr);
	if (ruleset < 0)
		return err_set(e, errno, "landlock: make a ruleset");
	int r = fill(p, ruleset, root, attr.fs, e);
	if (r < 0)
		return r;
	if (landlock_enter(ruleset) < 0)
		return err_set(e, errno, "landlock: restrict the process");
	*abi = have;
	return 0;
}
