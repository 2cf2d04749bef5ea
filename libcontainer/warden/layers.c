/* What a sandbox wrote, held by its warden beyond the end.  docs/layers.md */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/own.h"
#include "warden/detached.h"
#include "warden/internal.h"

/*
 * Fixed numbers, far above what it has open by then: who reads them asks nobody, and finds them
 * below /proc/PID/fd when the warden itself does nothing any more.
 */
int warden_layers_take(struct warden *w, const int *fds, size_t n, struct err *e)
{
	if (w->n_layers)
		return err_msg(e, EALREADY, "warden: it holds layers already");
	for (size_t i = 0; i < n; i++) {
		int wanted = WARDEN_LAYER_FD + (int)i;
		own_fd int fd = fcntl(fds[i], F_DUPFD_CLOEXEC, wanted);

		if (fd < 0)
			return err_set(e, errno,
				       "warden: descriptor %d for a layer (RLIMIT_NOFILE?)",
				       wanted);
		if (fd != wanted)
			return err_msg(e, EBUSY, "warden: descriptor %d is in use", wanted);
		(void)take_fd(&fd);
		w->n_layers++;
	}
	return 0;
}

void warden_layers_hold(struct warden *w)
{
	/* The control socket too: who waits for our last words has them. */
	warden_close(w);
	for (;;)
		(void)ppoll(NULL, 0, NULL, NULL);
}
