#include "base/trial.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/own.h"
#include "base/sys.h"

/* How it ended; no signal told of it, so that it is there to be waited for. */
static bool is_good(int *pidfd)
{
	siginfo_t end = {0};

	while (waitid((idtype_t)P_PIDFD, (id_t)*pidfd, &end, WEXITED | __WALL) < 0 &&
	       errno == EINTR)
		;
	own_close(pidfd);
	return end.si_code == CLD_EXITED && end.si_status == 0;
}

bool trial(int (*run)(const void *ctx, struct err *e), const void *ctx, const char *what,
	   struct err *e)
{
	struct err *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int pidfd = -1;

	if (told == MAP_FAILED) {
		err_set(e, errno, "mmap");
		return false;
	}
	struct clone_args args = {.flags = CLONE_PIDFD, .pidfd = (uint64_t)(uintptr_t)&pidfd};
	pid_t pid = sys_clone3(&args);

	if (pid == 0)
		_exit(run(ctx, told) < 0);
	if (pid < 0)
		err_set(e, errno, "clone");
	bool good = pid > 0 && is_good(&pidfd);
	if (pid > 0 && !good && told->code)
		*e = *told;
	else if (pid > 0 && !good)
		err_msg(e, EIO, "%s: the trying child ended early", what);
	(void)munmap(told, sizeof(*told));
	return good;
}
