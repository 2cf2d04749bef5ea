#include "net/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"

/* A device's name has no '/' (dev_valid_name). */
struct conf_path {
	char text[128];
};

static struct conf_path path_of(const char *device, int family, const char *name)
{
	struct conf_path p;

	snprintf(p.text, sizeof(p.text), "/proc/sys/net/ipv%d/conf/%s/%s", family, device, name);
	return p;
}

bool conf_is(const char *device, int family, const char *name, const char *value)
{
	char now[64];

	return file_peek(AT_FDCWD, path_of(device, family, name).text, now, sizeof(now)) >= 0 &&
	       str_eq(now, value);
}

bool conf_exists(const char *device, int family, const char *name)
{
	return access(path_of(device, family, name).text, F_OK) == 0;
}

int conf_write(const char *device, const struct conf_row *rows, size_t n, struct err *e)
{
	bool ipv6 = access("/proc/sys/net/ipv6", F_OK) == 0;

	for (size_t i = 0; i < n; i++) {
		const struct conf_row *r = &rows[i];

		if ((r->family == 6 && !ipv6) || conf_is(device, r->family, r->name, r->value))
			continue;
		if (file_poke(AT_FDCWD, path_of(device, r->family, r->name).text, r->value, e) < 0)
			return -e->code;
	}
	return 0;
}
