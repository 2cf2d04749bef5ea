/*
 * The floor: what the kernel alone costs for `run` of /bin/true with the default bundle of
 * `spec` (tests/bench/config.json).  The same calls a runtime cannot avoid, no JSON, no state,
 * no check, no library: what a runtime takes beyond this is its own.
 *
 *	floor ROOTFS CGROUP PROGRAM     CGROUP is a directory of cgroup2 to be made
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/keyctl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static void must(long r, const char *what)
{
	if (r >= 0)
		return;
	perror(what);
	_exit(125);
}

static const struct {
	const char *type, *target, *data;
	unsigned long flags;
} mounts[] = {
	{"proc",    "proc",          NULL,					0					   },
	{"tmpfs",   "dev",           "mode=755,size=65536k",                      MS_NOSUID | MS_STRICTATIME                  },
	{"devpts",  "dev/pts",       "newinstance,ptmxmode=0666,mode=0620,gid=5", MS_NOSUID | MS_NOEXEC                       },
	{"tmpfs",   "dev/shm",       "mode=1777,size=65536k",                     MS_NOSUID | MS_NOEXEC | MS_NODEV            },
	{"mqueue",  "dev/mqueue",    NULL,					MS_NOSUID | MS_NOEXEC | MS_NODEV            },
	{"sysfs",   "sys",           NULL,					MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RDONLY},
	{"cgroup2", "sys/fs/cgroup", NULL,
	 MS_NOSUID | MS_NOEXEC | MS_NODEV | MS_RELATIME | MS_RDONLY                                                           },
};
static const struct {
	const char *path;
	unsigned minor, major;
} nodes[] = {
	{"dev/null",    3, 1},
        {"dev/zero",    5, 1},
        {"dev/full",    7, 1},
	{"dev/random",  8, 1},
        {"dev/urandom", 9, 1},
        {"dev/tty",     0, 5},
};
static const char *const links[][2] = {
	{"/proc/self/fd",   "dev/fd"    },
        {"/proc/self/fd/0", "dev/stdin" },
	{"/proc/self/fd/1", "dev/stdout"},
        {"/proc/self/fd/2", "dev/stderr"},
	{"/proc/kcore",     "dev/core"  },
        {"pts/ptmx",        "dev/ptmx"  },
};
static const char *const masked[] = {
	"/proc/acpi",          "/proc/asound",     "/proc/kcore",       "/proc/keys",
	"/proc/latency_stats", "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug",
	"/sys/firmware",       "/proc/scsi",
};
static const char *const readonly[] = {
	"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger",
};

static void make_root(const char *rootfs)
{
	must(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL), "slave /");
	must(mount(rootfs, rootfs, NULL, MS_BIND | MS_REC, NULL), "bind root");
	must(chdir(rootfs), "chdir root");
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		if (!strncmp(mounts[i].target, "dev/", 4))
			(void)mkdir(mounts[i].target, 0755); /* in a tmpfs made just now */
		must(mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags,
			   mounts[i].data),
		     mounts[i].target);
	}
	mode_t old = umask(0);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(nodes[0]); i++)
		must(mknod(nodes[i].path, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)),
		     nodes[i].path);
	umask(old);
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
		must(symlink(links[i][0], links[i][1]), links[i][1]);
	must(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	must(umount2(".", MNT_DETACH), "umount old root");
	must(chdir("/"), "chdir /");
}

static void hide(void)
{
	for (size_t i = 0; i < sizeof(readonly) / sizeof(readonly[0]); i++) {
		if (mount(readonly[i], readonly[i], NULL, MS_BIND | MS_REC, NULL) < 0)
			continue; /* this kernel has no such path */
		must(mount(NULL, readonly[i], NULL,
			   MS_BIND | MS_REMOUNT | MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC,
			   NULL),
		     readonly[i]);
	}
	for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
		if (mount("/dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno == ENOTDIR)
			must(mount("tmpfs", masked[i], "tmpfs", MS_RDONLY, NULL), masked[i]);
	must(mount(NULL, "/", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY, NULL), "root read-only");
}

static void loopback_up(void)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	must(s, "socket");
	must(ioctl(s, SIOCSIFFLAGS, &ifr), "lo up");
	close(s);
}

static void drop_rights(void)
{
	const uint32_t keep = 1U << CAP_AUDIT_WRITE | 1U << CAP_KILL | 1U << CAP_NET_BIND_SERVICE;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {
		{.effective = keep, .permitted = keep}
        };
	struct rlimit files = {1024, 1024};

	for (int c = 0; c <= CAP_LAST_CAP; c++)
		if (c >= 32 || !(keep >> c & 1))
			(void)prctl(PR_CAPBSET_DROP, c, 0, 0, 0); /* unknown to an older kernel */
	must(setrlimit(RLIMIT_NOFILE, &files), "rlimit");
	must(setgroups(0, NULL), "setgroups");
	must(setresgid(0, 0, 0), "setresgid");
	must(setresuid(0, 0, 0), "setresuid");
	must(syscall(SYS_capset, &head, data), "capset");
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
}

static _Noreturn void child(const char *rootfs, const char *program)
{
	char *const argv[] = {strdup(program), NULL};
	char *const envp[] = {strdup("PATH=/usr/sbin:/usr/bin:/sbin:/bin"), strdup("TERM=xterm"),
			      NULL};

	must(setsid(), "setsid");
	must(syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "_floor"), "keyring");
	make_root(rootfs);
	must(sethostname("floor", 5), "hostname");
	loopback_up();
	hide();
	drop_rights();
	must(syscall(SYS_close_range, 3, ~0U, CLOSE_RANGE_CLOEXEC), "close_range");
	execve(program, argv, envp);
	must(-1, program);
	_exit(125);
}

int main(int argc, char **argv)
{
	siginfo_t info = {0};

	if (argc != 4) {
		fputs("floor ROOTFS CGROUP PROGRAM\n", stderr);
		return 2;
	}
	must(mkdir(argv[2], 0755), argv[2]);
	int cgroup = open(argv[2], O_PATH | O_DIRECTORY | O_CLOEXEC), pidfd = -1;
	must(cgroup, argv[2]);
	struct clone_args args = {
		.flags = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS |
			 CLONE_NEWCGROUP | CLONE_INTO_CGROUP | CLONE_PIDFD,
		.pidfd = (uintptr_t)&pidfd,
		.exit_signal = SIGCHLD,
		.cgroup = (uint64_t)cgroup,
	};
	long pid = syscall(SYS_clone3, &args, sizeof(args));
	must(pid, "clone3");
	if (pid == 0)
		child(argv[1], argv[3]);
	must(waitid(P_PIDFD, (id_t)pidfd, &info, WEXITED), "waitid");
	must(rmdir(argv[2]), "rmdir cgroup");
	return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}
