#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/own.h"
#include "net/netdev.h"

int net_loopback_up(struct err *e)
{
	/* An AF_UNIX socket takes the same ioctl (it is the namespace's), and IPv4 may be absent.
	 */
	own_fd int sock = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {.ifr_name = "lo", .ifr_flags = IFF_UP};

	if (sock < 0)
		return err_set(e, errno, "socket");
	if (ioctl(sock, SIOCSIFFLAGS, &req) < 0)
		return err_set(e, errno, "set lo up");
	return 0;
}
