#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "policy/policy.h"

static bool may_raise_limits(const struct policy_facts *f)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {0};

	if (f->rootless || f->nested) /* it counts in the host's user namespace only */
		return false;
	return syscall(SYS_capget, &h, d) == 0 && d[0].effective & 1U << CAP_SYS_RESOURCE;
}

/* The id behind the line of map that has id; id itself: none has. */
static uint32_t behind(const char *map, uint32_t id)
{
	unsigned int inside, outside, size;

	for (const char *line = map; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (sscanf(line, "%u %u %u", &inside, &outside, &size) == 3 && id >= inside &&
		    id - inside < size)
			return inside + size;
	}
	return id;
}

/* How many ids from 0 on this user namespace has, in however many lines (an engine's: 0, then the
 * subordinate range); 1 where nothing can be read. */
static uint32_t own_ids(void)
{
	char map[4096];
	uint32_t n = 0, next;

	if (file_peek(AT_FDCWD, "/proc/self/gid_map", map, sizeof(map)) < 0)
		return 1;
	while ((next = behind(map, n)) > n)
		n = next;
	return n ? n : 1;
}

static void read_limits(struct policy_facts *f)
{
	bool raise = may_raise_limits(f);
	char text[32];
	uint64_t most;

	for (unsigned int i = 0; i < RLIM_NLIMITS; i++) {
		struct rlimit now;

		f->hard[i] = RLIM_INFINITY;
		if (!raise && getrlimit((enum __rlimit_resource)i, &now) == 0)
			f->hard[i] = now.rlim_max;
	}
	/* No capability helps above this one (setrlimit(2)). */
	if (file_peek(AT_FDCWD, "/proc/sys/fs/nr_open", text, sizeof(text)) > 0 &&
	    str_u64(text, &most) && most < f->hard[RLIMIT_NOFILE])
		f->hard[RLIMIT_NOFILE] = most;
}

int policy_facts_read(struct policy_facts *out, struct err *e)
{
	char text[32];
	int64_t score;
	ssize_t n = file_peek(AT_FDCWD, "/proc/self/oom_score_adj", text, sizeof(text));

	if (n < 0)
		return err_set(e, (int)-n, "read /proc/self/oom_score_adj");
	if (!str_i64(text, &score))
		return err_msg(e, EINVAL, "/proc/self/oom_score_adj: not a number");
	out->oom_score_adj = (int32_t)score;
	/* A user without any right maps himself alone. */
	out->own_ids = out->rootless && !out->nested ? 1 : own_ids();
	read_limits(out);
	return 0;
}
