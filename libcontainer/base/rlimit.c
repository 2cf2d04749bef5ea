#include "base/rlimit.h"

#include <sys/resource.h>

const struct word rlimit_words[] = {
	{"RLIMIT_AS",         RLIMIT_AS        },
	{"RLIMIT_CORE",       RLIMIT_CORE      },
	{"RLIMIT_CPU",        RLIMIT_CPU       },
	{"RLIMIT_DATA",       RLIMIT_DATA      },
	{"RLIMIT_FSIZE",      RLIMIT_FSIZE     },
	{"RLIMIT_LOCKS",      RLIMIT_LOCKS     },
	{"RLIMIT_MEMLOCK",    RLIMIT_MEMLOCK   },
	{"RLIMIT_MSGQUEUE",   RLIMIT_MSGQUEUE  },
	{"RLIMIT_NICE",       RLIMIT_NICE      },
	{"RLIMIT_NOFILE",     RLIMIT_NOFILE    },
	{"RLIMIT_NPROC",      RLIMIT_NPROC     },
	{"RLIMIT_RSS",        RLIMIT_RSS       },
	{"RLIMIT_RTPRIO",     RLIMIT_RTPRIO    },
	{"RLIMIT_RTTIME",     RLIMIT_RTTIME    },
	{"RLIMIT_SIGPENDING", RLIMIT_SIGPENDING},
	{"RLIMIT_STACK",      RLIMIT_STACK     },
	{NULL,		0		},
};
