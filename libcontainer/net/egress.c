#include "net/egress.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/own.h"
#include "base/trial.h"
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
	char digest[128]; /* of the data: of the grants that the table has; "": none */
};

/* The table's userdata, as net/rules_table.h has it: {0, length, "brig:v1:" and the digest}. */
static void note_digest(struct answers *a, const struct nlmsghdr *h)
{
	static const char start[] = "brig:v1:";
	const char *at = (const char *)h + NLMSG_LENGTH(NLMSG_ALIGN(sizeof(struct nfgenmsg)));
	const char *end = (const char *)h + h->nlmsg_len;
	struct nlattr x;

	for (; at < end && (size_t)(end - at) >= sizeof(x); at += NLA_ALIGN(x.nla_len)) {
		memcpy(&x, at, sizeof(x));
		if (x.nla_len < sizeof(x) || x.nla_len > end - at)
			return;
		const char *text = at + sizeof(x) + 2;
		size_t n = x.nla_len - sizeof(x);

		if ((x.nla_type & NLA_TYPE_MASK) != NFTA_TABLE_USERDATA || n < 2 + sizeof(start))
			continue;
		n = strnlen(text, n - 2);
		if (n >= sizeof(a->digest) || strncmp(text, start, strlen(start)) != 0)
			return;
		memcpy(a->digest, text + strlen(start), n - strlen(start));
		if (strcmp(a->digest, "deny") == 0)
			a->digest[0] = '\0';
		return;
	}
}

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
			note_digest(a, h);
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

/* 1: the namespace has the table already; EEXIST: with grants, which others may be using. */
static int table_exists(int sock, struct err *e)
{
	struct answers a;
	int r = send_table(sock, &egress_question, &a, e);

	if (r < 0)
		return r;
	if (a.code && a.code != ENOENT)
		return refused(a.code, egress_question.parts[0], e);
	if (a.digest[0])
		return err_msg(
			e, EEXIST,
			"nf_tables: table inet brig with grants is there (%s): it is not taken "
			"away by one without",
			a.digest);
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

/* Of that family; the question of table "inet brig" with another family in it. */
static int has_table(int sock, uint8_t family, bool *out, struct err *e)
{
	unsigned char bytes[128];
	struct egress_table t = egress_question;
	struct answers a;

	*out = false;
	if (t.len > sizeof(bytes))
		return err_msg(e, EOVERFLOW, "nf_tables: a question of %zu bytes", t.len);
	memcpy(bytes, t.bytes, t.len);
	bytes[NLMSG_HDRLEN + offsetof(struct nfgenmsg, nfgen_family)] = family;
	t.bytes = bytes;
	int r = send_table(sock, &t, &a, e);

	/* Who may not ask (EPERM) has no capability that counts; no nf_tables: no table. */
	if (r == 0)
		*out = a.data;
	return r;
}

int egress_check_caps(uint64_t caps, struct err *e)
{
	const uint64_t rule = UINT64_C(1) << CAP_NET_ADMIN | UINT64_C(1) << CAP_SYS_ADMIN;
	const uint64_t raw = UINT64_C(1) << CAP_NET_RAW;
	bool rules = false, device = false;

	if (!(caps & (rule | raw)))
		return 0;
	own_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (sock < 0 && (errno == EPROTONOSUPPORT || errno == EAFNOSUPPORT))
		return 0;
	if (sock < 0)
		return err_set(e, errno, "nf_tables: socket");
	if (has_table(sock, NFPROTO_INET, &rules, e) < 0 ||
	    has_table(sock, NFPROTO_NETDEV, &device, e) < 0)
		return -e->code;
	if (!rules || (!(caps & rule) && device))
		return 0;
	return err_msg(e, EPERM,
		       "process: capabilities: %s: the network namespace has rules of other "
		       "containers (table inet brig), which it could %s: drop it",
		       caps & UINT64_C(1) << CAP_NET_ADMIN ? "CAP_NET_ADMIN"
		       : caps & rule                       ? "CAP_SYS_ADMIN"
							   : "CAP_NET_RAW",
		       caps & rule ? "change" : "send past");
}

static int try_in_new_netns(const void *ctx, struct err *e)
{
	(void)ctx;
	if (unshare(CLONE_NEWNET) < 0 && unshare(CLONE_NEWUSER | CLONE_NEWNET) < 0)
		return err_set(e, errno, "nf_tables: cannot be tried: new network namespace");
	return egress_deny_all(e);
}

bool egress_possible(struct err *e)
{
	return trial(try_in_new_netns, NULL, "nf_tables", e);
}
