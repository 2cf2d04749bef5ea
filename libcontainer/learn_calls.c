#include "learn_calls.h"

#include <string.h>
#include <sys/socket.h>

#include "base/own.h"
#include "base/str.h"

#define NO LEARN_NO_ARG

/* A link's and a rename's two names are two rows. */
static const struct learn_call calls[] = {
	{"access",            LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"bind",              LEARN_ADDR,   NO, 1,  2,  LEARN_BIND   },
	{"chdir",             LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"chmod",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"chown",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"chroot",            LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"connect",           LEARN_ADDR,   NO, 1,  2,  LEARN_CONNECT},
	{"creat",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"execve",            LEARN_EXEC,   NO, 0,  NO, LEARN_EXECUTE},
	{"execveat",          LEARN_EXEC,   0,  1,  NO, LEARN_EXECUTE},
	{"faccessat",         LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"faccessat2",        LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"fchmodat",          LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"fchmodat2",         LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"fchownat",          LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"fstatat",           LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"futimesat",         LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"getxattr",          LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"inotify_add_watch", LEARN_PATH,   NO, 1,  NO, LEARN_READ   },
	{"lchown",            LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"lgetxattr",         LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"link",              LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"link",              LEARN_PATH,   NO, 1,  NO, LEARN_WRITE  },
	{"linkat",            LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"linkat",            LEARN_PATH,   2,  3,  NO, LEARN_WRITE  },
	{"listxattr",         LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"llistxattr",        LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"lsetxattr",         LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"lstat",             LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"mkdir",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"mkdirat",           LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"mknod",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"mknodat",           LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"mmap",              LEARN_MAP,    4,  NO, 2,  LEARN_EXECUTE},
	{"mprotect",          LEARN_MAP,    NO, NO, 2,  LEARN_EXECUTE},
	{"newfstatat",        LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"open",              LEARN_OPEN,   NO, 0,  1,  LEARN_READ   },
	{"openat",            LEARN_OPEN,   0,  1,  2,  LEARN_READ   },
	{"openat2",           LEARN_OPEN2,  0,  1,  2,  LEARN_READ   },
	{"pkey_mprotect",     LEARN_MAP,    NO, NO, 2,  LEARN_EXECUTE},
	{"readlink",          LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"readlinkat",        LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"removexattr",       LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"rename",            LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"rename",            LEARN_PATH,   NO, 1,  NO, LEARN_WRITE  },
	{"renameat",          LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"renameat",          LEARN_PATH,   2,  3,  NO, LEARN_WRITE  },
	{"renameat2",         LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"renameat2",         LEARN_PATH,   2,  3,  NO, LEARN_WRITE  },
	{"rmdir",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"sendmsg",           LEARN_MSG,    NO, 1,  NO, LEARN_SEND   },
	{"sendto",            LEARN_ADDR,   NO, 4,  5,  LEARN_SEND   },
	{"setxattr",          LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"socket",            LEARN_SOCKET, NO, NO, 0,  LEARN_READ   },
	{"stat",              LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"statfs",            LEARN_PATH,   NO, 0,  NO, LEARN_READ   },
	{"statx",             LEARN_PATH,   0,  1,  NO, LEARN_READ   },
	{"symlink",           LEARN_PATH,   NO, 1,  NO, LEARN_WRITE  },
	{"symlinkat",         LEARN_PATH,   1,  2,  NO, LEARN_WRITE  },
	{"truncate",          LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"unlink",            LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"unlinkat",          LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"utime",             LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
	{"utimensat",         LEARN_PATH,   0,  1,  NO, LEARN_WRITE  },
	{"utimes",            LEARN_PATH,   NO, 0,  NO, LEARN_WRITE  },
};

const char *const learn_address_words[] = {"connect", "bind", "send"};

const struct learn_call *learn_call_first(const char *name)
{
	for (size_t i = 0; i < LEN(calls); i++)
		if (str_eq(calls[i].name, name))
			return &calls[i];
	return NULL;
}

const struct learn_call *learn_call_next(const struct learn_call *c)
{
	const struct learn_call *next = c + 1;

	return next < calls + LEN(calls) && str_eq(next->name, c->name) ? next : NULL;
}

/*
 * What one run need not show and the next may need: the start of a program (the kernel and the
 * dynamic loader decide by the machine), memory (the allocator, by what is free), signals and what
 * interrupted calls go on with, locks (only when two meet), clocks (without the vDSO), an abort.
 */
const char *const learn_closure[] = {
	/* start and end */
	"access",
	"arch_prctl",
	"brk",
	"close",
	"execve",
	"exit",
	"exit_group",
	"fstat",
	"getrandom",
	"mmap",
	"mprotect",
	"mremap",
	"munmap",
	"newfstatat",
	"open",
	"openat",
	"pread64",
	"prlimit64",
	"read",
	"readlink",
	"readlinkat",
	"rseq",
	"set_robust_list",
	"set_tid_address",
	"write",
	"writev",
	/* memory and locks */
	"futex",
	"get_robust_list",
	"madvise",
	"membarrier",
	"sched_yield",
	/* signals; the last two the kernel itself puts under a traced function (Linux 6.11) */
	"getpid",
	"gettid",
	"restart_syscall",
	"rt_sigaction",
	"rt_sigprocmask",
	"rt_sigreturn",
	"sigaltstack",
	"tgkill",
	"uprobe",
	"uretprobe",
	/* by which a warden gets its listener */
	"sendmsg",
	/* clocks */
	"clock_getres",
	"clock_gettime",
	"gettimeofday",
	"time",
	NULL,
};

const char *learn_family(unsigned int family)
{
	static const struct word words[] = {
		{"AF_UNIX",      AF_UNIX     },
                {"AF_INET",      AF_INET     },
		{"AF_INET6",     AF_INET6    },
                {"AF_NETLINK",   AF_NETLINK  },
		{"AF_PACKET",    AF_PACKET   },
                {"AF_ALG",       AF_ALG      },
		{"AF_VSOCK",     AF_VSOCK    },
                {"AF_BLUETOOTH", AF_BLUETOOTH},
		{"AF_XDP",       AF_XDP      },
                {NULL,           0           },
	};

	return word_name(words, family);
}

const char *learn_errno(struct arena *a, int code)
{
	const char *name = code ? strerrorname_np(code) : "NONE";

	return name ? name : arena_printf(a, "%d", code);
}
