/* The table with grants against the kernel: what is installed lets through what it says. */
#include "rules_fixture.h"

#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>

static struct test_policy policy;

static void granted_only(void)
{
	own_fd int sock = netfilter_in(BOX);

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	add_cidr(&policy, "198.51.100.0/24", IPPROTO_UDP, 50, 60, EGRESS_ASKED);
	add_cidr(&policy, "2001:db8::2", IPPROTO_TCP, 443, 444, EGRESS_ASKED);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(udp(BOX, FAR, "198.51.100.5", 53));
	CHECK(tcp(BOX, FAR, "2001:db8::2", 443) == 0);
	CHECK(tcp(FAR, BOX, "203.0.113.1", 80) == 0);
	CHECK(install(sock, &policy, false) == 0);
	say("install");
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 444) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 443) == ECONNREFUSED);
	CHECK(udp(BOX, FAR, "198.51.100.5", 53));
	CHECK(!udp(BOX, FAR, "198.51.100.5", 61));
	CHECK(!udp(BOX, FAR, "203.0.113.9", 443));
	CHECK(tcp(BOX, FAR, "198.51.100.5", 53) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "2001:db8::2", 443) == 0);
	CHECK(tcp(BOX, FAR, "2001:db8::2", 445) == ECONNREFUSED);
	CHECK(!udp(BOX, FAR, "2001:db8::2", 443));
	CHECK(tcp(FAR, BOX, "203.0.113.1", 80) == ETIMEDOUT);
	CHECK(tcp(BOX, BOX, "127.0.0.1", 80) == 0);
	struct rules_counts c;
	CHECK(rules_counts(&arena, &mnl, sock, &c, &err) == 0);
	CHECK(c.admitted == 3 && c.denied >= 7 && c.dropped_in >= 1 && c.n_grants == 3);
	for (size_t i = 0; i < c.n_grants; i++)
		CHECK(c.grants[i].packets && c.grants[i].bytes);
	say("granted only");
}

static void put(int sock)
{
	go(BOX);
	CHECK(install(sock, &policy, true) == 0);
	say("install");
}

/* --- Limits ------------------------------------------------------------------------------------
 */

/* How many of n connections at once are let through; they stay open in fds. */
static int connects(const char *address, uint16_t port, int n, int *fds)
{
	int good = 0, fd;

	for (int i = 0; i < n; i++)
		if (connect_from(BOX, address, port, &fd) == 0)
			fds[good++] = fd;
	return good;
}

static void close_all(int *fds, int n)
{
	for (int i = 0; i < n; i++)
		own_close(&fds[i]);
}

static struct rules_counts counts(int sock)
{
	struct rules_counts c;

	CHECK(rules_counts(&arena, &mnl, sock, &c, &err) == 0);
	say("counts");
	return c;
}

static void limits(void)
{
	own_fd int sock = netfilter_in(BOX);
	own_fd int server = listen_at(FAR, "203.0.113.9", 443);
	int fds[64];

	CHECK(server >= 0);
	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 444, EGRESS_BACKED);
	policy.p.limits = (struct egress_limits){.total = 5};
	put(sock);
	int n = connects("203.0.113.9", 443, 20, fds);
	CHECK(n == 5);
	close_all(fds, n);
	CHECK(connects("203.0.113.9", 443, 20, fds) == 0); /* never again */
	CHECK(counts(sock).over_total == 35 && counts(sock).admitted == 5);

	policy.p.limits = (struct egress_limits){.open = 7};
	put(sock);
	n = connects("203.0.113.9", 443, 20, fds);
	CHECK(n == 7);
	CHECK(counts(sock).over_open == 13);
	close_all(fds, n);

	policy.p.limits = (struct egress_limits){.rate = 5};
	put(sock);
	n = connects("203.0.113.9", 443, 40, fds);
	CHECK(n >= 10 && n <= 11); /* a burst of twice the rate, and what is earned meanwhile */
	close_all(fds, n);
	usleep(450000);
	n = connects("203.0.113.9", 443, 20, fds);
	CHECK(n >= 2 && n <= 3);
	CHECK(counts(sock).over_rate >= 40);
	close_all(fds, n);
	say("limits");
}

