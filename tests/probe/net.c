/* Who can be reached over IP, one line each: "ok", an error's name, "silence". */
#include "net.h"
#include "probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE_MS = 4000, UDP_PATIENCE_MS = 700, SLOTS = 8 };

/* PATIENCE=MS in the environment is for who expects silence. */
static int patience(int usual_ms)
{
	const char *ms = getenv("PATIENCE");

	return ms ? atoi(ms) : usual_ms;
}

union address address_of(const char *text, const char *port)
{
	union address a = {0};
	in_port_t p = htons((uint16_t)atoi(port));

	if (inet_pton(AF_INET, text, &a.v4.sin_addr) == 1) {
		a.v4.sin_family = AF_INET;
		a.v4.sin_port = p;
	} else if (inet_pton(AF_INET6, text, &a.v6.sin6_addr) == 1) {
		a.v6.sin6_family = AF_INET6;
		a.v6.sin6_port = p;
	} else {
		fprintf(stderr, "probe: %s is no address\n", text);
		exit(2);
	}
	return a;
}

socklen_t address_size(const union address *a)
{
	return a->any.sa_family == AF_INET ? sizeof(a->v4) : sizeof(a->v6);
}

bool within(int fd, short events, int ms)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, ms) > 0;
}

/* --- TCP ------------------------------------------------------------------------------------ */

/* A connected socket, or -1 and errno. */
static int connected(const union address *to, int fd)
{
	int error = 0;
	socklen_t n = sizeof(error);

	if (fd < 0)
		fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -1;
	if (connect(fd, &to->any, address_size(to)) && errno != EINPROGRESS) {
		error = errno;
	} else if (!within(fd, POLLOUT, patience(PATIENCE_MS))) {
		error = ETIMEDOUT;
	} else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n)) {
		error = errno;
	}
	if (!error)
		return fd;
	close(fd);
	errno = error;
	return -1;
}

/* Sends a line and prints what comes back. */
static int talk(int fd, const char *text)
{
	char line[256];

	if (dprintf(fd, "%s\n", text) < 0)
		return verdict(-1);
	if (!within(fd, POLLIN, patience(PATIENCE_MS))) {
		puts("silence");
		return 1;
	}
	ssize_t n = read(fd, line, sizeof(line) - 1);
	if (n < 0)
		return verdict(-1);
	if (!n) {
		puts("closed");
		return 1;
	}
	line[n] = 0;
	line[strcspn(line, "\n")] = 0;
	printf("ok %s\n", line);
	return 0;
}

static int tcp(int argc, char **argv)
{
	union address to = address_of(argv[1], argv[2]);
	int fd = connected(&to, -1);

	if (fd < 0 || argc < 4) {
		verdict(fd);
		if (fd >= 0)
			close(fd);
		return fd < 0;
	}
	int r = talk(fd, argv[3]);
	close(fd);
	return r;
}

/* Flows that last: dial SLOT ADDRESS PORT, then say SLOT TEXT as often as one likes. */
static int slots[SLOTS];

static int *slot(const char *text)
{
	return &slots[(unsigned)atoi(text) % SLOTS];
}

static int flow_open(int argc, char **argv)
{
	union address to = address_of(argv[2], argv[3]);
	int fd = connected(&to, -1);

	(void)argc;
	if (fd >= 0)
		*slot(argv[1]) = fd;
	return verdict(fd);
}

static int flow_say(int argc, char **argv)
{
	(void)argc;
	return talk(*slot(argv[1]), argv[2]);
}

static int flow_close(int argc, char **argv)
{
	(void)argc;
	return verdict(close(*slot(argv[1])));
}

/* What comes without having been asked for. */
static int flow_hear(int argc, char **argv)
{
	char byte[256];
	int fd = *slot(argv[1]);

	(void)argc;
	if (!within(fd, POLLIN, patience(UDP_PATIENCE_MS))) {
		puts("silence");
		return 1;
	}
	ssize_t n = read(fd, byte, sizeof(byte));
	if (n < 0)
		return verdict(-1);
	printf("ok %zd\n", n);
	return 0;
}

