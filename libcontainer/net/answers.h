#ifndef BRIG_NET_ANSWERS_H
#define BRIG_NET_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/mnl.h"

/*
 * What the kernel answers on a NETLINK_NETFILTER socket.  It has queued all of it when the send
 * returns (and the rest of a dump when the part before is read), so nothing here waits.
 */
struct answers {
	uint32_t seq, n; /* of the messages asked about; others are skipped */
	int code;        /* of the first message refused; errno, 0: none */
	uint32_t index;  /* which one */
	bool acked, done;
	uint32_t acked_seq;
	char why[96]; /* of the kernel: text, or the offset of what it minds */
	/* Data: for every message with one of the sequence numbers; index is its place. */
	void (*data)(void *ctx, const struct nlmsghdr *h, uint32_t index);
	/* Messages refused: ENOENT of a question is an answer, too; then code is not set. */
	bool (*missing)(void *ctx, int code, uint32_t index);
	void *ctx;
	bool interrupted; /* a dump during which something changed */
};

void answers_begin(struct answers *a, uint32_t seq, uint32_t n);
/* EMSGSIZE: more than the socket takes at once. */
int answers_ask(const struct mnl *m, int sock, const void *bytes, size_t len,
		struct err *e) MUST_CHECK;
/* All that is there.  An error is that of the socket; ENOBUFS: answers were lost. */
int answers_read(const struct mnl *m, int sock, struct answers *a, struct err *e) MUST_CHECK;
/* Goes through one datagram. */
int answers_parse(const struct mnl *m, struct answers *a, const void *bytes, size_t len);
/* "nf_tables: PART: ..." of what was refused, with the remedy where the kernel lacks something. */
int answers_refused(const struct answers *a, const char *part, struct err *e);

/*
 * Sends one question (head and attributes by fill) and runs data over the answers; a dump that was
 * interrupted is begun anew, after reset.
 */
struct question {
	int type; /* NFT_MSG_GET* */
	uint16_t flags;
	uint8_t family;
	const char *part; /* for errors */
	struct {
		uint16_t type;
		const char *text;
	} strings[2]; /* attributes; text NULL: none */
	void (*reset)(void *ctx);
	void (*data)(void *ctx, const struct nlmsghdr *h, uint32_t index);
	void *ctx;
	bool may_miss; /* ENOENT: no data, no error */
};
int question_ask(const struct mnl *m, int sock, const struct question *q, struct err *e) MUST_CHECK;

/* --- reading of attributes ------------------------------------------------------------------ */

enum { ATTRS_MAX = 32 };
/* Those of one level, by type; the first of a kind counts. */
struct attrs {
	const struct nlattr *at[ATTRS_MAX];
};
/* Behind the nfgenmsg of a message; inside of an attribute. */
void attrs_of_message(const struct mnl *m, const struct nlmsghdr *h, struct attrs *out);
void attrs_of_nest(const struct mnl *m, const struct nlattr *nest, struct attrs *out);
/* Calls each for every attribute inside. */
void attrs_each(const struct mnl *m, const struct nlattr *nest,
		void (*each)(void *ctx, const struct nlattr *attr), void *ctx);
/* False where it is absent or too short. */
bool attr_be32(const struct mnl *m, const struct nlattr *attr, uint32_t *out);
bool attr_be64(const struct mnl *m, const struct nlattr *attr, uint64_t *out);
bool attr_bytes(const struct mnl *m, const struct nlattr *attr, void *out, size_t len);
/* A terminated copy; "" where it is absent or does not fit. */
void attr_text(const struct mnl *m, const struct nlattr *attr, char *out, size_t size);
/* The comment of userdata as nft(8) writes it. */
void attr_comment(const struct mnl *m, const struct nlattr *attr, char *out, size_t size);

#endif
