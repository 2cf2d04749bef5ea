#include "net/batch.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "net/answers.h"

/* What is kept free for the end, which is put last and must fit. */
enum { END_BYTES = 64, MIN_SEND = 32768, SOCKET_OWN = 1024, COMMENT_MAX = 127 };

static void put_message(struct batch *b, const char *part, uint16_t type, uint16_t flags,
			uint8_t family, uint16_t res_id)
{
	size_t head = MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct nfgenmsg));

	b->cur = NULL;
	if (b->n == BATCH_MAX_MESSAGES || b->size - b->len < head)
		b->full = true;
	if (b->full)
		return;
	b->cur = b->m->put_header(b->buf + b->len);
	b->cur->nlmsg_type = type;
	b->cur->nlmsg_flags = NLM_F_REQUEST | flags;
	b->cur->nlmsg_seq = b->seq + b->n;
	struct nfgenmsg *g = b->m->put_extra(b->cur, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	b->parts[b->n++] = part;
}

void batch_end(struct batch *b)
{
	if (!b->cur)
		return;
	b->len += MNL_ALIGN(b->cur->nlmsg_len);
	b->last = b->cur;
	b->cur = NULL;
}

struct batch *batch_questions(struct arena *a, const struct mnl *m, size_t size, uint8_t family)
{
	struct batch *b = arena_new(a, sizeof(*b));

	*b = (struct batch){.m = m, .family = family, .family_table = "brig"};
	b->buf = arena_new(a, size);
	b->size = size - END_BYTES;
	/* Answers that an earlier failure left in the socket have other numbers. */
	b->seq = (uint32_t)(clock_monotonic_ns() >> 8);
	return b;
}

struct batch *batch_new(struct arena *a, const struct mnl *m, size_t size, uint8_t family,
			uint32_t genid)
{
	struct batch *b = batch_questions(a, m, size, family);

	/* The subsystem of a batch travels in res_id. */
	put_message(b, "begin", NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	if (genid)
		batch_be32(b, NFNL_BATCH_GENID, genid);
	batch_end(b);
	return b;
}

void batch_family(struct batch *b, uint8_t family)
{
	b->family = family;
}

size_t batch_room(const struct batch *b)
{
	return b->full ? 0 : b->size - b->len;
}

bool batch_is_empty(const struct batch *b)
{
	return b->n <= 1;
}

size_t batch_limit(int sock)
{
	int size = 0;
	socklen_t len = sizeof(size);

	if (getsockopt(sock, SOL_SOCKET, SO_SNDBUF, &size, &len) < 0 || size < MIN_SEND)
		return MIN_SEND;
	return (size_t)size - SOCKET_OWN;
}

void batch_message(struct batch *b, const char *part, int type, uint16_t flags)
{
	put_message(b, part, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, b->family, 0);
}

static size_t room_of_message(const struct batch *b)
{
	return b->size - b->len;
}

void batch_put(struct batch *b, uint16_t type, const void *data, size_t len)
{
	if (b->cur && !b->m->attr_put_check(b->cur, room_of_message(b), type, len, data)) {
		b->full = true;
		b->cur = NULL;
	}
}

void batch_string(struct batch *b, uint16_t type, const char *text)
{
	batch_put(b, type, text, strlen(text) + 1);
}

void batch_be16(struct batch *b, uint16_t type, uint16_t value)
{
	value = htons(value);
	batch_put(b, type, &value, sizeof(value));
}

void batch_be32(struct batch *b, uint16_t type, uint32_t value)
{
	value = htonl(value);
	batch_put(b, type, &value, sizeof(value));
}

void batch_be64(struct batch *b, uint16_t type, uint64_t value)
{
	value = htobe64(value);
	batch_put(b, type, &value, sizeof(value));
}

struct nlattr *batch_nest(struct batch *b, uint16_t type)
{
	struct nlattr *nest = NULL;

	if (!b->cur)
		return NULL;
	nest = b->m->nest_start_check(b->cur, room_of_message(b), type);
	if (!nest) {
		b->full = true;
		b->cur = NULL;
	}
	return nest;
}

void batch_unnest(struct batch *b, struct nlattr *nest)
{
	if (b->cur && nest)
		b->m->nest_end(b->cur, nest);
}

void batch_comment(struct batch *b, uint16_t type, const char *text)
{
	unsigned char tlv[2 + COMMENT_MAX + 1] = {0}; /* type 0: a comment */
	size_t len = text ? strlen(text) + 1 : 0;

	if (!len)
		return;
	if (len > COMMENT_MAX) {
		b->full = true; /* never cut short */
		return;
	}
	tlv[1] = (unsigned char)len;
	memcpy(tlv + 2, text, len);
	batch_put(b, type, tlv, len + 2);
}

int batch_send(struct batch *b, int sock, struct err *e)
{
	struct answers answers;

	if (b->full || batch_is_empty(b))
		return err_msg(e, E2BIG, "nf_tables: the table does not fit into one batch");
	/* One ack tells that everything before it was taken; on the end it works since 6.10 only.
	 */
	b->last->nlmsg_flags |= NLM_F_ACK;
	uint32_t acked = b->last->nlmsg_seq;
	b->size += END_BYTES;
	put_message(b, "end", NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES);
	batch_end(b);
	if (b->full)
		return err_msg(e, E2BIG, "nf_tables: the table does not fit into one batch");
	int r = answers_ask(b->m, sock, b->buf, b->len, e);
	if (r < 0)
		return r;
	answers_begin(&answers, b->seq, b->n);
	r = answers_read(b->m, sock, &answers, e);
	if (r < 0)
		return r;
	if (answers.code)
		return answers_refused(&answers,
				       answers.index < b->n ? b->parts[answers.index] : "batch", e);
	if (!answers.acked || answers.acked_seq != acked)
		return err_msg(e, EPROTO, "nf_tables: the kernel did not confirm the batch");
	return 0;
}

int batch_ask(struct batch *b, int sock, struct answers *answers, struct err *e)
{
	if (b->full)
		return err_msg(e, E2BIG, "nf_tables: too many questions");
	answers->seq = b->seq;
	answers->n = b->n;
	int r = answers_ask(b->m, sock, b->buf, b->len, e);
	r = r < 0 ? r : answers_read(b->m, sock, answers, e);
	if (r < 0)
		return r;
	if (answers->code)
		return answers_refused(
			answers, answers->index < b->n ? b->parts[answers->index] : "question", e);
	return 0;
}
