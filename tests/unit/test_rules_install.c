/* Installing: digests, replacing, what is refused, thousands of grants, and how long it takes. */
#include "rules_fixture.h"

#include "net/egress.h"

static struct test_policy policy;

static bool nothing_there(void)
{
	return run("test -z \"$(ip netns exec box nft list ruleset)\"") == 0;
}

static void remove_it(void)
{
	CHECK(run("ip netns exec box nft delete table inet brig") == 0);
}

static void digests(void)
{
	own_fd int sock = netfilter_in(BOX);
	const char *digest = "x";

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	CHECK(rules_digest(&arena, &mnl, sock, &digest, &err) == 0 && !digest);
	CHECK(install(sock, &policy, false) == 0);
	CHECK(rules_digest(&arena, &mnl, sock, &digest, &err) == 0);
	CHECK_STR(digest, policy.p.digest);
	CHECK(install(sock, &policy, false) == 1); /* it had it */
	policy.p.digest = "sha256:other";
	CHECK(install(sock, &policy, false) == -EEXIST);
	CHECK(strstr(err.msg, "sha256:other") && strstr(err.msg, "sha256:0123"));
	err = (struct err){0};
	/* What denies all takes nobody's grants away, */
	go(BOX);
	CHECK(egress_deny_all(&err) == -EEXIST);
	CHECK(strstr(err.msg, "nf_tables: ") == err.msg && strstr(err.msg, "sha256:0123"));
	err = (struct err){0};
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(install(sock, &policy, true) == 0);
	CHECK(rules_digest(&arena, &mnl, sock, &digest, &err) == 0);
	CHECK_STR(digest, "sha256:other");
	remove_it();
	/* and has none itself. */
	go(BOX);
	CHECK(egress_deny_all(&err) == 0);
	CHECK(rules_digest(&arena, &mnl, sock, &digest, &err) == 0);
	CHECK_STR(digest, "");
	CHECK(install(sock, &policy, false) == -EEXIST);
	CHECK(strstr(err.msg, "denies all") != NULL);
	err = (struct err){0};
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	CHECK(install(sock, &policy, true) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	remove_it();
	say("digests");
}

/* Nothing of a batch that is refused stays; what was there before does. */
static void aborted(void)
{
	own_fd int sock = netfilter_in(BOX);

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	policy.p.limits.bytes = UINT64_MAX; /* too much for the kernel */
	CHECK(install(sock, &policy, false) < 0);
	CHECK(strstr(err.msg, "nf_tables: quota volume: ") == err.msg);
	err = (struct err){0};
	CHECK(nothing_there());
	policy.p.limits.bytes = 0;
	CHECK(install(sock, &policy, false) == 0);
	policy.p.limits.bytes = UINT64_MAX;
	CHECK(install(sock, &policy, true) < 0);
	err = (struct err){0};
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.2", 443) == ECONNREFUSED);
	remove_it();
	say("aborted");
}

/* A root of a user namespace that does not own the network namespace. */
static void not_allowed(void)
{
	int st = -1;

	go(BOX);
	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		bool ok = unshare(CLONE_NEWUSER) == 0 &&
			  install(netfilter_socket(), &policy, false) == -EPERM &&
			  strstr(err.msg, "CAP_NET_ADMIN");

		_exit(ok ? 0 : 1);
	}
	CHECK(waitpid(pid, &st, 0) == pid && st == 0);
	CHECK(nothing_there());
}

