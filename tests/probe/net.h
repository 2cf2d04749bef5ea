#ifndef BRIG_TESTS_PROBE_NET_H
#define BRIG_TESTS_PROBE_NET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};
/* An address as numbers; exit code 2, with a word, where it is none. */
union address address_of(const char *text, const char *port);
socklen_t address_size(const union address *a);
/* Until fd is readable (or writable); false: not within ms. */
bool within(int fd, short events, int ms);

#endif
