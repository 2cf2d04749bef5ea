/*
 * A private "host" with an "internet" behind it, and sandboxes: what veth_claim and veth_make do,
 * tried by packets.  Nothing of the machine's own network is touched.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/own.h"
#include "check.h"
#include "net/netdev.h"
#include "net/rtnl.h"
#include "net/slots.h"
#include "net/veth.h"

static struct err err;
static struct mnl mnl;
static char dir[] = "/tmp/brig-veth-XXXXXX";
static char pool_dir[64];

static struct veth_config config = {
	.directory = pool_dir,
	.pool = {4, 16, {10, 201}                              },
	.pool6 = {6, 64, {0xfd, 0x62, 0x72, 0x69, 0x67, 0, 0, 0}},
};

static int own_netns(void)
{
	return open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
}

static void enter(int netns)
{
	CHECK(setns(netns, CLONE_NEWNET) == 0);
}

/* A new one, of which the caller stays outside. */
static int new_netns(void)
{
	own_fd int here = own_netns();
	int made;

	CHECK(unshare(CLONE_NEWNET) == 0 && net_loopback_up(&err) == 0);
	made = own_netns();
	enter(here);
	return made;
}

static int run(const char *command)
{
	int st = system(command);

	return WIFEXITED(st) ? WEXITSTATUS(st) : -1;
}

static int run_in(int netns, const char *command)
{
	own_fd int here = own_netns();

	enter(netns);
	int r = run(command);

	enter(here);
	return r;
}

static const char *owner(int n)
{
	static char path[96];

	snprintf(path, sizeof(path), "%s/o%d", dir, n);
	return path;
}

/* --- Packets -------------------------------------------------------------------------------- */

static socklen_t address(const char *text, uint16_t port, struct sockaddr_storage *out)
{
	struct sockaddr_in *four = (void *)out;
	struct sockaddr_in6 *six = (void *)out;

	memset(out, 0, sizeof(*out));
	if (strchr(text, ':')) {
		six->sin6_family = AF_INET6;
		six->sin6_port = htons(port);
		CHECK(inet_pton(AF_INET6, text, &six->sin6_addr) == 1);
		return sizeof(*six);
	}
	four->sin_family = AF_INET;
	four->sin_port = htons(port);
	CHECK(inet_pton(AF_INET, text, &four->sin_addr) == 1);
	return sizeof(*four);
}

static int listen_in(int netns, const char *at, uint16_t port)
{
	own_fd int here = own_netns();
	struct sockaddr_storage sa;
	socklen_t len = address(at, port, &sa);

	enter(netns);
	int s = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;

	CHECK(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0);
	CHECK(bind(s, (struct sockaddr *)&sa, len) == 0 && listen(s, 16) == 0);
	enter(here);
	return s;
}

/* 0: connected; else errno, ETIMEDOUT after a while in which nobody answered. */
static int connect_from(int netns, const char *from, const char *to, uint16_t port)
{
	enum { PATIENCE_MS = 250 };
	own_fd int here = own_netns();
	struct sockaddr_storage sa;
	socklen_t len;
	int code = 0;
	socklen_t code_len = sizeof(code);

	enter(netns);
	len = address(to, port, &sa);
	own_fd int s = socket(sa.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (from) {
		struct sockaddr_storage mine;
		socklen_t n = address(from, 0, &mine);

		CHECK(bind(s, (struct sockaddr *)&mine, n) == 0);
	}
	struct pollfd p = {.fd = s, .events = POLLOUT};

	len = address(to, port, &sa);
	if (connect(s, (struct sockaddr *)&sa, len) < 0)
		code = errno;
	if (code == EINPROGRESS) {
		code = ETIMEDOUT;
		if (poll(&p, 1, PATIENCE_MS) == 1)
			CHECK(getsockopt(s, SOL_SOCKET, SO_ERROR, &code, &code_len) == 0);
	}
	enter(here);
	return code;
}

/* Who it comes from, as the server sees it. */
static bool peer_is(int listener, const char *want)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	own_fd int s = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC);
	char text[64] = "";

	if (sa.ss_family == AF_INET)
		inet_ntop(AF_INET, &((struct sockaddr_in *)(void *)&sa)->sin_addr, text,
			  sizeof(text));
	else
		inet_ntop(AF_INET6, &((struct sockaddr_in6 *)(void *)&sa)->sin6_addr, text,
			  sizeof(text));
	if (strcmp(text, want) != 0)
		fprintf(stderr, "# peer %s, not %s\n", text, want);
	return s >= 0 && strcmp(text, want) == 0;
}

