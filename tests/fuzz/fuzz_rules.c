#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/answers.h"
#include "net/rules.h"
#include "net/rules_read.h"

/*
 * One datagram of the kernel: as an answer with elements, counters and comments, and as log
 * records.  The first byte picks which; messages have the sequence numbers 0 to 3.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mnl mnl;

static void note_element(void *ctx, const struct nlattr *attr)
{
	struct rules_element x;
	uint64_t packets, bytes;

	(void)ctx;
	if (rules_read_element(&mnl, attr, &x) && x.len > sizeof(x.key))
		abort();
	(void)rules_read_counter(&mnl, attr, &packets, &bytes); /* or not */
}

static void note_data(void *ctx, const struct nlmsghdr *h, uint32_t index)
{
	struct attrs attrs;
	char text[16];

	(void)ctx;
	if (index >= 4)
		abort();
	attrs_of_message(&mnl, h, &attrs);
	for (size_t i = 0; i < ATTRS_MAX; i++) {
		attr_text(&mnl, attrs.at[i], text, sizeof(text));
		if (strlen(text) >= sizeof(text))
			abort();
		attr_comment(&mnl, attrs.at[i], text, sizeof(text));
		if (strlen(text) >= sizeof(text))
			abort();
		attrs_each(&mnl, attrs.at[i], note_element, NULL);
	}
}

static void note_packet(void *ctx, const struct rules_packet *p)
{
	(void)ctx;
	if (p->from.family != p->to.family || (p->to.family != 4 && p->to.family != 6))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answers answers;
	uint32_t seq = 0;
	struct err e;

	if (size < 1 || size > 65536 || (!mnl.payload && mnl_load(&mnl, &e) < 0))
		return 0;
	/* Aligned, and exactly as long. */
	void *copy = malloc(size - 1);
	if (size > 1)
		memcpy(copy, data + 1, size - 1);
	if (data[0] & 1) {
		(void)rules_log_parse(&mnl, copy, size - 1, &seq, note_packet,
				      NULL); /* any count */
	} else {
		answers_begin(&answers, 0, 4);
		answers.data = note_data;
		(void)answers_parse(&mnl, &answers, copy, size - 1); /* or refused */
		if (strlen(answers.why) >= sizeof(answers.why) || answers.code < 0)
			abort();
	}
	free(copy);
	return 0;
}
