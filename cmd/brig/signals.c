#include "cmd/brig/signals.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <strings.h>

#include "base/own.h"
#include "base/str.h"

/*
 * The kernel's range of real-time signals as callers count it: glibc's SIGRTMIN, because 32
 * and 33 are its own, on every libc that brig may be built with.
 */
enum { RT_FIRST = 34, RT_LAST = 64 };

static const struct {
	const char *name;
	int number;
} signals[] = {
	{"HUP",    SIGHUP   },
        {"INT",    SIGINT   },
        {"QUIT",   SIGQUIT  },
        {"ILL",    SIGILL   },
	{"TRAP",   SIGTRAP  },
        {"ABRT",   SIGABRT  },
        {"IOT",    SIGIOT   },
        {"BUS",    SIGBUS   },
	{"FPE",    SIGFPE   },
        {"KILL",   SIGKILL  },
        {"USR1",   SIGUSR1  },
        {"SEGV",   SIGSEGV  },
	{"USR2",   SIGUSR2  },
        {"PIPE",   SIGPIPE  },
        {"ALRM",   SIGALRM  },
        {"TERM",   SIGTERM  },
	{"STKFLT", SIGSTKFLT},
        {"CHLD",   SIGCHLD  },
        {"CLD",    SIGCHLD  },
        {"CONT",   SIGCONT  },
	{"STOP",   SIGSTOP  },
        {"TSTP",   SIGTSTP  },
        {"TTIN",   SIGTTIN  },
        {"TTOU",   SIGTTOU  },
	{"URG",    SIGURG   },
        {"XCPU",   SIGXCPU  },
        {"XFSZ",   SIGXFSZ  },
        {"VTALRM", SIGVTALRM},
	{"PROF",   SIGPROF  },
        {"WINCH",  SIGWINCH },
        {"IO",     SIGIO    },
        {"POLL",   SIGPOLL  },
	{"PWR",    SIGPWR   },
        {"SYS",    SIGSYS   },
        {"RTMIN",  RT_FIRST },
        {"RTMAX",  RT_LAST  },
};

/* RTMIN+n and RTMAX-n, after an optional SIG. */
static bool parse_realtime(const char *s, int *sig)
{
	bool from_first = strncasecmp(s, "RTMIN+", 6) == 0;
	uint32_t n;

	if (!from_first && strncasecmp(s, "RTMAX-", 6) != 0)
		return false;
	if (!str_u32(s + 6, &n) || n > RT_LAST - RT_FIRST)
		return false;
	*sig = from_first ? RT_FIRST + (int)n : RT_LAST - (int)n;
	return true;
}

bool signal_parse(const char *s, int *sig)
{
	uint32_t n;

	if (str_u32(s, &n)) {
		*sig = (int)n;
		return n <= RT_LAST;
	}
	if (strncasecmp(s, "SIG", 3) == 0)
		s += 3;
	for (size_t i = 0; i < LEN(signals); i++)
		if (strcasecmp(signals[i].name, s) == 0) {
			*sig = signals[i].number;
			return true;
		}
	return parse_realtime(s, sig);
}
