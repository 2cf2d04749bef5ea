#include "net/mnl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "base/fault.h"

#define ROW(member, function)                                                                      \
	{                                                                                          \
		offsetof(struct mnl, member), #function                                            \
	}

static const struct {
	size_t member;
	const char *function;
} rows[] = {
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
	ROW(attr_put_check, mnl_attr_put_check),
	ROW(nest_start_check, mnl_attr_nest_start_check),
	ROW(nest_end, mnl_attr_nest_end),
	ROW(attr_ok, mnl_attr_ok),
	ROW(attr_next, mnl_attr_next),
	ROW(message_ok, mnl_nlmsg_ok),
	ROW(message_next, mnl_nlmsg_next),
};

int mnl_load(struct mnl *m, struct err *e)
{
	void *library = fault_hides("libmnl") ? NULL : dlopen("libmnl.so.0", RTLD_NOW | RTLD_LOCAL);

	if (!library)
		return err_msg(e, ENOTSUP, "the network needs libmnl.so.0 (package libmnl0): %s",
			       fault_hides("libmnl") ? "hidden" : dlerror());
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *function = dlsym(library, rows[i].function);

		if (!function)
			return err_msg(e, ENOTSUP, "libmnl.so.0 has no %s", rows[i].function);
		memcpy((char *)m + rows[i].member, &function, sizeof(function));
	}
	return 0;
}