/* --- The scene ------------------------------------------------------------------------------ */

struct scene {
	int host, internet;
	int server, server6; /* in the internet, port 80 */
};

static struct scene scene_make(void)
{
	struct scene s = {.internet = new_netns()};
	char command[256];

	CHECK(unshare(CLONE_NEWNET) == 0 && net_loopback_up(&err) == 0);
	s.host = own_netns();
	/* As a host that has never forwarded. */
	CHECK(run("echo 0 >/proc/sys/net/ipv4/ip_forward") == 0);
	snprintf(command, sizeof(command),
		 "ip link add up0 type veth peer name eth0 netns /proc/%d/fd/%d", getpid(),
		 s.internet);
	CHECK(run(command) == 0);
	/* Duplicate addresses are not looked for: that takes a second. */
	CHECK(run("echo 0 >/proc/sys/net/ipv6/conf/up0/accept_dad") == 0);
	CHECK(run_in(s.internet, "echo 0 >/proc/sys/net/ipv6/conf/eth0/accept_dad") == 0);
	CHECK(run("ip addr add 198.51.100.1/24 dev up0 && ip addr add 2001:db8::1/64 dev up0 nodad "
		  "&& ip link set up0 up") == 0);
	CHECK(run_in(s.internet, "ip addr add 198.51.100.2/24 dev eth0 && ip addr add "
				 "2001:db8::2/64 dev eth0 nodad && ip link set eth0 up") == 0);
	CHECK(run("ip route add default via 198.51.100.2 && ip route add default via "
		  "2001:db8::2") == 0);
	s.server = listen_in(s.internet, "198.51.100.2", 80);
	s.server6 = listen_in(s.internet, "2001:db8::2", 80);
	/* The kernel takes up to a second until it notices that the cable is in. */
	for (int i = 0; i < 20 && connect_from(s.host, NULL, "2001:db8::2", 81) != ECONNREFUSED;
	     i++)
		usleep(50000);
	CHECK(connect_from(s.host, NULL, "198.51.100.2", 81) == ECONNREFUSED);
	return s;
}

struct sandbox {
	int n, netns;
	struct veth_slot slot;
};

static struct sandbox sandbox_make(int n, bool ipv6)
{
	struct sandbox b = {.n = n, .netns = new_netns()};

	CHECK(mkdir(owner(n), 0700) == 0);
	if (veth_claim(&config, &mnl, owner(n), &b.slot, &err) < 0 ||
	    veth_make(&config, &mnl, &b.slot, b.netns, ipv6, &err) < 0) {
		fprintf(stderr, "# %s\n", err.msg);
		CHECK(false);
	}
	return b;
}

static void sandbox_end(struct sandbox *b)
{
	own_close(&b->netns);
	CHECK(veth_release(config.directory, b->slot.number, owner(b->n), &err) == 0);
	CHECK(rmdir(owner(b->n)) == 0);
}

static const char *text_of(const struct egress_address *a)
{
	static char text[4][64];
	static int turn;
	char *to = text[turn++ % 4];

	inet_ntop(a->family == 4 ? AF_INET : AF_INET6, a->bytes, to, sizeof(text[0]));
	return to;
}

static bool ipv6_possible(void)
{
	struct err why;

	return veth_ipv6_possible(&why);
}

/* --- Tests ---------------------------------------------------------------------------------- */

static void addresses(void)
{
	struct veth_slot s;

	CHECK(veth_slot_of(&config, 0, &s, &err) == 0);
	CHECK_STR(text_of(&s.host), "10.201.0.1");
	CHECK_STR(text_of(&s.inside), "10.201.0.2");
	CHECK_STR(text_of(&s.host6), "fd62:7269:6700::1");
	CHECK(s.inside.prefix == 32 && s.inside6.prefix == 128);
	CHECK(veth_slot_of(&config, 16383, &s, &err) == 0);
	CHECK_STR(text_of(&s.host), "10.201.255.253");
	CHECK_STR(text_of(&s.inside6), "fd62:7269:6700::fffe");
	CHECK(strlen(s.device) == 11 && strncmp(s.device, "brg", 3) == 0);
	CHECK(veth_slot_of(&config, 16384, &s, &err) == -ERANGE);
	struct veth_config small = {
		.pool = {4, 29, {10, 9, 8, 248}}
        };
	CHECK(veth_slot_of(&small, 1, &s, &err) == 0);
	CHECK_STR(text_of(&s.host), "10.9.8.253");
	CHECK(s.host6.family == 0 && veth_slot_of(&small, 2, &s, &err) == -ERANGE);
	small.pool.prefix = 31;
	CHECK(veth_slot_of(&small, 0, &s, &err) == -EINVAL);
	small.pool = (struct egress_address){.family = 6, .prefix = 64};
	CHECK(veth_slot_of(&small, 0, &s, &err) == -EINVAL);
}

