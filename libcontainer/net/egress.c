#include "net/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/own.h"
#include "net/table/table.h"

#define REMEDY "modprobe nf_tables, or a kernel with CONFIG_NF_TABLES_INET"

/*
 * What a kernel answers that has no nf_tables, or not for the family inet; EINVAL to a question
 * and EOPNOTSUPP to a batch where the module could not be loaded.
 */
static bool kernel_lacks_it(int code)
{
	return code == EPROTONOSUPPORT || code == EAFNOSUPPORT || code == EOPNOTSUPP ||
	       code == ENOENT || code == EINVAL;
}

static int refused(int code, const char *part, struct err *e)
{
	if (kernel_lacks_it(code))
		return err_msg(e, code,
			       "nf_tables: %s: the kernel has no nf_tables with family inet (%s): "
			       "%s",
			       part, err_text(code), REMEDY);
	if (code == EPERM)
		return err_msg(e, code,
			       "nf_tables: %s: no CAP_NET_ADMIN over the network namespace", part);
	return err_set(e, code, "nf_tables: %s", part);
}

struct answers {
	int code;         /* of the first message refused: nothing was done then */
	uint32_t seq;     /* of that message */
	bool acked, data; /* the one ack of a batch; the data asked for */
};

/* 1: there may be more; 0: that was all; -errno. */
static int read_answers(int sock, struct answers *a)
{
	_Alignas(8) char buf[8192];
	/* They are all queued when sendto returns. */
	ssize_t n = recv(sock, buf, sizeof(buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	size_t left = (size_t)n;
	for (struct nlmsghdr *h = (struct nlmsghdr *)(void *)buf; NLMSG_OK(h, left);
	     h = NLMSG_NEXT(h, left)) {
		const struct nlmsgerr *answer = NLMSG_DATA(h);

		if (h->nlmsg_type != NLMSG_ERROR) {
			a->data = true;
		} else if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*answer))) {
			return -EPROTO;
		} else if (!answer->error) {
			a->acked = true;
		} else if (!a->code) {
			a->code = -answer->error;
			a->seq = h->nlmsg_seq;
		}
	}
	return 1;
}

static int send_table(int sock, const struct egress_table *t, struct answers *a, struct err *e)
{
	struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
	int r;

	*a = (struct answers){0};
	if (sendto(sock, t->bytes, t->len, 0, (struct sockaddr *)&kernel, sizeof(kernel)) !=
	    (ssize_t)t->len)
		return err_set(e, errno, "nf_tables: send to the kernel");
	do
		r = read_answers(sock, a);
	while (r > 0);
	return r < 0 ? err_set(e, -r, "nf_tables: read the kernel's answer") : 0;
}

/* 1: the namespace has the table already. */
static int table_exists(int sock, struct err *e)
{
	struct answers a;
	int r = send_table(sock, &egress_question, &a, e);

	if (r < 0)
		return r;
	if (a.code && a.code != ENOENT)
		return refused(a.code, egress_question.parts[0], e);
	return a.data;
}

int egress_deny_all(struct err *e)
{
	own_fd int sock = fault_hides("nf_tables")
				  ? -1
				  : socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	struct answers a;

	if (sock < 0)
		return refused(fault_hides("nf_tables") ? EPROTONOSUPPORT : errno, "socket", e);
	int state = table_exists(sock, e), kind = EGRESS_RESETS;
	while (state >= 0) {
		const struct egress_table *t = &egress_tables[state][kind];
		int r = send_table(sock, t, &a, e);

		if (r < 0)
			return r;
		if (a.code == EEXIST && state == EGRESS_NEW)
			state = EGRESS_REPLACE; /* somebody was faster */
		else if (kernel_lacks_it(a.code) && kind == EGRESS_RESETS)
			kind = EGRESS_PLAIN;
		else if (a.code)
			return refused(a.code, a.seq < t->n_parts ? t->parts[a.seq] : "batch", e);
		else if (!a.acked)
			return err_msg(e, EPROTO,
				       "nf_tables: the kernel did not confirm the table");
		else
			return 0;
	}
	return state;
}

static int try_in_new_netns(struct err *e)
{
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return err_set(e, errno, "nf_tables: cannot be tried: new network namespace");
	return egress_deny_all(e);
}

bool egress_possible(struct err *e)
{
	int report[2];

	if (pipe2(report, O_CLOEXEC) < 0) {
		err_set(e, errno, "pipe");
		return false;
	}
	own_fd int from = report[0];
	own_fd int to = report[1];
	pid_t pid = fork();

	if (pid == 0) {
		struct err tried = {0};
		int r = try_in_new_netns(&tried);

		_exit(write(to, &tried, sizeof(tried)) == (ssize_t)sizeof(tried) && r == 0 ? 0 : 1);
	}
	own_close(&to);
	if (pid < 0) {
		err_set(e, errno, "fork");
		return false;
	}
	bool told = read(from, e, sizeof(*e)) == (ssize_t)sizeof(*e);
	/* ECHILD: whoever ignores SIGCHLD; the report has told already. */
	(void)waitpid(pid, NULL, 0);
	if (!told)
		err_msg(e, EIO, "nf_tables: the trying child ended early");
	return told && e->code == 0;
}
