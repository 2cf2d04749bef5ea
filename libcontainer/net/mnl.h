#ifndef BRIG_NET_MNL_H
#define BRIG_NET_MNL_H

#include <libmnl/libmnl.h>

#include "base/err.h"

/*
 * The part of libmnl that is used, found by dlopen at the first use: most starts need none of it,
 * and a linked library would cost each of them a tenth of a millisecond.  Messages are built and
 * read by it; sockets and errno are our own libc's, as a brig that is linked statically has another
 * one than the library.
 */
struct mnl {
	__typeof__(&mnl_nlmsg_put_header) put_header;
	__typeof__(&mnl_nlmsg_put_extra_header) put_extra;
	__typeof__(&mnl_attr_put) attr_put;
	__typeof__(&mnl_attr_put_u32) attr_put_u32;
	__typeof__(&mnl_attr_put_strz) attr_put_strz;
	__typeof__(&mnl_attr_parse) attr_parse;
	__typeof__(&mnl_attr_get_type) attr_type;
	__typeof__(&mnl_attr_get_payload) attr_payload;
	__typeof__(&mnl_attr_get_payload_len) attr_payload_len;
	__typeof__(&mnl_attr_get_u32) attr_u32;
	__typeof__(&mnl_nlmsg_get_payload) payload;
	__typeof__(&mnl_attr_put_check) attr_put_check; /* false: no room, nothing is put */
	__typeof__(&mnl_attr_nest_start_check) nest_start_check;
	__typeof__(&mnl_attr_nest_end) nest_end;
	__typeof__(&mnl_attr_ok) attr_ok;
	__typeof__(&mnl_attr_next) attr_next;
	__typeof__(&mnl_nlmsg_ok) message_ok;
	__typeof__(&mnl_nlmsg_next) message_next;
};

/* Fills the table; the library stays loaded. */
int mnl_load(struct mnl *m, struct err *e) MUST_CHECK;

#endif
