#include "net/mnl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#define ROW(member, function)                                                                      \
	{                                                                                          \
		offsetof(struct mnl, member), #function                                            \
	}

static const struct {
	size_t member;
	const char *function;
} rows[] = {
	ROW(socket_open, mnl_socket_open2),
	ROW(socket_bind, mnl_socket_bind),
	ROW(socket_portid, mnl_socket_get_portid),
	ROW(socket_sendto, mnl_socket_sendto),
	ROW(socket_recvfrom, mnl_socket_recvfrom),
	ROW(socket_close, mnl_socket_close),
	ROW(put_header, mnl_nlmsg_put_header),
	ROW(put_extra, mnl_nlmsg_put_extra_header),
	ROW(attr_put, mnl_attr_put),
	ROW(attr_put_u32, mnl_attr_put_u32),
	ROW(attr_put_strz, mnl_attr_put_strz),
	ROW(attr_parse, mnl_attr_parse),
	ROW(attr_type, mnl_attr_get_type),
	ROW(attr_payload, mnl_attr_get_payload),
	ROW(attr_payload_len, mnl_attr_get_payload_len),
	ROW(attr_u32, mnl_attr_get_u32),
	ROW(payload, mnl_nlmsg_get_payload),
	ROW(cb_run, mnl_cb_run),
	ROW(errno_at, __errno_location),
};

int mnl_load(struct mnl *m, struct err *e)
{
	void *library = dlopen("libmnl.so.0", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return err_msg(e, ENOTSUP, "network devices need libmnl.so.0: %s", dlerror());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *function = dlsym(library, rows[i].function);

		if (!function)
			return err_msg(e, ENOTSUP, "libmnl.so.0 has no %s", rows[i].function);
		memcpy((char *)m + rows[i].member, &function, sizeof(function));
	}
	return 0;
}
