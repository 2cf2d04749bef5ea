/* Memory in six places; BOUND and what is held are bytes. */
#include "bomb.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

enum { STEP = 256 << 10, TABLE = 2 << 20, SEGMENT = 1 << 20, MANY_FDS = 60000 };

static int heap(long bound, char **args)
{
	(void)args;
	for (long n = 0; n < bound;) {
		char *p = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			       0);

		if (p == MAP_FAILED)
			return stopped(errno);
		/* each page by itself: a huge one would be held before it is told */
		(void)madvise(p, STEP, MADV_NOHUGEPAGE);
		memset(p, 1, STEP);
		held(n += STEP);
	}
	return stopped(0);
}

static int fill(int fd, long bound)
{
	static char block[STEP];

	if (fd < 0)
		return stopped(errno);
	memset(block, 'x', sizeof(block));
	for (long n = 0; n < bound;) {
		ssize_t r = write(fd, block, sizeof(block));

		if (r < 0)
			return stopped(errno);
		held(n += r);
	}
	return stopped(0);
}

static int file(long bound, char **args)
{
	return fill(open(arg(&args, "/tmp/bomb"), O_WRONLY | O_CREAT | O_TRUNC, 0600), bound);
}

/* Several files, each as large as its file system lets it: the sum is what counts. */
static int files(long bound, char **args)
{
	static char block[STEP];
	long n = 0;
	const char *path;

	memset(block, 'x', sizeof(block));
	while (n < bound && (path = arg(&args, NULL))) {
		int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		ssize_t r;

		if (fd < 0)
			return stopped(errno);
		while (n < bound && (r = write(fd, block, sizeof(block))) > 0)
			held(n += r);
	}
	return stopped(n < bound ? ENOSPC : 0);
}

static int memory_file(long bound, char **args)
{
	(void)args;
	/* MFD_NOEXEC_SEAL, where vm.memfd_noexec demands one of two flags */
	int fd = memfd_create("bomb", 8u);

	return fill(fd < 0 && errno == EINVAL ? memfd_create("bomb", 0) : fd, bound);
}

static int sysv_shm(long bound, char **args)
{
	(void)args;
	for (long n = 0; n < bound; n += SEGMENT) {
		int id = shmget(IPC_PRIVATE, SEGMENT, IPC_CREAT | 0600);
		char *p = id < 0 ? MAP_FAILED : shmat(id, NULL, 0);

		if (p == MAP_FAILED)
			return stopped(errno);
		for (long i = 0; i < SEGMENT; i += STEP) {
			memset(p + i, 1, STEP);
			held(n + i + STEP);
		}
	}
	return stopped(0);
}

static int posix_shm(long bound, char **args)
{
	(void)args;
	int fd = shm_open("/bomb", O_RDWR | O_CREAT, 0600);

	if (fd < 0)
		return stopped(errno);
	for (long n = 0; n < bound;) {
		char *p;

		if (ftruncate(fd, n + STEP) < 0)
			return stopped(errno);
		p = mmap(NULL, STEP, PROT_READ | PROT_WRITE, MAP_SHARED, fd, n);
		if (p == MAP_FAILED)
			return stopped(errno);
		memset(p, 1, STEP); /* SIGBUS where the file system is full */
		held(n += STEP);
		(void)munmap(p, STEP);
	}
	return stopped(0);
}

static void many_descriptors(void)
{
	struct rlimit r;

	if (!getrlimit(RLIMIT_NOFILE, &r) && r.rlim_cur < r.rlim_max) {
		r.rlim_cur = r.rlim_max < MANY_FDS ? r.rlim_max : MANY_FDS;
		(void)setrlimit(RLIMIT_NOFILE, &r);
	}
}

/* Writes whole pages until nothing more goes in; what went in. */
static long stuff(int fd, size_t block)
{
	static char bytes[64 << 10];
	long n = 0;
	ssize_t r;

	while ((r = write(fd, bytes, block)) > 0)
		n += r;
	return n;
}