/* Pushes as much as goes; returns what has arrived. */
static size_t pushed(int from, int to, size_t want)
{
	static char buf[8192];
	size_t arrived = 0;

	for (int idle = 0; idle < 4 && arrived < want;) {
		ssize_t n = send(from, buf, 1000, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno != EAGAIN)
			idle = 4;
		n = ready(to, POLLIN, 50) ? recv(to, buf, sizeof(buf), MSG_DONTWAIT) : -1;
		idle = n > 0 ? 0 : idle + 1;
		arrived += n > 0 ? (size_t)n : 0;
	}
	return arrived;
}

static void bytes(bool inward)
{
	own_fd int sock = netfilter_in(BOX);
	own_fd int server = listen_at(FAR, "203.0.113.9", 443);
	own_fd int client = -1;

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	policy.p.limits.bytes = 20000;
	put(sock);
	CHECK(connect_from(BOX, "203.0.113.9", 443, &client) == 0);
	CHECK(ready(server, POLLIN, WAIT_MS));
	own_fd int other = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	size_t n = inward ? pushed(other, client, 100000) : pushed(client, other, 100000);
	/* Headers and what goes the other way count, too. */
	CHECK(n > 12000 && n <= 20000 + (inward ? 1448 : 0));
	CHECK(counts(sock).over_bytes > 0);
	/* Both programs are told; nothing hangs. */
	char byte;
	CHECK(ready(client, POLLIN, 1000) && recv(client, &byte, 1, 0) <= 0);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 443) == ECONNREFUSED);
	say("bytes");
}

static void bandwidth(void)
{
	own_fd int sock = netfilter_in(BOX);
	own_fd int server = listen_at(FAR, "203.0.113.9", 443);
	own_fd int client = -1;

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	policy.p.limits.bandwidth = 200000;
	put(sock);
	CHECK(connect_from(BOX, "203.0.113.9", 443, &client) == 0);
	CHECK(ready(server, POLLIN, WAIT_MS));
	own_fd int other = accept4(server, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	static char buf[65536];
	size_t arrived = 0;
	for (double end = now_ms() + 1500; now_ms() < end;) {
		(void)!send(client, buf, sizeof(buf), MSG_NOSIGNAL | MSG_DONTWAIT);
		ssize_t n =
			ready(other, POLLIN, 20) ? recv(other, buf, sizeof(buf), MSG_DONTWAIT) : 0;
		arrived += n > 0 ? (size_t)n : 0;
	}
	/* 1.5 seconds, what one second may hold, and the burst for the largest packet. */
	CHECK(arrived > 100000 && arrived < 200000 * 5 / 2 + (128 << 10) + 65536);
	say("bandwidth");
}

/* --- Inward ------------------------------------------------------------------------------------
 */

static void ingress(void)
{
	static const struct egress_ports web = {8080, 8081};
	const struct egress_address host = address_of("203.0.113.2");
	const struct egress_ingress rules[] = {
		{.from = EGRESS_FROM_NODE, .proto = IPPROTO_TCP},
		{ .from = EGRESS_FROM_ANY, .proto = IPPROTO_TCP, .ports = &web, .n_ports = 1},
		{      .from = EGRESS_FROM_ADDRESS,
		 .address = address_of("2001:db8::/64"),
		 .proto = IPPROTO_UDP,
		 .ports = &web,
		 .n_ports = 1},
	};
	own_fd int sock = netfilter_in(BOX);

	policy = (struct test_policy){
		.p = {.ipv6 = true,
		      .ingress = rules,
		      .n_ingress = LEN(rules),
		      .host = &host,
		      .n_host = 1,
		      .digest = "sha256:in"}
        };
	put(sock);
	CHECK(tcp(FAR, BOX, "203.0.113.1", 80) == 0);   /* from the node */
	CHECK(tcp(FAR, BOX, "203.0.113.1", 8081) == 0); /* in both: once in the set */
	CHECK(tcp(FAR, BOX, "2001:db8::1", 8080) == 0);
	CHECK(tcp(FAR, BOX, "2001:db8::1", 80) == ETIMEDOUT);
	CHECK(udp(FAR, BOX, "2001:db8::1", 8080));
	CHECK(!udp(FAR, BOX, "203.0.113.1", 8080));
	CHECK(tcp(BOX, FAR, "203.0.113.2", 8080) == ECONNREFUSED);
	CHECK(counts(sock).ingress == 4);
	/* The other side's own address is never reached, as it is the host's. */
	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.0/24", IPPROTO_TCP, 443, 443, EGRESS_ASKED);
	policy.p.host = &host;
	policy.p.n_host = 1;
	put(sock);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 443) == ECONNREFUSED);
	say("ingress");
}