static void reaches_the_internet(void)
{
	struct scene s = scene_make();
	struct sandbox b = sandbox_make(0, ipv6_possible());

	CHECK(connect_from(b.netns, NULL, "198.51.100.2", 80) == 0);
	CHECK(peer_is(s.server, "198.51.100.1")); /* masqueraded */
	CHECK(connect_from(b.netns, NULL, "198.51.100.2", 81) == ECONNREFUSED);
	if (b.slot.host6.family && ipv6_possible()) {
		CHECK(connect_from(b.netns, NULL, "2001:db8::2", 80) == 0);
		CHECK(peer_is(s.server6, "2001:db8::1"));
	}
	/* The global switches are as they were. */
	CHECK(run("grep -qx 0 /proc/sys/net/ipv4/ip_forward && "
		  "grep -qx 0 /proc/sys/net/ipv6/conf/all/forwarding") == 0);
	/* Also where nothing of IPv6 is wanted. */
	struct sandbox four = sandbox_make(1, false);

	CHECK(connect_from(four.netns, NULL, "198.51.100.2", 80) == 0);
	CHECK(run_in(four.netns, "test -z \"$(ip -6 addr show dev eth0)\"") == 0);
	sandbox_end(&four);
	sandbox_end(&b);
}

static void closed_to_others(void)
{
	struct scene s = scene_make();
	struct sandbox a = sandbox_make(0, ipv6_possible()), b = sandbox_make(1, ipv6_possible());
	own_fd int service = listen_in(s.host, "0.0.0.0", 8080);
	own_fd int service6 = listen_in(s.host, "::", 8081);
	own_fd int inner = listen_in(b.netns, "0.0.0.0", 9090);
	own_fd int inner6 = listen_in(b.netns, "::", 9091);

	CHECK(service >= 0 && service6 >= 0 && inner >= 0 && inner6 >= 0);
	/* The services are there, for who is no sandbox. */
	CHECK(connect_from(s.internet, NULL, "198.51.100.1", 8080) == 0);
	CHECK(connect_from(s.internet, NULL, "2001:db8::1", 8081) == 0);
	/* The host, by any of its addresses. */
	CHECK(connect_from(a.netns, NULL, text_of(&a.slot.host), 8080) == ETIMEDOUT);
	CHECK(connect_from(a.netns, NULL, text_of(&b.slot.host), 8080) == ETIMEDOUT);
	CHECK(connect_from(a.netns, NULL, "198.51.100.1", 8080) == ETIMEDOUT);
	/* Another sandbox. */
	CHECK(connect_from(a.netns, NULL, text_of(&b.slot.inside), 9090) == ETIMEDOUT);
	if (ipv6_possible()) {
		CHECK(connect_from(a.netns, NULL, text_of(&a.slot.host6), 8081) == ETIMEDOUT);
		CHECK(connect_from(a.netns, NULL, "2001:db8::1", 8081) == ETIMEDOUT);
		CHECK(connect_from(a.netns, NULL, text_of(&b.slot.inside6), 9091) == ETIMEDOUT);
		CHECK(connect_from(s.host, NULL, text_of(&b.slot.inside6), 9091) == 0);
		CHECK(run_in(s.internet, "ip route add fd62:7269:6700::/64 via 2001:db8::1") == 0);
		CHECK(connect_from(s.internet, NULL, text_of(&b.slot.inside6), 9091) == ETIMEDOUT);
	}
	/* From the host, as a health check does; not from outside, even with a route. */
	CHECK(connect_from(s.host, NULL, text_of(&b.slot.inside), 9090) == 0);
	CHECK(run_in(s.internet, "ip route add 10.201.0.0/16 via 198.51.100.1") == 0);
	CHECK(connect_from(s.internet, NULL, text_of(&b.slot.inside), 9090) == ETIMEDOUT);
	sandbox_end(&a);
	sandbox_end(&b);
}