/* The listing of a small policy, word for word. */
static void listed(void)
{
	static const char *const want[][2] = {
		{"deny",
		 "limit rate 10/second burst 20 packets log prefix \"deny\" group 100 snaplen "
		 "128 queue-threshold 1\n"
		 "meta l4proto tcp counter packets 0 bytes 0 reject with tcp reset comment "
		 "\"denied\"\n"
		 "counter packets 0 bytes 0 reject with icmpx admin-prohibited comment "
		 "\"denied\"\n"								       },
		{"new",  "ct mark set ip daddr . meta l4proto . th dport map @cidr4 goto admit\n"
			"ip daddr @never4 goto deny\n"
			"ct mark set ip daddr . meta l4proto . th dport map @name4 goto admit\n"
			"goto deny\n"					  },
		{"out",  "type filter hook output priority filter; policy drop;\n"
			"oif \"lo\" accept\n"
			"tcp flags syn / fin,syn,rst,ack ct state established goto new\n"
			"ct state established,new ct mark @grants accept\n"
			"meta l4proto icmp ct state related ct mark @grants accept\n"
			"meta l4proto ipv6-icmp ct state related ct mark @grants accept\n"
			"icmpv6 type >= mld-listener-query drop\n"
			"ct state new goto new\n"
			"goto deny\n"					  },
		{"in",   "type filter hook input priority filter; policy drop;\n"
		       "iif \"lo\" accept\n"
		       "ct state established,new ct mark @grants accept\n"
		       "meta l4proto icmp ct state related ct mark @grants accept\n"
		       "meta l4proto ipv6-icmp ct state related ct mark @grants accept\n"
		       "counter packets 0 bytes 0 drop comment \"dropped-in\"\n"},
		{"fw",   "type filter hook forward priority filter; policy drop;\n"                   },
	};
	own_fd int sock = netfilter_in(BOX);
	char command[128], got[2048];

	policy = (struct test_policy){0};
	add_name(&policy, "example.org", 443);
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_BACKED);
	policy.p.ipv6 = false;
	CHECK(install(sock, &policy, false) == 0);
	for (size_t i = 0; i < LEN(want); i++) {
		snprintf(command, sizeof(command),
			 "ip netns exec box nft list chain inet brig %s | sed -n 's/^\t\t//p'",
			 want[i][0]);
		FILE *f = popen(command, "re");
		size_t n = f ? fread(got, 1, sizeof(got) - 1, f) : 0;

		got[n] = '\0';
		if (f)
			pclose(f);
		CHECK_STR(got, want[i][1]);
	}
	/* What nft(8) lists it reads again, too. */
	CHECK(run("ip netns exec box nft list ruleset >/run/listed && "
		  "ip netns exec far nft -c -f /run/listed && "
		  "ip netns exec box nft -j list ruleset | grep -q '\"policy\": \"drop\"'") == 0);
	remove_it();
	say("listed");
}

static void overlapping(void)
{
	own_fd int sock = netfilter_in(BOX);
	struct rules_counts c;

	policy = (struct test_policy){0};
	add_cidr(&policy, "203.0.113.0/24", IPPROTO_TCP, 1, 65535, EGRESS_ASKED);
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 440, 450, EGRESS_ASKED);
	add_cidr(&policy, "203.0.0.0/16", IPPROTO_TCP, 443, 443, EGRESS_ASKED)->ttl_ms = 60000;
	add_cidr(&policy, "0.0.0.0/0", IPPROTO_TCP, 22, 443, EGRESS_ASKED);
	CHECK(install(sock, &policy, false) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 22) == 0);
	CHECK(tcp(BOX, FAR, "198.51.100.5", 443) == 0);
	CHECK(tcp(BOX, FAR, "198.51.100.5", 444) == ECONNREFUSED);
	CHECK(tcp(BOX, FAR, "10.9.9.9", 443) == ECONNREFUSED);
	CHECK(rules_counts(&arena, &mnl, sock, &c, &err) == 0 && c.n_grants == 4);
	for (size_t i = 0; i < c.n_grants; i++) {
		uint32_t place = c.grants[i].id - EGRESS_ID_FIRST;

		/* The one that ends has nothing that another has without end. */
		CHECK(place == 2 ? c.grants[i].packets == 0 : c.grants[i].packets > 0);
	}
	remove_it();
	say("overlapping");
}

