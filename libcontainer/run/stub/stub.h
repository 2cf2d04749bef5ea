#ifndef BRIG_RUN_STUB_STUB_H
#define BRIG_RUN_STUB_STUB_H

#include <linux/filter.h>
#include <stdint.h>

/*
 * The last program before the workload.  execve leaves /proc/self/exe pointing to the program
 * that called it until it succeeds, and a "#!/proc/self/exe" script or a process with ptrace
 * rights can thus get hold of the runtime's binary (CVE-2019-5736).  So the container's process
 * first executes this stub, a few hundred bytes in a sealed memfd of its own, and the stub
 * executes the workload: what can be got hold of is the stub's private copy.  Unlike re-executing
 * the runtime from a copy this costs no start of a C library.
 *
 * With a birth (exec into a pid namespace whose processes may trace) the stub is executed where
 * nobody inside sees it, and makes the process that they see: that one has neither the runtime's
 * memory nor a descriptor but those of the workload and the sync pair.  It goes on at a word of the
 * runtime, and ends when that has gone.
 *
 * The image in the memfd is the ELF file followed by these parameters, which the one loadable
 * segment is made to cover (its size in the program header is patched).  argv and envp are the
 * workload's own.
 */
struct stub_params {
	uint32_t magic;
	int32_t sync_fd;      /* gets CLOEXEC, then struct sync_msg's first 8 bytes on failure */
	uint32_t seccomp;     /* flags of seccomp(2) */
	uint32_t n_insns;     /* 0: no filter to load */
	uint32_t path;        /* offset of the path from the start of this struct */
	uint32_t insns;       /* offset of the filter */
	uint32_t exec_failed; /* SYNC_EXEC_FAILED */
	uint32_t failed;      /* SYNC_FAILED */
	uint32_t birth;       /* STUB_...; 0: none */
	uint32_t pid;         /* SYNC_PID */
	uint32_t go;          /* SYNC_GO */
	uint32_t executing;   /* SYNC_EXECUTING */
};

enum {
	STUB_BIRTH = 1,
	STUB_TERMINAL = 2, /* descriptor 0 is the controlling terminal of who is born */
};

#define STUB_MAGIC 0x62757453U

#endif
