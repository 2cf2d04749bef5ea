#ifndef BRIG_NET_MNL_H
#define BRIG_NET_MNL_H

#include <libmnl/libmnl.h>

#include "base/err.h"

/*
 * The part of libmnl that is used, found by dlopen at the first use: almost no start moves
 * devices, and a linked library would cost each of them a tenth of a millisecond.
 */
struct mnl {
	__typeof__(&mnl_socket_open2) socket_open;
	__typeof__(&mnl_socket_bind) socket_bind;
	__typeof__(&mnl_socket_get_portid) socket_portid;
	__typeof__(&mnl_socket_sendto) socket_sendto;
	__typeof__(&mnl_socket_recvfrom) socket_recvfrom;
	__typeof__(&mnl_socket_close) socket_close;
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
	__typeof__(&mnl_cb_run) cb_run;
	/* Where libmnl's C library keeps errno: a brig that is linked statically has another. */
	int *(*errno_at)(void);
};

/* Fills the table; the library stays loaded. */
int mnl_load(struct mnl *m, struct err *e) MUST_CHECK;

#endif
