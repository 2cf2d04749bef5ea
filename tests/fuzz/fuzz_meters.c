#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cgroup/meters.h"

/*
 * The first byte picks the layout; the rest, cut at each NUL, is what the files hold, in the order
 * of the meters.  Whatever they say, a number is told or not: nothing below -1.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fill(int fd, const uint8_t *data, size_t size)
{
	if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
		abort();
}

static void check(const struct cgroup_usage *u)
{
	int64_t v[sizeof(*u) / sizeof(int64_t)];

	memcpy(v, u, sizeof(v));
	for (size_t i = 0; i < sizeof(v) / sizeof(*v); i++)
		if (v[i] < -1)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cgroup_meters m;
	struct cgroup_usage u, start = {0};

	if (!size)
		return 0;
	if (!m.fds[0])
		for (int i = 0; i < CGROUP_METERS; i++)
			m.fds[i] = memfd_create("meter", MFD_CLOEXEC);
	m.v2 = data[0] & 1;
	data++;
	size--;
	for (int i = 0; i < CGROUP_METERS; i++) {
		const uint8_t *end = size ? memchr(data, 0, size) : NULL;
		size_t n = end ? (size_t)(end - data) : size;

		fill(m.fds[i], data, n);
		data += n + (end != NULL);
		size -= n + (end != NULL);
	}
	cgroup_meters_read(&m, &u);
	check(&u);
	if (cgroup_meters_cpu_ns(&m) < -1 || cgroup_meters_oom_kills(&m) < -1)
		abort();
	start.cpu_ns = u.user_ns;
	cgroup_usage_since(&u, &start);
	check(&u);
	return 0;
}