/* COUNT ADDRESS PORT: holds what it gets until the probe ends. */
static int many(int argc, char **argv)
{
	int passed = 0, refused = 0, other = 0;
	union address to = address_of(argv[2], argv[3]);

	for (int i = atoi(argv[1]); i > 0; i--) {
		int fd = connected(&to, -1);

		if (fd >= 0)
			passed++;
		else if (errno == ECONNREFUSED)
			refused++;
		else
			other++;
		if (fd >= 0 && argc > 4)
			close(fd);
	}
	printf("passed %d refused %d other %d\n", passed, refused, other);
	return 0;
}

static int fast_open(int argc, char **argv)
{
	union address to = address_of(argv[1], argv[2]);
	int fd = socket(to.any.sa_family, SOCK_STREAM, 0);

	(void)argc;
	return verdict(
		sendto(fd, "leak", 4, MSG_FASTOPEN | MSG_NOSIGNAL, &to.any, address_size(&to)));
}

static int from_port(const union address *to, const char *port)
{
	union address at = {0};
	int one = 1, fd = socket(to->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	at.any.sa_family = to->any.sa_family;
	at.v4.sin_port = htons((uint16_t)atoi(port)); /* at the same place in sockaddr_in6 */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	return bind(fd, &at.any, address_size(&at)) ? -1 : fd;
}

/* From a port of our own: where both sides connect at the same time. */
static int connect_from(int argc, char **argv)
{
	union address to = address_of(argv[2], argv[3]);
	int fd = from_port(&to, argv[1]);

	(void)argc;
	return verdict(fd < 0 ? -1 : connected(&to, fd));
}

/* One behind the other from one port, each until the other side resets it. */
static int again(int argc, char **argv)
{
	int passed = 0, n = atoi(argv[1]);
	union address to = address_of(argv[3], argv[4]);

	(void)argc;
	for (int i = 0; i < n; i++) {
		char c = '\n';
		int fd = from_port(&to, argv[2]);

		if (fd < 0)
			return verdict(-1);
		if (connected(&to, fd) < 0)
			continue;
		passed++;
		if (write(fd, &c, 1) == 1 && within(fd, POLLIN, patience(PATIENCE_MS)))
			(void)!read(fd, &c, 1);
		close(fd);
	}
	printf("passed %d refused %d\n", passed, n - passed);
	return 0;
}

static int do_listen(int argc, char **argv)
{
	union address at = address_of(argc > 2 ? argv[2] : "::", argv[1]);
	char line[256];
	int fd = socket(at.any.sa_family, SOCK_STREAM, 0), one = 1;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &at.any, address_size(&at)) || listen(fd, 8))
		return verdict(-1);
	puts("listening");
	for (;;) {
		int c = accept(fd, NULL, NULL);
		ssize_t n = c < 0 ? -1 : read(c, line, sizeof(line));

		if (n > 0 && write(c, line, (size_t)n) == n)
			puts("served");
		close(c);
	}
}

/* PORT: bytes without end to whoever connects, one after the other */
static int source(int argc, char **argv)
{
	static char zeros[1 << 17];
	union address at = address_of("::", argv[1]);
	int fd = socket(AF_INET6, SOCK_STREAM, 0), one = 1;

	(void)argc;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, &at.any, address_size(&at)) || listen(fd, 8))
		return verdict(-1);
	puts("listening");
	for (;;) {
		int c = accept(fd, NULL, NULL);

		while (send(c, zeros, sizeof(zeros), MSG_NOSIGNAL) > 0)
			;
		close(c);
	}
}

