/* Probes of `doctor`: what the kernel lets a runtime do. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/inroot.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "doctor.h"
#include "net/egress.h"
#include "ns/idmap.h"

enum { OLDEST_MAJOR = 5, OLDEST_MINOR = 15, OLD_DAYS = 180, SECONDS_OF_DAY = 24 * 60 * 60 };

struct finding doctor_kernel(struct doctor *d)
{
	struct utsname uts;
	unsigned int major, minor;

	if (uname(&uts) < 0 || sscanf(uts.release, "%u.%u", &major, &minor) != 2)
		return (struct finding){FOUND_UNKNOWN, "no version that can be read"};
	return found(major > OLDEST_MAJOR || (major == OLDEST_MAJOR && minor >= OLDEST_MINOR),
		     arena_strdup(d->a, uts.release));
}

/* --- age ----------------------------------------------------------------------------------- */

/* Days since 1970 of a date of the Gregorian calendar; timegm reads no time zone. */
static long day_of(int year, int month, int day)
{
	struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};

	return (long)(timegm(&tm) / SECONDS_OF_DAY);
}

/* Debian: "#1 SMP PREEMPT_DYNAMIC Debian 6.1.140-1 (2025-05-22)" */
static bool iso_date(const char *version, long *day)
{
	for (const char *p = strchr(version, '('); p; p = strchr(p + 1, '(')) {
		int year, month, mday;

		if (sscanf(p, "(%4d-%2d-%2d)", &year, &month, &mday) == 3) {
			*day = day_of(year, month, mday);
			return true;
		}
	}
	return false;
}

/* Most others: "#26-Ubuntu SMP PREEMPT_DYNAMIC Tue Mar  5 21:19:28 UTC 2024" */
static bool long_date(const char *version, long *day)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (const char *p = strchr(version, ' '); p; p = strchr(p + 1, ' ')) {
		char month[4], zone[8];
		int mday, year, hour;

		if (sscanf(p, " %3s %2d %2d:%*2d:%*2d %7s %4d", month, &mday, &hour, zone, &year) !=
		    5)
			continue;
		const char *at = strstr(months, month);
		if (!at || (at - months) % 3 != 0 || strlen(month) != 3)
			continue;
		*day = day_of(year, (int)(at - months) / 3 + 1, mday);
		return true;
	}
	return false;
}

bool doctor_build_day(const char *version, long *day)
{
	return iso_date(version, day) || long_date(version, day);
}

struct finding doctor_kernel_age(struct doctor *d)
{
	struct utsname uts;
	long day, age;

	if (uname(&uts) < 0 || !doctor_build_day(uts.version, &day))
		return (struct finding){FOUND_UNKNOWN,
					"the kernel does not tell when it was built"};
	age = (long)(time(NULL) / SECONDS_OF_DAY) - day;
	return found(age <= OLD_DAYS,
		     arena_printf(d->a, "built %ld days ago%s", age,
				  age > OLD_DAYS ? ", holes found since are open" : ""));
}

/* --- a child in namespaces of its own ------------------------------------------------------ */

/* The only map a plain user may write (user_namespaces(7)). */
static int map_self(uid_t uid, gid_t gid)
{
	char text[64];
	struct err e;

	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (file_poke(AT_FDCWD, "/proc/self/setgroups", "deny", &e) < 0 ||
	    file_poke(AT_FDCWD, "/proc/self/uid_map", text, &e) < 0)
		return -e.code;
	snprintf(text, sizeof(text), "0 %u 1", gid);
	return file_poke(AT_FDCWD, "/proc/self/gid_map", text, &e);
}

/*
 * 0, or the -errno with which a child in new namespaces of these kinds (for a plain user within
 * a new user namespace) could not be made or could not do fn.
 */
static int try_in(const struct doctor *d, uint64_t flags, int (*fn)(void))
{
	struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int status;

	if (!d->privileged)
		args.flags |= CLONE_NEWUSER;
	pid_t pid = sys_clone3(&args);
	if (pid == 0) {
		int r = d->privileged ? 0 : map_self(uid, gid);

		_exit(r == 0 && fn ? -fn() : -r);
	}
	if (pid < 0)
		return -errno;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EINTR;
}

static struct finding as_errno(struct doctor *d, int r)
{
	return found(r == 0, r == 0 ? NULL : arena_strdup(d->a, err_text(-r)));
}