static void thousands(void)
{
	own_fd int sock = netfilter_in(BOX);
	struct rules_counts c;

	policy = (struct test_policy){0};
	for (int i = 0; i < GRANTS_MAX - 1; i++) {
		char text[40];

		snprintf(text, sizeof(text), i % 2 ? "9.%d.%d.0/24" : "2001:db8:9:%x%02x::/64",
			 i >> 8, i & 255);
		add_cidr(&policy, text, IPPROTO_TCP, 443, 444,
			 i % 3 ? EGRESS_ASKED : EGRESS_BACKED);
	}
	add_cidr(&policy, "203.0.113.9", IPPROTO_TCP, 443, 443, EGRESS_ASKED);
	double start = now_ms();
	CHECK(install(sock, &policy, false) == 0);
	printf("# 5,000 CIDR grants: %.1f ms\n", now_ms() - start);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == 0);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 444) == ECONNREFUSED);
	CHECK(rules_counts(&arena, &mnl, sock, &c, &err) == 0 && c.n_grants == GRANTS_MAX);
	CHECK(install(sock, &policy, false) == 1);
	/* Half a table is known as such, and made anew. */
	CHECK(run("ip netns exec box nft delete chain inet brig ready") == 0);
	const char *digest;
	CHECK(rules_digest(&arena, &mnl, sock, &digest, &err) == 0);
	CHECK_STR(digest, "");
	CHECK(install(sock, &policy, false) == 0);
	CHECK(install(sock, &policy, false) == 1);
	start = now_ms();
	policy.p.n_grants = 4000;
	CHECK(rules_set_addresses(&mnl, sock, &policy.p, &err) == 0);
	printf("# 1,000 of them taken away: %.1f ms\n", now_ms() - start);
	CHECK(tcp(BOX, FAR, "203.0.113.9", 443) == ECONNREFUSED);
	remove_it();
	say("thousands");
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void measure(void)
{
	enum { ROUNDS = 40 };
	double ms[ROUNDS];

	policy = (struct test_policy){0};
	for (int i = 0; i < 18; i++)
		add_name(&policy, "example.org", 443);
	add_cidr(&policy, "203.0.113.0/24", IPPROTO_TCP, 443, 443, EGRESS_ASKED);
	add_cidr(&policy, "198.51.100.0/24", IPPROTO_UDP, 53, 53, EGRESS_BACKED);
	policy.p.limits = (struct egress_limits){.open = 4096, .rate = 50};
	for (int i = 0; i < ROUNDS; i++) {
		CHECK(unshare(CLONE_NEWNET) == 0);
		int sock = netfilter_socket();
		double start = now_ms();
		CHECK(install(sock, &policy, false) == 0);
		ms[i] = now_ms() - start;
		close(sock);
		go(BOX);
		usleep(20000);
	}
	qsort(ms, ROUNDS, sizeof(*ms), by_value);
	printf("# 20 grants in a new namespace: median %.3f ms, 90%% %.3f ms\n", ms[ROUNDS / 2],
	       ms[ROUNDS * 9 / 10]);
	CHECK(ms[ROUNDS / 2] < 50); /* not a benchmark: only that nothing waits */
	say("measure");
}

int main(void)
{
	int r = fixture_open();

	if (r)
		return r;
	if (run("nft -v >/dev/null 2>&1") != 0) {
		printf("needs nft\n");
		return 77;
	}
	CHECK(rules_possible(&mnl, &err));
	say("possible");
#ifdef BRIG_FAULT
	CHECK(setenv("BRIG_FAULT_HIDE", "nf_tables", 1) == 0);
	CHECK(!rules_possible(&mnl, &err) && strstr(err.msg, "modprobe nf_tables"));
	CHECK(unsetenv("BRIG_FAULT_HIDE") == 0);
#endif
	digests();
	aborted();
	not_allowed();
	listed();
	overlapping();
	thousands();
	measure();
	arena_free(&arena);
	return check_done();
}