/* The resolver in the namespace: by the mark of its packets. */
static void resolver_inside(void)
{
	const struct egress_address resolvers[] = {address_of("203.0.113.2"),
						   address_of("2001:db8::2")};
	own_fd int sock = netfilter_in(BOX);
	own_fd int server = sock_in(FAR, AF_INET, SOCK_DGRAM);
	own_fd int client = sock_in(BOX, AF_INET, SOCK_DGRAM);
	struct sockaddr_storage s, from;
	socklen_t len = fill(&s, "203.0.113.2", 53), from_len = sizeof(from);
	uint32_t mark = EGRESS_PACKET_MARK;
	char byte;

	policy = (struct test_policy){0};
	add_name(&policy, "example.org", 443);
	policy.p.resolves_inside = true;
	policy.p.resolvers = resolvers;
	policy.p.n_resolvers = LEN(resolvers);
	put(sock);
	CHECK(bind(server, (void *)&s, len) == 0);
	CHECK(sendto(client, "x", 1, 0, (void *)&s, len) < 0 && errno == EPERM);
	CHECK(setsockopt(client, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
	CHECK(sendto(client, "x", 1, 0, (void *)&s, len) == 1);
	CHECK(ready(server, POLLIN, WAIT_MS));
	CHECK(recvfrom(server, &byte, 1, 0, (void *)&from, &from_len) == 1);
	CHECK(sendto(server, "y", 1, 0, (void *)&from, from_len) == 1);
	CHECK(ready(client, POLLIN, WAIT_MS) && recv(client, &byte, 1, 0) == 1);
	/* The connection alone is not enough: who takes the port later has no mark. */
	mark = 0;
	CHECK(setsockopt(client, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
	CHECK(sendto(client, "x", 1, 0, (void *)&s, len) < 0 && errno == EPERM);
	mark = EGRESS_PACKET_MARK;
	CHECK(setsockopt(client, SOL_SOCKET, SO_MARK, &mark, sizeof(mark)) == 0);
	len = fill(&s, "203.0.113.9", 53);
	CHECK(sendto(client, "x", 1, 0, (void *)&s, len) < 0 && errno == EPERM);
	say("resolver");
}

/* --- Records -----------------------------------------------------------------------------------
 */

static struct rules_packet records[64];
static size_t n_records;

static void note(void *ctx, const struct rules_packet *p)
{
	(void)ctx;
	if (n_records < LEN(records))
		records[n_records++] = *p;
}

static const struct rules_packet *record(bool denied, bool inward, uint8_t proto, uint16_t port)
{
	for (size_t i = 0; i < n_records; i++)
		if (records[i].denied == denied && records[i].inward == inward &&
		    records[i].proto == proto && records[i].to_port == port)
			return &records[i];
	return NULL;
}

static void told(void)
{
	static const struct egress_ports web = {8080, 8080};
	const struct egress_ingress in = {
		.from = EGRESS_FROM_ANY, .proto = IPPROTO_TCP, .ports = &web, .n_ports = 1};
	own_fd int sock = netfilter_in(BOX);
	own_fd int log = netfilter_in(BOX);
	uint32_t seq = 0;

	policy = (struct test_policy){0};
	struct egress_grant *g =
		add_cidr(&policy, "2001:db8::2", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	policy.p.ingress = &in;
	policy.p.n_ingress = 1;
	put(sock);
	CHECK(rules_log_open(&mnl, log, &err) == 0);
	n_records = 0;
	CHECK(tcp(BOX, FAR, "2001:db8::2", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 25) == ECONNREFUSED);
	CHECK(!udp(BOX, FAR, "203.0.113.9", 53));
	CHECK(tcp(FAR, BOX, "203.0.113.1", 8080) == 0);
	CHECK(rules_log_read(&mnl, log, &seq, note, NULL, &err) == 0);
	CHECK(rules_log_read(&mnl, log, &seq, note, NULL, &err) == 0);
	CHECK(n_records >= 4);
	const struct rules_packet *p = record(false, false, IPPROTO_TCP, 443);
	struct egress_address far = address_of("2001:db8::2"), nine = address_of("203.0.113.9");
	CHECK(p && p->id == g->id && memcmp(&p->to, &far, sizeof(far)) == 0 && p->uid == 0);
	p = record(true, false, IPPROTO_TCP, 25);
	CHECK(p && p->id == 0 && memcmp(&p->to, &nine, sizeof(nine)) == 0 && p->from_port);
	CHECK(record(true, false, IPPROTO_UDP, 53) != NULL);
	p = record(false, true, IPPROTO_TCP, 8080);
	CHECK(p && p->id == EGRESS_ID_INGRESS);
	/* Nobody reads: some are lost, and counted. */
	int fds[1], n = 0;
	own_fd int server = listen_at(FAR, "2001:db8::2", 443);
	CHECK(server >= 0);
	for (int i = 0; i < 600; i++) {
		n += connects("2001:db8::2", 443, 1, fds);
		close_all(fds, 1);
	}
	n_records = 0;
	int64_t lost = rules_log_read(&mnl, log, &seq, note, NULL, &err);
	CHECK(n == 600 && tcp(BOX, FAR, "203.0.113.9", 25) == ECONNREFUSED);
	lost += rules_log_read(&mnl, log, &seq, note, NULL, &err);
	CHECK(lost > 0 && lost < 600);
	say("told");
}

/* --- Packet sockets ----------------------------------------------------------------------------
 */

/* A datagram to 203.0.113.9 port 53 as a frame of its own making, to everybody on the link. */
static bool frame_arrives(void)
{
	static const unsigned char packet[] = {0x45, 0,    0,   29, 0,   1, 0,   0, 64,  17,
					       0x98, 0x4f, 203, 0,  113, 1, 203, 0, 113, 9,
					       0,    99,   0,   53, 0,   9, 0,   0, 'x'};
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_halen = 6,
		.sll_addr = {255, 255, 255, 255, 255, 255}
        };
	own_fd int listens = -1, sends = -1;
	unsigned char buf[2048];

	go(FAR);
	listens = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	go(BOX);
	sends = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, htons(ETH_P_IP));
	to.sll_ifindex = (int)if_nametoindex("eth0");
	(void)!sendto(sends, packet, sizeof(packet), 0, (void *)&to, sizeof(to));
	while (ready(listens, POLLIN, WAIT_MS)) {
		ssize_t n = recv(listens, buf, sizeof(buf), 0);

		if (n >= 29 && buf[9] == 17 && buf[28] == 'x' && buf[21] == 99)
			return true;
	}
	return false;
}

static void packet_sockets(void)
{
	own_fd int sock = netfilter_in(BOX);

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	add_cidr(&policy, "2001:db8::2", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	put(sock);
	CHECK(frame_arrives()); /* the table alone does not see it */
	policy.p.netdev_egress = true;
	for (int limited = 0; limited < 2; limited++) {
		policy.p.limits.bytes = limited ? 1 << 20 : 0;
		put(sock);
		CHECK(!frame_arrives());
		CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
		CHECK(run("ip -n box neigh flush all") == 0); /* ARP and neighbour discovery */
		CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
		CHECK(tcp(BOX, FAR, "2001:db8::2", 443) == 0);
		CHECK(tcp(BOX, FAR, "203.0.113.9", 25) == ECONNREFUSED);
	}
	policy.p.netdev_egress = false;
	put(sock);
	CHECK(frame_arrives());
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	say("packet sockets");
}

/* --- Other tables ------------------------------------------------------------------------------
 */

static void foreign(void)
{
	own_fd int sock = netfilter_in(BOX);

	if (run("nft -v >/dev/null 2>&1") != 0)
		return;
	CHECK(rules_check_foreign(&mnl, sock, &err) == 0);
	CHECK(run("ip netns exec box nft 'add table ip mesh; add chain ip mesh c { type filter "
		  "hook output priority 0; }; add rule ip mesh c ct mark 1 accept'") == 0);
	CHECK(rules_check_foreign(&mnl, sock, &err) == 0); /* it only looks */
	CHECK(run("ip netns exec box nft add rule ip mesh c ct mark set 1") == 0);
	CHECK(rules_check_foreign(&mnl, sock, &err) == -ENOTSUP);
	CHECK(strstr(err.msg, "nf_tables: ") == err.msg && strstr(err.msg, "mesh"));
	err = (struct err){0};
	CHECK(run("ip netns exec box nft delete table ip mesh") == 0);
	CHECK(rules_check_foreign(&mnl, sock, &err) == 0);
	say("foreign");
}

int main(void)
{
	int r = fixture_open();

	if (r)
		return r;
	granted_only();
	limits();
	bytes(false);
	bytes(true);
	bandwidth();
	ingress();
	resolver_inside();
	told();
	packet_sockets();
	foreign();
	arena_free(&arena);
	return check_done();
}
