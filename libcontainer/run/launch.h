#ifndef BRIG_RUN_LAUNCH_H
#define BRIG_RUN_LAUNCH_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/*
 * The last step: execve of the workload through the stub (run/stub/stub.h), so that nothing of
 * the runtime's binary can be reached by /proc/PID/exe.
 */

struct launch {
	const char *path; /* as found; what execve gets */
	char *const *argv;
	char *const *envp;
	int sync_fd; /* the stub reports a failure here and closes it by its exec */
	const struct sock_filter *insns; /* NULL: none */
	size_t n_insns;
	uint32_t seccomp_flags;
	/*
	 * The filter goes on before the stub, which must be allowed its calls.  Otherwise the stub
	 * loads it right before execve: only where nobody else sees it, because it is dumpable
	 * where it runs as the owner of its memfd, and a tracer could take it without a filter.
	 */
	bool filter_first;
	/* The stub makes the process that executes (run/stub/stub.h); terminal: descriptor 0 is to
	 * be its controlling one. */
	bool birth, terminal;
};

/*
 * The runtime, before the clone: a memfd with the stub (MFD_EXEC since Linux 6.3, so that
 * vm.memfd_noexec=1 does not forbid it).
 */
int exec_image_prepare(struct err *e) MUST_CHECK;
/* The child: completes and seals the image and executes it; returns on failure only. */
int launch_exec(int stub, const struct launch *l, struct err *e) MUST_CHECK;

/*
 * The runtime re-executes itself from a sealed memfd where the stub does not protect it: before
 * it becomes visible to processes that may have CAP_SYS_PTRACE over it (a joined pid namespace
 * without a user namespace), or when a filter of config.json forbids execveat.  Returns 0 when
 * it runs from one already; does not return otherwise unless it failed.
 */
int launch_reexec_sealed(struct err *e) MUST_CHECK;

#endif
