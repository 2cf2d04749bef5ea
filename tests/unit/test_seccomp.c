/* The words that are refused, and the filter in the kernel: load, listener, save and restore. */
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "check.h"
#include "guard/bpfcheck.h"
#include "guard/seccomp.h"
#include "guard/seccomp_rules.h"
#include "seccomp_profile.h"

static struct arena arena;
static struct err err;

static const char *const getcwd_name[] = {"getcwd"};
static const char *const write_name[] = {"getcwd", "write"};

static int compile(const struct oci_seccomp *s, struct seccomp_program *p)
{
	err = (struct err){0};
	return seccomp_compile(&arena, s, p, &err);
}

static bool refused(const struct oci_seccomp *s, const char *why)
{
	struct seccomp_program p;
	bool yes = compile(s, &p) == -EINVAL && strstr(err.msg, why);

	if (!yes)
		fprintf(stderr, "  want %s, got %s\n", why, err.msg);
	return yes;
}

static void refusals(void)
{
	const char *const odd[] = {"SCMP_ARCH_Z80"}, *const flag[] = {"SECCOMP_FILTER_FLAG_X"};
	const uint32_t one = 1, huge = 4096;
	struct oci_seccomp_arg arg = {0, 1, 0, "SCMP_CMP_EQ"};
	struct oci_seccomp_rule r = {.names = getcwd_name,
				     .n_names = 1,
				     .action = "SCMP_ACT_ALLOW",
				     .args = &arg,
				     .n_args = 1};
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ALLOW", .syscalls = &r, .n_syscalls = 1};
	struct seccomp_program p;

	CHECK(compile(&s, &p) == 0);
	arg.op = "SCMP_CMP_ABOUT";
	CHECK(refused(&s, "seccomp: syscalls[0]: args[0]: unknown operator \"SCMP_CMP_ABOUT\""));
	arg.op = "SCMP_CMP_EQ";
	arg.index = 6;
	CHECK(refused(&s, "index 6 is above 5"));
	arg.index = 0;
	r.errno_ret = &one;
	CHECK(refused(&s, "action SCMP_ACT_ALLOW does not support an errno"));
	r.action = "SCMP_ACT_ERRNO";
	CHECK(compile(&s, &p) == 0);
	r.errno_ret = &huge;
	CHECK(refused(&s, "errno 4096 does not fit"));
	r.errno_ret = NULL;
	r.action = "SCMP_ACT_NOPE";
	CHECK(refused(&s, "unknown action \"SCMP_ACT_NOPE\""));
	r.action = "SCMP_ACT_KILL";
	r.n_names = 0;
	CHECK(refused(&s, "names: at least one"));
	r.n_names = 1;
	s.default_errno_ret = &one;
	CHECK(refused(&s, "seccomp: defaultAction: action SCMP_ACT_ALLOW does not support"));
	s.default_errno_ret = NULL;
	s.architectures = odd;
	s.n_architectures = 1;
	CHECK(refused(&s, "unknown architecture \"SCMP_ARCH_Z80\""));
	s.n_architectures = 0;
	s.flags = flag;
	s.n_flags = 1;
	CHECK(refused(&s, "unknown flag \"SECCOMP_FILTER_FLAG_X\""));
}

static void notify_refusals(void)
{
	struct oci_seccomp_rule r = {
		.names = write_name, .n_names = 2, .action = "SCMP_ACT_NOTIFY"};
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_NOTIFY", .syscalls = &r, .n_syscalls = 1};
	struct seccomp_program p;

	CHECK(refused(&s, "SCMP_ACT_NOTIFY cannot be used as default action"));
	s.default_action = "SCMP_ACT_ALLOW";
	CHECK(refused(&s, "SCMP_ACT_NOTIFY cannot be used for the write syscall"));
	r.n_names = 1;
	CHECK(refused(&s, "SCMP_ACT_NOTIFY without listenerPath"));
	s.listener_metadata = "x";
	CHECK(refused(&s, "listenerMetadata without listenerPath"));
	s.listener_path = "/run/agent";
	CHECK(compile(&s, &p) == 0 && p.notify);
	CHECK(p.flags == SECCOMP_FILTER_FLAG_NEW_LISTENER);
	CHECK_STR(p.listener_path, "/run/agent");
	/* Without the action the path means nothing. */
	r.action = "SCMP_ACT_LOG";
	CHECK(compile(&s, &p) == 0 && !p.notify && !p.flags && !p.listener_path);
}