/* Whatever the host's defaults are. */
static void settings(void)
{
	static const char zeros[] =
		"accept_redirects send_redirects accept_source_route route_localnet proxy_arp";
	struct scene s = scene_make();
	char command[512];

	snprintf(command, sizeof(command),
		 "cd /proc/sys/net/ipv4/conf/default && echo 0 >rp_filter && "
		 "for f in %s accept_local; do echo 1 >$f || exit 1; done",
		 zeros);
	CHECK(run(command) == 0);
	struct sandbox a = sandbox_make(0, false);

	snprintf(
		command, sizeof(command),
		"cd /proc/sys/net/ipv4/conf/%s && grep -qx 1 rp_filter && grep -qx 1 arp_ignore && "
		"grep -qx 1 forwarding && "
		"for f in %s accept_local; do grep -qx 0 $f || exit 1; done",
		a.slot.device, zeros);
	CHECK(run(command) == 0);
	snprintf(command, sizeof(command),
		 "cd /proc/sys/net/ipv4/conf/eth0 && grep -qx 1 rp_filter && "
		 "for f in forwarding %s; do grep -qx 0 $f || exit 1; done",
		 zeros);
	CHECK(run_in(a.netns, command) == 0);
	CHECK(s.server >= 0);
	sandbox_end(&a);
}

/* Sandboxes have no right to take another address; here one is given to it. */
static void forged_addresses(void)
{
	struct scene s = scene_make();
	struct sandbox a = sandbox_make(0, ipv6_possible()), b = sandbox_make(1, false);
	char command[160];

	CHECK(run_in(s.internet, "ip route add 10.201.0.0/16 via 198.51.100.1 && "
				 "ip route add 203.0.113.0/24 via 198.51.100.1") == 0);
	snprintf(command, sizeof(command),
		 "ip addr add 203.0.113.5/32 dev eth0 && ip addr add %s/32 dev eth0",
		 text_of(&b.slot.inside));
	CHECK(run_in(a.netns, command) == 0);
	/* Its own anti-spoofing off: what is left is the table's. */
	CHECK(run("for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done") == 0);
	CHECK(connect_from(a.netns, NULL, "198.51.100.2", 80) == 0);
	CHECK(connect_from(a.netns, "203.0.113.5", "198.51.100.2", 80) == ETIMEDOUT);
	CHECK(connect_from(a.netns, text_of(&b.slot.inside), "198.51.100.2", 80) == ETIMEDOUT);
	CHECK(run("nft list chain inet brig_host pre | grep -q 'packets [1-9].* drop comment "
		  "\"forged source address\"'") == 0);
	if (ipv6_possible()) {
		CHECK(run_in(a.netns, "ip addr add 2001:db8:5::5/128 dev eth0 nodad") == 0);
		CHECK(connect_from(a.netns, "2001:db8:5::5", "2001:db8::2", 80) == ETIMEDOUT);
	}
	CHECK(s.server >= 0);
	sandbox_end(&a);
	sandbox_end(&b);
}

/* A second device of a host that does not forward: what brig opens leads to sandboxes only. */
static void opened_for_answers_only(void)
{
	struct scene s = scene_make();
	own_fd int office = new_netns();
	char command[160];

	snprintf(command, sizeof(command),
		 "ip link add lan0 type veth peer name eth0 netns /proc/%d/fd/%d", getpid(),
		 office);
	CHECK(run(command) == 0);
	CHECK(run("ip addr add 192.0.2.1/24 dev lan0 && ip link set lan0 up") == 0);
	CHECK(run_in(office, "ip addr add 192.0.2.2/24 dev eth0 && ip link set eth0 up && "
			     "ip route add default via 192.0.2.1") == 0);
	CHECK(run("ip link show dev lan0 >/dev/null") == 0);
	CHECK(run_in(s.internet, "ip route add 192.0.2.0/24 via 198.51.100.1") == 0);
	own_fd int files = listen_in(office, "192.0.2.2", 445);
	struct sandbox a = sandbox_make(0, false);

	CHECK(files >= 0 && connect_from(s.host, NULL, "192.0.2.2", 445) == 0);
	CHECK(run("grep -qx 1 /proc/sys/net/ipv4/conf/up0/forwarding && "
		  "grep -qx 1 /proc/sys/net/ipv4/conf/lan0/forwarding && "
		  "grep -qx 0 /proc/sys/net/ipv4/conf/lo/forwarding") == 0);
	CHECK(connect_from(a.netns, NULL, "198.51.100.2", 80) == 0);
	CHECK(connect_from(a.netns, NULL, "192.0.2.2", 445) == 0);
	CHECK(connect_from(s.internet, NULL, "192.0.2.2", 445) == ETIMEDOUT);
	/* What the host translates is meant to be forwarded. */
	CHECK(run("nft 'add table ip t; add chain ip t p { type nat hook prerouting priority -100; "
		  "}; add rule ip t p tcp dport 4450 dnat to 192.0.2.2:445'") == 0);
	CHECK(connect_from(s.internet, NULL, "198.51.100.1", 4450) == 0);
	/* Its owner forwards from now on; the next sandbox notices. */
	CHECK(run("echo 1 >/proc/sys/net/ipv4/ip_forward") == 0);
	struct sandbox b = sandbox_make(1, false);
	CHECK(connect_from(s.internet, NULL, "192.0.2.2", 445) == 0);
	CHECK(connect_from(b.netns, NULL, "198.51.100.2", 80) == 0);
	sandbox_end(&b);
	sandbox_end(&a);
}

