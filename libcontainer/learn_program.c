#include "learn_program.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/confine.h"
#include "base/own.h"
#include "guard/bpfcheck.h"
#include "run/sync.h"

#define DATA(member) ((uint32_t)offsetof(struct seccomp_data, member))
#define LOAD(at)     BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (at))
/* On to the next test, or to the original's program; i is the place of this instruction. */
#define MUST_BE(i, value) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, CLEAR - (i)-1)

/* Places in the program. */
enum { FD = 5, LOW = 7, HIGH = 9, FLAGS = 11, CLEAR = 13, BODY = 14 };

static const struct sock_filter prologue[BODY] = {
	LOAD(DATA(arch)),
	MUST_BE(1, OWN_ARCH),
	LOAD(DATA(nr)),
	MUST_BE(3, SYS_sendmsg),
	LOAD(DATA(args[0])),
	MUST_BE(FD, 0),
	LOAD(DATA(args[1])),
	MUST_BE(LOW, 0),
	LOAD(DATA(args[1]) + 4),
	MUST_BE(HIGH, 0),
	LOAD(DATA(args[2])),
	MUST_BE(FLAGS, 0),
	BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	/* What the kernel starts a program with. */
	BPF_STMT(BPF_LD | BPF_IMM, 0),
};

static bool is_told(uint32_t action)
{
	switch (action & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG:
	case SECCOMP_RET_ERRNO:
	case SECCOMP_RET_KILL_PROCESS:
	case SECCOMP_RET_KILL_THREAD:
		return true;
	default:
		return false;
	}
}

int learn_program_make(struct arena *a, const struct seccomp_program *original,
		       struct seccomp_program *out, struct err *e)
{
	static const struct sock_filter everything[] = {
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	const struct sock_filter *from = original->insns ? original->insns : everything;
	size_t n = original->insns ? original->n_insns : LEN(everything);
	struct sock_filter *to;

	if (original->listener_path)
		return err_msg(e, EBUSY,
			       "linux: seccomp: SCMP_ACT_NOTIFY has an agent, and a process has "
			       "one listener");
	if (n > BPF_MAXINSNS - BODY)
		return err_msg(e, E2BIG, "the filter has %zu instructions, more than %d", n,
			       BPF_MAXINSNS - BODY);
	to = arena_array(a, BODY + n, sizeof(*to));
	memcpy(to, prologue, sizeof(prologue));
	memcpy(to + BODY, from, n * sizeof(*to));
	for (size_t i = BODY; i < BODY + n; i++)
		if (to[i].code == (BPF_RET | BPF_K) && is_told(to[i].k))
			to[i].k = SECCOMP_RET_USER_NOTIF;
	*out = (struct seccomp_program){
		.insns = to,
		.n_insns = BODY + n,
		.flags = original->flags | SECCOMP_FILTER_FLAG_NEW_LISTENER |
			 SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		.notify = true,
	};
	return bpf_validate(out->insns, out->n_insns, e);
}

void learn_program_arm(struct seccomp_program *p, int fd, const void *message, uint32_t flags)
{
	uint64_t at = (uintptr_t)message;

	p->insns[FD].k = (uint32_t)fd;
	p->insns[LOW].k = (uint32_t)at;
	p->insns[HIGH].k = (uint32_t)(at >> 32);
	p->insns[FLAGS].k = flags;
}

/* The instructions follow. */
struct original {
	char magic[8];
	uint32_t n_insns, ends;
	char level[LEARN_LEVEL_MAX];
};
static const char magic[8] = "learned";

int learn_send_original(const struct plan_observer *o, struct err *e)
{
	struct original head = {.n_insns = (uint32_t)o->original.n_insns, .ends = o->ends};
	struct iovec iov[] = {
		{&head,             sizeof(head)				    },
		{o->original.insns, o->original.n_insns * sizeof(*o->original.insns)},
	};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = LEN(iov)};

	memcpy(head.magic, magic, sizeof(magic));
	(void)snprintf(head.level, sizeof(head.level), "%s", o->level);
	return sendmsg(o->sock, &m, MSG_NOSIGNAL) < 0 ? err_set(e, errno, "tell the observer") : 0;
}

int learn_receive_original(struct arena *a, int sock, struct plan_observer *out, struct err *e)
{
	struct original head;
	struct sock_filter *insns = arena_array(a, BPF_MAXINSNS, sizeof(*insns));
	struct iovec iov[] = {
		{&head, sizeof(head)                 },
		{insns, BPF_MAXINSNS * sizeof(*insns)},
	};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = LEN(iov)};
	ssize_t n = recvmsg(sock, &m, MSG_CMSG_CLOEXEC);

	if (n < 0)
		return err_set(e, errno, "hear of the filter");
	if (n < (ssize_t)sizeof(head) || memcmp(head.magic, magic, sizeof(magic)) != 0 ||
	    (size_t)n != sizeof(head) + (size_t)head.n_insns * sizeof(*insns) ||
	    (head.n_insns && bpf_validate(insns, head.n_insns, e) < 0))
		return err_msg(e, EPROTO, "hear of the filter: no such message");
	head.level[sizeof(head.level) - 1] = '\0';
	*out = (struct plan_observer){
		.sock = sock,
		.original = {.insns = head.n_insns ? insns : NULL, .n_insns = head.n_insns},
		.level = arena_strdup(a, head.level),
		.ends = head.ends,
	};
	return 0;
}

int learn_install(const struct plan_observer *o, struct err *e)
{
	/* Flags that mean nothing to this kind of socket, so that they are only a mark. */
	enum { MARK = MSG_NOSIGNAL | MSG_DONTROUTE | MSG_CONFIRM };
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct sync_msg text = {.type = SYNC_LISTENER};
	struct iovec iov = {&text, sizeof(text)};
	struct msghdr m = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);
	struct seccomp_program p = o->program;
	int listener;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
		return err_set(e, errno, "PR_SET_PDEATHSIG");
	learn_program_arm(&p, o->sock, &m, MARK);
	int r = seccomp_install(&p, &listener, e);
	if (r < 0)
		return r;
	*c = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(c), &listener, sizeof(listener));
	/* Closed by execve. */
	return syscall(SYS_sendmsg, o->sock, &m, MARK) < 0 ? err_set(e, errno, "tell the observer")
							   : 0;
}