static void too_much(void)
{
	static struct oci_seccomp_arg args[6];
	static struct oci_seccomp_rule rules[400];
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ALLOW", .syscalls = rules, .n_syscalls = 400};
	struct seccomp_program p;

	for (uint32_t i = 0; i < 6; i++)
		args[i] = (struct oci_seccomp_arg){i, i, 0, "SCMP_CMP_GT"};
	for (size_t i = 0; i < 400; i++)
		rules[i] = (struct oci_seccomp_rule){.names = getcwd_name,
						     .n_names = 1,
						     .action = "SCMP_ACT_KILL",
						     .args = args,
						     .n_args = 6};
	CHECK(compile(&s, &p) == -E2BIG && strstr(err.msg, "more than 4096 instructions"));
	const char **names = arena_array(&arena, 20001, sizeof(*names));
	for (size_t i = 0; i < 20000; i++)
		names[i] = "read";
	rules[0] = (struct oci_seccomp_rule){
		.names = names, .n_names = 20000, .action = "SCMP_ACT_KILL"};
	s.n_syscalls = 1;
	CHECK(compile(&s, &p) == -E2BIG && strstr(err.msg, "more than 16384 rules"));
}

static void words(void)
{
	const char *const *lists[] = {seccomp_action_names(), seccomp_operator_names(),
				      seccomp_arch_names(), seccomp_flag_names()};
	size_t n = 0;

	for (size_t i = 0; i < LEN(lists); i++) {
		const struct word *w = seccomp_words((enum seccomp_vocabulary)i);

		for (n = 0; w[n].name && lists[i][n]; n++)
			CHECK_STR(lists[i][n], w[n].name);
		CHECK(!w[n].name && !lists[i][n]);
	}
	const char *const *flags = seccomp_supported_flag_names(&arena);
	for (n = 0; flags[n];)
		n++;
	CHECK(n == 4); /* all are older than any kernel this is tested on */
}

/* Runs body in a child with no_new_privs; gives its wait status. */
static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
		body();
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

static void loaded_profile(void)
{
	struct seccomp_program p;
	int listener;

	CHECK(compile(&profile_like_an_engines, &p) == 0);
	CHECK(seccomp_allows(&p, SYS_read) && seccomp_allows(&p, SYS_execve));
	CHECK(!seccomp_allows(&p, SYS_mount) && !seccomp_allows(&p, SYS_clone));
	CHECK(!seccomp_allows(&p, 1000));
	CHECK(seccomp_install(&p, &listener, &err) == 0 && listener == -1);
	CHECK(syscall(SYS_mount, NULL, NULL, NULL, 0, NULL) < 0 && errno == EPERM);
	CHECK(syscall(SYS_clone3, NULL, 0) < 0 && errno == ENOSYS);
	CHECK(syscall(1000) < 0 && errno == ENOSYS);
	CHECK(syscall(-1) < 0 && errno == ENOSYS);
	CHECK(syscall(SYS_personality, 0xffffffffUL) >= 0);
	CHECK(syscall(SYS_personality, 0x40000UL) < 0 && errno == EPERM);
	CHECK(syscall(SYS_socket, 40, SOCK_STREAM, 0) < 0 && errno == EPERM);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	CHECK(fd >= 0);
}

static void killed_by_a_foreign_call(void)
{
	struct oci_seccomp s = {.default_action = "SCMP_ACT_ALLOW"};
	struct seccomp_program p;
	int listener;

	CHECK(compile(&s, &p) == 0 && seccomp_install(&p, &listener, &err) == 0);
#if defined(__x86_64__)
	syscall(0x40000000 + SYS_getpid);
#else
	raise(SIGSYS);
#endif
}