struct finding doctor_userns(struct doctor *d)
{
	return as_errno(d, try_in(d, CLONE_NEWUSER, NULL));
}

struct finding doctor_namespaces(struct doctor *d)
{
	return as_errno(d, try_in(d,
				  CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
					  CLONE_NEWNET | CLONE_NEWCGROUP,
				  NULL));
}

static int make_mount(const char *type, const char *key, const char *value)
{
	own_fd int fs = fsopen(type, FSOPEN_CLOEXEC);

	if (fs < 0 || (key && fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0) < 0) ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -errno;
	own_fd int tree = fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_RDONLY};
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return -errno;
	return 0;
}

static int make_tmpfs(void)
{
	return make_mount("tmpfs", NULL, NULL);
}

static int make_proc(void)
{
	return make_mount("proc", "hidepid", "invisible");
}

struct finding doctor_mount_api(struct doctor *d)
{
	return as_errno(d, try_in(d, CLONE_NEWNS, make_tmpfs));
}

struct finding doctor_procfs(struct doctor *d)
{
	int r = try_in(d, CLONE_NEWNS | CLONE_NEWPID, make_proc);

	return r == -EPERM ? found(false, "a new procfs is not permitted here") : as_errno(d, r);
}

struct finding doctor_openat2(struct doctor *d)
{
	own_fd int fd =
		sys_openat2(AT_FDCWD, "/", O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);

	return as_errno(d, fd < 0 ? -errno : 0);
}

/* --- file systems -------------------------------------------------------------------------- */

/* The state root, or the nearest directory above it: brig makes it at the first start. */
static int open_state_root(const char *path)
{
	char at[4096];
	int fd = -1;

	if ((size_t)snprintf(at, sizeof(at), "%s", path) >= sizeof(at))
		return -1;
	while ((fd = open_tree(AT_FDCWD, at, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC)) < 0 &&
	       errno == ENOENT) {
		char *slash = strrchr(at, '/');

		if (!slash || slash == at)
			break;
		*slash = '\0';
	}
	return fd;
}

struct finding doctor_idmapped_mounts(struct doctor *d)
{
	static const struct oci_id_mapping line = {0, 100000, 65536};
	static const struct idmap map = {&line, &line, 1, 1};
	struct err e;
	own_fd int ns = idmap_userns(&map, &e);

	if (ns < 0)
		return found(false, arena_strdup(d->a, e.msg));
	own_fd int tree = open_state_root(d->host->root);
	struct mount_attr attr = {.attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)ns};
	if (fault_hides("idmap"))
		return found(false, "hidden");
	if (tree < 0 || mount_setattr(tree, "", AT_EMPTY_PATH, &attr, sizeof(attr)) < 0)
		return found(false, arena_printf(d->a, "%s: %s", d->host->root, err_text(errno)));
	return found(true, arena_printf(d->a, "on the file system of %s", d->host->root));
}

struct finding doctor_overlay_layers(struct doctor *d)
{
	own_fd int fs = fsopen("overlay", FSOPEN_CLOEXEC);

	if (fs < 0)
		return found(false, arena_printf(d->a, "overlay: %s", err_text(errno)));
	if (fsconfig(fs, FSCONFIG_SET_STRING, "lowerdir+", "/", 0) < 0)
		return found(false, arena_printf(d->a, "lowerdir+: %s", err_text(errno)));
	return found(true, NULL);
}

/* --- filters ------------------------------------------------------------------------------- */

static int action_available(uint32_t action)
{
	if (fault_hides("seccomp"))
		return -ENOSYS;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 ? 0 : -errno;
}

struct finding doctor_seccomp(struct doctor *d)
{
	return as_errno(d, action_available(SECCOMP_RET_KILL_PROCESS));
}

struct finding doctor_seccomp_notify(struct doctor *d)
{
	struct seccomp_notif_sizes sizes;
	int r = action_available(SECCOMP_RET_USER_NOTIF);

	if (r == 0 && syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0)
		r = -errno;
	return as_errno(d, r);
}

/* egress_possible makes a network namespace, which a plain user can only within a user one. */
static int try_nf_tables(void)
{
	struct err e;

	return egress_possible(&e) ? 0 : -e.code;
}

struct finding doctor_nf_tables(struct doctor *d)
{
	struct err e;

	if (!d->privileged)
		return as_errno(d, try_in(d, 0, try_nf_tables));
	bool yes = egress_possible(&e);
	return found(yes, yes ? NULL : arena_strdup(d->a, e.msg));
}
