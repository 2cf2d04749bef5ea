#ifndef BRIG_FS_MACHINE_H
#define BRIG_FS_MACHINE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "base/arena.h"
#include "base/err.h"
#include "fs/fs.h"

/*
 * The text of the files in a minimal /proc and /sys: what language runtimes size themselves by,
 * told from struct fs_machine.  Of the host only these are shown: the model lines of
 * /proc/cpuinfo, the total memory where there is no limit, the boot time (which
 * clock_gettime(2) tells anyway) and two sysctls that allocators ask.
 */
struct fs_text {
	const char *path; /* relative, below "proc/" or "sys/"; parents stand before it */
	const char *text; /* NULL: a directory */
	size_t len;
};

/* Reads the host's files; no side effect.  *out ends with a row whose path is NULL. */
int fs_machine_texts(struct arena *a, const struct fs_machine *m, const struct fs_text **out,
		     struct err *e) MUST_CHECK;

enum { FS_MAX_CPUS = 8192 }; /* NR_CPUS of the largest kernel configurations */

/* What the texts are made of. */
struct fs_machine_facts {
	uint32_t *cpus; /* ascending, as many as the quota lets work */
	size_t n_cpus;
	uint32_t last_cpu; /* the highest of those given: sched_getcpu(3) may tell it */
	uint64_t memory, swap;
	struct timespec now, up;
};
int fs_machine_facts(struct arena *a, const struct fs_machine *m, struct fs_machine_facts *out,
		     struct err *e) MUST_CHECK;
/* The blocks of the CPUs given, numbered from 0; host: text of /proc/cpuinfo. */
char *fs_machine_cpuinfo(struct arena *a, const char *host, const struct fs_machine_facts *f);
char *fs_machine_stat(struct arena *a, const struct fs_machine_facts *f);
char *fs_machine_meminfo(struct arena *a, const struct fs_machine_facts *f);
/* /proc/cgroups with the controllers that runtimes look for, without the host's counts. */
char *fs_machine_cgroups(struct arena *a, const char *host);

#endif
