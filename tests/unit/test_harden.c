/*
 * Hardening against the kernel, in the order of a start with a late user namespace: a process in
 * new pid, mount, network, ipc and uts namespaces of the host's user namespace, which then enters
 * a user namespace that was made ahead.
 */
#include "guard/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/securebits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/procfd.h"
#include "base/str.h"
#include "check.h"
#include "guard/landlock.h"
#include "ns/idmap.h"
#include "ns/namespace.h"

#ifndef PR_GET_MDWE
#define PR_GET_MDWE 66
#endif
#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static struct err err;
static const struct harden_plan nothing;

/* Runs body in a child; 0 if all its checks held. */
static int child_of(void (*body)(void))
{
	int st = -1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		fflush(NULL);
		_exit(checks_failed != 0);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	return st;
}

/* What this program says when it is executed with a word; see main. */
static int said_by(int fd, const char *word)
{
	char arg[32];
	char *argv[] = {arg, NULL}, *envp[] = {NULL};
	int st = -1;

	snprintf(arg, sizeof(arg), "%s", word);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		(void)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
		_exit(255);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

/* --- What is decided --------------------------------------------------------------------- */

static void gaps(void)
{
	static const struct harden_host none = {0};
	const struct harden_host all = {7, true, true, true, true, true, true, true};
	const struct harden_plan want = {.landlock = WANT_BEST_EFFORT,
					 .mdwe = true,
					 .speculation = true,
					 .core_scheduling = true,
					 .memfd_noexec = true,
					 .core_one = true};
	const struct harden_plan must = {.landlock = WANT_REQUIRED, .scope = true};
	static const char *const names[] = {"landlock",        "mdwe",         "speculation",
					    "core-scheduling", "memfd-noexec", "core-limit"};
	struct harden_host old = all;

	for (size_t i = 0; i < LEN(names); i++) {
		CHECK(harden_missing(&want, &none, i) != NULL);
		CHECK_STR(harden_missing(&want, &none, i)->mechanism, names[i]);
	}
	CHECK(!harden_missing(&want, &none, LEN(names)) && !harden_missing(&want, &all, 0));
	CHECK(!harden_missing(&nothing, &none, 0));
	CHECK(harden_check(&want, &none, &err) == 0 && harden_check(&must, &all, &err) == 0);
	CHECK(harden_check(&must, &none, &err) == -ENOTSUP);
	CHECK(strstr(err.msg, "landlock is required, but the kernel has none: a kernel from") &&
	      strstr(err.msg, "lsm="));
	/* Version 1 costs renames: taken where it must be, else not. */
	old.landlock_abi = 1;
	CHECK(harden_check(&must, &old, &err) == 0 && !harden_missing(&must, &old, 0));
	CHECK_STR(harden_missing(&want, &old, 0)->mechanism, "landlock");
	old.landlock_abi = 4;
	CHECK_STR(harden_missing(&must, &old, 0)->mechanism, "landlock-scope");
}

static void probed(void)
{
	struct harden_host h;

	harden_probe(&h);
	printf("# landlock %d mdwe %d ssb %d ib %d core-scheduling %d smt %d memfd-noexec %d\n",
	       h.landlock_abi, h.mdwe, h.speculation_ssb, h.speculation_ib, h.core_scheduling,
	       h.smt, h.memfd_noexec);
	CHECK(h.landlock_abi == landlock_abi());
	CHECK(prctl(PR_GET_MDWE, 0, 0, 0, 0) <= 0); /* nothing was switched on */
}

/* --- A process --------------------------------------------------------------------------- */

static bool can_gain_exec(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return page != MAP_FAILED && mprotect(page, 4096, PROT_READ | PROT_EXEC) == 0;
}

static void process(void)
{
	const struct harden_plan p = {
		.mdwe = true, .speculation = true, .core_scheduling = true, .core_one = true};
	own_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct harden_host h;
	struct rlimit core;

	harden_probe(&h);
	CHECK(harden_process(&nothing, &err) == 0 && can_gain_exec());
	CHECK(said_by(self, "gain-exec") == 0);
	CHECK(harden_process(&p, &err) == 0);
	CHECK(harden_process(&p, &err) == 0); /* exec does it again over what it inherits */
	CHECK(harden_join_core(&p, getpid(), &err) == 0);
	if (h.core_one)
		CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 1 &&
		      core.rlim_max == 1);
	if (h.mdwe)
		CHECK(!can_gain_exec() && said_by(self, "gain-exec") == 1);
	int ssb = prctl(PR_GET_SPECULATION_CTRL, PR_SPEC_STORE_BYPASS, 0, 0, 0);
	CHECK(h.speculation_ssb == (ssb > 0 && ssb & PR_SPEC_FORCE_DISABLE));
}