static void overlapping_pool(void)
{
	static const char *const routes[] = {"10.201.7.0/24 dev up0", "10.0.0.0/8 dev up0",
					     "10.201.0.0/16 via 198.51.100.2",
					     "10.201.255.255/32 dev up0 table 77"};
	static const char *const harmless[] = {"10.202.0.0/16 dev up0", "unreachable 10.0.0.0/8",
					       "blackhole 10.201.0.0/16", "10.200.0.0/16 dev up0"};
	struct veth_slot slot;
	char command[128];

	(void)scene_make();
	CHECK(mkdir(owner(0), 0700) == 0);
	for (size_t i = 0; i < LEN(routes); i++) {
		snprintf(command, sizeof(command), "ip route add %s", routes[i]);
		CHECK(run(command) == 0);
		CHECK(veth_claim(&config, &mnl, owner(0), &slot, &err) == -EADDRINUSE);
		CHECK(strstr(err.msg, "dev up0") != NULL && strstr(err.msg, "\"pool\"") != NULL);
		snprintf(command, sizeof(command), "ip route del %s", routes[i]);
		CHECK(run(command) == 0);
	}
	CHECK(run("ip route add fd62:7269:6700::/48 dev up0") == 0);
	CHECK(veth_claim(&config, &mnl, owner(0), &slot, &err) == -EADDRINUSE);
	CHECK(strstr(err.msg, "fd62:7269:6700::/48") && strstr(err.msg, "\"pool6\""));
	CHECK(run("ip route del fd62:7269:6700::/48 dev up0") == 0);
	for (size_t i = 0; i < LEN(harmless); i++) {
		snprintf(command, sizeof(command), "ip route add %s", harmless[i]);
		CHECK(run(command) == 0);
	}
	CHECK(veth_claim(&config, &mnl, owner(0), &slot, &err) == 0);
	CHECK(veth_release(config.directory, slot.number, owner(0), &err) == 0);
	CHECK(rmdir(owner(0)) == 0);
}

static int count_devices(void)
{
	struct if_nameindex *list = if_nameindex();
	int n = 0;

	for (struct if_nameindex *i = list; i && i->if_index; i++)
		n += strncmp(i->if_name, "brg", 3) == 0;
	if_freenameindex(list);
	return n;
}

/* The kernel removes them some time after the last descriptor of the namespace. */
static bool devices_go(void)
{
	for (int i = 0; i < 200 && count_devices(); i++)
		usleep(20000);
	return count_devices() == 0;
}

static uint32_t slots_in_use(void)
{
	own_slots struct slots slots = SLOTS_NONE;
	uint32_t used = UINT32_MAX;

	CHECK(slots_open(&slots, config.directory, SLOTS_MAX, &err) == 0);
	CHECK(slots_used(&slots, &used, &err) == 0);
	return used;
}

/* A pool of four: the devices of the one before are still there when a slot comes again. */
static void many_cycles(void)
{
	enum { CYCLES = 200 };
	static char small_dir[96];

	(void)scene_make();
	snprintf(small_dir, sizeof(small_dir), "%s/small", dir);
	config.directory = small_dir;
	config.pool.prefix = 28;
	for (int i = 0; i < CYCLES; i++) {
		struct sandbox b = sandbox_make(0, false);

		if (i % 50 == 0)
			CHECK(connect_from(b.netns, NULL, "198.51.100.2", 80) == 0);
		sandbox_end(&b);
	}
	CHECK(devices_go() && slots_in_use() == 0);
	CHECK(run("test $(nft list set inet brig_host inside4 | grep -o 10.201 | wc -l) = 4") == 0);
}

