#include "net/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/genetlink.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <linux/tcp_metrics.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "net/dump.h"

enum { ROUNDS = 4, TRIES = 8, MOST = 65536 };

_Static_assert(sizeof(struct inet_diag_sockid) == 48, "id of a socket");

/* --- sockets ---------------------------------------------------------------------------------- */

bool leftover_read(const void *payload, size_t len, struct leftover_socket *out)
{
	struct inet_diag_msg m;

	if (len < sizeof(m))
		return false;
	memcpy(&m, payload, sizeof(m));
	*out = (struct leftover_socket){
		.family = m.idiag_family, .state = m.idiag_state, .owned = m.idiag_inode != 0};
	memcpy(out->id, &m.id, sizeof(out->id));
	return true;
}

struct question {
	struct nlmsghdr head;
	struct inet_diag_req_v2 req;
};

static struct question question(uint16_t type, uint16_t flags, uint8_t family, uint8_t protocol)
{
	return (struct question){
		.head = {.nlmsg_len = sizeof(struct question),
			 .nlmsg_type = type,
			 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)},
		.req = {.sdiag_family = family,
			 .sdiag_protocol = protocol,
			 .idiag_states = UINT32_MAX                      },
	};
}

struct listing {
	struct arena arena;
	struct leftover_socket *list;
	size_t n, room;
};

static int note_socket(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct listing *l = ctx;

	(void)type;
	if (l->n == MOST)
		return -E2BIG;
	if (l->n == l->room) {
		size_t room = l->room ? l->room * 2 : 64;
		struct leftover_socket *more = arena_array(&l->arena, room, sizeof(*more));

		if (l->n)
			memcpy(more, l->list, l->n * sizeof(*more));
		l->list = more;
		l->room = room;
	}
	return leftover_read(payload, len, &l->list[l->n++]) ? 0 : -EBADMSG;
}

/* A kernel without that protocol, or without the part that tells of it, says ENOENT or EINVAL: the
 * rows that are counted from /proc/net would show what it has. */
static int list_sockets(int sock, uint8_t family, uint8_t protocol, struct listing *l)
{
	int r = -EINTR;

	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		struct question q = question(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, family, protocol);

		l->n = 0;
		r = dump_ask(sock, &q.head, note_socket, l);
	}
	if (r == -ENOENT || r == -EINVAL) {
		l->n = 0;
		return 0;
	}
	return r;
}

/* What cannot be ended is counted at the end. */
static void end_sockets(int sock, uint8_t protocol, const struct listing *l)
{
	for (size_t i = 0; i < l->n; i++) {
		struct question q = question(SOCK_DESTROY, NLM_F_ACK, l->list[i].family, protocol);

		memcpy(&q.req.id, l->list[i].id, sizeof(q.req.id));
		if (!l->list[i].owned)
			(void)dump_ask(sock, &q.head, NULL, NULL);
	}
}

static const uint8_t families[] = {AF_INET, AF_INET6};
static const uint8_t protocols[] = {IPPROTO_TCP, IPPROTO_UDP, IPPROTO_RAW};

static int one_round(int sock, struct leftover_sockets *left, bool ends)
{
	struct listing l = {.n = 0};
	int r = 0;

	*left = (struct leftover_sockets){0};
	for (size_t f = 0; r == 0 && f < LEN(families); f++)
		for (size_t p = 0; r == 0 && p < LEN(protocols); p++) {
			r = list_sockets(sock, families[f], protocols[p], &l);
			for (size_t i = 0; i < l.n; i++)
				*(l.list[i].owned ? &left->owned : &left->closed) += 1;
			if (r == 0 && ends)
				end_sockets(sock, protocols[p], &l);
		}
	arena_free(&l.arena);
	return r;
}

int leftover_end_sockets(struct leftover_sockets *left, struct err *e)
{
	own_fd int sock = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int r = sock < 0 ? -errno : 0;

	*left = (struct leftover_sockets){.closed = 1};
	/* One that is ended may leave another behind it (TIME_WAIT). */
	for (int i = 0; r == 0 && i < ROUNDS && left->closed; i++)
		r = one_round(sock, left, i < ROUNDS - 1);
	return r < 0 ? err_set(e, -r, "sockets of the network namespace") : 0;
}

