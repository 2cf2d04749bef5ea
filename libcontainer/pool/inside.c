#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/err.h"
#include "base/file.h"
#include "base/own.h"
#include "base/str.h"
#include "base/sys.h"
#include "net/leftover.h"
#include "pool/network.h"
#include "pool/nft.h"
#include "pool/part.h"

enum { MOST = 1 << 20 };

/* --- counts ------------------------------------------------------------------------------- */

static bool is_missing(const char *path)
{
	return faccessat(AT_FDCWD, path, F_OK, 0) < 0 && errno == ENOENT;
}

/* Lines behind the first, which is the heading; -1: there is no such file. */
static int64_t rows_of(struct arena *a, const char *path)
{
	struct err ignored;
	char *text;
	int64_t n = 0;

	if (file_read(a, AT_FDCWD, path, MOST, &text, NULL, &ignored) < 0)
		return -1;
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		n++;
	return n > 0 ? n - 1 : 0;
}

/* One that this kernel does not have has none; what cannot be read is not known. */
static int64_t rows_of_all(struct arena *a, const char *const *paths, size_t n)
{
	int64_t sum = 0;

	for (size_t i = 0; i < n; i++) {
		if (is_missing(paths[i]))
			continue;
		int64_t rows = rows_of(a, paths[i]);
		if (rows < 0)
			return -1;
		sum += rows;
	}
	return sum;
}

/* thread-self: "/proc/self/net" is that of the first thread (fs/proc/proc_net.c). */
static const char *const ipc_files[] = {
	"/proc/sysvipc/shm",
	"/proc/sysvipc/sem",
	"/proc/sysvipc/msg",
};
/* Sums what stands behind a word in a text of counters; -1: there is no such file. */
static int64_t sum_of(struct arena *a, const char *path, const char *const *words, size_t n)
{
	struct err ignored;
	char *text;
	int64_t sum = 0;

	if (file_read(a, AT_FDCWD, path, MOST, &text, NULL, &ignored) < 0)
		return -1;
	for (size_t i = 0; i < n; i++)
		for (const char *p = text; (p = strstr(p, words[i]));) {
			p += strlen(words[i]);
			sum += strtoll(p, NULL, 10);
		}
	return sum;
}

/*
 * Counters of this namespace for what has ports, TIME_WAIT too: /proc/net/tcp would walk the table
 * that all namespaces share, for milliseconds.  "used" of sockstat is late: it counts those that
 * brig itself has just closed.
 */
static int64_t count_sockets(struct arena *a)
{
	static const char *const words[] = {" inuse ", " tw "};
	static const char *const files[] = {
		"/proc/thread-self/net/unix", "/proc/thread-self/net/packet",
		"/proc/thread-self/net/icmp", "/proc/thread-self/net/icmp6"};
	static const char second[] = "/proc/thread-self/net/sockstat6";
	int64_t four = sum_of(a, "/proc/thread-self/net/sockstat", words, LEN(words));
	/* Without IPv6 it is not there. */
	int64_t six = is_missing(second) ? 0 : sum_of(a, second, words, LEN(words));
	int64_t rows = rows_of_all(a, files, LEN(files));

	return four < 0 || six < 0 || rows < 0 ? -1 : four + six + rows;
}

static int64_t number_of(const char *path)
{
	char text[64];

	if (is_missing(path))
		return 0;
	return file_peek(AT_FDCWD, path, text, sizeof(text)) < 0 ? -1 : strtoll(text, NULL, 10);
}

static void look_at_devices(struct arena *a, struct pool_inside *out)
{
	struct err ignored;
	char *text;

	out->devices = out->lo_bytes = -1;
	if (file_read(a, AT_FDCWD, "/proc/thread-self/net/dev", MOST, &text, NULL, &ignored) < 0)
		return;
	out->devices = out->lo_bytes = 0;
	for (char *p = text; (p = strchr(p, ':')); p++) {
		if (p - text >= 3 &&
		    (strncmp(p - 3, " lo", 3) == 0 || strncmp(p - 3, "\nlo", 3) == 0))
			out->lo_bytes = strtoll(p + 1, NULL, 10);
		else
			out->devices++;
	}
}

/* What config.json or a level may set, where it is of a namespace. */
static const char *const sysctls[] = {
	"net/ipv4/ip_unprivileged_port_start",
	"net/ipv4/ping_group_range",
	"net/ipv4/ip_forward",
	"net/ipv6/conf/all/disable_ipv6",
	"net/ipv6/conf/default/disable_ipv6",
	"net/core/somaxconn",
	"kernel/shmmax",
	"kernel/shmall",
	"kernel/shmmni",
	"kernel/msgmax",
	"kernel/msgmnb",
	"kernel/msgmni",
	"kernel/sem",
	"kernel/shm_rmid_forced",
	"fs/mqueue/msg_max",
	"fs/mqueue/msgsize_max",
	"fs/mqueue/queues_max",
	"kernel/hostname",
	"kernel/domainname",
};

