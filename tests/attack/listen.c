/* The machine's side: services that no sandbox may reach. */
#include "attack.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Says "ready", then a line for each connection. */
int attack_listen(void)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(ATTACK_PORT)};
	size_t n = strlen(ATTACK_SECRET);
	struct pollfd fds[2] = {{.events = POLLIN}, {.events = POLLIN}};
	int yes = 1;

	memcpy(un.sun_path + 1, ATTACK_SECRET, n);
	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fds[0].fd = socket(AF_UNIX, SOCK_STREAM, 0);
	fds[1].fd = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(fds[1].fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	if (bind(fds[0].fd, (struct sockaddr *)&un,
		 (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + n)) ||
	    bind(fds[1].fd, (struct sockaddr *)&in, sizeof(in)) || listen(fds[0].fd, 8) ||
	    listen(fds[1].fd, 8)) {
		perror("attack: listen");
		return 1;
	}
	setvbuf(stdout, NULL, _IOLBF, 0);
	puts("ready");
	while (poll(fds, 2, -1) > 0)
		for (int i = 0; i < 2; i++)
			if (fds[i].revents) {
				puts(i ? "connection to 127.0.0.1"
				       : "connection to the abstract name");
				close(accept(fds[i].fd, NULL, NULL));
			}
	return 1;
}