/* Killed anywhere between the claim and the end; its state directory goes with the next verb. */
static void killed_anywhere(void)
{
	enum { KILLS = 40 };

	struct scene s = scene_make();
	for (int i = 0; i < KILLS; i++) {
		fflush(NULL);
		pid_t pid = fork();

		if (pid == 0)
			for (;;) {
				struct sandbox b = sandbox_make(0, false);
				sandbox_end(&b);
				if (checks_failed)
					_exit(1);
			}
		usleep((useconds_t)(1000 + i * 733));
		kill(pid, SIGKILL);
		int st = 0;
		CHECK(waitpid(pid, &st, 0) == pid && WIFSIGNALED(st));
		(void)rmdir(owner(0));
		struct sandbox b = sandbox_make(1, false);
		CHECK(i % 10 || connect_from(b.netns, NULL, "198.51.100.2", 80) == 0);
		sandbox_end(&b);
	}
	CHECK(s.host >= 0 && devices_go() && slots_in_use() == 0);
}

/* Several runtimes at once: the table is made once, and no slot is had twice. */
static void eight_at_once(void)
{
	enum { PROCESSES = 8, ROUNDS = 6 };
	struct scene s = scene_make();
	pid_t pids[PROCESSES];

	fflush(NULL);
	for (int i = 0; i < PROCESSES; i++) {
		pids[i] = fork();
		if (pids[i])
			continue;
		for (int k = 0; k < ROUNDS; k++) {
			struct sandbox b = sandbox_make(10 + i, false);

			CHECK(connect_from(b.netns, NULL, "198.51.100.2", 81) == ECONNREFUSED);
			sandbox_end(&b);
		}
		_exit(checks_failed != 0);
	}
	for (int i = 0; i < PROCESSES; i++) {
		int st = 1;

		CHECK(waitpid(pids[i], &st, 0) == pids[i] && st == 0);
	}
	CHECK(run("test $(nft list chain inet brig_host forward | grep -c accept) = 3") == 0);
	CHECK(s.host >= 0 && devices_go() && slots_in_use() == 0);
}

static void removed(void)
{
	struct scene s = scene_make();
	struct sandbox b = sandbox_make(0, false);

	CHECK(if_nametoindex(b.slot.device) != 0);
	/* Its name is taken: nothing is changed, and the namespace stays without a device. */
	own_fd int other = new_netns();
	CHECK(veth_make(&config, &mnl, &b.slot, other, false, &err) == -EEXIST);
	CHECK(veth_make(&config, &mnl, &b.slot, s.host, false, &err) < 0);
	CHECK(run_in(other, "! ip link show dev eth0 2>/dev/null") == 0);
	CHECK(connect_from(b.netns, NULL, "198.51.100.2", 80) == 0);
	CHECK(veth_remove(&mnl, &b.slot, &err) == 0 && if_nametoindex(b.slot.device) == 0);
	CHECK(veth_remove(&mnl, &b.slot, &err) == 0);
	/* Without the table: it comes back. */
	CHECK(run("nft flush ruleset") == 0);
	CHECK(veth_make(&config, &mnl, &b.slot, other, false, &err) == 0);
	CHECK(connect_from(other, NULL, "198.51.100.2", 80) == 0);
	sandbox_end(&b);
	CHECK(veth_possible(&mnl, &err));
}

static void (*const tests[])(void) = {
	reaches_the_internet,    closed_to_others, forged_addresses, settings,
	opened_for_answers_only, overlapping_pool, many_cycles,      killed_anywhere,
	eight_at_once,           removed,
};

static int child_of(void (*body)(void))
{
	int st = 1;

	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		checks_failed = 0;
		body();
		_exit(checks_failed != 0);
	}
	waitpid(pid, &st, 0);
	return st;
}

int main(void)
{
	addresses();
	if (geteuid() != 0 || run("ip -V >/dev/null 2>&1") != 0) {
		printf("# not root or no iproute2: what needs them was left out\n");
		return check_done();
	}
	if (!mkdtemp(dir) || mnl_load(&mnl, &err) < 0)
		return 1;
	snprintf(pool_dir, sizeof(pool_dir), "%s/pool", dir);
	for (size_t i = 0; i < LEN(tests); i++)
		CHECK(child_of(tests[i]) == 0);
	CHECK(file_remove_tree(AT_FDCWD, dir, &err) == 0);
	return check_done();
}