/* Root of a user namespace may not raise a hard limit. */
static void core_limit_is_zero(void)
{
	const struct harden_plan p = {.core_one = true};
	const struct rlimit zero = {0, 0};
	struct rlimit core;

	CHECK(unshare(CLONE_NEWUSER) == 0 && setrlimit(RLIMIT_CORE, &zero) == 0);
	CHECK(harden_process(&p, &err) == 0);
	CHECK(getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0);
}

static void securebits(void)
{
	const struct harden_plan p = {.securebits = true};
	own_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	CHECK(harden_securebits(&nothing, &err) == 0 && prctl(PR_GET_SECUREBITS) == 0);
	CHECK(said_by(self, "has-caps") == 1);
	CHECK(prctl(PR_SET_KEEPCAPS, 1) == 0);
	CHECK(harden_securebits(&p, &err) == 0 && harden_securebits(&p, &err) == 0);
	CHECK(prctl(PR_GET_KEEPCAPS) == 1);
	CHECK(prctl(PR_SET_SECUREBITS, 0) < 0 && errno == EPERM);
	CHECK(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, 0, 0, 0) < 0 && errno == EPERM);
	CHECK(said_by(self, "has-caps") == 0); /* uid 0 as it is */
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(harden_securebits(&p, &err) == -EPERM && strstr(err.msg, "lock securebits"));
}

/* --- Sysctls and the late user namespace --------------------------------------------------- */

static const struct oci_id_mapping lines[] = {
	{0, 300000, 65536}
};
static int userns = -1, memfd_before = -1;

static void value_is(int proc, const char *path, const char *want)
{
	char text[64] = "";
	own_fd int fd = procfd_file(proc, path, O_RDONLY, &err);

	CHECK(fd >= 0);
	if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0)
		text[strcspn(text, "\n")] = '\0';
	if (strcmp(text, want) != 0)
		fprintf(stderr, "%s:\n", path);
	CHECK_STR(text, want);
}

static const uint64_t kinds[] = {CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNS,     CLONE_NEWIPC,
				 CLONE_NEWUTS,  CLONE_NEWNET, CLONE_NEWCGROUP, CLONE_NEWTIME};

/* The errno of making that namespace in a child, 0 if it was made. */
static int make_code(uint64_t kind)
{
	int st = -1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		/* Who has no id inside may not make one anyway. */
		if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
			_exit(255);
		_exit(unshare((int)kind) == 0 ? 0 : errno);
	}
	CHECK(waitpid(pid, &st, 0) == pid);
	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

/* A memfd with this program in it; -1 with errno. */
static int program_in_memfd(void)
{
	own_fd int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	own_fd int fd = memfd_create("program", MFD_CLOEXEC | MFD_EXEC);
	char buf[65536];
	ssize_t n = 0;

	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("program", MFD_CLOEXEC);
	if (fd < 0)
		return -1;
	while ((n = read(self, buf, sizeof(buf))) > 0)
		CHECK(write(fd, buf, (size_t)n) == n);
	CHECK(n == 0);
	return take_fd(&fd);
}

static void memfds(void)
{
	struct harden_host h;

	harden_probe(&h);
	/* The stub of a start is made by the runtime, whose pid namespace is another one. */
	CHECK(said_by(memfd_before, "hello") == 42);
	if (!h.memfd_noexec)
		return;
	CHECK(program_in_memfd() < 0 && errno == EACCES);
	own_fd int plain = memfd_create("data", MFD_CLOEXEC); /* not executable, and no error */
	CHECK(plain >= 0 && said_by(plain, "hello") == 255);
}