static int pipes(long bound, char **args)
{
	(void)args;
	many_descriptors();
	for (long n = 0; n < bound;) {
		int p[2];

		if (pipe2(p, O_NONBLOCK | O_CLOEXEC) < 0)
			return stopped(errno);
		held(n += stuff(p[1], 4096));
	}
	return stopped(0);
}

static int unix_sockets(long bound, char **args)
{
	int type = strcmp(arg(&args, "stream"), "dgram") ? SOCK_STREAM : SOCK_DGRAM;
	const int most = 1 << 20;

	many_descriptors();
	for (long n = 0; n < bound;) {
		int s[2];

		if (socketpair(AF_UNIX, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) < 0)
			return stopped(errno);
		(void)setsockopt(s[0], SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
		held(n += stuff(s[0], 32 << 10));
		held(n += stuff(s[1], 32 << 10));
	}
	return stopped(0);
}

static int loopback(int type, struct sockaddr_in *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	if (fd < 0 || bind(fd, (struct sockaddr *)a, sizeof(*a)) < 0 ||
	    getsockname(fd, (struct sockaddr *)a, &len) < 0)
		return -1;
	return fd;
}

/* Connections to itself that nobody reads from. */
static int tcp(long bound, char **args)
{
	struct sockaddr_in a;
	int server = loopback(SOCK_STREAM, &a);

	(void)args;
	many_descriptors();
	if (server < 0 || listen(server, 64) < 0)
		return stopped(errno);
	for (long n = 0; n < bound;) {
		int c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), s;

		if (c < 0 || connect(c, (struct sockaddr *)&a, sizeof(a)) < 0)
			return stopped(errno);
		s = accept4(server, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (s < 0)
			return stopped(errno);
		(void)fcntl(c, F_SETFL, O_NONBLOCK);
		held(n += stuff(c, 64 << 10));
		held(n += stuff(s, 64 << 10));
	}
	return stopped(0);
}

/* Datagrams in receive queues, as the kernel counts them there: a full one drops what is sent. */
static int udp(long bound, char **args)
{
	(void)args;
	many_descriptors();
	for (long n = 0; n < bound;) {
		struct sockaddr_in a;
		int fd = loopback(SOCK_DGRAM, &a);
		static char block[16 << 10];
		unsigned int used[SK_MEMINFO_VARS];
		socklen_t len = sizeof(used);

		if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
			return stopped(errno);
		for (int i = 0; i < 64; i++)
			if (send(fd, block, sizeof(block), MSG_DONTWAIT) < 0)
				break;
		if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, &used, &len) < 0)
			return stopped(errno);
		n += used[SK_MEMINFO_RMEM_ALLOC];
		held(n);
	}
	return stopped(0);
}

/* A read of untouched memory maps the page of zeroes: only the tables cost. */
static int tables(long bound, char **args)
{
	const long span = 1L << 30;

	(void)args;
	for (long n = 0; n < bound;) {
		volatile char *p = mmap(NULL, (size_t)span, PROT_READ,
					MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			return stopped(errno);
		(void)madvise((void *)(size_t)p, (size_t)span, MADV_NOHUGEPAGE);
		for (long i = 0; i < span && n < bound; i += TABLE) {
			(void)p[i];
			n += 4096;
			if (n % STEP == 0)
				held(n);
		}
	}
	return stopped(0);
}

const struct bomb memory_bombs[] = {
	{"heap",				     heap, ""},
	{"file",					file, "[PATH]: a file of a tmpfs"},
	{"files",				     files, "PATH...: several, each until it is full"},
	{"memfd",               memory_file, ""},
	{"sysv-shm",				    sysv_shm, ""},
	{"posix-shm", posix_shm, "mapped, of /dev/shm"},
	{"pipes",				    pipes, "full, that nobody reads"},
	{"sockets",					unix_sockets, "[stream|dgram]: UNIX ones, full, nobody reads"},
	{"tcp",				 tcp, "over the loopback device, full, nobody reads"},
	{"udp",					udp, "the same, receive queues"},
	{"tables",				tables, "page tables over nothing"},
	{0		    },
};