/* --- routes ----------------------------------------------------------------------------------- */

int leftover_forget_routes(struct err *e)
{
	static const char *const files[] = {"/proc/sys/net/ipv4/route/flush",
					    "/proc/sys/net/ipv6/route/flush"};

	for (size_t i = 0; i < LEN(files); i++)
		/* A kernel without IPv6 has no second one. */
		if (faccessat(AT_FDCWD, files[i], F_OK, 0) == 0 &&
		    file_poke(AT_FDCWD, files[i], "-1", e) < 0)
			return -e->code;
	return 0;
}

/* --- TCP's metrics ---------------------------------------------------------------------------- */

union message {
	struct nlmsghdr head;
	char bytes[128];
};

static void begin(union message *q, uint16_t family, uint16_t flags, uint8_t command)
{
	const struct genlmsghdr g = {.cmd = command, .version = 1};

	*q = (union message){
		.head = {.nlmsg_len = NLMSG_LENGTH(sizeof(g)),
			 .nlmsg_type = family,
			 .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags)}
        };
	memcpy(q->bytes + NLMSG_HDRLEN, &g, sizeof(g));
}

static int note_family(uint16_t type, const void *payload, size_t len, void *ctx)
{
	struct dump_attr x;

	(void)type;
	if (len < GENL_HDRLEN ||
	    !dump_find((const char *)payload + GENL_HDRLEN, len - GENL_HDRLEN, CTRL_ATTR_FAMILY_ID,
		       &x) ||
	    x.len < sizeof(uint16_t))
		return -EBADMSG;
	memcpy(ctx, x.data, sizeof(uint16_t));
	return 0;
}

/* *family 0: this kernel keeps none. */
static int open_metrics(uint16_t *family, struct err *e)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC);
	union message q;

	*family = 0;
	if (fd < 0)
		return err_set(e, errno, "generic netlink");
	begin(&q, GENL_ID_CTRL, NLM_F_ACK, CTRL_CMD_GETFAMILY);
	int r = dump_put(&q.head, sizeof(q), CTRL_ATTR_FAMILY_NAME, TCP_METRICS_GENL_NAME,
			 sizeof(TCP_METRICS_GENL_NAME))
			? dump_ask(fd, &q.head, note_family, family)
			: -EMSGSIZE;
	if (r == 0 || r == -ENOENT)
		return fd;
	(void)close(fd);
	return err_set(e, -r, "metrics of TCP");
}

static int count_one(uint16_t type, const void *payload, size_t len, void *ctx)
{
	(void)type;
	(void)payload;
	(void)len;
	++*(int64_t *)ctx;
	return 0;
}

int leftover_count_metrics(int64_t *n, struct err *e)
{
	uint16_t family;
	own_fd int fd = open_metrics(&family, e);
	int r = -EINTR;

	*n = 0;
	if (fd < 0 || !family)
		return fd < 0 ? fd : 0;
	for (int i = 0; i < TRIES && r == -EINTR; i++) {
		union message q;

		*n = 0;
		begin(&q, family, NLM_F_DUMP, TCP_METRICS_CMD_GET);
		r = dump_ask(fd, &q.head, count_one, n);
	}
	return r < 0 ? err_set(e, -r, "metrics of TCP") : 0;
}

int leftover_forget_metrics(struct err *e)
{
	uint16_t family;
	own_fd int fd = open_metrics(&family, e);
	union message q;

	if (fd < 0 || !family)
		return fd < 0 ? fd : 0;
	/* Without an address: all of them. */
	begin(&q, family, NLM_F_ACK, TCP_METRICS_CMD_DEL);
	int r = dump_ask(fd, &q.head, NULL, NULL);
	return r < 0 ? err_set(e, -r, "metrics of TCP: remove") : 0;
}