/* ADDRESS PORT MIB: how many MiB a second come */
static int pull(int argc, char **argv)
{
	static char room[1 << 17];
	union address to = address_of(argv[1], argv[2]);
	struct timespec from, until;
	long long left = atoll(argv[3]) << 20;
	int fd = connected(&to, -1);

	(void)argc;
	if (fd < 0)
		return verdict(-1);
	fcntl(fd, F_SETFL, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	while (left > 0) {
		ssize_t n = recv(fd, room, sizeof(room), 0);

		if (n <= 0)
			return verdict(-1);
		left -= n;
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	close(fd);
	printf("%.1f\n", atof(argv[3]) / ((double)(until.tv_sec - from.tv_sec) +
					  (double)(until.tv_nsec - from.tv_nsec) / 1e9));
	return 0;
}

/* ADDRESS PORT PATH: how much of it came, with its head, and how it ended: "4194500 closed" */
static int get(int argc, char **argv)
{
	static char room[1 << 16];
	union address to = address_of(argv[1], argv[2]);
	long long total = 0;
	ssize_t n = 0;
	int fd = connected(&to, -1);

	(void)argc;
	if (fd < 0)
		return verdict(-1);
	dprintf(fd, "GET %s HTTP/1.0\r\n\r\n", argv[3]);
	while (within(fd, POLLIN, 5 * patience(PATIENCE_MS)) &&
	       (n = read(fd, room, sizeof(room))) > 0)
		total += n;
	printf("%lld %s\n", total, !n ? "closed" : n < 0 ? strerrorname_np(errno) : "silence");
	close(fd);
	return n != 0;
}

/* --- datagrams ------------------------------------------------------------------------------ */

/* ADDRESS PORT [BYTES]: the answer may come from anywhere, and where it came from is told. */
static int udp(int argc, char **argv)
{
	static char text[65536];
	char name[INET6_ADDRSTRLEN] = "?";
	union address to = address_of(argv[1], argv[2]), from;
	socklen_t n = sizeof(from);
	size_t bytes = argc > 3 ? (size_t)atoi(argv[3]) : 4;
	int fd = socket(to.any.sa_family, SOCK_DGRAM, 0);

	memset(text, 'u', sizeof(text));
	if (sendto(fd, text, bytes, 0, &to.any, address_size(&to)) < 0)
		return verdict(-1);
	if (!within(fd, POLLIN, patience(UDP_PATIENCE_MS))) {
		puts("silence");
		return 1;
	}
	ssize_t got = recvfrom(fd, text, sizeof(text), 0, &from.any, &n);
	if (got < 0)
		return verdict(-1);
	inet_ntop(from.any.sa_family,
		  from.any.sa_family == AF_INET ? (void *)&from.v4.sin_addr
						: (void *)&from.v6.sin6_addr,
		  name, sizeof(name));
	printf("ok %zd from %s\n", got, name);
	return 0;
}

/* --- the rest ------------------------------------------------------------------------------- */

static int abstract(int argc, char **argv)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)argc;
	snprintf(to.sun_path + 1, sizeof(to.sun_path) - 1, "%s", argv[1]);
	return verdict(connect(fd, (struct sockaddr *)&to,
			       (socklen_t)(sizeof(to.sun_family) + 1 + strlen(argv[1]))));
}

/* Each line of the standard input is a verb; each answer is a line. */
static int session(int argc, char **argv)
{
	char line[512], *words[16];

	(void)argc, (void)argv;
	puts("ready");
	while (fgets(line, sizeof(line), stdin)) {
		int n = 0;

		for (char *w = strtok(line, " \n"); w && n < 15; w = strtok(NULL, " \n"))
			words[n++] = w;
		words[n] = NULL;
		if (n && probe(n, words) == 2)
			puts("wrong");
	}
	return 0;
}

const struct verb net_verbs[] = {
	{"session",  0, session,      "verbs from standard input, an answer each"},
	{"tcp",      2, tcp,          "ADDRESS PORT [TEXT]"                      },
	{"dial",     3, flow_open,    "SLOT ADDRESS PORT"                        },
	{"say",      2, flow_say,     "SLOT TEXT: the answer"                    },
	{"hear",     1, flow_hear,    "SLOT: what comes by itself"               },
	{"close",    1, flow_close,   "SLOT"                                     },
	{"many",     3, many,         "COUNT ADDRESS PORT [close]"               },
	{"fastopen", 2, fast_open,    "ADDRESS PORT: data in the first packet"   },
	{"from",     3, connect_from, "OWN-PORT ADDRESS PORT"                    },
	{"again",    4, again,        "COUNT OWN-PORT ADDRESS PORT"              },
	{"listen",   1, do_listen,    "PORT [ADDRESS]"                           },
	{"source",   1, source,       "PORT: bytes without end"                  },
	{"pull",     3, pull,         "ADDRESS PORT MIB: MiB a second"           },
	{"get",      3, get,          "ADDRESS PORT PATH: by HTTP"               },
	{"udp",      2, udp,          "ADDRESS PORT [BYTES]"                     },
	{"abstract", 1, abstract,     "NAME of a unix socket"                    },
	{NULL,       0, NULL,         NULL				       },
};
