/*
 * What a process has from who made it: limits, the CPUs it may run on, how soon it is killed for
 * memory.  Each generation has it from the shell's creator, not from whoever resets it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "reuse.h"
#include "specs/request.h"

#define OOM  "/proc/self/oom_score_adj"
#define CORE "/proc/self/coredump_filter"
enum { MOST_CPUS = 4096 };

/* --- of ours ------------------------------------------------------------------------------ */

static const char *affinity(struct arena *a)
{
	struct err ignored;
	char *text, *p;

	if (file_read(a, AT_FDCWD, "/proc/self/status", 64 << 10, &text, NULL, &ignored) < 0)
		return NULL;
	p = strstr(text, "\nCpus_allowed_list:\t");
	if (!p)
		return NULL;
	p = strchr(p + 1, '\t') + 1;
	p[strcspn(p, "\n")] = '\0';
	return p;
}

void reuse_inherited(struct arena *a, struct brig_request *out)
{
	const char **list = arena_array(a, RLIM_NLIMITS + 1, sizeof(*list));
	char text[64];
	struct rlimit l;

	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (getrlimit((__rlimit_resource_t)i, &l) == 0)
			list[out->n_rlimits++] =
				arena_printf(a, "%d:%" PRIu64 ":%" PRIu64, i, (uint64_t)l.rlim_cur,
					     (uint64_t)l.rlim_max);
	out->rlimits = list;
	out->affinity = affinity(a);
	if (file_peek(AT_FDCWD, OOM, text, sizeof(text)) > 0)
		out->oom_score_adj = (int32_t)strtol(text, NULL, 10);
	if (file_peek(AT_FDCWD, CORE, text, sizeof(text)) > 0)
		out->coredump_filter = arena_printf(a, "0x%s", text);
	out->umask = umask(0);
	(void)umask(out->umask);
}

/* --- onto ours ---------------------------------------------------------------------------- */

static int set_limit(const char *text, struct err *e)
{
	struct rlimit has, want;
	uint64_t soft, hard;
	int resource;

	if (sscanf(text, "%d:%" SCNu64 ":%" SCNu64, &resource, &soft, &hard) != 3 || resource < 0 ||
	    resource >= RLIM_NLIMITS)
		return err_msg(e, EINVAL, "rlimits: \"%.64s\" is none", text);
	want = (struct rlimit){soft, hard};
	if (getrlimit((__rlimit_resource_t)resource, &has) < 0)
		return err_set(e, errno, "getrlimit");
	if (has.rlim_cur == want.rlim_cur && has.rlim_max == want.rlim_max)
		return 0;
	return setrlimit((__rlimit_resource_t)resource, &want) < 0
		       ? err_set(e, errno, "resource limit %d, which create was given", resource)
		       : 0;
}

static int set_affinity(const char *list, struct err *e)
{
	uint64_t set[MOST_CPUS / 64] = {0};
	const char *has;
	struct arena a = {0};

	has = affinity(&a);
	bool same = str_eq(has, list);
	arena_free(&a);
	if (same)
		return 0;
	if (!str_cpulist(list, set, MOST_CPUS))
		return err_msg(e, EINVAL, "affinity: \"%.64s\" is no list of CPUs", list);
	/* The kernel's words are as long, and in the same order on 64 bit. */
	return sched_setaffinity(0, sizeof(set), (const cpu_set_t *)(const void *)set) < 0
		       ? err_set(e, errno, "CPUs %s, which create was given", list)
		       : 0;
}

/* base: that the kernel writes it in. */
static int set_text(const char *path, int base, const char *want, struct err *e)
{
	char has[64];

	if (file_peek(AT_FDCWD, path, has, sizeof(has)) < 0 ||
	    strtol(has, NULL, base) == strtol(want, NULL, 0))
		return 0;
	return file_poke(AT_FDCWD, path, want, e);
}

int reuse_inherit(const struct brig_request *r, struct err *e)
{
	char oom[16];

	snprintf(oom, sizeof(oom), "%d", r->oom_score_adj);
	for (size_t i = 0; i < r->n_rlimits; i++)
		if (set_limit(r->rlimits[i], e) < 0)
			return -e->code;
	(void)umask(r->umask & 0777);
	if ((r->affinity && set_affinity(r->affinity, e) < 0) || set_text(OOM, 10, oom, e) < 0)
		return -e->code;
	return r->coredump_filter ? set_text(CORE, 16, r->coredump_filter, e) : 0;
}
