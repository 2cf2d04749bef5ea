#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "pool/part.h"

enum { MOST = 1 << 20 };

static const char *const v1_files[] = {
	"memory.limit_in_bytes",
	"memory.memsw.limit_in_bytes",
	"memory.soft_limit_in_bytes",
	"memory.swappiness",
	"memory.oom_control",
	"memory.use_hierarchy",
	"cpu.shares",
	"cpu.cfs_quota_us",
	"cpu.cfs_period_us",
	"cpu.rt_runtime_us",
	"cpu.idle",
	"cpuset.cpus",
	"cpuset.mems",
	"cpuset.cpu_exclusive",
	"devices.list",
	"blkio.throttle.read_bps_device",
	"blkio.throttle.write_bps_device",
	"blkio.throttle.read_iops_device",
	"blkio.throttle.write_iops_device",
	"freezer.state",
	"pids.max",
	"notify_on_release",
};
static const char *const v2_files[] = {
	"pids.max",
	"memory.max",
	"memory.high",
	"memory.low",
	"memory.min",
	"memory.swap.max",
	"memory.oom.group",
	"cpu.max",
	"cpu.weight",
	"cpu.idle",
	"cpuset.cpus",
	"cpuset.mems",
	"cpuset.cpus.partition",
	"io.max",
	"io.weight",
	"cgroup.freeze",
	"cgroup.type",
	"cgroup.subtree_control",
	"cgroup.max.depth",
};

/* How many were killed for memory is a counter, not a limit. */
static void cut_counter(char *value)
{
	char *p = strstr(value, "oom_kill ");

	if (p && p > value && p[-1] == '\n')
		p[-1] = '\0';
}

/* v1 has a controller's files in its own hierarchy only; hierarchy: "cpu,cpuacct". */
static bool may_be_there(const char *hierarchy, const char *file)
{
	const char *dot = strchr(file, '.');
	size_t n = dot ? (size_t)(dot - file) : 0;

	if (!*hierarchy || !dot)
		return true;
	for (const char *p = hierarchy; *p; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, file, n) == 0 && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

/* A list of devices has no bound but the kernel's memory; all others are short. */
static int read_limit(struct text *t, int dir, const char *file, char *first, size_t size,
		      char **out)
{
	struct err e;
	ssize_t n = file_peek(dir, file, first, size);

	*out = first;
	if (n < 0 || (size_t)n < size - 2)
		return n < 0 ? (int)n : 0;
	return file_read(t->a, dir, file, MOST, out, NULL, &e);
}

static void add_limits(struct text *t, int dir, const char *hierarchy)
{
	const char *const *files = *hierarchy ? v1_files : v2_files;
	size_t n = *hierarchy ? LEN(v1_files) : LEN(v2_files);
	char first[1024], *value;

	for (size_t i = 0; i < n; i++) {
		if (!may_be_there(hierarchy, files[i]))
			continue;
		const char *what = arena_printf(t->a, "cgroup %s %s", hierarchy, files[i]);
		int r = read_limit(t, dir, files[i], first, sizeof(first), &value);

		/* Without swap accounting its limits are there and say EOPNOTSUPP. */
		if (r == -ENOENT || r == -EOPNOTSUPP)
			continue;
		if (r < 0) {
			pool_unreadable(t, what, err_text(-r));
			continue;
		}
		cut_counter(value);
		pool_add_value(t, what, value);
	}
}

void pool_add_cgroups(struct text *t, const struct pool_subject *s)
{
	const struct cgroup_record *c = &s->state->cgroup;
	/* Only who has the host's rights may ask; elsewhere v1 says which devices there are. */
	bool programs = str_eq(c->layout, "v2") && !s->plain_user;

	for (size_t i = 0; i < c->n_dirs; i++) {
		int dir = s->cgroups[i];

		if (dir < 0) {
			pool_unreadable(t, c->dirs[i].path, err_text(-dir));
			continue;
		}
		text_addf(t, "cgroup %s there\n", c->dirs[i].path);
		add_limits(t, dir, c->dirs[i].hierarchy);
		if (programs)
			pool_add_programs(t, dir);
	}
}