static void nothing_to_load(void)
{
	struct seccomp_program p = {0};
	int listener = 5;

	CHECK(seccomp_install(&p, &listener, &err) == 0 && listener == -1);
	CHECK(seccomp_allows(&p, SYS_mount));
	CHECK(prctl(PR_GET_SECCOMP) == 0);
}

static void not_without_right(void)
{
	struct seccomp_program p;
	int listener;

	CHECK(compile(&profile_like_an_engines, &p) == 0);
	CHECK(setresuid(1000, 1000, 1000) == 0);
	CHECK(seccomp_install(&p, &listener, &err) == -EACCES);
	CHECK(strstr(err.msg, "neither no_new_privs nor CAP_SYS_ADMIN") != NULL);
}

static void take_flags(void)
{
	struct oci_seccomp s = {
		.default_action = "SCMP_ACT_ALLOW", .flags = seccomp_flag_names(), .n_flags = 4};
	struct seccomp_program p;
	int listener;

	CHECK(compile(&s, &p) == 0);
	CHECK(p.flags == (SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW));
	CHECK(seccomp_install(&p, &listener, &err) == 0 && listener == -1);
	p.flags = 1U << 31;
	CHECK(seccomp_install(&p, &listener, &err) == -EINVAL);
	CHECK(strstr(err.msg, "flags 0x80000000") != NULL);
}

static int receive(int conn, char *text, size_t size)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {text, size - 1};
	struct msghdr m = {.msg_iov = &iov,
			   .msg_iovlen = 1,
			   .msg_control = space,
			   .msg_controllen = sizeof(space)};
	ssize_t n = recvmsg(conn, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	int fd = -1;

	text[n > 0 ? n : 0] = '\0';
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	CHECK(recv(conn, space, 1, 0) == 0); /* one state, then the end */
	return fd;
}