static void inside(void)
{
	const struct harden_plan p = {.net_sysctls = true,
				      .low_ports = true,
				      .memfd_noexec = true,
				      .nested_userns_closed = true};
	const struct harden_plan off = {.net_sysctls = true, .ipv6_off = true};
	own_fd int proc = procfd_open(&err);

	CHECK(proc >= 0);
	double begin = now_ms();
	CHECK(harden_sysctls(&p, proc, &err) == 0);
	double sysctls = now_ms() - begin;
	value_is(proc, "sys/net/ipv4/ip_forward", "0");
	value_is(proc, "sys/net/ipv4/ping_group_range", "1\t0");
	value_is(proc, "sys/net/ipv4/ip_unprivileged_port_start", "0");
	value_is(proc, "sys/net/ipv4/conf/all/accept_redirects", "0");
	value_is(proc, "sys/net/ipv4/conf/default/send_redirects", "0");
	value_is(proc, "sys/net/ipv6/conf/default/accept_ra", "0");
	value_is(proc, "sys/net/ipv6/conf/all/disable_ipv6", "0");
	CHECK(harden_sysctls(&off, proc, &err) == 0);
	value_is(proc, "sys/net/ipv6/conf/all/disable_ipv6", "1");
	value_is(proc, "sys/net/ipv6/conf/lo/disable_ipv6", "1");
	value_is(proc, "sys/net/ipv6/conf/default/disable_ipv6", "1");
	memfds();
	CHECK(setns(userns, CLONE_NEWUSER) == 0);
	for (size_t i = 0; i < LEN(kinds); i++)
		CHECK(make_code(kinds[i]) == 0);
	CHECK(harden_userns(&nothing, proc, &err) == 0 && make_code(CLONE_NEWUSER) == 0);
	begin = now_ms();
	CHECK(harden_userns(&p, proc, &err) == 0);
	printf("# sysctls %.3f, nested namespaces %.3f ms\n", sysctls, now_ms() - begin);
	for (size_t i = 0; i < LEN(kinds); i++)
		CHECK(make_code(kinds[i]) == ENOSPC);
	CHECK(setresgid(0, 0, 0) == 0 && setresuid(0, 0, 0) == 0);
	for (size_t i = 0; i < LEN(kinds); i++)
		CHECK(make_code(kinds[i]) == ENOSPC);
	/* Owned by another id by now, and by the host's user namespace. */
	CHECK(harden_sysctls(&p, proc, &err) < 0 && strstr(err.msg, "sys/net/ipv4/ip_forward"));
}

static void late_userns(void)
{
	const struct idmap map = {lines, lines, 1, 1};

	memfd_before = program_in_memfd();
	userns = idmap_userns(&map, &err);
	CHECK(memfd_before >= 0 && userns >= 0);
	CHECK(unshare(CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) ==
	      0);
	CHECK(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	CHECK(child_of(inside) == 0);
	/* What was written there is not the host's. */
	char text[16] = "";
	CHECK(file_peek(AT_FDCWD, "/proc/sys/user/max_user_namespaces", text, sizeof(text)) > 0 &&
	      strcmp(text, "0") != 0);
}

int main(int argc, char **argv)
{
	(void)argc;
	if (str_eq(argv[0], "hello"))
		return 42;
	if (str_eq(argv[0], "gain-exec"))
		return can_gain_exec() ? 0 : 1;
	if (str_eq(argv[0], "has-caps"))
		return prctl(PR_CAPBSET_READ, 0) == 1 && chroot("/") == 0 ? 1 : 0;
	gaps();
	probed();
	CHECK(child_of(process) == 0);
	if (geteuid() != 0) {
		printf("# not root: what needs privilege was left out\n");
		return check_done();
	}
	CHECK(child_of(core_limit_is_zero) == 0);
	CHECK(child_of(securebits) == 0);
	CHECK(child_of(late_userns) == 0);
	return check_done();
}
