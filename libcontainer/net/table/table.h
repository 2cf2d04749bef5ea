#ifndef BRIG_NET_TABLE_TABLE_H
#define BRIG_NET_TABLE_TABLE_H

#include <stddef.h>
#include <stdint.h>

/*
 * Batches of nf_tables messages as bytes, made by mktable.c when brig is built.  The sequence
 * number of the first message is 0; parts[seq] says what a message makes, for error texts.
 */
struct egress_table {
	const unsigned char *bytes;
	size_t len;
	const char *const *parts;
	uint32_t n_parts; /* with begin and end of a batch; the message before the end is acked */
};

/*
 * EGRESS_NEW fails with EEXIST where the table is there already, EGRESS_REPLACE takes its place.
 * Of each the first answers TCP with a reset, so that connect() fails at once instead of after two
 * minutes; the second does without nft_reject.  All drop the same.
 */
enum { EGRESS_NEW, EGRESS_REPLACE, EGRESS_STATES };
enum { EGRESS_RESETS, EGRESS_PLAIN, EGRESS_KINDS };
extern const struct egress_table egress_tables[EGRESS_STATES][EGRESS_KINDS];
/* Asks whether the table is there: its data or ENOENT comes back. */
extern const struct egress_table egress_question;

#endif