/* A supervised child: getcwd answers what the agent says. */
static void listener_to_agent(void)
{
	struct oci_seccomp_rule r = {
		.names = getcwd_name, .n_names = 1, .action = "SCMP_ACT_NOTIFY"};
	const char *const killable[] = {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"};
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	char dir[] = "/tmp/brig-agent-XXXXXX", text[512];
	struct oci_seccomp s = {.default_action = "SCMP_ACT_ALLOW",
				.syscalls = &r,
				.n_syscalls = 1,
				.listener_path = sa.sun_path,
				.listener_metadata = "a \"b\"",
				.flags = killable,
				.n_flags = 1};
	struct seccomp_program p;
	int listener;

	CHECK(mkdtemp(dir) != NULL);
	snprintf(sa.sun_path, sizeof(sa.sun_path), "%s/s", dir);
	CHECK(compile(&s, &p) == 0);
	CHECK(seccomp_send_listener(&arena, &p, 0, 1, "{}", &err) == -ENOENT);
	CHECK(strstr(err.msg, "failed to connect with seccomp agent") == err.msg);
	int agent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	CHECK(bind(agent, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(agent, 1) == 0);
	CHECK(seccomp_install(&p, &listener, &err) == 0 && listener >= 0);
	CHECK(fcntl(listener, F_GETFD) & FD_CLOEXEC);
	CHECK(seccomp_send_listener(&arena, &p, listener, 77, "{\"id\":\"x\"}", &err) == 0);
	int conn = accept(agent, NULL, NULL);
	int got = receive(conn, text, sizeof(text));
	CHECK_STR(text, "{\"ociVersion\":\"1.3.0\",\"fds\":[\"seccompFd\"],\"pid\":77,"
			"\"metadata\":\"a \\\"b\\\"\",\"state\":{\"id\":\"x\"}}");
	pid_t pid = fork();
	if (pid == 0)
		_exit(syscall(SYS_getcwd, text, 10) < 0 && errno == 99 ? 0 : 1);
	struct seccomp_notif req = {0};
	CHECK(ioctl(got, SECCOMP_IOCTL_NOTIF_RECV, &req) == 0 && req.data.nr == SYS_getcwd);
	struct seccomp_notif_resp resp = {.id = req.id, .error = -99};
	CHECK(ioctl(got, SECCOMP_IOCTL_NOTIF_SEND, &resp) == 0);
	int st = 1;
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	unlink(sa.sun_path);
	rmdir(dir);
}

static void save_and_restore(void)
{
	struct oci_seccomp_rule r = {
		.names = getcwd_name, .n_names = 1, .action = "SCMP_ACT_NOTIFY"};
	struct oci_seccomp s = {.default_action = "SCMP_ACT_ALLOW",
				.syscalls = &r,
				.n_syscalls = 1,
				.listener_path = "/run/a",
				.listener_metadata = "meta"};
	char dir[] = "/tmp/brig-seccomp-XXXXXX", buf[8192];
	struct seccomp_program p, q;

	CHECK(mkdtemp(dir) != NULL);
	own_fd int dirfd = open(dir, O_PATH | O_CLOEXEC);
	CHECK(seccomp_restore(&arena, dirfd, "filter", &q, &err) == 0 && !q.insns);
	CHECK(compile(&s, &p) == 0 && seccomp_save(&p, dirfd, "filter", &err) == 0);
	CHECK(seccomp_restore(&arena, dirfd, "filter", &q, &err) == 0);
	CHECK(q.n_insns == p.n_insns && q.flags == p.flags && q.notify);
	CHECK(memcmp(q.insns, p.insns, p.n_insns * sizeof(*p.insns)) == 0);
	CHECK_STR(q.listener_path, "/run/a");
	CHECK_STR(q.listener_metadata, "meta");
	own_fd int fd = openat(dirfd, "filter", O_RDONLY | O_CLOEXEC);
	ssize_t len = read(fd, buf, sizeof(buf));
	CHECK(len > 40 && len < (ssize_t)sizeof(buf));
	/* Shorter, longer, and every byte of the head changed. */
	CHECK(seccomp_restore_bytes(&arena, buf, (size_t)len, &q, &err) == 0);
	CHECK(seccomp_restore_bytes(&arena, buf, (size_t)len - 1, &q, &err) == -EINVAL);
	CHECK(seccomp_restore_bytes(&arena, buf, (size_t)len + 1, &q, &err) == -EINVAL);
	CHECK(seccomp_restore_bytes(&arena, buf, 0, &q, &err) == -EINVAL);
	for (size_t i = 0; i < 32; i++) {
		buf[i] ^= 0x40;
		CHECK(seccomp_restore_bytes(&arena, buf, (size_t)len, &q, &err) == -EINVAL);
		buf[i] ^= 0x40;
	}
	buf[32] = 0x11; /* an opcode that the kernel would not take */
	CHECK(seccomp_restore_bytes(&arena, buf, (size_t)len, &q, &err) == -EINVAL);
	CHECK(strstr(err.msg, "instruction 0") != NULL);
	struct seccomp_program none = {0};
	CHECK(seccomp_save(&none, dirfd, "filter", &err) == 0);
	CHECK(seccomp_restore(&arena, dirfd, "filter", &q, &err) == 0 && !q.insns);
	unlinkat(dirfd, "filter", 0);
	rmdir(dir);
}

int main(void)
{
	refusals();
	notify_refusals();
	too_much();
	words();
	save_and_restore();
	nothing_to_load();
	CHECK(child_of(loaded_profile) == 0);
	CHECK(child_of(take_flags) == 0);
	CHECK(child_of(listener_to_agent) == 0);
	int st = child_of(killed_by_a_foreign_call);
	CHECK(WIFSIGNALED(st) && WTERMSIG(st) == SIGSYS);
	if (geteuid() == 0) {
		fflush(NULL);
		pid_t pid = fork();
		if (pid == 0) {
			checks_failed = 0;
			not_without_right();
			_exit(checks_failed != 0);
		}
		CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	}
	arena_free(&arena);
	return check_done();
}