static void look_at_sysctls(struct text *t)
{
	char value[256], path[128];

	for (size_t i = 0; i < LEN(sysctls); i++) {
		snprintf(path, sizeof(path), "/proc/sys/%s", sysctls[i]);
		ssize_t n = file_peek(AT_FDCWD, path, value, sizeof(value));

		if (n == -ENOENT)
			continue;
		if (n < 0 || n == sizeof(value) - 1)
			pool_unreadable(t, path, err_text(n < 0 ? (int)-n : E2BIG));
		else
			text_addf(t, "sysctl %s %s\n", sysctls[i], value);
	}
}

static void look_at_network(struct text *t, struct pool_inside *out)
{
	own_fd int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq lo = {.ifr_name = "lo"};
	bool known = fd >= 0 && ioctl(fd, SIOCGIFFLAGS, &lo) == 0;
	struct nft_seen rules;

	if (known)
		text_addf(t, "lo %s\n", lo.ifr_flags & IFF_UP ? "up" : "down");
	else
		pool_unreadable(t, "lo", err_text(errno));
	pool_nft_look(t->a, &rules);
	out->opened = rules.unreadable ? -1 : rules.learned;
	out->counted = rules.unreadable ? -1 : rules.counted;
	text_addf(t, "%s", pool_nft_text(t->a, &rules));
}

/* Nothing to ask of one that has lo alone, but for addresses there. */
static void look_at_links(struct text *t, struct pool_inside *out)
{
	struct network_seen links;
	struct err ignored;

	out->learned = out->learned_routes = out->metrics = 0;
	if (out->devices <= 0) {
		static const char file[] = "/proc/thread-self/net/if_inet6";
		int64_t addresses = is_missing(file) ? 0 : rows_of(t->a, file);

		if (addresses < 0)
			pool_unreadable(t, file, err_text(EIO));
		else
			text_addf(t, "addresses %" PRIi64 "\n", addresses);
		return;
	}
	pool_network_look(t->a, &links);
	out->devices = links.unreadable ? -1 : links.devices;
	out->neighbours = links.unreadable ? -1 : links.neighbours;
	out->learned = links.unreadable ? -1 : links.learned;
	out->learned_routes = links.unreadable ? -1 : links.learned_routes;
	if (leftover_count_metrics(&out->metrics, &ignored) < 0)
		out->metrics = -1;
	out->own = links.own;
	out->n_own = links.n_own;
	text_addf(t, "%s", links.text);
}

static void look(struct arena *a, struct pool_inside *out)
{
	int64_t arp = rows_of(a, "/proc/thread-self/net/arp");
	int64_t routes = rows_of(a, "/proc/thread-self/net/route");
	struct text t = {.a = a};

	out->ipc = rows_of_all(a, ipc_files, LEN(ipc_files));
	out->sockets = count_sockets(a);
	out->conntrack = number_of("/proc/sys/net/netfilter/nf_conntrack_count");
	out->neighbours = arp;
	out->routes = routes;
	look_at_devices(a, out);
	look_at_sysctls(&t);
	look_at_network(&t, out);
	look_at_links(&t, out);
	out->text = t.s;
}

/* --- there -------------------------------------------------------------------------------- */

/* -1: it could not be asked. */
static const struct pool_inside unknown = {-1, -1, -1, -1, -1,   -1, -1, -1,
					   -1, -1, -1, -1, NULL, 0,  ""};

static int enter(pid_t pid, int flags, struct err *e)
{
	own_fd int target = sys_pidfd_open(pid, 0);

	if (target < 0)
		return err_set(e, errno, "pidfd_open");
	if (setns(target, flags | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS) < 0)
		return err_set(e, errno, "enter the namespaces of process %d", (int)pid);
	return 0;
}

int pool_look_from_inside(struct arena *a, pid_t pid, struct pool_inside *out, struct err *e)
{
	int r = enter(pid, CLONE_NEWUSER, e);

	*out = unknown;
	if (r == 0)
		look(a, out);
	return r;
}

static void *look_by_thread(void *arg)
{
	struct pool_look *l = arg;

	l->seen = unknown;
	l->result = enter(l->pid, 0, &l->why);
	if (l->result == 0)
		look(&l->arena, &l->seen);
	return NULL;
}

int pool_look_begin(struct pool_look *l, pid_t pid, struct err *e)
{
	*l = (struct pool_look){.pid = pid};
	int code = pthread_create(&l->thread, NULL, look_by_thread, l);
	return code ? err_set(e, code, "a thread that looks into the sandbox") : 0;
}

int pool_look_end(struct pool_look *l, struct err *e)
{
	(void)pthread_join(l->thread, NULL); /* of our own making: cannot fail */
	if (l->result < 0)
		*e = l->why;
	return l->result;
}
